//! Base and upgrade: an older version that is known, and head deployed over it as its operator would.

use std::borrow::Cow;

use super::checks::UPGRADE_CHECKS;
use super::deploy::{Deploy, Fact};
use super::destroy::end_watch;
use super::inside::Place;
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::runner;
use crate::adapters::docker::specs::specs;
use crate::domain::base::{Base, Resolution};
use crate::domain::convergence::Wanted;
use crate::domain::deployment::{Deployment, PlanError};
use crate::domain::finding::{Class, Finding, FindingKind};
use crate::domain::proof::{Head, Spec, not_pruned, not_running, with_old_tasks};
use crate::domain::recipe::RecipeFiles;
use crate::domain::results::By;
use crate::domain::stage::Stage;
use crate::domain::upgrade::{EnvChange, env_change, over_the_base};
use crate::engine::EngineError;

/// The fact with what operators must know of the upgrade.
pub(super) const UPGRADE_NOTES: &str = "upgrade_notes";

/// The fact with the reason why the next candidate is the base.
pub(super) const SKIPPED: &str = "base_skipped";

/// The base, and its files.
#[derive(Clone)]
pub(super) struct Older<'a> {
    pub base: Cow<'a, Base>,
    pub files: &'a RecipeFiles,
    pub deploy: Deploy,
}

impl Run {
    /// The base as it was found, or the next candidate once it is known that this one does not deploy.
    pub(super) fn the_base(&self) -> Option<Older<'_>> {
        if self.skipped.get().is_some() { self.next_candidate() } else { self.first_choice() }
    }

    fn first_choice(&self) -> Option<Older<'_>> {
        let base = Cow::Borrowed(self.plan.base.as_ref()?.base.as_ref()?);
        Some(Older { base, files: self.base.as_ref()?, deploy: Deploy::Base })
    }

    fn next_candidate(&self) -> Option<Older<'_>> {
        let base = Cow::Owned(self.plan.base.as_ref()?.next()?);
        Some(Older { base, files: self.next_base.as_ref()?, deploy: Deploy::NextBase })
    }

    /// How the base was chosen, in the end.
    pub(super) fn resolution(&self) -> Option<Resolution> {
        let resolution = self.plan.base.clone()?;
        Some(match self.skipped.get() {
            Some(because) => resolution.with_next(because),
            None => resolution,
        })
    }

    /// Deploys the base; where it does not deploy any more, once the next candidate.
    pub(super) async fn base(&self, live: &mut Live, older: Older<'_>) -> Result<(), Stop> {
        let findings = match self.deploy_base(live, &older).await {
            Err(Stop::Failed(findings)) => findings,
            ended => return ended,
        };
        let is_its_own = |finding: &Finding| finding.rung.is_none() && finding.class == Class::Recipe;
        let next = self.next_candidate().filter(|_| older.deploy == Deploy::Base && findings.iter().all(is_its_own));
        let (Some(next), Some(first)) = (next, findings.first()) else { return Err(Stop::Failed(findings)) };
        let because = self.log.masked(&first.sentence);
        self.log.say(format!("base {} does not deploy: {because}; {} is tried", older.base.name, next.base.name));
        self.store(SKIPPED, &because).await?;
        let _first = self.skipped.set(because);
        self.deploy_base(live, &next).await
    }

    /// No image of head is missing, as far as registries say: that is told before anything is deployed. They come meanwhile.
    async fn deploy_base(&self, live: &mut Live, older: &Older<'_>) -> Result<(), Stop> {
        self.usable_tests(live)?;
        let head = self.deployment(live)?;
        self.allowed(live, Stage::Install, &head).await?;
        let deployment = self.base_deployment(live, older)?;
        self.allowed(live, Stage::Base, &deployment).await?;
        if self.stored::<Wanted>(older.deploy.key(Fact::Wanted)).await?.is_none() {
            self.base_may_come(live, &head).await?;
            self.log.say(format!("base: {} at {}", older.base.name, older.base.commit.short()));
            self.phase(&older.deploy.named("files"), By::CcCi, self.put_files(live, older.deploy, older.files)).await?;
        }
        let up = self.bring_up(live, older.deploy, &deployment).await;
        if matches!(up, Err(Stop::Failed(_))) {
            // What comes next is a deploy onto nothing.
            self.remove(live, Stage::Base, &older.deploy.named("destroy")).await?;
        }
        up
    }

    /// Deploys head over the base, and proves that head is what runs then.
    pub(super) async fn upgrade(&self, live: &mut Live, older: Older<'_>) -> Result<(), Stop> {
        let (base, older) = (&*older.base, older.files);
        let change = env_change(older, &self.files);
        self.store(UPGRADE_NOTES, &notes(base, &change)).await?;
        if !change.missing.is_empty() {
            return Err(Stop::Failed(vec![missing(live, base, &change)]));
        }
        let files = over(older, &self.files, &change)?;
        let deployment = self.upgrade_deployment(live, &files)?;
        if self.stored::<Wanted>(Deploy::Upgrade.key(Fact::Wanted)).await?.is_none() {
            self.pulled(live, &deployment).await?;
            self.log.say(format!("upgrade in place: {} to {}", base.name, self.plan.head.label()));
            self.phase("upgrade files", By::CcCi, self.put_files(live, Deploy::Upgrade, &files)).await?;
        }
        end_watch(live).await;
        let up = self.bring_up(live, Deploy::Upgrade, &deployment).await;
        // Why it did not start is the headline; that the old version still runs follows.
        let proved = self.phase("upgrade proof", By::CcCi, self.prove_head(live, &deployment)).await;
        match (up, proved) {
            (Err(Stop::Failed(mut findings)), Err(Stop::Failed(more))) => {
                findings.extend(more);
                Err(Stop::Failed(findings))
            }
            (Err(stop), _) | (Ok(()), Err(stop)) => Err(stop),
            (Ok(()), Ok(())) => self.watched(live, self.after_the_upgrade(live, &deployment)).await,
        }
    }

    /// What was there before is still there, and what must hold does.
    async fn after_the_upgrade(&self, live: &Live, deployment: &Deployment) -> Result<(), Stop> {
        let place = Place { stage: Stage::Upgrade, deployment };
        self.phase("upgrade data", By::CcCi, self.look_for_data(live, place, None)).await?;
        let checks = &self.tests().checks;
        self.phase("upgrade checks", By::App, self.carry_out(live, place, checks, UPGRADE_CHECKS)).await
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
            return self.note_what_stays(deployment, &running).await;
        }
        let finding = |(service, sentence): (String, String)| {
            Finding::new(FindingKind::OldVersionRunning, Stage::Upgrade, live.now(), sentence).about(service)
        };
        Err(Stop::Failed(wrong.into_iter().map(finding).collect()))
    }

    /// A service that head removes goes on running at every operator's.
    async fn note_what_stays(&self, deployment: &Deployment, running: &[Spec]) -> Result<(), Stop> {
        let mut notes: Vec<String> = self.stored(UPGRADE_NOTES).await?.unwrap_or_default();
        for name in not_pruned(&deployment.services, running) {
            notes
                .push(format!("`{name}` is not a part of head and still runs after the upgrade: deploys do not prune"));
        }
        self.store(UPGRADE_NOTES, &notes).await
    }

    /// What this deploy is, in a process that may not have made it.
    pub(super) fn deployment_of(&self, live: &Live, deploy: Deploy) -> Result<Deployment, Stop> {
        let unknown = || Stop::from(EngineError::Unreadable("there is no base".to_owned()));
        match deploy {
            Deploy::Fresh | Deploy::Repeat | Deploy::Again => self.deployment(live),
            Deploy::Base => self.base_deployment(live, &self.first_choice().ok_or_else(unknown)?),
            Deploy::NextBase => self.base_deployment(live, &self.next_candidate().ok_or_else(unknown)?),
            Deploy::Upgrade => {
                let older = self.the_base().ok_or_else(unknown)?.files;
                self.upgrade_deployment(live, &over(older, &self.files, &env_change(older, &self.files))?)
            }
        }
    }

    /// It was published: where it cannot be deployed, that is no fault of this change.
    fn base_deployment(&self, live: &Live, older: &Older<'_>) -> Result<Deployment, Stop> {
        self.plan
            .deployment_of(older.files, older.base.commit.short(), &self.target, self.tests())
            .map_err(|error| self.not_planned(live, Stage::Base, &error))
    }

    fn upgrade_deployment(&self, live: &Live, files: &RecipeFiles) -> Result<Deployment, Stop> {
        self.plan
            .deployment(files, &self.target, self.tests())
            .map_err(|error| self.not_planned(live, Stage::Upgrade, &error))
    }

    pub(super) fn not_planned(&self, live: &Live, stage: Stage, error: &PlanError) -> Stop {
        Stop::Failed(vec![self.refused(live, stage, error)])
    }

    /// Files of another deploy than the fresh one, in a folder of their own in the runner.
    async fn put_files(&self, live: &Live, deploy: Deploy, files: &RecipeFiles) -> Result<(), Stop> {
        let Some(id) = &live.runner else { return Ok(()) };
        let folder = deploy.folder().trim_start_matches('/');
        let files = files.iter().map(|(path, file)| (format!("{folder}/{path}"), file.into())).collect();
        Ok(runner::upload(&live.docker, id, &files).await?)
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
