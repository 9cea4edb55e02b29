//! A recipe's files and revision: from a directory as it is, or from a git URL at a reference. Read as data; no hook,
//! filter or submodule of the repository is ever run.

mod command;
mod history;
mod publish;
mod url;

use std::path::{Path, PathBuf};

use sha2::{Digest as _, Sha256};

pub use self::publish::publish;

use self::command::{git, git_with, remotely, text};
use self::history::Repository;
use self::url::{looks_like_url, split_reference};
use crate::domain::ids::{CommitSha, RecipeName};
use crate::domain::recipe::files::{FileError, RecipeFiles};
use crate::domain::results::Revision;

/// Why a recipe cannot be read.
#[derive(Debug, thiserror::Error)]
pub enum SourceError {
    /// It is neither a directory nor a URL.
    #[error(
        "`{0}` is neither a directory nor a git URL\nhint: `cc-ci run path/to/recipe`, or `cc-ci run https://forge.example/org/recipe@main`"
    )]
    Neither(String),
    /// Its name is no recipe name.
    #[error("{0}\nhint: the recipe is named after its folder or the last part of its URL")]
    Name(#[from] crate::domain::ids::InvalidName),
    /// The repository does not have it.
    #[error("the repository has no tag, branch or commit `{0}`\nhint: `git tag` and `git branch -a` list them")]
    NoReference(String),
    /// A base was asked for where there is no history.
    #[error("`{0}` is no git repository: it has no older versions\nhint: leave `--base` out, or give a git URL")]
    NoRepository(String),
    /// git failed.
    #[error("git {what}: {message}")]
    Git {
        /// What git was asked to do.
        what: &'static str,
        /// What it said.
        message: String,
    },
    /// A file could not be read.
    #[error("{path}: {source}")]
    File {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The files are not those of a recipe.
    #[error(transparent)]
    Files(#[from] FileError),
}

/// A recipe as it was found.
#[derive(Debug, Clone)]
pub struct Source {
    /// Its name.
    pub name: RecipeName,
    /// Its revision; the version label is not read here.
    pub revision: Revision,
    /// What a deploy is marked with: the commit's first eight digits, `+U` when there are uncommitted changes.
    pub chaos_version: String,
    /// Its files.
    pub files: RecipeFiles,
}

/// A recipe and the repository that it is from, where its tags and older commits can be read.
#[derive(Debug)]
pub struct Opened {
    /// The recipe.
    pub source: Source,
    repository: Option<Repository>,
}

/// Reads a recipe from a directory or a git URL with an optional `@REF`.
///
/// # Errors
/// [`SourceError`], in the words of the one who gave the source.
pub async fn read(source: &str) -> Result<Source, SourceError> {
    open(source).await.map(|opened| opened.source)
}

/// The same, with the repository.
///
/// # Errors
/// [`SourceError`].
pub async fn open(source: &str) -> Result<Opened, SourceError> {
    if Path::new(source).is_dir() {
        let (folder, found) = from_directory(Path::new(source), source).await?;
        let repository = found.revision.commit.is_some().then(|| Repository::on_disk(folder));
        return Ok(Opened { source: found, repository });
    }
    let (url, reference) = split_reference(source);
    if !looks_like_url(url) {
        return Err(SourceError::Neither(source.to_owned()));
    }
    let folder = temporary()?;
    let name = RecipeName::parse(
        url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default().trim_end_matches(".git"),
    )?;
    let clone = folder.path().join(name.as_str());
    let place = clone.to_string_lossy();
    remotely(folder.path(), "clone", &["clone", "--quiet", "--no-checkout", "--", url, &place]).await?;
    let repository = Repository::cloned(clone, folder);
    let commit = repository.commit(reference.unwrap_or("HEAD")).await?;
    let found = repository.checked_out(&commit, url).await?;
    Ok(Opened { source: found, repository: Some(repository) })
}

/// Reads a recipe at exactly this commit of a repository, wherever on the forge it is reachable from: a fork's head is.
///
/// # Errors
/// [`SourceError`].
pub async fn open_commit(url: &str, name: &RecipeName, commit: &CommitSha) -> Result<Opened, SourceError> {
    let folder = temporary()?;
    let clone = folder.path().join(name.as_str());
    let place = clone.to_string_lossy();
    git(folder.path(), "make a repository", &["init", "--quiet", "--", &place]).await?;
    let repository = Repository::part_of(url, clone, folder);
    repository.fetch(commit).await?;
    let found = repository.checked_out(commit, url).await?;
    Ok(Opened { source: found, repository: Some(repository) })
}

/// The files of a folder that is no recipe's, as they are.
///
/// # Errors
/// [`SourceError`].
pub fn folder(folder: &Path) -> Result<RecipeFiles, SourceError> {
    let paths = walk(folder).map_err(|source| SourceError::File { path: folder.into(), source })?;
    read_files(folder, &paths)
}

/// The files at a commit of a repository that lie below a folder, by their paths in the repository.
///
/// # Errors
/// [`SourceError`].
pub async fn folder_at(url: &str, commit: &CommitSha, below: &str) -> Result<RecipeFiles, SourceError> {
    let temporary = temporary()?;
    let clone = temporary.path().join("tests");
    git(temporary.path(), "make a repository", &["init", "--quiet", "--", &clone.to_string_lossy()]).await?;
    let repository = Repository::part_of(url, clone, temporary);
    repository.fetch(commit).await?;
    repository.files(commit, Some(below)).await
}

fn temporary() -> Result<tempfile::TempDir, SourceError> {
    tempfile::tempdir().map_err(|error| SourceError::File { path: std::env::temp_dir(), source: error })
}

/// The folder as the system names it, and the recipe in it.
async fn from_directory(folder: &Path, given: &str) -> Result<(PathBuf, Source), SourceError> {
    let unreadable = |source| SourceError::File { path: folder.into(), source };
    let folder = folder.canonicalize().map_err(unreadable)?;
    let name = RecipeName::parse(&folder.file_name().unwrap_or_default().to_string_lossy())?;
    let repository = is_repository(&folder).await;
    let paths = if repository {
        let listed =
            git(&folder, "list the files", &["ls-files", "-z", "--cached", "--others", "--exclude-standard"]).await?;
        listed.split('\0').filter(|path| !path.is_empty()).map(str::to_owned).collect()
    } else {
        walk(&folder).map_err(unreadable)?
    };
    let files = read_files(&folder, &paths)?;
    let mut revision = Revision { commit: None, version: None, dirty: true, source: given.to_owned() };
    if repository {
        revision.commit = CommitSha::parse(git(&folder, "name the commit", &["rev-parse", "HEAD"]).await?.trim()).ok();
        revision.dirty = has_changes(&folder, &paths).await?;
    }
    let short = revision.commit.as_ref().map_or_else(|| digest(&files), |commit| commit.short().to_owned());
    let chaos_version = if revision.dirty { format!("{short}+U") } else { short };
    Ok((folder, Source { name, revision, chaos_version, files }))
}

/// Whether the files are others than those of the commit. Not by `git status`: that runs the filters which the repository's
/// own configuration names, and those are programs.
async fn has_changes(folder: &Path, paths: &[String]) -> Result<bool, SourceError> {
    let committed = git(folder, "list the commit's files", &["ls-tree", "-r", "-z", "--full-tree", "HEAD"]).await?;
    // `100644 blob <id>\t<path>`; links and submodules are no files of a recipe.
    let mut committed: Vec<(&str, &str)> = committed
        .split('\0')
        .filter_map(|line| line.split_once('\t'))
        .filter(|(entry, _)| entry.starts_with("100"))
        .filter_map(|(entry, path)| Some((path, entry.split(' ').nth(2)?)))
        .collect();
    committed.sort_unstable();
    let is_file = |path: &&String| folder.join(path).symlink_metadata().is_ok_and(|kind| kind.is_file());
    let mut files: Vec<&str> = paths.iter().filter(is_file).map(String::as_str).collect();
    files.sort_unstable();
    files.dedup();
    if !files.iter().copied().eq(committed.iter().map(|(path, _)| *path))
        || files.iter().any(|path| path.contains('\n'))
    {
        return Ok(true);
    }
    let hashes =
        git_with(folder, "hash the files", &["hash-object", "--no-filters", "--stdin-paths"], Some(files.join("\n")))
            .await?;
    Ok(!text(hashes).lines().eq(committed.iter().map(|(_, id)| *id)))
}

/// Whether the folder is the top of a git repository with a commit; a folder *inside* a repository is a plain one.
async fn is_repository(folder: &Path) -> bool {
    let top = git(folder, "find the repository", &["rev-parse", "--show-toplevel"]).await;
    let is_top =
        top.is_ok_and(|top| Path::new(top.trim_end_matches('\n')).canonicalize().is_ok_and(|top| top == folder));
    is_top && git(folder, "find a commit", &["rev-parse", "--verify", "--quiet", "HEAD"]).await.is_ok()
}

/// All files below the folder but `.git`, relative.
fn walk(folder: &Path) -> std::io::Result<Vec<String>> {
    let (mut found, mut open) = (Vec::new(), vec![PathBuf::new()]);
    while let Some(relative) = open.pop() {
        for entry in std::fs::read_dir(folder.join(&relative))? {
            let entry = entry?;
            let path = relative.join(entry.file_name());
            let kind = entry.file_type()?;
            if kind.is_dir() && entry.file_name() != ".git" {
                open.push(path);
            } else if kind.is_file() {
                found.push(path.to_string_lossy().into_owned());
            }
        }
    }
    found.sort();
    Ok(found)
}

fn read_files(folder: &Path, paths: &[String]) -> Result<RecipeFiles, SourceError> {
    use std::os::unix::fs::PermissionsExt as _;
    let mut files = RecipeFiles::new();
    for path in paths {
        let whole = folder.join(path);
        let unreadable = |source| SourceError::File { path: whole.clone(), source };
        let kind = match whole.symlink_metadata() {
            Ok(kind) => kind,
            // Deleted but still in the index: the directory as it is does not have it.
            Err(error) if error.kind() == std::io::ErrorKind::NotFound => continue,
            Err(error) => return Err(unreadable(error)),
        };
        // A link could lead anywhere on this machine.
        if kind.is_file() {
            let content = std::fs::read(&whole).map_err(unreadable)?;
            files.add(path, content, kind.permissions().mode() & 0o111 != 0)?;
        }
    }
    Ok(files)
}

/// Eight digits that stand for the files where there is no commit.
fn digest(files: &RecipeFiles) -> String {
    let mut hash = Sha256::new();
    for (path, file) in files.iter() {
        hash.update(path.as_bytes());
        hash.update([0]);
        hash.update(&file.bytes);
        hash.update([0]);
    }
    hex::encode(&hash.finalize()[..4])
}

#[cfg(test)]
pub(crate) mod fixture;
#[cfg(test)]
mod tests;
