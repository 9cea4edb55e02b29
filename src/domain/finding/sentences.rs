//! Headlines that no other rule words: of a run's own limits, of its target, and of what it leaves behind.
//!
//! The others are in `convergence::sentences` (how an app comes up and runs), `deploy_call`, `floor` and `host`; all of them side by
//! side are in the snapshot of `convergence::tests::catalogue`, from which `docs/findings.md` quotes.

use std::time::Duration;

use crate::domain::inventory::Object;

/// Objects that are named one by one.
const NAMED: usize = 8;

/// The whole run took too long.
#[must_use]
pub fn total_limit(limit: Duration) -> String {
    format!("the run's total limit of {} min has passed", limit.as_secs() / 60)
}

/// Put behind [`total_limit`], when nobody but the runner was left to act.
pub const REMOVED_BY_THE_RUNNER: &str = "; the runner has removed the app";

/// Nothing was heard of the target for too long.
#[must_use]
pub fn target_silent(patience: Duration, error: &str) -> String {
    format!("the target has not answered for {} s: {error}", patience.as_secs())
}

/// The runner is gone, and not by our hand.
pub const RUNNER_REMOVED: &str = "the runner container was removed by somebody else";

/// The target is not what it was before the run; at least one of the lists holds something.
#[must_use]
pub fn leftovers(left: &[Object], missing: &[Object]) -> String {
    let parts = [("left behind", left), ("gone since before the run", missing)];
    let parts = parts.into_iter().filter(|(_, objects)| !objects.is_empty());
    parts.map(|(what, objects)| format!("{what}: {}", named(objects))).collect::<Vec<_>>().join("; ")
}

fn named(objects: &[Object]) -> String {
    let first: Vec<String> = objects.iter().take(NAMED).map(ToString::to_string).collect();
    let more = objects.len().saturating_sub(first.len());
    if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(", ") }
}
