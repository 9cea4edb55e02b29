//! Starts what may start, where the queue's policy says, and tells the others why they wait.

use super::Service;
use crate::adapters::git::Source;
use crate::adapters::store::{Asked, RunState};
use crate::domain::cancellation::Cancellation;
use crate::domain::command::Keep;
use crate::domain::protocol::PROTOCOL;
use crate::domain::queue::decide;
use crate::domain::results::Revision;
use crate::domain::target::Target;
use crate::engine::EngineError;
use crate::engine::base::BASE;
use crate::engine::plan::{Plan, Requested, load_files, load_tests};

impl Service {
    /// Starts each run that the policy starts; one that must wait does not hold up those behind it.
    pub(super) async fn schedule(&self) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let mut open = store.open_runs().await?;
        for run in open.iter().filter(|run| run.cancelled.is_some() && run.state != RunState::Running) {
            self.end_early(run).await?;
        }
        open.retain(|run| run.cancelled.is_none() || run.state == RunState::Running);
        let mut situated = self.situation(&open).await?;
        let starts = decide(&situated.situation(&situated.waiting));
        let started = !starts.is_empty();
        for start in starts {
            let run = open.iter().find(|run| run.id == start.run);
            let target = self.shared.targets.iter().find(|target| target.name == start.target);
            if let (Some(run), Some(target)) = (run, target) {
                self.start(run, target).await?;
            }
        }
        if started {
            open = store.open_runs().await?;
            situated = self.situation(&open).await?;
        }
        self.tell_progress(&open, &situated).await
    }

    async fn start(&self, run: &Asked, target: &Target) -> Result<(), EngineError> {
        let plan = match self.plan(run, target).await {
            Ok(plan) => plan,
            Err(error) => {
                // Nobody can start it as it is stored, now or later.
                let why = Cancellation::Because(format!("it could not be planned: {error}"));
                return self.cancel(&run.id, &why).await;
            }
        };
        let json = serde_json::to_string(&plan).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        let store = &self.shared.gate.store;
        if store.start(&run.id, target.name.as_str(), plan.stack.as_str(), &json, PROTOCOL, self.now()).await? {
            self.drive(run.clone());
        }
        Ok(())
    }

    /// The frozen inputs: from what was stored when the commit was fetched, never looked up again.
    async fn plan(&self, run: &Asked, target: &Target) -> Result<Plan, EngineError> {
        let (Some(head), Some(repository)) = (&run.head, &run.repository) else {
            return Err(EngineError::Unreadable("it names no commit".to_owned()));
        };
        let source = Source {
            name: run.recipe.clone(),
            revision: Revision {
                commit: Some(head.clone()),
                version: None,
                dirty: false,
                source: self.shared.forge.git_url(repository),
            },
            chaos_version: head.short().to_owned(),
            files: load_files(&self.shared.gate.state.run(&run.id).recipe())?,
        };
        let requested = Requested {
            keep_seconds: run.options.keep.map(Keep::seconds),
            extra: run.options.extra,
            only: run.options.only.iter().copied().collect(),
            with_tests: run.options.with_tests,
        };
        let base = self.shared.gate.store.fact(&run.id, BASE).await?;
        let tests = load_tests(&self.shared.gate.state.run(&run.id).tests())?;
        Plan::new(run.id.clone(), &source, base, target, requested, self.shared.watched.limits, tests.as_ref())
    }
}
