//! Removes what dead runs of this gate left on a target, by ownership: never by age, never everything, never another
//! gate's.

use std::collections::BTreeMap;

use bollard::Docker;
use jiff::Timestamp;

use super::state::StateFolder;
use super::{EngineError, claim};
use crate::adapters::docker::runner;
use crate::adapters::docker::undeploy::undeploy;
use crate::adapters::store::{End, StageState, Store};
use crate::domain::ids::{GateId, RunId, StackName};
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;
use crate::engine::plan::Plan;

/// What a sweep needs.
#[derive(Debug)]
pub struct Sweep<'a> {
    /// The target's engine.
    pub docker: &'a Docker,
    /// The target's name.
    pub target: &'a str,
    /// The state folder.
    pub state: &'a StateFolder,
    /// The database.
    pub store: &'a Store,
    /// This gate.
    pub gate: &'a GateId,
    /// A run that is not swept: the one that asks.
    pub but: Option<&'a RunId>,
}

impl Sweep<'_> {
    /// Removes stack, runner container and claim of each dead run of this gate, and gives the run its verdict: not
    /// judged. Returns one line per run that was swept.
    ///
    /// # Errors
    /// When the target does not answer or something stays.
    pub async fn sweep(&self, say: impl Fn(&str)) -> Result<Vec<String>, EngineError> {
        let mut swept = Vec::new();
        for (run, remains) in self.dead_runs().await? {
            for stack in &remains.stacks {
                undeploy(self.docker, stack, |line| say(&line)).await?;
            }
            for container in &remains.runners {
                runner::remove(self.docker, container).await?;
            }
            self.forget(&run).await?;
            swept.push(format!("swept run {run}: {}", remains.described()));
        }
        if let Some(Some(claim)) = claim::current(self.docker).await?
            && claim.gate == *self.gate
            && claim.runs.keys().all(|run| Some(run) != self.but && !self.state.is_alive(run))
        {
            claim::clear(self.docker, &claim).await?;
            let runs: Vec<&str> = claim.runs.keys().map(RunId::as_str).collect();
            swept.push(format!("removed the claim of run {}", runs.join(", ")));
        }
        Ok(swept)
    }

    /// Runs of this gate without a living process: by the labels of their runner containers, and by the database.
    async fn dead_runs(&self) -> Result<BTreeMap<RunId, Remains>, EngineError> {
        let mut dead: BTreeMap<RunId, Remains> = BTreeMap::new();
        for found in runner::find_all(self.docker).await? {
            if let (Some(gate), Some(run)) = (&found.gate, &found.run)
                && gate == self.gate
            {
                let remains = dead.entry(run.clone()).or_default();
                remains.runners.push(found.id);
                remains.stacks.extend(found.stack);
            }
        }
        for run in self.store.unfinished(self.target).await? {
            let plan = self.store.run(&run).await?.and_then(|row| serde_json::from_str::<Plan>(&row.plan).ok());
            let remains = dead.entry(run).or_default();
            if let Some(plan) = plan
                && !remains.stacks.contains(&plan.stack)
            {
                remains.stacks.push(plan.stack);
            }
        }
        dead.retain(|run, _| Some(run) != self.but && !self.state.is_alive(run));
        Ok(dead)
    }

    async fn forget(&self, run: &RunId) -> Result<(), EngineError> {
        let now = Timestamp::now();
        for row in self.store.stages(run).await?.into_iter().filter(|row| row.state == StageState::Running) {
            self.store.end_stage(run, row.stage, StageState::Interrupted, Some("its process died"), now).await?;
        }
        self.store.end_stage(run, Stage::Teardown, StageState::Done, Some("swept"), now).await?;
        self.store.cancel(run, "its process died; what it left was swept").await?;
        let end = End {
            verdict: Verdict::NotJudged,
            sentence: "not judged: its process died; what it left was swept",
            level: 0,
            report: None,
        };
        self.store.finish(run, &end, now).await?;
        Ok(())
    }
}

/// What is left of a run.
#[derive(Debug, Default)]
struct Remains {
    runners: Vec<String>,
    stacks: Vec<StackName>,
}

impl Remains {
    fn described(&self) -> String {
        let stacks = self.stacks.iter().map(ToString::to_string).collect::<Vec<_>>().join(", ");
        let runner = if self.runners.is_empty() { "" } else { " and its runner container" };
        format!("stack {stacks}{runner}")
    }
}
