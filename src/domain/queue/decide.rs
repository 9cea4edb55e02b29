//! What starts next, and where.

use serde::{Deserialize, Serialize};

use super::board::{Board, Told, Wanted};
use super::rank::Order;
use super::{Situation, instant_ms};
use crate::domain::ids::{RunId, TargetName};

/// A run is to start on a target.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Start {
    /// The run.
    pub run: RunId,
    /// The target.
    pub target: TargetName,
}

/// All starts that are due at this moment, by rank. The same situation gives the same starts, in whatever order its lists are.
///
/// Holds, whatever the situation: no target is loaded beyond its capacity; of a recipe at most one run runs; no two runs on one target
/// publish the same host port; nothing starts on a target that is not clean or ours; and a run that is added to the queue changes nothing for those
/// that rank ahead of it. What runs is never stopped for what waits.
#[must_use]
pub fn decide(situation: &Situation<'_>) -> Vec<Start> {
    let mut starts = Vec::new();
    if situation.switches.paused || situation.switches.draining {
        return starts;
    }
    let order = Order::of(situation);
    let mut board = Board::new(situation, &order);
    let names: Vec<&TargetName> = board.places.iter().map(|place| &place.target.name).collect();
    board.pass(instant_ms(situation.now), &order.ranked, Wanted::Starts, |index, told| match told {
        Told::Starts(place) => {
            starts.push(Start { run: order.ranked[index].run.run.clone(), target: names[place].clone() });
        }
        Told::Waits(_) => {}
    });
    starts
}
