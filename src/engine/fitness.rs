//! Whether a target's engine will do: what a run, the service and doctor all ask before anything else, and refuse in the same words.

use bollard::Docker;
use bollard::query_parameters::ListNetworksOptions;

use super::EngineError;
use crate::adapters::docker::{DockerError, Engine, Tried as _};
use crate::domain::engine_version::EngineVersion;
use crate::domain::setup::PROXY_NETWORK;

/// Why an engine will not do; each says what to change on the target.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Unfit {
    /// It is too old, or says no version.
    #[error(
        "the target's engine is too old: it says version `{0}`, {oldest} is needed\nhint: install a newer Docker engine there, see https://docs.docker.com/engine/install/",
        oldest = EngineVersion::OLDEST
    )]
    TooOld(String),
    /// It is in no swarm, or only a worker.
    #[error("the target's engine is no swarm manager\nhint: run `docker swarm init` there")]
    NoManager,
    /// The proxy has no way to the apps.
    #[error(
        "the target has no network `{PROXY_NETWORK}`, by which its proxy reaches the apps\nhint: run `docker network create -d overlay --attachable {PROXY_NETWORK}` there, and deploy a proxy on it"
    )]
    NoProxyNetwork,
}

/// Whether the engine is new enough.
///
/// # Errors
/// [`Unfit::TooOld`].
pub fn new_enough(engine: &Engine) -> Result<(), Unfit> {
    match EngineVersion::read(&engine.version) {
        Some(version) if version >= EngineVersion::OLDEST => Ok(()),
        Some(_) | None => Err(Unfit::TooOld(engine.version.chars().take(40).collect())),
    }
}

/// Whether it manages a swarm.
///
/// # Errors
/// [`Unfit::NoManager`].
pub const fn manages(engine: &Engine) -> Result<(), Unfit> {
    if engine.manager { Ok(()) } else { Err(Unfit::NoManager) }
}

/// The network of the proxy: whether a container that is no task may join it. `None`: it is not there.
///
/// # Errors
/// When the engine does not answer.
pub async fn proxy_network(docker: &Docker) -> Result<Option<bool>, DockerError> {
    let networks = docker.list_networks(None::<ListNetworksOptions>).await.tried("list the networks")?;
    let found = networks.into_iter().find(|network| network.name.as_deref() == Some(PROXY_NETWORK));
    Ok(found.map(|network| network.attachable.unwrap_or(false)))
}

/// All of it.
///
/// # Errors
/// [`EngineError::Unfit`], or that the engine does not answer.
pub async fn fit(docker: &Docker, engine: &Engine) -> Result<(), EngineError> {
    new_enough(engine)?;
    manages(engine)?;
    match proxy_network(docker).await? {
        Some(_) => Ok(()),
        None => Err(Unfit::NoProxyNetwork.into()),
    }
}
