//! Takes, renews and releases the claim on a target.

use std::collections::{BTreeMap, HashMap};
use std::time::Duration;

use bollard::Docker;
use bollard::models::{Config, ConfigSpec};
use bollard::query_parameters::{ListConfigsOptions, UpdateConfigOptions};
use jiff::{SignedDuration, Timestamp};

use super::EngineError;
use super::state::StateFolder;
use crate::adapters::docker::{DockerError, GLANCE, Tried as _, gone_is_fine};
use crate::domain::claim::{CLAIM, Claim, Decision, HOLDS, RENEW, decide};
use crate::domain::ids::{GateId, RunId};

/// Others may change the claim at the same moment.
const TRIES: usize = 8;

/// Who asks.
#[derive(Debug, Clone)]
pub(super) struct Claimant {
    pub docker: Docker,
    pub gate: GateId,
    pub run: RunId,
    /// With so many runs of this gate, this one among them, the target may be shared; 1: with nobody.
    pub most: u32,
    /// Added to this machine's clock it gives the target's.
    pub clock_offset: SignedDuration,
}

impl Claimant {
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock_offset
    }

    /// Takes the target, or a place on it. Returns what should be said about it.
    ///
    /// # Errors
    /// [`EngineError::Target`] when somebody else holds it.
    pub(super) async fn take(&self, state: &StateFolder) -> Result<Option<String>, EngineError> {
        // Several may ask at once; the engine lets one of them make or change the config, and the others look again.
        for _ in 0..TRIES {
            let found = find(&self.docker).await?;
            let claim = found.as_ref().map(read);
            let alive = |run: &RunId| state.is_alive(run);
            let decision =
                decide(claim.as_ref().map(Option::as_ref), &self.gate, &self.run, self.most, self.now(), alive);
            let said = match decision {
                Decision::Refuse(why) => {
                    return Err(EngineError::Target(format!(
                        "{why}\nhint: wait for it, or use another target; a dead gate's claim ends by itself"
                    )));
                }
                Decision::Join => {
                    let joined = claim.flatten().map(|claim| claim.with(&self.run, self.ends(), alive));
                    if let (Some(found), Some(joined)) = (found, joined)
                        && change(&self.docker, found, &joined).await?
                    {
                        return Ok(None);
                    }
                    continue;
                }
                Decision::Take => None,
                Decision::TakeOver(why) => {
                    if let Some(id) = found.and_then(|found| found.id) {
                        remove(&self.docker, &id).await?;
                    }
                    Some(why)
                }
            };
            if self.make().await? {
                return Ok(said);
            }
        }
        Err(EngineError::Target("the target is claimed again and again by others".to_owned()))
    }

    fn is_in(&self, claim: &Claim) -> bool {
        claim.gate == self.gate && claim.runs.contains_key(&self.run)
    }

    fn ends(&self) -> Timestamp {
        self.now() + HOLDS
    }

    /// Whether it could be made: somebody else may have been faster.
    async fn make(&self) -> Result<bool, DockerError> {
        let claim = Claim::of(self.gate.clone(), self.run.clone(), self.ends());
        let claim = Claim { alone: self.most == 1, ..claim };
        let spec = ConfigSpec {
            name: Some(CLAIM.to_owned()),
            labels: Some(claim.labels()),
            data: Some("Y2MtY2k=".to_owned()),
            ..Default::default()
        };
        match self.docker.create_config(spec).await.tried("claim the target") {
            Ok(_) => Ok(true),
            Err(error) if error.status() == Some(409) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Moves the end of the claim. One that is gone, or does not name this run any more, stays so: it was let go at this very moment, or
    /// taken over after a long silence.
    async fn renew(&self) -> Result<(), DockerError> {
        for _ in 0..TRIES {
            let Some(found) = find(&self.docker).await? else { return Ok(()) };
            let Some(claim) = read(&found).filter(|claim| self.is_in(claim)) else { return Ok(()) };
            // Who is dead is the sweep's to find out.
            if change(&self.docker, found, &claim.with(&self.run, self.ends(), |_| true)).await? {
                return Ok(());
            }
        }
        Ok(())
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

    /// Lets the target go, if the claim is this run's; others of this gate keep it.
    pub(super) async fn release(&self) -> Result<(), DockerError> {
        for _ in 0..TRIES {
            let Some(found) = find(&self.docker).await? else { return Ok(()) };
            let Some(mut claim) = read(&found).filter(|claim| self.is_in(claim)) else { return Ok(()) };
            claim.runs.remove(&self.run);
            if change(&self.docker, found, &claim).await? {
                return Ok(());
            }
        }
        Ok(())
    }
}

/// Whether the claim could be changed: somebody else may have been faster. One that names no run any more is removed, and only after it
/// says so: whoever joined at this moment is not removed with it.
async fn change(docker: &Docker, found: Config, claim: &Claim) -> Result<bool, DockerError> {
    let mut spec = found.spec.unwrap_or_default();
    spec.labels = Some(claim.labels());
    let index = found.version.and_then(|version| version.index).and_then(|index| i64::try_from(index).ok());
    let options = UpdateConfigOptions { version: index.unwrap_or_default() };
    let id = found.id.unwrap_or_default();
    match docker.update_config(&id, spec, options).await.tried("change the claim") {
        Ok(()) if claim.runs.is_empty() => remove(docker, &id).await.map(|()| true),
        Ok(()) => Ok(true),
        // Docker says 500 where another update came first ("update out of sequence"), 404 where it is gone.
        Err(error) if matches!(error.status(), Some(404 | 409 | 500)) => {
            tracing::debug!(%error, "the claim could not be changed");
            tokio::time::sleep(GLANCE).await;
            Ok(false)
        }
        Err(error) => Err(error),
    }
}

/// The claim that is there; `Some(None)`: one that names nobody.
pub(super) async fn current(docker: &Docker) -> Result<Option<Option<Claim>>, DockerError> {
    Ok(find(docker).await?.as_ref().map(read))
}

/// Removes this claim, unless another one is there by now.
pub(super) async fn clear(docker: &Docker, claim: &Claim) -> Result<(), DockerError> {
    let Some(found) = find(docker).await?.filter(|found| read(found).as_ref() == Some(claim)) else { return Ok(()) };
    change(docker, found, &Claim { runs: BTreeMap::new(), ..claim.clone() }).await.map(drop)
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

async fn remove(docker: &Docker, id: &str) -> Result<(), DockerError> {
    gone_is_fine(docker.delete_config(id).await.tried("remove the claim"))
}
