//! A Swarm of one node that plays scripted services in steps of 100 ms, with Swarm's restart delay and its short memory.

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::script::{Act, Script};
use crate::domain::convergence::{Memory, Progress, Rules, Wanted, WantedService, fold};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::stage::Stage;
use crate::domain::swarm::*;

const STEP: u64 = 100;
const RESTART_DELAY: u64 = 5_000;
const PREPARES: u64 = 500;
const REMEMBERED: usize = 5;

#[derive(Debug, Clone)]
struct Played {
    id: String,
    slot: u64,
    act: Act,
    created: u64,
    starts: u64,
    settled: bool,
    end: Option<(u64, TaskState, i64)>,
}

#[derive(Debug, Clone)]
pub(super) struct Lab {
    pub(super) now: u64,
    pub(super) nodes: u64,
    scripts: Vec<Script>,
    tasks: Vec<Vec<Played>>,
    /// How many lives each slot has had: the tasks themselves are forgotten.
    lives: Vec<BTreeMap<u64, usize>>,
    pub(super) updates: Vec<Option<Update>>,
    /// Services that still run a task of the version before.
    pub(super) old: Vec<&'static str>,
    pub(super) timeout: Option<Duration>,
}

/// How a deploy ended, and when.
#[derive(Debug, Clone)]
pub(super) struct Ended {
    pub(super) progress: Progress,
    pub(super) after: u64,
    pub(super) memory: Memory,
    pub(super) warnings: Vec<String>,
}

pub(super) fn lab(scripts: impl Into<Vec<Script>>) -> Lab {
    let scripts = scripts.into();
    let n = scripts.len();
    let mut lab = Lab {
        now: 0,
        nodes: 1,
        tasks: vec![Vec::new(); n],
        lives: vec![BTreeMap::new(); n],
        updates: vec![None; n],
        old: Vec::new(),
        timeout: None,
        scripts,
    };
    lab.deploy();
    lab
}

fn at(ms: u64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(1_800_000_000) + SignedDuration::from_millis(ms.cast_signed())
}

impl Lab {
    pub(super) fn on_nodes(mut self, nodes: u64) -> Self {
        self.nodes = nodes;
        self.tasks.iter_mut().for_each(Vec::clear);
        self.lives.iter_mut().for_each(BTreeMap::clear);
        self.deploy();
        self
    }

    fn deploy(&mut self) {
        for index in 0..self.scripts.len() {
            for slot in 1..=self.scripts[index].slots(self.nodes) {
                self.create(index, slot, PREPARES);
            }
        }
    }

    fn create(&mut self, index: usize, slot: u64, delay: u64) {
        let script = &self.scripts[index];
        let life = self.lives[index].entry(slot).or_default();
        let nth = script.acts.len().min(*life + 1) - 1;
        *life += 1;
        let id = format!("{}.{slot}.{life:04}", script.name);
        let act = script.acts[nth].clone();
        let starts = self.now + delay;
        self.tasks[index].push(Played { id, slot, act, created: self.now, starts, settled: false, end: None });
    }

    pub(super) fn wanted(&self) -> Wanted {
        let services = self.services();
        let services = services.iter().map(WantedService::from).collect();
        Wanted { services, timeout: self.timeout, deployed_at: at(0) }
    }

    fn is_up(&self, name: &str) -> bool {
        let Some(index) = self.scripts.iter().position(|script| script.name == name) else { return false };
        let up_after = self.scripts[index].up_after;
        self.tasks[index].iter().any(|task| task.end.is_none() && task.starts + up_after <= self.now)
    }

    pub(super) fn step(&mut self) {
        self.now += STEP;
        let mut ended = Vec::new();
        for index in 0..self.scripts.len() {
            for number in 0..self.tasks[index].len() {
                let task = &self.tasks[index][number];
                if task.end.is_some() || task.settled || self.now < task.starts {
                    continue;
                }
                let ran = self.now - task.starts;
                let end = match task.act {
                    Act::Exits { after, code } => (ran >= after).then_some((code, true)),
                    Act::Needs { peer, after, code } if ran >= after => {
                        let up = self.is_up(peer);
                        self.tasks[index][number].settled = up;
                        (!up).then_some((code, true))
                    }
                    Act::Lives | Act::Pending(_) | Act::Needs { .. } => None,
                    Act::Unhealthy { after } | Act::OutOfMemory { after } => (ran >= after).then_some((137, true)),
                    Act::Rejected(_) => Some((0, false)),
                };
                if let Some((code, ran)) = end {
                    let state = match (ran, code) {
                        (false, _) => TaskState::Rejected,
                        (true, 0) => TaskState::Complete,
                        (true, _) => TaskState::Failed,
                    };
                    self.tasks[index][number].end = Some((self.now, state, code));
                    ended.push((index, self.tasks[index][number].slot, code, ran));
                }
            }
        }
        for (index, slot, code, ran) in ended {
            self.restart(index, slot, code, ran);
        }
    }

    fn restart(&mut self, index: usize, slot: u64, code: i64, ran: bool) {
        let script = &self.scripts[index];
        let job = matches!(script.mode, Mode::Job(_));
        let wanted = match script.restart.condition {
            RestartCondition::Any if !job => true,
            RestartCondition::Any | RestartCondition::OnFailure => code != 0 || !ran,
            RestartCondition::None => false,
        };
        let left = script.restart.max_attempts.is_none_or(|attempts| self.lives[index][&slot] as u64 <= attempts);
        if wanted && left {
            self.create(index, slot, RESTART_DELAY + PREPARES);
        }
        let ended = |task: &Played| task.slot == slot && task.end.is_some();
        while self.tasks[index].iter().filter(|task| ended(task)).count() > REMEMBERED {
            let oldest = self.tasks[index].iter().position(ended).unwrap();
            self.tasks[index].remove(oldest);
        }
    }

    fn services(&self) -> Vec<Service> {
        let service = |(script, update): (&Script, &Option<Update>)| Service {
            id: format!("id-{}", script.name),
            name: script.name.to_owned(),
            mode: script.mode,
            template: script.template("2"),
            restart: script.restart,
            healthcheck: script.healthcheck,
            update: update.clone(),
            memory_limit: script.memory_limit,
            depends_on: script.depends_on.clone(),
        };
        self.scripts.iter().zip(&self.updates).map(service).collect()
    }

    pub(super) fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot {
            at: at(self.now),
            eligible_nodes: self.nodes,
            services: self.services(),
            tasks: Vec::new(),
            containers: BTreeMap::new(),
        };
        for (script, tasks) in self.scripts.iter().zip(&self.tasks) {
            for played in tasks {
                let (task, container) = self.show(script, played);
                if let Some(container) = container {
                    snapshot.containers.insert(format!("c-{}", played.id), container);
                }
                snapshot.tasks.push(task);
            }
            if self.old.contains(&script.name) {
                let id = format!("{}.1.old", script.name);
                let played = Played { id, slot: 1, act: Act::Lives, created: 0, starts: 0, settled: true, end: None };
                let (mut task, _) = self.show(script, &played);
                task.spec = script.template("1");
                task.container = None;
                snapshot.tasks.push(task);
            }
        }
        snapshot
    }

    fn show(&self, script: &Script, played: &Played) -> (Task, Option<Container>) {
        let started = played.starts <= self.now && !matches!(played.act, Act::Rejected(_) | Act::Pending(_));
        let sick = matches!(played.act, Act::Unhealthy { .. });
        let until = played.end.map_or(self.now, |(at, ..)| at);
        let healthy = started && !sick && played.starts + script.up_after <= until;
        let (state, state_ms) = match played.end {
            Some((at, state, _)) => (state, at),
            None if matches!(played.act, Act::Pending(_)) => (TaskState::Pending, played.created),
            None if !started => (TaskState::Preparing, played.created),
            None if script.healthcheck.is_some() && !healthy => (TaskState::Starting, played.starts),
            None if script.healthcheck.is_some() => (TaskState::Running, played.starts + script.up_after),
            None => (TaskState::Running, played.starts),
        };
        let error = match (&played.act, state) {
            (Act::Rejected(error), TaskState::Rejected) | (Act::Pending(error), _) => (*error).to_owned(),
            (_, TaskState::Failed) => "task: non-zero exit".to_owned(),
            _ => String::new(),
        };
        let desired = if played.end.is_some() { TaskState::Shutdown } else { TaskState::Running };
        let slot = match script.mode {
            Mode::Global => Slot::Node(format!("node-{}", played.slot)),
            Mode::Replicated(_) | Mode::Job(_) => Slot::Number(played.slot),
        };
        let code = played.end.filter(|_| started).map(|(_, _, code)| code);
        let container = started.then(|| Container {
            running: played.end.is_none(),
            started_at: Some(at(played.starts)),
            finished_at: played.end.map(|(ms, ..)| at(ms)),
            exit_code: code,
            oom_killed: played.end.is_some() && matches!(played.act, Act::OutOfMemory { .. }),
            // As Docker has it: an ended container with a healthcheck is always unhealthy.
            health: script.healthcheck.map(|_| match (played.end, healthy) {
                (Some(_), _) => Health::Unhealthy,
                (None, true) => Health::Healthy,
                (None, false) => Health::Starting,
            }),
            failing_streak: if sick && played.end.is_some() { 3 } else { 0 },
            health_log: Vec::new(),
            last_lines: if script.line.is_empty() { Vec::new() } else { vec!["starting".into(), script.line.clone()] },
        });
        let task = Task {
            id: played.id.clone(),
            service_id: format!("id-{}", script.name),
            slot,
            spec: script.template("2"),
            state,
            desired,
            created_at: at(played.created),
            state_at: at(state_ms),
            error,
            container: started.then(|| format!("c-{}", played.id)),
            exit_code: code,
        };
        (task, container)
    }

    /// Polls every so many milliseconds until it is decided, or the limit (in seconds) passes.
    pub(super) fn play(&mut self, poll: u64, limit: u64, rules: &Rules) -> Ended {
        self.play_on(Memory::default(), poll, limit, rules)
    }

    pub(super) fn play_on(&mut self, mut memory: Memory, poll: u64, limit: u64, rules: &Rules) -> Ended {
        let wanted = self.wanted();
        let end = self.now + limit * 1000;
        let mut warnings = Vec::new();
        loop {
            let (next, progress) = fold(memory, &wanted, &self.snapshot(), rules, Stage::Install);
            memory = next;
            if let Progress::Starting { warning: Some(warning), .. } = &progress {
                warnings.push(warning.clone());
            }
            if !matches!(progress, Progress::Starting { .. }) || self.now >= end {
                return Ended { progress, after: self.now, memory, warnings };
            }
            for _ in 0..poll / STEP {
                self.step();
            }
        }
    }

    /// With the usual rules, twice a second, for 20 minutes at most.
    pub(super) fn ends(&mut self) -> Ended {
        self.play(500, 1200, &Rules::default())
    }
}

impl Ended {
    pub(super) fn headline(&self) -> &Finding {
        match &self.progress {
            Progress::Failed(findings) => &findings[0],
            Progress::Starting { .. } | Progress::Converged => {
                panic!("not failed after {} ms: {:?}", self.after, self.progress)
            }
        }
    }

    pub(super) fn is_red(&self, kind: FindingKind, service: &str) -> &Finding {
        let finding = self.headline();
        assert_eq!((finding.kind, finding.service.as_deref()), (kind, Some(service)), "{}", finding.sentence);
        finding
    }

    pub(super) fn is_green(&self) -> &Self {
        assert_eq!(self.progress, Progress::Converged, "after {} ms", self.after);
        self
    }

    /// The instant of the exit that decided, in milliseconds of the simulation.
    pub(super) fn decided_by(&self) -> u64 {
        let evidence = self.headline().evidence.iter().find(|evidence| evidence.what == "deciding exit").unwrap();
        let instant: Timestamp = evidence.text.parse().unwrap();
        u64::try_from(instant.duration_since(at(0)).as_millis()).unwrap()
    }
}
