//! The operator's own `ssh` to a host: with their keys, agent, known hosts and configuration. The gate's key is of no use for that.

use std::process::Stdio;

use tokio::io::{AsyncBufReadExt as _, AsyncReadExt as _, AsyncWriteExt as _, BufReader};
use tokio::process::Command;

use crate::domain::setup::SshHost;

/// So much of what a host says is read.
const LARGEST_OUTPUT: u64 = 1 << 20;
/// Status of `ssh` when it could not do what it was asked for itself.
const SSH_FAILED: i32 = 255;

/// Why nothing was run there.
#[derive(Debug, thiserror::Error)]
pub enum OperatorError {
    /// There is no `ssh`, or its pipes broke.
    #[error(
        "cannot run ssh: {0}\nhint: the OpenSSH client is needed on this machine; or run the script by hand: `cc-ci target setup`"
    )]
    Local(#[from] std::io::Error),
    /// It could not get there.
    #[error(
        "ssh could not log in; its own words are above\nhint: `ssh HOST true` must work with the same options; `--ssh-option` gives more of them"
    )]
    NoLogin,
}

/// Runs a script there: it goes to the standard input of `sh`, so nothing of it is quoted twice. `words` are the command's own
/// arguments, constants without any character that a shell reads. Each line that comes back is given to `say`, without control
/// characters; what goes to standard error there goes to standard error here.
///
/// Returns the exit code of the script.
///
/// # Errors
/// When `ssh` cannot be run or cannot log in.
pub async fn run(
    host: &SshHost,
    options: &[String],
    words: &[&'static str],
    script: &str,
    mut say: impl FnMut(&str),
) -> Result<i32, OperatorError> {
    let mut command = Command::new("ssh");
    command.args(options).arg("-T").args(host.arguments()).args(words);
    command.stdin(Stdio::piped()).stdout(Stdio::piped()).kill_on_drop(true);
    let mut child = command.spawn()?;
    let (stdin, stdout) = (child.stdin.take(), child.stdout.take());
    let feeding = async {
        if let Some(mut stdin) = stdin {
            // A host that does not read it to its end has ended: that shows below.
            let _fed = stdin.write_all(script.as_bytes()).await;
        }
    };
    let reading = async {
        if let Some(stdout) = stdout {
            let mut lines = BufReader::new(stdout.take(LARGEST_OUTPUT)).split(b'\n');
            while let Some(line) = lines.next_segment().await? {
                let line: String = String::from_utf8_lossy(&line).chars().filter(|c| !c.is_control()).collect();
                say(&line);
            }
        }
        Ok::<_, std::io::Error>(())
    };
    let ((), read) = tokio::join!(feeding, reading);
    read?;
    let status = child.wait().await?;
    match status.code() {
        Some(SSH_FAILED) | None => Err(OperatorError::NoLogin),
        Some(code) => Ok(code),
    }
}
