//! `cc-ci serve` as a child of these commands: it watches an organisation on the lab's forge, with a state folder of its own.

use std::fs::{self, File};
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow, bail};
use nix::sys::signal::Signal;
use serde_json::Value;

use crate::children::{Running, start};
use crate::forge::Organisation;
use crate::lab::{Places, Target};
use crate::process::{run, tail};

/// A gate that is not ready by then will not be.
const READY: Duration = Duration::from_secs(60);
/// A gate ends at once; what it drives is left to the next one.
const ENDS: Duration = Duration::from_secs(15);
const ANSWERS: Duration = Duration::from_secs(10);

/// What a gate needs, and what stays when it ends: state folder, token, log.
pub(crate) struct Gate {
    binary: PathBuf,
    places: Places,
    folder: tempfile::TempDir,
    target: String,
    address: SocketAddr,
    url: String,
    account: String,
    organisation: String,
}

/// A gate that runs; it ends with this value.
pub(crate) struct Serving {
    /// Its process.
    pub(crate) pid: u32,
    address: SocketAddr,
    log: PathBuf,
    started: Instant,
    running: Option<Running>,
}

impl Gate {
    /// A gate with an empty state folder.
    pub(crate) fn new(binary: &Path, places: &Places, target: &Target, forge: &Organisation) -> Result<Self> {
        let folder = tempfile::tempdir()?;
        fs::write(folder.path().join("token"), &forge.token)?;
        // The port is free again, and nobody else takes one of these in this moment.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?;
        Ok(Self {
            binary: binary.to_owned(),
            places: places.clone(),
            target: target.section().to_owned(),
            url: forge.url.clone(),
            account: forge.login("bot"),
            organisation: forge.name.clone(),
            address,
            folder,
        })
    }

    /// Its state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.folder.path().join("state")
    }

    /// Starts it.
    pub(crate) fn serve(&self, more: &[String]) -> Result<Serving> {
        let log = self.folder.path().join("log");
        let file = File::options().create(true).append(true).open(&log)?;
        let mut command = self.cc_ci("serve");
        command.args(["--listen", &self.address.to_string(), "--forge-url", &self.url, "--poll", "1"]);
        command.args(["--forge-account", &self.account, "--organisation", &self.organisation]);
        command.arg("--forge-token-file").arg(self.folder.path().join("token")).args(more);
        command.arg("--runner-image").arg(self.places.cc_ci.join("runner.tar"));
        let started = Instant::now();
        let running = start(command.stdout(Stdio::null()).stderr(file))?;
        Ok(Serving { pid: running.id(), address: self.address, running: Some(running), started, log })
    }

    /// Removes what runs left on the target whose gate has ended.
    pub(crate) fn sweep(&self) -> Result<()> {
        run(&mut self.cc_ci("sweep"))
    }

    fn cc_ci(&self, command: &str) -> Command {
        let mut program = Command::new(&self.binary);
        program.arg(command).args(["--target", &self.target]).arg("--targets").arg(self.places.targets_file());
        program.arg("--state").arg(self.state());
        program
    }
}

impl Serving {
    /// Waits until `/readyz` is fine. Returns the time since the process was started.
    pub(crate) fn ready(&mut self) -> Result<Duration> {
        while self.started.elapsed() < READY {
            if matches!(self.get("/readyz"), Ok((200, _))) {
                return Ok(self.started.elapsed());
            }
            if self.running.as_mut().is_none_or(Running::has_ended) {
                break;
            }
            std::thread::sleep(Duration::from_millis(2));
        }
        bail!("the gate is not ready:\n{}", tail(&self.log, 20))
    }

    /// What runs and waits, and what came of the last runs.
    pub(crate) fn status(&self) -> Result<Value> {
        self.json("/status.json")
    }

    /// A page that is JSON.
    pub(crate) fn json(&self, path: &str) -> Result<Value> {
        Ok(serde_json::from_str(&self.text(path)?)?)
    }

    /// A page.
    pub(crate) fn text(&self, path: &str) -> Result<String> {
        let (status, body) = self.get(path)?;
        if status != 200 {
            bail!("{path}: {status} {body}");
        }
        Ok(body)
    }

    /// A connection on which a page was asked for.
    pub(crate) fn ask(&self, path: &str) -> Result<TcpStream> {
        let mut stream = TcpStream::connect(self.address)?;
        stream.set_read_timeout(Some(ANSWERS))?;
        write!(stream, "GET {path} HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n", self.address)?;
        Ok(stream)
    }

    /// Status and body of a page.
    fn get(&self, path: &str) -> Result<(u16, String)> {
        let mut answer = Vec::new();
        self.ask(path)?.read_to_end(&mut answer)?;
        parse(&String::from_utf8_lossy(&answer)).with_context(|| format!("what was answered to {path} is no HTTP"))
    }

    /// Ends it.
    pub(crate) fn stop(mut self) -> Result<()> {
        self.end()
    }

    fn end(&mut self) -> Result<()> {
        let Some(running) = self.running.take() else { return Ok(()) };
        running.signal(Signal::SIGTERM);
        running.wait_at_most(ENDS)?.map(drop).ok_or_else(|| anyhow!("the gate does not end"))
    }
}

impl Drop for Serving {
    fn drop(&mut self) {
        if let Err(error) = self.end() {
            eprintln!("{error}");
        }
    }
}

/// Status and body of an answer; a body in pieces is put together.
fn parse(answer: &str) -> Option<(u16, String)> {
    let (head, body) = answer.split_once("\r\n\r\n")?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    let chunked = head.to_ascii_lowercase().contains("transfer-encoding: chunked");
    Some((status, if chunked { joined(body) } else { body.to_owned() }))
}

fn joined(mut body: &str) -> String {
    let mut whole = String::new();
    while let Some((length, rest)) = body.split_once("\r\n") {
        let length = usize::from_str_radix(length.trim(), 16).unwrap_or(0);
        let Some(piece) = rest.get(..length).filter(|piece| !piece.is_empty()) else { break };
        whole.push_str(piece);
        body = rest[length..].trim_start_matches("\r\n");
    }
    whole
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_read_whole_or_in_pieces() {
        let whole = "HTTP/1.1 503 Service Unavailable\r\nContent-Length: 4\r\n\r\nwait";
        assert_eq!(parse(whole), Some((503, "wait".to_owned())));
        let pieces =
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n3\r\n{\"a\r\n4\r\n\": 1\r\n1\r\n}\r\n0\r\n\r\n";
        assert_eq!(parse(pieces), Some((200, "{\"a\": 1}".to_owned())));
        assert_eq!(parse("nothing"), None);
    }
}
