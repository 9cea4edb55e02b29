//! The log folded around the cause: sources are headings, repeated lines and repeated lives of a container are counted,
//! the deciding lines are lit. Bounded: what is left out is said, and `log.jsonl` has all.
//!
//! A line's number is its place in `log.jsonl`, from 1.

use std::collections::{BTreeSet, HashSet};

use jiff::Timestamp;

use super::body::{Excerpt, Limits, short};
use super::clean;
use crate::domain::finding::Finding;
use crate::domain::log::{Record, Source};
use crate::domain::results::count;

/// The log, ready to be written.
pub(super) struct Log {
    pub(super) sources: Vec<Heading>,
    pub(super) sources_left_out: usize,
    /// The number of the first deciding line.
    pub(super) first_hit: Option<usize>,
    /// Lines in the whole log.
    pub(super) lines: usize,
}

impl Log {
    /// `118 lines`.
    pub(super) fn lines_said(&self) -> String {
        many(self.lines)
    }

    /// `2 more sources are`.
    pub(super) fn left_out_said(&self) -> String {
        count(self.sources_left_out, "more source is", "more sources are")
    }
}

/// One source.
pub(super) struct Heading {
    pub(super) name: String,
    pub(super) lines: usize,
    pub(super) hits: usize,
    pub(super) chunks: Vec<Chunk>,
}

impl Heading {
    /// `118 lines`.
    pub(super) fn lines_said(&self) -> String {
        many(self.lines)
    }

    /// `2 deciding lines`.
    pub(super) fn hits_said(&self) -> String {
        count(self.hits, "deciding line", "deciding lines")
    }
}

/// Rows that are open or folded together.
pub(super) struct Chunk {
    pub(super) folded: bool,
    pub(super) rows: Vec<Row>,
}

impl Chunk {
    /// `20 rows`.
    pub(super) fn said(&self) -> String {
        count(self.rows.len(), "row", "rows")
    }
}

/// One row of the page.
pub(super) struct Row {
    /// The line's number; `None`: a remark of the report.
    pub(super) number: Option<usize>,
    /// Lines that this row stands for as well, so that links to them lead here.
    pub(super) also: Vec<usize>,
    /// Seconds since the run began.
    pub(super) at: String,
    pub(super) text: String,
    pub(super) hit: bool,
}

impl Row {
    fn remark(text: String, also: Vec<usize>) -> Self {
        Self { number: None, also, at: String::new(), text, hit: false }
    }

    /// How often the line stands there in a row.
    pub(super) fn times(&self) -> usize {
        if self.number.is_some() { self.also.len() + 1 } else { 1 }
    }
}

/// A line with what is needed to show it.
struct Line<'a> {
    number: usize,
    record: &'a Record,
    text: String,
    hit: bool,
}

/// Folds a log around the finding that decides.
pub(super) fn fold(log: &Excerpt, cause: Option<&Finding>, started: Timestamp, limits: Limits) -> Log {
    let deciding = Deciding::of(cause);
    let mut groups: Vec<(String, Vec<Line<'_>>)> = Vec::new();
    for (number, record) in &log.lines {
        let name = heading(&record.source);
        let text = clean::line(&record.text);
        let hit = deciding.lights(&record.source, &text);
        let text = if text.len() > limits.log_line { short(&text, limits.log_line) } else { text };
        let line = Line { number: *number, record, hit, text };
        match groups.iter_mut().find(|(known, _)| *known == name) {
            Some((_, lines)) => lines.push(line),
            None => groups.push((name, vec![line])),
        }
    }
    let first_hit = groups.iter().flat_map(|(_, lines)| lines).filter(|line| line.hit).map(|line| line.number).min();
    let all = groups.len();
    let budget = limits.log_characters / all.clamp(1, limits.log_sources);
    let shown = groups
        .into_iter()
        .enumerate()
        .filter(|(at, (_, lines))| *at < limits.log_sources || lines.iter().any(|l| l.hit));
    let mut sources: Vec<_> = shown.map(|(_, (name, lines))| source(name, &lines, budget, limits, started)).collect();
    // The cause first: the app's own deciding lines before what cc-ci says of them.
    sources.sort_by_key(|source| (source.hits == 0, source.hits > 0 && source.name == Source::Gate.to_string()));
    Log { sources_left_out: all - sources.len(), sources, first_hit, lines: log.all }
}

/// The heading under which a line stands: all containers of a task are one.
fn heading(source: &Source) -> String {
    match source {
        Source::Gate | Source::Step(_) => clean::line(&source.to_string()),
        Source::Service { task, .. } => clean::line(task),
    }
}

/// Which lines decide: those that the finding gives as evidence, and where cc-ci itself says its sentence.
struct Deciding {
    lines: HashSet<String>,
    service: Option<String>,
    sentence: Option<String>,
}

impl Deciding {
    fn of(cause: Option<&Finding>) -> Self {
        let evidence = cause.iter().flat_map(|finding| &finding.evidence).flat_map(|evidence| evidence.text.lines());
        let lines = evidence.map(|line| clean::line(line).trim().to_owned()).filter(|line| line.chars().count() >= 4);
        Self {
            lines: lines.collect(),
            service: cause.and_then(|finding| finding.service.clone()),
            sentence: cause.map(|finding| clean::line(&finding.sentence)).filter(|sentence| !sentence.is_empty()),
        }
    }

    fn lights(&self, source: &Source, text: &str) -> bool {
        match source {
            Source::Gate => self.sentence.as_ref().is_some_and(|sentence| text.contains(sentence)),
            Source::Step(_) => self.lines.contains(text.trim()),
            Source::Service { task, .. } => {
                let of_task = task.rsplit_once('.').map_or(task.as_str(), |(service, _)| service);
                let asked = self.service.as_ref().is_none_or(|service| service == of_task);
                asked && self.lines.contains(text.trim())
            }
        }
    }
}

fn source(name: String, lines: &[Line<'_>], budget: usize, limits: Limits, started: Timestamp) -> Heading {
    let kept = kept(lines, budget, limits);
    let hits = lines.iter().filter(|line| line.hit).count();
    let rows = rows(lines, &kept, started);
    Heading { name, lines: lines.len(), hits, chunks: chunks(rows, hits > 0, limits.around) }
}

/// Places of the lines that are shown: the last ones, and those around the deciding ones.
fn kept(lines: &[Line<'_>], budget: usize, limits: Limits) -> BTreeSet<usize> {
    let mut left = budget;
    let last = lines.iter().enumerate().rev().take(limits.log_lines).take_while(|(_, line)| {
        let fits = line.text.len() <= left;
        left = left.saturating_sub(line.text.len());
        fits
    });
    let mut kept: BTreeSet<_> = last.map(|(at, _)| at).collect();
    let hits: Vec<_> = lines.iter().enumerate().filter(|(_, line)| line.hit).map(|(at, _)| at).collect();
    for at in hits.iter().take(limits.deciding).chain(hits.iter().rev().take(limits.deciding)) {
        kept.extend(at.saturating_sub(limits.around)..=(at + limits.around).min(lines.len() - 1));
    }
    kept
}

/// Rows of a source: remarks where lines are left out and where another container begins; a container whose lines are
/// those of the one before, but for numbers, is only counted.
fn rows(lines: &[Line<'_>], kept: &BTreeSet<usize>, started: Timestamp) -> Vec<Row> {
    let mut rows = Vec::new();
    let mut next = 0;
    let mut before: Option<Vec<String>> = None;
    let lives = lives(lines);
    for (nth, life) in lives.iter().enumerate() {
        let range = life.clone();
        let shape: Vec<_> = lines[range.clone()].iter().map(|line| shape(&line.text)).collect();
        let whole = range.clone().all(|at| kept.contains(&at));
        if whole && next == range.start && before.as_ref() == Some(&shape) {
            same_again(&mut rows, lines, range.clone());
            next = range.end;
            continue;
        }
        for at in range.filter(|at| kept.contains(at)) {
            if at > next {
                rows.push(Row::remark(left_out(at - next), Vec::new()));
            }
            if at == life.start && nth > 0 {
                rows.push(Row::remark(container(&lines[at].record.source), Vec::new()));
            }
            line(&mut rows, &lines[at], started);
            next = at + 1;
        }
        before = whole.then_some(shape);
    }
    if next < lines.len() {
        rows.push(Row::remark(left_out(lines.len() - next), Vec::new()));
    }
    rows
}

/// Ranges of lines of one container each; a step or cc-ci itself has one life.
fn lives(lines: &[Line<'_>]) -> Vec<std::ops::Range<usize>> {
    let mut lives: Vec<std::ops::Range<usize>> = Vec::new();
    for (at, line) in lines.iter().enumerate() {
        match lives.last_mut() {
            Some(life) if lines[life.start].record.source == line.record.source => life.end = at + 1,
            Some(_) | None => lives.push(at..at + 1),
        }
    }
    lives
}

/// A line without what differs from one life to the next: times, process ids, addresses.
fn shape(text: &str) -> String {
    text.chars().map(|c| if c.is_ascii_digit() { '0' } else { c }).collect()
}

fn same_again(rows: &mut Vec<Row>, lines: &[Line<'_>], life: std::ops::Range<usize>) {
    let numbers = lines[life.clone()].iter().map(|line| line.number);
    let text =
        format!("{}: the same, but for numbers: {}", container(&lines[life.start].record.source), many(life.len()));
    rows.push(Row::remark(text, numbers.collect()));
}

fn container(source: &Source) -> String {
    match source {
        Source::Service { container, .. } => format!("container {}", clean::line(container)),
        Source::Gate | Source::Step(_) => "again".to_owned(),
    }
}

fn line(rows: &mut Vec<Row>, line: &Line<'_>, started: Timestamp) {
    match rows.last_mut() {
        Some(row) if row.number.is_some() && row.text == line.text => {
            row.also.push(line.number);
        }
        Some(_) | None => rows.push(Row {
            number: Some(line.number),
            also: Vec::new(),
            at: seconds(line.record.at, started),
            text: line.text.clone(),
            hit: line.hit,
        }),
    }
}

/// Seconds since the run began, with tenths; nothing for a line that an app dates before it.
fn seconds(at: Timestamp, started: Timestamp) -> String {
    let ms = u64::try_from(at.duration_since(started).as_millis());
    ms.map_or_else(|_| String::new(), |ms| format!("{}.{} s", ms / 1000, ms % 1000 / 100))
}

fn many(lines: usize) -> String {
    count(lines, "line", "lines")
}

fn left_out(lines: usize) -> String {
    format!("{} left out here", many(lines))
}

/// Folds what is far from every deciding row; a source without one is one open chunk.
fn chunks(rows: Vec<Row>, has_hits: bool, around: usize) -> Vec<Chunk> {
    let hits: Vec<_> = rows.iter().enumerate().filter(|(_, row)| row.hit).map(|(at, _)| at).collect();
    let near = |at: usize| !has_hits || hits.iter().any(|hit| hit.abs_diff(at) <= around);
    let mut chunks: Vec<Chunk> = Vec::new();
    for (at, row) in rows.into_iter().enumerate() {
        let folded = !near(at);
        match chunks.last_mut() {
            Some(chunk) if chunk.folded == folded => chunk.rows.push(row),
            Some(_) | None => chunks.push(Chunk { folded, rows: vec![row] }),
        }
    }
    for chunk in &mut chunks {
        chunk.folded &= chunk.rows.len() > 4;
    }
    chunks
}

#[cfg(test)]
mod tests;
