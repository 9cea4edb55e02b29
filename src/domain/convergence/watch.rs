//! After convergence: observation ends only at teardown.

use std::collections::BTreeSet;

use super::memory::{How, Life, Memory, Place};
use super::{Rules, View, Wanted, WantedService, sentences};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::stage::Stage;
use crate::domain::swarm::Snapshot;

/// Takes one snapshot of a later stage in: each exit, memory kill and restart since the last look is a finding of it.
#[must_use]
pub fn watch(
    mut memory: Memory,
    wanted: &Wanted,
    snapshot: &Snapshot,
    rules: &Rules,
    stage: Stage,
) -> (Memory, Vec<Finding>) {
    let before = Told::of(&memory, wanted);
    let running_before = running(&memory, wanted);
    memory.absorb(wanted, snapshot);
    let view = View { wanted, memory: &memory, snapshot, rules, stage };
    let mut findings = Vec::new();
    for service in &wanted.services {
        for place in memory.places(&service.name) {
            findings.extend(place.lives.iter().filter_map(|life| view.new_trouble(&before, service, place, life)));
            let vanished = |life: &&Life| running_before.contains(&life.task) && !life.present && life.end.is_none();
            let replaced = place.newest().is_some_and(|newest| newest.present);
            if replaced && place.lives.iter().any(|life| vanished(&life)) {
                let sentence = sentences::restarted(service, stage);
                findings.push(view.finding(FindingKind::CrashLoop, sentence).about(&service.name));
            }
        }
    }
    (memory, findings)
}

/// Tasks of which something has been told, or belonged to the convergence.
struct Told {
    ended: BTreeSet<String>,
    out_of_memory: BTreeSet<String>,
}

impl Told {
    fn of(memory: &Memory, wanted: &Wanted) -> Self {
        let mut told = Self { ended: BTreeSet::new(), out_of_memory: BTreeSet::new() };
        for life in lives(memory, wanted) {
            if life.end.is_some() {
                told.ended.insert(life.task.clone());
            }
            if life.out_of_memory {
                told.out_of_memory.insert(life.task.clone());
            }
        }
        told
    }
}

fn running(memory: &Memory, wanted: &Wanted) -> BTreeSet<String> {
    lives(memory, wanted).filter(|life| life.running).map(|life| life.task.clone()).collect()
}

fn lives<'a>(memory: &'a Memory, wanted: &'a Wanted) -> impl Iterator<Item = &'a Life> {
    wanted.services.iter().flat_map(|service| memory.places(&service.name)).flat_map(|place| &place.lives)
}

impl View<'_> {
    fn new_trouble(&self, before: &Told, service: &WantedService, place: &Place, life: &Life) -> Option<Finding> {
        let ended = life.end.as_ref().filter(|_| !before.ended.contains(&life.task));
        let starved = life.out_of_memory && !before.out_of_memory.contains(&life.task);
        let kind = match ended {
            _ if starved => FindingKind::OutOfMemory,
            Some(end) if end.how == How::Healthcheck => FindingKind::KilledByHealthcheck,
            Some(end) if life.is_exit(service) && end.code == Some(0) => FindingKind::ExitsAtOnce,
            Some(_) if life.is_exit(service) => FindingKind::CrashLoop,
            Some(_) | None => return None,
        };
        let sentence = sentences::during(service, life, kind, self.stage, &place.last_lines);
        let mut finding = self.finding(kind, sentence).about(&service.name);
        if let Some(end) = ended {
            finding = finding.with("deciding exit", end.at.to_string());
        }
        finding = finding.with(format!("exits of {}", service.name), sentences::lives_table(&place.lives));
        if place.last_lines.is_empty() {
            return Some(finding);
        }
        Some(finding.with(sentences::last_lines_of(&service.name), place.last_lines.join("\n")))
    }
}
