//! The runner container, seen from the gate: its image, its life, its steps and its files.

use std::collections::{BTreeMap, HashMap};
use std::io::Read as _;
use std::path::PathBuf;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::exec::{StartExecOptions, StartExecResults};
use bollard::models::{ContainerCreateBody, ExecConfig, HostConfig};
use bollard::query_parameters::{
    CreateContainerOptions, DownloadFromContainerOptions, ListContainersOptions, RemoveContainerOptions,
    UploadToContainerOptions,
};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio::io::AsyncWriteExt as _;

pub use super::runner_image::{ImageSource, find_image, image};
use super::{DockerError, GATE_LABEL, RUN_LABEL, Tried as _, gone_is_fine, labelled};
use crate::domain::ids::{GateId, RunId, StackName};
use crate::domain::protocol::{ORDERS, Orders, RECIPE, ROOT, SECRETS, Step, StepEnd};
use crate::domain::recipe::files::RecipeFile;

/// The container label with the name of the app's stack.
pub const STACK_OF_RUN: &str = "cc-ci.stack";
/// Files read back from the runner are small.
const LARGEST_READ: usize = 4 << 20;

/// Why the runner cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum RunnerError {
    /// The engine refused or did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// There is no image of this build.
    #[error("there is no runner image of this build ({}…): {why}\nhint: `cargo xtask lab up` writes one into the state folder; `--runner-image REF|FILE` names another place", &hash[..12])]
    NoImage {
        /// SHA-256 of the running program.
        hash: String,
        /// What was looked at.
        why: String,
    },
    /// The connection to a step ended before the step did.
    #[error("the runner's step `{step}` cannot be followed: {why}")]
    Lost {
        /// The step.
        step: String,
        /// What was seen.
        why: String,
    },
    /// The runner container stands still.
    #[error("the runner container has ended: {0}")]
    Ended(String),
    /// A file on this machine.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
}

/// A runner container that was found.
#[derive(Debug, Clone)]
pub struct Found {
    /// Its id.
    pub id: String,
    /// Its run.
    pub run: Option<RunId>,
    /// Its gate.
    pub gate: Option<GateId>,
    /// Its app's stack.
    pub stack: Option<StackName>,
    /// Whether PID 1 runs.
    pub running: bool,
    /// Docker's state, e.g. `exited`.
    pub state: String,
}

/// All runner containers on the target, of every gate.
///
/// # Errors
/// When the engine does not answer.
pub async fn find_all(docker: &Docker) -> Result<Vec<Found>, DockerError> {
    let options = ListContainersOptions { all: true, filters: Some(labelled(RUN_LABEL)), ..Default::default() };
    let containers = docker.list_containers(Some(options)).await.tried("look for runner containers")?;
    Ok(containers
        .into_iter()
        .map(|container| {
            let labels = container.labels.unwrap_or_default();
            let state = container.state.map(|state| state.to_string()).unwrap_or_default();
            Found {
                id: container.id.unwrap_or_default(),
                run: labels.get(RUN_LABEL).and_then(|run| run.parse().ok()),
                gate: labels.get(GATE_LABEL).and_then(|gate| gate.parse().ok()),
                stack: labels.get(STACK_OF_RUN).and_then(|stack| stack.parse().ok()),
                running: state == "running",
                state,
            }
        })
        .collect())
}

/// The run's runner container, if there is one.
///
/// # Errors
/// When the engine does not answer.
pub async fn find(docker: &Docker, run: &RunId) -> Result<Option<Found>, DockerError> {
    Ok(find_all(docker).await?.into_iter().find(|found| found.run.as_ref() == Some(run)))
}

/// Files that go into the runner: path below its folder → content.
pub type Files = BTreeMap<String, Content>;

/// A file for the runner.
#[derive(Debug, Clone)]
pub struct Content {
    /// Its bytes.
    pub bytes: Vec<u8>,
    /// Unix permissions.
    pub mode: u32,
}

impl From<&RecipeFile> for Content {
    fn from(file: &RecipeFile) -> Self {
        Self { bytes: file.bytes.clone(), mode: if file.executable { 0o755 } else { 0o644 } }
    }
}

/// The run's runner container, running: found by its label, or made with the recipe's files in it. Returns its id and
/// whether it is new.
///
/// # Errors
/// When the engine refuses or does not answer, or when the container has ended.
pub async fn ensure(
    docker: &Docker,
    image: &str,
    orders: &Orders,
    recipe: &Files,
) -> Result<(String, bool), RunnerError> {
    let (id, new) = match find(docker, &orders.run).await? {
        Some(found) if found.running => return Ok((found.id, false)),
        // The gate was killed between making it and starting it.
        Some(found) if found.state == "created" => (found.id, false),
        Some(found) => return Err(RunnerError::Ended(format!("its state is `{}`", found.state))),
        None => (create(docker, image, orders).await?, true),
    };
    let mut files: Files = recipe.iter().map(|(path, content)| (below(RECIPE, path), content.clone())).collect();
    let orders = serde_json::to_vec(orders).unwrap_or_default();
    files.insert(below(ORDERS, ""), Content { bytes: orders, mode: 0o600 });
    upload(docker, &id, &files).await?;
    docker.start_container(&id, None).await.tried("start the runner container")?;
    Ok((id, new))
}

async fn create(docker: &Docker, image: &str, orders: &Orders) -> Result<String, DockerError> {
    let options = CreateContainerOptions { name: Some(container_name(&orders.run)), ..Default::default() };
    let labels = HashMap::from([
        (RUN_LABEL.to_owned(), orders.run.to_string()),
        (GATE_LABEL.to_owned(), orders.gate.to_string()),
        (STACK_OF_RUN.to_owned(), orders.stack.to_string()),
    ]);
    let body = ContainerCreateBody {
        image: Some(image.to_owned()),
        // The image's own user is the gate's, who could not use the socket.
        user: Some("0:0".to_owned()),
        cmd: Some(vec!["runner".to_owned(), "serve".to_owned()]),
        labels: Some(labels),
        host_config: Some(HostConfig {
            binds: Some(vec!["/var/run/docker.sock:/var/run/docker.sock".to_owned()]),
            network_mode: Some("none".to_owned()),
            ..Default::default()
        }),
        ..Default::default()
    };
    Ok(docker.create_container(Some(options), body).await.tried("create the runner container")?.id)
}

/// The name of a run's runner container.
#[must_use]
pub fn container_name(run: &RunId) -> String {
    format!("cc-ci-runner-{run}")
}

/// A path in the archive that is unpacked at the container's root's folder: without the leading `/cc-ci/`.
fn below(folder: &str, path: &str) -> String {
    let whole = if path.is_empty() { folder.to_owned() } else { format!("{folder}/{path}") };
    whole.trim_start_matches('/').to_owned()
}

/// Puts files into the container; paths are absolute ones without their first slash.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn upload(docker: &Docker, id: &str, files: &Files) -> Result<(), RunnerError> {
    let archive = archive(files).map_err(|source| RunnerError::File { path: PathBuf::from("archive"), source })?;
    let options = UploadToContainerOptions { path: "/".to_owned(), ..Default::default() };
    docker
        .upload_to_container(id, Some(options), bollard::body_full(archive.into()))
        .await
        .tried("put files into the runner")?;
    Ok(())
}

fn archive(files: &Files) -> std::io::Result<Vec<u8>> {
    let mut archive = tar::Builder::new(Vec::new());
    for folder in [ROOT, RECIPE, SECRETS] {
        let mut header = header(tar::EntryType::Directory, if folder == SECRETS { 0o700 } else { 0o755 }, 0);
        archive.append_data(&mut header, format!("{}/", folder.trim_start_matches('/')), std::io::empty())?;
    }
    for (path, content) in files {
        let mut header = header(tar::EntryType::Regular, content.mode, content.bytes.len() as u64);
        archive.append_data(&mut header, path, content.bytes.as_slice())?;
    }
    archive.into_inner()
}

fn header(kind: tar::EntryType, mode: u32, size: u64) -> tar::Header {
    let mut header = tar::Header::new_gnu();
    header.set_entry_type(kind);
    header.set_mode(mode);
    header.set_size(size);
    header.set_mtime(0);
    header
}

/// The files of a folder in the container, by their names below it; `None` when the folder is not there.
///
/// # Errors
/// When the engine refuses or does not answer, or the folder is too large.
pub async fn download(
    docker: &Docker,
    id: &str,
    folder: &str,
) -> Result<Option<BTreeMap<String, Vec<u8>>>, RunnerError> {
    let options = DownloadFromContainerOptions { path: folder.to_owned() };
    let mut stream = docker.download_from_container(id, Some(options));
    let mut bytes = Vec::new();
    while let Some(chunk) = stream.next().await {
        match chunk.tried(format!("read {folder} in the runner")) {
            Ok(chunk) => bytes.extend_from_slice(&chunk),
            Err(error) if error.status() == Some(404) => return Ok(None),
            Err(error) => return Err(error.into()),
        }
        if bytes.len() > LARGEST_READ {
            return Err(RunnerError::Ended(format!("{folder} is larger than {LARGEST_READ} bytes")));
        }
    }
    let unreadable = |source| RunnerError::File { path: folder.into(), source };
    let mut files = BTreeMap::new();
    for entry in tar::Archive::new(bytes.as_slice()).entries().map_err(unreadable)? {
        let mut entry = entry.map_err(unreadable)?;
        let name = entry.path().map_err(unreadable)?.file_name().map(|name| name.to_string_lossy().into_owned());
        if let (tar::EntryType::Regular, Some(name)) = (entry.header().entry_type(), name) {
            let mut content = Vec::new();
            entry.read_to_end(&mut content).map_err(unreadable)?;
            files.insert(name, content);
        }
    }
    Ok(Some(files))
}

/// Hands in a step, or finds it there, and follows its output from byte `offset` on. `output` hears every piece with the
/// offset of its end. Returns how the step ended.
///
/// # Errors
/// [`RunnerError::Lost`] when the connection ended before the step: asking again goes on where it stopped.
pub async fn run_step(
    docker: &Docker,
    id: &str,
    step: &Step,
    offset: u64,
    mut output: impl FnMut(&[u8]),
) -> Result<StepEnd, RunnerError> {
    let lost = |why: String| RunnerError::Lost { step: step.name.to_string(), why };
    let config = ExecConfig {
        attach_stdin: Some(true),
        attach_stdout: Some(true),
        attach_stderr: Some(true),
        cmd: Some(
            ["/usr/local/bin/cc-ci", "runner", "step", "--offset", &offset.to_string()].map(str::to_owned).to_vec(),
        ),
        ..Default::default()
    };
    let exec = docker.create_exec(id, config).await.tried(format!("hand step {} to the runner", step.name))?.id;
    let options = StartExecOptions { detach: false, tty: false, output_capacity: None };
    let started =
        docker.start_exec(&exec, Some(options)).await.tried(format!("hand step {} to the runner", step.name))?;
    let StartExecResults::Attached { output: mut stream, mut input } = started else {
        return Err(lost("the engine did not attach".to_owned()));
    };
    let mut request = serde_json::to_vec(step).map_err(|error| lost(error.to_string()))?;
    request.push(b'\n');
    input.write_all(&request).await.map_err(|error| lost(error.to_string()))?;
    input.flush().await.map_err(|error| lost(error.to_string()))?;

    let mut end = Vec::new();
    while let Some(piece) = stream.try_next().await.tried(format!("follow step {}", step.name))? {
        match piece {
            LogOutput::StdOut { message } => output(&message),
            LogOutput::StdErr { message } if end.len() < LARGEST_READ => end.extend_from_slice(&message),
            LogOutput::StdErr { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => {}
        }
    }
    serde_json::from_slice(&end).map_err(|_| lost(String::from_utf8_lossy(&end).trim().chars().take(300).collect()))
}

/// Removes a runner container with whatever runs in it. Nothing to do when it is gone.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn remove(docker: &Docker, id: &str) -> Result<(), DockerError> {
    let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
    gone_is_fine(docker.remove_container(id, Some(options)).await.tried("remove the runner container"))
}
