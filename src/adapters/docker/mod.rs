//! The Docker API of a target, through the local socket that leads there.

pub mod evidence;
pub mod images;
pub mod inside;
pub mod inventory;
pub mod memory;
pub mod observe;
pub mod own_root;
pub mod probe_container;
pub mod runner;
mod runner_image;
mod silence;
pub mod specs;
pub mod stack;
pub mod suite;
pub mod undeploy;

use std::path::Path;
use std::time::Duration;

use bollard::{API_DEFAULT_VERSION, Docker};
use jiff::{SignedDuration, Timestamp};

pub use self::silence::falls_silent;

/// Headers of an answer must come within this time; bodies that stream are bounded where they are read.
const ANSWER_TIMEOUT: u64 = 60;

/// The label that Docker puts on everything of a stack.
pub const STACK_LABEL: &str = "com.docker.stack.namespace";
/// The run that made an object.
pub const RUN_LABEL: &str = "cc-ci.run";
/// The gate that made an object.
pub const GATE_LABEL: &str = "cc-ci.gate";
/// The stack whose app a test suite looks at: of the suite's service, container and configs.
pub const SUITE_LABEL: &str = "cc-ci.suite";

/// A call to an engine that failed.
#[derive(Debug, thiserror::Error)]
#[error("{what}: {source}")]
pub struct DockerError {
    /// What was tried, e.g. `list the services`.
    pub what: String,
    /// What came back.
    pub source: bollard::errors::Error,
}

impl DockerError {
    /// The engine's status code, when it answered at all.
    #[must_use]
    pub const fn status(&self) -> Option<u16> {
        if let bollard::errors::Error::DockerResponseServerError { status_code, .. } = &self.source {
            Some(*status_code)
        } else {
            None
        }
    }

    /// No answer within the caller's own time.
    #[must_use]
    pub fn no_answer(what: impl Into<String>) -> Self {
        Self { what: what.into(), source: bollard::errors::Error::RequestTimeoutError }
    }

    /// Whether the engine never answered: the connection failed, broke or timed out.
    #[must_use]
    pub const fn is_silence(&self) -> bool {
        self.status().is_none()
    }

    /// The engine's own words, without our own in front.
    #[must_use]
    pub fn message(&self) -> String {
        if let bollard::errors::Error::DockerResponseServerError { message, .. } = &self.source {
            message.clone()
        } else {
            self.source.to_string()
        }
    }
}

/// Says what was tried, for the reader of an error.
pub trait Tried<T> {
    /// Adds what was tried.
    ///
    /// # Errors
    /// The error that came, with its context.
    fn tried(self, what: impl Into<String>) -> Result<T, DockerError>;
}

impl<T> Tried<T> for Result<T, bollard::errors::Error> {
    fn tried(self, what: impl Into<String>) -> Result<T, DockerError> {
        self.map_err(|source| DockerError { what: what.into(), source })
    }
}

/// Treats "no such object" as nothing to do.
///
/// # Errors
/// Every error but 404.
pub fn gone_is_fine<T>(result: Result<T, DockerError>) -> Result<(), DockerError> {
    match result {
        Ok(_) => Ok(()),
        Err(error) if error.status() == Some(404) => Ok(()),
        Err(error) => Err(error),
    }
}

/// Connects through a local socket and settles on an API version.
///
/// # Errors
/// When no engine answers there.
pub async fn connect(socket: &Path) -> Result<Docker, DockerError> {
    let path = socket.to_string_lossy();
    let docker =
        Docker::connect_with_unix(&path, ANSWER_TIMEOUT, API_DEFAULT_VERSION).tried("open the engine's socket")?;
    let docker = docker.negotiate_version().await.tried("ask the engine for its version")?;
    Ok(with_version_prefix(docker))
}

/// bollard 0.21.1 sends no API version in its paths (its issue 736), so that an engine would answer in its newest one.
fn with_version_prefix(docker: Docker) -> Docker {
    let version = docker.client_version();
    docker.with_request_modifier(move |mut request: bollard::BollardRequest| {
        let mut parts = request.uri().clone().into_parts();
        let path = parts.path_and_query.as_ref().map_or("/", |path| path.as_str());
        if !path.starts_with("/v1.") {
            let versioned = format!("/v{}.{}{path}", version.major_version, version.minor_version);
            parts.path_and_query = versioned.parse().ok();
        }
        if let Ok(uri) = hyper::Uri::from_parts(parts) {
            *request.uri_mut() = uri;
        }
        request
    })
}

/// What an engine says of itself.
#[derive(Debug, Clone)]
pub struct Engine {
    /// Its version, e.g. `26.1.5`.
    pub version: String,
    /// Whether it is an active manager of a swarm.
    pub manager: bool,
    /// What must be added to this machine's clock to get the target's.
    pub clock_offset: SignedDuration,
}

/// Asks an engine about itself; `clock` is this machine's.
///
/// # Errors
/// When it does not answer.
pub async fn engine(docker: &Docker, clock: impl Fn() -> Timestamp) -> Result<Engine, DockerError> {
    let asked = clock();
    let info = docker.info().await.tried("ask the engine about itself")?;
    let answered = clock();
    let middle = asked + (answered.duration_since(asked) / 2);
    let offset = info.system_time.as_deref().and_then(|time| time.parse::<Timestamp>().ok());
    Ok(Engine {
        version: info.server_version.unwrap_or_default(),
        manager: info.swarm.and_then(|swarm| swarm.control_available).unwrap_or(false),
        clock_offset: offset.map_or(SignedDuration::ZERO, |theirs| theirs.duration_since(middle)),
    })
}

/// Only objects with this label.
#[must_use]
pub fn labelled(label: impl Into<String>) -> std::collections::HashMap<String, Vec<String>> {
    std::collections::HashMap::from([("label".to_owned(), vec![label.into()])])
}

/// Between two looks at something that is about to change.
pub const GLANCE: Duration = Duration::from_millis(100);
