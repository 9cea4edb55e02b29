//! How much memory a process holds, as the kernel counts it.

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result};

/// Between two looks.
const LOOK: Duration = Duration::from_millis(100);

/// In megabytes.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub(super) struct Memory {
    /// Everything that is resident.
    pub(super) resident: f64,
    /// What is the process's own: not pages of files, like those of the program itself.
    pub(super) anonymous: f64,
}

impl Memory {
    /// Of a process of this machine.
    pub(super) fn of(pid: u32) -> Result<Self> {
        let path = format!("/proc/{pid}/status");
        let status = fs::read_to_string(&path).with_context(|| format!("cannot read {path}"))?;
        Self::parse(&status).with_context(|| format!("{path} does not say how much memory it holds"))
    }

    /// The most that a process holds in this time.
    pub(super) fn most(pid: u32, time: Duration) -> Result<Self> {
        let (begun, mut most) = (Instant::now(), Self::default());
        while begun.elapsed() < time {
            let now = Self::of(pid)?;
            most.resident = most.resident.max(now.resident);
            most.anonymous = most.anonymous.max(now.anonymous);
            thread::sleep(LOOK);
        }
        Ok(most)
    }

    /// Reads what `/proc/PID/status` says.
    pub(super) fn parse(status: &str) -> Option<Self> {
        Some(Self { resident: field(status, "VmRSS:")?, anonymous: field(status, "RssAnon:")? })
    }

    /// Pages of files.
    pub(super) fn of_files(self) -> f64 {
        self.resident - self.anonymous
    }
}

fn field(status: &str, name: &str) -> Option<f64> {
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    let kibibytes: f64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
    Some(kibibytes * 1_024.0 / 1e6)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn kibibytes_become_megabytes() {
        let status = "Name:\tcc-ci\nVmRSS:\t   20000 kB\nRssAnon:\t   10000 kB\nRssFile:\t   10000 kB\n";
        let memory = Memory::parse(status).unwrap();
        assert_eq!(memory, Memory { resident: 20.48, anonymous: 10.24 });
        assert!((memory.of_files() - 10.24).abs() < 1e-9);
        assert_eq!(Memory::parse("Name:\tcc-ci\n"), None);
    }

    #[test]
    fn this_process_holds_some() {
        let memory = Memory::of(std::process::id()).unwrap();
        assert!(memory.anonymous > 0.0 && memory.resident > memory.anonymous, "{memory:?}");
    }
}
