//! Install: a fresh deploy of head, its convergence, and the zero-config floor.

use std::time::Duration;

use jiff::Timestamp;

use super::deploy::{Deploy, Fact};
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::store::RunState;
use crate::domain::convergence::Wanted;
use crate::domain::deployment::Deployment;
use crate::domain::finding::Finding;
use crate::domain::guilt::worth_a_second_try;
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with the images as they were resolved.
pub(super) const IMAGES: &str = "images";
/// The fact with the cause of the first try, once there is a second.
pub(in crate::engine) const FIRST_TRY: &str = "first_try";
/// The fact with notes of the deployment.
pub(super) const NOTES: &str = "notes";
impl Run {
    /// Deploys head onto nothing and waits until it runs and answers.
    pub(super) async fn install(&self, live: &mut Live) -> Result<(), Stop> {
        self.usable_tests(live)?;
        let deployment = self.deployment(live)?;
        self.store(NOTES, &self.notes(&deployment)).await?;
        self.allowed(live, Stage::Install, &deployment).await?;
        if self.stored::<Wanted>(Deploy::Fresh.key(Fact::Wanted)).await?.is_none() {
            self.pulled(live, &deployment).await?;
        }
        let first = match self.stored::<String>(FIRST_TRY).await? {
            Some(first) => first,
            None => match self.bring_up(live, Deploy::Fresh, &deployment).await {
                Err(Stop::Failed(findings)) if self.may_try_again(&findings).await? => {
                    let first = self.log.masked(findings.first().map_or("", |finding| &finding.sentence));
                    self.log.say(format!("nobody's fault is known: it is tried once more ({first})"));
                    self.store(FIRST_TRY, &first).await?;
                    first
                }
                ended => return ended,
            },
        };
        self.remove(live, Stage::Install, "destroy before the second").await?;
        match self.bring_up(live, Deploy::Repeat, &deployment).await {
            Ok(()) => {
                self.note_flake(live, Stage::Install, format!("the install came up on the second try; first {first}"))
                    .await
            }
            Err(Stop::Failed(findings)) => Err(Stop::Failed(
                findings.into_iter().map(|finding| finding.with("the first try", first.clone())).collect(),
            )),
            ended @ Err(Stop::Engine(_)) => ended,
        }
    }

    /// A second try costs a deploy: it is for what is nobody's known fault, while nobody waits and there is time for it.
    async fn may_try_again(&self, findings: &[Finding]) -> Result<bool, Stop> {
        let before = self.gate.store.findings(&self.plan.run).await.map_err(EngineError::from)?;
        let spent = Duration::try_from(Timestamp::now().duration_since(self.created)).unwrap_or_default();
        if !worth_a_second_try(findings, &before) || self.time_left() < spent / 2 || self.was_cancelled().await? {
            return Ok(false);
        }
        let open = self.gate.store.open_runs().await.map_err(EngineError::from)?;
        Ok(open.iter().all(|run| run.id == self.plan.run || run.state == RunState::Running))
    }

    /// What the deploy is; worked out again when lint was done by an earlier process.
    pub(super) fn deployment(&self, live: &Live) -> Result<Deployment, Stop> {
        match &live.deployment {
            Some(deployment) => Ok(deployment.clone()),
            None => self
                .plan
                .deployment(&self.files, &self.target, self.tests())
                .map_err(|error| self.not_planned(live, Stage::Install, &error)),
        }
    }

    pub(super) async fn stored<T: serde::de::DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, Stop> {
        Ok(self.gate.store.fact(&self.plan.run, key).await.map_err(EngineError::from)?)
    }

    pub(super) async fn store(&self, key: &'static str, value: &impl serde::Serialize) -> Result<(), Stop> {
        Ok(self.gate.store.put_fact(&self.plan.run, key, value).await.map_err(EngineError::from)?)
    }

    /// The same for what an app has shown: its secrets are no secret to it.
    pub(super) async fn store_shown<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        let masked = self.log.masked_value(value).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        self.store(key, &masked).await
    }
}
