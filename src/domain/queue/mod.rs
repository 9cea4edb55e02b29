//! The queue (design §4, *Queue*): what becomes of a request, what starts next and where, and what to tell those who wait.
//!
//! Nothing is remembered between two calls: everything follows from rows that the store has anyway, so that a gate that was killed
//! decides the same again. Whoever calls keeps the facts true: a run is in `waiting` or in `running`, never in both.
//!
//! - `admit`: merge, supersede; `rank`: who is first, and ageing; `ports`: conflicts of published host ports
//! - `board`: one pass over all who wait: capacity, conflicts, the room that is kept for a heavy run; `decide`: the starts
//! - `explain`: place, reason, "behind run N"; `forecast`: when; `history`: how long runs of a recipe usually take
//! - `simulation`: a whole day of all this against a plain first-in-first-out queue (s51)

use std::time::Duration;

use jiff::Timestamp;

mod admit;
mod board;
mod decide;
mod explain;
mod facts;
mod forecast;
mod history;
mod ports;
mod rank;
pub mod simulation;

#[cfg(test)]
mod tests;

pub use admit::{Admission, admit};
pub use board::Reason;
pub use decide::{Start, decide};
pub use explain::{Behind, Why, explain, explain_all};
pub use facts::{Cause, PullRequest, Running, Situation, Subject, Switches, TargetFacts, TargetState, Waiting};
pub use forecast::{Eta, FORECAST_RUNS};
pub use history::{History, REMEMBERED, usual};
pub use ports::{HostPort, Protocol, published};
pub use rank::{KEEP_ROOM_AFTER, handicap, longest_wait};

/// Milliseconds since the epoch: cheap to compare and to add, and unlike [`Timestamp`] it saturates.
fn instant_ms(at: Timestamp) -> i64 {
    at.as_millisecond()
}

fn length_ms(length: Duration) -> i64 {
    i64::try_from(length.as_millis()).unwrap_or(i64::MAX)
}

fn between(from_ms: i64, to_ms: i64) -> Duration {
    Duration::from_millis(u64::try_from(to_ms.saturating_sub(from_ms)).unwrap_or(0))
}
