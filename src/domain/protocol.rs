//! What gate and runner say to each other: files below one folder in the runner container, and JSON in them.
//!
//! The gate puts a step there and follows its output by byte offset; the runner's PID 1 starts it and leaves its exit code
//! as a file. Both can be killed at any moment: what counts is what is in the folder.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::ids::{GateId, RunId, StackName};

/// Raised when the two sides would misunderstand each other.
pub const PROTOCOL: u32 = 1;
/// The folder in the runner container.
pub const ROOT: &str = "/cc-ci";
/// The recipe's files, as data.
pub const RECIPE: &str = "/cc-ci/recipe";
/// One file per secret of the run, by its name on the target.
pub const SECRETS: &str = "/cc-ci/secrets";
/// The archives of a backup, one file each: opaque, never unpacked in the runner.
pub const ARCHIVES: &str = "/cc-ci/archives";
/// What each archive holds, as JSON ([`Listed`]), by the archive's name.
pub const LISTED: &str = "/cc-ci/listed";
/// One folder per step.
pub const STEPS: &str = "/cc-ci/steps";
/// The runner's orders, written before it starts.
pub const ORDERS: &str = "/cc-ci/orders.json";
/// Readings of the host's load, one JSON line each ([`Reading`](super::host::Reading)).
pub const HOST: &str = "/cc-ci/host.jsonl";
/// Left when the total limit passed: what the runner did then.
pub const LIMIT: &str = "/cc-ci/limit.json";
/// Steps are small; a larger request is refused.
pub const LARGEST_REQUEST: u64 = 4 << 20;

/// What the runner is told once, before it starts.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Orders {
    /// [`PROTOCOL`] of the gate.
    pub protocol: u32,
    /// The run.
    pub run: RunId,
    /// The gate.
    pub gate: GateId,
    /// The app's stack, removed when the total limit passes.
    pub stack: StackName,
    /// The total limit, in the target's time.
    pub stop_at: Timestamp,
}

/// What an archive holds.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Listed {
    /// Regular files, and other things that are no folders; what cc-ci planted does not count.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
    /// How many of them cc-ci had planted.
    pub planted: u64,
}

/// One step: a program with its arguments, never a shell string.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Step {
    /// Unique in the run; asking for the same step again follows it.
    pub name: StepName,
    /// Program and arguments.
    pub argv: Vec<String>,
    /// The whole environment.
    #[serde(default)]
    pub env: BTreeMap<String, String>,
    /// Where it runs.
    pub folder: String,
    /// It is stopped after this many seconds.
    pub limit_seconds: u64,
    /// A running step is stopped first (for undeploy).
    #[serde(default)]
    pub stops_others: bool,
}

/// A step's name, which is also the name of its folder.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct StepName(String);

impl StepName {
    /// Parses a name: 1 to 60 characters of a-z, 0-9 and `-`.
    ///
    /// # Errors
    /// The text, when it is not a name.
    pub fn parse(text: &str) -> Result<Self, String> {
        let fits = (1..=60).contains(&text.len())
            && text.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-');
        if fits { Ok(Self(text.to_owned())) } else { Err(format!("`{text}` is not the name of a step")) }
    }

    /// The name for an object whose own name may hold other characters.
    #[must_use]
    pub fn for_object(verb: &str, object: &str) -> Self {
        let safe = |byte: u8| if byte.is_ascii_alphanumeric() { char::from(byte.to_ascii_lowercase()) } else { '-' };
        Self(format!("{verb}-{object}").bytes().map(safe).take(60).collect())
    }

    /// The name as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for StepName {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

impl From<StepName> for String {
    fn from(name: StepName) -> Self {
        name.0
    }
}

impl std::fmt::Display for StepName {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.0)
    }
}

/// How a step ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct StepEnd {
    /// The reason.
    pub how: HowEnded,
    /// When its process was started, in the target's time.
    pub started: Timestamp,
    /// When it had ended.
    pub ended: Timestamp,
}

impl StepEnd {
    /// Whether it ended by itself with 0.
    #[must_use]
    pub const fn succeeded(&self) -> bool {
        matches!(self.how, HowEnded::Exited { code: 0 })
    }
}

/// Why a step's process is not there any more.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum HowEnded {
    /// By itself.
    Exited {
        /// Its exit code.
        code: i32,
    },
    /// By a signal that the runner did not send.
    Killed {
        /// The signal's number.
        signal: i32,
    },
    /// Its own time was over.
    TimedOut,
    /// A step that stops others came, the total limit passed, or the runner was told to end.
    Stopped,
    /// It never started.
    NotStarted {
        /// The system's error.
        error: String,
    },
}

impl std::fmt::Display for HowEnded {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Self::Exited { code } => write!(f, "exit code {code}"),
            Self::Killed { signal } => write!(f, "killed by signal {signal}"),
            Self::TimedOut => f.write_str("stopped: it took too long"),
            Self::Stopped => f.write_str("stopped"),
            Self::NotStarted { error } => write!(f, "not started: {error}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_step_is_never_a_path() {
        for bad in ["", "..", "a/b", "A", "a b"] {
            assert!(StepName::parse(bad).is_err(), "{bad:?}");
        }
        assert_eq!(StepName::for_object("secret", "cc_ab/../x").as_str(), "secret-cc-ab----x");
    }
}
