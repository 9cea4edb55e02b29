//! Who is first. A run's rank counts from `queued_at` plus the handicap of its cause: that is priority *with* ageing in one number
//! that never changes while the run waits. A sweep that has waited six hours ranks with a pull request of this moment, and nothing that
//! comes later passes it any more.

use std::collections::HashMap;
use std::time::Duration;

use super::{Cause, Situation, Waiting, instant_ms, length_ms};
use crate::domain::ids::RecipeName;

/// A run that could not start so long after its rank began to count has room kept for it, so that lighter ones that fit into
/// every gap do not pass it for ever.
pub const KEEP_ROOM_AFTER: Duration = Duration::from_secs(10 * 60);

/// How much later a run ranks than a pull request of the same instant.
#[must_use]
pub const fn handicap(cause: Cause) -> Duration {
    match cause {
        Cause::Pr | Cause::Retry => Duration::ZERO,
        Cause::PostMerge => Duration::from_secs(30 * 60),
        Cause::Sweep => Duration::from_secs(6 * 3600),
    }
}

/// No run waits longer than this, if `ahead` runs rank ahead of it at any time while it waits, none runs longer than `limit`, and the
/// targets large enough for it are usable. A run of rank r can only be held up by runs that rank ahead or run already, since
/// `board` goes by rank: once room is kept, within each `limit` one of those ahead starts, gets its recipe's lock free or arrives,
/// and each can do so once. A proof that it ends, not a forecast: that is [`explain`](super::explain).
#[must_use]
pub fn longest_wait(cause: Cause, ahead: u32, limit: Duration) -> Duration {
    handicap(cause) + KEEP_ROOM_AFTER + limit.saturating_mul(3).saturating_mul(ahead.saturating_add(1))
}

/// From when on the run's rank counts.
pub(super) fn counts_from_ms(run: &Waiting) -> i64 {
    instant_ms(run.queued_at).saturating_add(length_ms(handicap(run.cause)))
}

/// Whether room is to be kept for the run.
pub(super) fn is_owed_room(run: &Waiting, now_ms: i64) -> bool {
    now_ms >= counts_from_ms(run).saturating_add(length_ms(KEEP_ROOM_AFTER))
}

/// A run that waits, and its recipe's number: passes over thousands of runs do not compare names.
#[derive(Clone, Copy)]
pub(super) struct Ranked<'a> {
    pub(super) run: &'a Waiting,
    pub(super) recipe: usize,
}

/// All runs of a situation in order, their recipes numbered from 0.
pub(super) struct Order<'a> {
    /// Those that wait by rank, the first to start first; a tie is broken by the run's id, never by the order in which the rows were read.
    pub(super) ranked: Vec<Ranked<'a>>,
    /// The recipes of those that run, in the order of the situation.
    pub(super) running: Vec<usize>,
    /// How many recipes there are.
    pub(super) recipes: usize,
}

impl<'a> Order<'a> {
    pub(super) fn of(situation: &Situation<'a>) -> Self {
        let mut numbers: HashMap<&RecipeName, usize> = HashMap::new();
        let mut number = |recipe: &'a RecipeName| {
            let next = numbers.len();
            *numbers.entry(recipe).or_insert(next)
        };
        let running = situation.running.iter().map(|run| number(&run.subject.recipe)).collect();
        let mut keyed: Vec<(i64, Ranked<'a>)> = (situation.waiting.iter())
            .map(|run| (counts_from_ms(run), Ranked { run, recipe: number(&run.subject.recipe) }))
            .collect();
        keyed.sort_unstable_by(|one, other| one.0.cmp(&other.0).then_with(|| one.1.run.run.cmp(&other.1.run.run)));
        let ranked = keyed.into_iter().map(|(_, ranked)| ranked).collect();
        Self { ranked, running, recipes: numbers.len() }
    }
}
