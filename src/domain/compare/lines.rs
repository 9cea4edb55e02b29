//! The difference of two logs, source by source: lines that one run has and the other has not, by what they say and not by when or
//! of which container. Bounded in time, memory and length; what is left out is counted.

use std::collections::{BTreeMap, HashMap};

use serde::Serialize;

use super::normal::OwnNames;
use super::{Of, Pair};
use crate::domain::log::{Record, Source};
use crate::domain::results::Results;

/// Sources that are told; a recipe has fewer.
const SOURCES: usize = 60;
/// Lines of one source that are told, of each run.
const LINES: usize = 100;
/// Characters of one line.
const LONGEST: usize = 400;
/// Cells of the table in which two sources are aligned: a thousand lines against a thousand. What is larger is compared without its order.
const CELLS: usize = 1 << 20;

/// A log, or what was read of it.
#[derive(Debug, Clone, Copy)]
pub struct Log<'a> {
    /// Lines with their numbers in `log.jsonl`, from 1.
    pub lines: &'a [(usize, Record)],
    /// Lines in the whole log.
    pub all: usize,
}

/// Where two logs differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct LogDifference {
    /// Sources that say something else: first the service that the cause is about, then the other services, steps, and `cc-ci` itself.
    pub sources: Vec<SourceDifference>,
    /// Sources that say the same.
    pub same: Vec<String>,
    /// Sources that differ and are not told.
    pub sources_left_out: usize,
    /// Whether each log was read whole: of a large one its beginning and its end are compared.
    pub whole: Pair<bool>,
}

/// One source: `app.1`, `step/deploy`, `cc-ci`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SourceDifference {
    /// Its name; all containers of a task are one source.
    pub source: String,
    /// Lines of each run.
    pub lines: Pair<usize>,
    /// Lines that only one of the runs has, in their order.
    pub only: Vec<OnlyLine>,
    /// Such lines that are not told.
    pub left_out: usize,
    /// Whether the order of lines counted; `false` where there are too many.
    pub in_order: bool,
}

/// A line that only one run has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct OnlyLine {
    /// Which run.
    pub of: Of,
    /// Its number in that run's `log.jsonl`, from 1.
    pub number: usize,
    /// The line, without escape sequences; untrusted.
    pub text: String,
    /// How often it stands there beyond what the other run has.
    pub times: usize,
}

/// A line of one source: its number, its text, and the number of what it says.
struct Line<'a> {
    number: usize,
    record: &'a Record,
    says: u32,
}

/// Numbers what lines say, so that equal ones are equal numbers.
#[derive(Default)]
struct Said(HashMap<String, u32>);

impl Said {
    fn number(&mut self, normal: String) -> u32 {
        let next = u32::try_from(self.0.len()).unwrap_or(u32::MAX);
        *self.0.entry(normal).or_insert(next)
    }
}

/// Where the logs of two runs differ; `service`: the one that the cause is about.
pub(super) fn difference(results: Pair<&Results>, logs: Pair<Log<'_>>, service: Option<&str>) -> LogDifference {
    let mut said = Said::default();
    let mut groups: BTreeMap<(u8, String), Pair<Vec<Line<'_>>>> = BTreeMap::new();
    for of in [Of::This, Of::Other] {
        let names = OwnNames::of(results.of(of));
        for (number, record) in logs.of(of).lines {
            let says = said.number(names.normal(&plain(&record.text)));
            let line = Line { number: *number, record, says };
            groups.entry(place(&record.source, service)).or_default().of_mut(of).push(line);
        }
    }
    let whole = Pair { this: logs.this.lines.len() >= logs.this.all, other: logs.other.lines.len() >= logs.other.all };
    let mut difference = LogDifference { sources: Vec::new(), same: Vec::new(), sources_left_out: 0, whole };
    for ((_, source), lines) in groups {
        let Some(found) = source_difference(&source, &lines) else {
            difference.same.push(source);
            continue;
        };
        if difference.sources.len() < SOURCES {
            difference.sources.push(found);
        } else {
            difference.sources_left_out += 1;
        }
    }
    difference.same.truncate(SOURCES);
    difference
}

/// Where a source comes, and its name.
fn place(source: &Source, service: Option<&str>) -> (u8, String) {
    match source {
        Source::Service { task, .. } => {
            let of_task = task.rsplit_once('.').map_or(task.as_str(), |(service, _)| service);
            (u8::from(service != Some(of_task)), task.clone())
        }
        Source::Step(_) => (2, source.to_string()),
        Source::Gate => (3, source.to_string()),
    }
}

/// A line as it is read: without escape sequences, and without what it overwrites itself.
fn plain(text: &str) -> String {
    let last = text.trim_end_matches(['\r', '\n']).rsplit('\r').next().unwrap_or_default();
    strip_ansi_escapes::strip_str(last)
}

fn source_difference(source: &str, lines: &Pair<Vec<Line<'_>>>) -> Option<SourceDifference> {
    let says = |lines: &[Line<'_>]| lines.iter().map(|line| line.says).collect::<Vec<_>>();
    let (steps, in_order) = steps(&says(&lines.this), &says(&lines.other));
    if steps.is_empty() {
        return None;
    }
    // The same line once more is counted where it stands first: a service that exits three times says the same three times.
    let mut known: HashMap<(Of, u32), usize> = HashMap::new();
    let (mut only, mut told, mut left_out): (Vec<OnlyLine>, Pair<usize>, usize) = (Vec::new(), Pair::default(), 0);
    for (of, at) in steps {
        let line = &lines.of(of)[at];
        if let Some(place) = known.get(&(of, line.says)) {
            only[*place].times += 1;
        } else if *told.of(of) < LINES {
            *told.of_mut(of) += 1;
            known.insert((of, line.says), only.len());
            let text = plain(&line.record.text).chars().take(LONGEST).collect();
            only.push(OnlyLine { of, number: line.number, text, times: 1 });
        } else {
            left_out += 1;
        }
    }
    let lines = Pair { this: lines.this.len(), other: lines.other.len() };
    Some(SourceDifference { source: source.to_owned(), lines, only, left_out, in_order })
}

/// The places of what only one side has, in their order, and whether the order of the two sides counted.
fn steps(this: &[u32], other: &[u32]) -> (Vec<(Of, usize)>, bool) {
    let before = this.iter().zip(other).take_while(|(a, b)| a == b).count();
    let (rest_this, rest_other) = (&this[before..], &other[before..]);
    let behind = rest_this.iter().rev().zip(rest_other.iter().rev()).take_while(|(a, b)| a == b).count();
    let (this, other) = (&rest_this[..rest_this.len() - behind], &rest_other[..rest_other.len() - behind]);
    let in_order = this.len().saturating_mul(other.len()) <= CELLS;
    let mut steps = if in_order { aligned(this, other) } else { counted(this, other) };
    steps.iter_mut().for_each(|(_, at)| *at += before);
    (steps, in_order)
}

/// By the longest sequence that both have. The table holds its length for each pair of ends.
fn aligned(this: &[u32], other: &[u32]) -> Vec<(Of, usize)> {
    let width = other.len() + 1;
    // The shorter side has at most as many lines as the square root of the cells.
    let mut longest = vec![0_u16; (this.len() + 1) * width];
    for at in (0..this.len()).rev() {
        for beside in (0..other.len()).rev() {
            longest[at * width + beside] = if this[at] == other[beside] {
                longest[(at + 1) * width + beside + 1] + 1
            } else {
                longest[(at + 1) * width + beside].max(longest[at * width + beside + 1])
            };
        }
    }
    let (mut at, mut beside, mut steps) = (0, 0, Vec::new());
    while at < this.len() || beside < other.len() {
        let both = at < this.len() && beside < other.len();
        if both && this[at] == other[beside] {
            (at, beside) = (at + 1, beside + 1);
        } else if at == this.len() || (both && longest[at * width + beside + 1] >= longest[(at + 1) * width + beside]) {
            steps.push((Of::Other, beside));
            beside += 1;
        } else {
            steps.push((Of::This, at));
            at += 1;
        }
    }
    steps
}

/// By how often each line stands there.
fn counted(this: &[u32], other: &[u32]) -> Vec<(Of, usize)> {
    let beyond = |of: Of, lines: &[u32], others: &[u32]| {
        let mut left: HashMap<u32, usize> = HashMap::new();
        others.iter().for_each(|line| *left.entry(*line).or_default() += 1);
        let mut is_beyond = |line: &u32| match left.get_mut(line) {
            Some(n) if *n > 0 => {
                *n -= 1;
                false
            }
            Some(_) | None => true,
        };
        let found = lines.iter().enumerate().filter(|(_, line)| is_beyond(line)).map(|(at, _)| (of, at));
        found.collect::<Vec<_>>()
    };
    let mut steps = beyond(Of::Other, other, this);
    steps.extend(beyond(Of::This, this, other));
    steps
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::results::{conclude, samples};

    fn log(lines: &[(&str, &str)]) -> Vec<(usize, Record)> {
        let record = |(source, text): &(&str, &str)| Record {
            at: samples::at(0),
            source: Source::try_from((*source).to_owned()).unwrap(),
            position: None,
            text: (*text).to_owned(),
        };
        (1..).zip(lines.iter().map(record)).collect()
    }

    fn compared(this: &[(usize, Record)], other: &[(usize, Record)]) -> LogDifference {
        let results = conclude(samples::crash_loop());
        let of = |lines| Log { lines, all: 4_000 };
        let logs = Pair { this: of(this), other: of(other) };
        difference(Pair { this: &results, other: &results }, logs, Some("db"))
    }

    fn told(difference: &LogDifference) -> Vec<String> {
        let line = |source: &str, line: &OnlyLine| {
            let sign = match line.of {
                Of::This => '+',
                Of::Other => '-',
            };
            format!("{source} {sign}{} {} x{}", line.number, line.text, line.times)
        };
        let of = |source: &SourceDifference| source.only.iter().map(|it| line(&source.source, it)).collect::<Vec<_>>();
        difference.sources.iter().flat_map(of).collect()
    }

    #[test]
    fn lines_of_one_run_alone_are_told_by_source_the_cause_first() {
        let green = log(&[
            ("cc-ci", "prepare: clean"),
            ("step/deploy", "Creating service a"),
            ("app.1@4f0c2d11a9b3", "GET / 200 in 2 ms"),
            ("db.1@4f0c2d11a9b3", "2026-11-24 09:18:28 starting"),
            ("db.1@4f0c2d11a9b3", "ready"),
            ("cc-ci", "install: converged after 12 s"),
        ]);
        let red = log(&[
            ("cc-ci", "prepare: clean"),
            ("step/deploy", "Creating service a"),
            ("db.1@90b1c2d3e4f5", "2026-11-25 10:00:00 starting"),
            ("db.1@90b1c2d3e4f5", "\u{1b}[31mFATAL:  incompatible\u{1b}[0m"),
            ("db.1@a1b2c3d4e5f6", "2026-11-25 10:00:06 starting"),
            ("db.1@a1b2c3d4e5f6", "FATAL:  incompatible"),
            ("app.1@90b1c2d3e4f5", "GET / 502 in 9 ms"),
            ("cc-ci", "crash_loop: db exits"),
        ]);
        let found = compared(&red, &green);
        assert_eq!(
            told(&found),
            [
                "db.1 -5 ready x1",
                "db.1 +4 FATAL:  incompatible x2",
                "db.1 +5 2026-11-25 10:00:06 starting x1",
                "app.1 -3 GET / 200 in 2 ms x1",
                "app.1 +7 GET / 502 in 9 ms x1",
                "cc-ci -6 install: converged after 12 s x1",
                "cc-ci +8 crash_loop: db exits x1",
            ]
        );
        assert_eq!((found.same, found.whole.this), (vec!["step/deploy".to_owned()], false));
    }

    #[test]
    fn a_flood_is_bounded_and_what_is_left_out_is_counted() {
        let many = |from: usize| (from..from + 3_000).map(|n| format!("number-{n}")).collect::<Vec<_>>();
        let lines =
            |texts: &[String]| log(&texts.iter().map(|text| ("app.1@4f0c2d11a9b3", text.as_str())).collect::<Vec<_>>());
        let found = compared(&lines(&many(0)), &lines(&many(2_000)));
        let source = &found.sources[0];
        assert!(!source.in_order);
        assert_eq!((source.only.len(), source.left_out), (2 * LINES, 2 * (2_000 - LINES)));
    }

    proptest! {
        /// What both sides keep when the steps are taken out is the same.
        #[test]
        fn without_the_steps_both_sides_are_the_same(
            this in prop::collection::vec(0_u32..5, 0..30), other in prop::collection::vec(0_u32..5, 0..30),
        ) {
            let kept = |lines: &[u32], steps: &[(Of, usize)], of: Of| {
                let left = |at: &usize| !steps.contains(&(of, *at));
                (0..lines.len()).filter(left).map(|at| lines[at]).collect::<Vec<_>>()
            };
            let (steps, _) = steps(&this, &other);
            prop_assert_eq!(kept(&this, &steps, Of::This), kept(&other, &steps, Of::Other));
            let steps = counted(&this, &other);
            let (mut a, mut b) = (kept(&this, &steps, Of::This), kept(&other, &steps, Of::Other));
            a.sort_unstable();
            b.sort_unstable();
            prop_assert_eq!(a, b);
        }
    }
}
