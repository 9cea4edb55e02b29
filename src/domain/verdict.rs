//! From findings and stages to the verdict: total, pure, and the same for every run.

use serde::{Deserialize, Serialize};

use super::finding::{Class, Finding};
use super::stage::{Rung, RungState};

/// The verdict of a run.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Verdict {
    /// No rung fails.
    Green,
    /// A rung fails for the recipe's fault, or for nobody's that is known.
    Red,
    /// The deciding finding is the infrastructure's or the tests', or the run was cancelled.
    NotJudged,
}

impl Verdict {
    /// The verdict's name in results and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Green => "green",
            Self::Red => "red",
            Self::NotJudged => "not_judged",
        }
    }

    /// The verdict of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        [Self::Green, Self::Red, Self::NotJudged].into_iter().find(|verdict| verdict.name() == name)
    }

    /// The exit code of `cc-ci run`.
    #[must_use]
    pub const fn exit_code(self) -> u8 {
        match self {
            Self::Green => 0,
            Self::Red => 1,
            Self::NotJudged => 3,
        }
    }
}

/// What became of one rung, and why.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct RungResult {
    /// Its state.
    pub state: RungState,
    /// Why it is not `pass`; for `pass`, what was shown.
    pub reason: String,
}

/// The five rungs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Rungs {
    /// No rule is broken that provably stops a deploy or an upgrade.
    pub lint: RungResult,
    /// A fresh deploy of head runs and answers.
    pub install: RungResult,
    /// The base, upgraded in place, runs head and keeps its data.
    pub upgrade: RungResult,
    /// Data comes back from a backup after everything was destroyed.
    pub backup: RungResult,
    /// The maintainers' own checks hold.
    pub checks: RungResult,
}

impl Rungs {
    /// The result of one rung.
    #[must_use]
    pub const fn of(&self, rung: Rung) -> &RungResult {
        match rung {
            Rung::Lint => &self.lint,
            Rung::Install => &self.install,
            Rung::Upgrade => &self.upgrade,
            Rung::Backup => &self.backup,
            Rung::Checks => &self.checks,
        }
    }

    /// How many rungs, from the first, are pass or not applicable; *not verified* stops the count.
    #[must_use]
    pub fn level(&self) -> u8 {
        let held = Rung::ALL
            .into_iter()
            .take_while(|rung| matches!(self.of(*rung).state, RungState::Pass | RungState::NotApplicable));
        u8::try_from(held.count()).unwrap_or(u8::MAX)
    }
}

/// The finding that decides: the first that turns the run red, else the first that keeps it from being judged. A finding
/// that fails no rung (leftovers) decides nothing.
#[must_use]
pub fn deciding(findings: &[Finding]) -> Option<&Finding> {
    let blocks = |finding: &&Finding| finding.rung.is_some() && matches!(finding.class, Class::Infra | Class::Tests);
    findings.iter().find(|finding| finding.turns_red()).or_else(|| findings.iter().find(blocks))
}

/// The verdict over all findings of a finished run.
#[must_use]
pub fn verdict(findings: &[Finding], cancelled: bool) -> Verdict {
    match deciding(findings) {
        Some(finding) if finding.turns_red() => Verdict::Red,
        Some(_) => Verdict::NotJudged,
        None if cancelled => Verdict::NotJudged,
        None => Verdict::Green,
    }
}
