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
    /// The files of the next candidate, for a base that does not deploy; where there is one and it can be read.
    pub next: Option<RecipeFiles>,
}

impl Found {
    /// No base, or one without another behind it.
    const fn alone(resolution: Resolution, files: Option<RecipeFiles>) -> Self {
        Self { resolution, files, next: None }
    }
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
        let tags = opened.tags().await?.unwrap_or_default();
        return Ok(Found::alone(Resolution::asked(reference, version, commit).among(&tags), Some(files)));
    }
    let Some(tags) = opened.tags().await? else {
        return Ok(Found::alone(Resolution::none(Why::NoRepository), None));
    };
    let head = Selected::read(&opened.source.files, &BTreeMap::new()).version();
    let resolution = resolve(head.as_ref(), canonicals, &tags);
    let Some(base) = &resolution.base else { return Ok(Found::alone(resolution, None)) };
    match opened.files_at(&base.commit).await {
        Ok(files) => {
            let next = match resolution.next() {
                Some(next) => opened.files_at(&next.commit).await.ok(),
                None => None,
            };
            Ok(Found { resolution, files: Some(files), next })
        }
        Err(SourceError::Files(error)) => Ok(Found::alone(resolution.unreadable(&error.to_string()), None)),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::git::fixture::Repository;
    use crate::adapters::git::open;
    use crate::domain::base::Base;

    /// Writes a recipe of this version and image.
    fn write(repository: &Repository, version: &str, image: &str) {
        let compose = format!(
            "services:\n  app:\n    image: {image}\n    deploy:\n      labels: [\"coop-cloud.${{STACK_NAME}}.version={version}\"]\n"
        );
        repository.write("compose.yml", &compose);
    }

    async fn base_of(repository: &Repository, asked: Option<&str>) -> Found {
        let opened = open(repository.place().to_str().unwrap()).await.unwrap();
        find(&opened, asked, &[]).await.unwrap()
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
            write(&repository, version, &format!("web:{version}"));
            repository.commit(version, version);
        }
        write(&repository, "1.1.0+3", "web:3");
        repository.commit("head", "");
        let found = base_of(&repository, None).await;
        assert_eq!((named(&found), images(&found)), (Some("1.0.0+2"), vec!["web:1.0.0+2".to_owned()]));
        assert_eq!(found.resolution.lightweight, [""; 0]);
        // Not committed, and with the version that is published: it steps back.
        write(&repository, "1.0.0+2", "web:4");
        assert_eq!(named(&base_of(&repository, None).await), Some("0.9.0+1"));
    }

    #[tokio::test]
    async fn what_is_asked_for_is_the_base_whatever_its_version() {
        let repository = Repository::new();
        write(&repository, "1.0.0+1", "web:1");
        repository.commit("old", "");
        repository.git(&["branch", "old"]);
        repository.git(&["tag", "0.1.0+1"]);
        write(&repository, "1.1.0+2", "web:2");
        repository.commit("head", "");
        let found = base_of(&repository, Some("old")).await;
        assert_eq!((named(&found), images(&found)), (Some("old"), vec!["web:1".to_owned()]));
        assert_eq!(found.resolution.lightweight, ["0.1.0+1"]);
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
        write(&repository, "1.0.0+1", "web:1");
        repository.commit("big", "1.0.0+1");
        std::fs::remove_file(&big).unwrap();
        write(&repository, "1.1.0+2", "web:2");
        repository.commit("head", "");
        let found = base_of(&repository, None).await;
        assert_eq!(
            found.resolution.why.to_string(),
            "1.0.0+1 cannot be read: the recipe's files are larger than 8 MiB together"
        );
        assert_eq!((named(&found), found.files.is_some()), (None, false));
        std::fs::remove_dir_all(repository.place().join(".git")).unwrap();
        assert_eq!(base_of(&repository, None).await.resolution.why, Why::NoRepository);
    }
}
