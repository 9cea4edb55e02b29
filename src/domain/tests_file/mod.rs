//! The tests file of a recipe, `cc-ci.toml` (design §4, *Tests for a recipe*): what its maintainers tell cc-ci, from a place that
//! the author of a change cannot write to.
//!
//! Reading is strict: an unknown key, a value that means nothing, or a file that is too large is an error with its line, and
//! the recipe is not judged (`tests_invalid`). Kinds of a later version are known by name, so that they are told apart from
//! a slip of the pen. Values of `[secrets]` are in no error and in no `Debug`.

mod read;

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::ids::CommitSha;

/// Its name, in the folder given to `--tests` or in the recipe's folder of the tests repository.
pub const FILE: &str = "cc-ci.toml";
/// Where a recipe keeps its own.
pub const OWN_FILE: &str = "tests/cc-ci.toml";
/// No such file is larger, in bytes.
pub const LARGEST: usize = 64 << 10;

/// What a tests file says. The default is that of a recipe without one.
#[derive(Debug, Clone, Default)]
pub struct TestsFile {
    /// Why the recipe may rule its host; nothing: it may not.
    pub host_power: Option<String>,
    /// How long a peer without healthcheck must have run before it counts as settled; only ever raises.
    pub settle: Option<Duration>,
    /// Overrides of `.env.sample`.
    pub env: BTreeMap<String, String>,
    /// Values of secrets that nobody generates, by their key in the compose file.
    pub secrets: BTreeMap<String, SecretString>,
    /// What must answer before anything is judged.
    pub ready: Vec<Ready>,
}

/// An answer that is waited for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ready {
    /// The name in front of the app's domain; nothing: the domain itself.
    pub subdomain: Option<String>,
    /// The path, from `/` on.
    pub path: String,
    /// The status that counts.
    pub status: u16,
    /// What the title of the page must be.
    pub title: Option<String>,
    /// What the body must hold.
    pub body_contains: Option<String>,
    /// How long it is waited for after convergence.
    pub timeout: Duration,
}

/// Why a tests file cannot be used. Its text never quotes a value of `[secrets]`.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the tests file cannot be used: {FILE}{}: {what}", .line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct TestsError {
    /// The line, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write, as a sentence.
    pub advice: String,
}

/// Where a tests file comes from, and what it says: frozen when a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Where.
    pub origin: Origin,
    /// The whole file.
    pub text: String,
}

/// Where a tests file comes from.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Origin {
    /// The repository and the path in it, or the folder as it was given.
    pub source: String,
    /// The commit; `null` for a folder.
    pub commit: Option<CommitSha>,
}

impl TestsFile {
    /// Reads a file.
    ///
    /// # Errors
    /// The first thing that is wrong, with its line.
    pub fn read(text: &str) -> Result<Self, TestsError> {
        read::read(text)
    }
}

#[cfg(test)]
mod tests;
