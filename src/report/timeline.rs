//! Where the time went, as a picture: one row per phase on one axis, Docker's time apart from the app's and ours.

use std::collections::BTreeMap;

use askama::Template;
use jiff::Timestamp;

use super::{clean, words};
use crate::domain::results::{By, Mark, Results, Timing, duration};
use crate::domain::timings::covered;
use crate::domain::verdict::deciding;

/// Where the axis begins and how long it is, in units of the picture.
const LEFT: u64 = 130;
const WIDTH: u64 = 790;
/// Height of a row, and where the first one begins.
const ROW: u64 = 24;
const TOP: u64 = 24;
/// More marks than this per row that may be drawn are not drawn.
const MARKS: usize = 5;

/// What is drawn: of a run that has ended, or of one that goes on.
#[derive(Debug, Clone, Copy)]
pub struct Times<'a> {
    /// Where the axis begins.
    pub started: Timestamp,
    /// Where it ends.
    pub finished: Timestamp,
    /// The phases.
    pub timings: &'a [Timing],
    /// Instants worth a mark.
    pub marks: &'a [Mark],
    /// When the deciding finding was told.
    pub decided: Option<Timestamp>,
}

impl<'a> Times<'a> {
    pub(super) fn of(results: &'a Results) -> Self {
        Self {
            started: results.started,
            finished: results.finished,
            timings: &results.timings,
            marks: &results.marks,
            decided: deciding(&results.findings).map(|finding| finding.at),
        }
    }
}

#[derive(Template)]
#[template(path = "timeline.html", whitespace = "minimize")]
struct Drawn<'a> {
    picture: &'a Timeline,
    results: &'a str,
}

/// The picture as HTML; `results` is the link to `results.json`.
pub(super) fn drawn(picture: &Timeline, results: &str) -> Result<String, askama::Error> {
    Drawn { picture, results }.render()
}

/// The picture of a run that goes on; empty when nothing was timed yet.
///
/// # Errors
/// When the template cannot be rendered, which would be a mistake in it.
pub fn picture(times: &Times<'_>, rows: usize, results: &str) -> Result<String, askama::Error> {
    timeline(times, rows).map_or_else(|| Ok(String::new()), |picture| drawn(&picture, results))
}

/// The picture, ready to be written.
pub(super) struct Timeline {
    pub(super) height: u64,
    pub(super) ticks: Vec<Tick>,
    pub(super) rows: Vec<Row>,
    /// `Docker 6.7 s`, with the class of its bars.
    pub(super) shares: Vec<Share>,
    /// What the marks mean, in words: the same that the picture shows.
    pub(super) marked: Vec<String>,
    /// The picture in one sentence.
    pub(super) label: String,
    pub(super) rows_left_out: usize,
}

pub(super) struct Tick {
    pub(super) x: u64,
    pub(super) label: String,
}

pub(super) struct Row {
    pub(super) name: String,
    pub(super) y: u64,
    pub(super) bars: Vec<Bar>,
    /// Where things happened.
    pub(super) marks: Vec<u64>,
    /// Where the deciding finding was told.
    pub(super) decided: Option<u64>,
    pub(super) end: u64,
    pub(super) length: String,
}

impl Row {
    /// Room for the sign of the decision, where it stands at the row's end.
    pub(super) const fn shift(&self) -> u64 {
        if self.decided.is_some() { 14 } else { 0 }
    }
}

pub(super) struct Bar {
    pub(super) x: u64,
    pub(super) width: u64,
    pub(super) class: &'static str,
}

pub(super) struct Share {
    pub(super) class: &'static str,
    pub(super) who: &'static str,
    pub(super) length: String,
}

/// One phase before it is drawn: begin and end of its parts in milliseconds, and whose they were.
struct Phase {
    name: String,
    parts: Vec<(u64, u64, By)>,
}

impl Phase {
    fn holds(&self, ms: u64) -> bool {
        self.parts.iter().any(|(begin, end, _)| (*begin..=*end).contains(&ms))
    }

    fn length(&self) -> u64 {
        covered(self.parts.iter().map(|(begin, end, _)| (*begin, *end)).collect())
    }
}

/// The picture of a run; `None` when nothing was timed.
pub(super) fn timeline(times: &Times<'_>, most_rows: usize) -> Option<Timeline> {
    let since = |at: Timestamp| u64::try_from(at.duration_since(times.started).as_millis()).unwrap_or(0);
    let mut phases = phases(times, since);
    let last = phases.iter().flat_map(|phase| &phase.parts).map(|(_, end, _)| *end).max()?;
    let total = last.max(since(times.finished)).max(1);
    let x = |ms: u64| LEFT + ms.min(total).saturating_mul(WIDTH) / total;
    let rows_left_out = phases.len().saturating_sub(most_rows);
    let shares = shares(&phases);
    phases.truncate(most_rows);

    let marks: Vec<u64> = times.marks.iter().take(MARKS * most_rows).map(|mark| since(mark.at)).collect();
    let decided = times.decided.map(since);
    let decided_in = decided.and_then(|at| phases.iter().position(|phase| phase.holds(at)));
    let mut unplaced = marks;
    let mut y = TOP;
    let mut rows = Vec::new();
    for (index, phase) in phases.iter().enumerate() {
        let (here, rest) = unplaced.into_iter().partition(|at| phase.holds(*at));
        unplaced = rest;
        let here: Vec<u64> = here;
        rows.push(Row {
            name: shortened(&phase.name),
            y,
            bars: phase.parts.iter().map(|(begin, end, by)| bar(x(*begin), x(*end), *by)).collect(),
            marks: here.into_iter().map(x).collect(),
            decided: decided.filter(|_| decided_in == Some(index)).map(x),
            end: phase.parts.iter().map(|(_, end, _)| x(*end)).max().unwrap_or(LEFT),
            length: duration(phase.length()),
        });
        y += ROW;
    }
    let said: Vec<_> = rows.iter().map(|row| format!("{} {}", row.name, row.length)).collect();
    Some(Timeline {
        height: y + 4,
        ticks: ticks(total).into_iter().map(|(ms, label)| Tick { x: x(ms), label }).collect(),
        label: format!("Timeline over {}: {}", duration(total), said.join(", ")),
        rows,
        shares,
        marked: marked(times, since, MARKS * most_rows),
        rows_left_out,
    })
}

/// Phases in the order in which they began; the same name is one row.
fn phases(times: &Times<'_>, since: impl Fn(Timestamp) -> u64) -> Vec<Phase> {
    let mut timings: Vec<_> = times.timings.iter().collect();
    timings.sort_by_key(|timing| timing.start);
    let mut phases: Vec<Phase> = Vec::new();
    let mut known: BTreeMap<&str, usize> = BTreeMap::new();
    for timing in timings {
        let begin = since(timing.start);
        let part = (begin, begin.saturating_add(timing.ms), timing.by);
        let index = *known.entry(&timing.phase).or_insert_with(|| {
            phases.push(Phase { name: clean::line(&timing.phase), parts: Vec::new() });
            phases.len() - 1
        });
        phases[index].parts.push(part);
    }
    phases
}

fn shortened(name: &str) -> String {
    if name.chars().count() <= 17 { name.to_owned() } else { name.chars().take(16).chain(['…']).collect() }
}

fn bar(begin: u64, end: u64, by: By) -> Bar {
    Bar { x: begin, width: (end - begin).max(3), class: class(by) }
}

const fn class(by: By) -> &'static str {
    match by {
        By::CcCi => "ours",
        By::Docker => "docker",
        By::App => "app",
    }
}

/// Whose time it was. What overlaps is counted once.
fn shares(phases: &[Phase]) -> Vec<Share> {
    let of = |by| {
        let parts = phases.iter().flat_map(|phase| &phase.parts).filter(|(_, _, whose)| *whose == by);
        covered(parts.map(|(begin, end, _)| (*begin, *end)).collect())
    };
    let shares = [By::Docker, By::App, By::CcCi].map(|by| (by, of(by)));
    let shares = shares.into_iter().filter(|(_, ms)| *ms > 0);
    shares.map(|(by, ms)| Share { class: class(by), who: words::whose(by), length: duration(ms) }).collect()
}

/// Round instants for the axis, at most nine.
fn ticks(total: u64) -> Vec<(u64, String)> {
    const STEPS: [u64; 16] = [
        100, 200, 500, 1_000, 2_000, 5_000, 10_000, 20_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_200_000,
        1_800_000, 3_600_000,
    ];
    let step = STEPS.into_iter().find(|step| total / step <= 8).unwrap_or(total / 8 + 1);
    let label = |ms: u64| match ms {
        0 => "0 s".to_owned(),
        1..60_000 if step >= 1_000 => format!("{} s", ms / 1000),
        _ => duration(ms),
    };
    (0..=total / step).map(|n| (n * step, label(n * step))).collect()
}

/// `app exits with 1 at 9.1 s, 15.2 s`: equal marks together, in their order.
fn marked(times: &Times<'_>, since: impl Fn(Timestamp) -> u64, most: usize) -> Vec<String> {
    let mut groups: Vec<(String, Vec<String>)> = Vec::new();
    for mark in times.marks.iter().take(most) {
        let (what, at) = (clean::line(&mark.what), instant(since(mark.at)));
        match groups.iter_mut().find(|(known, _)| *known == what) {
            Some((_, instants)) => instants.push(at),
            None => groups.push((what, vec![at])),
        }
    }
    let mut said: Vec<_> = groups.into_iter().map(|(what, at)| format!("{what} at {}", at.join(", "))).collect();
    if let Some(at) = times.decided {
        said.push(format!("✕ decided at {}", instant(since(at))));
    }
    said
}

/// An instant on the axis: exits lie close together, so tenths count.
fn instant(ms: u64) -> String {
    if ms < 100_000 { format!("{}.{} s", ms / 1000, ms % 1000 / 100) } else { duration(ms) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{conclude, samples};

    #[test]
    fn marks_lie_in_the_row_of_their_phase() {
        let picture = timeline(&Times::of(&conclude(samples::crash_loop())), 40).unwrap();
        let row = picture.rows.iter().find(|row| row.name == "converge").unwrap();
        assert_eq!((row.marks.len(), row.decided), (3, Some(row.end)));
        assert_eq!(picture.marked, ["app exits with 1 at 9.1 s, 15.2 s, 21.3 s", "✕ decided at 21.3 s"]);
    }

    #[test]
    fn the_axis_has_few_round_instants() {
        for total in [1, 950, 19_350, 304_000, 4_000_000, u64::MAX / 1_000] {
            assert!((1..=9).contains(&ticks(total).len()), "{total}");
        }
        let labels: Vec<_> = ticks(304_000).into_iter().map(|(_, label)| label).collect();
        assert_eq!(labels, ["0 s", "1 min", "2 min", "3 min", "4 min", "5 min"]);
    }

    #[test]
    fn a_run_without_timings_has_no_picture() {
        let mut facts = samples::good();
        facts.timings.clear();
        assert!(timeline(&Times::of(&conclude(facts)), 40).is_none());
    }
}
