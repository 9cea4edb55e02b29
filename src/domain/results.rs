//! What a run leaves behind for people and programs: the types of `results.json`, whose field names are stable.
//!
//! [`conclude`] makes them from facts; nothing else decides what a report claims. `docs/results.schema.json` is generated from them.

mod conclude;
mod facts;
#[cfg(test)]
pub(crate) mod samples;
#[cfg(test)]
pub(crate) mod schema;
mod words;

use jiff::Timestamp;
use serde::{Deserialize, Serialize, Serializer};

pub use self::conclude::conclude;
pub use self::facts::{Asset, Converged, DataFacts, FloorFacts, HttpFact, RunFacts, StageOutcome};
pub use self::words::{count, duration, last_line, ms_between, one_line, size, turns_text};
use super::base::Resolution;
use super::checks::Checked;
use super::data::{Seeded, Survived};
use super::finding::Finding;
use super::guilt::Guilt;
use super::host::HostLoad;
use super::ids::{CommitSha, DomainName, RecipeName, RunId, TargetName};
pub use super::lint::Severity;
use super::tests_file::Origin;
use super::verdict::{Rungs, Verdict};

/// The number of the shape of `results.json`; it grows when a field changes its meaning or goes. New fields do not count.
pub const SCHEMA: u32 = 1;

/// Everything in `results.json`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Results {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The run.
    pub run: RunId,
    /// What was tested.
    pub recipe: Recipe,
    /// The verdict.
    pub verdict: Verdict,
    /// The verdict in one sentence: what works and what was not shown, or the cause.
    pub sentence: String,
    /// How many rungs, from the first, are pass or not applicable.
    pub level: u8,
    /// What became of each rung.
    pub rungs: Rungs,
    /// What the base tells of the deciding cause; `null`: nothing.
    #[serde(default)]
    pub guilt: Option<Guilt>,
    /// All causes found, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// By what the recipe could rule its target, where that was allowed and it ran; `null`: it could not, or did not run.
    #[serde(default)]
    pub host_power: Option<HostPower>,
    /// Where the tests file came from; `null`: there was none.
    #[serde(default)]
    pub tests: Option<Origin>,
    /// What was shown to hold, one claim each.
    pub verified: Vec<String>,
    /// What was not shown, each with its reason.
    pub not_verified: Vec<String>,
    /// Where the time went.
    pub timings: Vec<Timing>,
    /// Instants worth a mark on the time axis: exits, memory kills, health turning.
    #[serde(default)]
    pub marks: Vec<Mark>,
    /// The load of the target's host, for each stage in which the runner took readings.
    #[serde(default)]
    pub host: Vec<HostLoad>,
    /// How often something was deployed.
    pub deploys: Deploys,
    /// The images that ran, as they were resolved.
    pub images: Vec<Image>,
    /// The images that the deploy needed, and how the target came to have each.
    #[serde(default)]
    pub pulls: Vec<Pull>,
    /// What deployed.
    pub driver: Driver,
    /// Where it ran.
    pub target: Target,
    /// When the run began.
    #[serde(serialize_with = "milliseconds")]
    #[cfg_attr(test, schemars(with = "schema::Instant"))]
    pub started: Timestamp,
    /// When it had ended and the target was compared.
    #[serde(serialize_with = "milliseconds")]
    #[cfg_attr(test, schemars(with = "schema::Instant"))]
    pub finished: Timestamp,
    /// What did not decide anything, but should be known.
    pub warnings: Vec<String>,
    /// What the lint rules said.
    pub lint: Vec<LintLine>,
    /// The data that was made to be looked for after the upgrade and after the restore.
    #[serde(default)]
    pub data: Data,
    /// What the maintainers' checks saw, in the order of the tests file.
    #[serde(default)]
    pub checks: Vec<Checked>,
    /// What the app needed of the target, as far as it was measured.
    #[serde(default)]
    pub resources: Resources,
    /// Files of the run that were whole before this one was written, so that its signature vouches for them as well.
    #[serde(default)]
    pub artefacts: Vec<Artefact>,
}

/// Host power that the tests file allowed: what was seen on this target rests on the recipe's word.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostPower {
    /// The reason that the tests file gives.
    pub reason: String,
    /// What gives it, one sentence each.
    pub found: Vec<String>,
}

/// What was tested.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Recipe {
    /// Its name.
    pub name: RecipeName,
    /// The revision under test.
    pub head: Revision,
    /// The older revision that head is compared with; `deploys.upgrade` tells whether it was deployed and upgraded. `null`:
    /// there is none.
    pub base: Option<Revision>,
    /// Why this base, or why none: a phrase. Empty in results of an older cc-ci.
    #[serde(default)]
    pub base_why: String,
}

impl Recipe {
    /// A head and the base that was found for it.
    #[must_use]
    pub fn new(name: RecipeName, head: Revision, found: Option<&Resolution>) -> Self {
        let base = found.and_then(|found| found.base.as_ref()).map(|base| Revision {
            commit: Some(base.commit.clone()),
            version: base.version.as_ref().map(ToString::to_string),
            dirty: false,
            source: head.source.clone(),
        });
        let base_why = found.map(|found| found.why.to_string()).unwrap_or_default();
        Self { name, head, base, base_why }
    }
}

/// One state of a recipe's files.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Revision {
    /// The commit; `null` for a directory that is not a git repository.
    pub commit: Option<CommitSha>,
    /// The version label of the compose file, e.g. `1.0.0+2.0.3`.
    pub version: Option<String>,
    /// Whether there are uncommitted changes (written `+U`).
    pub dirty: bool,
    /// Where it comes from: the git URL without `@REF` and without credentials, or the directory as it was given.
    pub source: String,
}

impl Revision {
    /// The version, else the short commit, else `unversioned`; ` +U` when there are uncommitted changes.
    #[must_use]
    pub fn label(&self) -> String {
        let short = self.commit.as_ref().map(|commit| commit.short().to_owned());
        let name = self.version.as_deref().map(|version| one_line(version, 60)).or(short);
        let mut label = name.unwrap_or_else(|| "unversioned".to_owned());
        if self.dirty {
            label.push_str(" +U");
        }
        label
    }
}

/// How long one phase took.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Timing {
    /// Its name, e.g. `pull` or `converge`; the same name may come more than once.
    pub phase: String,
    /// When it began.
    #[serde(serialize_with = "milliseconds")]
    #[cfg_attr(test, schemars(with = "schema::Instant"))]
    pub start: Timestamp,
    /// Its length in milliseconds.
    pub ms: u64,
    /// Whose time it was.
    pub by: By,
}

/// Whose time a phase was.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub enum By {
    /// cc-ci worked or waited for itself.
    #[serde(rename = "cc-ci")]
    CcCi,
    /// Docker pulled, started, stopped or removed.
    #[serde(rename = "docker")]
    Docker,
    /// The app was starting or answering.
    #[serde(rename = "app")]
    App,
}

/// An instant worth a mark.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Mark {
    /// When.
    #[serde(serialize_with = "milliseconds")]
    #[cfg_attr(test, schemars(with = "schema::Instant"))]
    pub at: Timestamp,
    /// What happened, e.g. `app exits with 1`.
    pub what: String,
}

/// How often something was deployed: a guard against doing more than is needed.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Deploys {
    /// Deploys onto nothing.
    pub fresh: u32,
    /// Deploys over a running stack.
    pub upgrade: u32,
}

/// The image of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Image {
    /// The service, by its name in the compose file.
    pub service: String,
    /// The image as the compose file names it.
    pub image: String,
    /// The digest it was resolved to; `null` when it was not.
    pub digest: Option<String>,
}

/// The data of a run: what was made, and what of it was there later.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Data {
    /// What was made; `null`: the run did not come to it, or there was nothing to make.
    pub seeded: Option<Seeded>,
    /// What was there after the upgrade; `null`: not looked at, or something is lost, as a finding says.
    pub after_upgrade: Option<Survived>,
    /// What was archived.
    pub backup: Vec<Archived>,
    /// What was there after the restore; `null` as above.
    pub after_restore: Option<Survived>,
}

/// One archive of the backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Archived {
    /// What was archived: `the volume data`.
    pub what: String,
    /// How many files.
    pub files: u64,
    /// Bytes in them.
    pub bytes: u64,
}

/// How the target came to have an image before the deploy.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Pull {
    /// The image as the compose file names it.
    pub image: String,
    /// The services that use it, by their names in the compose file.
    pub services: Vec<String>,
    /// The digest that the registry had for it, or that the store knows; `null` when neither is known.
    pub digest: Option<String>,
    /// Whether it was there.
    pub store: Store,
    /// Bytes that came over the network; layers that were there before do not count.
    pub bytes: u64,
    /// From the question to the registry to the end of the pull, in milliseconds.
    pub ms: u64,
}

/// Whether an image was in the target's store.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Store {
    /// It was there.
    Warm,
    /// It was pulled.
    Cold,
}

/// What deployed: `stack` or `abra`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Driver {
    /// Its name.
    pub name: String,
    /// Its version.
    pub version: String,
}

/// Where it ran.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Target {
    /// The target's name.
    pub name: TargetName,
    /// The Docker engine's version; `null` when it never answered.
    pub engine: Option<String>,
    /// The domain under which the app was deployed.
    pub domain: Option<DomainName>,
}

/// One thing that a lint rule says.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct LintLine {
    /// The rule's stable name.
    pub rule: String,
    /// Whether it stops a deploy.
    pub severity: Severity,
    /// Whether it was not there in the base; everything is new where there is none.
    #[serde(default = "yes")]
    pub new: bool,
    /// The file, relative to the recipe, or `refs/tags`.
    pub file: String,
    /// The line, from 1, where one can be named.
    pub line: Option<u32>,
    /// What is wrong.
    pub text: String,
    /// What to do.
    pub advice: String,
    /// Why it matters.
    #[serde(default)]
    pub why: String,
}

const fn yes() -> bool {
    true
}

impl LintLine {
    /// `compose.yml:9`, or the file alone where no line is to blame.
    #[must_use]
    pub fn place(&self) -> String {
        self.line.map_or_else(|| self.file.clone(), |number| format!("{}:{number}", self.file))
    }

    /// Whether it turns a run red: an error that was not there in the base.
    #[must_use]
    pub fn turns_red(&self) -> bool {
        self.new && self.severity == Severity::Error
    }
}

/// What the app needed of the target. `null`: not measured.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Resources {
    /// Peak memory of each service, in the order of their names.
    pub memory: Vec<ServiceMemory>,
    /// Bytes of the app's images on the target; layers that two of them share count twice.
    pub image_bytes: Option<u64>,
}

/// The memory of one service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct ServiceMemory {
    /// The service, by its name in the compose file.
    pub service: String,
    /// The most bytes that one of its containers held, page cache included: of readings 1 to 10 s apart, or, where the kernel keeps
    /// the peak itself (cgroup 1), that.
    pub peak_bytes: u64,
    /// Its memory limit in bytes; `null`: none.
    pub limit_bytes: Option<u64>,
}

/// A file of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Artefact {
    /// Its name beside `results.json`.
    pub name: String,
    /// Its length in bytes.
    pub bytes: u64,
    /// The SHA-256 of its content, hexadecimal.
    pub sha256: String,
}

/// RFC 3339 in UTC with exactly three decimals, so that texts sort and align.
fn milliseconds<S: Serializer>(at: &Timestamp, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.collect_str(&format_args!("{at:.3}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn instants_always_have_three_decimals() {
        let timing = Timing { phase: "pull".into(), start: Timestamp::UNIX_EPOCH, ms: 5, by: By::CcCi };
        let json = serde_json::to_string(&timing).unwrap();
        assert_eq!(json, r#"{"phase":"pull","start":"1970-01-01T00:00:00.000Z","ms":5,"by":"cc-ci"}"#);
    }

    #[test]
    fn a_revision_is_named_by_the_best_there_is() {
        let commit = CommitSha::parse(&"9f31c0e2".repeat(5)).unwrap();
        let mut revision = Revision { commit: Some(commit), version: None, dirty: true, source: ".".into() };
        assert_eq!(revision.label(), "9f31c0e2 +U");
        revision.version = Some("1.0.0+2.0.3".into());
        assert_eq!(revision.label(), "1.0.0+2.0.3 +U");
    }
}
