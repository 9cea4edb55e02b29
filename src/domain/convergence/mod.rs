//! Convergence (design §4): does what was asked for run, does it still start, or will it never run?
//!
//! [`fold`] goes over snapshots of one deploy: it remembers what Swarm forgets ([`Memory`]) and decides by the target's instants,
//! never by how often it was called. Failures are looked for first, then success, then the clocks. [`watch`] goes on after
//! convergence: observation ends only at teardown.
//!
//! One [`Memory`] and one [`Wanted`] per deploy call; both can be stored, so that a gate that was killed goes on with them.
//!
//! - `memory`: lives of tasks, accumulated by task id; `current`: which tasks are of the wanted spec
//! - `standing`: good, finished, settled; `crash`: crash loops; `failures`: kills by healthcheck or memory, failed updates
//! - `blocked`: tasks that cannot start; `quiet`: no-progress clock and deadline; `watch`: later stages
//! - `sentences`: all texts

use std::collections::BTreeMap;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::finding::{Finding, FindingKind};
use super::stage::Stage;
use super::swarm::{Healthcheck, Mode, Restart, RestartCondition, Service, Snapshot, UpdateState};

mod blocked;
mod crash;
mod current;
mod failures;
mod marks;
mod memory;
mod quiet;
mod sentences;
mod standing;
mod watch;

#[cfg(test)]
mod tests;

pub use blocked::image_question;
pub use current::same_spec;
pub use memory::Memory;
pub use watch::watch;

/// What the driver asked for, read right after the deploy call: a rollback replaces a service's spec in Swarm, so it is kept here.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Wanted {
    /// The services of the compose file. A service that the deploy did not touch does not belong here.
    pub services: Vec<WantedService>,
    /// The recipe's `timeout` label.
    pub timeout: Option<Duration>,
    /// The target's time right after the deploy call.
    pub deployed_at: Timestamp,
}

/// One service as the driver asked for it.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct WantedService {
    /// Swarm's id.
    pub id: String,
    /// The name in the compose file.
    pub name: String,
    /// `Spec.TaskTemplate` as the API gave it.
    pub template: Value,
    /// How many tasks.
    pub mode: Mode,
    /// When an exited task is started again.
    pub restart: Restart,
    /// The healthcheck in force (the service's, else the image's), if there is one.
    pub healthcheck: Option<Healthcheck>,
    /// The memory limit in bytes, if there is one.
    pub memory_limit: Option<u64>,
    /// Services that its `depends_on` names.
    pub depends_on: Vec<String>,
}

impl From<&Service> for WantedService {
    fn from(service: &Service) -> Self {
        Self {
            id: service.id.clone(),
            name: service.name.clone(),
            template: service.template.clone(),
            mode: service.mode,
            restart: service.restart,
            healthcheck: service.healthcheck,
            memory_limit: service.memory_limit,
            depends_on: service.depends_on.clone(),
        }
    }
}

impl WantedService {
    /// The image as the spec names it, digest included; empty when the template has none.
    #[must_use]
    pub fn image(&self) -> &str {
        self.template["ContainerSpec"]["Image"].as_str().unwrap_or_default()
    }

    /// Whether an exit with 0 is its proper end: a job, or a restart condition other than `any`.
    fn is_one_shot(&self) -> bool {
        let job = match self.mode {
            Mode::Job(_) => true,
            Mode::Replicated(_) | Mode::Global => false,
        };
        job || self.restart.condition != RestartCondition::Any
    }

    fn has_constraints(&self) -> bool {
        self.template["Placement"]["Constraints"].as_array().is_some_and(|all| !all.is_empty())
    }

    /// Whether Swarm counts attempts within a window only, so that our count cannot tell alone that they are used up.
    fn counts_attempts_in_a_window(&self) -> bool {
        self.template["RestartPolicy"]["Window"].as_i64().is_some_and(|window| window > 0)
    }
}

/// Limits, and what earlier runs taught. The default is the design's.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Rules {
    /// A good task started so long ago at least.
    pub good_after: Duration,
    /// After exits a good task must outlive twice the longest earlier life, but never more than this.
    pub outlive_at_most: Duration,
    /// The first exit so long after its slot's first decides whatever the peers do; the timeout label, if longer.
    pub crash_window: Duration,
    /// Without a healthcheck a peer is settled when it has run so long.
    pub settle: Duration,
    /// The same, where it is known how many exits a green run needed.
    pub settle_known: Duration,
    /// How many exits the last green run needed, by service ([`Memory::exits_needed`]); absent: not known.
    pub known_exits: BTreeMap<String, u32>,
    /// The shortest deadline of a stage; twice the timeout label, if longer.
    pub stage_deadline: Duration,
    /// Without any change for so long a warning is shown.
    pub warn_after: Duration,
    /// Without any change for so long the stage has stalled.
    pub stalled_after: Duration,
    /// Neither of them before the longest start period and this.
    pub start_period_margin: Duration,
    /// The deadline is a person's word: nothing makes it longer.
    pub limited: bool,
    /// Causes end a deploy. Without, only the deadline does: see [`Rules::only_deadline`].
    pub fail_fast: bool,
}

impl Default for Rules {
    fn default() -> Self {
        Self {
            good_after: Duration::from_secs(10),
            outlive_at_most: Duration::from_secs(120),
            crash_window: Duration::from_secs(180),
            settle: Duration::from_secs(90),
            settle_known: Duration::from_secs(45),
            known_exits: BTreeMap::new(),
            stage_deadline: Duration::from_mins(15),
            warn_after: Duration::from_mins(5),
            stalled_after: Duration::from_mins(10),
            start_period_margin: Duration::from_mins(1),
            limited: false,
            fail_fast: true,
        }
    }
}

impl Rules {
    /// The rules of a CI without fail-fast: whatever happens, a deploy that does not come up is waited for this long. `cargo xtask
    /// incident` measures against it what the other rules save.
    #[must_use]
    pub fn only_deadline(deadline: Duration) -> Self {
        Self { fail_fast: false, stage_deadline: deadline, ..Self::default() }
    }

    /// The same with `settle` of the tests file, which only ever raises.
    #[must_use]
    pub fn with_settle(mut self, settle: Duration) -> Self {
        self.settle = self.settle.max(settle);
        self.settle_known = self.settle_known.max(settle);
        self
    }

    /// The same with a limit that a person gave: it counts whatever the recipe's label says.
    #[must_use]
    pub const fn within(mut self, limit: Option<Duration>) -> Self {
        if let Some(limit) = limit {
            (self.stage_deadline, self.limited) = (limit, true);
        }
        self
    }

    /// The n-th exit of this service that may decide.
    fn deciding_exit(&self, service: &str) -> usize {
        let known = self.known_exits.get(service).map_or(0, |k| usize::try_from(*k).unwrap_or(usize::MAX));
        known.saturating_add(3).max(known.saturating_mul(2))
    }

    /// How long a peer without healthcheck must have run before this service's exits count against it.
    fn settle_for(&self, service: &str) -> Duration {
        if self.known_exits.contains_key(service) { self.settle_known } else { self.settle }
    }

    fn window(&self, wanted: &Wanted) -> Duration {
        self.crash_window.max(wanted.timeout.unwrap_or_default())
    }

    /// How long a stage may take with this recipe.
    #[must_use]
    pub fn deadline(&self, wanted: &Wanted) -> Duration {
        let label = if self.limited { None } else { wanted.timeout };
        self.stage_deadline.max(label.unwrap_or_default().saturating_mul(2))
    }
}

/// How far a deploy is.
#[derive(Debug, Clone, PartialEq)]
pub enum Progress {
    /// Not there yet, and nothing says that it will not be.
    Starting {
        /// For each service that is not there yet, why, e.g. `db: its healthcheck has not passed yet`.
        waiting_for: Vec<String>,
        /// What a person should know already now: nothing has changed for minutes.
        warning: Option<String>,
    },
    /// Everything runs as wanted; see [`Memory::warnings`].
    Converged,
    /// It will never run. Never empty; the first one is the headline.
    Failed(Vec<Finding>),
}

/// One snapshot seen together with all that is remembered.
struct View<'a> {
    wanted: &'a Wanted,
    memory: &'a Memory,
    snapshot: &'a Snapshot,
    rules: &'a Rules,
    stage: Stage,
}

/// Takes one snapshot in and says how far the deploy is.
#[must_use]
pub fn fold(
    mut memory: Memory,
    wanted: &Wanted,
    snapshot: &Snapshot,
    rules: &Rules,
    stage: Stage,
) -> (Memory, Progress) {
    memory.absorb(wanted, snapshot);
    let progress = View { wanted, memory: &memory, snapshot, rules, stage }.judge();
    (memory, progress)
}

/// Services that Swarm runs in this stack and the compose file does not have (any more): deploys do not prune.
#[must_use]
pub fn not_wanted(wanted: &Wanted, snapshot: &Snapshot) -> Vec<String> {
    let known = |name: &str| wanted.services.iter().any(|service| service.name == name);
    snapshot.services.iter().map(|service| service.name.clone()).filter(|name| !known(name)).collect()
}

impl View<'_> {
    fn judge(&self) -> Progress {
        let failures = if self.rules.fail_fast { self.failures() } else { Vec::new() };
        if !failures.is_empty() {
            return Progress::Failed(self.with_old_versions(failures));
        }
        let waiting_for = self.waiting_for();
        if waiting_for.is_empty() {
            return Progress::Converged;
        }
        if let Some(finding) = self.out_of_time(&waiting_for) {
            let mut findings = self.with_old_versions(vec![finding]);
            // A clock explains nothing: an old version that still runs does.
            findings.sort_by_key(|finding| finding.kind != FindingKind::OldVersionRunning);
            return Progress::Failed(findings);
        }
        let warning = self.quiet_warning(&waiting_for);
        Progress::Starting { waiting_for, warning }
    }

    /// All that says that it will never run, the best explanation first, one per service.
    fn failures(&self) -> Vec<Finding> {
        let mut findings = self.blocked_tasks();
        findings.extend(self.failed_updates());
        findings.extend(self.memory_kills());
        findings.extend(self.healthcheck_kills());
        findings.extend(self.crash_loops());
        let mut told = std::collections::BTreeSet::new();
        findings.retain(|finding| told.insert(finding.service.clone()) || finding.kind == FindingKind::RolledBack);
        self.with_what_is_half_made(findings)
    }

    /// What does not come up may need a peer that was killed in its first start: that is the cause, and is told first.
    fn with_what_is_half_made(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        use FindingKind::{CrashLoop, ExitsAtOnce, KilledByHealthcheck};
        let by_itself = |it: &&Finding| matches!(it.kind, CrashLoop | ExitsAtOnce | KilledByHealthcheck);
        let named = findings.first().filter(by_itself).and_then(|first| first.service.as_deref());
        let service = self.wanted.services.iter().find(|service| Some(service.name.as_str()) == named);
        let Some(half_made) = service.and_then(|service| self.half_made(service)) else { return findings };
        // Where it has a finding of its own, that knows more.
        let own = findings.iter().position(|finding| finding.service == half_made.service);
        let first = own.map_or(half_made, |own| findings.remove(own));
        findings.insert(0, first);
        findings
    }

    /// The findings, followed by one for each of their services that still runs an old task.
    fn with_old_versions(&self, mut findings: Vec<Finding>) -> Vec<Finding> {
        let whole_stack = findings.iter().any(|finding| finding.service.is_none());
        let old = self.wanted.services.iter().filter(|service| {
            let told = findings.iter().any(|finding| finding.service.as_deref() == Some(service.name.as_str()));
            (told || whole_stack) && !self.is_converged(service) && self.runs_an_old_task(service)
        });
        let more: Vec<Finding> = old
            .map(|service| {
                let sentence = sentences::old_version(&service.name);
                self.finding(FindingKind::OldVersionRunning, sentence).about(&service.name)
            })
            .collect();
        findings.extend(more);
        findings
    }

    fn runs_an_old_task(&self, service: &WantedService) -> bool {
        use super::swarm::TaskState::Running;
        let wanted = current::Template::of(&service.template);
        self.snapshot.tasks.iter().any(|task| {
            task.service_id == service.id
                && task.state == Running
                && task.desired == Running
                && !wanted.is_that_of(&task.spec)
        })
    }

    fn update_state(&self, service: &WantedService) -> Option<UpdateState> {
        self.seen(service).and_then(|seen| seen.update.as_ref()).map(|update| update.state)
    }

    fn seen(&self, service: &WantedService) -> Option<&Service> {
        self.snapshot.services.iter().find(|seen| seen.id == service.id)
    }

    /// A finding decided now.
    fn finding(&self, kind: FindingKind, sentence: String) -> Finding {
        Finding::new(kind, self.stage, self.snapshot.at, sentence)
    }
}

/// From `earlier` to `later`; nothing when it is the other way round.
fn between(earlier: Timestamp, later: Timestamp) -> Duration {
    Duration::try_from(later.duration_since(earlier)).unwrap_or_default()
}
