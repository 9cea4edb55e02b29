//! From one stage to the next, to the verdict: each stage looks whether an earlier process has ended it.

use std::time::Duration;

use jiff::Timestamp;

use super::host::Witness;
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::store::StageState;
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::results::{By, Results};
use crate::domain::run_plan::{Next, next};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// How often a run looks whether somebody cancelled it in the database.
const HEED: Duration = Duration::from_secs(1);

impl Run {
    /// Drives the run to its verdict.
    ///
    /// # Errors
    /// Only what keeps the verdict from being stored; everything else is in the results.
    pub async fn drive(&self) -> Result<Results, EngineError> {
        tokio::select! {
            biased;
            results = Box::pin(self.drive_all()) => results,
            never = self.heed_its_row() => never,
        }
    }

    /// Ends the run when somebody cancels it in the database: another process may do that, as `cc-ci cancel` does.
    async fn heed_its_row(&self) -> Result<Results, EngineError> {
        while !self.cancel.is_cancelled() {
            tokio::time::sleep(HEED).await;
            // A database that cannot be read now is asked again.
            if self.gate.store.is_cancelled(&self.plan.run).await.unwrap_or(false) {
                self.log.say("cancelled from outside");
                self.cancel.cancel();
            }
        }
        std::future::pending().await
    }

    async fn drive_all(&self) -> Result<Results, EngineError> {
        if let Some(mut live) = self.reached().await? {
            self.work(&mut live).await?;
            self.stage(Stage::Teardown, None, Box::pin(self.teardown(live))).await?;
        }
        self.conclude().await
    }

    /// Reaches and claims the target. Not cut off by a cancellation: a claim that was taken must be known, to be released.
    async fn reached(&self) -> Result<Option<Live>, EngineError> {
        self.gate.store.begin_stage(&self.plan.run, Stage::Prepare, Timestamp::now()).await?;
        let findings = match self.phase("connect", By::CcCi, self.reach()).await {
            Ok(live) => return Ok(Some(live)),
            Err(Stop::Failed(findings)) => findings,
            Err(Stop::Engine(EngineError::Store(error))) => return Err(error.into()),
            Err(Stop::Engine(error)) => vec![self.not_the_recipes(Stage::Prepare, &error)],
        };
        self.failed(Stage::Prepare, &findings).await?;
        Ok(None)
    }

    /// Everything between the claim and teardown: one stage after the other, as the run plan says.
    async fn work(&self, live: &mut Live) -> Result<(), EngineError> {
        if !self.stage(Stage::Prepare, None, Box::pin(self.prepare(live))).await? {
            return Ok(());
        }
        let witness = live.witness();
        let mut shape = self.shape();
        loop {
            match next(&shape, &self.so_far(live).await?) {
                Next::End => return Ok(()),
                Next::Skip(stage, why) => self.skip(stage, &why).await?,
                Next::Do(stage) => {
                    let host = (stage != Stage::Lint).then_some(&witness);
                    self.stage(stage, host, Box::pin(self.go_through(live, stage))).await?;
                    if stage == Stage::Base {
                        shape = self.shape();
                    }
                }
            }
        }
    }

    async fn go_through(&self, live: &mut Live, stage: Stage) -> Result<(), Stop> {
        match (stage, self.the_base()) {
            (Stage::Lint, _) => self.lint(live).await,
            (Stage::Base, Some(older)) => self.base(live, older).await,
            (Stage::Seed, _) => self.seed(live).await,
            (Stage::Upgrade, Some(older)) => self.upgrade(live, older).await,
            (Stage::Backup, _) => self.backup(live).await,
            (Stage::Destroy, _) => self.destroy(live).await,
            (Stage::Install, _) => self.install(live).await,
            (Stage::Checks, _) => self.checks(live).await,
            (Stage::Restore, _) => self.restore(live).await,
            (Stage::Extra, _) => self.extra(live).await,
            (Stage::Keep, _) => {
                self.collect(live).await?;
                self.keep(live, self.plan.keep_seconds.unwrap_or_default()).await
            }
            (Stage::Prepare | Stage::Base | Stage::Upgrade | Stage::Teardown, _) => Ok(()),
        }
    }

    /// Runs a stage unless it has ended in an earlier process; prepare is gone through in each, since what it opens lives
    /// only there. Returns whether it ended well, now or then. `host` tells how the target's host was meanwhile.
    /// Stages come boxed: one in the other, they are too large for the stack of a worker thread.
    async fn stage(
        &self,
        stage: Stage,
        host: Option<&Witness>,
        work: impl Future<Output = Result<(), Stop>>,
    ) -> Result<bool, EngineError> {
        let store = &self.gate.store;
        let known = store.stages(&self.plan.run).await?.into_iter().find(|row| row.stage == stage).map(|row| row.state);
        match known {
            None | Some(StageState::Running) => {}
            Some(_) if stage == Stage::Prepare => {}
            Some(StageState::Done) => return Ok(true),
            Some(StageState::Failed | StageState::Skipped | StageState::Interrupted) => return Ok(false),
        }
        store.begin_stage(&self.plan.run, stage, Timestamp::now()).await?;
        let mut ended = self.bounded(stage, work).await?;
        if let (Some(host), Some(ended)) = (host, &mut ended) {
            let findings = ended.as_mut().err().map(std::mem::take).unwrap_or_default();
            let left = Box::pin(self.heed_the_host(host, stage, findings)).await?;
            if let Err(findings) = ended {
                *findings = left;
            }
        }
        match ended {
            Some(Ok(())) => {
                store.end_stage(&self.plan.run, stage, StageState::Done, None, Timestamp::now()).await?;
                Ok(true)
            }
            Some(Err(findings)) => {
                self.failed(stage, &findings).await?;
                Ok(false)
            }
            None => {
                self.log.say(format!("cancelled during {}", stage.name()));
                store
                    .end_stage(&self.plan.run, stage, StageState::Interrupted, Some("cancelled"), Timestamp::now())
                    .await?;
                store.cancel(&self.plan.run, "cancelled by the person who started it").await?;
                Ok(false)
            }
        }
    }

    async fn failed(&self, stage: Stage, findings: &[Finding]) -> Result<(), EngineError> {
        for finding in findings {
            self.log.say(format!("{}: {} ({})", finding.kind.name(), finding.sentence, stage.name()));
            self.gate.store.add_finding(&self.plan.run, &self.masked(finding)).await?;
        }
        self.gate.store.end_stage(&self.plan.run, stage, StageState::Failed, None, Timestamp::now()).await?;
        Ok(())
    }

    /// The stage's work within the total limit; `None`: cancelled. Teardown and keep end in their own time.
    async fn bounded(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<(), Stop>>,
    ) -> Result<Option<Result<(), Vec<Finding>>>, EngineError> {
        let own_time = matches!(stage, Stage::Teardown | Stage::Keep);
        let limit = async {
            if own_time {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.time_left()).await;
        };
        let cancelled = async {
            if own_time {
                std::future::pending::<()>().await;
            }
            self.cancel.cancelled().await;
        };
        tokio::select! {
            biased;
            () = cancelled => Ok(None),
            () = limit => Ok(Some(Err(vec![self.total_limit(stage)]))),
            ended = work => match ended {
                Ok(()) => Ok(Some(Ok(()))),
                Err(Stop::Failed(findings)) => Ok(Some(Err(findings))),
                Err(Stop::Engine(EngineError::Store(error))) => Err(error.into()),
                Err(Stop::Engine(error)) => Ok(Some(Err(vec![self.not_the_recipes(stage, &error)]))),
            },
        }
    }

    pub(super) fn time_left(&self) -> Duration {
        let end = self.created + Duration::from_secs(self.plan.limit_seconds);
        Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default()
    }

    pub(super) fn total_limit(&self, stage: Stage) -> Finding {
        let limit = Duration::from_secs(self.plan.limit_seconds);
        Finding::new(FindingKind::Deadline, stage, Timestamp::now(), sentences::total_limit(limit))
    }

    /// An error of the engine as a finding: whatever it is, it is not the recipe's fault.
    pub(super) fn not_the_recipes(&self, stage: Stage, error: &EngineError) -> Finding {
        let text = error.to_string();
        let (sentence, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        let mut finding = Finding::new(FindingKind::TargetUnreachable, stage, Timestamp::now(), sentence);
        if !hint.is_empty() {
            finding.advice = format!("{}.", hint.trim_end_matches('.'));
        }
        finding
    }

    /// Findings quote logs, and logs may hold secrets.
    pub(super) fn masked(&self, finding: &Finding) -> Finding {
        let mut finding = finding.clone();
        finding.sentence = self.log.masked(&finding.sentence);
        for evidence in &mut finding.evidence {
            evidence.text = self.log.masked(&evidence.text);
        }
        finding
    }

    async fn skip(&self, stage: Stage, why: &str) -> Result<(), EngineError> {
        let known = self.gate.store.stages(&self.plan.run).await?;
        if known.iter().all(|row| row.stage != stage) {
            self.gate.store.end_stage(&self.plan.run, stage, StageState::Skipped, Some(why), Timestamp::now()).await?;
        }
        Ok(())
    }

    pub(super) async fn was_cancelled(&self) -> Result<bool, EngineError> {
        Ok(self.gate.store.run(&self.plan.run).await?.is_some_and(|row| row.cancelled.is_some()))
    }

    /// A part of a stage whose time is told apart.
    pub(super) async fn phase<T, E: From<EngineError>>(
        &self,
        name: &str,
        by: By,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let by = match by {
            By::CcCi => "cc-ci",
            By::Docker => "docker",
            By::App => "app",
        };
        let stored = |result: Result<(), crate::adapters::store::StoreError>| {
            result.map_err(|error| E::from(EngineError::from(error)))
        };
        stored(self.gate.store.begin_phase(&self.plan.run, name, by, Timestamp::now()).await)?;
        let result = work.await;
        stored(self.gate.store.end_phase(&self.plan.run, name, Timestamp::now()).await)?;
        result
    }
}
