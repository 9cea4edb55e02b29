//! What a simulated day has shown.

use std::collections::BTreeMap;
use std::fmt;
use std::time::Duration;

use crate::domain::queue::Cause;

/// The figures of a simulated day.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Figures {
    /// How long the runs of each cause waited, the shortest first.
    pub waits: BTreeMap<Cause, Vec<Duration>>,
    /// Starts that loaded a target beyond its capacity. Must be 0.
    pub overruns: usize,
    /// Pairs that ran together and must not. Must be 0.
    pub conflicts: usize,
    /// Starts of runs that did not wait, or on targets that do not exist. Must be 0.
    pub wrong: usize,
    /// Runs that never started. Must be 0.
    pub never_started: usize,
    /// Runs that waited longer than [`longest_wait`](crate::domain::queue::longest_wait) says. Must be 0, except for the baseline.
    pub beyond_bound: usize,
    /// How often it was decided.
    pub decisions: usize,
    /// How long that took together, by the given clock.
    pub deciding: Duration,
    /// The slowest decision.
    pub slowest: Duration,
    /// How many runs waited at most.
    pub longest_queue: usize,
}

impl Figures {
    /// The wait that so many of 100 runs of that cause did not exceed; 100 is the longest.
    #[must_use]
    pub fn wait(&self, cause: Cause, percent: usize) -> Duration {
        let waits = self.waits.get(&cause).map(Vec::as_slice).unwrap_or_default();
        let index = (waits.len() * percent).div_ceil(100).saturating_sub(1);
        waits.get(index).copied().unwrap_or_default()
    }

    pub(super) fn decided(&mut self, took: Duration, waiting: usize) {
        self.decisions += 1;
        self.deciding += took;
        self.slowest = self.slowest.max(took);
        self.longest_queue = self.longest_queue.max(waiting);
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "{:<11} {:>5} {:>9} {:>9} {:>9}", "cause", "runs", "wait p50", "p95", "longest")?;
        for (cause, waits) in &self.waits {
            let minutes = |percent| format!("{:.1} min", self.wait(*cause, percent).as_secs_f64() / 60.0);
            let (half, most, longest) = (minutes(50), minutes(95), minutes(100));
            writeln!(f, "{:<11} {:>5} {half:>9} {most:>9} {longest:>9}", cause.name(), waits.len())?;
        }
        writeln!(
            f,
            "capacity overruns {}, conflicts {}, wrong starts {}, never started {}, beyond the bound {}; at most {} waited",
            self.overruns, self.conflicts, self.wrong, self.never_started, self.beyond_bound, self.longest_queue
        )?;
        write!(f, "{} decisions", self.decisions)?;
        if self.deciding.is_zero() {
            return Ok(());
        }
        let rate = f64::from(u32::try_from(self.decisions).unwrap_or(u32::MAX)) / self.deciding.as_secs_f64();
        write!(f, ", {rate:.0} per second, the slowest {:.2} ms", self.slowest.as_secs_f64() * 1000.0)
    }
}
