//! Drives runs: those that were started now, and those that an earlier process was driving.

use std::time::Duration;

use super::{Service, held};
use crate::adapters::store::{Asked, End, RunState};
use crate::domain::cancellation::Cancellation;
use crate::domain::verdict::Verdict;
use crate::engine::EngineError;
use crate::engine::run::Run;

/// A run that could not be driven is tried again after this.
const REST: Duration = Duration::from_secs(10);

impl Service {
    /// Takes up every run that should run and that nobody drives, and ends those that were cancelled, whoever did that.
    pub(super) async fn drive_what_runs(&self) -> Result<(), EngineError> {
        let running = self.shared.gate.store.open_runs().await?;
        let ours = |run: &Asked| run.state == RunState::Running && run.repository.is_some();
        for run in running.into_iter().filter(ours) {
            let driven = held(&self.shared.driven).get(&run.id).cloned();
            match driven {
                Some(cancel) if run.cancelled.is_some() => cancel.cancel(),
                Some(_) => {}
                None if self.is_resting(&run) => {}
                None => self.drive(run),
            }
        }
        Ok(())
    }

    fn is_resting(&self, run: &Asked) -> bool {
        held(&self.shared.resting).get(&run.id).is_some_and(|until| self.shared.clock.steady() < *until)
    }

    /// Drives a run in a task of its own.
    pub(super) fn drive(&self, run: Asked) {
        let cancel = tokio_util::sync::CancellationToken::new();
        held(&self.shared.driven).insert(run.id.clone(), cancel.clone());
        let service = self.clone();
        self.shared.tasks.spawn(async move {
            if let Err(error) = service.drive_to_its_end(&run, &cancel).await {
                tracing::error!(%error, run = run.number, "a run could not be driven to its end; it is taken up again");
                held(&service.shared.resting).insert(run.id.clone(), service.shared.clock.steady() + REST);
            }
            held(&service.shared.driven).remove(&run.id);
            *held(&service.shared.history) = None;
            service.shared.wake.work.notify_one();
        });
    }

    async fn drive_to_its_end(
        &self,
        row: &Asked,
        cancel: &tokio_util::sync::CancellationToken,
    ) -> Result<(), EngineError> {
        let gate = self.shared.gate.clone();
        let run = async {
            let plan = Run::stored_plan(&gate.store, &row.id).await?;
            let Some(target) = self.shared.targets.iter().find(|target| target.name == plan.target).cloned() else {
                return Err(EngineError::Target(format!("its target {} is not configured any more", plan.target)));
            };
            Run::open(gate.clone(), plan, target, None).await
        };
        let run = match run.await {
            Ok(run) => run,
            Err(error @ (EngineError::OtherProtocol { .. } | EngineError::Unreadable(_))) => {
                return self.requeue(row, &error).await;
            }
            Err(error @ EngineError::Target(_)) => {
                self.cancel(&row.id, &Cancellation::Because(error.to_string())).await?;
                return self.end_early(row).await;
            }
            Err(error) => return Err(error),
        };
        let linked = run.cancel();
        let results = {
            let driving = run.drive();
            tokio::pin!(driving);
            tokio::select! {
                results = &mut driving => results,
                () = cancel.cancelled() => {
                    linked.cancel();
                    driving.await
                }
            }
        }?;
        let target = run.plan().target.clone();
        drop(run);
        self.judge_target(&target, &results).await
    }

    /// Another version of cc-ci made its plan: it is started anew, once.
    async fn requeue(&self, row: &Asked, error: &EngineError) -> Result<(), EngineError> {
        if self.shared.gate.store.requeue(&row.id).await? {
            tracing::warn!(%error, run = row.number, "a run of another version is started anew");
            return Ok(());
        }
        self.cancel(&row.id, &Cancellation::Because(error.to_string())).await?;
        self.end_early(row).await
    }

    /// A run that never began, or cannot go on, gets its verdict: not judged.
    pub(super) async fn end_early(&self, run: &Asked) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let why = match store.asked_run(&run.id).await? {
            Some(row) => row.cancelled.unwrap_or_default(),
            None => return Ok(()),
        };
        let sentence = format!("not judged: {why}");
        let end = End { verdict: Verdict::NotJudged, sentence: &sentence, level: 0, report: None };
        store.finish(&run.id, &end, self.now()).await?;
        self.shared.wake.work.notify_one();
        Ok(())
    }
}
