//! Readings of the host's load, one line each in a file that the gate reads: how much of the time the app had to wait for hardware.

use std::fs::{self, File, OpenOptions};
use std::io::Write as _;
use std::path::Path;
use std::time::Duration;

use anyhow::Context as _;
use jiff::Timestamp;

use crate::domain::host::Reading;
use crate::domain::protocol::HOST;

/// Between two readings.
const EVERY: Duration = Duration::from_secs(5);
/// The gate reads the whole file.
const LARGEST: u64 = 2 << 20;

/// Takes readings until the file is full.
///
/// # Errors
/// When the file cannot be written.
pub(super) async fn watch() -> anyhow::Result<()> {
    let mut file = OpenOptions::new().create(true).append(true).open(HOST).context("cannot write readings")?;
    while file.metadata()?.len() < LARGEST {
        append(&mut file, &read())?;
        tokio::time::sleep(EVERY).await;
    }
    Ok(())
}

/// A kernel without pressure counters has no such files.
fn read() -> Reading {
    let text = |path: &str| fs::read_to_string(Path::new("/proc").join(path)).unwrap_or_default();
    let cpus = std::thread::available_parallelism().map_or(1, |cpus| u32::try_from(cpus.get()).unwrap_or(u32::MAX));
    let [cpu, memory, disk] = ["pressure/cpu", "pressure/memory", "pressure/io"].map(text);
    Reading::of(Timestamp::now(), cpus, &text("loadavg"), &cpu, &memory, &disk)
}

/// In one write, so that a reader sees whole lines but for the last.
fn append(file: &mut File, reading: &Reading) -> anyhow::Result<()> {
    let mut line = serde_json::to_vec(reading)?;
    line.push(b'\n');
    Ok(file.write_all(&line)?)
}
