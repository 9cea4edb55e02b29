//! How long an engine may be silent before nothing is expected of it any more. Times are counted from when one began to ask.

use std::time::Duration;

/// Between an answer and the next question.
const PULSE: Duration = Duration::from_secs(5);
/// The last question has a moment, too.
const MOMENT: Duration = Duration::from_secs(1);

/// What is known of an engine that is asked again and again.
#[derive(Debug, Clone, Copy)]
pub struct Silence {
    patience: Duration,
    heard: Duration,
}

impl Silence {
    /// Begins with an engine that has just answered.
    #[must_use]
    pub const fn begin(patience: Duration) -> Self {
        Self { patience, heard: Duration::ZERO }
    }

    /// How long to wait before the next question.
    #[must_use]
    pub fn pause(&self, now: Duration) -> Duration {
        PULSE.min(self.left(now))
    }

    /// How long the next answer may take.
    #[must_use]
    pub fn may_take(&self, now: Duration) -> Duration {
        self.left(now).max(MOMENT)
    }

    /// Takes in whether there was an answer; says whether the engine has been silent for too long.
    pub fn is_over(&mut self, now: Duration, answered: bool) -> bool {
        if answered {
            self.heard = now;
        }
        self.left(now).is_zero()
    }

    fn left(&self, now: Duration) -> Duration {
        self.patience.saturating_sub(now.saturating_sub(self.heard))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const FIVE: Duration = Duration::from_mins(5);
    const HOUR: Duration = Duration::from_mins(60);

    /// Asks an engine that does not answer for so long after its first minute; when it was given up, within the hour.
    /// `refuses`: it says no at once, instead of nothing until it goes on.
    fn given_up(minutes: u64, refuses: bool) -> Option<Duration> {
        let (from, to) = (Duration::from_mins(1), Duration::from_mins(1 + minutes));
        let mut silence = Silence::begin(FIVE);
        let mut now = Duration::ZERO;
        while now < HOUR {
            now += silence.pause(now);
            let stands = (from..to).contains(&now);
            let answered = match (stands, refuses) {
                (false, _) => true,
                (true, true) => false,
                (true, false) => {
                    let answer_comes = to <= now + silence.may_take(now);
                    now = to.min(now + silence.may_take(now));
                    answer_comes
                }
            };
            // A question takes its time, too.
            now += Duration::from_millis(20);
            if silence.is_over(now, answered) {
                return Some(now);
            }
        }
        None
    }

    #[test]
    fn s30_what_stands_still_for_less_than_the_limit_is_waited_for() {
        for refuses in [true, false] {
            assert_eq!(given_up(4, refuses), None);
        }
    }

    #[test]
    fn s30_what_stands_still_for_longer_is_given_up_at_the_limit() {
        for refuses in [true, false] {
            let after = given_up(7, refuses).unwrap();
            // It was heard for the last time at most a pulse before it stood still.
            let limit = Duration::from_mins(6);
            assert!((limit - 2 * PULSE..limit + 2 * MOMENT).contains(&after), "{after:?}");
        }
    }
}
