//! What a run is and what it came to so far, for the run plan.

use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::store::StageState;
use crate::domain::backup::{BackupPlan, backup};
use crate::domain::deployment::Deployment;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::run_plan::{Came, Shape, SoFar};
use crate::domain::stage::{Rung, Stage};
use crate::engine::EngineError;

impl Run {
    /// What this run is. Files are read for it: it changes only with the base, when one that does not deploy is skipped.
    pub(super) fn shape(&self) -> Shape {
        let tests = self.tests();
        let head = self.plan.deployment(&self.files, &self.target, tests).ok();
        let none = || Err("the recipe cannot be deployed".to_owned());
        Shape {
            base: self.base_or_why(),
            data: head.as_ref().map_or_else(none, |head| self.data_or_why(head)),
            backup: head.as_ref().map_or_else(none, |head| self.backup_or_why(head)),
            checks: !tests.checks.is_empty(),
            extra: self.extra_or_why(),
            keep: self.plan.keep_seconds.is_some(),
            only: self.plan.only.clone(),
        }
    }

    fn base_or_why(&self) -> Result<String, String> {
        if let Some(why) = self.tests().not_applicable.get(&Rung::Upgrade) {
            return Err(why.clone());
        }
        match (self.the_base(), &self.plan.base) {
            (Some(older), _) => Ok(older.base.name.clone()),
            (None, Some(base)) => Err(base.why.to_string()),
            (None, None) => Err("no base was looked for".to_owned()),
        }
    }

    /// Volumes are those of what is deployed first.
    fn data_or_why(&self, head: &Deployment) -> Result<(), String> {
        let older = self.the_base().and_then(|older| {
            self.plan.deployment_of(older.files, older.base.commit.short(), &self.target, self.tests()).ok()
        });
        let volumes = older.as_ref().unwrap_or(head).services.iter().flat_map(|service| &service.mounts);
        let mut volumes = volumes.filter(|mount| mount.kind == "volume" && mount.source.is_some());
        if volumes.next().is_some() || !self.tests().seeds.is_empty() {
            return Ok(());
        }
        Err("there is no volume, and no seed is declared".to_owned())
    }

    fn backup_or_why(&self, head: &Deployment) -> Result<(), String> {
        if let Some(why) = self.tests().not_applicable.get(&Rung::Backup) {
            return Err(why.clone());
        }
        backup(&head.services).map(|_| ()).map_err(|none| none.why)
    }

    fn extra_or_why(&self) -> Result<(), String> {
        match (self.tests().extras.is_empty(), self.plan.extra) {
            (false, true) => Ok(()),
            (false, false) => Err("not asked for".to_owned()),
            (true, _) => Err("none declared".to_owned()),
        }
    }

    /// What it came to so far.
    pub(super) async fn so_far(&self, live: &Live) -> Result<SoFar, EngineError> {
        let rows = self.gate.store.stages(&self.plan.run).await?;
        let findings = self.gate.store.findings(&self.plan.run).await?;
        let came = |state| match state {
            StageState::Running => None,
            StageState::Done => Some(Came::Done),
            StageState::Failed | StageState::Skipped | StageState::Interrupted => Some(Came::Not),
        };
        let mut so_far = SoFar {
            stages: rows.iter().filter_map(|row| Some((row.stage, came(row.state)?))).collect(),
            ..SoFar::default()
        };
        so_far.over = self.over(&so_far, &findings).await?;
        so_far.up = live.watch.is_some() || so_far.stages.get(&Stage::Install) == Some(&Came::Done);
        for finding in &findings {
            so_far.causes.entry(finding.stage).or_insert_with(|| finding.sentence.clone());
        }
        so_far.app_failed_in =
            findings.iter().filter(|finding| is_of_the_app(finding)).map(|found| found.stage).collect();
        Ok(so_far)
    }

    /// Why nothing more can be deployed.
    async fn over(&self, so_far: &SoFar, findings: &[Finding]) -> Result<Option<String>, EngineError> {
        let install_open = !so_far.stages.contains_key(&Stage::Install);
        let why = if self.was_cancelled().await? {
            "cancelled"
        } else if findings.iter().any(|finding| finding.stage == Stage::Install) && install_open {
            // What keeps head from being deployed onto nothing, too: it may not, or its images do not come.
            "it was not tried: see the cause"
        } else if findings.iter().any(|finding| finding.kind == FindingKind::TargetUnreachable) {
            "the target had been lost"
        } else if self.time_left().is_zero() {
            "the total limit had passed"
        } else {
            return Ok(None);
        };
        Ok(Some(why.to_owned()))
    }

    /// How head's backup is made.
    pub(super) fn backup_plan(&self, live: &Live) -> Result<BackupPlan, Stop> {
        Ok(backup(&self.deployment(live)?.services).map_err(|none| EngineError::Unreadable(none.why))?)
    }
}

/// Whether it tells that the app does not run any more, and not only what was seen of it.
const fn is_of_the_app(finding: &Finding) -> bool {
    !matches!(
        finding.kind,
        FindingKind::CheckFailed
            | FindingKind::DataLost
            | FindingKind::BackupEmpty
            | FindingKind::HookFailed
            | FindingKind::RestoreFailed
            | FindingKind::TestsInvalid
            | FindingKind::Flake
    )
}
