//! Conclude: facts to results, results to files, and the one verdict into the database.

use jiff::Timestamp;

use super::Run;
use super::backup::ARCHIVED;
use super::checks::{CHECKS, EXTRA, UPGRADE_CHECKS};
use super::data::{AFTER_RESTORE, AFTER_UPGRADE};
use super::deploy::{Deploy, Fact};
use super::evidence::RESOURCES;
use super::host::LOADS;
use super::images::{PULL_WARNINGS, PULLS};
use super::install::{IMAGES, NOTES};
use super::lint::LINT;
use super::power::HOST_POWER;
use super::prepare::ENGINE;
use super::seed::SEEDED;
use super::teardown::NOTHING_LEFT;
use super::upgrade::UPGRADE_NOTES;
use crate::adapters::store::{End, Report, StageState};
use crate::domain::backup::backup;
use crate::domain::checks::Checked;
use crate::domain::convergence::{Memory, Wanted};
use crate::domain::deployment::Deployment;
use crate::domain::lint::RULES;
use crate::domain::results::{
    By, Converged, DataFacts, Deploys, Driver, FloorFacts, LintLine, Mark, Results, RunFacts, StageOutcome, Target,
    Timing, conclude, ms_between,
};
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;
use crate::engine::EngineError;

impl Run {
    /// Gives the run its verdict and writes its files.
    pub(super) async fn conclude(&self) -> Result<Results, EngineError> {
        // What an app has shown, a page's title for one, may hold its secrets.
        let results = self.log.masked_value(&conclude(self.facts().await?));
        let mut results = results.map_err(|error| EngineError::Unreadable(error.to_string()))?;
        match results.verdict {
            Verdict::NotJudged => self.log.say(&results.sentence),
            Verdict::Green | Verdict::Red => self.log.say(format!("{}: {}", results.verdict.name(), results.sentence)),
        }
        // From here on nothing more is logged: the results say how long each file is, and its hash.
        let log = self.whole_log()?;
        self.pack(&log).await;
        results.artefacts = self.artefacts()?;
        let (json, signature) = self.write_files(&results, &log)?;
        let report = Some(Report { results: &json, signature: signature.as_deref() });
        let end = End { verdict: results.verdict, sentence: &results.sentence, level: results.level, report };
        self.gate.store.add_flakes(&self.plan.run, &self.plan.recipe, &results.findings).await?;
        self.gate.store.finish(&self.plan.run, &end, results.finished).await?;
        Ok(results)
    }

    async fn facts(&self) -> Result<RunFacts, EngineError> {
        let (store, run) = (&self.gate.store, &self.plan.run);
        let rows = store.stages(run).await?;
        let outcome = |state, reason: Option<String>| match state {
            StageState::Done => StageOutcome::Done,
            StageState::Failed => StageOutcome::Failed,
            StageState::Skipped => StageOutcome::Skipped(reason.unwrap_or_default()),
            StageState::Running | StageState::Interrupted => StageOutcome::Interrupted,
        };
        let ended = |stage| rows.iter().any(|row| row.stage == stage && row.state == StageState::Done);
        let repeated = store.fact::<Converged>(run, Deploy::Repeat.key(Fact::Converged)).await?.is_some();
        let mut floor = self.floor_of(if repeated { Deploy::Repeat } else { Deploy::Fresh }).await?;
        floor.nothing_left = store.fact(run, NOTHING_LEFT).await?;
        let lint: Option<Vec<LintLine>> = store.fact(run, LINT).await?;
        let mut head = self.plan.head.clone();
        let deployment = self.plan.deployment(&self.files, &self.target, self.tests()).ok();
        head.version = deployment.as_ref().and_then(|deployment| deployment.version.as_ref()).map(ToString::to_string);
        let mut warnings: Vec<String> = store.fact(run, NOTES).await?.unwrap_or_default();
        warnings.extend(store.fact::<Vec<String>>(run, UPGRADE_NOTES).await?.unwrap_or_default());
        warnings.extend(self.skipped.get().and_then(|_| Some(format!("base: {}", self.resolution()?.why))));
        warnings.extend(store.fact::<Vec<String>>(run, PULL_WARNINGS).await?.unwrap_or_default());
        warnings.extend(self.log.broken().map(|why| format!("the log is not complete: {why}")));
        Ok(RunFacts {
            run: run.clone(),
            recipe: self.plan.recipe.clone(),
            head,
            base: self.resolution(),
            kept: ended(Stage::Keep),
            stages: rows.iter().map(|row| (row.stage, outcome(row.state, row.reason.clone()))).collect(),
            findings: store.findings(run).await?,
            floor,
            upgrade: self.floor_of(Deploy::Upgrade).await?,
            data: self.data_facts(deployment.as_ref()).await?,
            checks_declared: u32::try_from(self.tests().checks.len()).unwrap_or(u32::MAX),
            checks: self.checked().await?,
            extras_left: self.extras_left(),
            only: self.plan.only.clone(),
            with_tests: self.plan.with_tests,
            not_applicable: self.tests().not_applicable.clone(),
            host_power: store.fact(run, HOST_POWER).await?,
            tests: self.plan.tests.clone(),
            lint_rules: if lint.is_some() { u32::try_from(RULES.len()).unwrap_or(u32::MAX) } else { 0 },
            lint: lint.unwrap_or_default(),
            cancelled: self.was_cancelled().await?,
            timings: self.timings().await?,
            marks: self.marks().await?,
            host: store.fact(run, LOADS).await?.unwrap_or_default(),
            deploys: Deploys {
                fresh: self.calls(Deploy::Base).await?
                    + self.calls(Deploy::NextBase).await?
                    + self.calls(Deploy::Fresh).await?
                    + self.calls(Deploy::Repeat).await?
                    + self.calls(Deploy::Again).await?,
                upgrade: self.calls(Deploy::Upgrade).await?,
            },
            images: store.fact(run, IMAGES).await?.unwrap_or_default(),
            pulls: store.fact(run, PULLS).await?.unwrap_or_default(),
            driver: Driver { name: "stack".to_owned(), version: env!("CARGO_PKG_VERSION").to_owned() },
            target: Target {
                name: self.plan.target.clone(),
                engine: store.fact(run, ENGINE).await?,
                domain: Some(self.plan.domain.clone()),
            },
            started: self.created,
            finished: Timestamp::now(),
            warnings,
            resources: store.fact(run, RESOURCES).await?.unwrap_or_default(),
            artefacts: Vec::new(),
        })
    }

    async fn data_facts(&self, head: Option<&Deployment>) -> Result<DataFacts, EngineError> {
        let (store, run) = (&self.gate.store, &self.plan.run);
        Ok(DataFacts {
            seeded: store.fact(run, SEEDED).await?,
            after_upgrade: store.fact(run, AFTER_UPGRADE).await?,
            no_backup: head.and_then(|head| backup(&head.services).err()),
            archived: store.fact(run, ARCHIVED).await?,
            after_restore: store.fact(run, AFTER_RESTORE).await?,
        })
    }

    async fn checked(&self) -> Result<Vec<Checked>, EngineError> {
        let mut checked = Vec::new();
        for key in [UPGRADE_CHECKS, CHECKS, EXTRA] {
            checked.extend(self.gate.store.fact::<Vec<Checked>>(&self.plan.run, key).await?.unwrap_or_default());
        }
        Ok(checked)
    }

    fn extras_left(&self) -> Vec<String> {
        if self.plan.extra {
            return Vec::new();
        }
        self.tests().extras.iter().map(|extra| extra.name.clone()).collect()
    }

    async fn floor_of(&self, deploy: Deploy) -> Result<FloorFacts, EngineError> {
        let (store, run) = (&self.gate.store, &self.plan.run);
        let mut floor: FloorFacts = store.fact(run, deploy.key(Fact::Floor)).await?.unwrap_or_default();
        floor.converged = store.fact(run, deploy.key(Fact::Converged)).await?;
        Ok(floor)
    }

    pub(super) async fn calls(&self, deploy: Deploy) -> Result<u32, EngineError> {
        Ok(self.gate.store.fact(&self.plan.run, deploy.key(Fact::Called)).await?.unwrap_or(0))
    }

    async fn marks(&self) -> Result<Vec<Mark>, EngineError> {
        let mut marks = Vec::new();
        for deploy in Deploy::ALL {
            let memory: Option<Memory> = self.gate.store.fact(&self.plan.run, deploy.key(Fact::Memory)).await?;
            let wanted: Option<Wanted> = self.gate.store.fact(&self.plan.run, deploy.key(Fact::Wanted)).await?;
            marks.extend(memory.zip(wanted).map(|(memory, wanted)| memory.marks(&wanted)).unwrap_or_default());
        }
        Ok(marks.into_iter().map(|(at, what)| Mark { at, what }).collect())
    }

    async fn timings(&self) -> Result<Vec<Timing>, EngineError> {
        let phases = self.gate.store.phases(&self.plan.run).await?;
        Ok(phases
            .into_iter()
            .map(|phase| {
                let end = phase.ended_at.unwrap_or(phase.started_at);
                let by = match phase.by.as_str() {
                    "docker" => By::Docker,
                    "app" => By::App,
                    _ => By::CcCi,
                };
                let ms = ms_between(phase.started_at, end);
                Timing { phase: phase.name, start: phase.started_at, ms, by }
            })
            .collect())
    }
}
