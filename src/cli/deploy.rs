//! `cc-ci deploy` and `cc-ci undeploy`: a recipe that stays. The lab deploys its gate so, with the documented semantics of a deploy and
//! without abra; a test target is refused, since what is left there would be in the way of every run.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bollard::Docker;
use clap::Args;

use super::{Exit, Places};
use crate::adapters::docker::connect;
use crate::adapters::docker::stack::{make_secret, stack_deploy};
use crate::adapters::docker::undeploy::undeploy as remove;
use crate::adapters::git;
use crate::adapters::session::Session;
use crate::config;
use crate::domain::deployment::{self, Facts, SecretPlan};
use crate::domain::ids::{DomainName, StackName};
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
    for planned in &deployment.secrets {
        secret(&docker, planned, arguments.secrets.as_deref()).await?;
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

/// Its value comes from a file, or is drawn.
async fn secret(docker: &Docker, secret: &SecretPlan, folder: Option<&Path>) -> anyhow::Result<()> {
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
    Ok(make_secret(docker, &secret.full_name, &value).await?)
}

#[expect(clippy::print_stderr, reason = "for the person at the terminal")]
fn say(text: &str) {
    eprintln!("{text}");
}
