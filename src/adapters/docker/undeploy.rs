//! Removes a stack with everything that is its own: services, containers, networks, volumes, secrets, configs.
//!
//! Idempotent, and used by the runner's step, by the runner when the total limit has passed, by the gate's sweep, and for test suites.

use std::collections::HashMap;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{EndpointPortConfigPublishModeEnum, Service, Task, TaskState};
use bollard::query_parameters::{
    ListConfigsOptions, ListContainersOptions, ListNetworksOptions, ListSecretsOptions, ListServicesOptions,
    ListTasksOptions, ListVolumesOptions, RemoveContainerOptions, RemoveVolumeOptions,
};
use tokio::time::Instant;

use super::{DockerError, GLANCE, STACK_LABEL, SUITE_LABEL, Tried as _, gone_is_fine, labelled};
use crate::domain::ids::StackName;

/// Swarm needs a second or two to hear of the end of a service; more than this is a fault.
const PATIENCE: Duration = Duration::from_secs(90);
/// A volume goes at once when the stack's containers are gone; one that does not is held by somebody else.
const PATIENCE_WITH_VOLUMES: Duration = Duration::from_secs(15);

/// Why a stack is not gone.
#[derive(Debug, thiserror::Error)]
pub enum UndeployError {
    /// The engine refused or did not answer.
    #[error(transparent)]
    Docker(#[from] DockerError),
    /// Something stays, however often it is removed.
    #[error("{what} of {of} are still there after {seconds} s")]
    Remains {
        /// Which kind of object.
        what: &'static str,
        /// Whose: a stack or a test suite.
        of: String,
        /// How long that was tried.
        seconds: u64,
    },
}

/// Removes the stack. `say` hears what was removed.
///
/// # Errors
/// When the engine does not answer, or something stays.
pub async fn undeploy(docker: &Docker, stack: &StackName, say: impl Fn(String)) -> Result<(), UndeployError> {
    let stack = Stack::new(docker, stack);
    let services = stack.remove_what_runs().await?;
    let kept = stack.remove_secrets_and_configs(Stack::owns).await?;
    say(format!(
        "removed stack {}: {services} services, {kept} secrets and configs, its networks and volumes",
        stack.name
    ));
    Ok(())
}

/// Removes the app and its data. Secrets that were made for it stay: a fresh deploy that finds them can read a backup of the
/// destroyed one. `say` hears what was removed.
///
/// # Errors
/// As [`undeploy`].
pub async fn destroy(docker: &Docker, stack: &StackName, say: impl Fn(String)) -> Result<(), UndeployError> {
    let stack = Stack::new(docker, stack);
    let services = stack.remove_what_runs().await?;
    // Those that the compose file makes come again with it, perhaps with another content.
    let made = stack.remove_secrets_and_configs(|stack, labels, _| stack.made(labels)).await?;
    say(format!(
        "destroyed stack {}: {services} services, {made} secrets and configs of its compose files, its networks and volumes",
        stack.name
    ));
    Ok(())
}

/// Removes test suites, named by a label: services, containers, configs.
///
/// # Errors
/// When the engine does not answer, or something stays.
pub async fn remove_suites(docker: &Docker, label: &str) -> Result<(), UndeployError> {
    end_what_runs(docker, label, &format!("test suite {label}")).await?;
    let options = ListConfigsOptions { filters: Some(labelled(label)) };
    let configs = docker.list_configs(Some(options)).await.tried("list a test suite's configs")?;
    for id in configs.into_iter().filter_map(|config| config.id) {
        gone_is_fine(docker.delete_config(&id).await.tried(format!("remove config {id}")))?;
    }
    Ok(())
}

/// Ends all services of a label, with their tasks and containers; `of` says whose they are. Returns how many services there were.
async fn end_what_runs(docker: &Docker, label: &str, of: &str) -> Result<usize, UndeployError> {
    let services = remove_services(docker, label).await?;
    until_none_left("containers", of, PATIENCE, || remove_containers(docker, label)).await?;
    let is_open = if services.iter().any(publishes_on_the_host) { is_not_over } else { has_not_begun };
    until_none_left("tasks", of, PATIENCE, || end_tasks(docker, label, is_open)).await?;
    Ok(services.len())
}

/// Repeats a removal until it finds nothing more to remove: Swarm may start one more task while it hears of the end.
async fn until_none_left<F: Future<Output = Result<usize, DockerError>>>(
    what: &'static str,
    of: &str,
    patience: Duration,
    mut remove: impl FnMut() -> F,
) -> Result<(), UndeployError> {
    let deadline = Instant::now() + patience;
    while remove().await? > 0 {
        if Instant::now() > deadline {
            return Err(UndeployError::Remains { what, of: of.to_owned(), seconds: patience.as_secs() });
        }
        tokio::time::sleep(GLANCE).await;
    }
    Ok(())
}

/// How many tasks may still start a container when all seem to be gone: one that waited for a node may get it at the last moment.
/// Until Swarm has heard of a task's end, which takes seconds, it gives its ports of the host to nobody else: with such ports all are
/// open that are not over.
async fn end_tasks(docker: &Docker, label: &str, is_open: fn(&Task) -> bool) -> Result<usize, DockerError> {
    let options = ListTasksOptions { filters: Some(labelled(label)) };
    let tasks = docker.list_tasks(Some(options)).await.tried("list tasks that are to end")?;
    let open = tasks.iter().filter(|task| is_open(task)).count();
    if open > 0 {
        remove_containers(docker, label).await?;
    }
    Ok(open)
}

/// Returns what there was.
async fn remove_services(docker: &Docker, label: &str) -> Result<Vec<Service>, DockerError> {
    let options = ListServicesOptions { filters: Some(labelled(label)), ..Default::default() };
    let services = docker.list_services(Some(options)).await.tried("list services to remove")?;
    for id in services.iter().filter_map(|service| service.id.as_deref()) {
        gone_is_fine(docker.delete_service(id).await.tried(format!("remove service {id}")))?;
    }
    Ok(services)
}

/// By force: their volumes go too, so that nobody is served by waiting for them (2.8 s instead of 6.3).
async fn remove_containers(docker: &Docker, label: &str) -> Result<usize, DockerError> {
    let options = ListContainersOptions { all: true, filters: Some(labelled(label)), ..Default::default() };
    let containers = docker.list_containers(Some(options)).await.tried("list containers to remove")?;
    for id in containers.iter().filter_map(|container| container.id.as_deref()) {
        let options = RemoveContainerOptions { force: true, v: true, ..Default::default() };
        let removed = docker.remove_container(id, Some(options)).await.tried(format!("remove container {id}"));
        busy_is_fine(removed)?;
    }
    Ok(containers.len())
}

struct Stack<'a> {
    docker: &'a Docker,
    name: &'a StackName,
    label: String,
    prefix: String,
}

impl<'a> Stack<'a> {
    fn new(docker: &'a Docker, name: &'a StackName) -> Self {
        Self { docker, name, label: format!("{STACK_LABEL}={name}"), prefix: format!("{name}_") }
    }

    /// Returns how many services there were.
    async fn remove_what_runs(&self) -> Result<usize, UndeployError> {
        remove_suites(self.docker, &format!("{SUITE_LABEL}={}", self.name)).await?;
        let of = format!("stack {}", self.name);
        let services = end_what_runs(self.docker, &self.label, &of).await?;
        until_none_left("networks", &of, PATIENCE, || self.remove_networks()).await?;
        until_none_left("volumes", &of, PATIENCE_WITH_VOLUMES, || self.remove_volumes()).await?;
        Ok(services)
    }

    async fn remove_networks(&self) -> Result<usize, DockerError> {
        let options = ListNetworksOptions { filters: Some(labelled(&self.label)) };
        let networks = self.docker.list_networks(Some(options)).await.tried("list the stack's networks")?;
        for id in networks.iter().filter_map(|network| network.id.as_deref()) {
            busy_is_fine(self.docker.remove_network(id).await.tried(format!("remove network {id}")))?;
        }
        Ok(networks.len())
    }

    async fn remove_volumes(&self) -> Result<usize, DockerError> {
        let volumes = self.docker.list_volumes(None::<ListVolumesOptions>).await.tried("list the volumes")?;
        let names: Vec<String> = volumes
            .volumes
            .unwrap_or_default()
            .into_iter()
            .filter(|volume| self.owns(Some(&volume.labels), Some(&volume.name)))
            .map(|volume| volume.name)
            .collect();
        for name in &names {
            let removed = self.docker.remove_volume(name, Some(RemoveVolumeOptions { force: true })).await;
            busy_is_fine(removed.tried(format!("remove volume {name}")))?;
        }
        Ok(names.len())
    }

    async fn remove_secrets_and_configs(
        &self,
        which: impl Fn(&Self, Option<&HashMap<String, String>>, Option<&str>) -> bool,
    ) -> Result<usize, DockerError> {
        let mut count = 0;
        for secret in self.docker.list_secrets(None::<ListSecretsOptions>).await.tried("list the secrets")? {
            let spec = secret.spec.unwrap_or_default();
            if which(self, spec.labels.as_ref(), spec.name.as_deref()) {
                let id = secret.id.unwrap_or_default();
                gone_is_fine(self.docker.delete_secret(&id).await.tried(format!("remove secret {id}")))?;
                count += 1;
            }
        }
        for config in self.docker.list_configs(None::<ListConfigsOptions>).await.tried("list the configs")? {
            let spec = config.spec.unwrap_or_default();
            if which(self, spec.labels.as_ref(), spec.name.as_deref()) {
                let id = config.id.unwrap_or_default();
                gone_is_fine(self.docker.delete_config(&id).await.tried(format!("remove config {id}")))?;
                count += 1;
            }
        }
        Ok(count)
    }

    fn owns(&self, labels: Option<&HashMap<String, String>>, name: Option<&str>) -> bool {
        self.made(labels) || name.is_some_and(|name| name.starts_with(&self.prefix))
    }

    /// Whether `docker stack deploy` made it.
    fn made(&self, labels: Option<&HashMap<String, String>>) -> bool {
        labels.and_then(|labels| labels.get(STACK_LABEL)).is_some_and(|stack| stack == self.name.as_str())
    }
}

fn publishes_on_the_host(service: &Service) -> bool {
    let spec = service.spec.as_ref().and_then(|spec| spec.endpoint_spec.as_ref());
    let ports = spec.and_then(|spec| spec.ports.as_ref());
    ports.is_some_and(|ports| {
        ports.iter().any(|port| port.publish_mode == Some(EndpointPortConfigPublishModeEnum::HOST))
    })
}

/// One that is ready has its container already, and that is removed.
fn has_not_begun(task: &Task) -> bool {
    matches!(
        state(task),
        Some(
            TaskState::NEW
                | TaskState::ALLOCATED
                | TaskState::PENDING
                | TaskState::ASSIGNED
                | TaskState::ACCEPTED
                | TaskState::PREPARING
        )
    )
}

fn state(task: &Task) -> Option<TaskState> {
    task.status.as_ref().and_then(|status| status.state)
}

fn is_not_over(task: &Task) -> bool {
    !state(task).is_some_and(is_over)
}

/// Whether a task in this state never runs again.
pub(super) const fn is_over(state: TaskState) -> bool {
    matches!(
        state,
        TaskState::COMPLETE
            | TaskState::SHUTDOWN
            | TaskState::FAILED
            | TaskState::REJECTED
            | TaskState::REMOVE
            | TaskState::ORPHANED
    )
}

/// An object in use (409, or 403 for a network with endpoints) is tried again by the loop around.
fn busy_is_fine<T>(result: Result<T, DockerError>) -> Result<(), DockerError> {
    match gone_is_fine(result) {
        Err(error) if matches!(error.status(), Some(403 | 409 | 500)) => Ok(()),
        other => other,
    }
}
