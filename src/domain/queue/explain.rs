//! What to tell a run that waits: "number 2, behind run 230 (immich, backup, 3 min 10 s; usually 6 min), starts in about 3 min".

use std::collections::BTreeMap;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::board::{Board, Reason, Told, Wanted};
use super::forecast::{Eta, expected_end, forecast};
use super::{History, Running, Situation, Waiting, between, instant_ms, rank};
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
    let ranked = rank::ranked(situation.waiting);
    let stopped = stopped(situation);
    let etas = if stopped.is_some() { BTreeMap::new() } else { forecast(situation, &ranked, history) };
    let mut reasons = vec![Reason::Full; ranked.len()];
    // What each waits for is read from the situation as it is, not as the starts of this moment leave it.
    let asked = Board::new(situation);
    Board::new(situation).pass(now_ms, &ranked, Wanted::Reasons, |index, told| {
        reasons[index] = match told {
            Told::Starts(_) => Reason::Starts,
            Told::Waits(reason) => reason,
        };
    });
    let mut whys = BTreeMap::new();
    for (index, (run, reason)) in ranked.into_iter().zip(reasons).enumerate() {
        let reason = stopped.clone().unwrap_or(reason);
        let behind = behind(run, &reason, &asked, situation).map(|other| Behind::of(other, now_ms));
        let starts_in = etas.get(&run.run).copied();
        whys.insert(run.run.clone(), Why { place: index + 1, behind, reason, starts_in });
    }
    whys
}

fn stopped(situation: &Situation<'_>) -> Option<Reason> {
    match (situation.switches.draining, situation.switches.paused) {
        (true, _) => Some(Reason::Draining),
        (false, true) => Some(Reason::Paused),
        (false, false) => None,
    }
}

/// The run that must end first; for lack of room the one that is expected to end first where this run could start.
fn behind<'a>(run: &Waiting, reason: &Reason, board: &Board<'_>, situation: &Situation<'a>) -> Option<&'a Running> {
    match reason {
        Reason::Starts | Reason::Paused | Reason::Draining | Reason::NoTarget => None,
        Reason::RecipeRuns(other) | Reason::PortTaken(other) => situation
            .running
            .iter()
            .find(|running| running.run == *other)
            .or_else(|| next_to_end(run, board, situation)),
        Reason::RecipeWaits(_) | Reason::RoomKept(_) | Reason::Full => next_to_end(run, board, situation),
    }
}

fn next_to_end<'a>(run: &Waiting, board: &Board<'_>, situation: &Situation<'a>) -> Option<&'a Running> {
    let now_ms = instant_ms(situation.now);
    let able = |running: &&Running| {
        (board.places.iter()).any(|place| place.target.name == running.target && board.is_able(place, run))
    };
    let running = situation.running.iter().filter(able);
    running.min_by_key(|running| (expected_end(running, now_ms), &running.run))
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
