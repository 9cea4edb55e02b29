//! The naive way to test a recipe, so that canaries can tell what a run is worth beside it: `docker stack deploy`, wait until
//! `docker service ls` shows n/n for a while, ask the page. It knows two verdicts and no cause.
//!
//! It is done fairly: with the app env, secrets and configs of a run, over the older version where there is one, on a target that it
//! claims and leaves as it was.

use std::path::Path;
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListServicesOptions;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;
use tokio_util::task::AbortOnDropHandle;

use super::EngineError;
use super::claim::Claimant;
use super::run::Gate;
use crate::adapters::docker::stack::{StackError, make_secret, stack_deploy};
use crate::adapters::docker::undeploy::undeploy;
use crate::adapters::docker::{DockerError, STACK_LABEL, Tried as _, connect, engine, labelled};
use crate::adapters::probe::Web;
use crate::adapters::session::Session;
use crate::domain::canary::{Canary, Naive};
use crate::domain::deployment::{self, Deployment, Facts};
use crate::domain::ids::{RecipeName, RunId, StackName};
use crate::domain::recipe::RecipeFiles;
use crate::domain::target::Target;
use crate::domain::tests_file::TestsFile;

/// The longest that each deploy may take until everything runs and the page answers.
const PATIENCE: Duration = Duration::from_secs(60);
/// So long n/n must be shown.
const STEADY: Duration = Duration::from_secs(3);
const BETWEEN: Duration = Duration::from_millis(500);

/// Judges a canary in the naive way. Nothing stays on the target, even when it is cancelled.
///
/// # Errors
/// When the target cannot be had or does not answer: nothing was judged then.
pub async fn naive(
    gate: &Gate,
    target: &Target,
    canary: &Canary,
    cancel: &CancellationToken,
) -> Result<Naive, EngineError> {
    let begun = Instant::now();
    let run = RunId::from_random(rand::random());
    let _alive = gate.state.run(&run).hold(&run)?;
    let session = Session::open(target).await?;
    let docker = connect(session.docker_socket()).await?;
    let clock_offset = engine(&docker, jiff::Timestamp::now).await?.clock_offset;
    let claimant = Claimant { docker: docker.clone(), gate: gate.id.clone(), run: run.clone(), most: 1, clock_offset };
    claimant.take(&gate.state).await?;
    let _renewing = AbortOnDropHandle::new(tokio::spawn(claimant.clone().keep_renewing()));
    let domain = run.app_domain(&target.domain)?;
    let stack = StackName::of_domain(&domain)?;
    let web = Web::new(target, session.web_socket())?;
    let tests = canary.tests.as_deref().and_then(|text| TestsFile::read(text).ok()).unwrap_or_default();
    let facts = Facts {
        stack: stack.clone(),
        domain,
        recipe: RecipeName::parse(&canary.name)?,
        commit: "naive".to_owned(),
        forced: target.env.clone(),
        overrides: tests.env,
    };
    let app = App { docker: &docker, socket: session.docker_socket(), web: &web, facts: &facts };
    let judged = tokio::select! {
        judged = app.judge(canary) => judged,
        () = cancel.cancelled() => Ok(Err("cancelled".to_owned())),
    };
    undeploy(&docker, &stack, |_| ()).await?;
    claimant.release().await?;
    let (green, why) = match judged? {
        Ok(why) => (true, why),
        Err(why) => (false, why),
    };
    Ok(Naive { green, why, ms: u64::try_from(begun.elapsed().as_millis()).unwrap_or(u64::MAX) })
}

/// Why it looks well, or why not.
type Looks = Result<String, String>;

struct App<'a> {
    docker: &'a Docker,
    socket: &'a Path,
    web: &'a Web,
    facts: &'a Facts,
}

impl App<'_> {
    async fn judge(&self, canary: &Canary) -> Result<Looks, EngineError> {
        if let Some((version, older)) = canary.published.last()
            && let Err(why) = self.comes_up(older).await?
        {
            return Ok(Err(format!("{version}: {why}")));
        }
        self.comes_up(&canary.head).await
    }

    async fn comes_up(&self, files: &RecipeFiles) -> Result<Looks, EngineError> {
        let deployment = match deployment::plan(files, self.facts) {
            Ok(deployment) => deployment,
            Err(error) => return Ok(Err(error.to_string())),
        };
        for secret in &deployment.secrets {
            let mut random = vec![0; secret.random_len()];
            rand::fill(random.as_mut_slice());
            if let Some(value) = secret.generate(&random) {
                make_secret(self.docker, &secret.full_name, value.as_bytes()).await?;
            }
        }
        match stack_deploy(files, &deployment, &self.facts.stack, self.socket).await {
            Ok(()) => {}
            Err(error @ StackError::Refused { .. }) => return Ok(Err(error.to_string())),
            Err(error @ (StackError::NoClient(_) | StackError::Files(_))) => {
                return Err(EngineError::Target(error.to_string()));
            }
        }
        let deadline = Instant::now() + PATIENCE;
        match self.replicas(deadline).await? {
            Ok(replicas) => Ok(self.page(&deployment, deadline).await.map(|page| format!("{replicas}{page}"))),
            Err(why) => Ok(Err(why)),
        }
    }

    /// Waits until as many tasks run as are wanted.
    async fn replicas(&self, deadline: Instant) -> Result<Looks, DockerError> {
        let mut since: Option<Instant> = None;
        loop {
            let (running, desired) = self.running().await?;
            since = (running >= desired).then(|| since.unwrap_or_else(Instant::now));
            if since.is_some_and(|since| since.elapsed() >= STEADY) {
                return Ok(Ok(format!("{running}/{desired} replicas")));
            }
            if Instant::now() > deadline {
                return Ok(Err(format!("{running}/{desired} replicas after {} s", PATIENCE.as_secs())));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    /// What `docker service ls` shows, summed up; a service that lacks one is not made good by another.
    async fn running(&self) -> Result<(u64, u64), DockerError> {
        let filters = Some(labelled(format!("{STACK_LABEL}={}", self.facts.stack)));
        let options = ListServicesOptions { filters, status: Some(true) };
        let services = self.docker.list_services(Some(options)).await.tried("list the services")?;
        Ok(services.into_iter().filter_map(|service| service.service_status).fold(
            (0, 0),
            |(running, wanted), status| {
                let desired = status.desired_tasks.unwrap_or_default();
                (running + status.running_tasks.unwrap_or_default().min(desired), wanted + desired)
            },
        ))
    }

    /// The first page that the router rules name must answer with 200.
    async fn page(&self, deployment: &Deployment, deadline: Instant) -> Looks {
        let Some(route) = deployment.routes.first() else { return Ok(", no page".to_owned()) };
        loop {
            let answer = self.web.get(&format!("https://{}/", route.host)).await.map(|answer| answer.status);
            if answer == Ok(200) {
                return Ok(", HTTP 200".to_owned());
            }
            if Instant::now() > deadline {
                return Err(answer.map_or_else(|why| why, |status| format!("HTTP {status}")));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }
}
