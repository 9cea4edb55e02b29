//! `cc-ci serve` as a process, and its forge.

use std::net::TcpListener;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use reqwest::Client;

use crate::fake::{FakeForge, Member, Right};

const READY: Duration = Duration::from_secs(60);

/// A gate that serves; it ends with this value.
pub(crate) struct Gate {
    pub(crate) url: String,
    pub(crate) client: Client,
    /// From the start of its process until it was ready.
    pub(crate) ready: Duration,
    process: Child,
    _forge: FakeForge,
    _token: tempfile::NamedTempFile,
}

impl Gate {
    /// Starts it on this state folder, and waits until it is ready.
    pub(crate) async fn start(state: &Path) -> Result<Self> {
        let forge = FakeForge::start().await;
        let token = forge.act(|world| {
            world.member("recipes", "maintainer", Member { right: Right::Write, public: false });
            world.member("recipes", "bot", Member { right: Right::Read, public: false });
            world.repo("recipes/notes");
            world.token("bot", &["read:organization", "write:issue", "read:repository"])
        });
        let file = tempfile::NamedTempFile::new()?;
        std::fs::write(file.path(), token)?;
        // The port is free again, and nobody else takes one of these in this moment.
        let address = TcpListener::bind("127.0.0.1:0")?.local_addr()?.to_string();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
        command.args(["serve", "--listen", &address, "--forge-url", &forge.url(), "--poll", "1"]);
        command.args(["--forge-account", "bot", "--organisation", "recipes", "--runner-image", "none"]);
        command.args(["--target", "unix:///nonexistent/docker.sock"]);
        command.arg("--forge-token-file").arg(file.path()).arg("--state").arg(state);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::null());
        let client = Client::builder().no_proxy().build()?;
        let (begun, url) = (Instant::now(), format!("http://{address}"));
        let mut gate =
            Self { process: command.spawn()?, ready: Duration::ZERO, url, client, _forge: forge, _token: file };
        gate.wait(begun).await?;
        Ok(gate)
    }

    async fn wait(&mut self, begun: Instant) -> Result<()> {
        while begun.elapsed() < READY {
            let answer = self.client.get(format!("{}/readyz", self.url)).send().await;
            if answer.is_ok_and(|answer| answer.status() == 200) {
                self.ready = begun.elapsed();
                return Ok(());
            }
            if let Some(status) = self.process.try_wait()? {
                bail!("the gate has ended: {status}");
            }
            tokio::time::sleep(Duration::from_millis(2)).await;
        }
        bail!("the gate is not ready after {} s", READY.as_secs())
    }

    /// How long a page takes, and how many bytes it has.
    pub(crate) async fn page(&self, path: &str) -> Result<(Duration, usize)> {
        let begun = Instant::now();
        let answer = self.client.get(format!("{}{path}", self.url)).send().await?;
        let status = answer.status();
        let length = answer.bytes().await?.len();
        if status != 200 {
            bail!("{path}: {status}");
        }
        Ok((begun.elapsed(), length))
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        // It is stopped as by a power cut: what it leaves must do for the next start.
        let _ended = self.process.kill().and_then(|()| self.process.wait());
    }
}
