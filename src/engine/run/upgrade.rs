//! Base and upgrade: an older version that is known, and head deployed over it as its operator would.

use super::deploy::{Deploy, Fact};
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::runner;
use crate::adapters::docker::specs::specs;
use crate::domain::base::Base;
use crate::domain::convergence::Wanted;
use crate::domain::deployment::{Deployment, PlanError};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::proof::{Head, not_running, with_old_tasks};
use crate::domain::recipe::RecipeFiles;
use crate::domain::results::By;
use crate::domain::stage::Stage;
use crate::domain::upgrade::{EnvChange, env_change, over_the_base};
use crate::engine::EngineError;

/// The fact with what operators must know of the upgrade.
pub(super) const UPGRADE_NOTES: &str = "upgrade_notes";

impl Run {
    /// The base and its files, where there is one.
    pub(super) fn the_base(&self) -> Option<(&Base, &RecipeFiles)> {
        Some((self.plan.base.as_ref()?.base.as_ref()?, self.base.as_ref()?))
    }

    /// Deploys the base. Head's images are there first: one that is missing is told before anything is deployed.
    pub(super) async fn base(&self, live: &mut Live) -> Result<(), Stop> {
        self.usable_tests(live)?;
        let head = self.deployment(live)?;
        self.allowed(live, Stage::Install, &head).await?;
        let deployment = self.base_deployment(live)?;
        self.allowed(live, Stage::Base, &deployment).await?;
        let Some((base, files)) = self.the_base() else { return Ok(()) };
        if self.stored::<Wanted>(Deploy::Base.key(Fact::Wanted)).await?.is_none() {
            self.pulled(live, &head).await?;
            self.log.say(format!("base: {} at {}", base.name, base.commit.short()));
            self.put_files(live, Deploy::Base, files).await?;
        }
        self.bring_up(live, Deploy::Base, &deployment).await?;
        self.end_watch(live).await
    }

    /// Deploys head over the base, and proves that head is what runs then.
    pub(super) async fn upgrade(&self, live: &mut Live) -> Result<(), Stop> {
        let Some((base, files)) = self.the_base() else { return Ok(()) };
        let change = env_change(files, &self.files);
        self.store(UPGRADE_NOTES, &notes(base, &change)).await?;
        if !change.missing.is_empty() {
            return Err(Stop::Failed(vec![missing(live, base, &change)]));
        }
        let deployment = self.upgrade_deployment(live)?;
        if self.stored::<Wanted>(Deploy::Upgrade.key(Fact::Wanted)).await?.is_none() {
            self.log.say(format!("upgrade in place: {} to {}", base.name, self.plan.head.label()));
            self.put_files(live, Deploy::Upgrade, &over(files, &self.files, &change)?).await?;
        }
        let up = self.bring_up(live, Deploy::Upgrade, &deployment).await;
        // Why it did not start is the headline; that the old version still runs follows.
        let proved = self.phase("upgrade proof", By::CcCi, self.prove_head(live, &deployment)).await;
        match (up, proved) {
            (Err(Stop::Failed(mut findings)), Err(Stop::Failed(more))) => {
                findings.extend(more);
                Err(Stop::Failed(findings))
            }
            (Err(stop), _) | (Ok(()), Err(stop)) => Err(stop),
            (Ok(()), Ok(())) => Ok(()),
        }
    }

    async fn prove_head(&self, live: &Live, deployment: &Deployment) -> Result<(), Stop> {
        let running = specs(&live.docker, &self.plan.stack).await?;
        let version = deployment.version.as_ref().map(ToString::to_string);
        let head =
            Head { stack: &self.plan.stack, chaos_version: &self.plan.chaos_version, version: version.as_deref() };
        let mut wrong = not_running(&head, &deployment.services, &running);
        if let (true, Some(wanted)) =
            (wrong.is_empty(), self.stored::<Wanted>(Deploy::Upgrade.key(Fact::Wanted)).await?)
        {
            wrong = with_old_tasks(&wanted, &self.observer(live, deployment).look().await?);
        }
        if wrong.is_empty() {
            self.log.say("the running services are head's: images, version and commit");
            return Ok(());
        }
        let finding = |(service, sentence): (String, String)| {
            Finding::new(FindingKind::OldVersionRunning, Stage::Upgrade, live.now(), sentence).about(service)
        };
        Err(Stop::Failed(wrong.into_iter().map(finding).collect()))
    }

    /// What the deploy of the base is. It was published: where it cannot be deployed, that is no fault of this change.
    pub(super) fn base_deployment(&self, live: &Live) -> Result<Deployment, Stop> {
        let Some((base, files)) = self.the_base() else {
            return Err(EngineError::Unreadable("there is no base".to_owned()).into());
        };
        self.plan
            .deployment_of(files, base.commit.short(), &self.target, self.tests())
            .map_err(|error| self.not_planned(live, Stage::Base, &error))
    }

    /// What the deploy of head over the base is.
    pub(super) fn upgrade_deployment(&self, live: &Live) -> Result<Deployment, Stop> {
        let Some((_, files)) = self.the_base() else {
            return Err(EngineError::Unreadable("there is no base".to_owned()).into());
        };
        let files = over(files, &self.files, &env_change(files, &self.files))?;
        self.plan
            .deployment(&files, &self.target, self.tests())
            .map_err(|error| self.not_planned(live, Stage::Upgrade, &error))
    }

    fn not_planned(&self, live: &Live, stage: Stage, error: &PlanError) -> Stop {
        Stop::Failed(vec![self.refused(live, stage, error)])
    }

    /// Files of another deploy than the fresh one, in a folder of their own in the runner.
    async fn put_files(&self, live: &Live, deploy: Deploy, files: &RecipeFiles) -> Result<(), Stop> {
        let Some(id) = &live.runner else { return Ok(()) };
        let folder = deploy.folder().trim_start_matches('/');
        let content = |(path, file): (&str, &crate::domain::recipe::files::RecipeFile)| {
            let mode = if file.executable { 0o755 } else { 0o644 };
            (format!("{folder}/{path}"), runner::Content { bytes: file.bytes.clone(), mode })
        };
        Ok(runner::upload(&live.docker, id, &files.iter().map(content).collect()).await?)
    }

    /// What ran is going to be replaced: its last lines are taken, and nothing that happens to it counts any more.
    pub(super) async fn end_watch(&self, live: &mut Live) -> Result<(), Stop> {
        if let Some(watch) = live.watch.take() {
            watch.end().await;
        }
        Ok(())
    }
}

fn over(base: &RecipeFiles, head: &RecipeFiles, change: &EnvChange) -> Result<RecipeFiles, Stop> {
    over_the_base(base, head, change).map_err(|error| EngineError::Unreadable(error.to_string()).into())
}

/// What operators must know.
fn notes(base: &Base, change: &EnvChange) -> Vec<String> {
    let mut notes = Vec::new();
    if !change.secrets.is_empty() {
        let names = change.secrets.join(", ");
        notes.push(format!("upgrade from {}: by hand, set {names} and generate the secrets", base.name));
    }
    if !change.new.is_empty() {
        notes.push(format!("upgrade from {}: new in `.env.sample`: {}", base.name, change.new.join(", ")));
    }
    notes
}

fn missing(live: &Live, base: &Base, change: &EnvChange) -> Finding {
    let (names, them) = (change.missing.join(", "), if change.missing.len() == 1 { "it" } else { "them" });
    let sentence = format!("operators of {} must set {names} before they upgrade, and nothing tells them", base.name);
    let mut finding = Finding::new(FindingKind::VariableMissing, Stage::Upgrade, live.now(), sentence);
    finding.advice = format!(
        "Give {them} a default in the compose file (`${{NAME:-value}}`) or in `abra.sh`, or write a release note."
    );
    finding
}
