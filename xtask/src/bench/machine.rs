//! The machine that it was measured on, and what else it had to do.

use std::fmt;
use std::fs;
use std::thread;

use anyhow::{Context, Result};
use serde::Serialize;

/// The machine at the beginning.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Machine {
    cores: usize,
    processor: String,
    memory_mb: f64,
    /// Processes that ran or wanted to, over the last minute.
    load: f64,
}

impl Machine {
    pub(super) fn now() -> Result<Self> {
        let memory = field("/proc/meminfo", "MemTotal")?;
        let kibibytes: f64 = memory.trim_end_matches(" kB").parse().with_context(|| format!("memory: `{memory}`"))?;
        let load = fs::read_to_string("/proc/loadavg").context("cannot read /proc/loadavg")?;
        Ok(Self {
            cores: thread::available_parallelism()?.get(),
            processor: field("/proc/cpuinfo", "model name")?,
            memory_mb: kibibytes * 1_024.0 / 1e6,
            load: load.split(' ').next().and_then(|load| load.parse().ok()).context("/proc/loadavg tells no load")?,
        })
    }
}

fn field(file: &str, name: &str) -> Result<String> {
    let text = fs::read_to_string(file).with_context(|| format!("cannot read {file}"))?;
    let line = text.lines().find(|line| line.starts_with(name));
    Ok(line.and_then(|line| line.split_once(':')).map(|(_, it)| it.trim().to_owned()).unwrap_or_default())
}

impl fmt::Display for Machine {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cores, processor, memory_mb, load } = self;
        write!(
            f,
            "{cores} cores ({processor}), {:.0} GB of memory, load {load:.1} at the beginning",
            memory_mb / 1_000.0
        )
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn this_machine_is_described() {
        let machine = Machine::now().unwrap();
        assert!(machine.cores > 0 && machine.memory_mb > 100.0 && machine.load >= 0.0, "{machine:?}");
    }
}
