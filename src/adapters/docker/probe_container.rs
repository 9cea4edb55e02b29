//! A container of the runner image that lives for a moment: it says how full the disk is, and what an app could reach from there.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::container::{AttachContainerResults, LogOutput};
use bollard::models::{ContainerCreateBody, HostConfig};
use bollard::query_parameters::{AttachContainerOptions, CreateContainerOptions, InspectContainerOptions};
use futures_util::StreamExt as _;

use super::{DockerError, GLANCE, RUN_LABEL, Tried as _};
use crate::domain::probed::Probed;

/// The label's value: no run has this id, so no sweep takes it for one, and no inventory counts it.
const NO_RUN: &str = "doctor";
/// It asks all addresses at once and gives up after some seconds.
const PATIENCE: Duration = Duration::from_secs(30);
/// It says one line.
const LARGEST_ANSWER: usize = 64 << 10;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum ProbeContainerError {
    /// The engine refused or did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// It said something else than it should.
    #[error("the probe container gave no answer: {0}")]
    Answer(String),
}

/// Runs the probe. `network` is the one that apps are on, where a container may join it; `addresses` are tried from there. The engine
/// removes the container as soon as it ends, whatever becomes of this program.
///
/// # Errors
/// When the engine does not do it, or the container says nothing of use.
pub async fn probe(
    docker: &Docker,
    image: &str,
    network: Option<&str>,
    addresses: &[String],
    random: u64,
) -> Result<Probed, ProbeContainerError> {
    let name = format!("cc-ci-doctor-{random:016x}");
    let options = CreateContainerOptions { name: Some(name), ..Default::default() };
    let words = ["runner", "probe"].map(str::to_owned);
    let cmd = words.into_iter().chain(addresses.iter().flat_map(|address| ["--reach".to_owned(), address.clone()]));
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        cmd: Some(cmd.collect()),
        labels: Some(HashMap::from([(RUN_LABEL.to_owned(), NO_RUN.to_owned())])),
        attach_stdout: Some(true),
        host_config: Some(HostConfig {
            auto_remove: Some(true),
            network_mode: network.map(str::to_owned),
            cap_drop: Some(vec!["ALL".to_owned()]),
            readonly_rootfs: Some(true),
            ..Default::default()
        }),
        ..Default::default()
    };
    let id = docker.create_container(Some(options), body).await.tried("create a probe container")?.id;
    let answer = tokio::time::timeout(PATIENCE, answer(docker, &id)).await;
    let answer = answer.unwrap_or_else(|_| Err(ProbeContainerError::Answer("it took too long".to_owned())));
    if answer.is_err() {
        // Where it never ran, nobody else removes it.
        let force = bollard::query_parameters::RemoveContainerOptions { force: true, ..Default::default() };
        let _removed = docker.remove_container(&id, Some(force)).await;
    }
    wait_until_gone(docker, &id).await;
    answer
}

async fn answer(docker: &Docker, id: &str) -> Result<Probed, ProbeContainerError> {
    let options = AttachContainerOptions { stdout: true, stderr: true, stream: true, ..Default::default() };
    let AttachContainerResults { mut output, .. } =
        docker.attach_container(id, Some(options)).await.tried("listen to the probe container")?;
    docker.start_container(id, None).await.tried("start the probe container")?;
    let (mut said, mut beside) = (Vec::new(), Vec::new());
    while let Some(piece) = output.next().await {
        match piece.tried("listen to the probe container")? {
            LogOutput::StdOut { message } | LogOutput::Console { message } => said.extend_from_slice(&message),
            LogOutput::StdErr { message } => beside.extend_from_slice(&message),
            LogOutput::StdIn { .. } => {}
        }
        if said.len() + beside.len() > LARGEST_ANSWER {
            break;
        }
    }
    serde_json::from_slice(&said).map_err(|_| {
        let text = String::from_utf8_lossy(if beside.is_empty() { &said } else { &beside }).into_owned();
        ProbeContainerError::Answer(text.chars().take(200).collect())
    })
}

async fn wait_until_gone(docker: &Docker, id: &str) {
    for _ in 0..50 {
        match docker.inspect_container(id, None::<InspectContainerOptions>).await {
            Ok(_) => tokio::time::sleep(GLANCE).await,
            Err(_) => return,
        }
    }
}
