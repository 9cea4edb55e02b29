//! What the services of a simulated Swarm do, life by life.

use serde_json::json;

use crate::domain::swarm::{Healthcheck, Mode, Restart, RestartCondition};

/// What one life of a task does. Times are milliseconds after its start.
#[derive(Debug, Clone)]
pub(super) enum Act {
    Lives,
    Exits {
        after: u64,
        code: i64,
    },
    /// Exits, unless that service is up by then.
    Needs {
        peer: &'static str,
        after: u64,
        code: i64,
    },
    /// Its healthcheck kills it.
    Unhealthy {
        after: u64,
    },
    OutOfMemory {
        after: u64,
    },
    Rejected(&'static str),
    Pending(&'static str),
}

#[derive(Debug, Clone)]
pub(super) struct Script {
    pub(super) name: &'static str,
    /// Life by life; the last one for ever.
    pub(super) acts: Vec<Act>,
    /// When it serves, and its healthcheck passes if it has one.
    pub(super) up_after: u64,
    pub(super) healthcheck: Option<Healthcheck>,
    pub(super) mode: Mode,
    pub(super) restart: Restart,
    pub(super) depends_on: Vec<String>,
    pub(super) line: String,
    pub(super) memory_limit: Option<u64>,
    constraints: bool,
}

pub(super) fn service(name: &'static str) -> Script {
    let restart = Restart { condition: RestartCondition::Any, max_attempts: None };
    Script {
        name,
        acts: vec![Act::Lives],
        up_after: 0,
        healthcheck: None,
        mode: Mode::Replicated(1),
        restart,
        depends_on: Vec::new(),
        line: String::new(),
        memory_limit: None,
        constraints: false,
    }
}

impl Script {
    pub(super) fn acts(mut self, acts: impl Into<Vec<Act>>) -> Self {
        self.acts = acts.into();
        self
    }
    pub(super) fn exits(self, after: u64, code: i64) -> Self {
        self.acts([Act::Exits { after, code }])
    }
    pub(super) fn needs(self, peer: &'static str, after: u64) -> Self {
        self.acts([Act::Needs { peer, after, code: 1 }])
    }
    pub(super) fn up_after(mut self, ms: u64) -> Self {
        self.up_after = ms;
        self
    }
    pub(super) fn healthcheck(mut self, start_period_ms: u64) -> Self {
        self.healthcheck = Some(Healthcheck { start_period_ms, interval_ms: 1000, retries: 3 });
        self
    }
    pub(super) fn mode(mut self, mode: Mode) -> Self {
        self.mode = mode;
        self
    }
    pub(super) fn restart(mut self, condition: RestartCondition, max_attempts: Option<u64>) -> Self {
        self.restart = Restart { condition, max_attempts };
        self
    }
    pub(super) fn depends_on(mut self, peer: &str) -> Self {
        self.depends_on.push(peer.to_owned());
        self
    }
    pub(super) fn says(mut self, line: &str) -> Self {
        self.line = line.to_owned();
        self
    }
    pub(super) fn memory_limit(mut self, bytes: u64) -> Self {
        self.memory_limit = Some(bytes);
        self
    }
    pub(super) fn constrained(mut self) -> Self {
        self.constraints = true;
        self
    }
    pub(super) fn template(&self, version: &str) -> serde_json::Value {
        let constraints = if self.constraints { json!(["node.labels.disk == ssd"]) } else { json!([]) };
        let image = format!("registry.lab/{}:{version}@sha256:0", self.name);
        json!({ "ContainerSpec": { "Image": image }, "Placement": { "Constraints": constraints } })
    }
    pub(super) fn slots(&self, nodes: u64) -> u64 {
        match self.mode {
            Mode::Replicated(n) | Mode::Job(n) => n,
            Mode::Global if self.constraints => 0,
            Mode::Global => nodes,
        }
    }
}
