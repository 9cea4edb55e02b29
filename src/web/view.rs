//! Pieces that several pages show: a run as a row, an instant, a length of time.

use jiff::Timestamp;

use crate::adapters::store::Shown;
use crate::domain::results::{duration, ms_between, one_line};
use crate::domain::verdict::Verdict;
use crate::report::words;

/// An instant: UTC where there is no script, local time where there is one.
#[derive(Debug, Clone)]
pub(super) struct Instant {
    /// For machines.
    pub(super) iso: String,
    /// With its day, for whoever points at it.
    pub(super) whole: String,
    /// `14:03` today, else `Nov 23`.
    pub(super) short: String,
}

impl Instant {
    pub(super) fn new(at: Timestamp) -> Self {
        let day = |at: Timestamp| at.strftime("%Y-%m-%d").to_string();
        let today = day(at) == day(Timestamp::now());
        let short = at.strftime(if today { "%H:%M" } else { "%b %-d" });
        Self {
            iso: format!("{at:.0}"),
            whole: at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string(),
            short: short.to_string(),
        }
    }
}

/// A length of time that goes on while it is read: whole seconds.
pub(super) fn rough(ms: u64) -> String {
    if ms < 60_000 { format!("{} s", ms / 1000) } else { duration(ms / 1000 * 1000) }
}

/// How a run is shown: glyph, word and class.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct State {
    pub(super) glyph: &'static str,
    pub(super) word: &'static str,
    pub(super) class: &'static str,
}

impl State {
    pub(super) fn of(run: &Shown) -> Self {
        match run.verdict.as_deref() {
            Some(verdict) => Self::of_verdict(verdict),
            None if run.state == "running" => Self { glyph: "▸", word: "running", class: "run" },
            None => Self { glyph: "○", word: "waiting", class: "open" },
        }
    }

    /// That of a run that has ended.
    pub(super) fn of_verdict(verdict: &str) -> Self {
        let verdict = match verdict {
            "green" => Verdict::Green,
            "red" => Verdict::Red,
            _ => Verdict::NotJudged,
        };
        let shown = words::verdict(verdict);
        Self { glyph: shown.glyph, word: shown.word, class: shown.class }
    }
}

/// A run in a table.
#[derive(Debug, Clone)]
pub(super) struct Row {
    pub(super) run: Shown,
    pub(super) state: State,
    /// `PR 41`, `main`, `nightly`, `command line`.
    pub(super) of: String,
    /// How long it took, or has been running or waiting.
    pub(super) took: String,
    /// When it ended, else when it was asked for.
    pub(super) when: Instant,
}

impl From<Shown> for Row {
    fn from(run: Shown) -> Self {
        let state = State::of(&run);
        let now = Timestamp::now();
        let took = match (run.started_at, run.finished_at) {
            (Some(from), Some(to)) => duration(ms_between(from, to)),
            (Some(from), None) => rough(ms_between(from, now)),
            (None, Some(_)) => "–".to_owned(),
            (None, None) => rough(ms_between(run.queued_at, now)),
        };
        Self { state, of: of(&run), took, when: Instant::new(run.finished_at.unwrap_or(run.queued_at)), run }
    }
}

/// Characters of a sentence in a table.
const LONGEST: usize = 170;

impl Row {
    /// The verdict in one sentence, bounded; glyph and word stand beside it.
    pub(super) fn sentence(&self) -> String {
        let sentence = self.run.sentence.strip_prefix("not judged: ").unwrap_or(&self.run.sentence);
        one_line(sentence, LONGEST)
    }

    /// A level is worth a colour of its own: whole, some, or a red run's.
    pub(super) fn level_class(&self) -> &'static str {
        match (self.state.class, self.run.level) {
            ("fail", _) => "l",
            ("pass", _) => "",
            _ => "m",
        }
    }
}

/// What a run is about, in a word or two.
pub(super) fn of(run: &Shown) -> String {
    match (run.pull, run.cause.as_str()) {
        (Some(pull), _) => format!("PR {pull}"),
        (None, "post_merge") => "merged".to_owned(),
        (None, "sweep") => "sweep".to_owned(),
        (None, _) => "command line".to_owned(),
    }
}

/// A number from a query, e.g. the `before` of a page of a list.
pub(super) fn query_number(query: Option<&str>, name: &str) -> Option<i64> {
    query_value(query, name)?.parse().ok().filter(|number| *number >= 0)
}

/// A value from a query.
pub(super) fn query_value(query: Option<&str>, name: &str) -> Option<String> {
    let mut pairs = url::form_urlencoded::parse(query.unwrap_or_default().as_bytes());
    pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
}

/// Splits off what is more than a page holds; the second value says whether there was more.
pub(super) fn paged<T>(mut found: Vec<T>, most: usize) -> (Vec<T>, bool) {
    let more = found.len() > most;
    found.truncate(most);
    (found, more)
}
