//! A stack that this machine's docker client deploys to a target's engine, through the session's socket. Runs do not go this way: their
//! runner deploys. For apps that stay (`cc-ci deploy`), and for the naive way that canaries are compared with.

use std::collections::HashMap;
use std::path::Path;
use std::process::Stdio;

use base64::Engine as _;
use bollard::Docker;
use bollard::models::SecretSpec;
use tokio::process::Command;

use super::{DockerError, Tried as _};
use crate::domain::deployment::Deployment;
use crate::domain::ids::StackName;
use crate::domain::recipe::RecipeFiles;

/// Why a stack was not deployed.
#[derive(Debug, thiserror::Error)]
pub enum StackError {
    /// Docker said no.
    #[error("docker stack deploy failed ({status}): {said}")]
    Refused {
        /// How it ended.
        status: std::process::ExitStatus,
        /// What it said.
        said: String,
    },
    /// The client could not be run.
    #[error("cannot start docker: {0}\nhint: the docker client must be installed")]
    NoClient(std::io::Error),
    /// The files could not be written for it.
    #[error("cannot write the recipe's files: {0}")]
    Files(std::io::Error),
}

/// Makes a secret. One that exists keeps its value: Swarm's cannot change.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn make_secret(docker: &Docker, name: &str, value: &[u8]) -> Result<(), DockerError> {
    let spec = SecretSpec {
        name: Some(name.to_owned()),
        labels: Some(HashMap::new()),
        data: Some(base64::engine::general_purpose::STANDARD.encode(value)),
        ..Default::default()
    };
    match docker.create_secret(spec).await.tried(format!("make secret {name}")) {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(409) => Ok(()),
        Err(error) => Err(error),
    }
}

/// The docker client of this machine reads the recipe's files and speaks with the target's engine through the session.
///
/// # Errors
/// When docker refuses, with what it said.
pub async fn stack_deploy(
    files: &RecipeFiles,
    deployment: &Deployment,
    stack: &StackName,
    socket: &Path,
) -> Result<(), StackError> {
    let folder = laid_out(files, deployment).map_err(StackError::Files)?;
    let mut command = Command::new("docker");
    command.args(["stack", "deploy", "--detach=true", "--resolve-image=always"]);
    for file in &deployment.compose_files {
        command.args(["--compose-file", file]);
    }
    command.arg(stack.as_str()).current_dir(folder.path()).stdin(Stdio::null()).kill_on_drop(true);
    command.env_clear().envs(&deployment.env).env("PATH", std::env::var_os("PATH").unwrap_or_default());
    command
        .env("DOCKER_HOST", format!("unix://{}", socket.display()))
        .env("DOCKER_CONFIG", folder.path().join(".docker"));
    let output = command.output().await.map_err(StackError::NoClient)?;
    if output.status.success() {
        return Ok(());
    }
    let said = String::from_utf8_lossy(&output.stderr).trim().to_owned();
    Err(StackError::Refused { status: output.status, said })
}

fn laid_out(files: &RecipeFiles, deployment: &Deployment) -> std::io::Result<tempfile::TempDir> {
    let folder = tempfile::tempdir()?;
    let own = (deployment.own_file.0.as_str(), deployment.own_file.1.as_bytes());
    for (path, bytes) in files.iter().map(|(path, file)| (path, file.bytes.as_slice())).chain([own]) {
        let place = folder.path().join(path);
        std::fs::create_dir_all(place.parent().unwrap_or(folder.path()))?;
        std::fs::write(place, bytes)?;
    }
    Ok(folder)
}
