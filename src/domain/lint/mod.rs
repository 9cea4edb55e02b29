//! Static rules over a recipe's files: one function per rule, one hit per broken place, with line and advice.
//!
//! *Error* = provably stops a deploy or an upgrade; all else is a hint (design, §4, *Lint*). A compose file that
//! `COMPOSE_FILE` does not select stops nobody who does not select it: there, every error is a hint. Only what is new since
//! the base turns a run red: a hit of the same rule in the same file about the same thing was there already, whatever its line.

mod changes;
mod credentials;
mod images;
mod labels;
mod resources;
mod rules;
mod seen;
mod texts;
mod whole;

use std::collections::{HashMap, HashSet};

use serde::{Deserialize, Serialize};

pub use self::rules::{RULES, Rule};
use self::seen::{Place, Seen};
use crate::domain::recipe::RecipeFiles;
use crate::domain::results::{LintLine, one_line};

/// Of one rule so many places are told.
const MOST: usize = 100;
/// Characters of a sentence: what is quoted from a recipe may be of any length.
const SENTENCE: usize = 300;

/// How much a hit weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Provably stops a deploy or an upgrade.
    Error,
    /// Anything else that somebody should know.
    Hint,
}

/// A place where a rule is broken.
#[derive(Debug, Clone)]
pub struct Hit {
    /// The rule.
    pub rule: &'static Rule,
    /// How much it weighs here.
    pub severity: Severity,
    /// The file, or `refs/tags`.
    pub file: String,
    /// The line in it, from 1, where one is to blame.
    pub line: Option<usize>,
    /// The thing that it is about, e.g. `services.app.image`: with rule and file it tells a hit from others, over versions.
    pub about: String,
    /// What is wrong, in one sentence without a full stop. Parts of it come from the recipe: untrusted, one line.
    pub text: String,
    /// Whether it was not there in the base; everything is new where there is none.
    pub new: bool,
}

/// What is known besides the recipe's files.
#[derive(Debug, Clone, Copy, Default)]
pub struct Around<'a> {
    /// The files of the base.
    pub base: Option<&'a RecipeFiles>,
    /// What the base is called.
    pub base_name: &'a str,
    /// Tags of the repository that are not annotated.
    pub lightweight: &'a [String],
}

/// All places where a rule is broken, in the order of [`RULES`]; bounded, and what is left out is told.
#[must_use]
pub fn lint(files: &RecipeFiles, around: &Around<'_>) -> Vec<Hit> {
    let before = around.base.map(|base| Seen::new(base, around.lightweight));
    let known = before.as_ref().map(known).unwrap_or_default();
    let mut seen = Seen::new(files, around.lightweight);
    seen.base = before.as_ref().map(|before| (before, around.base_name));
    let mut all: Vec<Hit> = Vec::new();
    for rule in RULES {
        // What is an error of another rule would only be told twice.
        if rule.id != whole::DEPLOYABLE || all.iter().all(|hit| hit.severity != Severity::Error) {
            all.extend(hits(rule, &seen, &known));
        }
    }
    all
}

/// Of each rule, file and thing, how much it weighed.
type Known = HashMap<(&'static str, String, String), Severity>;

/// What is broken in the base already.
fn known(base: &Seen<'_>) -> Known {
    let mut known = Known::new();
    for rule in RULES {
        for place in places(rule, base) {
            let severity = weight(rule, &place, base);
            let entry = known.entry((rule.id, place.file, place.about)).or_insert(severity);
            *entry = severity.min(*entry);
        }
    }
    known
}

fn places(rule: &Rule, seen: &Seen<'_>) -> Vec<Place> {
    let mut places = Vec::new();
    (rule.check)(seen, &mut places);
    places
}

fn weight(rule: &Rule, place: &Place, seen: &Seen<'_>) -> Severity {
    if seen.counts(place.weighs_as.as_ref().unwrap_or(&place.file)) { rule.severity } else { Severity::Hint }
}

fn hits(rule: &'static Rule, seen: &Seen<'_>, known: &Known) -> Vec<Hit> {
    let mut told = HashSet::new();
    let mut places = places(rule, seen);
    places.retain(|place| told.insert((place.file.clone(), place.about.clone(), place.text.clone())));
    let mut left_out = places.split_off(places.len().min(MOST));
    let weighed = |place: &Place| {
        let severity = weight(rule, place, seen);
        // What was only a hint is a new error where it has become one.
        let key = (rule.id, place.file.clone(), place.about.clone());
        (severity, known.get(&key).is_none_or(|before| severity < *before))
    };
    let hit = |place: Place| {
        let (severity, new) = weighed(&place);
        // The file is searched for the line: only for what is told.
        let line = place.line(seen.files);
        let Place { file, about, text, .. } = place;
        Hit { rule, severity, line, text: one_line(&text, SENTENCE), file: one_line(&file, SENTENCE), about, new }
    };
    let mut hits: Vec<Hit> = places.into_iter().map(hit).collect();
    let number = left_out.len();
    // The heaviest of them is told in their place, so that no new error is lost.
    let heaviest = (0..number).min_by_key(|&index| {
        let (severity, new) = weighed(&left_out[index]);
        (severity, !new)
    });
    if let Some(index) = heaviest {
        let rest = hit(left_out.swap_remove(index));
        hits.push(Hit { text: format!("{}; and {} more like it", rest.text, number - 1), ..rest });
    }
    hits
}

impl From<Hit> for LintLine {
    fn from(hit: Hit) -> Self {
        Self {
            rule: hit.rule.id.to_owned(),
            severity: hit.severity,
            new: hit.new,
            file: hit.file,
            line: hit.line.and_then(|line| u32::try_from(line).ok()),
            text: hit.text,
            advice: hit.rule.advice.to_owned(),
            why: hit.rule.why.to_owned(),
        }
    }
}

#[cfg(test)]
mod public;
#[cfg(test)]
mod tests;
