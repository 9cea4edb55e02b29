//! The baseline: first in, first out.

use crate::domain::queue::ports::conflict;
use crate::domain::queue::{Running, Situation, Start, TargetFacts, Waiting};

/// Starts the oldest run on the first target with room, and so on, until one does not fit.
pub(super) fn decide(situation: &Situation<'_>) -> Vec<Start> {
    let mut waiting: Vec<&Waiting> = situation.waiting.iter().collect();
    waiting.sort_unstable_by_key(|run| (run.queued_at, &run.run));
    let mut starts: Vec<(&Waiting, &TargetFacts)> = Vec::new();
    for run in waiting {
        let recipe = &run.subject.recipe;
        let runs = situation.running.iter().any(|other| other.subject.recipe == *recipe)
            || starts.iter().any(|(other, _)| other.subject.recipe == *recipe);
        let target = situation.targets.iter().find(|target| fits(run, target, situation.running, &starts));
        let Some(target) = target.filter(|_| !runs) else { break };
        starts.push((run, target));
    }
    starts.into_iter().map(|(run, target)| Start { run: run.run.clone(), target: target.name.clone() }).collect()
}

fn fits(run: &Waiting, target: &TargetFacts, running: &[Running], starts: &[(&Waiting, &TargetFacts)]) -> bool {
    let running = running.iter().filter(|other| other.target == target.name).map(|other| (other.weight, &other.ports));
    let starting = starts.iter().filter(|(_, other)| other.name == target.name);
    let here: Vec<_> = running.chain(starting.map(|(other, _)| (other.weight, &other.ports))).collect();
    let load: u32 = here.iter().map(|(weight, _)| weight.get()).sum();
    load.saturating_add(run.weight.get()) <= target.capacity
        && !here.iter().any(|(_, ports)| conflict(ports, &run.ports))
}
