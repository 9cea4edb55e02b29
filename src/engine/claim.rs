//! Takes, renews and releases the claim on a target.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{Config, ConfigSpec};
use bollard::query_parameters::{ListConfigsOptions, UpdateConfigOptions};
use jiff::{SignedDuration, Timestamp};

use super::EngineError;
use super::state::StateFolder;
use crate::adapters::docker::{DockerError, Tried as _, gone_is_fine};
use crate::domain::claim::{CLAIM, Claim, Decision, HOLDS, RENEW, decide};
use crate::domain::ids::{GateId, RunId};

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub docker: Docker,
    pub gate: GateId,
    pub run: RunId,
    /// Added to this machine's clock it gives the target's.
    pub clock_offset: SignedDuration,
}

impl Claimant {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock_offset
    }

    fn claim(&self) -> HashMap<String, String> {
        Claim { gate: self.gate.clone(), run: self.run.clone(), until: self.now() + HOLDS }.labels()
    }

    /// Takes the target. Returns what should be said about it.
    ///
    /// # Errors
    /// [`EngineError::Target`] when somebody else holds it.
    pub(super) async fn take(&self, state: &StateFolder) -> Result<Option<String>, EngineError> {
        // Two gates may ask at once; the engine lets one of them make the config, and the other looks again.
        for _ in 0..5 {
            let found = find(&self.docker).await?;
            let claim = found.as_ref().map(read);
            let decision = decide(claim.as_ref().map(Option::as_ref), &self.gate, &self.run, self.now(), |run| {
                state.is_alive(run)
            });
            let said = match decision {
                Decision::Refuse(why) => {
                    return Err(EngineError::Target(format!(
                        "{why}\nhint: wait for it, or use another target; a dead gate's claim ends by itself"
                    )));
                }
                Decision::Renew => return self.renew().await.map(|()| None).map_err(Into::into),
                Decision::Take => None,
                Decision::TakeOver(why) => {
                    remove(&self.docker, found.as_ref()).await?;
                    Some(why)
                }
            };
            let spec = ConfigSpec {
                name: Some(CLAIM.to_owned()),
                labels: Some(self.claim()),
                data: Some("Y2MtY2k=".to_owned()),
                ..Default::default()
            };
            match self.docker.create_config(spec).await.tried("claim the target") {
                Ok(_) => return Ok(said),
                Err(error) if error.status() == Some(409) => {}
                Err(error) => return Err(error.into()),
            }
        }
        Err(EngineError::Target("the target is claimed again and again by others".to_owned()))
    }

    /// Moves the end of the claim.
    async fn renew(&self) -> Result<(), DockerError> {
        let Some(found) = find(&self.docker).await? else { return Ok(()) };
        let mut spec = found.spec.unwrap_or_default();
        spec.labels = Some(self.claim());
        let version = found
            .version
            .and_then(|version| version.index)
            .and_then(|index| i64::try_from(index).ok())
            .unwrap_or_default();
        let id = found.id.unwrap_or_default();
        self.docker.update_config(&id, spec, UpdateConfigOptions { version }).await.tried("renew the claim")
    }

    /// Renews until the future is dropped. A renewal that fails is tried again; the claim holds much longer than that.
    pub(super) async fn keep_renewing(self) {
        loop {
            tokio::time::sleep(Duration::try_from(RENEW).unwrap_or_default()).await;
            if let Err(error) = self.renew().await {
                tracing::debug!(%error, "the claim was not renewed");
            }
        }
    }

    /// Lets the target go, if the claim is this gate's.
    pub(super) async fn release(&self) -> Result<(), DockerError> {
        let found = find(&self.docker).await?;
        let mine = found.as_ref().and_then(read).is_some_and(|claim| claim.gate == self.gate && claim.run == self.run);
        if mine { remove(&self.docker, found.as_ref()).await } else { Ok(()) }
    }
}

/// The claim that is there; `Some(None)`: one that names nobody.
pub(super) async fn current(docker: &Docker) -> Result<Option<Option<Claim>>, DockerError> {
    Ok(find(docker).await?.as_ref().map(read))
}

/// Removes whatever claim is there.
pub(super) async fn clear(docker: &Docker) -> Result<(), DockerError> {
    remove(docker, find(docker).await?.as_ref()).await
}

async fn find(docker: &Docker) -> Result<Option<Config>, DockerError> {
    let filters = HashMap::from([("name".to_owned(), vec![CLAIM.to_owned()])]);
    let found =
        docker.list_configs(Some(ListConfigsOptions { filters: Some(filters) })).await.tried("look for a claim")?;
    Ok(found.into_iter().find(|config| config.spec.as_ref().and_then(|spec| spec.name.as_deref()) == Some(CLAIM)))
}

fn read(config: &Config) -> Option<Claim> {
    Claim::read(config.spec.as_ref()?.labels.as_ref()?)
}

async fn remove(docker: &Docker, config: Option<&Config>) -> Result<(), DockerError> {
    match config.and_then(|config| config.id.as_deref()) {
        Some(id) => gone_is_fine(docker.delete_config(id).await.tried("remove the claim")),
        None => Ok(()),
    }
}
