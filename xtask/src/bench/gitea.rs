//! A Gitea of the lab's image beside the lab's own, to be started and measured.

use std::io::{Read as _, Write as _};
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

use super::figures::median;
use super::memory::Memory;
use crate::process::{docker, output, run, succeeds};

const CONTAINER: &str = "cc-ci-lab-bench-forge";
const READY: Duration = Duration::from_secs(120);
const RESTARTS: usize = 3;
/// It has done what it does after a start.
const SETTLES: Duration = Duration::from_secs(20);

/// What was measured.
pub(super) struct Gitea {
    pub(super) idle: Memory,
    pub(super) first_start: f64,
    pub(super) later_start: f64,
}

/// Starts one, measures it and removes it.
pub(super) fn measure(image: &str) -> Result<Gitea> {
    remove();
    let measured = measure_container(image);
    remove();
    measured
}

fn measure_container(image: &str) -> Result<Gitea> {
    run(&mut docker(["create", "--name", CONTAINER, "--publish", "127.0.0.1::3000", image]))?;
    let first_start = start()?;
    let mut later = Vec::new();
    for _ in 0..RESTARTS {
        run(&mut docker(["stop", CONTAINER]))?;
        later.push(start()?);
    }
    thread::sleep(SETTLES);
    Ok(Gitea { idle: memory()?, first_start, later_start: median(later) })
}

/// From `docker start` until it tells its version, in seconds.
fn start() -> Result<f64> {
    let begun = Instant::now();
    run(&mut docker(["start", CONTAINER]))?;
    let address = output(&mut docker(["port", CONTAINER, "3000/tcp"]))?;
    let address = address.lines().next().context("the container publishes no port")?.to_owned();
    while begun.elapsed() < READY {
        if tells_version(&address).unwrap_or(false) {
            return Ok(begun.elapsed().as_secs_f64());
        }
        thread::sleep(Duration::from_millis(5));
    }
    bail!("it does not answer; hint: docker logs {CONTAINER}")
}

fn tells_version(address: &str) -> Result<bool> {
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(Duration::from_secs(5)))?;
    write!(stream, "GET /api/v1/version HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\n\r\n")?;
    let mut answer = String::new();
    stream.read_to_string(&mut answer)?;
    Ok(answer.starts_with("HTTP/1.1 200 "))
}

/// Of Gitea itself; its database is another process.
fn memory() -> Result<Memory> {
    let script = "for one in /proc/[0-9]*; do if [ \"$(cat $one/comm)\" = gitea ]; then cat $one/status; fi; done";
    let status = output(&mut docker(["exec", CONTAINER, "bash", "-c", script]))?;
    Memory::parse(&status).context("there is no process `gitea` in the container")
}

fn remove() {
    succeeds(&mut docker(["rm", "--force", "--volumes", CONTAINER]));
}
