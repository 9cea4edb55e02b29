//! How the forge is doing, as this client sees it: what a dashboard shows and what holds requests back.

use std::time::{Duration, Instant};

use jiff::{SignedDuration, Timestamp};

/// A forge that asks for more patience than this is asked again anyway.
const LONGEST_RETRY_AFTER: Duration = Duration::from_secs(3600);

/// How patient the client is.
#[derive(Debug, Clone, Copy)]
pub struct Pace {
    /// How often a read is tried before it has failed.
    pub attempts: u32,
    /// The wait after the first failure; it doubles with each.
    pub first_delay: Duration,
    /// The longest wait.
    pub longest_delay: Duration,
    /// One answer, body included, must be there within this time.
    pub timeout: Duration,
}

impl Default for Pace {
    fn default() -> Self {
        Self {
            attempts: 3,
            first_delay: Duration::from_millis(500),
            longest_delay: Duration::from_secs(300),
            timeout: Duration::from_secs(30),
        }
    }
}

impl Pace {
    /// The wait after the `times`-th failure in a row; `jitter` is between 0 and 1, so that many clients do not come at once.
    pub(super) fn delay(&self, times: u32, jitter: f64) -> Duration {
        let doubled = self.first_delay.saturating_mul(2_u32.saturating_pow(times.saturating_sub(1).min(20)));
        doubled.min(self.longest_delay).mul_f64(0.5 + jitter.clamp(0.0, 1.0) / 2.0)
    }
}

/// How the forge is doing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForgeHealth {
    /// When it last answered as it should.
    pub last_ok: Option<Timestamp>,
    /// Since when it does not; `None` while all is well.
    pub failing_since: Option<Timestamp>,
    /// When it is worth asking again.
    pub next_try: Option<Timestamp>,
    /// What came back last, in plain words.
    pub why: Option<String>,
}

/// What is known; waits are measured by a clock that never jumps.
#[derive(Debug, Default)]
pub(super) struct State {
    last_ok: Option<Timestamp>,
    /// What the forge's clock said, and when that was on a clock that cannot jump.
    clock: Option<(Timestamp, Instant)>,
    failing: Option<Failing>,
}

#[derive(Debug)]
struct Failing {
    since: Timestamp,
    times: u32,
    until: Instant,
    blocks: bool,
    why: String,
}

/// A failure as the back-off sees it.
#[derive(Debug)]
pub(super) struct Failure {
    pub(super) why: String,
    /// What `Retry-After` said.
    pub(super) retry_after: Option<Duration>,
    /// Whether it concerns the whole forge, so that nothing is sent before the wait is over.
    pub(super) blocks: bool,
}

impl State {
    pub(super) fn well(&mut self, now: Timestamp, clock: Instant) {
        self.last_ok = Some(now);
        // An answer to a question that was sent before the forge asked for patience does not end the wait.
        if self.failing.as_ref().is_some_and(|failing| !failing.blocks || failing.until <= clock) {
            self.failing = None;
        }
    }

    pub(super) fn ill(&mut self, failure: Failure, pace: &Pace, jitter: f64, now: Timestamp, clock: Instant) {
        let times = self.failing.as_ref().map_or(0, |failing| failing.times).saturating_add(1);
        let asked = failure.retry_after.unwrap_or_default().min(LONGEST_RETRY_AFTER);
        let until = clock + pace.delay(times, jitter).max(asked);
        let since = self.failing.as_ref().map_or(now, |failing| failing.since);
        let before = self.failing.take().filter(|failing| failing.blocks && failing.until > until);
        let (until, blocks) = before.map_or((until, failure.blocks), |failing| (failing.until, true));
        self.failing = Some(Failing { since, times, until, blocks, why: failure.why });
    }

    /// Why nothing may be sent now, and until when.
    pub(super) fn blocked(&self, now: Timestamp, clock: Instant) -> Option<(String, Timestamp)> {
        let failing = self.failing.as_ref().filter(|failing| failing.blocks && failing.until > clock)?;
        Some((failing.why.clone(), later(now, failing.until, clock)))
    }

    pub(super) fn set_clock(&mut self, forge: Timestamp, clock: Instant) {
        self.clock = Some((forge, clock));
    }

    /// The forge's present time, to the second, as it said last; whatever this machine's clock says.
    pub(super) fn clock(&self, clock: Instant) -> Option<Timestamp> {
        let (said, then) = self.clock?;
        said.checked_add(SignedDuration::try_from(clock.saturating_duration_since(then)).ok()?).ok()
    }

    pub(super) fn health(&self, now: Timestamp, clock: Instant) -> ForgeHealth {
        let failing = self.failing.as_ref();
        ForgeHealth {
            last_ok: self.last_ok,
            failing_since: failing.map(|failing| failing.since),
            next_try: failing.map(|failing| later(now, failing.until, clock)),
            why: failing.map(|failing| failing.why.clone()),
        }
    }
}

/// The second on the wall's clock by which `until` has come.
fn later(now: Timestamp, until: Instant, clock: Instant) -> Timestamp {
    let wait = SignedDuration::try_from(until.saturating_duration_since(clock)).unwrap_or_default();
    let then = now.checked_add(wait).unwrap_or(now);
    let begun = i64::from(then.subsec_nanosecond() > 0);
    Timestamp::from_second(then.as_second().saturating_add(begun)).unwrap_or(then)
}

/// `Retry-After`: seconds, or an instant that is compared with the answer's own `Date`.
pub(super) fn retry_after(value: &str, date: Option<&str>, now: Timestamp) -> Option<Duration> {
    if let Ok(seconds) = value.trim().parse::<u64>() {
        return Some(Duration::from_secs(seconds));
    }
    let from = date.and_then(http_date).unwrap_or(now);
    Duration::try_from(http_date(value)?.duration_since(from)).ok()
}

/// The instant of a `Date` header, to the second.
pub(super) fn http_date(text: &str) -> Option<Timestamp> {
    jiff::fmt::rfc2822::DateTimeParser::new().parse_timestamp(text.trim()).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_790_000_000 + second).unwrap()
    }

    fn failure(retry_after: Option<u64>, blocks: bool) -> Failure {
        Failure { why: "429".to_owned(), retry_after: retry_after.map(Duration::from_secs), blocks }
    }

    #[test]
    fn s46_waits_double_up_to_the_longest_and_are_spread() {
        let pace = Pace::default();
        let waits: Vec<u128> = [1, 2, 3, 20, 4_000].iter().map(|n| pace.delay(*n, 1.0).as_millis()).collect();
        assert_eq!(waits, [500, 1_000, 2_000, 300_000, 300_000]);
        assert_eq!(pace.delay(2, 0.0).as_millis(), 500);
    }

    #[test]
    fn s46_a_clock_that_jumps_changes_no_wait() {
        let (mut state, start) = (State::default(), Instant::now());
        state.ill(failure(Some(60), true), &Pace::default(), 0.5, at(0), start);
        let back = at(-100_000);
        let (_, until) = state.blocked(back, start + Duration::from_secs(59)).unwrap();
        assert_eq!(until, back + SignedDuration::from_secs(1));
        assert!(state.blocked(at(-100_000), start + Duration::from_secs(61)).is_none());
    }

    #[test]
    fn s46_what_was_under_way_does_not_end_the_wait() {
        let (mut state, start) = (State::default(), Instant::now());
        state.ill(failure(Some(60), true), &Pace::default(), 0.5, at(0), start);
        state.well(at(1), start + Duration::from_secs(1));
        state.ill(failure(None, false), &Pace::default(), 0.5, at(2), start + Duration::from_secs(2));
        assert!(state.blocked(at(3), start + Duration::from_secs(3)).is_some());
        assert_eq!(state.health(at(3), start).failing_since, Some(at(0)));
        state.well(at(61), start + Duration::from_secs(61));
        let health = state.health(at(61), start + Duration::from_secs(61));
        assert_eq!((health.last_ok, health.failing_since, health.next_try), (Some(at(61)), None, None));
    }

    #[test]
    fn retry_after_is_seconds_or_an_instant() {
        let (value, date) = ("Wed, 21 Oct 2026 07:28:30 GMT", "Wed, 21 Oct 2026 07:28:00 GMT");
        assert_eq!(retry_after(" 7 ", None, at(0)), Some(Duration::from_secs(7)));
        assert_eq!(retry_after(value, Some(date), at(0)), Some(Duration::from_secs(30)));
        assert_eq!(retry_after(date, Some(value), at(0)), None);
        assert_eq!(retry_after("soon", None, at(0)), None);
    }
}
