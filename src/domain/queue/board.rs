//! One pass over all who wait, by rank. What an earlier one gets never depends on a later one: so a request more changes nothing for
//! those who rank ahead of it, and a blocked run is skipped, not the queue behind it.
//!
//! Three things a blocked run still keeps, and they are why it is never passed for ever:
//! - its recipe, against later runs of the same recipe;
//! - from some age on, the first of those that lack capacity or a port has *room kept* on the target that is free for it first, counted
//!   by the running runs' total limits. Only what does not put that instant off may start there. So the instant never moves away,
//!   although the target is chosen anew at each decision;
//! - its rank, which does not change.

use std::cmp::Reverse;

use super::ports::conflict;
use super::rank::{Order, Ranked, is_owed_room};
use super::{HostPort, Running, Situation, TargetFacts, TargetState, Waiting, instant_ms, length_ms};
use crate::domain::ids::RunId;

/// Why a run does not start at this moment, or that it does.
#[derive(Debug, Clone, PartialEq, Eq, serde::Serialize, serde::Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Reason {
    /// It starts at this moment.
    Starts,
    /// Operators paused the gate.
    Paused,
    /// The gate is about to be stopped.
    Draining,
    /// No target that is large enough can be used: quarantined, dirty, not known yet, draining, or somebody else's.
    NoTarget,
    /// This run of the same recipe runs.
    RecipeRuns(RunId),
    /// This run of the same recipe waits and ranks ahead.
    RecipeWaits(RunId),
    /// This run publishes the same host port on the target where there is room.
    PortTaken(RunId),
    /// There would be room, but it is kept for this run, which has waited long.
    RoomKept(RunId),
    /// All usable targets are full, or too full for its weight.
    Full,
}

/// What a pass is for.
#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum Wanted {
    /// The starts: it ends where nothing can start any more.
    Starts,
    /// A word on everyone.
    Reasons,
}

/// What the pass says of a run.
pub(super) enum Told {
    /// It starts on the target of this index.
    Starts(usize),
    /// It does not, for this reason.
    Waits(Reason),
}

/// What bars a run wherever there is room.
#[derive(Clone, Copy)]
enum Barred<'a> {
    NoTarget,
    RecipeRuns(&'a RunId),
    RecipeWaits(&'a RunId),
}

impl Barred<'_> {
    fn reason(self) -> Reason {
        match self {
            Self::NoTarget => Reason::NoTarget,
            Self::RecipeRuns(run) => Reason::RecipeRuns(run.clone()),
            Self::RecipeWaits(run) => Reason::RecipeWaits(run.clone()),
        }
    }
}

/// What a run takes of its target.
#[derive(Clone, Copy)]
pub(super) struct Occupant<'a> {
    pub(super) run: &'a RunId,
    ports: &'a [HostPort],
    units: u32,
    /// When its total limit has passed at the latest.
    ends_by_ms: i64,
}

/// A target with what runs there.
pub(super) struct Place<'a> {
    pub(super) target: &'a TargetFacts,
    /// Whether anything may start there.
    pub(super) usable: bool,
    free: u32,
    occupants: Vec<Occupant<'a>>,
}

/// The room that is kept: for whom, where, and by when it is free.
struct Kept<'a> {
    run: &'a Waiting,
    index: usize,
    need: u32,
    by_ms: i64,
}

/// All targets, by name, and what runs of each recipe.
pub(super) struct Board<'a> {
    pub(super) places: Vec<Place<'a>>,
    largest: u32,
    /// Of those where anything may start.
    largest_usable: u32,
    /// By the recipe's number.
    recipes: Vec<Vec<&'a RunId>>,
}

impl<'a> Place<'a> {
    fn of(target: &'a TargetFacts, running: &'a [Running]) -> Self {
        let occupants: Vec<Occupant<'a>> = (running.iter().filter(|run| run.target == target.name))
            .map(|run| Occupant {
                run: &run.run,
                ports: &run.ports,
                units: run.weight.get().min(target.capacity),
                ends_by_ms: instant_ms(run.started_at).saturating_add(length_ms(run.limit)),
            })
            .collect();
        let usable = match target.state {
            TargetState::Clean => true,
            TargetState::Leased => !occupants.is_empty(),
            TargetState::Dirty | TargetState::Quarantined | TargetState::Unknown => false,
        };
        let used = occupants.iter().fold(0_u32, |sum, occupant| sum.saturating_add(occupant.units));
        let free = target.capacity.saturating_sub(used);
        Self { target, usable: usable && !target.draining, free, occupants }
    }

    fn add(&mut self, occupant: Occupant<'a>) {
        self.free = self.free.saturating_sub(occupant.units);
        self.occupants.push(occupant);
    }

    fn remove(&mut self, run: &RunId) {
        self.occupants.retain(|occupant| occupant.run != run);
        let used = self.occupants.iter().fold(0_u32, |sum, occupant| sum.saturating_add(occupant.units));
        self.free = self.target.capacity.saturating_sub(used);
    }

    /// Who of those here publishes one of the ports; of several, the one that may stay longest.
    fn port_holder(&self, ports: &[HostPort]) -> Option<&Occupant<'a>> {
        if ports.is_empty() {
            return None;
        }
        let holders = self.occupants.iter().filter(|occupant| conflict(occupant.ports, ports));
        holders.max_by_key(|occupant| (occupant.ends_by_ms, occupant.run))
    }

    /// When there is room here for certain, if nothing else starts: no occupant outlives its limit.
    fn free_by_ms(&self, need: u32, ports: &[HostPort], now_ms: i64) -> i64 {
        let mut ends: Vec<(i64, u32)> =
            self.occupants.iter().map(|occupant| (occupant.ends_by_ms, occupant.units)).collect();
        ends.sort_unstable();
        let mut free = self.free;
        let mut by_ms = self.port_holder(ports).map_or(now_ms, |holder| holder.ends_by_ms.max(now_ms));
        for (end_ms, units) in ends {
            if free >= need {
                break;
            }
            free = free.saturating_add(units);
            by_ms = by_ms.max(end_ms);
        }
        by_ms
    }
}

impl<'a> Board<'a> {
    pub(super) fn new(situation: &Situation<'a>, order: &Order<'a>) -> Self {
        let mut places: Vec<Place<'a>> =
            situation.targets.iter().map(|target| Place::of(target, situation.running)).collect();
        places.sort_unstable_by_key(|place| &place.target.name);
        let largest = places.iter().map(|place| place.target.capacity).max().unwrap_or(0);
        let usable = places.iter().filter(|place| place.usable);
        let largest_usable = usable.map(|place| place.target.capacity).max().unwrap_or(0);
        let mut recipes = vec![Vec::new(); order.recipes];
        for (run, recipe) in situation.running.iter().zip(&order.running) {
            recipes[*recipe].push(&run.run);
        }
        recipes.iter_mut().for_each(|runs| runs.sort_unstable());
        Self { places, largest, largest_usable, recipes }
    }

    /// The units that a run takes where it starts: too heavy for all means alone on one of the largest.
    fn need(&self, run: &Waiting) -> u32 {
        run.weight.get().min(self.largest)
    }

    /// Whether the run may ever start there.
    pub(super) fn is_able(&self, place: &Place<'_>, run: &Waiting) -> bool {
        place.usable && place.target.capacity > 0 && place.target.capacity >= self.need(run)
    }

    /// Goes over `ranked`, starts what may start, and tells what is wanted.
    pub(super) fn pass(
        &mut self,
        now_ms: i64,
        ranked: &[Ranked<'a>],
        wanted: Wanted,
        mut tell: impl FnMut(usize, Told),
    ) {
        // Who waits first of each recipe.
        let mut holds: Vec<Option<&RunId>> = vec![None; self.recipes.len()];
        let mut kept: Option<Kept<'a>> = None;
        let mut most_free = self.most_free();
        for (index, Ranked { run, recipe }) in ranked.iter().copied().enumerate() {
            if wanted == Wanted::Starts && most_free == 0 {
                return;
            }
            let barred = self.barred(run, recipe, holds[recipe]);
            let place = match barred {
                None if self.need(run) <= most_free => self.choose(run, kept.as_ref(), now_ms),
                None | Some(_) => None,
            };
            if let Some(place) = place {
                self.start(run, recipe, place, now_ms);
                most_free = self.most_free();
                tell(index, Told::Starts(place));
                continue;
            }
            if wanted == Wanted::Reasons {
                let reason = barred.map_or_else(|| self.why_not(run, kept.as_ref()), Barred::reason);
                tell(index, Told::Waits(reason));
            }
            if barred.is_none() {
                holds[recipe] = Some(&run.run);
                if kept.is_none() && is_owed_room(run, now_ms) {
                    kept = self.keep(run, now_ms);
                }
            }
        }
    }

    fn barred<'b>(&self, run: &Waiting, recipe: usize, ahead: Option<&'b RunId>) -> Option<Barred<'b>>
    where
        'a: 'b,
    {
        if self.largest_usable == 0 || self.largest_usable < self.need(run) {
            return Some(Barred::NoTarget);
        }
        if let Some(running) = self.recipes[recipe].first() {
            return Some(Barred::RecipeRuns(running));
        }
        ahead.map(Barred::RecipeWaits)
    }

    fn most_free(&self) -> u32 {
        self.places.iter().filter(|place| place.usable).map(|place| place.free).max().unwrap_or(0)
    }

    /// Of the targets where the run may start: the least loaded one; of several, the one with most of its images; then by name.
    fn choose(&self, run: &Waiting, kept: Option<&Kept<'_>>, now_ms: i64) -> Option<usize> {
        let need = self.need(run);
        let leaves_room =
            |index| kept.is_none_or(|kept| kept.index != index || self.leaves_room(kept, run, need, now_ms));
        let able = (0..self.places.len()).filter(|index| self.has_room_for(*index, run, need) && leaves_room(*index));
        able.min_by_key(|index| {
            let place = &self.places[*index];
            (Reverse(place.free), Reverse(place.target.images.intersection(&run.images).count()), *index)
        })
    }

    fn has_room_for(&self, index: usize, run: &Waiting, need: u32) -> bool {
        let place = &self.places[index];
        self.is_able(place, run) && place.free >= need && place.port_holder(&run.ports).is_none()
    }

    /// Whether the run can start where room is kept without putting that off.
    fn leaves_room(&self, kept: &Kept<'_>, run: &Waiting, need: u32, now_ms: i64) -> bool {
        let place = &self.places[kept.index];
        let ends_by_ms = now_ms.saturating_add(length_ms(run.limit));
        if conflict(&run.ports, &kept.run.ports) && ends_by_ms > kept.by_ms {
            return false;
        }
        let mut ends: Vec<(i64, u32)> =
            place.occupants.iter().map(|occupant| (occupant.ends_by_ms, occupant.units)).collect();
        ends.push((ends_by_ms, need));
        let gone = ends.iter().filter(|(end_ms, _)| *end_ms <= kept.by_ms);
        let freed = gone.fold(0_u32, |sum, (_, units)| sum.saturating_add(*units));
        place.free.saturating_sub(need).saturating_add(freed) >= kept.need
    }

    fn why_not(&self, run: &Waiting, kept: Option<&Kept<'_>>) -> Reason {
        let need = self.need(run);
        if let Some(kept) = kept
            && (0..self.places.len()).any(|index| self.has_room_for(index, run, need))
        {
            return Reason::RoomKept(kept.run.run.clone());
        }
        let roomy = self.places.iter().filter(|place| self.is_able(place, run) && place.free >= need);
        let holders = roomy.filter_map(|place| place.port_holder(&run.ports));
        match holders.min_by_key(|holder| (holder.ends_by_ms, holder.run)) {
            Some(holder) => Reason::PortTaken(holder.run.clone()),
            None => Reason::Full,
        }
    }

    fn keep(&self, run: &'a Waiting, now_ms: i64) -> Option<Kept<'a>> {
        let need = self.need(run);
        let able = self.places.iter().enumerate().filter(|(_, place)| self.is_able(place, run));
        let free = able.map(|(index, place)| (place.free_by_ms(need, &run.ports, now_ms), index));
        free.min().map(|(by_ms, index)| Kept { run, index, need, by_ms })
    }

    fn start(&mut self, run: &'a Waiting, recipe: usize, index: usize, now_ms: i64) {
        let units = self.need(run);
        let ends_by_ms = now_ms.saturating_add(length_ms(run.limit));
        self.places[index].add(Occupant { run: &run.run, ports: &run.ports, units, ends_by_ms });
        self.recipes[recipe].push(&run.run);
    }

    /// A run of that recipe has ended.
    pub(super) fn end(&mut self, run: &RunId, recipe: usize) {
        for place in &mut self.places {
            place.remove(run);
        }
        self.recipes[recipe].retain(|other| *other != run);
    }
}
