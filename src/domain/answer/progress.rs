//! From the request to the end of its run: waiting, running, and the ends that have no results.

use super::escape::{code, link, text};
use super::words::{about, ahead, rounded, run, run_first};
use super::{RunLink, Subject};
use crate::domain::ids::{CommitSha, RecipeName, TargetName};
use crate::domain::results::duration;
use crate::domain::stage::Stage;

/// What a run waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Waits {
    /// Nothing but the next look at the queue.
    Nothing,
    /// The capacity that another run uses.
    Behind(Ahead),
    /// Another run of the same recipe.
    SameRecipe(Ahead),
    /// A run that publishes the same port of the host.
    SamePort(Ahead, u16),
    /// A target that is in order.
    NoTarget,
    /// The end of a pause; why it is paused.
    Paused(String),
}

impl Waits {
    /// Whether history can tell when the waiting ends.
    pub(super) const fn end_is_known(&self) -> bool {
        match self {
            Self::Nothing | Self::Behind(_) | Self::SameRecipe(_) | Self::SamePort(..) => true,
            Self::NoTarget | Self::Paused(_) => false,
        }
    }
}

/// A run that another one waits for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ahead {
    /// The run.
    pub run: RunLink,
    /// Its recipe.
    pub recipe: RecipeName,
    /// Its stage; `None`: it has not started.
    pub stage: Option<Stage>,
    /// For how long it has been running.
    pub elapsed_ms: u64,
    /// How long runs of its recipe usually take.
    pub usually_ms: Option<u64>,
}

/// An app that is kept up for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Kept {
    /// The app's address.
    pub url: String,
    /// For how much longer, in milliseconds.
    pub left_ms: u64,
}

/// What turns a run red that goes on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RedSoFar {
    /// The cause, as the verdict would name it.
    pub sentence: String,
    /// Whether it is tried once more, since nobody's fault is known.
    pub again: bool,
}

/// How a run ended that has no results.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ending {
    /// A newer request of the pull request took its place before it had started.
    Superseded(RunLink),
    /// Somebody cancelled it.
    Cancelled {
        /// Who, where it is known.
        by: Option<String>,
        /// In which stage; `None`: it had not started.
        during: Option<Stage>,
    },
    /// It could not be run, through no fault of the recipe that is known.
    NotRun {
        /// Why.
        why: String,
        /// Whether it is tried once more by itself.
        again: bool,
    },
}

pub(super) fn queued(subject: &Subject, place: u32, starts_in_ms: Option<u64>, waits: &Waits) -> String {
    let when = starts_in_ms.filter(|_| waits.end_is_known());
    let when = when.map_or_else(String::new, |ms| format!(", starts {}", about(ms)));
    let why = match waits {
        Waits::Nothing => "It starts with the next look at the queue.".to_owned(),
        Waits::Behind(it) => format!("Behind {} ({}).", run(&it.run), ahead(it)),
        Waits::SameRecipe(it) => {
            format!("{} is of the same recipe and has to end first ({}).", run_first(&it.run), ahead(it))
        }
        Waits::SamePort(it, port) => format!(
            "{} publishes the same port of the host, {port}, and has to end first ({}).",
            run_first(&it.run),
            ahead(it)
        ),
        Waits::NoTarget => "No test target is in order at the moment; it starts when one is.".to_owned(),
        Waits::Paused(why) if why.trim().is_empty() => "cc-ci is paused.".to_owned(),
        Waits::Paused(why) => format!("cc-ci is paused: {}.", text(why, 200)),
    };
    let recipe = text(subject.recipe.as_str(), 64);
    format!("### ○ {recipe}: waiting, number {place}{when}\n{why} {}\n", frozen(subject))
}

pub(super) fn running(
    subject: &Subject,
    stage: Stage,
    target: &TargetName,
    (elapsed_ms, usually_ms): (u64, Option<u64>),
    kept: Option<&Kept>,
    red: Option<&RedSoFar>,
) -> String {
    let usually = usually_ms.map_or_else(String::new, |ms| format!("; usually {}", duration(rounded(ms))));
    let recipe = text(subject.recipe.as_str(), 64);
    let mut said = format!("### ▸ {recipe}: running, {}\n", stage.name());
    said.push_str(&format!(
        "{} on `{target}`, {} so far{usually}. {}\n",
        run_first(&subject.run),
        duration(elapsed_ms),
        frozen(subject)
    ));
    if let Some(RedSoFar { sentence, again }) = red {
        let cause = text(sentence.trim_end_matches('.'), 300);
        let (so_far, next) = match (again, stage) {
            (true, _) => ("Red at the first try", "Nobody's fault is known, so it is tried once more."),
            (false, Stage::Teardown) => ("Red", "The app is removed; the whole answer follows."),
            (false, _) => ("Red so far", "The run goes on, to tell what else holds and what does not."),
        };
        said.push_str(&format!("\n**{so_far}**: {cause}. {next}\n"));
    }
    if let Some(kept) = kept {
        let app = link("The app", &kept.url);
        let left = duration(kept.left_ms);
        said.push_str(&format!(
            "\n{app} stays up for {left} more. Its credentials are on the run's page, after login.\n"
        ));
    }
    said
}

/// What is tested, and that nothing changes it.
fn frozen(subject: &Subject) -> String {
    let head = subject.head.short();
    let mut said = match &subject.moved_to {
        None => format!("Head `{head}`; a new push will not change what is tested."),
        Some(now) => format!(
            "Head `{head}`, as it was asked for; `{}` was pushed since and is not tested by this run.",
            now.short()
        ),
    };
    if subject.vouched {
        said.push_str(" The request vouches for this commit only.");
    }
    let options = code(&subject.options.to_string(), 200);
    if !options.is_empty() {
        said.push_str(&format!(" Asked with {options}."));
    }
    said
}

pub(super) fn ended(subject: &Subject, ending: &Ending) -> String {
    let recipe = text(subject.recipe.as_str(), 64);
    let (this, head) = (run_first(&subject.run), subject.head.short());
    match ending {
        Ending::Superseded(newer) => format!(
            "### – {recipe}: superseded\nA newer request, {}, took the place of this one before it had started. {this} tested nothing; its head was `{head}`.\n",
            run(newer)
        ),
        Ending::Cancelled { by, during } => {
            let by = by.as_ref().map_or_else(String::new, |by| format!(" by {}", code(by, 100)));
            let when = during.map_or("before it had started".to_owned(), |stage| format!("during {}", stage.name()));
            format!(
                "### ! {recipe}: not judged, cancelled\n{this} was cancelled{by} {when}; its head was `{head}`. `!testme retry` tests it again.\n"
            )
        }
        Ending::NotRun { why, again } => {
            let next = if *again { "It is tried once more by itself." } else { "`!testme retry` tries it again." };
            format!(
                "### ! {recipe}: not judged\n{this} could not be done: {}. Nothing is said about the recipe; its head was `{head}`. {next}\n",
                text(why.trim_end_matches('.'), 300)
            )
        }
    }
}

pub(super) fn merged(into: &RunLink, head: &CommitSha) -> String {
    format!(
        "The same was asked for before: {} tests `{}` with the same options, and its answer counts for this request, too.\n",
        run(into),
        head.short()
    )
}
