//! The pages' contents: view structs beside their templates.

use askama::Template;
use jiff::{SignedDuration, Timestamp};

use crate::adapters::store::Shown;
use crate::domain::log::read;
use crate::domain::results::{duration, ms_between, one_line};
use crate::engine::service::{Heard, Watched};

/// The style of all pages.
pub(super) const STYLE: &str = include_str!("../../templates/pages.css");
/// A forge that was not heard for longer than this may not be shown as alive.
const STALE: SignedDuration = SignedDuration::from_mins(2);
/// Lines of a running run's log that its page shows.
const TAIL: usize = 200;

/// What runs, what waits, what came of the last ones.
#[derive(Template)]
#[template(path = "now.html")]
pub(super) struct Now {
    running: Vec<Row>,
    waiting: Vec<Row>,
    latest: Vec<Row>,
    alive: String,
    /// The forge was not heard, or not lately: the dot in the header is not green.
    stale: bool,
    trouble: Option<String>,
    organisation: String,
}

impl Now {
    pub(super) fn new(open: Vec<Shown>, latest: Vec<Shown>, heard: &Heard, watched: &Watched) -> Self {
        let (running, waiting): (Vec<Row>, Vec<Row>) =
            open.into_iter().map(Row::from).partition(|row| row.run.state == "running");
        let alive = match heard.polled_at {
            Some(at) => format!("polled {} ago", since(at)),
            None => "not polled yet".to_owned(),
        };
        Self {
            running,
            waiting,
            latest: latest.into_iter().map(Row::from).collect(),
            alive,
            stale: heard.trouble.is_some()
                || heard.polled_at.is_none_or(|at| Timestamp::now().duration_since(at) > STALE),
            trouble: heard.trouble.clone(),
            organisation: watched.organisation.to_string(),
        }
    }

    pub(super) fn html(&self) -> String {
        rendered(self.render())
    }
}

/// A run that has no report yet.
#[derive(Template)]
#[template(path = "wait.html")]
pub(super) struct Wait {
    row: Row,
    lines: Vec<(String, String)>,
}

impl Wait {
    pub(super) fn new(run: Shown, log: &[u8]) -> Self {
        let (records, _) = read(log);
        let skip = records.len().saturating_sub(TAIL);
        let plain = |text: &str| one_line(&strip_ansi_escapes::strip_str(text), 400);
        Self {
            row: Row::from(run),
            lines: records
                .into_iter()
                .skip(skip)
                .map(|record| (record.source.to_string(), plain(&record.text)))
                .collect(),
        }
    }

    pub(super) fn html(&self) -> String {
        rendered(self.render())
    }
}

/// Something that is not there, with ways out.
#[derive(Template)]
#[template(path = "error.html")]
pub(super) struct Error {
    pub(super) what: &'static str,
    pub(super) code: u16,
}

impl Error {
    pub(super) fn html(&self) -> String {
        rendered(self.render())
    }
}

fn rendered(page: askama::Result<String>) -> String {
    page.unwrap_or_else(|error| {
        tracing::error!(%error, "a template failed");
        "This page could not be made.".to_owned()
    })
}

/// A run in a table.
struct Row {
    run: Shown,
    class: &'static str,
    word: &'static str,
    glyph: &'static str,
    level_class: &'static str,
    took: String,
}

impl From<Shown> for Row {
    fn from(run: Shown) -> Self {
        let (class, glyph, word) = match run.verdict.as_deref() {
            Some("green") => ("pass", "✓", "green"),
            Some("red") => ("fail", "✕", "red"),
            Some(_) => ("infra", "!", "not judged"),
            None if run.state == "running" => ("run", "▸", "running"),
            None => ("none", "○", "waiting"),
        };
        let from = run.started_at.unwrap_or(run.queued_at);
        let to = run.finished_at.unwrap_or_else(Timestamp::now);
        let took = duration(ms_between(from, to));
        let level_class = match class {
            "pass" => "",
            "fail" => "l",
            _ => "m",
        };
        Self { run, class, word, glyph, level_class, took }
    }
}

fn since(at: Timestamp) -> String {
    duration(ms_between(at, Timestamp::now()))
}
