//! A run's log, page by page.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;
use jiff::Timestamp;
use serde::Serialize;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Row, query_value};
use super::visitor::Visitor;
use super::{Here, Site, rendered, run_number};
use crate::adapters::logread::{self, From};
use crate::adapters::store::Shown;
use crate::domain::log::{Record, Source};
use crate::domain::results::ms_between;
use crate::report::clean_line;

/// Lines of one page, and about so many bytes of the log: escaped, it must stay a light page.
const LINES: usize = 150;
const BYTES: u64 = 20 << 10;
/// Bytes of HTML that the lines of one page may take.
const HTML: usize = 34_000;
/// Characters of one line here; the file has it whole.
const LONGEST: usize = 600;

/// A line as it is read.
#[derive(Debug, Clone, Serialize)]
pub(super) struct Line {
    /// Its number, from 1.
    #[serde(skip)]
    pub(super) number: usize,
    /// Seconds since the run began.
    #[serde(rename = "t")]
    pub(super) at: String,
    #[serde(rename = "s")]
    pub(super) source: String,
    #[serde(rename = "l")]
    pub(super) text: String,
    /// The gate's own words.
    #[serde(rename = "o", skip_serializing_if = "std::ops::Not::not")]
    pub(super) own: bool,
}

impl Line {
    pub(super) fn new(number: usize, record: &Record, started: Timestamp) -> Self {
        let ms = ms_between(started, record.at);
        let source = match &record.source {
            Source::Gate | Source::Step(_) => record.source.to_string(),
            Source::Service { task, .. } => task.clone(),
        };
        let mut text = clean_line(&record.text);
        if text.chars().count() > LONGEST {
            text = text.chars().take(LONGEST).chain(['…']).collect();
        }
        Self {
            number,
            at: format!("{}.{}", ms / 1000, ms % 1000 / 100),
            source: clean_line(&source),
            text,
            own: record.source == Source::Gate,
        }
    }
}

impl Line {
    /// About how many bytes of HTML it takes.
    fn weight(&self) -> usize {
        let escaped = self.text.bytes().filter(|byte| b"<>&\"'".contains(byte)).count();
        110 + self.source.len() + self.text.len() + 4 * escaped
    }
}

#[derive(Template)]
#[template(path = "log.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    row: Row,
    shown: Shots,
    /// Where the page before begins, and the one after.
    earlier: Option<usize>,
    later: Option<usize>,
    open: bool,
}

/// Some lines, and where they are in the log.
pub(super) struct Shots {
    pub(super) lines: Vec<Line>,
    pub(super) all: usize,
    /// The byte behind them: where live updates go on.
    pub(super) next: u64,
}

impl Shots {
    pub(super) fn first(&self) -> usize {
        self.lines.first().map_or(0, |line| line.number)
    }

    pub(super) fn last(&self) -> usize {
        self.lines.last().map_or(0, |line| line.number)
    }
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let number = run_number(&site, &number).await?;
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let from = match query_value(query.as_deref(), "from").as_deref() {
        Some("end") => From::End,
        Some(line) => From::Line(line.parse().map_err(|_| Failed::NoSuch("such line"))?),
        None => From::Line(1),
    };
    let shown = read(&site, from, (LINES, BYTES), &run).await?;
    rendered(&Page {
        frame: Frame::new(&site, visitor, "runs").await?,
        earlier: (shown.first() > 1).then(|| shown.first().saturating_sub(LINES).max(1)),
        later: (shown.last() < shown.all && shown.last() > 0).then(|| shown.last() + 1),
        open: run.verdict.is_none(),
        row: Row::from(run),
        shown,
    })
}

/// Reads some lines of a log.
pub(super) async fn read(site: &Site, from: From, (most, bytes): (usize, u64), run: &Shown) -> Result<Shots, Failed> {
    let path = site.service.state().run(&run.id).log();
    let index = site.logs.of(&path);
    let started = run.started_at.unwrap_or(run.queued_at);
    let found = tokio::task::spawn_blocking(move || logread::lines(&path, &index, from, most, bytes)).await??;
    let mut lines: Vec<Line> =
        found.records.iter().enumerate().map(|(at, it)| Line::new(found.first + at, it, started)).collect();
    let mut left = HTML;
    let mut fits = |line: &&Line| {
        let fits = line.weight() <= left;
        left = left.saturating_sub(line.weight());
        fits
    };
    match from {
        From::Line(_) => {
            let kept = lines.iter().take_while(&mut fits).count();
            lines.truncate(kept.max(1));
        }
        From::End => {
            let kept = lines.iter().rev().take_while(&mut fits).count();
            lines.drain(..lines.len() - kept);
        }
    }
    Ok(Shots { lines, all: found.all, next: found.next })
}
