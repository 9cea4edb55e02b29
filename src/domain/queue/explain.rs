//! What to tell a run that waits: "number 2, behind run 230 (immich, backup, 3 min 10 s; usually 6 min), starts in about 3 min".

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::board::{Board, Reason, Told, Wanted};
use super::forecast::{Eta, expected_end, forecast};
use super::rank::Order;
use super::{History, Running, Situation, Waiting, between, instant_ms};
use crate::domain::ids::{RecipeName, RunId};
use crate::domain::stage::Stage;

/// How a run that waits stands.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Why {
    /// Its place in the queue, from 1. One with a later place may start earlier: who is blocked is skipped.
    pub place: usize,
    /// The running run whose end it waits for.
    pub behind: Option<Behind>,
    /// Why it does not start now.
    pub reason: Reason,
    /// When it is expected to start; `None` when nothing lets that be told: paused, no usable target, or too far behind.
    pub starts_in: Option<Eta>,
}

/// A run that others wait for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Behind {
    /// The run.
    pub run: RunId,
    /// Its recipe.
    pub recipe: RecipeName,
    /// What it does now.
    pub stage: Stage,
    /// For how long it has run.
    pub elapsed: Duration,
    /// How long it usually takes.
    pub usual: Option<Duration>,
}

/// Explains one run; `None` when it does not wait.
#[must_use]
pub fn explain(run: &RunId, situation: &Situation<'_>, history: &History) -> Option<Why> {
    explain_all(situation, history).remove(run)
}

/// Explains all runs that wait, with one forecast for all.
#[must_use]
pub fn explain_all(situation: &Situation<'_>, history: &History) -> BTreeMap<RunId, Why> {
    let now_ms = instant_ms(situation.now);
    let order = Order::of(situation);
    let stopped = stopped(situation);
    let etas = if stopped.is_some() { Vec::new() } else { forecast(situation, &order, history) };
    let mut reasons = vec![Reason::Full; order.ranked.len()];
    Board::new(situation, &order).pass(now_ms, &order.ranked, Wanted::Reasons, |index, told| {
        reasons[index] = match told {
            Told::Starts(_) => Reason::Starts,
            Told::Waits(reason) => reason,
        };
    });
    // What each waits for is read from the situation as it is, not as the starts of this moment leave it.
    let ends = Ends::of(situation, &order);
    let ranked = order.ranked.into_iter().map(|ranked| ranked.run);
    let whys = ranked.zip(reasons).enumerate().map(|(index, (run, reason))| {
        let reason = stopped.clone().unwrap_or(reason);
        let behind = ends.behind(run, &reason).map(|other| Behind::of(other, now_ms));
        let starts_in = etas.get(index).copied().flatten();
        (run.run.clone(), Why { place: index + 1, behind, reason, starts_in })
    });
    whys.collect()
}

fn stopped(situation: &Situation<'_>) -> Option<Reason> {
    match (situation.switches.draining, situation.switches.paused) {
        (true, _) => Some(Reason::Draining),
        (false, true) => Some(Reason::Paused),
        (false, false) => None,
    }
}

/// What runs, and where.
struct Ends<'a> {
    board: Board<'a>,
    running: BTreeMap<&'a RunId, &'a Running>,
    /// Those on a known target, by its index on the board; who is expected to end first comes first.
    in_order: Vec<(&'a Running, usize)>,
}

impl<'a> Ends<'a> {
    fn of(situation: &Situation<'a>, order: &Order<'a>) -> Self {
        let board = Board::new(situation, order);
        let now_ms = instant_ms(situation.now);
        let on = |running: &Running| board.places.iter().position(|place| place.target.name == running.target);
        let placed = situation.running.iter().filter_map(|running| Some((running, on(running)?)));
        let mut in_order: Vec<(&Running, usize)> = placed.collect();
        in_order.sort_by_key(|(running, _)| (expected_end(running, now_ms), &running.run));
        Self { board, in_order, running: situation.running.iter().map(|running| (&running.run, running)).collect() }
    }

    /// The run that must end first; for lack of room the one that is expected to end first where this run could start.
    fn behind(&self, run: &Waiting, reason: &Reason) -> Option<&'a Running> {
        match reason {
            Reason::Starts | Reason::Paused | Reason::Draining | Reason::NoTarget => None,
            Reason::RecipeRuns(other) | Reason::PortTaken(other) => {
                self.running.get(other).copied().or_else(|| self.next(run))
            }
            Reason::RecipeWaits(_) | Reason::RoomKept(_) | Reason::Full => self.next(run),
        }
    }

    fn next(&self, run: &Waiting) -> Option<&'a Running> {
        let able = self.in_order.iter().find(|(_, place)| self.board.is_able(&self.board.places[*place], run));
        able.map(|(running, _)| *running)
    }
}

impl Behind {
    fn of(run: &Running, now_ms: i64) -> Self {
        Self {
            run: run.run.clone(),
            recipe: run.subject.recipe.clone(),
            stage: run.stage,
            elapsed: between(instant_ms(run.started_at), now_ms),
            usual: run.usual,
        }
    }
}
