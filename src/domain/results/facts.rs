//! What a run found out, as plain data: the engine fills it in, keeps it as JSON and hands it to `conclude`.

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::{
    Archived, Artefact, Data, Deploys, Driver, HostPower, Image, LintLine, Mark, Pull, Resources, Revision, Target,
    Timing,
};
use crate::domain::backup::NoBackup;
use crate::domain::base::Resolution;
use crate::domain::checks::Checked;
use crate::domain::data::{Seeded, Survived};
use crate::domain::finding::Finding;
use crate::domain::host::HostLoad;
use crate::domain::ids::{RecipeName, RunId};
use crate::domain::stage::{Rung, Stage};
use crate::domain::tests_file::Origin;

/// Everything that is known at the end of a run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct RunFacts {
    /// The run.
    pub run: RunId,
    /// The recipe's name.
    pub recipe: RecipeName,
    /// The revision under test.
    pub head: Revision,
    /// The base that was chosen, and why; nothing when none was looked for.
    pub base: Option<Resolution>,
    /// How the stages ended; one that was never reached is absent.
    pub stages: BTreeMap<Stage, StageOutcome>,
    /// All causes found, in the order in which they were found.
    pub findings: Vec<Finding>,
    /// What the zero-config floor saw.
    pub floor: FloorFacts,
    /// What the floor saw after the upgrade in place.
    #[serde(default)]
    pub upgrade: FloorFacts,
    /// What was made to be looked for, and what of it was there.
    #[serde(default)]
    pub data: DataFacts,
    /// How many checks are declared.
    #[serde(default)]
    pub checks_declared: u32,
    /// What they saw, after the upgrade and on the fresh deploy, and the extra ones.
    #[serde(default)]
    pub checks: Vec<Checked>,
    /// Extra checks that nobody asked for, by their names.
    #[serde(default)]
    pub extras_left: Vec<String>,
    /// Only these stages were asked for; empty: everything.
    #[serde(default)]
    pub only: BTreeSet<Stage>,
    /// Whether the tests file was the change's own.
    #[serde(default)]
    pub with_tests: bool,
    /// Rungs that have nothing to show, by the tests file's word.
    #[serde(default)]
    pub not_applicable: BTreeMap<Rung, String>,
    /// Host power that was allowed and in force.
    #[serde(default)]
    pub host_power: Option<HostPower>,
    /// Where the tests file came from.
    #[serde(default)]
    pub tests: Option<Origin>,
    /// How many lint rules were really evaluated.
    pub lint_rules: u32,
    /// What they said.
    pub lint: Vec<LintLine>,
    /// Whether a person or the gate ended the run before its time.
    pub cancelled: bool,
    /// Whether the app stayed up for a person (`--keep`).
    pub kept: bool,
    /// Where the time went.
    pub timings: Vec<Timing>,
    /// Instants worth a mark on the time axis.
    pub marks: Vec<Mark>,
    /// The load of the target's host, by stage.
    pub host: Vec<HostLoad>,
    /// How often something was deployed.
    pub deploys: Deploys,
    /// The images as they were resolved.
    pub images: Vec<Image>,
    /// How the target came to have the images.
    #[serde(default)]
    pub pulls: Vec<Pull>,
    /// What deployed.
    pub driver: Driver,
    /// Where it ran.
    pub target: Target,
    /// When the run began.
    pub started: Timestamp,
    /// When it had ended.
    pub finished: Timestamp,
    /// What did not decide anything, but should be known.
    pub warnings: Vec<String>,
    /// What the app needed of the target.
    pub resources: Resources,
    /// Files of the run that are whole.
    pub artefacts: Vec<Artefact>,
}

/// What was made to be looked for, and what of it was there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct DataFacts {
    /// What was made.
    pub seeded: Option<Seeded>,
    /// What of it was there after the upgrade.
    pub after_upgrade: Option<Survived>,
    /// Why there can be no backup, where that is so.
    pub no_backup: Option<NoBackup>,
    /// What was archived.
    pub archived: Option<Vec<Archived>>,
    /// What was there after the restore.
    pub after_restore: Option<Survived>,
}

impl DataFacts {
    /// As `results.json` tells it.
    #[must_use]
    pub fn told(self) -> Data {
        Data {
            seeded: self.seeded,
            after_upgrade: self.after_upgrade,
            backup: self.archived.unwrap_or_default(),
            after_restore: self.after_restore,
        }
    }
}

/// How a stage ended.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum StageOutcome {
    /// It did all it should.
    Done,
    /// It ended with a finding.
    Failed,
    /// It was left out, for this reason.
    Skipped(String),
    /// It was going on when the run was ended.
    Interrupted,
}

/// What the zero-config floor saw. The default is that nothing was looked at, which proves nothing.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize, Deserialize)]
#[serde(default)]
pub struct FloorFacts {
    /// That the fresh deploy of head converged; `None`: it did not, or was not watched to the end.
    pub converged: Option<Converged>,
    /// One per host of the stack's router rules that gave its final answer.
    pub http: Vec<HttpFact>,
    /// Why no page was asked, e.g. `no router rule names a host`. Without it, an empty `http` proves nothing.
    pub http_not_applicable: Option<String>,
    /// Whether the whole inventory after equals the one before; `None`: not compared.
    pub nothing_left: Option<bool>,
    /// Whether what was planted beside the app is untouched; `None`: nothing was planted, or not looked.
    pub neighbour_untouched: Option<bool>,
}

/// A stack that converged.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub struct Converged {
    /// How many services hold (running, finished or scaled to 0); 0 proves nothing.
    pub services: u32,
    /// Milliseconds from the end of the deploy call.
    pub ms: u64,
}

/// The final answer of one host.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct HttpFact {
    /// The host that was asked, over HTTPS.
    pub host: String,
    /// The status of the answer, after redirects within the stack's hosts.
    pub status: u16,
    /// Whether it differs from the proxy's answer to a random host.
    pub differs_from_random: bool,
    /// The page's title: untrusted.
    pub title: Option<String>,
    /// The first stylesheet and script on the same host.
    pub assets: Vec<Asset>,
}

impl HttpFact {
    /// Whether the app itself gave a usable answer: below 500, and not the proxy's own.
    #[must_use]
    pub const fn holds(&self) -> bool {
        self.status < 500 && self.differs_from_random
    }
}

/// A stylesheet or script of a page.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Asset {
    /// Its address.
    pub url: String,
    /// The status of the answer; 0 when there was none.
    pub status: u16,
}

impl Asset {
    /// Whether it was there.
    #[must_use]
    pub const fn holds(&self) -> bool {
        matches!(self.status, 1..400)
    }
}
