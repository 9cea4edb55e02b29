//! Observing a stack: what the gate itself sees, never what the recipe says of itself.
//!
//! Events wake; polling backs them, because Swarm has no events for tasks.

use std::collections::{BTreeMap, HashMap};
use std::sync::Arc;
use std::time::Duration;

use bollard::Docker;
use bollard::models::{
    ContainerInspectResponse, HealthConfig, HealthStatusEnum, Service as ApiService, ServiceSpec,
    ServiceUpdateStatusStateEnum, Task as ApiTask, TaskSpecRestartPolicyConditionEnum, TaskState as ApiTaskState,
};
use bollard::query_parameters::{
    EventsOptions, InspectContainerOptions, ListNodesOptions, ListServicesOptions, ListTasksOptions, LogsOptions,
};
use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;

use super::{DockerError, STACK_LABEL, Tried as _, gone_is_fine, labelled};
use crate::domain::ids::StackName;
use crate::domain::swarm::{
    Container, Health, Healthcheck, Mode, Restart, RestartCondition, Service, Slot, Snapshot, Task, TaskState, Update,
    UpdateState,
};

/// Lines kept of a container that has ended.
const LAST_LINES: &str = "20";
/// So many bytes of them are read.
const LARGEST_TAIL: usize = 1 << 20;
/// One line of those, at most.
const LONGEST_LINE: usize = 500;

/// Looks at one stack again and again; remembers what cannot change any more.
#[derive(Debug)]
pub struct Observer {
    docker: Docker,
    stack: StackName,
    clock_offset: SignedDuration,
    depends_on: BTreeMap<String, Vec<String>>,
    ended: HashMap<String, Container>,
    checks: HashMap<String, Option<Healthcheck>>,
}

impl Observer {
    /// An observer of this stack. `depends_on` comes from the compose file, since Swarm does not keep it.
    #[must_use]
    pub fn new(
        docker: Docker,
        stack: StackName,
        clock_offset: SignedDuration,
        depends_on: BTreeMap<String, Vec<String>>,
    ) -> Self {
        Self { docker, stack, clock_offset, depends_on, ended: HashMap::new(), checks: HashMap::new() }
    }

    /// Everything that is to be seen of the stack now.
    ///
    /// # Errors
    /// When the engine does not answer.
    pub async fn look(&mut self) -> Result<Snapshot, DockerError> {
        let services =
            self.docker.list_services(Some(ListServicesOptions { filters: Some(self.filter()), ..Default::default() }));
        let tasks = self.docker.list_tasks(Some(ListTasksOptions { filters: Some(self.filter()) }));
        let nodes = self.docker.list_nodes(None::<ListNodesOptions>);
        let (services, tasks, nodes) = tokio::join!(services, tasks, nodes);
        let (services, tasks) = (services.tried("list the services")?, tasks.tried("list the tasks")?);
        let eligible_nodes = nodes.tried("list the nodes")?.iter().filter(|node| is_eligible(node)).count() as u64;

        let tasks: Vec<Task> = tasks.into_iter().filter_map(task).collect();
        let mut containers = BTreeMap::new();
        for task in &tasks {
            if let Some(id) = &task.container
                && let Some(container) = self.container(id, &task.service_id).await?
            {
                containers.insert(id.clone(), container);
            }
        }
        let services = services.into_iter().map(|service| self.service(service)).collect();
        Ok(Snapshot { at: Timestamp::now() + self.clock_offset, eligible_nodes, services, tasks, containers })
    }

    fn filter(&self) -> HashMap<String, Vec<String>> {
        labelled(format!("{STACK_LABEL}={}", self.stack))
    }

    async fn container(&mut self, id: &str, service: &str) -> Result<Option<Container>, DockerError> {
        if let Some(ended) = self.ended.get(id) {
            return Ok(Some(ended.clone()));
        }
        let inspected =
            self.docker.inspect_container(id, None::<InspectContainerOptions>).await.tried("inspect a container");
        let inspected = match inspected {
            Ok(inspected) => inspected,
            Err(error) if error.status() == Some(404) => return Ok(None),
            Err(error) => return Err(error),
        };
        let check = inspected.config.as_ref().and_then(|config| config.healthcheck.as_ref());
        self.checks.insert(service.to_owned(), check.and_then(healthcheck));
        let mut container = container(&inspected);
        if container.finished_at.is_some() && !container.running {
            container.last_lines = last_lines(&self.docker, id).await?;
            self.ended.insert(id.to_owned(), container.clone());
        }
        Ok(Some(container))
    }

    fn service(&self, service: ApiService) -> Service {
        let spec = service.spec.unwrap_or_default();
        let id = service.id.unwrap_or_default();
        let whole_name = spec.name.clone().unwrap_or_default();
        let name = whole_name.strip_prefix(&format!("{}_", self.stack)).unwrap_or(&whole_name).to_owned();
        let template = spec.task_template.clone().unwrap_or_default();
        let of_spec = template.container_spec.as_ref().and_then(|container| container.health_check.as_ref());
        let update = service.update_status.and_then(|status| {
            let state = update_state(status.state?)?;
            Some(Update { state, message: status.message.unwrap_or_default() })
        });
        Service {
            healthcheck: match of_spec.filter(|check| check.test.is_some()) {
                Some(check) => healthcheck(check),
                None => self.checks.get(&id).copied().flatten(),
            },
            memory_limit: template
                .resources
                .as_ref()
                .and_then(|resources| resources.limits.as_ref()?.memory_bytes)
                .and_then(|bytes| u64::try_from(bytes).ok())
                .filter(|bytes| *bytes > 0),
            mode: mode(&spec),
            restart: restart(&spec),
            depends_on: self.depends_on.get(&name).cloned().unwrap_or_default(),
            template: serde_json::to_value(&template).unwrap_or_default(),
            update,
            name,
            id,
        }
    }
}

fn is_eligible(node: &bollard::models::Node) -> bool {
    let ready = node.status.as_ref().and_then(|status| status.state) == Some(bollard::models::NodeState::READY);
    let active = node.spec.as_ref().and_then(|spec| spec.availability)
        == Some(bollard::models::NodeSpecAvailabilityEnum::ACTIVE);
    ready && active
}

fn mode(spec: &ServiceSpec) -> Mode {
    let Some(mode) = &spec.mode else { return Mode::Replicated(1) };
    let count = |count: Option<i64>| count.and_then(|count| u64::try_from(count).ok()).unwrap_or(1);
    if let Some(job) = &mode.replicated_job {
        Mode::Job(count(job.total_completions.or(job.max_concurrent)))
    } else if mode.global_job.is_some() {
        Mode::Job(1)
    } else if mode.global.is_some() {
        Mode::Global
    } else {
        Mode::Replicated(count(mode.replicated.as_ref().and_then(|replicated| replicated.replicas)))
    }
}

fn restart(spec: &ServiceSpec) -> Restart {
    let policy = spec.task_template.as_ref().and_then(|template| template.restart_policy.clone()).unwrap_or_default();
    let condition = match policy.condition {
        Some(TaskSpecRestartPolicyConditionEnum::NONE) => RestartCondition::None,
        Some(TaskSpecRestartPolicyConditionEnum::ON_FAILURE) => RestartCondition::OnFailure,
        Some(TaskSpecRestartPolicyConditionEnum::ANY | TaskSpecRestartPolicyConditionEnum::EMPTY) | None => {
            RestartCondition::Any
        }
    };
    let max_attempts =
        policy.max_attempts.and_then(|attempts| u64::try_from(attempts).ok()).filter(|attempts| *attempts > 0);
    Restart { condition, max_attempts }
}

/// The healthcheck in force; `NONE` and an empty test mean none.
fn healthcheck(check: &HealthConfig) -> Option<Healthcheck> {
    let first = check.test.as_ref()?.first()?;
    if first == "NONE" {
        return None;
    }
    let ms = |nanoseconds: Option<i64>, default: u64| match nanoseconds.and_then(|value| u64::try_from(value).ok()) {
        None | Some(0) => default,
        Some(value) => value / 1_000_000,
    };
    Some(Healthcheck {
        start_period_ms: ms(check.start_period, 0),
        interval_ms: ms(check.interval, 30_000),
        retries: check
            .retries
            .and_then(|retries| u64::try_from(retries).ok())
            .filter(|retries| *retries > 0)
            .unwrap_or(3),
    })
}

const fn update_state(state: ServiceUpdateStatusStateEnum) -> Option<UpdateState> {
    Some(match state {
        ServiceUpdateStatusStateEnum::UPDATING => UpdateState::Updating,
        ServiceUpdateStatusStateEnum::PAUSED => UpdateState::Paused,
        ServiceUpdateStatusStateEnum::COMPLETED => UpdateState::Completed,
        ServiceUpdateStatusStateEnum::ROLLBACK_STARTED => UpdateState::RollbackStarted,
        ServiceUpdateStatusStateEnum::ROLLBACK_PAUSED => UpdateState::RollbackPaused,
        ServiceUpdateStatusStateEnum::ROLLBACK_COMPLETED => UpdateState::RollbackCompleted,
        ServiceUpdateStatusStateEnum::EMPTY => return None,
    })
}

fn task(task: ApiTask) -> Option<Task> {
    let status = task.status?;
    let container = status.container_status.as_ref();
    Some(Task {
        id: task.id?,
        service_id: task.service_id?,
        slot: match task.slot.and_then(|slot| u64::try_from(slot).ok()) {
            Some(slot) if slot > 0 => Slot::Number(slot),
            _ => Slot::Node(task.node_id.unwrap_or_default()),
        },
        spec: serde_json::to_value(task.spec?).ok()?,
        state: task_state(status.state?),
        desired: task_state(task.desired_state?),
        created_at: instant(task.created_at.as_deref())?,
        state_at: instant(status.timestamp.as_deref())?,
        error: status.err.unwrap_or_default(),
        exit_code: container.and_then(|container| container.exit_code),
        container: container.and_then(|container| container.container_id.clone()).filter(|id| !id.is_empty()),
    })
}

const fn task_state(state: ApiTaskState) -> TaskState {
    match state {
        ApiTaskState::NEW => TaskState::New,
        ApiTaskState::ALLOCATED => TaskState::Allocated,
        ApiTaskState::PENDING => TaskState::Pending,
        ApiTaskState::ASSIGNED => TaskState::Assigned,
        ApiTaskState::ACCEPTED => TaskState::Accepted,
        ApiTaskState::PREPARING => TaskState::Preparing,
        ApiTaskState::READY => TaskState::Ready,
        ApiTaskState::STARTING => TaskState::Starting,
        ApiTaskState::RUNNING => TaskState::Running,
        ApiTaskState::COMPLETE => TaskState::Complete,
        ApiTaskState::SHUTDOWN => TaskState::Shutdown,
        ApiTaskState::FAILED => TaskState::Failed,
        ApiTaskState::REJECTED => TaskState::Rejected,
        ApiTaskState::REMOVE => TaskState::Remove,
        ApiTaskState::ORPHANED => TaskState::Orphaned,
    }
}

fn container(inspected: &ContainerInspectResponse) -> Container {
    let state = inspected.state.clone().unwrap_or_default();
    let health = state.health.unwrap_or_default();
    let outputs = health.log.unwrap_or_default().into_iter().filter_map(|result| result.output);
    Container {
        running: state.running.unwrap_or(false),
        started_at: instant(state.started_at.as_deref()),
        finished_at: instant(state.finished_at.as_deref()),
        exit_code: state.exit_code,
        oom_killed: state.oom_killed.unwrap_or(false),
        health: health.status.and_then(|status| match status {
            HealthStatusEnum::STARTING => Some(Health::Starting),
            HealthStatusEnum::HEALTHY => Some(Health::Healthy),
            HealthStatusEnum::UNHEALTHY => Some(Health::Unhealthy),
            HealthStatusEnum::NONE | HealthStatusEnum::EMPTY => None,
        }),
        failing_streak: health.failing_streak.and_then(|streak| u64::try_from(streak).ok()).unwrap_or(0),
        health_log: outputs.map(|output| output.trim().chars().take(LONGEST_LINE).collect()).collect(),
        last_lines: Vec::new(),
    }
}

/// Docker writes year 1 for "never".
fn instant(text: Option<&str>) -> Option<Timestamp> {
    text.filter(|text| !text.starts_with("0001-")).and_then(|text| text.parse().ok())
}

async fn last_lines(docker: &Docker, id: &str) -> Result<Vec<String>, DockerError> {
    let options = LogsOptions { stdout: true, stderr: true, tail: LAST_LINES.to_owned(), ..Default::default() };
    let mut stream = docker.logs(id, Some(options));
    let mut text = Vec::new();
    while let Some(piece) = stream.next().await {
        match piece.tried("read a container's last lines") {
            Ok(_) if text.len() > LARGEST_TAIL => break,
            Ok(piece) => text.extend_from_slice(&piece.into_bytes()),
            Err(error) => {
                gone_is_fine(Err::<(), _>(error))?;
                break;
            }
        }
    }
    let lines = String::from_utf8_lossy(&text);
    Ok(lines.lines().map(|line| line.chars().take(LONGEST_LINE).collect()).collect())
}

/// Wakes `wake` whenever something happens to a container or service, until `cancel`. A lost stream is opened anew.
pub async fn wake_on_events(docker: Docker, wake: Arc<Notify>, cancel: CancellationToken) {
    let filters = HashMap::from([("type".to_owned(), vec!["container".to_owned(), "service".to_owned()])]);
    loop {
        let mut events = docker.events(Some(EventsOptions { filters: Some(filters.clone()), ..Default::default() }));
        loop {
            let event = tokio::select! {
                () = cancel.cancelled() => return,
                event = events.next() => event,
            };
            match event {
                Some(Ok(_)) => wake.notify_one(),
                Some(Err(_)) | None => break,
            }
        }
        tokio::select! {
            () = cancel.cancelled() => return,
            () = tokio::time::sleep(Duration::from_secs(1)) => {}
        }
    }
}
