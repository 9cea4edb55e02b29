//! How a service stands: converged, settled, or still waiting for something.

use std::time::Duration;

use jiff::Timestamp;

use super::memory::{How, Life, Place};
use super::{View, WantedService, between, sentences};
use crate::domain::swarm::{Mode, RestartCondition, UpdateState};

/// Swarm needs a moment to replace a task; only after it the absence of a new one says that there will be none.
const REPLACED_WITHIN: Duration = Duration::from_secs(1);

impl View<'_> {
    /// One sentence for each service that is not converged.
    pub(super) fn waiting_for(&self) -> Vec<String> {
        let waiting = self.wanted.services.iter().filter(|service| !self.is_converged(service));
        waiting.map(|service| format!("{}: {}", service.name, self.why_waiting(service))).collect()
    }

    /// As many good or properly ended tasks as it wants, and no update under way.
    pub(super) fn is_converged(&self, service: &WantedService) -> bool {
        let up_to_date = match self.update_state(service) {
            None | Some(UpdateState::Completed) => true,
            Some(
                UpdateState::Updating
                | UpdateState::Paused
                | UpdateState::RollbackStarted
                | UpdateState::RollbackPaused
                | UpdateState::RollbackCompleted,
            ) => false,
        };
        up_to_date && self.seen(service).is_some() && self.places_that_count(service) >= self.wants(service)
    }

    /// How many tasks it wants.
    fn wants(&self, service: &WantedService) -> u64 {
        match service.mode {
            Mode::Replicated(tasks) | Mode::Job(tasks) => tasks,
            // Which nodes its constraints leave is Swarm's to say: it makes tasks for those only.
            Mode::Global if service.has_constraints() => {
                let present = |place: &&Place| place.lives.iter().any(|life| life.present);
                (self.memory.places(&service.name).filter(present).count() as u64).max(1)
            }
            Mode::Global => self.snapshot.eligible_nodes.max(1),
        }
    }

    fn places_that_count(&self, service: &WantedService) -> u64 {
        self.memory.places(&service.name).filter(|place| self.counts(service, place)).count() as u64
    }

    fn counts(&self, service: &WantedService, place: &Place) -> bool {
        let finished = place.newest().is_some_and(|life| life.is_finished(service));
        match service.mode {
            Mode::Job(_) => finished,
            Mode::Replicated(_) | Mode::Global => finished || self.is_good(service, place),
        }
    }

    /// Runs, is healthy where that can be told, and has outlived what came before it in its place.
    pub(super) fn is_good(&self, service: &WantedService, place: &Place) -> bool {
        let needed = self.must_run(service, place);
        place.lives.iter().any(|life| {
            let healthy = !life.has_healthcheck || life.healthy_since.is_some();
            let runs = |started| between(started, self.snapshot.at);
            life.running && healthy && life.started.is_some_and(|started| runs(started) >= needed)
        })
    }

    fn must_run(&self, service: &WantedService, place: &Place) -> Duration {
        let earlier =
            place.failures(service).filter(|life| !life.end.as_ref().is_some_and(|end| end.how == How::Rejected));
        let longest = earlier.map(Life::length).max().unwrap_or_default();
        let outlived = longest.saturating_mul(2).min(self.rules.outlive_at_most);
        self.rules.good_after.max(outlived)
    }

    /// Since when all tasks that it wants have been settled; `None`: they are not. `settle`: how long a task without
    /// healthcheck must have run.
    pub(super) fn settled_since(&self, service: &WantedService, settle: Duration) -> Option<Timestamp> {
        let wants = usize::try_from(self.wants(service)).unwrap_or(usize::MAX);
        if wants == 0 {
            return Some(Timestamp::MIN);
        }
        let places = self.memory.places(&service.name);
        let mut since: Vec<Timestamp> = places.filter_map(|place| self.place_settled(service, place, settle)).collect();
        since.sort();
        since.get(wants - 1).copied()
    }

    fn place_settled(&self, service: &WantedService, place: &Place, settle: Duration) -> Option<Timestamp> {
        let life = place.newest()?;
        if life.is_finished(service) {
            return life.end.as_ref().map(|end| end.at);
        }
        if life.has_healthcheck {
            return life.healthy_since;
        }
        let since = life.started.filter(|_| life.running)?.checked_add(settle).ok()?;
        (since <= self.snapshot.at).then_some(since)
    }

    /// Whether Swarm will not start another task in this place after the failures it had.
    pub(super) fn is_given_up(&self, service: &WantedService, place: &Place) -> bool {
        let Some(last) = place.failures(service).last() else { return false };
        let newest = place.newest().is_some_and(|life| life.task == last.task);
        if service.restart.condition == RestartCondition::None {
            return newest;
        }
        let Some(attempts) = service.restart.max_attempts.filter(|attempts| *attempts > 0) else { return false };
        if place.failures(service).count() as u64 <= attempts || !newest {
            return false;
        }
        let ended = last.end.as_ref().map_or(self.snapshot.at, |end| end.at);
        !service.counts_attempts_in_a_window() || between(ended, self.snapshot.at) >= REPLACED_WITHIN
    }

    fn why_waiting(&self, service: &WantedService) -> String {
        if self.seen(service).is_none() {
            return sentences::WAITS_NOT_THERE.to_owned();
        }
        let wants = self.wants(service);
        let good = self.places_that_count(service);
        if good >= wants {
            return sentences::WAITS_UPDATE.to_owned();
        }
        let reason = self
            .memory
            .places(&service.name)
            .find(|place| !self.counts(service, place))
            .and_then(|place| Some(self.why_place_waits(service, place, place.newest()?)))
            .unwrap_or_else(|| sentences::WAITS_NO_TASK.to_owned());
        if wants > 1 { sentences::waits_for_tasks(good, wants, &reason) } else { reason }
    }

    fn why_place_waits(&self, service: &WantedService, place: &Place, life: &Life) -> String {
        if life.is_finished(service) {
            return sentences::WAITS_NO_TASK.to_owned();
        }
        let exits = place.failures(service).count();
        if exits > 0 && !life.running {
            let last = place.failures(service).last().and_then(|life| life.end.as_ref()).and_then(|end| end.code);
            return sentences::waits_after_exits(exits, last);
        }
        if !life.running && life.end.is_none() && life.healthy_since.is_none() && life.started.is_none() {
            return sentences::waits_in_state(life.state, &life.error);
        }
        if life.has_healthcheck && life.healthy_since.is_none() {
            let runs = between(life.began(), self.snapshot.at);
            return sentences::waits_for_health(runs, service.healthcheck.map(|check| check.start_period_ms));
        }
        match service.mode {
            Mode::Job(_) => sentences::WAITS_JOB.to_owned(),
            Mode::Replicated(_) | Mode::Global => {
                let runs = between(life.began(), self.snapshot.at);
                sentences::waits_to_be_good(runs, self.must_run(service, place))
            }
        }
    }
}
