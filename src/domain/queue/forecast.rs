//! When a run will start: the decisions played forward, with runs that take as long as they usually do.

use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::board::{Board, Told, Wanted};
use super::rank::{Order, Ranked};
use super::{History, Running, Situation, Waiting, between, instant_ms, length_ms};
use crate::domain::ids::RunId;

/// So many runs, by rank, get a forecast; who ranks behind them learns the place only.
pub const FORECAST_RUNS: usize = 500;

/// When a run is expected to start.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Eta {
    /// In how long.
    pub after: Duration,
    /// It rests on a run of which only the total limit is known, since its recipe has no history or it takes more than twice its
    /// usual time: rather *at latest* than *about*.
    pub by_limit: bool,
}

/// When a run is expected to end.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct End {
    pub(super) at_ms: i64,
    by_limit: bool,
}

/// When a run that runs is expected to end, never before now. One that is late is given a quarter of its usual time more, as
/// often as it takes until it has taken twice the usual; from then on only its limit is certain.
pub(super) fn expected_end(run: &Running, now_ms: i64) -> End {
    let started_ms = instant_ms(run.started_at);
    let limit_ms = started_ms.saturating_add(length_ms(run.limit)).max(now_ms);
    let usual_ms = run.usual.map_or(i64::MAX, length_ms);
    let taken_ms = now_ms.saturating_sub(started_ms);
    if taken_ms >= usual_ms.saturating_mul(2) || usual_ms == i64::MAX {
        return End { at_ms: limit_ms, by_limit: true };
    }
    let late_ms = now_ms.saturating_add(usual_ms / 4);
    let at_ms = if taken_ms < usual_ms { started_ms.saturating_add(usual_ms) } else { late_ms };
    End { at_ms: at_ms.min(limit_ms), by_limit: false }
}

/// Plays the decisions forward from the situation, for the first of those that wait. Targets stay as they are, and nothing new is asked
/// for; the answer is by rank, and `None` for a run that never starts under these assumptions.
pub(super) fn forecast<'a>(situation: &Situation<'a>, order: &Order<'a>, history: &History) -> Vec<Option<Eta>> {
    let start_ms = instant_ms(situation.now);
    let mut board = Board::new(situation, order);
    let (mut places, mut left): (Vec<usize>, Vec<Ranked<'_>>) =
        order.ranked.iter().take(FORECAST_RUNS).copied().enumerate().unzip();
    let running = situation.running.iter().zip(&order.running);
    let mut ends: Vec<(End, &RunId, usize)> =
        running.map(|(run, recipe)| (expected_end(run, start_ms), &run.run, *recipe)).collect();
    let mut found = vec![None; left.len()];
    let (mut now_ms, mut by_limit) = (start_ms, false);
    loop {
        let mut started = Vec::new();
        board.pass(now_ms, &left, Wanted::Starts, |index, told| match told {
            Told::Starts(_) => started.push(index),
            Told::Waits(_) => {}
        });
        for index in started.into_iter().rev() {
            let Ranked { run, recipe } = left.remove(index);
            found[places.remove(index)] = Some(Eta { after: between(start_ms, now_ms), by_limit });
            ends.push((end_of(run, history, now_ms), &run.run, recipe));
        }
        let next = (0..ends.len()).min_by_key(|index| ends[*index]);
        let Some(next) = next.filter(|_| !left.is_empty()) else { return found };
        let (end, run, recipe) = ends.swap_remove(next);
        board.end(run, recipe);
        now_ms = now_ms.max(end.at_ms);
        by_limit |= end.by_limit;
    }
}

fn end_of(run: &Waiting, history: &History, now_ms: i64) -> End {
    let limit_ms = now_ms.saturating_add(length_ms(run.limit));
    match history.usual(&run.subject.recipe) {
        Some(usual) => End { at_ms: now_ms.saturating_add(length_ms(usual)).min(limit_ms), by_limit: false },
        None => End { at_ms: limit_ms, by_limit: true },
    }
}
