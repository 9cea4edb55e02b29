//! From one stage to the next, to the verdict: each stage looks whether an earlier process has ended it.

use std::time::Duration;

use jiff::Timestamp;

use super::host::Witness;
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::store::StageState;
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::results::{By, Results};
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

    /// Everything between the claim and teardown.
    async fn work(&self, live: &mut Live) -> Result<(), EngineError> {
        if !self.stage(Stage::Prepare, None, Box::pin(self.prepare(live))).await? {
            return Ok(());
        }
        if !self.stage(Stage::Lint, None, Box::pin(self.lint(live))).await? {
            return self.skip(Stage::Install, "a lint error provably stops the deploy").await;
        }
        let witness = live.witness();
        let host = Some(&witness);
        if !self.before_the_install(live, &witness).await? {
            return Ok(());
        }
        let installed = self.stage(Stage::Install, host, Box::pin(self.install(live))).await?;
        self.collect(live).await?;
        if let Some(seconds) = self.plan.keep_seconds {
            let up = live.watch.is_some() || installed;
            if up && !self.was_cancelled().await? {
                self.stage(Stage::Keep, host, Box::pin(self.keep(live, seconds))).await?;
            } else {
                self.skip(Stage::Keep, "nothing is up to be kept").await?;
            }
        }
        Ok(())
    }

    /// Base, upgrade and destroy. Returns whether there can be an install now.
    async fn before_the_install(&self, live: &mut Live, host: &Witness) -> Result<bool, EngineError> {
        let Some(older) = self.the_base() else {
            let why = self
                .plan
                .base
                .as_ref()
                .map_or_else(|| "no base was looked for".to_owned(), |base| base.why.to_string());
            for stage in [Stage::Base, Stage::Upgrade, Stage::Destroy] {
                self.skip(stage, &why).await?;
            }
            return Ok(true);
        };
        if self.stage(Stage::Base, Some(host), Box::pin(self.base(live, older))).await? {
            self.stage(Stage::Upgrade, Some(host), Box::pin(self.upgrade(live, older))).await?;
        } else {
            let found = self.gate.store.findings(&self.plan.run).await?;
            let why =
                found.iter().find(|finding| finding.stage == Stage::Base).map(|finding| finding.sentence.as_str());
            let (name, why) = (&older.0.name, why.unwrap_or("it was interrupted"));
            self.skip(Stage::Upgrade, &format!("base {name} does not deploy: {why}")).await?;
        }
        let rows = self.gate.store.stages(&self.plan.run).await?;
        if rows.iter().any(|row| row.stage == Stage::Destroy && row.state == StageState::Done) {
            return Ok(true);
        }
        let findings = self.gate.store.findings(&self.plan.run).await?;
        let over = if findings.iter().any(|finding| finding.stage == Stage::Install) {
            // What head may not do onto nothing either was told before the base was deployed.
            Some("it was not tried: see the cause")
        } else if findings.iter().any(|finding| finding.kind == FindingKind::TargetUnreachable) {
            Some("the target had been lost")
        } else if self.time_left().is_zero() {
            Some("the total limit had passed")
        } else {
            None
        };
        if over.is_some() || self.was_cancelled().await? {
            self.skip(Stage::Destroy, over.unwrap_or("cancelled")).await?;
            if let Some(why) = over {
                self.skip(Stage::Install, why).await?;
            }
            return Ok(false);
        }
        // Afterwards nothing is left of an upgrade to look at.
        if findings.iter().any(|finding| finding.stage == Stage::Upgrade) {
            self.collect(live).await?;
        }
        if self.stage(Stage::Destroy, Some(host), Box::pin(self.destroy(live))).await? {
            return Ok(true);
        }
        self.skip(Stage::Install, "what was there before could not be destroyed").await?;
        Ok(false)
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
    fn masked(&self, finding: &Finding) -> Finding {
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
