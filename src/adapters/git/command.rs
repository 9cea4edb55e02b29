//! git as a program: no question to a person, no hook, no monitor, and nothing from the network but where that is meant.

use std::path::Path;
use std::process::Stdio;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt as _, AsyncWriteExt as _};
use tokio::process::{Child, Command};

use super::SourceError;
use super::url::without_credentials;

/// A git that takes longer is given up.
const PATIENCE: Duration = Duration::from_secs(120);
/// A git that says more than so many bytes is given up: the largest recipe, and what git adds to it.
const MOST: u64 = 32 << 20;

/// What git may reach.
#[derive(Debug, Clone, Copy)]
enum Reach {
    /// This machine's disk. A repository whose objects are elsewhere (a partial clone) cannot make git fetch them, which
    /// would run the programs that its configuration names.
    Disk,
    /// The other side of a clone or fetch.
    Remote,
}

impl Reach {
    const fn protocols(self) -> &'static str {
        match self {
            Self::Disk => "",
            Self::Remote => "https:http:ssh:file:git",
        }
    }
}

/// What git says, as text, from what is on the disk.
pub(super) async fn git(folder: &Path, what: &'static str, arguments: &[&str]) -> Result<String, SourceError> {
    git_with(folder, what, arguments, None).await.map(text)
}

/// The same for a command that speaks with another machine.
pub(super) async fn remotely(folder: &Path, what: &'static str, arguments: &[&str]) -> Result<String, SourceError> {
    run(folder, what, arguments, None, Reach::Remote).await.map(text)
}

/// What git says, as bytes, from what is on the disk; `input` goes to its standard input.
pub(super) async fn git_with(
    folder: &Path,
    what: &'static str,
    arguments: &[&str],
    input: Option<String>,
) -> Result<Vec<u8>, SourceError> {
    run(folder, what, arguments, input, Reach::Disk).await
}

pub(super) fn text(bytes: Vec<u8>) -> String {
    String::from_utf8(bytes).unwrap_or_else(|error| String::from_utf8_lossy(error.as_bytes()).into_owned())
}

async fn run(
    folder: &Path,
    what: &'static str,
    arguments: &[&str],
    input: Option<String>,
    reach: Reach,
) -> Result<Vec<u8>, SourceError> {
    let failed = |message: String| SourceError::Git { what, message };
    let settings =
        ["core.hooksPath=/dev/null", "core.fsmonitor=false", "core.symlinks=false", "advice.detachedHead=false"];
    let child = Command::new("git")
        .args(settings.iter().flat_map(|setting| ["-c", setting]))
        .args(arguments)
        .current_dir(folder)
        .env("GIT_TERMINAL_PROMPT", "0")
        .env("GIT_ALLOW_PROTOCOL", reach.protocols())
        .env("GIT_NO_REPLACE_OBJECTS", "1")
        .env("LC_ALL", "C")
        .stdin(if input.is_some() { Stdio::piped() } else { Stdio::null() })
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| failed(format!("cannot be started: {error}; hint: install git")))?;
    let (ended, said, complained) = tokio::time::timeout(PATIENCE, listen(child, input))
        .await
        .map_err(|_| failed(format!("gave no answer within {} s", PATIENCE.as_secs())))?
        .map_err(|error| failed(error.to_string()))?;
    if said.len() as u64 > MOST {
        return Err(failed(format!("says more than {} MiB", MOST >> 20)));
    }
    if ended.success() {
        return Ok(said);
    }
    let message: String = String::from_utf8_lossy(&complained).trim().chars().take(600).collect();
    Err(failed(without_credentials(&message)))
}

/// Feeds git and hears it to the end, or to what is too much: it is killed then.
async fn listen(
    mut child: Child,
    input: Option<String>,
) -> std::io::Result<(std::process::ExitStatus, Vec<u8>, Vec<u8>)> {
    let feed = child.stdin.take().zip(input);
    let fed = async {
        if let Some((mut stdin, input)) = feed {
            // A git that does not read to the end says itself why.
            let _written = stdin.write_all(input.as_bytes()).await;
        }
    };
    let (out, err) = (child.stdout.take(), child.stderr.take());
    let ((), said, complained) = tokio::join!(fed, hear(out), hear(err));
    let (said, complained) = (said?, complained?);
    if said.len() as u64 > MOST || complained.len() as u64 > MOST {
        child.start_kill()?;
    }
    Ok((child.wait().await?, said, complained))
}

async fn hear(from: Option<impl AsyncRead + Unpin>) -> std::io::Result<Vec<u8>> {
    let mut heard = Vec::new();
    if let Some(from) = from {
        from.take(MOST + 1).read_to_end(&mut heard).await?;
    }
    Ok(heard)
}
