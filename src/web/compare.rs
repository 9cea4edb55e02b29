//! Two runs side by side.

use std::sync::{Arc, Mutex};

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;

use super::error::Failed;
use super::frame::{Frame, capital};
use super::run::{BODY, LOOKED_AT, results};
use super::view::Row;
use super::visitor::Visitor;
use super::{Here, Site, rendered, run_number};
use crate::adapters::logread::Index;
use crate::adapters::store::Shown;
use crate::domain::compare::{Comparison, ImageChange, Of, Pair, compare};
use crate::engine::beside::Beside;
use crate::engine::state::RunFolder;
use crate::report::{clean_line, compare as words, words as said};

/// How much is shown.
#[derive(Clone, Copy)]
struct Limits {
    /// Rows of a table.
    rows: usize,
    /// Characters of a value or a sentence.
    value: usize,
    /// Sources of the log that are shown.
    sources: usize,
    /// Lines of one of them.
    lines: usize,
    /// Characters of a line.
    line: usize,
}

/// A page that is light, and those for runs that differ in more than it holds.
const LIMITS: [Limits; 3] = [
    Limits { rows: 30, value: 240, sources: 12, lines: 30, line: 300 },
    Limits { rows: 12, value: 120, sources: 6, lines: 10, line: 160 },
    Limits { rows: 4, value: 50, sources: 2, lines: 4, line: 60 },
];

#[derive(Template)]
#[template(path = "compare.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    /// The run that is looked at, and the one it is compared with.
    rows: [Row; 2],
    body: String,
}

#[derive(Template)]
#[template(path = "compare_body.html", whitespace = "minimize")]
struct Body<'a> {
    names: Pair<String>,
    numbers: Pair<i64>,
    differs: Vec<Cells>,
    same: String,
    found: Vec<(&'a str, Vec<Found>)>,
    images: Vec<Cells>,
    images_same: Option<String>,
    settings: Vec<Cells>,
    settings_said: Option<String>,
    phases: Vec<Phase>,
    folded: Option<String>,
    log_said: String,
    sources: Vec<Source>,
    /// Rows and sources that there was no room for.
    left_out: usize,
}

/// A row of a table: what it is, and that of each run.
struct Cells {
    name: String,
    note: &'static str,
    values: Pair<String>,
}

struct Found {
    what: String,
    sentence: String,
}

struct Phase {
    name: String,
    whose: &'static str,
    values: Pair<String>,
    difference: String,
}

struct Source {
    name: String,
    lines: String,
    only: Vec<Only>,
    said: Option<String>,
    open: bool,
}

struct Only {
    sign: &'static str,
    class: &'static str,
    link: String,
    number: usize,
    text: String,
    times: usize,
}

/// With the last green run of the same recipe before it.
pub(super) async fn with_last_green(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failed> {
    let (run, by_id) = named(&site, &number).await?;
    if by_id {
        return Err(Failed::Elsewhere(format!("/runs/{}/compare", run.number)));
    }
    let green = site.service.store().show_green_before(&run.recipe, run.number).await?;
    let other = green.ok_or(Failed::NoSuch("green run of this recipe before that run"))?;
    compared(&site, visitor, Pair { this: run, other }).await
}

/// With any other run.
pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path((number, other)): Path<(String, String)>,
) -> Result<Response, Failed> {
    let ((this, this_by_id), (other, other_by_id)) = (named(&site, &number).await?, named(&site, &other).await?);
    if this_by_id || other_by_id {
        return Err(Failed::Elsewhere(format!("/runs/{}/compare/{}", this.number, other.number)));
    }
    compared(&site, visitor, Pair { this, other }).await
}

/// The run that a part of the path names, and whether it does so by the run's id: its number is the better address.
async fn named(site: &Site, part: &str) -> Result<(Shown, bool), Failed> {
    let (number, by_id) = match run_number(site, part).await {
        Err(Failed::Elsewhere(run)) => (run_number(site, run.trim_start_matches("/runs/")).await?, true),
        other => (other?, false),
    };
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    Ok((run, by_id))
}

async fn compared(site: &Site, visitor: Visitor, runs: Pair<Shown>) -> Result<Response, Failed> {
    let (this, other) = (stored(site, &runs.this).await?, stored(site, &runs.other).await?);
    let frame = Frame::new(site, visitor, "runs").await?;
    // A closed semaphore cannot be: nothing closes it.
    let _one_at_a_time = site.folding.acquire().await.map_err(|error| Failed::Broken(error.to_string()))?;
    let numbers = runs.map(|run| run.number);
    let work = move || -> Result<String, Failed> {
        let (this_results, other_results) = (results(&this.json, numbers.this)?, results(&other.json, numbers.other)?);
        let (this_kept, other_kept) = (this.read()?, other.read()?);
        let sides = Pair { this: this_kept.side(&this_results), other: other_kept.side(&other_results) };
        body(&compare(&sides), &numbers)
    };
    let body = tokio::task::spawn_blocking(work).await??;
    rendered(&Page { frame, rows: [Row::from(runs.this), Row::from(runs.other)], body })
}

/// What is stored of a run.
struct Stored {
    json: String,
    folder: RunFolder,
    index: Arc<Mutex<Index>>,
}

impl Stored {
    fn read(&self) -> Result<Beside, Failed> {
        Ok(Beside::read(&self.folder, &self.index, LOOKED_AT)?)
    }
}

async fn stored(site: &Site, run: &Shown) -> Result<Stored, Failed> {
    let json = site.service.store().results_of(run.number).await?;
    let json = json.ok_or(Failed::NoSuch("comparison: one of these runs has no results (yet)"))?;
    let folder = site.service.state().run(&run.id);
    let index = site.logs.of(&folder.log());
    Ok(Stored { json, folder, index })
}

/// The comparison, with as much as a light page holds.
fn body(comparison: &Comparison, numbers: &Pair<i64>) -> Result<String, Failed> {
    let mut body = String::new();
    for limits in LIMITS {
        body = view(comparison, numbers, limits).render()?;
        if body.len() <= BODY {
            break;
        }
    }
    Ok(body)
}

fn view<'a>(comparison: &'a Comparison, numbers: &Pair<i64>, limits: Limits) -> Body<'a> {
    let names = numbers.map(|number| format!("run {number}"));
    let cells = |name: String, note: &'static str, values: Pair<String>| Cells {
        name: short(&name, limits.value),
        note,
        values: values.map(|value| short(value, limits.value)),
    };
    let facts = comparison.facts.iter().filter(|fact| !fact.same);
    let facts = facts.map(|fact| cells(fact.name.to_owned(), "", fact.values.map(Clone::clone)));
    let rungs = comparison.rungs.iter().map(|it| {
        let state =
            it.results.map(|result| said::rung(result.state)).map(|shown| format!("{} {}", shown.glyph, shown.word));
        cells(format!("rung {}", it.rung.name()), "", state)
    });
    let same: Vec<_> = comparison.facts.iter().filter(|fact| fact.same).map(|fact| fact.name).collect();
    let changed = comparison.images.iter().filter(|pair| pair.change != ImageChange::Same);
    let images = changed.map(|pair| {
        let values = pair.images.map(|image| words::image_said(image.as_ref()));
        cells(pair.service.clone(), words::image_is(pair.change), values)
    });
    let settings = comparison.settings.iter().flat_map(|found| &found.differ);
    let settings = settings.map(|it| cells(it.name.clone(), words::kind(it.kind), it.values.map(words::seen)));
    let phases = comparison.times.phases.iter().map(|it| Phase {
        name: short(&it.phase, limits.value),
        whose: said::whose(it.by),
        values: it.ms.map(|ms| words::length_of(*ms)),
        difference: words::longer(it.difference_ms),
    });
    let mut left_out = 0;
    Body {
        differs: facts.chain(rungs).collect(),
        same: same.join(", "),
        found: found(comparison, limits, &mut left_out),
        images: some(images.collect(), limits.rows, &mut left_out),
        images_same: words::images_same(&comparison.images).map(|said| short(&said, limits.value)),
        settings: some(settings.collect(), limits.rows, &mut left_out),
        settings_said: words::settings_said(comparison.settings.as_ref()).map(|said| capital(&said)),
        phases: some(phases.collect(), limits.rows, &mut left_out),
        folded: words::folded(comparison),
        log_said: short(&words::log_said(comparison.log.as_ref()), 2 * limits.value),
        sources: sources(comparison, (numbers, &names), limits, &mut left_out),
        names,
        numbers: *numbers,
        left_out,
    }
}

fn found<'a>(comparison: &'a Comparison, limits: Limits, left_out: &mut usize) -> Vec<(&'a str, Vec<Found>)> {
    let mut of = |name: &'static str, which: Of| {
        let all = comparison.findings.of(which).iter().map(|finding| Found {
            what: short(&words::finding_is(finding), limits.value),
            sentence: short(&finding.sentence, limits.value),
        });
        (name, some(all.collect(), limits.rows, left_out))
    };
    let both = [of("this", Of::This), of("other", Of::Other)];
    both.into_iter().filter(|(_, findings)| !findings.is_empty()).collect()
}

fn sources(
    comparison: &Comparison,
    (numbers, names): (&Pair<i64>, &Pair<String>),
    limits: Limits,
    left_out: &mut usize,
) -> Vec<Source> {
    let all = comparison.log.iter().flat_map(|log| &log.sources).enumerate().map(|(nth, source)| {
        let only = source.only.iter().take(limits.lines).map(|line| {
            let (sign, class) = match line.of {
                Of::This => ("+", "plus"),
                Of::Other => ("−", "minus"),
            };
            Only {
                sign,
                class,
                link: format!("/runs/{}/log?from={}", numbers.of(line.of), line.number),
                number: line.number,
                text: short(&line.text, limits.line),
                times: line.times,
            }
        });
        Source {
            name: short(&source.source, limits.value),
            lines: words::lines_said(source, names),
            only: only.collect(),
            said: words::source_said(source, limits.lines),
            open: nth == 0,
        }
    });
    some(all.collect(), limits.sources, left_out)
}

/// As many as there is room for; the rest is counted.
fn some<T>(mut all: Vec<T>, most: usize, left_out: &mut usize) -> Vec<T> {
    *left_out += all.len().saturating_sub(most);
    all.truncate(most);
    all
}

fn short(text: &str, most: usize) -> String {
    let text = clean_line(text);
    if text.chars().count() <= most { text } else { text.chars().take(most).chain(['…']).collect() }
}
