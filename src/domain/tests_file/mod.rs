//! The tests file of a recipe, `cc-ci.toml` (design §4, *Tests for a recipe*): what its maintainers tell cc-ci, from a place that
//! the author of a change cannot write to.
//!
//! Reading is strict: an unknown key, a value that means nothing, or a file that is too large is an error with its line, and
//! the recipe is not judged (`tests_invalid`). Kinds of a later version are known by name, so that they are told apart from
//! a slip of the pen. Values of `[secrets]` are in no error and in no `Debug`.

mod against;
mod beside;
#[cfg(test)]
mod planned;
mod propose;
mod read;

pub use self::against::against;
pub use self::beside::{Frozen, SuiteFile};
pub use self::propose::propose;

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::{Deserialize, Serialize};

use super::ids::CommitSha;
use super::stage::Rung;

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
    /// Capacity units of a run, 1 to 100; nothing: learned from history.
    pub weight: Option<u32>,
    /// Rungs that have nothing to show, each with the reason: `upgrade`, `backup` or `checks`.
    pub not_applicable: BTreeMap<Rung, String>,
    /// Data that must survive an upgrade, and come back from a backup.
    pub seeds: Vec<Seed>,
    /// What must hold after an upgrade and after a fresh deploy.
    pub checks: Vec<Check>,
    /// The same, only where it is asked for (`--extra`).
    pub extras: Vec<Check>,
}

/// Data that is made before the upgrade, and looked for afterwards.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seed {
    /// Its name: unique among the seeds.
    pub name: String,
    /// What makes it.
    pub act: Act,
    /// The longest that making it may take.
    pub timeout: Duration,
    /// What tells that it is there; it changes nothing.
    pub verify: CheckKind,
}

/// Something that is done in a service's running container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Act {
    /// The service, by its name in the compose file.
    pub service: String,
    /// What.
    pub how: How,
}

/// How something is done in a container.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum How {
    /// A program with its arguments; no shell reads them.
    Exec(Vec<String>),
    /// A function of the recipe's `abra.sh` with its arguments: as `abra app cmd` does, by bash.
    Cmd(Vec<String>),
}

/// A check: it looks and changes nothing.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Check {
    /// Its name: unique among checks and extra checks.
    pub name: String,
    /// What it looks at.
    pub kind: CheckKind,
    /// The longest that it may take.
    pub timeout: Duration,
}

/// What a check looks at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CheckKind {
    /// A page of the app.
    Http(HttpCheck),
    /// Whether something listens in a service's container.
    Tcp {
        /// The service.
        service: String,
        /// The port in the container.
        port: u16,
    },
    /// What a program or a function says in a service's container; it must end with 0.
    Inside {
        /// Where and what.
        act: Act,
        /// What its standard output must hold besides.
        stdout_contains: Option<String>,
    },
    /// What a test suite says in a container of its own.
    Container(Container),
}

/// A test suite in a container of its own, on the networks of the app.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Container {
    /// Its image.
    pub image: String,
    /// A program with its arguments; empty: what the image runs by itself.
    pub run: Vec<String>,
}

/// A page and what it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HttpCheck {
    /// The name in front of the app's domain; nothing: the domain itself.
    pub subdomain: Option<String>,
    /// The path, from `/` on.
    pub path: String,
    /// The status that counts, 200 to 599.
    pub status: u16,
    /// What the title of the page must be.
    pub title: Option<String>,
    /// What the body must hold.
    pub body_contains: Option<String>,
    /// Headers that the answer must have: the name in lower case, and the whole value.
    pub headers: BTreeMap<String, String>,
    /// Values in a JSON body: by JSON pointer (RFC 6901, `/status/ok`), as JSON.
    pub json: BTreeMap<String, serde_json::Value>,
    /// Whether the page's first stylesheet and script must load.
    pub assets: bool,
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
#[derive(Debug, Clone, PartialEq, Eq, Serialize, thiserror::Error)]
#[error("the tests file cannot be used: {FILE}{}: {what}", .line.map_or_else(String::new, |line| format!(":{line}")))]
pub struct TestsError {
    /// The line, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong.
    pub what: String,
    /// What to write, as a sentence.
    pub advice: String,
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
