//! What can be written, who may write it, and what the words mean.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;

use super::error::Failed;
use super::frame::Frame;
use super::visitor::Visitor;
use super::{Here, rendered};
use crate::domain::answer;
use crate::domain::stage::{Rung, RungState};
use crate::domain::verdict::Verdict;
use crate::report::words;

#[derive(Template)]
#[template(path = "help.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    organisation: String,
    commands: Vec<(String, &'static str)>,
    verdicts: [(words::Shown, &'static str); 3],
    states: [(words::Shown, &'static str); 4],
    rungs: [(&'static str, &'static str); 5],
}

pub(super) async fn page(State(site): Here, Extension(visitor): Extension<Visitor>) -> Result<Response, Failed> {
    rendered(&Page {
        frame: Frame::new(&site, visitor, "help").await?,
        organisation: site.options.organisation.clone(),
        commands: answer::commands(),
        verdicts: [Verdict::Green, Verdict::Red, Verdict::NotJudged].map(|it| (words::verdict(it), verdict(it))),
        states: [RungState::Pass, RungState::Fail, RungState::NotApplicable, RungState::NotVerified]
            .map(|it| (words::rung(it), state(it))),
        rungs: Rung::ALL.map(|it| (words::heading(it), rung(it))),
    })
}

const fn verdict(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "no rung fails: what is listed as verified was seen to hold, and no more is claimed",
        Verdict::Red => "a rung fails, and the sentence at the top names the cause",
        Verdict::NotJudged => "the infrastructure failed, or somebody ended the run: nothing is said about the recipe",
    }
}

const fn state(state: RungState) -> &'static str {
    match state {
        RungState::Pass => "seen to hold",
        RungState::Fail => "seen not to hold",
        RungState::NotApplicable => "there is nothing to show, e.g. no older version to upgrade from",
        RungState::NotVerified => "nothing was shown either way; the reason stands beside it",
    }
}

const fn rung(rung: Rung) -> &'static str {
    match rung {
        Rung::Lint => "no rule is broken that provably stops a deploy or an upgrade",
        Rung::Install => "a fresh deploy of the commit runs and answers",
        Rung::Upgrade => "the version before, upgraded in place, runs the commit and keeps its data",
        Rung::Backup => "data comes back from a backup after everything was destroyed",
        Rung::Checks => "the maintainers' own checks hold",
    }
}
