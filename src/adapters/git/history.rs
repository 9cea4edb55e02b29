//! A repository's tags and its files at any commit, read from git's objects: nothing is checked out.

use std::collections::BTreeMap;
use std::path::PathBuf;

use tempfile::TempDir;

use super::command::{git, git_with, remotely, text};
use super::url::without_credentials;
use super::{Opened, Source, SourceError, from_directory};
use crate::domain::base::Tag;
use crate::domain::ids::CommitSha;
use crate::domain::recipe::files::{FileError, MAX_BYTES, MAX_FILES, RecipeFiles};

/// Of a repository with more tags, the last ones by name are read.
const MAX_TAGS: usize = 5_000;

/// Where the objects are.
#[derive(Debug)]
pub(super) struct Repository {
    folder: PathBuf,
    /// Where what is not here can be fetched from; without it, everything is here.
    elsewhere: Option<String>,
    /// Removed with this.
    _temporary: Option<TempDir>,
}

impl Opened {
    /// The tags; nothing where there is no repository.
    ///
    /// # Errors
    /// [`SourceError`].
    pub async fn tags(&self) -> Result<Option<Vec<Tag>>, SourceError> {
        match &self.repository {
            Some(repository) => repository.tags().await.map(Some),
            None => Ok(None),
        }
    }

    /// The commit that a person means by this name: a tag, a branch, a commit.
    ///
    /// # Errors
    /// [`SourceError`], also when there is no such reference.
    pub async fn commit(&self, reference: &str) -> Result<CommitSha, SourceError> {
        self.repository()?.commit(reference).await
    }

    /// The recipe's files at a commit.
    ///
    /// # Errors
    /// [`SourceError`], also when they are beyond the budgets.
    pub async fn files_at(&self, commit: &CommitSha) -> Result<RecipeFiles, SourceError> {
        let repository = self.repository()?;
        repository.fetch(commit).await?;
        repository.files(commit, None).await
    }

    fn repository(&self) -> Result<&Repository, SourceError> {
        self.repository.as_ref().ok_or_else(|| SourceError::NoRepository(self.source.revision.source.clone()))
    }
}

impl Repository {
    /// A person's own: nothing is written there.
    pub(super) const fn on_disk(folder: PathBuf) -> Self {
        Self { folder, elsewhere: None, _temporary: None }
    }

    /// A whole clone.
    pub(super) const fn cloned(folder: PathBuf, temporary: TempDir) -> Self {
        Self { folder, elsewhere: None, _temporary: Some(temporary) }
    }

    /// An empty one, into which single commits are fetched.
    pub(super) fn part_of(url: &str, folder: PathBuf, temporary: TempDir) -> Self {
        Self { folder, elsewhere: Some(url.to_owned()), _temporary: Some(temporary) }
    }

    /// Has a commit here.
    pub(super) async fn fetch(&self, commit: &CommitSha) -> Result<(), SourceError> {
        let Some(url) = &self.elsewhere else { return Ok(()) };
        let fetch = ["fetch", "--quiet", "--depth", "1", "--no-tags", "--end-of-options", url, commit.as_str()];
        remotely(&self.folder, "fetch the commit", &fetch).await.map(drop)
    }

    /// The recipe at a commit that is here.
    pub(super) async fn checked_out(&self, commit: &CommitSha, url: &str) -> Result<Source, SourceError> {
        git(&self.folder, "check the commit out", &["checkout", "--quiet", "--detach", commit.as_str()]).await?;
        let (_, mut found) = from_directory(&self.folder, url).await?;
        found.revision.source = without_credentials(url);
        Ok(found)
    }

    pub(super) async fn commit(&self, reference: &str) -> Result<CommitSha, SourceError> {
        let unknown = || SourceError::NoReference(reference.chars().take(80).collect());
        if self.elsewhere.is_some() {
            let tag = self.tags().await?.into_iter().find(|tag| tag.name == reference);
            return tag.map(|tag| tag.commit).ok_or_else(unknown);
        }
        for name in [format!("{reference}^{{commit}}"), format!("refs/remotes/origin/{reference}^{{commit}}")] {
            let verify = ["rev-parse", "--verify", "--quiet", "--end-of-options", &name];
            if let Ok(found) = git(&self.folder, "find the reference", &verify).await
                && let Ok(commit) = CommitSha::parse(found.trim())
            {
                return Ok(commit);
            }
        }
        Err(unknown())
    }

    async fn tags(&self) -> Result<Vec<Tag>, SourceError> {
        if let Some(url) = &self.elsewhere {
            let list = ["ls-remote", "--quiet", "--tags", "--", url];
            return remotely(&self.folder, "list the tags", &list).await.map(|said| listed(&said));
        }
        let count = format!("--count={MAX_TAGS}");
        let format = "--format=%(objecttype) %(objectname) %(*objecttype) %(*objectname) %(refname:strip=2)";
        let listed =
            git(&self.folder, "list the tags", &["for-each-ref", "--sort=-refname", &count, format, "refs/tags"])
                .await?;
        Ok(listed.lines().filter_map(tag).collect())
    }

    /// The files at a commit that is here, all or those below a folder.
    pub(super) async fn files(&self, commit: &CommitSha, below: Option<&str>) -> Result<RecipeFiles, SourceError> {
        let mut arguments = vec!["ls-tree", "-r", "-z", "--long", "--full-tree", commit.as_str()];
        arguments.extend(below.iter().flat_map(|below| ["--", below]));
        let listed = git_with(&self.folder, "list the commit's files", &arguments, None).await.map(text)?;
        let entries: Vec<Entry<'_>> = listed.split('\0').filter_map(entry).collect();
        within_budget(&entries)?;
        let ids: String = entries.iter().flat_map(|entry| [entry.id, "\n"]).collect();
        let said = git_with(&self.folder, "read the commit's files", &["cat-file", "--batch"], Some(ids)).await?;
        let unread = || SourceError::Git {
            what: "read the commit's files",
            message: "an object of the commit is not there".to_owned(),
        };
        let mut files = RecipeFiles::new();
        let mut rest = said.as_slice();
        for entry in entries {
            let (content, behind) = object(rest, entry.id).ok_or_else(unread)?;
            files.add(entry.path, content.to_vec(), entry.executable)?;
            rest = behind;
        }
        Ok(files)
    }
}

/// A line of `for-each-ref`: type and id, those of what an annotated tag points to, and the name.
fn tag(line: &str) -> Option<Tag> {
    let mut parts = line.splitn(5, ' ');
    let (kind, id, peeled_kind, peeled, name) =
        (parts.next()?, parts.next()?, parts.next()?, parts.next()?, parts.next()?);
    let (commit, annotated) = match (kind, peeled_kind) {
        ("commit", _) => (id, false),
        ("tag", "commit") => (peeled, true),
        _ => return None,
    };
    Some(Tag { name: name.to_owned(), commit: CommitSha::parse(commit).ok()?, annotated })
}

/// What `ls-remote` says: `<id>\t<ref>`; an annotated tag has a second line, `<commit>\t<ref>^{}`.
fn listed(said: &str) -> Vec<Tag> {
    let mut tags: BTreeMap<&str, Tag> = BTreeMap::new();
    for (id, reference) in said.lines().filter_map(|line| line.split_once('\t')) {
        let (Ok(commit), Some(name)) = (CommitSha::parse(id), reference.strip_prefix("refs/tags/")) else { continue };
        let (name, annotated) = name.strip_suffix("^{}").map_or((name, false), |name| (name, true));
        if annotated || !tags.contains_key(name) {
            tags.insert(name, Tag { name: name.to_owned(), commit, annotated });
        }
    }
    tags.into_values().rev().take(MAX_TAGS).collect()
}

/// A file of a commit.
struct Entry<'a> {
    path: &'a str,
    id: &'a str,
    size: usize,
    executable: bool,
}

/// `100644 blob <id> <size>\t<path>`; links and submodules are no files of a recipe.
fn entry(line: &str) -> Option<Entry<'_>> {
    let (described, path) = line.split_once('\t')?;
    let mut words = described.split_ascii_whitespace();
    let (mode, kind, id, size) = (words.next()?, words.next()?, words.next()?, words.next()?);
    let is_file = kind == "blob" && mode.starts_with("100");
    is_file.then_some(Entry { path, id, size: size.parse().ok()?, executable: mode == "100755" })
}

/// Before anything is read: a commit may hold anything.
fn within_budget(entries: &[Entry<'_>]) -> Result<(), FileError> {
    if entries.len() > MAX_FILES {
        return Err(FileError::TooMany);
    }
    let all = entries.iter().fold(0_usize, |all, entry| all.saturating_add(entry.size));
    if all > MAX_BYTES { Err(FileError::TooLarge) } else { Ok(()) }
}

/// The first object of what `cat-file --batch` says, `<id> blob <size>\n<content>\n`, and what follows.
fn object<'a>(said: &'a [u8], id: &str) -> Option<(&'a [u8], &'a [u8])> {
    let end = said.iter().position(|byte| *byte == b'\n')?;
    let (head, rest) = (std::str::from_utf8(&said[..end]).ok()?, &said[end + 1..]);
    let size: usize = head.strip_prefix(id)?.strip_prefix(" blob ")?.parse().ok()?;
    Some((rest.get(..size)?, rest.get(size + 1..)?))
}
