//! Finds the base of a head: reads the repository's tags, lets the rule choose, and reads the choice's files. Nothing of it
//! is deployed here.

use std::collections::BTreeMap;

use crate::adapters::git::{Opened, SourceError};
use crate::domain::base::{Candidate, Resolution, Why, resolve};
use crate::domain::recipe::RecipeFiles;
use crate::domain::recipe::selected::Selected;

/// The fact with the resolution, from the fetch of a request to the plan of its run.
pub(super) const BASE: &str = "base";

/// What was found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The choice and why.
    pub resolution: Resolution,
    /// The files of the base; there exactly when there is one.
    pub files: Option<RecipeFiles>,
}

/// The base of an opened recipe: the one that was asked for, else what the rule chooses of these canonicals and of the tags.
///
/// # Errors
/// When git fails, or what was asked for cannot be read. A chosen one that cannot be read is no error: there is no base then.
pub async fn find(opened: &Opened, asked: Option<&str>, canonicals: &[Candidate]) -> Result<Found, SourceError> {
    if let Some(reference) = asked {
        let commit = opened.commit(reference).await?;
        let files = opened.files_at(&commit).await?;
        let version = Selected::read(&files, &BTreeMap::new()).version();
        return Ok(Found { resolution: Resolution::asked(reference, version, commit), files: Some(files) });
    }
    let Some(tags) = opened.tags().await? else {
        return Ok(Found { resolution: Resolution::none(Why::NoRepository), files: None });
    };
    let head = Selected::read(&opened.source.files, &BTreeMap::new()).version();
    let resolution = resolve(head.as_ref(), canonicals, &tags);
    let Some(base) = &resolution.base else { return Ok(Found { resolution, files: None }) };
    match opened.files_at(&base.commit).await {
        Ok(files) => Ok(Found { resolution, files: Some(files) }),
        Err(SourceError::Files(error)) => {
            Ok(Found { resolution: resolution.unreadable(&error.to_string()), files: None })
        }
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use std::path::{Path, PathBuf};
    use std::process::Command;

    use super::*;
    use crate::adapters::git::open;
    use crate::domain::base::Base;

    struct Repository {
        folder: tempfile::TempDir,
    }

    impl Repository {
        fn new() -> Self {
            let made = Self { folder: tempfile::tempdir().unwrap() };
            std::fs::create_dir(made.place()).unwrap();
            made.git(&["init", "-qb", "main"]);
            made
        }

        fn place(&self) -> PathBuf {
            self.folder.path().join("notes")
        }

        fn git(&self, arguments: &[&str]) {
            let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
            let done = Command::new("git").args(me).args(arguments).current_dir(self.place()).status().unwrap();
            assert!(done.success(), "{arguments:?}");
        }

        /// Writes and commits a recipe of this version and image.
        fn commit(&self, version: &str, image: &str) {
            let compose = format!(
                "services:\n  app:\n    image: {image}\n    deploy:\n      labels: [\"coop-cloud.${{STACK_NAME}}.version={version}\"]\n"
            );
            std::fs::write(self.place().join("compose.yml"), compose).unwrap();
            self.git(&["add", "."]);
            self.git(&["commit", "-qm", version]);
        }

        async fn base(&self, asked: Option<&str>) -> Found {
            let opened = open(self.place().to_str().unwrap()).await.unwrap();
            find(&opened, asked, &[]).await.unwrap()
        }
    }

    fn named(found: &Found) -> Option<&str> {
        found.resolution.base.as_ref().map(|base: &Base| base.name.as_str())
    }

    fn images(found: &Found) -> Vec<String> {
        found.files.iter().flat_map(|files| Selected::read(files, &BTreeMap::new()).images()).collect()
    }

    #[tokio::test]
    async fn the_newest_older_tag_is_read_as_data() {
        let repository = Repository::new();
        for version in ["0.9.0+1", "1.0.0+2"] {
            repository.commit(version, &format!("web:{version}"));
            repository.git(&["tag", "-am", version, version]);
        }
        repository.commit("1.1.0+3", "web:3");
        let found = repository.base(None).await;
        assert_eq!((named(&found), images(&found)), (Some("1.0.0+2"), vec!["web:1.0.0+2".to_owned()]));
        // Not committed, and with the version that is published: it steps back.
        let compose = std::fs::read_to_string(repository.place().join("compose.yml")).unwrap();
        std::fs::write(repository.place().join("compose.yml"), compose.replace("1.1.0+3", "1.0.0+2")).unwrap();
        assert_eq!(named(&repository.base(None).await), Some("0.9.0+1"));
    }

    #[tokio::test]
    async fn what_is_asked_for_is_the_base_whatever_its_version() {
        let repository = Repository::new();
        repository.commit("1.0.0+1", "web:1");
        repository.git(&["branch", "old"]);
        repository.commit("1.1.0+2", "web:2");
        let found = repository.base(Some("old")).await;
        assert_eq!((named(&found), images(&found)), (Some("old"), vec!["web:1".to_owned()]));
        let base = found.resolution.base.unwrap();
        assert_eq!(base.version.map(|version| version.to_string()).as_deref(), Some("1.0.0+1"));
        let opened = open(repository.place().to_str().unwrap()).await.unwrap();
        assert!(find(&opened, Some("gone"), &[]).await.is_err());
    }

    #[tokio::test]
    async fn without_history_or_with_a_base_that_is_too_large_there_is_none() {
        let repository = Repository::new();
        let big = repository.place().join("big");
        std::fs::write(&big, vec![b'x'; crate::domain::recipe::files::MAX_BYTES + 1]).unwrap();
        repository.commit("1.0.0+1", "web:1");
        repository.git(&["tag", "1.0.0+1"]);
        std::fs::remove_file(&big).unwrap();
        repository.commit("1.1.0+2", "web:2");
        let found = repository.base(None).await;
        assert_eq!(
            found.resolution.why.to_string(),
            "1.0.0+1 cannot be read: the recipe's files are larger than 8 MiB together"
        );
        assert_eq!((named(&found), found.files.is_some()), (None, false));
        std::fs::remove_dir_all(Path::new(&repository.place()).join(".git")).unwrap();
        assert_eq!(repository.base(None).await.resolution.why, Why::NoRepository);
    }
}
