//! What can go wrong that is nobody's recipe's fault.

use std::path::PathBuf;

use crate::adapters::docker::DockerError;
use crate::adapters::docker::runner::RunnerError;
use crate::adapters::docker::undeploy::UndeployError;
use crate::adapters::forge::ForgeError;
use crate::adapters::git::SourceError;
use crate::adapters::probe::ProbeError;
use crate::adapters::session::SessionError;
use crate::adapters::store::StoreError;
use crate::domain::deployment::PlanError;
use crate::domain::ids::{InvalidName, RunId};
use crate::engine::fitness::Unfit;

/// An error of the engine.
#[derive(Debug, thiserror::Error)]
#[expect(missing_docs, reason = "each variant is its message")]
pub enum EngineError {
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error(transparent)]
    Session(#[from] SessionError),
    #[error(transparent)]
    Docker(#[from] DockerError),
    #[error(transparent)]
    Runner(#[from] RunnerError),
    #[error(transparent)]
    Undeploy(#[from] UndeployError),
    #[error(transparent)]
    Source(#[from] SourceError),
    #[error(transparent)]
    Probe(#[from] ProbeError),
    #[error(transparent)]
    Forge(#[from] ForgeError),
    #[error(transparent)]
    Plan(#[from] PlanError),
    #[error(transparent)]
    Name(#[from] InvalidName),
    #[error("{path}: {source}")]
    File { path: PathBuf, source: std::io::Error },
    #[error("there is no run {0} in the state folder\nhint: `--state` names another folder")]
    NoSuchRun(RunId),
    #[error("run {0} is going on in another process\nhint: wait for it, or end that process first")]
    Alive(RunId),
    #[error("run {0} has its verdict already\nhint: its results are in {1}")]
    Done(RunId, PathBuf),
    #[error("run {0} was swept: there is nothing to go on with\nhint: start it anew")]
    Swept(RunId),
    #[error(
        "run {run} was made by another version of cc-ci (runner protocol {theirs}, this one speaks {ours})\nhint: `cc-ci sweep` removes what it left; start it anew"
    )]
    OtherProtocol { run: RunId, theirs: u32, ours: u32 },
    #[error(transparent)]
    Unfit(#[from] Unfit),
    #[error("{0}")]
    Target(String),
    #[error("what is stored of the run cannot be read: {0}")]
    Unreadable(String),
}

impl EngineError {
    /// For `map_err` on file operations.
    pub(super) fn file(path: impl Into<PathBuf>) -> impl FnOnce(std::io::Error) -> Self {
        let path = path.into();
        move |source| Self::File { path, source }
    }

    /// Whether whoever asked can put it right in the command or its files.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        matches!(
            self,
            Self::Source(_)
                | Self::Plan(_)
                | Self::Name(_)
                | Self::NoSuchRun(_)
                | Self::Alive(_)
                | Self::Done(..)
                | Self::Swept(_)
                | Self::OtherProtocol { .. }
        )
    }

    /// Whether the recipe's files themselves cannot be read, so that fetching them again is of no use.
    pub(super) const fn is_usage_of_files(&self) -> bool {
        matches!(self, Self::Source(SourceError::Files(_) | SourceError::Name(_)))
    }

    /// Whether the target did not answer at all, so that asking again may help.
    pub(super) const fn is_silence(&self) -> bool {
        if let Self::Docker(error) | Self::Runner(RunnerError::Docker(error)) = self {
            error.is_silence()
        } else {
            matches!(self, Self::Runner(RunnerError::Lost { .. }))
        }
    }
}
