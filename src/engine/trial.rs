//! `cc-ci target trial`: the engine of this machine as a target, to try cc-ci on. It is not isolated: what is under test runs beside
//! everything else on the machine. What a trial made carries a label, so that it can be taken away again and nothing else is.

use std::collections::HashMap;

use bollard::Docker;
use bollard::models::{NetworkCreateRequest, SwarmInitRequest, SwarmSpec};
use bollard::query_parameters::{LeaveSwarmOptions, ListServicesOptions};

use super::EngineError;
use super::fitness::{manages, new_enough, proxy_network};
use crate::adapters::docker::{DockerError, Engine, Tried as _, gone_is_fine};
use crate::domain::setup::PROXY_NETWORK;

/// On what a trial made.
const LABEL: &str = "cc-ci.trial";
const LOOPBACK: &str = "127.0.0.1";

fn label() -> HashMap<String, String> {
    HashMap::from([(LABEL.to_owned(), "1".to_owned())])
}

/// Makes a Swarm of one node and the proxy's network where there is none; returns a line for each of the two.
///
/// # Errors
/// When the engine is too old, is a worker of somebody's swarm, or refuses.
pub async fn make(docker: &Docker, engine: &Engine) -> Result<[String; 2], EngineError> {
    new_enough(engine)?;
    let swarm = if engine.manager {
        "the engine is a manager of a swarm already; that stays as it is"
    } else {
        let spec = SwarmSpec { name: Some("default".to_owned()), labels: Some(label()), ..Default::default() };
        let wanted = SwarmInitRequest {
            // Nobody else reaches its ports.
            listen_addr: Some(LOOPBACK.to_owned()),
            advertise_addr: Some(LOOPBACK.to_owned()),
            spec: Some(spec),
            ..Default::default()
        };
        docker.init_swarm(wanted).await.tried("make a swarm of one node")?;
        "made a swarm of one node, on loopback"
    };
    let network = if proxy_network(docker).await?.is_some() {
        format!("the network `{PROXY_NETWORK}` is there already; it stays as it is")
    } else {
        let wanted = NetworkCreateRequest {
            name: PROXY_NETWORK.to_owned(),
            driver: Some("overlay".to_owned()),
            attachable: Some(true),
            labels: Some(label()),
            ..Default::default()
        };
        docker.create_network(wanted).await.tried("make the proxy's network")?;
        format!("made the network `{PROXY_NETWORK}`")
    };
    Ok([swarm.to_owned(), network])
}

/// Takes away what [`make`] made, and nothing else; returns a line for each of the two.
///
/// # Errors
/// When services still run there, or the engine refuses.
pub async fn remove(docker: &Docker, engine: &Engine) -> Result<[String; 2], EngineError> {
    if manages(engine).is_err() {
        return Ok(["there is no swarm here".to_owned(), "nor a network of one".to_owned()]);
    }
    let services = docker.list_services(None::<ListServicesOptions>).await.tried("list the services")?;
    if !services.is_empty() {
        let names: Vec<String> = services.into_iter().filter_map(|service| service.spec?.name).take(5).collect();
        return Err(EngineError::Target(format!(
            "services still run here: {}\nhint: `docker stack rm` removes a stack",
            names.join(", ")
        )));
    }
    let network = if is_ours(&network_labels(docker).await?) {
        gone_is_fine(docker.remove_network(PROXY_NETWORK).await.tried("remove the proxy's network"))?;
        format!("removed the network `{PROXY_NETWORK}`")
    } else {
        format!("no network `{PROXY_NETWORK}` of a trial is here")
    };
    let about = docker.inspect_swarm().await.tried("look at the swarm")?;
    let swarm = if is_ours(&about.spec.and_then(|spec| spec.labels)) {
        let force = LeaveSwarmOptions { force: true };
        docker.leave_swarm(Some(force)).await.tried("leave the swarm")?;
        "left the swarm, which a trial had made"
    } else {
        "the swarm was not made by a trial; it stays as it is"
    };
    Ok([network, swarm.to_owned()])
}

async fn network_labels(docker: &Docker) -> Result<Option<HashMap<String, String>>, DockerError> {
    let options = None::<bollard::query_parameters::ListNetworksOptions>;
    let all = docker.list_networks(options).await.tried("list the networks")?;
    Ok(all.into_iter().find(|it| it.name.as_deref() == Some(PROXY_NETWORK)).and_then(|it| it.labels))
}

fn is_ours(labels: &Option<HashMap<String, String>>) -> bool {
    labels.as_ref().is_some_and(|labels| labels.contains_key(LABEL))
}
