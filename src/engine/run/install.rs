//! Install: a fresh deploy of head, its convergence, and the zero-config floor.

use super::deploy::{Deploy, Fact};
use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::convergence::Wanted;
use crate::domain::deployment::Deployment;
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with the images as they were resolved.
pub(super) const IMAGES: &str = "images";
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
        self.bring_up(live, Deploy::Fresh, &deployment).await
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
