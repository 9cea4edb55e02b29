//! What time it is: the wall's clock, which may jump, and one that only goes on.
//!
//! Whoever waits, compares instants or stores one for later asks here, so that a test can let an hour pass in no time, and
//! let the wall's clock jump without it.

use std::sync::Arc;
use std::sync::atomic::{AtomicI64, AtomicU64, Ordering};
use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A clock; clones move together.
#[derive(Debug, Clone, Default)]
pub struct Clock {
    moved: Arc<Moved>,
}

/// How far a test has moved it, in milliseconds.
#[derive(Debug, Default)]
struct Moved {
    passed: AtomicU64,
    jumped: AtomicI64,
}

impl Clock {
    /// This machine's clock.
    #[must_use]
    pub fn system() -> Self {
        Self::default()
    }

    /// The time on the wall. It may jump, in both directions: what is stored with it may lie in the future.
    #[must_use]
    pub fn now(&self) -> Timestamp {
        let moved = SignedDuration::try_from(self.passed()).unwrap_or_default()
            + SignedDuration::from_millis(self.moved.jumped.load(Ordering::Relaxed));
        let now = Timestamp::now();
        now.checked_add(moved).unwrap_or(now)
    }

    /// The time since something, for waits: it never jumps, and means nothing to another process.
    #[must_use]
    pub fn steady(&self) -> Instant {
        Instant::now() + self.passed()
    }

    /// Lets time pass, on the wall and otherwise.
    pub fn pass(&self, time: Duration) {
        let ms = u64::try_from(time.as_millis()).unwrap_or(u64::MAX);
        self.moved.passed.fetch_add(ms, Ordering::Relaxed);
    }

    /// Lets the wall's clock jump by so much while no time passes: somebody set it, or it was wrong after a start.
    pub fn jump(&self, by: SignedDuration) {
        let ms = i64::try_from(by.as_millis()).unwrap_or_default();
        self.moved.jumped.fetch_add(ms, Ordering::Relaxed);
    }

    fn passed(&self) -> Duration {
        Duration::from_millis(self.moved.passed.load(Ordering::Relaxed))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_that_passes_passes_everywhere_and_a_jump_is_on_the_wall_alone() {
        let (clock, real) = (Clock::system(), Instant::now());
        let other = clock.clone();
        clock.pass(Duration::from_secs(3600));
        let hour = SignedDuration::from_hours(1);
        assert!(other.now() >= Timestamp::now() + hour - SignedDuration::from_secs(60));
        assert!(other.steady().duration_since(real) >= Duration::from_secs(3600));
        clock.jump(-hour - hour);
        assert!(other.now() < Timestamp::now());
        assert!(other.steady().duration_since(real) >= Duration::from_secs(3600));
    }
}
