//! In the containers of an app: which one runs for a service, what a command says there, and files put and looked for there.
//!
//! What comes back is the app's: it is bounded in size and time, and never a path here.

use std::time::Duration;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ExecConfig, MountPoint};
use bollard::query_parameters::{
    ContainerArchiveInfoOptions, InspectContainerOptions, ListContainersOptions, UploadToContainerOptions,
};
use futures_util::StreamExt as _;
use tokio::time::Instant;

use super::{DockerError, Tried as _};
use crate::domain::ids::StackName;

/// The label that Swarm puts on a task's container.
const SERVICE_LABEL: &str = "com.docker.swarm.service.name";
/// So much of what a command says is kept, of each stream.
const KEPT: usize = 64 << 10;

/// A container that runs for a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Running {
    /// Its id.
    pub id: String,
    /// Its volumes.
    pub volumes: Vec<Mounted>,
}

/// A volume in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mounted {
    /// The volume's name on the target.
    pub volume: String,
    /// Where.
    pub path: String,
    /// Whether the container may write to it.
    pub writable: bool,
}

/// What a command said in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said {
    /// Its exit code; `None`: its time was over.
    pub code: Option<i64>,
    /// The beginning of its standard output.
    pub stdout: Vec<u8>,
    /// The beginning of its standard error.
    pub stderr: Vec<u8>,
}

/// The newest container that runs for a service, where there is one on this node.
///
/// # Errors
/// When the engine does not answer.
pub async fn running(docker: &Docker, stack: &StackName, service: &str) -> Result<Option<Running>, DockerError> {
    let Some(id) = container_of(docker, &format!("{stack}_{service}")).await? else { return Ok(None) };
    match docker.inspect_container(&id, None::<InspectContainerOptions>).await.tried("inspect a container") {
        Ok(inspected) => {
            let volumes = inspected.mounts.unwrap_or_default().into_iter().filter_map(mounted).collect();
            Ok(Some(Running { id, volumes }))
        }
        Err(error) if error.status() == Some(404) => Ok(None),
        Err(error) => Err(error),
    }
}

/// The newest container that runs for a service of this whole name.
///
/// # Errors
/// When the engine does not answer.
pub async fn container_of(docker: &Docker, service: &str) -> Result<Option<String>, DockerError> {
    let mut filters = super::labelled(format!("{SERVICE_LABEL}={service}"));
    filters.insert("status".to_owned(), vec!["running".to_owned()]);
    let options = ListContainersOptions { filters: Some(filters), ..Default::default() };
    let found = docker.list_containers(Some(options)).await.tried(format!("look for the container of {service}"))?;
    Ok(found.into_iter().max_by_key(|container| container.created).and_then(|container| container.id))
}

fn mounted(mount: MountPoint) -> Option<Mounted> {
    let volume = mount.name.filter(|_| mount.typ.as_deref() == Some("volume"))?;
    Some(Mounted { volume, path: mount.destination?, writable: mount.rw.unwrap_or(false) })
}

/// Runs a command in a container, as the container's own user. One that takes too long is left to the container.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn exec(docker: &Docker, id: &str, argv: &[String], limit: Duration) -> Result<Said, DockerError> {
    let what = || format!("run {} in a container", argv.first().map_or("nothing", String::as_str));
    let config = ExecConfig {
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(argv.to_vec()),
        ..Default::default()
    };
    let exec = docker.create_exec(id, config).await.tried(what())?.id;
    let started = docker.start_exec(&exec, None::<StartExecOptions>).await.tried(what())?;
    let mut said = Said { code: None, stdout: Vec::new(), stderr: Vec::new() };
    let StartExecResults::Attached { mut output, .. } = started else { return Ok(said) };
    let deadline = Instant::now() + limit;
    loop {
        match tokio::time::timeout_at(deadline, output.next()).await {
            Err(_over) => return Ok(said),
            Ok(None) => break,
            Ok(Some(piece)) => match piece.tried(what())? {
                LogOutput::StdOut { message } | LogOutput::Console { message } => keep(&mut said.stdout, &message),
                LogOutput::StdErr { message } => keep(&mut said.stderr, &message),
                LogOutput::StdIn { .. } => {}
            },
        }
    }
    said.code = docker.inspect_exec(&exec).await.tried(what())?.exit_code;
    Ok(said)
}

fn keep(kept: &mut Vec<u8>, piece: &[u8]) {
    kept.extend_from_slice(&piece[..piece.len().min(KEPT.saturating_sub(kept.len()))]);
}

/// Puts a file into a folder of a container; everybody may read it.
///
/// # Errors
/// When the engine refuses, as for a folder that cannot be written to, or does not answer.
pub async fn put(docker: &Docker, id: &str, folder: &str, name: &str, content: &[u8]) -> Result<(), DockerError> {
    let what = format!("put a file into {folder} of a container");
    let mut header = tar::Header::new_gnu();
    header.set_mode(0o644);
    header.set_size(content.len() as u64);
    header.set_mtime(0);
    let mut archive = tar::Builder::new(Vec::new());
    let packed = archive.append_data(&mut header, name, content).and_then(|()| archive.into_inner());
    let packed = packed.map_err(bollard::errors::Error::from).tried(what.clone())?;
    let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
    docker.upload_to_container(id, Some(options), bollard::body_full(packed.into())).await.tried(what)
}

/// Whether there is something at a path of a container.
///
/// # Errors
/// When the engine does not answer.
pub async fn is_there(docker: &Docker, id: &str, path: &str) -> Result<bool, DockerError> {
    let options = ContainerArchiveInfoOptions { path: path.to_owned() };
    match docker.get_container_archive_info(id, Some(options)).await.tried("look for a file in a container") {
        Ok(_) => Ok(true),
        Err(error) if error.status() == Some(404) => Ok(false),
        Err(error) => Err(error),
    }
}

/// The addresses of a container in its own networks.
///
/// # Errors
/// When the engine does not answer.
pub async fn addresses(docker: &Docker, id: &str) -> Result<Vec<String>, DockerError> {
    let inspected = docker.inspect_container(id, None::<InspectContainerOptions>).await.tried("inspect a container")?;
    let networks = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let mut addresses: Vec<String> = networks.into_values().filter_map(|network| network.ip_address).collect();
    addresses.retain(|address| !address.is_empty());
    addresses.sort();
    Ok(addresses)
}
