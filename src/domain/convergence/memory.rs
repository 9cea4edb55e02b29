//! What is remembered between snapshots: the lives of all current tasks, by slot. Swarm itself forgets after five.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::current::Template;
use super::{Wanted, WantedService, between, sentences};
use crate::domain::swarm::{Container, Health, Slot, Snapshot, Task, TaskState};

/// What is remembered of one deploy. It can be stored at any time and taken up again.
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub struct Memory {
    /// By service name.
    pub(super) services: BTreeMap<String, BTreeMap<String, Place>>,
    /// What the last snapshot looked like, instants aside.
    pub(super) fingerprint: u64,
    /// When that was seen first.
    pub(super) unchanged_since: Option<Timestamp>,
}

/// One slot of a service (a node, if it is global).
#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
pub(super) struct Place {
    /// Oldest first.
    pub(super) lives: Vec<Life>,
    /// The last lines that any of its containers logged.
    pub(super) last_lines: Vec<String>,
    /// The last outputs of its healthcheck.
    pub(super) health_log: Vec<String>,
}

/// One task of the wanted spec, from its creation to its end.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct Life {
    pub(super) task: String,
    pub(super) created: Timestamp,
    pub(super) started: Option<Timestamp>,
    pub(super) state: TaskState,
    /// Swarm still knows it.
    pub(super) present: bool,
    /// It runs, and Swarm wants it to.
    pub(super) running: bool,
    pub(super) has_healthcheck: bool,
    /// First seen healthy, when it is so now.
    pub(super) healthy_since: Option<Timestamp>,
    pub(super) was_healthy: bool,
    /// Its healthcheck condemned it.
    pub(super) condemned: bool,
    pub(super) out_of_memory: bool,
    /// Swarm wanted it to stop before it ended.
    pub(super) stopping: bool,
    /// No node can take it, as first seen.
    pub(super) blocked_since: Option<Timestamp>,
    pub(super) error: String,
    pub(super) end: Option<End>,
}

/// The end of a life.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub(super) struct End {
    /// The container's own instant, else the task's.
    pub(super) at: Timestamp,
    pub(super) code: Option<i64>,
    pub(super) how: How,
}

/// What ended a life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub(super) enum How {
    /// By itself.
    Exit,
    /// By its own healthcheck.
    Healthcheck,
    /// It never began: Swarm refused it.
    Rejected,
    /// By Swarm's wish, or with its node: counts for nothing.
    Stopped,
}

impl Memory {
    /// Exits that each service has had so far: after a green run, what the next runs may know ([`super::Rules::known_exits`]).
    #[must_use]
    pub fn exits_needed(&self, wanted: &Wanted) -> BTreeMap<String, u32> {
        let most = |service: &WantedService| {
            self.places(&service.name).map(|place| place.exits(service).count()).max().unwrap_or_default()
        };
        let count = |service| (u32::try_from(most(service)).unwrap_or(u32::MAX), service);
        wanted.services.iter().map(count).map(|(exits, service)| (service.name.clone(), exits)).collect()
    }

    /// What a report should mention although everything runs.
    #[must_use]
    pub fn warnings(&self, wanted: &Wanted) -> Vec<String> {
        let mut warnings = Vec::new();
        for service in &wanted.services {
            for place in self.places(&service.name) {
                if let Some(killed) = place.healthcheck_kills().next() {
                    warnings.push(sentences::killed_once(service, killed));
                }
                if place.lives.iter().any(|life| life.out_of_memory) {
                    warnings.push(sentences::out_of_memory_once(service));
                }
            }
        }
        warnings.dedup();
        warnings
    }

    pub(super) fn places(&self, service: &str) -> impl Iterator<Item = &Place> {
        self.services.get(service).into_iter().flat_map(BTreeMap::values)
    }

    pub(super) fn absorb(&mut self, wanted: &Wanted, snapshot: &Snapshot) {
        for life in self.services.values_mut().flat_map(BTreeMap::values_mut).flat_map(|place| &mut place.lives) {
            life.present = false;
            life.running = false;
        }
        for service in &wanted.services {
            let template = Template::of(&service.template);
            let places = self.services.entry(service.name.clone()).or_default();
            for task in snapshot.tasks.iter().filter(|task| task.service_id == service.id) {
                if template.is_that_of(&task.spec) {
                    let container = task.container.as_ref().and_then(|id| snapshot.containers.get(id));
                    places.entry(key(&task.slot)).or_default().absorb(service, task, container, snapshot.at);
                }
            }
        }
        let fingerprint = fingerprint(snapshot);
        if self.unchanged_since.is_none() || fingerprint != self.fingerprint {
            self.fingerprint = fingerprint;
            self.unchanged_since = Some(snapshot.at);
        }
    }
}

impl Place {
    fn absorb(&mut self, service: &WantedService, task: &Task, container: Option<&Container>, now: Timestamp) {
        let index = self.lives.iter().position(|life| life.task == task.id).unwrap_or_else(|| {
            let after = |life: &Life| (life.created, &life.task) <= (task.created_at, &task.id);
            let index = self.lives.partition_point(after);
            self.lives.insert(index, Life::of(task));
            index
        });
        self.lives[index].absorb(service, task, container, now);
        if let Some(container) = container {
            if !container.last_lines.is_empty() && self.lives[index + 1..].iter().all(|life| life.started.is_none()) {
                self.last_lines = sentences::bounded(&container.last_lines);
            }
            if !container.health_log.is_empty() {
                self.health_log = sentences::bounded(&container.health_log);
            }
        }
    }

    /// The task that counts now.
    pub(super) fn newest(&self) -> Option<&Life> {
        self.lives.last()
    }

    /// Ends that count towards a crash loop, oldest first.
    pub(super) fn exits<'a>(&'a self, service: &'a WantedService) -> impl Iterator<Item = &'a Life> {
        self.lives.iter().filter(|life| life.is_exit(service))
    }

    pub(super) fn healthcheck_kills(&self) -> impl Iterator<Item = &Life> {
        self.lives.iter().filter(|life| life.ended(How::Healthcheck))
    }

    /// Ends that Swarm counts as an attempt.
    pub(super) fn failures<'a>(&'a self, service: &'a WantedService) -> impl Iterator<Item = &'a Life> {
        self.lives.iter().filter(|life| life.is_exit(service) || life.ended(How::Healthcheck))
    }
}

impl Life {
    fn of(task: &Task) -> Self {
        Self {
            task: task.id.clone(),
            created: task.created_at,
            started: None,
            state: task.state,
            present: true,
            running: false,
            has_healthcheck: false,
            healthy_since: None,
            was_healthy: false,
            condemned: false,
            out_of_memory: false,
            stopping: false,
            blocked_since: None,
            error: String::new(),
            end: None,
        }
    }

    fn absorb(&mut self, service: &WantedService, task: &Task, container: Option<&Container>, now: Timestamp) {
        self.present = true;
        self.state = task.state;
        self.error = sentences::cut(&task.error);
        let alive = task.state < TaskState::Complete;
        // A failed task is wanted shut down as well, but only afterwards.
        if alive && self.end.is_none() && matches!(task.desired, TaskState::Shutdown | TaskState::Remove) {
            self.stopping = true;
        }
        // A container on another node is not seen; Swarm says `running` only when it is healthy.
        let running_since = (task.state == TaskState::Running).then_some(task.state_at);
        self.started = container.map_or(running_since, |container| container.started_at).or(self.started);
        self.has_healthcheck |= service.healthcheck.is_some() || container.is_some_and(|seen| seen.health.is_some());
        self.running = task.state == TaskState::Running && !self.stopping && container.is_none_or(|seen| seen.running);
        let healthy = match container {
            Some(seen) => seen.running && seen.health == Some(Health::Healthy),
            None => self.running,
        };
        self.healthy_since = if healthy && alive { self.healthy_since.or(Some(now)) } else { None };
        self.was_healthy |= healthy;
        self.out_of_memory |= container.is_some_and(|seen| seen.oom_killed);
        self.condemned |= !self.stopping && is_condemned(service, task, container);
        let blocked = task.state == TaskState::Pending && !task.error.is_empty();
        self.blocked_since = if blocked { self.blocked_since.or(Some(now)) } else { None };
        self.end = self.end_of(task, container).or_else(|| self.end.take());
    }

    fn end_of(&self, task: &Task, container: Option<&Container>) -> Option<End> {
        let how = match task.state {
            TaskState::Complete | TaskState::Failed if self.stopping => How::Stopped,
            TaskState::Complete | TaskState::Failed if self.condemned => How::Healthcheck,
            TaskState::Complete | TaskState::Failed => How::Exit,
            TaskState::Rejected => How::Rejected,
            TaskState::Shutdown | TaskState::Remove | TaskState::Orphaned => How::Stopped,
            TaskState::New
            | TaskState::Allocated
            | TaskState::Pending
            | TaskState::Assigned
            | TaskState::Accepted
            | TaskState::Preparing
            | TaskState::Ready
            | TaskState::Starting
            | TaskState::Running => return None,
        };
        let at = container.and_then(|seen| seen.finished_at).unwrap_or(task.state_at);
        let code = task.exit_code.or_else(|| container.and_then(|seen| seen.exit_code));
        let code = code.or((task.state == TaskState::Complete).then_some(0));
        Some(End { at, code, how })
    }

    pub(super) fn ended(&self, how: How) -> bool {
        self.end.as_ref().is_some_and(|end| end.how == how)
    }

    /// An end that counts towards a crash loop. Exit 0 is one where the service should go on.
    pub(super) fn is_exit(&self, service: &WantedService) -> bool {
        match &self.end {
            None => false,
            Some(end) => match end.how {
                How::Exit => end.code != Some(0) || !service.is_one_shot(),
                How::Rejected => true,
                How::Healthcheck | How::Stopped => false,
            },
        }
    }

    /// The proper end of a one-shot.
    pub(super) fn is_finished(&self, service: &WantedService) -> bool {
        service.is_one_shot() && self.end.as_ref().is_some_and(|end| end.how == How::Exit && end.code == Some(0))
    }

    /// How long it ran; nothing while it does.
    pub(super) fn length(&self) -> Duration {
        self.end.as_ref().map(|end| between(self.began(), end.at)).unwrap_or_default()
    }

    /// When it began: its container's start, else its creation, which is earlier.
    pub(super) fn began(&self) -> Timestamp {
        self.started.unwrap_or(self.created)
    }
}

/// By the health event or health log, not by the exit code; an ended container's health says nothing.
fn is_condemned(service: &WantedService, task: &Task, container: Option<&Container>) -> bool {
    let retries = service.healthcheck.map(|check| check.retries.max(1));
    let seen = |seen: &Container| {
        (seen.running && seen.health == Some(Health::Unhealthy))
            || retries.is_some_and(|retries| seen.failing_streak >= retries)
    };
    task.error.contains("unhealthy container") || container.is_some_and(seen)
}

fn key(slot: &Slot) -> String {
    match slot {
        Slot::Number(number) => number.to_string(),
        Slot::Node(node) => node.clone(),
    }
}

/// State and health of everything, and what those log that do not run yet: a healthy peer's log is no progress, and the same
/// line again and again is none either. Instants are not in it: the adapter's correction may shift them a little.
fn fingerprint(snapshot: &Snapshot) -> u64 {
    let mut hasher = DefaultHasher::new();
    for service in &snapshot.services {
        service.name.hash(&mut hasher);
        service.update.as_ref().map(|update| (update.state as u8, &update.message)).hash(&mut hasher);
    }
    let mut tasks: Vec<&Task> = snapshot.tasks.iter().collect();
    tasks.sort_by(|a, b| a.id.cmp(&b.id));
    for task in tasks {
        (&task.id, task.state, task.desired, &task.error).hash(&mut hasher);
        if let Some(container) = task.container.as_ref().and_then(|id| snapshot.containers.get(id)) {
            let health = container.health.map(|health| health as u8);
            (container.running, container.exit_code, container.oom_killed, health).hash(&mut hasher);
            if !container.running || container.health.is_some_and(|health| health != Health::Healthy) {
                container.last_lines.hash(&mut hasher);
            }
        }
    }
    hasher.finish()
}
