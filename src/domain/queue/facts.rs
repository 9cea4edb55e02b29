//! What the policy is told: plain data, as the store has it.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::HostPort;
use crate::domain::ids::{CommitSha, RecipeName, RunId, TargetName};
use crate::domain::stage::Stage;

/// Why a run was asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Cause {
    /// `!testme` on a pull request.
    Pr,
    /// The repetition of a run that was not judged, or `!testme retry`: somebody waits for it as for a pull request.
    Retry,
    /// A push to the default branch, or a new tag.
    PostMerge,
    /// The periodic sweep.
    Sweep,
}

impl Cause {
    /// All causes, the most urgent first.
    pub const ALL: [Self; 4] = [Self::Pr, Self::Retry, Self::PostMerge, Self::Sweep];

    /// The cause's word in figures and metrics.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pr => "pr",
            Self::Retry => "retry",
            Self::PostMerge => "post_merge",
            Self::Sweep => "sweep",
        }
    }
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct PullRequest {
    /// `owner/name`, as the forge has it.
    pub repo: String,
    /// Its number there.
    pub number: u64,
}

/// What is tested, and how: two requests with the same subject want the same answer.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Subject {
    /// The recipe.
    pub recipe: RecipeName,
    /// The pull request, if it is one's head.
    pub pr: Option<PullRequest>,
    /// The commit under test.
    pub head: CommitSha,
    /// A digest of all options that change what is done (`--extra`, `--base`, `--keep`, …).
    pub options: String,
}

/// A run that waits.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Waiting {
    /// The run.
    pub run: RunId,
    /// What it tests.
    #[serde(flatten)]
    pub subject: Subject,
    /// Why it was asked for.
    pub cause: Cause,
    /// How many capacity units it takes. More than the largest target has: it runs alone on one of that size.
    pub weight: NonZeroU32,
    /// The host ports that its stack publishes.
    #[serde(default)]
    pub ports: Vec<HostPort>,
    /// The images that it needs.
    #[serde(default)]
    pub images: BTreeSet<String>,
    /// When it was asked for. The automatic repetition of a run keeps the instant of the first: it has waited since then.
    pub queued_at: Timestamp,
    /// Its total limit, with the time for which `--keep` leaves the app up.
    pub limit: Duration,
}

/// A run that runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Running {
    /// The run.
    pub run: RunId,
    /// What it tests.
    #[serde(flatten)]
    pub subject: Subject,
    /// Where.
    pub target: TargetName,
    /// How many capacity units it takes.
    pub weight: NonZeroU32,
    /// The host ports that its stack publishes.
    #[serde(default)]
    pub ports: Vec<HostPort>,
    /// What it does now.
    pub stage: Stage,
    /// Since when it runs.
    pub started_at: Timestamp,
    /// How long runs of this recipe usually take ([`History::usual`](super::History::usual)).
    pub usual: Option<Duration>,
    /// Its total limit: the clock that is always armed.
    pub limit: Duration,
}

/// What is known of a target. Only those of role `gate` belong here.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct TargetFacts {
    /// Its name.
    pub name: TargetName,
    /// Its capacity units; 1 is one run at a time, whatever its weight; 0 takes none.
    pub capacity: u32,
    /// Its state.
    pub state: TargetState,
    /// Its operators take it out of service: what runs there ends, nothing starts.
    #[serde(default)]
    pub draining: bool,
    /// The images in its store.
    #[serde(default)]
    pub images: BTreeSet<String>,
}

/// The state of a target (design §4, *Targets*).
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum TargetState {
    /// Proved empty: a run may start.
    Clean,
    /// In use. By runs of ours: more may start beside them; without any of ours it is somebody else's.
    Leased,
    /// To be swept.
    Dirty,
    /// Could not be proved clean.
    Quarantined,
    /// Not looked at yet.
    Unknown,
}

impl TargetState {
    /// All states.
    pub const ALL: [Self; 5] = [Self::Clean, Self::Leased, Self::Dirty, Self::Quarantined, Self::Unknown];

    /// The state's name in the database and on pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Clean => "clean",
            Self::Leased => "leased",
            Self::Dirty => "dirty",
            Self::Quarantined => "quarantined",
            Self::Unknown => "unknown",
        }
    }

    /// The state of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.name() == name)
    }
}

/// What operators told the gate. Both leave alone what runs, and requests are still taken.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Switches {
    /// Nothing starts until *resume*.
    pub paused: bool,
    /// Nothing starts: the gate is about to be stopped, once what runs has ended.
    pub draining: bool,
}

/// Everything that a decision depends on. The order within the lists means nothing.
#[derive(Debug, Clone, Copy)]
pub struct Situation<'a> {
    /// The runs that wait.
    pub waiting: &'a [Waiting],
    /// The runs that run.
    pub running: &'a [Running],
    /// All configured targets of role `gate`, the unusable ones too.
    pub targets: &'a [TargetFacts],
    /// What operators told the gate.
    pub switches: Switches,
    /// The present.
    pub now: Timestamp,
}
