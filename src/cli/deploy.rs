//! `cc-ci deploy` and `cc-ci undeploy`: a recipe that stays. The lab deploys its gate so, with the documented semantics of a deploy and
//! without abra; a test target is refused, since what is left there would be in the way of every run.

use std::collections::{BTreeMap, HashMap};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context as _, bail};
use base64::Engine as _;
use bollard::Docker;
use bollard::models::SecretSpec;
use clap::Args;
use tokio::process::Command;

use super::{Exit, Places};
use crate::adapters::docker::undeploy::undeploy as remove;
use crate::adapters::docker::{Tried as _, connect};
use crate::adapters::git;
use crate::adapters::session::Session;
use crate::config;
use crate::domain::deployment::{self, Deployment, Facts, SecretPlan};
use crate::domain::ids::{DomainName, StackName};
use crate::domain::recipe::RecipeFiles;
use crate::domain::recipe::env::EnvFile;
use crate::domain::target::{Role, Target};

#[derive(Debug, Args)]
pub(super) struct DeployArguments {
    /// The recipe: a directory, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
    #[command(flatten)]
    app: App,
    /// Variables over those of .env.sample, in the style of .env
    #[arg(long, value_name = "FILE")]
    env: Option<PathBuf>,
    /// A folder with the secrets that are not generated, a file of its name each
    #[arg(long, value_name = "DIR")]
    secrets: Option<PathBuf>,
}

#[derive(Debug, Args)]
pub(super) struct App {
    /// A section of targets.toml whose role is not `gate`
    #[arg(long)]
    target: String,
    /// The app's domain
    #[arg(long)]
    domain: DomainName,
    #[command(flatten)]
    places: Places,
}

impl App {
    async fn reach(&self) -> anyhow::Result<(Target, Session, Docker)> {
        let target = config::target(&self.target, &self.places.targets())?;
        if target.role == Role::Gate {
            bail!("{} is a test target: an app that stays would be in the way of its runs", target.name);
        }
        let session = Session::open(&target).await?;
        let docker = connect(session.docker_socket()).await?;
        Ok((target, session, docker))
    }
}

pub(super) async fn deploy(arguments: DeployArguments) -> anyhow::Result<Exit> {
    let source = git::read(&arguments.recipe).await?;
    let (target, session, docker) = arguments.app.reach().await?;
    let facts = Facts {
        stack: StackName::of_domain(&arguments.app.domain)?,
        domain: arguments.app.domain.clone(),
        recipe: source.name.clone(),
        commit: source.chaos_version.clone(),
        overrides: BTreeMap::new(),
        forced: variables(&target, arguments.env.as_deref())?,
    };
    let deployment = deployment::plan(&source.files, &facts)?;
    for secret in &deployment.secrets {
        make_secret(&docker, secret, arguments.secrets.as_deref()).await?;
    }
    stack_deploy(&source.files, &deployment, &facts.stack, session.docker_socket()).await?;
    say(&format!("deployed {} as https://{}", source.name, facts.domain));
    Ok(Exit::Fine)
}

pub(super) async fn undeploy(app: App) -> anyhow::Result<Exit> {
    let (_target, _session, docker) = app.reach().await?;
    remove(&docker, &StackName::of_domain(&app.domain)?, |line| say(&line)).await?;
    Ok(Exit::Fine)
}

/// What the operator's own app env says over `.env.sample`.
fn variables(target: &Target, file: Option<&Path>) -> anyhow::Result<BTreeMap<String, String>> {
    let mut variables = target.env.clone();
    if let Some(file) = file {
        let text = fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
        variables.extend(EnvFile::parse(&text).expand(&BTreeMap::new()));
    }
    Ok(variables)
}

/// A secret that exists keeps its value: Swarm's cannot change.
async fn make_secret(docker: &Docker, secret: &SecretPlan, folder: Option<&Path>) -> anyhow::Result<()> {
    let file = folder.map(|folder| folder.join(&secret.name)).filter(|file| file.is_file());
    let value = match file {
        Some(file) => fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?,
        None if secret.generate => {
            let mut random = vec![0; secret.random_len()];
            rand::fill(random.as_mut_slice());
            secret.generate(&random).context("too little randomness")?.into_bytes()
        }
        None => {
            bail!("secret {} is not generated\nhint: put its value into a file of that name, `--secrets`", secret.name)
        }
    };
    let spec = SecretSpec {
        name: Some(secret.full_name.clone()),
        labels: Some(HashMap::new()),
        data: Some(base64::engine::general_purpose::STANDARD.encode(value)),
        ..Default::default()
    };
    match docker.create_secret(spec).await.tried(format!("make secret {}", secret.full_name)) {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(409) => Ok(()),
        Err(error) => Err(error.into()),
    }
}

/// The docker client of this machine reads the recipe's files and speaks with the target's engine through the session.
async fn stack_deploy(
    files: &RecipeFiles,
    deployment: &Deployment,
    stack: &StackName,
    socket: &Path,
) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let own = (deployment.own_file.0.as_str(), deployment.own_file.1.as_bytes());
    for (path, bytes) in files.iter().map(|(path, file)| (path, file.bytes.as_slice())).chain([own]) {
        let place = folder.path().join(path);
        fs::create_dir_all(place.parent().unwrap_or(folder.path()))?;
        fs::write(place, bytes)?;
    }
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
    let output = command.output().await.context("cannot start docker\nhint: the docker client must be installed")?;
    if !output.status.success() {
        bail!("docker stack deploy failed ({}): {}", output.status, String::from_utf8_lossy(&output.stderr).trim());
    }
    Ok(())
}

#[expect(clippy::print_stderr, reason = "for the person at the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
