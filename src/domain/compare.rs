//! Two runs side by side: what differs between the one that is looked at (*this*) and the one it is compared with (*other*), the last
//! green one, say. Only what differs is told at length; what is the same is named.

mod lines;
mod normal;
mod settings;

use std::collections::{BTreeMap, BTreeSet};

use jiff::Timestamp;
use serde::Serialize;

pub use self::lines::{Log, LogDifference, OnlyLine, SourceDifference};
pub use self::settings::{Kind, Seen, SettingDifference, Settings, SettingsDifference};
use super::finding::{Class, Finding, FindingKind};
use super::ids::{RecipeName, RunId};
use super::results::{By, Image, Results, Revision, duration, ms_between};
use super::stage::{Rung, Stage};
use super::timings::{is_cold, lengths};
use super::verdict::{RungResult, Verdict, deciding};

/// Phases that differ by less are folded: no two runs take the same time.
const NOISE_MS: u64 = 500;
/// Findings of one run, images, and phases that are told, of each.
const MOST: usize = 60;
/// Characters of a fact.
const LONGEST: usize = 300;

/// Which of the two runs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Of {
    /// The one that is looked at.
    This,
    /// The one it is compared with.
    Other,
}

/// Something of each run.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, Serialize)]
pub struct Pair<T> {
    /// Of the run that is looked at.
    pub this: T,
    /// Of the run it is compared with.
    pub other: T,
}

impl<T> Pair<T> {
    /// That of one of them.
    pub const fn of(&self, of: Of) -> &T {
        match of {
            Of::This => &self.this,
            Of::Other => &self.other,
        }
    }

    const fn of_mut(&mut self, of: Of) -> &mut T {
        match of {
            Of::This => &mut self.this,
            Of::Other => &mut self.other,
        }
    }

    /// Something of what each has.
    pub fn map<'a, U>(&'a self, f: impl Fn(&'a T) -> U) -> Pair<U> {
        Pair { this: f(&self.this), other: f(&self.other) }
    }
}

impl<T> Pair<Option<T>> {
    /// Both, where both are there.
    fn both(self) -> Option<Pair<T>> {
        Some(Pair { this: self.this?, other: self.other? })
    }
}

/// A run, and what is kept of it beside its results.
#[derive(Debug, Clone, Copy)]
pub struct Side<'a> {
    /// Its results.
    pub results: &'a Results,
    /// What its head gives the app; `None`: the recipe's files were not kept.
    pub settings: Option<&'a Settings>,
    /// Its log; `None`: not kept.
    pub log: Option<Log<'a>>,
}

/// What two runs differ in.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Comparison {
    /// What came of each.
    pub runs: Pair<Told>,
    /// What was tested, by what and where, whether it differs or not.
    pub facts: Vec<Fact>,
    /// Rungs whose state differs.
    pub rungs: Vec<RungDifference>,
    /// Findings that the other run has not: by kind, stage and service.
    pub findings: Pair<Vec<FoundOnly>>,
    /// The services' images, whether they differ or not.
    pub images: Vec<ImagePair>,
    /// Variables and config versions; `null`: the recipe's files of one of the runs were not kept.
    pub settings: Option<SettingsDifference>,
    /// The phases.
    pub times: Times,
    /// The logs; `null`: one of them was not kept.
    pub log: Option<LogDifference>,
}

/// What came of a run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Told {
    /// Its id.
    pub run: RunId,
    /// The recipe.
    pub recipe: RecipeName,
    /// Its verdict.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub sentence: String,
    /// How many rungs hold, from the first.
    pub level: u8,
    /// When it began.
    pub started: Timestamp,
    /// How long it took, in milliseconds.
    pub took_ms: u64,
}

/// Something that a run has exactly one of.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Fact {
    /// What it is.
    pub name: &'static str,
    /// Whether it is the same in both.
    pub same: bool,
    /// In words; untrusted.
    pub values: Pair<String>,
}

/// A rung whose state differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct RungDifference {
    /// Which.
    pub rung: Rung,
    /// What became of it.
    pub results: Pair<RungResult>,
}

/// A finding of one run alone.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct FoundOnly {
    /// Its kind.
    pub kind: FindingKind,
    /// Whose fault it is.
    pub class: Class,
    /// Where it was found.
    pub stage: Stage,
    /// The service it is about.
    pub service: Option<String>,
    /// The cause.
    pub sentence: String,
}

/// The image of a service in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct ImagePair {
    /// The service.
    pub service: String,
    /// How it changed.
    pub change: ImageChange,
    /// Name and digest; `null`: the run had no such service.
    pub images: Pair<Option<Image>>,
}

/// How an image of this run differs from that of the other.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ImageChange {
    /// Another name.
    Renamed,
    /// The same name, another digest: the tag was moved.
    Moved,
    /// Only this run has the service.
    Added,
    /// Only the other run has it.
    Removed,
    /// The same name, but a digest is not known.
    Unknown,
    /// The same digest.
    Same,
}

/// The phases, by how much they differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Times {
    /// Those that differ by half a second or more, the largest difference first.
    pub phases: Vec<PhasePair>,
    /// How many differ by less, or are not told.
    pub folded: usize,
    /// By how much those differ together, in milliseconds; more than zero: this run took longer.
    pub folded_ms: i64,
}

/// A phase in both runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct PhasePair {
    /// Its name.
    pub phase: String,
    /// Whose time it was.
    pub by: By,
    /// How long it took, in milliseconds; `null`: the run had no such phase.
    pub ms: Pair<Option<u64>>,
    /// By how much this run took longer.
    pub difference_ms: i64,
}

/// Compares two runs.
#[must_use]
pub fn compare(sides: &Pair<Side<'_>>) -> Comparison {
    let results = sides.map(|side| side.results);
    let cause = deciding(&results.this.findings).or_else(|| deciding(&results.other.findings));
    let logs = sides.map(|side| side.log).both();
    Comparison {
        runs: results.map(|results| told(results)),
        facts: facts(results),
        rungs: rungs(results),
        findings: Pair {
            this: found_only(results.this, results.other),
            other: found_only(results.other, results.this),
        },
        images: images(results),
        settings: sides.map(|side| side.settings).both().map(settings::difference),
        times: times(results),
        log: logs.map(|logs| lines::difference(results, logs, cause.and_then(|cause| cause.service.as_deref()))),
    }
}

fn told(results: &Results) -> Told {
    Told {
        run: results.run.clone(),
        recipe: results.recipe.name.clone(),
        verdict: results.verdict,
        sentence: results.sentence.clone(),
        level: results.level,
        started: results.started,
        took_ms: ms_between(results.started, results.finished),
    }
}

fn facts(results: Pair<&Results>) -> Vec<Fact> {
    let revision = |revision: &Revision| {
        let (label, short) = (revision.label(), revision.commit.as_ref().map_or("", |commit| commit.short()));
        if short.is_empty() || label.starts_with(short) { label } else { format!("{label} ({short})") }
    };
    let store = |results: &Results| match (results.pulls.is_empty(), is_cold(results)) {
        (true, _) => "not known",
        (false, true) => "cold: some were pulled",
        (false, false) => "warm: the target had them all",
    };
    let fact = |name: &'static str, of: &dyn Fn(&Results) -> String| {
        let values = results.map(|results| of(results));
        let same = values.this == values.other;
        Fact { name, same, values: values.map(|value| value.chars().take(LONGEST).collect()) }
    };
    let none = || "none".to_owned();
    vec![
        fact("recipe", &|it| it.recipe.name.to_string()),
        fact("source", &|it| it.recipe.head.source.clone()),
        fact("head", &|it| revision(&it.recipe.head)),
        fact("base", &|it| it.recipe.base.as_ref().map_or_else(none, revision)),
        fact("tests file", &|it| {
            it.tests.as_ref().map_or_else(none, |origin| {
                let commit =
                    origin.commit.as_ref().map_or_else(String::new, |commit| format!(" at {}", commit.short()));
                format!("{}{commit}", origin.source)
            })
        }),
        fact("driver", &|it| format!("{} {}", it.driver.name, it.driver.version)),
        fact("target", &|it| it.target.name.to_string()),
        fact("Docker engine", &|it| it.target.engine.clone().unwrap_or_else(|| "never answered".to_owned())),
        fact("images", &|it| store(it).to_owned()),
        fact("deploys", &|it| format!("{} fresh, {} in place", it.deploys.fresh, it.deploys.upgrade)),
        fact("took", &|it| duration(ms_between(it.started, it.finished))),
    ]
}

fn rungs(results: Pair<&Results>) -> Vec<RungDifference> {
    let of = |rung: Rung| RungDifference { rung, results: results.map(|results| results.rungs.of(rung).clone()) };
    Rung::ALL.into_iter().map(of).filter(|it| it.results.this.state != it.results.other.state).collect()
}

/// The findings of one run that the other has not. Their sentences have numbers in them, so they are not compared.
fn found_only(of: &Results, without: &Results) -> Vec<FoundOnly> {
    let what = |finding: &Finding| (finding.kind, finding.stage, finding.service.clone());
    let known: Vec<_> = without.findings.iter().map(what).collect();
    let only = of.findings.iter().filter(|finding| !known.contains(&what(finding)));
    let told = |finding: &Finding| FoundOnly {
        kind: finding.kind,
        class: finding.class,
        stage: finding.stage,
        service: finding.service.clone(),
        sentence: finding.sentence.clone(),
    };
    only.map(told).take(MOST).collect()
}

/// The images that ran, or before a deploy those that it needed; what changed first.
fn images(results: Pair<&Results>) -> Vec<ImagePair> {
    let known = results.map(|results| images_of(results));
    let services: BTreeSet<&String> = known.this.keys().chain(known.other.keys()).collect();
    let pair = |service: &String| {
        let images = known.map(|images| images.get(service).cloned());
        ImagePair { service: service.clone(), change: image_change(&images), images }
    };
    let mut pairs: Vec<ImagePair> = services.into_iter().map(pair).collect();
    pairs.sort_by_key(|pair| pair.change);
    pairs.truncate(MOST);
    pairs
}

fn images_of(results: &Results) -> BTreeMap<String, Image> {
    let needed = results.pulls.iter().filter(|_| results.images.is_empty()).flat_map(|pull| {
        let image = |service: &String| Image {
            service: service.clone(),
            image: pull.image.clone(),
            digest: pull.digest.clone(),
        };
        pull.services.iter().map(image)
    });
    results.images.iter().cloned().chain(needed).map(|image| (image.service.clone(), image)).collect()
}

fn image_change(images: &Pair<Option<Image>>) -> ImageChange {
    match (&images.this, &images.other) {
        (Some(_) | None, None) => ImageChange::Added,
        (None, Some(_)) => ImageChange::Removed,
        (Some(this), Some(other)) if this.image != other.image => ImageChange::Renamed,
        (Some(this), Some(other)) => match (&this.digest, &other.digest) {
            (Some(this), Some(other)) if this == other => ImageChange::Same,
            (Some(_), Some(_)) => ImageChange::Moved,
            (None, _) | (_, None) => ImageChange::Unknown,
        },
    }
}

fn times(results: Pair<&Results>) -> Times {
    let known = results.map(|results| lengths(results));
    let names: BTreeSet<&str> = known.this.keys().chain(known.other.keys()).copied().collect();
    let pair = |name: &str| {
        let by = known.this.get(name).or_else(|| known.other.get(name)).map_or(By::CcCi, |(by, _)| *by);
        let ms = known.map(|lengths| lengths.get(name).map(|(_, ms)| *ms));
        let signed = |ms: Option<u64>| i64::try_from(ms.unwrap_or(0)).unwrap_or(i64::MAX);
        PhasePair { phase: name.to_owned(), by, ms, difference_ms: signed(ms.this) - signed(ms.other) }
    };
    let mut phases: Vec<PhasePair> = names.into_iter().map(pair).collect();
    phases.sort_by_key(|phase| std::cmp::Reverse(phase.difference_ms.unsigned_abs()));
    let told = phases.iter().take_while(|phase| phase.difference_ms.unsigned_abs() >= NOISE_MS).count().min(MOST);
    let folded = phases.split_off(told);
    Times { phases, folded: folded.len(), folded_ms: folded.iter().map(|phase| phase.difference_ms).sum() }
}

#[cfg(test)]
mod tests;
