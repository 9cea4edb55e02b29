//! Everything that the gate says on a pull request, in one place: one file per kind of answer, and the texts of commit statuses.
//!
//! An answer claims what was shown and no more. Text from outside goes through `escape` and is bounded; a whole comment stays
//! below [`LONGEST`]. One comment answers one request from the waiting to the verdict; [`marker`] finds it again.

mod commit_status;
mod earlier;
mod escape;
mod help;
mod marker;
mod progress;
mod refusal;
mod status;
mod verdict;
mod words;

pub use self::commit_status::{CommitState, CommitStatus, commit_status};
pub use self::earlier::Earlier;
pub use self::help::commands;
pub use self::marker::{Marker, marker};
pub use self::progress::{Ahead, Ending, Kept, RedSoFar, Waits};
pub use self::status::{RunLine, RunNow};
pub use self::verdict::{Behind, Judged};
use super::command::Options;
use super::ids::{CommitSha, RecipeName, TargetName};
use super::intake::Say;
use super::stage::Stage;

/// No comment is longer, in bytes.
pub const LONGEST: usize = 60_000;
/// After a run of this length, in milliseconds, its verdict is posted anew: an edit notifies nobody.
pub const POSTED_ANEW_AFTER_MS: u64 = 120_000;

/// A comment of the gate.
#[derive(Debug, Clone, PartialEq)]
pub struct Answer {
    /// What it answers.
    pub marker: Marker,
    /// What it says.
    pub says: Says,
    /// Earlier runs of the pull request, newest first: they fold to one line.
    pub earlier: Vec<Earlier>,
}

/// A run of the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLink {
    /// Its number on the pages.
    pub number: i64,
    /// The address of its page, `https://…`.
    pub url: String,
}

/// What a run is about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Subject {
    /// The run.
    pub run: RunLink,
    /// The recipe.
    pub recipe: RecipeName,
    /// The commit under test.
    pub head: CommitSha,
    /// How it was asked for.
    pub options: Options,
    /// Whether the request vouched for this commit of somebody who could not ask.
    pub vouched: bool,
    /// The pull request's head, when it is another one by now.
    pub moved_to: Option<CommitSha>,
}

/// What a comment says. All lengths of time are in milliseconds.
#[derive(Debug, Clone, PartialEq)]
pub enum Says {
    /// The run waits.
    Queued {
        /// What it is about.
        subject: Subject,
        /// Its place in the queue, from 1.
        place: u32,
        /// When it will start, from history.
        starts_in_ms: Option<u64>,
        /// What it waits for.
        waits: Waits,
    },
    /// The run runs.
    Running {
        /// What it is about.
        subject: Subject,
        /// The stage that it is in.
        stage: Stage,
        /// Where it runs.
        target: TargetName,
        /// For how long.
        elapsed_ms: u64,
        /// How long runs of this recipe usually take.
        usually_ms: Option<u64>,
        /// While the app is kept up for a person.
        kept: Option<Kept>,
        /// What already speaks against the recipe.
        red: Option<RedSoFar>,
    },
    /// The run has a verdict.
    Verdict(Box<Judged>),
    /// The run ended without results.
    Ended {
        /// What it was about.
        subject: Subject,
        /// How it ended.
        ending: Ending,
    },
    /// The request was the same as one that waits or runs already.
    Merged {
        /// The run that serves both.
        into: RunLink,
        /// Its commit.
        head: CommitSha,
    },
    /// Nothing was done.
    Refused(Say),
    /// What can be written.
    Help,
    /// How far the runs of the pull request are, newest first.
    Status(Vec<RunLine>),
    /// `!testme cancel` was done.
    Cancelled(Vec<RunLink>),
    /// `!testme retry` found no earlier run.
    NothingToRetry,
    /// An older comment of the pull request, folded to one line.
    Folded {
        /// What it was about.
        run: Earlier,
        /// The run that came after it.
        newer: RunLink,
    },
}

/// The whole comment, in Markdown: what it says, the earlier runs, the hidden marker as its last line.
#[must_use]
pub fn body(answer: &Answer) -> String {
    let tail = format!("{}\n{}\n", earlier::folded(&answer.earlier), answer.marker);
    let said = says(&answer.says, true);
    let said = if said.len() + tail.len() <= LONGEST { said } else { says(&answer.says, false) };
    format!("{said}{tail}")
}

fn says(says: &Says, details: bool) -> String {
    match says {
        Says::Queued { subject, place, starts_in_ms, waits } => progress::queued(subject, *place, *starts_in_ms, waits),
        Says::Running { subject, stage, target, elapsed_ms, usually_ms, kept, red } => {
            let times = (*elapsed_ms, *usually_ms);
            progress::running(subject, *stage, target, times, kept.as_ref(), red.as_ref())
        }
        Says::Verdict(judged) => verdict::said(judged, details),
        Says::Ended { subject, ending } => progress::ended(subject, ending),
        Says::Merged { into, head } => progress::merged(into, head),
        Says::Refused(say) => refusal::said(say),
        Says::Help => help::said(),
        Says::Status(lines) => status::said(lines),
        Says::Cancelled(runs) => status::cancelled(runs),
        Says::NothingToRetry => status::NOTHING_TO_RETRY.to_owned(),
        Says::Folded { run, newer } => earlier::replaced(run, newer),
    }
}

#[cfg(test)]
mod samples;
#[cfg(test)]
mod tests;
