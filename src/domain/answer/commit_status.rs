//! The texts of commit statuses, for a token that may write them.

use super::escape::plain;
use super::words::about;
use super::{Answer, Ending, Says, Waits};
use crate::domain::verdict::Verdict;

/// Characters of a status text.
const MOST: usize = 140;

/// A status of the commit under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// Its state.
    pub state: CommitState,
    /// Plain text, one line, at most 140 characters.
    pub text: String,
}

/// The states that forges know.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommitState {
    /// Not decided yet.
    Pending,
    /// Green.
    Success,
    /// Red.
    Failure,
    /// Not judged.
    Error,
}

/// The status that goes with an answer; `None`: it says nothing about a commit.
#[must_use]
pub fn commit_status(answer: &Answer) -> Option<CommitStatus> {
    let (state, text) = match &answer.says {
        Says::Queued { place, starts_in_ms, waits, .. } => {
            let when = starts_in_ms.filter(|_| waits.end_is_known());
            let when = when.map_or_else(String::new, |ms| format!(", starts {}", about(ms)));
            let behind = match waits {
                Waits::Behind(it) | Waits::SameRecipe(it) | Waits::SamePort(it, _) => {
                    format!(", behind run {}", it.run.number)
                }
                Waits::Nothing => String::new(),
                Waits::NoTarget => ", no target is in order".to_owned(),
                Waits::Paused(_) => ", paused".to_owned(),
            };
            (CommitState::Pending, format!("waiting, number {place}{when}{behind}"))
        }
        Says::Running { stage, target, .. } => (CommitState::Pending, format!("running on {target}: {}", stage.name())),
        Says::Verdict(judged) => {
            let sentence = &judged.results.sentence;
            match judged.results.verdict {
                Verdict::Green => (CommitState::Success, format!("green: {sentence}")),
                Verdict::Red => (CommitState::Failure, format!("red: {sentence}")),
                Verdict::NotJudged => (CommitState::Error, sentence.clone()),
            }
        }
        Says::Ended { ending, .. } => {
            let why = match ending {
                Ending::Superseded(newer) => format!("superseded by run {}", newer.number),
                Ending::Cancelled { .. } => "cancelled".to_owned(),
                Ending::NotRun { why, .. } => why.clone(),
            };
            (CommitState::Error, format!("not judged: {why}"))
        }
        Says::Merged { .. }
        | Says::Refused(_)
        | Says::Help
        | Says::Status(_)
        | Says::Cancelled(_)
        | Says::NothingToRetry
        | Says::Folded { .. } => return None,
    };
    Some(CommitStatus { state, text: plain(&text.replace('`', ""), MOST) })
}
