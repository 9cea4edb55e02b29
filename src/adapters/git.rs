//! A recipe's files and revision: from a directory as it is, or from a git URL at a reference. Read as data; no hook,
//! filter or submodule of the repository is ever run.

use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use sha2::{Digest as _, Sha256};
use tokio::io::AsyncWriteExt as _;
use tokio::process::Command;

use crate::domain::ids::{CommitSha, RecipeName};
use crate::domain::recipe::files::{FileError, RecipeFiles};
use crate::domain::results::Revision;

/// A clone that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(120);

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

/// Reads a recipe from a directory or a git URL with an optional `@REF`.
///
/// # Errors
/// [`SourceError`], in the words of the one who gave the source.
pub async fn read(source: &str) -> Result<Source, SourceError> {
    if Path::new(source).is_dir() {
        return from_directory(Path::new(source), source).await;
    }
    let (url, reference) = split_reference(source);
    if !looks_like_url(url) {
        return Err(SourceError::Neither(source.to_owned()));
    }
    let folder =
        tempfile::tempdir().map_err(|error| SourceError::File { path: std::env::temp_dir(), source: error })?;
    let name = RecipeName::parse(
        url.trim_end_matches('/').rsplit(['/', ':']).next().unwrap_or_default().trim_end_matches(".git"),
    )?;
    let clone = folder.path().join(name.as_str());
    let place = clone.to_string_lossy();
    git(folder.path(), "clone", &["clone", "--quiet", "--no-checkout", "--", url, &place]).await?;
    let commit = git(
        &clone,
        "find the reference",
        &[
            "rev-parse",
            "--verify",
            "--quiet",
            "--end-of-options",
            &format!("{}^{{commit}}", reference.unwrap_or("HEAD")),
        ],
    )
    .await;
    let commit = match (commit, reference) {
        (Ok(commit), _) => commit,
        (Err(_), Some(reference)) => {
            let remote = format!("refs/remotes/origin/{reference}^{{commit}}");
            git(&clone, "find the reference", &["rev-parse", "--verify", "--end-of-options", &remote]).await?
        }
        (Err(error), None) => return Err(error),
    };
    git(&clone, "check the commit out", &["checkout", "--quiet", "--detach", commit.trim()]).await?;
    let mut found = from_directory(&clone, source).await?;
    found.revision.source = without_credentials(url);
    Ok(found)
}

/// Reads a recipe at exactly this commit of a repository, wherever on the forge it is reachable from: a fork's head is.
///
/// # Errors
/// [`SourceError`].
pub async fn read_commit(url: &str, name: &RecipeName, commit: &CommitSha) -> Result<Source, SourceError> {
    let folder =
        tempfile::tempdir().map_err(|error| SourceError::File { path: std::env::temp_dir(), source: error })?;
    let clone = folder.path().join(name.as_str());
    let place = clone.to_string_lossy();
    git(folder.path(), "make a repository", &["init", "--quiet", "--", &place]).await?;
    git(
        &clone,
        "fetch the commit",
        &["fetch", "--quiet", "--depth", "1", "--no-tags", "--end-of-options", url, commit.as_str()],
    )
    .await?;
    git(&clone, "check the commit out", &["checkout", "--quiet", "--detach", commit.as_str()]).await?;
    let mut found = from_directory(&clone, url).await?;
    found.revision.source = without_credentials(url);
    Ok(found)
}

async fn from_directory(folder: &Path, given: &str) -> Result<Source, SourceError> {
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
    Ok(Source { name, revision, chaos_version, files })
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
    Ok(!hashes.lines().eq(committed.iter().map(|(_, id)| *id)))
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

async fn git(folder: &Path, what: &'static str, arguments: &[&str]) -> Result<String, SourceError> {
    git_with(folder, what, arguments, None).await
}

async fn git_with(
    folder: &Path,
    what: &'static str,
    arguments: &[&str],
    input: Option<String>,
) -> Result<String, SourceError> {
    let failed = |message: String| SourceError::Git { what, message };
    let settings =
        ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.symlinks=false", "advice.detachedHead=false"];
    let mut child = Command::new("git")
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", "https:http:ssh:file:git")
        .env("LC_ALL", "C")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}; hint: install git")))?;
    let feed = child.stdin.take().zip(input);
    let fed = async {
        if let Some((mut stdin, input)) = feed {
            // A git that does not read to the end says itself why.
            let _written = stdin.write_all(input.as_bytes()).await;
        }
    };
    let ended = tokio::time::timeout(PATIENCE, async { tokio::join!(fed, child.wait_with_output()).1 });
    let output = ended
        .await
        .map_err(|_| failed(format!("gave no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if output.status.success() {
        Ok(String::from_utf8_lossy(&output.stdout).into_owned())
    } else {
        let message: String = String::from_utf8_lossy(&output.stderr).trim().chars().take(600).collect();
        Err(failed(without_credentials(&message)))
    }
}

/// Splits `URL@REF`. The `@` of a login (`git@host:…`, `ssh://git@host/…`) is not one.
fn split_reference(source: &str) -> (&str, Option<&str>) {
    let Some((url, reference)) = source.rsplit_once('@') else { return (source, None) };
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let has_path = after_scheme.contains('/') || (after_scheme.contains(':') && !url.contains("://"));
    if has_path && !reference.is_empty() && !reference.contains(':') { (url, Some(reference)) } else { (source, None) }
}

fn looks_like_url(url: &str) -> bool {
    ["https://", "http://", "ssh://", "file://", "git://"].iter().any(|scheme| url.starts_with(scheme))
        || (url.contains('@') && url.contains(':') && !url.starts_with('-'))
}

/// `https://user:password@host/…` → `https://host/…`
fn without_credentials(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else { return text.to_owned() };
    let (authority, rest) = after.split_at(after.find(['/', ' ', '\n']).unwrap_or(after.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{before}://{host}{}", if rest.contains("://") { without_credentials(rest) } else { rest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_told_from_a_login() {
        for (source, url, reference) in [
            ("https://forge.example/org/notes@main", "https://forge.example/org/notes", Some("main")),
            ("https://forge.example/org/notes@feature/x", "https://forge.example/org/notes", Some("feature/x")),
            ("https://ada@forge.example/org/notes", "https://ada@forge.example/org/notes", None),
            ("git@forge.example:org/notes", "git@forge.example:org/notes", None),
            ("git@forge.example:org/notes@v1", "git@forge.example:org/notes", Some("v1")),
            ("ssh://git@forge.example/notes", "ssh://git@forge.example/notes", None),
        ] {
            assert_eq!(split_reference(source), (url, reference), "{source}");
        }
    }

    #[test]
    fn passwords_do_not_leave() {
        assert_eq!(
            without_credentials("fatal: 'https://u:p@h/x' and https://u:p@h"),
            "fatal: 'https://h/x' and https://h"
        );
    }

    /// A repository `notes` with one commit of an empty `compose.yml` and these files.
    async fn repository(more: &[(&str, &str)]) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let place = folder.path().join("notes");
        std::fs::create_dir(&place).unwrap();
        for (name, text) in [("compose.yml", "services: {}\n")].iter().chain(more) {
            std::fs::write(place.join(name), text).unwrap();
        }
        let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
        let commit = [me.as_slice(), &["commit", "-qm", "first"]].concat();
        for arguments in [["init", "--quiet", "-b", "main"].as_slice(), &["add", "."], &commit] {
            git(&place, "test", arguments).await.unwrap();
        }
        (folder, place)
    }

    #[tokio::test]
    async fn a_repository_is_read_at_a_reference_and_a_directory_as_it_is() {
        let (_folder, place) = repository(&[]).await;
        let run = async |arguments: &[&str]| git(&place, "test", arguments).await.unwrap();
        run(&["branch", "old"]).await;
        std::fs::write(place.join("compose.yml"), "services: {app: {}}\n").unwrap();
        std::fs::write(place.join("new.txt"), "x").unwrap();
        std::os::unix::fs::symlink("/etc/passwd", place.join("link")).unwrap();

        let here = read(place.to_str().unwrap()).await.unwrap();
        assert!(here.revision.dirty && here.chaos_version.ends_with("+U"));
        assert_eq!(here.files.iter().map(|(path, _)| path).collect::<Vec<_>>(), ["compose.yml", "new.txt"]);

        let there = read(&format!("file://{}@old", place.display())).await.unwrap();
        assert!(!there.revision.dirty);
        assert_eq!(there.files.text("compose.yml").unwrap(), "services: {}\n");
        assert_eq!((there.name.as_str(), there.chaos_version.len()), ("notes", 8));
    }

    #[tokio::test]
    async fn a_repository_cannot_have_its_filters_run() {
        let (folder, place) = repository(&[(".gitattributes", "* filter=evil\n")]).await;
        let run = async |arguments: &[&str]| git(&place, "test", arguments).await.unwrap();
        let canary = folder.path().join("canary");
        run(&["config", "filter.evil.clean", &format!("touch {}; cat", canary.display())]).await;
        // A new time makes git look at the content again.
        std::fs::write(place.join("compose.yml"), "services: {}\n").unwrap();
        assert!(!read(place.to_str().unwrap()).await.unwrap().revision.dirty);
        std::fs::write(place.join("compose.yml"), "services: {app: {}}\n").unwrap();
        assert!(read(place.to_str().unwrap()).await.unwrap().revision.dirty);
        assert!(!canary.exists(), "a filter of the repository was run");
    }

    #[tokio::test]
    async fn errors_say_what_to_give() {
        let error = read("notes-typo").await.unwrap_err().to_string();
        assert!(error.contains("neither a directory nor a git URL") && error.contains("hint:"), "{error}");
    }
}
