//! What the gate sees of a Swarm, as plain data: the adapter fills it from the Docker API, the convergence fold reads it.
//!
//! All instants are the target's own; the adapter corrects them by the offset it measured.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};
use serde_json::Value;

/// Everything that was seen of one stack at one moment.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Snapshot {
    /// The target's time when it was taken.
    pub at: Timestamp,
    /// Nodes that are ready and active.
    pub eligible_nodes: u64,
    /// The stack's services.
    pub services: Vec<Service>,
    /// The stack's tasks that Swarm still knows, in any order.
    pub tasks: Vec<Task>,
    /// The containers of those tasks, as far as they still exist, by container id.
    pub containers: BTreeMap<String, Container>,
}

/// One service of the stack.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Service {
    /// Swarm's id.
    pub id: String,
    /// The name in the compose file: without the stack's prefix.
    pub name: String,
    /// How many tasks it wants.
    pub mode: Mode,
    /// `Spec.TaskTemplate` as the API gives it.
    pub template: Value,
    /// When an exited task is started again.
    pub restart: Restart,
    /// The healthcheck in force (the service's, else the image's), if there is one.
    pub healthcheck: Option<Healthcheck>,
    /// The state of the last update, if there ever was one.
    pub update: Option<Update>,
    /// The memory limit in bytes, if there is one.
    pub memory_limit: Option<u64>,
    /// Services that its `depends_on` names, from the compose file; Swarm itself ignores them.
    pub depends_on: Vec<String>,
}

/// How many tasks a service wants.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Mode {
    /// This many.
    Replicated(u64),
    /// One on each eligible node.
    Global,
    /// A job: this many tasks that end with 0.
    Job(u64),
}

/// A service's restart policy.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Restart {
    /// When.
    pub condition: RestartCondition,
    /// At most this often; `None`: without limit.
    pub max_attempts: Option<u64>,
}

/// When an exited task is started again.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum RestartCondition {
    /// Always; Swarm's default.
    Any,
    /// After a failure only: an exit with 0 is the end.
    OnFailure,
    /// Never.
    None,
}

/// A healthcheck's times, in milliseconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Healthcheck {
    /// Failures do not count so long after the start.
    pub start_period_ms: u64,
    /// Between two checks.
    pub interval_ms: u64,
    /// So many failures in a row mean unhealthy.
    pub retries: u64,
}

/// The state of a service's last update.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Update {
    /// Swarm's state.
    pub state: UpdateState,
    /// Swarm's message, e.g. why it was paused.
    pub message: String,
}

/// `UpdateStatus.State` of the API.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum UpdateState {
    /// Tasks are being replaced.
    Updating,
    /// Stopped half-way; for ever, unless somebody acts.
    Paused,
    /// Done.
    Completed,
    /// Going back to the old spec.
    RollbackStarted,
    /// The way back stopped half-way.
    RollbackPaused,
    /// The old spec runs again.
    RollbackCompleted,
}

/// One task.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Task {
    /// Swarm's id.
    pub id: String,
    /// The service it belongs to, by Swarm's id.
    pub service_id: String,
    /// Its place: slot number, or the node of a global service.
    pub slot: Slot,
    /// The task's own `Spec`.
    pub spec: Value,
    /// What Swarm sees of it.
    pub state: TaskState,
    /// What Swarm wants of it.
    pub desired: TaskState,
    /// When it was created.
    pub created_at: Timestamp,
    /// When `state` was entered.
    pub state_at: Timestamp,
    /// Swarm's error text, empty when there is none.
    pub error: String,
    /// Its container, once there is one.
    pub container: Option<String>,
    /// The container's exit code, when Swarm knows it.
    pub exit_code: Option<i64>,
}

/// A task's place in its service.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub enum Slot {
    /// Of a replicated service, from 1.
    Number(u64),
    /// Of a global service: the node's id.
    Node(String),
}

/// Swarm's task states, in their order of life.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[expect(missing_docs, reason = "the names are Swarm's own")]
pub enum TaskState {
    New,
    Allocated,
    Pending,
    Assigned,
    Accepted,
    Preparing,
    Ready,
    Starting,
    Running,
    Complete,
    Shutdown,
    Failed,
    Rejected,
    Remove,
    Orphaned,
}

/// A task's container.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Container {
    /// Whether its process runs now.
    pub running: bool,
    /// When its process last started.
    pub started_at: Option<Timestamp>,
    /// When its process last ended.
    pub finished_at: Option<Timestamp>,
    /// The exit code of an ended process.
    pub exit_code: Option<i64>,
    /// Whether the kernel killed a process of it for memory.
    pub oom_killed: bool,
    /// Its health, where a healthcheck is in force.
    pub health: Option<Health>,
    /// `State.Health.FailingStreak`. It outlives the container, unlike `health`: Docker calls every stopped container with a
    /// healthcheck unhealthy, whatever ended it.
    #[serde(default)]
    pub failing_streak: u64,
    /// The last outputs of the healthcheck, oldest first.
    pub health_log: Vec<String>,
    /// The last lines it logged, oldest first, as far as they were read.
    pub last_lines: Vec<String>,
}

/// A container's health.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Health {
    /// Not decided yet.
    Starting,
    /// The check passes.
    Healthy,
    /// The check failed too often.
    Unhealthy,
}
