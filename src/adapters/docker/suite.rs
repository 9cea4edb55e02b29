//! A test suite on a target: a service of one task that ends by itself, on the networks of the app and of the proxy.
//!
//! A service and no container: the networks of a stack take nothing else. It has no volume, no path of the host and no socket; the
//! files beside the tests file come as configs, which are read-only. What it leaves goes with it, or with the app's stack.

use std::collections::{BTreeSet, HashMap};
use std::io::Read as _;

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::models::{
    ConfigSpec, EndpointSpec, EndpointSpecModeEnum, HealthConfig, Limit, NetworkAttachmentConfig, Service, ServiceSpec,
    Task, TaskSpec, TaskSpecContainerSpec, TaskSpecContainerSpecConfigs, TaskSpecContainerSpecFile1, TaskSpecLogDriver,
    TaskSpecResources, TaskSpecRestartPolicy, TaskSpecRestartPolicyConditionEnum, TaskState,
};
use bollard::query_parameters::{
    DownloadFromContainerOptions, InspectContainerOptions, ListNetworksOptions, ListServicesOptions, ListTasksOptions,
    LogsOptions,
};
use futures_util::StreamExt as _;

use super::inside::container_of;
use super::undeploy::{UndeployError, is_over, remove_suites};
use super::{DockerError, GATE_LABEL, RUN_LABEL, STACK_LABEL, SUITE_LABEL, Tried as _, labelled};
use crate::domain::ids::{GateId, RunId, StackName};
use crate::domain::suite::{FILES, LARGEST_REPORT, REPORT};
use crate::domain::tests_file::SuiteFile;

/// The label with the name of the suite's service, of all that is its own.
const NAME_LABEL: &str = "cc-ci.suite.name";
/// The network that the proxy shares with apps.
const PROXY: &str = "proxy";
const HTTPS: i64 = 443;
/// A browser with some tabs.
const MEMORY: i64 = 2 << 30;
const PROCESSES: i64 = 2_000;

/// What is run.
#[derive(Debug, Clone)]
pub struct SuiteOrder<'a> {
    /// Whose app is looked at.
    pub stack: &'a StackName,
    /// The run that asks.
    pub run: &'a RunId,
    /// Its gate.
    pub gate: &'a GateId,
    /// What tells it from other suites of the run.
    pub word: &'a str,
    /// The image.
    pub image: &'a str,
    /// A program with its arguments; empty: what the image runs by itself.
    pub run_words: &'a [String],
    /// Its environment, `NAME=value`.
    pub env: Vec<String>,
    /// The hosts that the proxy answers for.
    pub hosts: Vec<String>,
    /// The files beside the tests file.
    pub files: &'a [SuiteFile],
}

/// A suite that was started.
#[derive(Debug)]
pub struct Started {
    service: String,
}

/// How far it is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Course {
    /// It has no container yet.
    Waits,
    /// It runs, in this container.
    Runs(String),
    /// It is over.
    Over(Over),
}

/// How it was over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Over {
    /// It ended with a code, in this container.
    Ended(String, i64),
    /// It never ran, and what Swarm says.
    Never(String),
}

impl SuiteOrder<'_> {
    fn name(&self) -> String {
        format!("{}_suite-{}", self.stack, self.word)
    }

    fn labels(&self) -> HashMap<String, String> {
        let ours = [(RUN_LABEL, self.run.as_str()), (GATE_LABEL, self.gate.as_str())];
        self.own_labels().into_iter().chain(ours.map(|(name, value)| (name.to_owned(), value.to_owned()))).collect()
    }

    /// Those of its container: by the others, the run's own container is found.
    fn own_labels(&self) -> HashMap<String, String> {
        HashMap::from([(SUITE_LABEL.to_owned(), self.stack.to_string()), (NAME_LABEL.to_owned(), self.name())])
    }
}

/// Starts a suite; one of the same name goes first.
///
/// # Errors
/// When the engine refuses or does not answer.
pub async fn start(docker: &Docker, order: &SuiteOrder<'_>) -> Result<Started, UndeployError> {
    let started = Started { service: order.name() };
    remove(docker, &started).await?;
    let networks = networks(docker, order.stack).await?;
    let proxy = proxy(docker, &networks).await?;
    let host = |host: &String| proxy.as_ref().map(|address| format!("{address} {host}"));
    let hosts: Vec<String> = order.hosts.iter().filter_map(host).collect();
    let mut configs = Vec::new();
    for (number, file) in order.files.iter().enumerate() {
        let name = format!("{}-{number}", started.service);
        configs.push(config(docker, order, name, file).await?);
    }
    let container = TaskSpecContainerSpec {
        image: Some(order.image.to_owned()),
        labels: Some(order.own_labels()),
        command: (!order.run_words.is_empty()).then(|| order.run_words.to_vec()),
        env: Some(order.env.clone()),
        dir: (!configs.is_empty()).then(|| FILES.to_owned()),
        hosts: Some(hosts),
        configs: Some(configs),
        init: Some(true),
        // It is no server: its image's own healthcheck would have Swarm kill it.
        health_check: Some(HealthConfig { test: Some(vec!["NONE".to_owned()]), ..Default::default() }),
        ..Default::default()
    };
    let limits = Limit { memory_bytes: Some(MEMORY), pids: Some(PROCESSES), ..Default::default() };
    let once =
        TaskSpecRestartPolicy { condition: Some(TaskSpecRestartPolicyConditionEnum::NONE), ..Default::default() };
    let attachments = networks.into_iter().map(|id| NetworkAttachmentConfig { target: Some(id), ..Default::default() });
    let spec = ServiceSpec {
        name: Some(started.service.clone()),
        labels: Some(order.labels()),
        task_template: Some(TaskSpec {
            container_spec: Some(container),
            resources: Some(TaskSpecResources { limits: Some(limits), ..Default::default() }),
            restart_policy: Some(once),
            networks: Some(attachments.collect()),
            log_driver: Some(log_driver()),
            ..Default::default()
        }),
        // Nobody asks for it by name.
        endpoint_spec: Some(EndpointSpec { mode: Some(EndpointSpecModeEnum::DNSRR), ..Default::default() }),
        ..Default::default()
    };
    docker.create_service(spec, None).await.tried("start a test suite")?;
    Ok(started)
}

/// Whatever it says, it does not fill the target's disk.
fn log_driver() -> TaskSpecLogDriver {
    let options = [("max-size", "1m"), ("max-file", "2")].map(|(name, value)| (name.to_owned(), value.to_owned()));
    TaskSpecLogDriver { name: Some("json-file".to_owned()), options: Some(options.into()) }
}

async fn config(
    docker: &Docker,
    order: &SuiteOrder<'_>,
    name: String,
    file: &SuiteFile,
) -> Result<TaskSpecContainerSpecConfigs, DockerError> {
    let spec = ConfigSpec {
        name: Some(name.clone()),
        labels: Some(order.labels()),
        data: Some(file.base64().to_owned()),
        ..Default::default()
    };
    let id = docker.create_config(spec).await.tried(format!("keep {} for a test suite", file.path))?.id;
    let place = TaskSpecContainerSpecFile1 {
        name: Some(format!("{FILES}/{}", file.path)),
        uid: Some("0".to_owned()),
        gid: Some("0".to_owned()),
        mode: Some(if file.executable { 0o555 } else { 0o444 }),
    };
    Ok(TaskSpecContainerSpecConfigs {
        file: Some(place),
        config_id: Some(id),
        config_name: Some(name),
        ..Default::default()
    })
}

/// The networks of the stack's services, and the proxy's.
async fn networks(docker: &Docker, stack: &StackName) -> Result<BTreeSet<String>, DockerError> {
    let filters = Some(labelled(format!("{STACK_LABEL}={stack}")));
    let options = ListServicesOptions { filters, ..Default::default() };
    let services = docker.list_services(Some(options)).await.tried("list the stack's services")?;
    let of_service = |service: Service| service.spec?.task_template?.networks;
    let mut found: BTreeSet<String> =
        services.into_iter().filter_map(of_service).flatten().filter_map(|network| network.target).collect();
    let all = docker.list_networks(None::<ListNetworksOptions>).await.tried("list the networks")?;
    let mut proxy =
        all.into_iter().filter(|it| it.name.as_deref() == Some(PROXY) && it.scope.as_deref() == Some("swarm"));
    found.extend(proxy.next().and_then(|network| network.id));
    Ok(found)
}

/// The address of the proxy in one of these networks: of the service that publishes port 443. Without one, names are left to DNS.
async fn proxy(docker: &Docker, networks: &BTreeSet<String>) -> Result<Option<String>, DockerError> {
    let services = docker.list_services(None::<ListServicesOptions>).await.tried("list the services")?;
    let publishes = |service: &Service| {
        let ports = service.endpoint.as_ref().and_then(|endpoint| endpoint.ports.as_ref());
        ports.is_some_and(|ports| ports.iter().any(|port| port.published_port == Some(HTTPS)))
    };
    let name = services.into_iter().find(publishes).and_then(|service| service.spec?.name);
    let Some(name) = name else { return Ok(None) };
    let Some(id) = container_of(docker, &name).await? else { return Ok(None) };
    let inspected = docker.inspect_container(&id, None::<InspectContainerOptions>).await.tried("inspect the proxy")?;
    let endpoints = inspected.network_settings.and_then(|settings| settings.networks).unwrap_or_default();
    let shared = endpoints.into_values().filter(|it| it.network_id.as_ref().is_some_and(|id| networks.contains(id)));
    Ok(shared.filter_map(|endpoint| endpoint.ip_address).find(|address| !address.is_empty()))
}

/// How far a suite is.
///
/// # Errors
/// When the engine does not answer.
pub async fn course(docker: &Docker, suite: &Started) -> Result<Course, DockerError> {
    let filters = HashMap::from([("service".to_owned(), vec![suite.service.clone()])]);
    let options = ListTasksOptions { filters: Some(filters) };
    let tasks = docker.list_tasks(Some(options)).await.tried("list the tasks of a test suite")?;
    Ok(tasks.into_iter().next().map_or(Course::Waits, course_of))
}

fn course_of(task: Task) -> Course {
    let status = task.status.unwrap_or_default();
    let container = status.container_status.unwrap_or_default();
    let id = container.container_id.filter(|id| !id.is_empty());
    let said = status.err.filter(|said| !said.is_empty()).or(status.message).unwrap_or_default();
    match (status.state, id, container.exit_code) {
        (Some(TaskState::COMPLETE), Some(id), Some(code)) => Course::Over(Over::Ended(id, code)),
        // One that Swarm could not start has failed with code 0.
        (Some(TaskState::FAILED), Some(id), Some(code)) if code != 0 => Course::Over(Over::Ended(id, code)),
        (Some(state), ..) if is_over(state) => Course::Over(Over::Never(said)),
        (Some(TaskState::RUNNING), Some(id), _) => Course::Runs(id),
        _ => Course::Waits,
    }
}

/// Hears all it says, until it says no more.
///
/// # Errors
/// When the engine does not answer.
pub async fn hear(docker: &Docker, container: &str, mut take: impl FnMut(&[u8]) + Send) -> Result<(), DockerError> {
    let options =
        LogsOptions { follow: true, stdout: true, stderr: true, tail: "all".to_owned(), ..Default::default() };
    let mut pieces = docker.logs(container, Some(options));
    while let Some(piece) = pieces.next().await {
        match piece.tried("listen to a test suite")? {
            LogOutput::StdOut { message } | LogOutput::StdErr { message } | LogOutput::Console { message } => {
                take(&message);
            }
            LogOutput::StdIn { .. } => {}
        }
    }
    Ok(())
}

/// The report that it wrote, if it did; an error is about the report.
///
/// # Errors
/// When the engine does not answer.
pub async fn report(docker: &Docker, container: &str) -> Result<Option<Result<Vec<u8>, String>>, DockerError> {
    let options = DownloadFromContainerOptions { path: REPORT.to_owned() };
    let mut pieces = docker.download_from_container(container, Some(options));
    let mut archive = Vec::new();
    while let Some(piece) = pieces.next().await {
        match piece.tried("read a report") {
            Ok(piece) => archive.extend_from_slice(&piece),
            // Not that the container itself is gone: then nothing is known of its report.
            Err(error) if error.status() == Some(404) && !error.message().contains("No such container") => {
                return Ok(None);
            }
            Err(error) => return Err(error),
        }
        // With what a tar adds.
        if archive.len() > LARGEST_REPORT + 4096 {
            return Ok(Some(Err(format!("it is larger than {} MiB", LARGEST_REPORT >> 20))));
        }
    }
    let read = || -> std::io::Result<Vec<u8>> {
        let mut archive = tar::Archive::new(archive.as_slice());
        let Some(entry) = archive.entries()?.next() else { return Ok(Vec::new()) };
        let mut content = Vec::new();
        entry?.take(LARGEST_REPORT as u64).read_to_end(&mut content)?;
        Ok(content)
    };
    Ok(Some(read().map_err(|error| error.to_string())))
}

/// Removes a suite with all it has.
///
/// # Errors
/// When the engine does not answer, or something stays.
pub async fn remove(docker: &Docker, suite: &Started) -> Result<(), UndeployError> {
    remove_suites(docker, &format!("{NAME_LABEL}={}", suite.service)).await
}
