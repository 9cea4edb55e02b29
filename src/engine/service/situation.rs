//! The rows of the database as the queue's policy wants them.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::{Service, held};
use crate::adapters::store::{Asked, Cause, NewRequest, RunState};
use crate::domain::command::Keep;
use crate::domain::ids::RunId;
use crate::domain::queue::{
    self, History, PullRequest, REMEMBERED, Running, Situation, Subject, Switches, TargetFacts, TargetState, Waiting,
    Why, explain_all,
};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// History changes when a run ends; it is not read more often than this.
const HISTORY_AGE: Duration = Duration::from_secs(30);

/// Everything a decision depends on, owned.
#[derive(Debug)]
pub(super) struct Situated {
    pub(super) waiting: Vec<Waiting>,
    /// Their commits are still fetched: they have a place, but cannot start.
    pub(super) fetching: Vec<Waiting>,
    pub(super) running: Vec<Running>,
    pub(super) targets: Vec<TargetFacts>,
    pub(super) switches: Switches,
    /// Why it is paused.
    pub(super) paused_because: String,
    pub(super) history: Arc<History>,
    now: Timestamp,
}

impl Situated {
    /// What the policy decides on.
    pub(super) fn situation<'a>(&'a self, waiting: &'a [Waiting]) -> Situation<'a> {
        Situation { waiting, running: &self.running, targets: &self.targets, switches: self.switches, now: self.now }
    }

    /// How each run that waits stands.
    pub(super) fn explained(&self) -> BTreeMap<RunId, Why> {
        let waiting: Vec<Waiting> = self.waiting.iter().chain(&self.fetching).cloned().collect();
        explain_all(&self.situation(&waiting), &self.history)
    }
}

impl Service {
    /// The situation of these open runs.
    pub(super) async fn situation(&self, open: &[Asked]) -> Result<Situated, EngineError> {
        let history = self.history().await?;
        let switched = self.shared.gate.store.switches().await?;
        let running: Vec<Running> = open.iter().filter_map(|run| running(run, &history, self.limit(run))).collect();
        let of = |state: RunState| -> Vec<Waiting> {
            let rows = open.iter().filter(|run| run.state == state && run.cancelled.is_none());
            rows.filter_map(|run| waiting(run, self.limit(run))).collect()
        };
        Ok(Situated {
            waiting: of(RunState::Queued),
            fetching: of(RunState::Fetching),
            targets: self.target_facts(&running).await?,
            running,
            switches: Switches { paused: switched.pause.is_some(), draining: switched.drain.is_some() },
            paused_because: switched.held().map(|on| on.value.clone()).unwrap_or_default(),
            history,
            now: self.now(),
        })
    }

    /// How each run that waits stands at this moment.
    pub(super) async fn explained(&self) -> Result<BTreeMap<RunId, Why>, EngineError> {
        let open = self.shared.gate.store.open_runs().await?;
        Ok(self.situation(&open).await?.explained())
    }

    async fn target_facts(&self, running: &[Running]) -> Result<Vec<TargetFacts>, EngineError> {
        let known = self.shared.gate.store.targets().await?;
        let facts = self.shared.targets.iter().map(|target| {
            let known = known.iter().find(|known| known.name == target.name);
            let ours = running.iter().any(|run| run.target == target.name);
            let state = known.map_or(TargetState::Unknown, |it| it.state);
            // Of several runs, one may have said so while the others go on.
            let distrusted = target.capacity.get() > 1 && state == TargetState::Quarantined;
            TargetFacts {
                name: target.name.clone(),
                capacity: target.capacity.get(),
                state: if ours && !distrusted { TargetState::Leased } else { state },
                draining: false,
                images: self.shared.sessions.images(&target.name),
            }
        });
        Ok(facts.collect())
    }

    pub(super) async fn history(&self) -> Result<Arc<History>, EngineError> {
        if let Some((read_at, history)) = &*held(&self.shared.history)
            && self.shared.clock.steady().duration_since(*read_at) < HISTORY_AGE
        {
            return Ok(Arc::clone(history));
        }
        let mut history = History::default();
        for (recipe, verdict, took) in self.shared.gate.store.durations(REMEMBERED).await? {
            history.record(&recipe, verdict, took);
        }
        let history = Arc::new(history);
        *held(&self.shared.history) = Some((self.shared.clock.steady(), Arc::clone(&history)));
        Ok(history)
    }

    fn limit(&self, run: &Asked) -> Duration {
        let keep = run.options.keep.map_or(0, Keep::seconds);
        Duration::from_secs(self.shared.watched.limits.total_seconds + keep)
    }

    /// A request as the policy wants it. Its needs are known once its commit is fetched.
    pub(super) fn as_waiting(new: &NewRequest<'_>, limit_seconds: u64) -> Waiting {
        let pr = new.pull.map(|pull| pull_request(&new.repository.to_string(), pull.get()));
        Waiting {
            run: new.id.clone(),
            subject: Subject {
                recipe: new.recipe.clone(),
                pr,
                head: new.head.clone(),
                options: new.options.to_string(),
            },
            cause: cause(new.cause, new.attempt),
            weight: NonZeroU32::MIN,
            ports: Vec::new(),
            images: BTreeSet::new(),
            queued_at: new.queued_at,
            limit: Duration::from_secs(limit_seconds),
        }
    }
}

fn pull_request(repo: &str, number: i64) -> PullRequest {
    PullRequest { repo: repo.to_ascii_lowercase(), number: number.unsigned_abs() }
}

const fn cause(cause: Cause, attempt: u8) -> queue::Cause {
    match cause {
        Cause::CommandLine | Cause::PullRequest if attempt > 1 => queue::Cause::Retry,
        Cause::CommandLine | Cause::PullRequest => queue::Cause::Pr,
        Cause::PostMerge => queue::Cause::PostMerge,
        Cause::Sweep => queue::Cause::Sweep,
    }
}

/// `None`: a run of the command line that names no commit.
fn subject(run: &Asked) -> Option<Subject> {
    let repo = run.repository.as_ref().map(ToString::to_string).unwrap_or_default();
    Some(Subject {
        recipe: run.recipe.clone(),
        pr: run.pull.map(|pull| pull_request(&repo, pull.get())),
        head: run.head.clone()?,
        options: run.options.to_string(),
    })
}

fn waiting(run: &Asked, limit: Duration) -> Option<Waiting> {
    Some(Waiting {
        run: run.id.clone(),
        subject: subject(run)?,
        cause: cause(run.cause, run.attempt),
        weight: NonZeroU32::new(run.needs.weight).unwrap_or(NonZeroU32::MIN),
        ports: run.needs.ports.clone(),
        images: run.needs.images.clone(),
        queued_at: run.queued_at,
        limit,
    })
}

fn running(run: &Asked, history: &History, limit: Duration) -> Option<Running> {
    if run.state != RunState::Running {
        return None;
    }
    Some(Running {
        run: run.id.clone(),
        subject: subject(run)?,
        target: run.target.clone()?,
        weight: NonZeroU32::new(run.needs.weight).unwrap_or(NonZeroU32::MIN),
        ports: run.needs.ports.clone(),
        stage: run.stage.unwrap_or(Stage::Prepare),
        started_at: run.started_at.unwrap_or(run.queued_at),
        usual: history.usual(&run.recipe),
        limit,
    })
}
