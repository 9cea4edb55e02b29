//! Crash loops: a service exits again and again, and nothing is left that it could be waiting for.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::memory::{Life, Place};
use super::{View, WantedService, between, sentences};
use crate::domain::finding::{Finding, FindingKind};

/// A place in which a service exits, and has not come to run since.
struct Loop<'a> {
    service: &'a WantedService,
    place: &'a Place,
    /// Oldest first, never empty.
    exits: Vec<&'a Life>,
}

impl Loop<'_> {
    fn first(&self) -> Timestamp {
        self.exits.first().map_or(Timestamp::MAX, |life| ended(life))
    }

    fn last(&self) -> Option<&Life> {
        self.exits.last().copied()
    }
}

fn ended(life: &Life) -> Timestamp {
    life.end.as_ref().map_or(Timestamp::MAX, |end| end.at)
}

impl View<'_> {
    /// The loops that are decided, the one that explains the others first; nothing when none is.
    pub(super) fn crash_loops(&self) -> Vec<Finding> {
        let loops = self.loops();
        let looping = self.loop_whatever_they_wait_for(&loops);
        let is_decided = |l: &&Loop| {
            self.is_given_up(l.service, l.place)
                || self.is_over_window(l)
                || (looping.contains(l.service.name.as_str()) && self.has_enough_exits(l))
        };
        if !loops.iter().any(|l| is_decided(&l)) {
            return Vec::new();
        }
        // A peer that loops as well may be the cause of one that is decided, so it is told with it.
        let mut told: Vec<&Loop> = loops.iter().filter(|l| is_decided(l) || self.has_enough_exits(l)).collect();
        told.sort_by_key(|l| (l.first(), &l.service.name));
        let mut seen = BTreeSet::new();
        told.retain(|l| seen.insert(&l.service.name));
        if let Some(cause) = cause(&told) {
            let cause = told.remove(cause);
            told.insert(0, cause);
        }
        told.iter().map(|l| self.crash_finding(l, &told)).collect()
    }

    fn loops(&self) -> Vec<Loop<'_>> {
        let mut loops = Vec::new();
        for service in &self.wanted.services {
            for place in self.memory.places(&service.name) {
                let mut exits: Vec<&Life> = place.exits(service).collect();
                exits.sort_by_key(|life| ended(life));
                let over = self.is_good(service, place) || place.newest().is_some_and(|life| life.is_finished(service));
                if !exits.is_empty() && !over {
                    loops.push(Loop { service, place, exits });
                }
            }
        }
        loops
    }

    fn has_enough_exits(&self, l: &Loop) -> bool {
        l.exits.len() >= self.rules.deciding_exit(&l.service.name)
    }

    fn is_over_window(&self, l: &Loop) -> bool {
        l.last().is_some_and(|last| between(l.first(), ended(last)) > self.rules.window(self.wanted))
    }

    /// Services whose last exit came from a task that started when every peer had settled, but for peers that loop in
    /// this same sense: those need not have been. So it is the largest set of services that nobody outside can explain;
    /// one that exits because its database still starts does not excuse or condemn a third.
    fn loop_whatever_they_wait_for(&self, loops: &[Loop]) -> BTreeSet<String> {
        let enough: Vec<&Loop> = loops.iter().filter(|l| self.has_enough_exits(l)).collect();
        let mut looping: BTreeSet<String> = enough.iter().map(|l| l.service.name.clone()).collect();
        loop {
            let stays =
                |name: &String| enough.iter().any(|l| &l.service.name == name && self.peers_were_settled(l, &looping));
            let next: BTreeSet<String> = looping.iter().filter(|name| stays(name)).cloned().collect();
            if next.len() == looping.len() {
                return looping;
            }
            looping = next;
        }
    }

    fn peers_were_settled(&self, l: &Loop, looping: &BTreeSet<String>) -> bool {
        let Some(started) = l.last().map(Life::began) else { return false };
        let settle = self.rules.settle_for(&l.service.name);
        let mut peers = self.wanted.services.iter().filter(|peer| peer.name != l.service.name);
        peers.all(|peer| {
            looping.contains(&peer.name) || self.settled_since(peer, settle).is_some_and(|since| since <= started)
        })
    }

    fn crash_finding(&self, l: &Loop, told: &[&Loop]) -> Finding {
        let service = l.service;
        let mut finding = self.exit_finding(service, l.place, &l.exits).about(&service.name);
        // With several loops it is the one that completed the picture, whichever of them is named first.
        if let Some(deciding) = told.iter().filter_map(|told| told.last()).map(ended).max() {
            finding = finding.with("deciding exit", deciding.to_string());
        }
        finding = finding.with(format!("exits of {}", service.name), sentences::lives_table(&l.place.lives));
        if !l.place.last_lines.is_empty() {
            finding = finding.with(sentences::last_lines_of(&service.name), l.place.last_lines.join("\n"));
        }
        let others = told.iter().filter(|other| other.service.name != service.name);
        let others: Vec<String> =
            others.map(|other| sentences::also_exits(&other.service.name, other.exits.len())).collect();
        if !others.is_empty() {
            finding = finding.with("other services that exit", others.join("\n"));
        }
        finding
    }

    /// What these exits are called: by what is known to have ended them first.
    fn exit_finding(&self, service: &WantedService, place: &Place, exits: &[&Life]) -> Finding {
        let given_up = self.is_given_up(service, place);
        let killed_first = place.healthcheck_kills().next().filter(|killed| {
            let first = exits.first().is_none_or(|first| killed.created <= first.created);
            first && !place.lives.iter().any(|life| life.was_healthy)
        });
        if let Some(killed) = killed_first {
            let sentence = sentences::killed_and_broken(service, killed, exits, &place.last_lines);
            return self.finding(FindingKind::KilledByHealthcheck, sentence);
        }
        if exits.iter().any(|life| life.out_of_memory) {
            return self.finding(FindingKind::OutOfMemory, sentences::out_of_memory(service, exits.len()));
        }
        let always_zero = exits.iter().all(|life| life.end.as_ref().is_some_and(|end| end.code == Some(0)));
        let kind = if always_zero { FindingKind::ExitsAtOnce } else { FindingKind::CrashLoop };
        self.finding(kind, sentences::exits(service, exits, given_up, &place.last_lines))
    }
}

/// Which of them another one names, in its `depends_on` or else in its last lines; one that itself names nobody is
/// preferred. They come in the order of their first exits.
fn cause(loops: &[&Loop]) -> Option<usize> {
    let by_depends_on = |from: &Loop, to: &Loop| from.service.depends_on.contains(&to.service.name);
    let by_last_lines =
        |from: &Loop, to: &Loop| from.place.last_lines.iter().any(|line| sentences::names(line, &to.service.name));
    named(loops, by_depends_on).or_else(|| named(loops, by_last_lines))
}

fn named(loops: &[&Loop], names: impl Fn(&Loop, &Loop) -> bool) -> Option<usize> {
    let names = |from: usize, to: usize| from != to && names(loops[from], loops[to]);
    let all = || 0..loops.len();
    let is_named = |to: &usize| all().any(|from| names(from, *to));
    let names_nobody = |from: &usize| !all().any(|to| names(*from, to));
    all().filter(is_named).find(names_nobody).or_else(|| all().find(is_named))
}
