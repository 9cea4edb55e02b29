//! What becomes of a request (design §4, *Queue*).

use serde::{Deserialize, Serialize};

use super::rank::handicap;
use super::{Running, Waiting};
use crate::domain::ids::RunId;

/// What becomes of a request. Names are those of runs that exist; the engine acts and tells.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Admission {
    /// It is queued.
    New,
    /// This run, which waits or runs, gives its answer: nothing is queued.
    MergedInto(RunId),
    /// It is queued, and these runs that waited are not wanted any more.
    Supersedes(Vec<RunId>),
    /// This run, which waits, was asked for later on the same pull request: nothing is queued.
    SupersededBy(RunId),
}

/// Decides about a request. Asking again with what then waits gives [`Admission::MergedInto`]: a comment that is read twice does no harm.
///
/// - A request with the same recipe, pull request, commit and options as a run that waits is merged into it, and into one that
///   runs as long as nothing of that pull request waits.
/// - A newer request supersedes what waits of its pull request, never what runs. What belongs to no pull request supersedes nothing, except
///   that a more urgent request for the same commit takes a less urgent one's place.
/// - Newer is what `queued_at` says. So the automatic repetition of an old head, which keeps its instant, never drives out what was asked
///   for since.
#[must_use]
pub fn admit(waiting: &[Waiting], running: &[Running], request: &Waiting) -> Admission {
    let same = waiting.iter().find(|run| run.subject == request.subject);
    if request.subject.pr.is_none() {
        return match same {
            Some(run) if handicap(run.cause) > handicap(request.cause) => Admission::Supersedes(vec![run.run.clone()]),
            Some(run) => Admission::MergedInto(run.run.clone()),
            None => of_running(running, request).map_or(Admission::New, Admission::MergedInto),
        };
    }
    if let Some(run) = same {
        return Admission::MergedInto(run.run.clone());
    }
    let of_this_pr: Vec<&Waiting> = waiting.iter().filter(|run| run.subject.pr == request.subject.pr).collect();
    if let Some(newer) =
        of_this_pr.iter().filter(|run| run.queued_at > request.queued_at).max_by_key(|run| run.queued_at)
    {
        return Admission::SupersededBy(newer.run.clone());
    }
    if !of_this_pr.is_empty() {
        return Admission::Supersedes(of_this_pr.into_iter().map(|run| run.run.clone()).collect());
    }
    of_running(running, request).map_or(Admission::New, Admission::MergedInto)
}

fn of_running(running: &[Running], request: &Waiting) -> Option<RunId> {
    running.iter().find(|run| run.subject == request.subject).map(|run| run.run.clone())
}
