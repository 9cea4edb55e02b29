//! Failures that need no peers to be judged: kills by the own healthcheck, by the memory limit, and failed updates.

use super::memory::{How, Life, Place};
use super::{View, WantedService, sentences};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::stage::Stage;
use crate::domain::swarm::UpdateState;

/// So many kills in one place decide: one may be bad luck on a busy host.
const KILLS: usize = 2;

impl View<'_> {
    /// The second kill in a place, while starting or later; the first, where no other task will follow.
    pub(super) fn healthcheck_kills(&self) -> Vec<Finding> {
        self.kills(Place::healthcheck_kills_of, |service, place, kills| {
            self.killed_by_healthcheck(service, kills, sentences::killed_by_healthcheck(service, kills))
                .with(format!("last outputs of the healthcheck of {}", service.name), place.health_log.join("\n"))
        })
    }

    fn killed_by_healthcheck(&self, service: &WantedService, kills: &[&Life], sentence: String) -> Finding {
        self.finding(FindingKind::KilledByHealthcheck, sentence)
            .about(&service.name)
            .with("observed start time", sentences::observed_start(kills))
            .with("declared start_period", sentences::start_period(service))
    }

    /// The second end for want of memory in a place; the first, where no other task will follow.
    pub(super) fn memory_kills(&self) -> Vec<Finding> {
        self.kills(Place::memory_kills_of, |service, _, kills| {
            self.finding(FindingKind::OutOfMemory, sentences::out_of_memory(service, kills.len())).about(&service.name)
        })
    }

    fn kills<'a>(
        &'a self,
        kills_of: impl Fn(&'a Place) -> Vec<&'a Life>,
        finding: impl Fn(&'a WantedService, &'a Place, &[&'a Life]) -> Finding,
    ) -> Vec<Finding> {
        let mut findings = Vec::new();
        for service in &self.wanted.services {
            for place in self.memory.places(&service.name) {
                let kills = kills_of(place);
                let last_failure = place.failures(service).last();
                let killed_last =
                    kills.last().is_some_and(|kill| last_failure.is_some_and(|last| last.task == kill.task));
                let enough = kills.len() >= KILLS || (killed_last && self.is_given_up(service, place));
                if killed_last && enough && !self.is_good(service, place) {
                    findings.push(evidence(finding(service, place, &kills), service, place));
                }
            }
        }
        findings
    }

    /// A peer that this service needs, and that its healthcheck killed in the middle of its very first start: what it was making then,
    /// as a database its tables, may be half made for ever, however healthy it is afterwards. Nothing where the service has been healthy.
    pub(super) fn half_made(&self, service: &WantedService) -> Option<Finding> {
        // What an upgrade finds was made by the version before.
        if self.stage == Stage::Upgrade {
            return None;
        }
        let places: Vec<&Place> = self.memory.places(&service.name).collect();
        if places.iter().any(|place| place.lives.iter().any(|life| life.was_healthy)) {
            return None;
        }
        let says =
            |name: &str| places.iter().any(|place| place.last_lines.iter().any(|line| sentences::names(line, name)));
        let needed = |peer: &&WantedService| {
            peer.name != service.name && (service.depends_on.contains(&peer.name) || says(&peer.name))
        };
        self.wanted.services.iter().filter(needed).find_map(|peer| {
            let (place, killed) = self.memory.places(&peer.name).find_map(|place| {
                let first = place.lives.first().filter(|life| life.ended(How::Healthcheck) && !life.was_healthy)?;
                Some((place, first))
            })?;
            let sentence = sentences::killed_and_needed(peer, killed, &service.name);
            Some(evidence(self.killed_by_healthcheck(peer, &[killed], sentence), peer, place))
        })
    }

    /// `paused` stays so for ever, `rollback_*` never comes back: the new task's failure is the cause.
    pub(super) fn failed_updates(&self) -> Vec<Finding> {
        let failed = |service: &&WantedService| {
            let kind = match self.update_state(service)? {
                UpdateState::Paused => FindingKind::UpdatePaused,
                UpdateState::RollbackStarted | UpdateState::RollbackPaused | UpdateState::RollbackCompleted => {
                    FindingKind::RolledBack
                }
                UpdateState::Updating | UpdateState::Completed => return None,
            };
            Some(self.failed_update(service, kind))
        };
        self.wanted.services.iter().filter_map(|service| failed(&service)).collect()
    }

    fn failed_update(&self, service: &WantedService, kind: FindingKind) -> Finding {
        let failures =
            self.memory.places(&service.name).filter_map(|place| Some((place, place.failures(service).last()?)));
        let newest = failures.max_by_key(|(_, life)| life.end.as_ref().map(|end| end.at));
        let message = self.seen(service).and_then(|seen| seen.update.as_ref()).map_or("", |update| &update.message);
        let cause = newest.map(|(place, life)| sentences::end_of_new_task(service, life, &place.last_lines));
        let sentence = sentences::update_failed(service, kind, cause.as_deref(), message);
        let mut finding = self.finding(kind, sentence).about(&service.name);
        if let Some((place, life)) = newest {
            if let Some(end) = &life.end {
                finding = finding.with("deciding exit", end.at.to_string());
            }
            finding = finding.with(format!("exits of {}", service.name), sentences::lives_table(&place.lives));
            if !place.last_lines.is_empty() {
                finding = finding.with(sentences::last_lines_of(&service.name), place.last_lines.join("\n"));
            }
        }
        finding.with("what Swarm says of the update", sentences::cut(message))
    }
}

impl Place {
    fn healthcheck_kills_of(&self) -> Vec<&Life> {
        self.healthcheck_kills().collect()
    }

    fn memory_kills_of(&self) -> Vec<&Life> {
        let by_itself =
            |life: &&Life| life.end.as_ref().is_some_and(|end| matches!(end.how, How::Exit | How::Healthcheck));
        self.lives.iter().filter(|life| life.out_of_memory).filter(by_itself).collect()
    }
}

fn evidence(mut finding: Finding, service: &WantedService, place: &Place) -> Finding {
    if let Some(end) = place.failures(service).last().and_then(|life| life.end.as_ref()) {
        finding = finding.with("deciding exit", end.at.to_string());
    }
    finding = finding.with(format!("exits of {}", service.name), sentences::lives_table(&place.lives));
    if place.last_lines.is_empty() {
        return finding;
    }
    finding.with(sentences::last_lines_of(&service.name), place.last_lines.join("\n"))
}
