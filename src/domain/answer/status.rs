//! Answers to `!testme status`, `cancel` and `retry`.

use super::RunLink;
use super::words::{about, run, run_first, verdict};
use crate::domain::ids::CommitSha;
use crate::domain::results::duration;
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;

/// More runs than this are on the pages only.
const MOST: usize = 10;

/// A run of the pull request in a list.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RunLine {
    /// The run.
    pub run: RunLink,
    /// Its commit.
    pub head: CommitSha,
    /// What it does.
    pub now: RunNow,
}

/// What a run does at the moment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum RunNow {
    /// It waits.
    Waits {
        /// Its place in the queue, from 1.
        place: u32,
        /// When it will start, in milliseconds.
        starts_in_ms: Option<u64>,
    },
    /// It runs.
    Runs {
        /// Its stage.
        stage: Stage,
        /// For how long, in milliseconds.
        elapsed_ms: u64,
    },
    /// It has ended.
    Ended(Verdict),
}

pub(super) const NOTHING_TO_RETRY: &str =
    "Nothing of this pull request was tested before, so there is nothing to test again. `!testme` tests its head.\n";

pub(super) fn said(lines: &[RunLine]) -> String {
    if lines.is_empty() {
        return "Nothing of this pull request waits, runs or was tested. `!testme` tests its head.\n".to_owned();
    }
    let line = |line: &RunLine| format!("- {} of `{}`: {}\n", run_first(&line.run), line.head.short(), now(&line.now));
    let mut said: String = lines.iter().take(MOST).map(line).collect();
    if lines.len() > MOST {
        said.push_str(&format!("- and {} older\n", lines.len() - MOST));
    }
    said
}

fn now(now: &RunNow) -> String {
    match now {
        RunNow::Waits { place, starts_in_ms } => {
            let when = starts_in_ms.map_or_else(String::new, |ms| format!(", starts {}", about(ms)));
            format!("○ waiting, number {place}{when}")
        }
        RunNow::Runs { stage, elapsed_ms } => format!("▸ running, {}, {} so far", stage.name(), duration(*elapsed_ms)),
        RunNow::Ended(of) => {
            let (glyph, word) = verdict(*of);
            format!("{glyph} {word}")
        }
    }
}

pub(super) fn cancelled(runs: &[RunLink]) -> String {
    if runs.is_empty() {
        return "Nothing of this pull request waits or runs, so nothing was cancelled.\n".to_owned();
    }
    let named = runs.iter().take(MOST).map(run).collect::<Vec<_>>().join(", ");
    let more = if runs.len() > MOST { format!(" and {} more", runs.len() - MOST) } else { String::new() };
    format!("Cancelled: {named}{more}. `!testme retry` tests the last one again.\n")
}
