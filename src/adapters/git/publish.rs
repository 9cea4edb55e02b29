//! A folder's files as a published version: a commit with an annotated tag. For recipes that are made up.

use std::path::Path;

use super::SourceError;
use super::command::git;

/// Nobody's name, and no signature, whatever the machine's own configuration says.
const ME: [&str; 8] = [
    "-c",
    "user.name=cc-ci",
    "-c",
    "user.email=cc-ci@localhost",
    "-c",
    "commit.gpgsign=false",
    "-c",
    "tag.gpgsign=false",
];

/// Commits all files of the folder and tags them with this version; the first time, makes the repository.
///
/// # Errors
/// When git fails.
pub async fn publish(folder: &Path, version: &str) -> Result<(), SourceError> {
    let as_me = |words: &[&'static str]| [ME.as_slice(), words].concat();
    if !folder.join(".git").exists() {
        git(folder, "make a repository", &["init", "--quiet"]).await?;
    }
    git(folder, "add the files", &["add", "--all", "."]).await?;
    let commit = as_me(&["commit", "--quiet", "--allow-empty", "--message"]);
    git(folder, "commit", &[commit.as_slice(), &[version]].concat()).await?;
    let tag = as_me(&["tag", "--annotate", "--message"]);
    git(folder, "tag", &[tag.as_slice(), &[version, "--", version]].concat()).await?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use crate::adapters::git;

    #[tokio::test]
    async fn versions_are_found_again() {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("notes");
        std::fs::create_dir(&place).unwrap();
        for version in ["1.0.0+1.0.0", "1.1.0+1.0.0"] {
            std::fs::write(place.join("compose.yml"), version).unwrap();
            super::publish(&place, version).await.unwrap();
        }
        let opened = git::open(place.to_str().unwrap()).await.unwrap();
        let tags = opened.tags().await.unwrap().unwrap();
        assert_eq!(tags.len(), 2, "{tags:?}");
        assert!(!opened.source.revision.dirty);
    }
}
