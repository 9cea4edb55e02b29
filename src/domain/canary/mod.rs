//! Canaries: recipes of which it is known what a run must say. Mutants are good recipes with one fault, good ones look odd on their
//! way, replays are incidents that other people had in public. They judge the judge: `cc-ci canary`.
//!
//! A canary is a `canary.toml`: a parent recipe, edits of its texts, and what is expected. It is data; what runs it is elsewhere.

mod corpus;
mod read;
mod table;

use serde::{Deserialize, Serialize};

pub use self::corpus::{CORPUS, PARENTS};
pub use self::read::{CanaryError, Parent, parent};
pub use self::table::{Judged, Naive, table};

use super::finding::FindingKind;
use super::recipe::files::RecipeFiles;
use super::results::Results;
use super::stage::Rung;
use super::verdict::{Verdict, deciding};

/// The file of a canary, in a folder of its name.
pub const FILE: &str = "canary.toml";
/// The folder with parents, beside those of the canaries.
pub const PARENTS_FOLDER: &str = "parents";
/// What images of the corpus begin with.
pub const IMAGES: &str = "lab/";

/// A recipe of which it is known what a run must say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Canary {
    /// Its name, which is a recipe's, too.
    pub name: String,
    /// What it stands for, in one sentence.
    pub why: String,
    /// The public incident that it replays.
    pub incident: Option<String>,
    /// Whether it is one of the few that are run every time.
    pub smoke: bool,
    /// The versions that are published before head, the oldest first: each with its files.
    pub published: Vec<(String, RecipeFiles)>,
    /// What is tested.
    pub head: RecipeFiles,
    /// The tests file.
    pub tests: Option<String>,
    /// What a run must say.
    pub expected: Told,
}

/// Which part of the corpus a canary belongs to.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Sort {
    /// A good recipe with one fault.
    Mutant,
    /// A good recipe that looks odd.
    Good,
    /// An incident that somebody had.
    Replay,
}

impl Canary {
    /// Which part of the corpus it belongs to.
    #[must_use]
    pub const fn sort(&self) -> Sort {
        match (&self.incident, self.expected.verdict) {
            (Some(_), _) => Sort::Replay,
            (None, Verdict::Green) => Sort::Good,
            (None, Verdict::Red | Verdict::NotJudged) => Sort::Mutant,
        }
    }
}

/// What a run says, as far as it is compared.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Told {
    /// The verdict.
    pub verdict: Verdict,
    /// The kind of the finding that decides; nothing where none does.
    #[serde(default)]
    pub kind: Option<FindingKind>,
    /// The service that it is about.
    #[serde(default)]
    pub service: Option<String>,
    /// The rung that it fails.
    #[serde(default)]
    pub rung: Option<Rung>,
}

impl Told {
    /// A run that has no results.
    #[must_use]
    pub const fn nothing() -> Self {
        Self { verdict: Verdict::NotJudged, kind: None, service: None, rung: None }
    }

    /// What these results say.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        let decides = deciding(&results.findings);
        Self {
            verdict: results.verdict,
            kind: decides.map(|finding| finding.kind),
            service: decides.and_then(|finding| finding.service.clone()),
            rung: decides.and_then(|finding| finding.rung),
        }
    }

    /// Whether verdict and parts fit together.
    const fn is_consistent(&self) -> bool {
        match self.verdict {
            Verdict::Green => self.kind.is_none() && self.service.is_none() && self.rung.is_none(),
            Verdict::Red | Verdict::NotJudged => self.kind.is_some() && self.rung.is_some(),
        }
    }
}

impl std::fmt::Display for Told {
    /// `green`, or `red: crash_loop of app (install)`.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str(&self.verdict.name().replace('_', " "))?;
        if let Some(kind) = self.kind {
            write!(f, ": {}", kind.name())?;
        }
        if let Some(service) = &self.service {
            write!(f, " of {service}")?;
        }
        self.rung.map_or(Ok(()), |rung| write!(f, " ({})", rung.name()))
    }
}
