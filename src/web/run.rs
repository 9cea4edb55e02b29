//! A run: while it waits, while it runs, and what came of it.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::response::Response;
use jiff::Timestamp;

use super::error::Failed;
use super::files::SIGNERS;
use super::frame::{Frame, capital};
use super::log::{self, Shots};
use super::now::{since, strip};
use super::view::{Instant, Row};
use super::visitor::Visitor;
use super::why::{self, Waits};
use super::{Here, SCRIPT, STYLE, Site, rendered, run_number};
use crate::adapters::logread::{self, From};
use crate::adapters::store::{Phase, Shown, Store};
use crate::domain::finding::Finding;
use crate::domain::results::{By, Results, Timing, duration, ms_between};
use crate::engine::state::RunFile;
use crate::report::{self, Body, Excerpt, Files, Limits, Times};

/// Bytes that a body may have, so that the page with its frame, style and script is no more than 60 KB.
pub(super) const BODY: usize = 60_000 - STYLE.len() - SCRIPT.len() - 6_000;
/// Bytes of a log that are looked at for lines around the cause: its beginning and its end.
pub(super) const LOOKED_AT: u64 = 4 << 20;
/// Bodies that are kept: what has ended does not change.
const KEPT: usize = 32;
/// The last lines of the log, while it runs.
const TAIL: (usize, u64) = (80, 12 << 10);
const PHASES: usize = 24;
const FINDINGS: usize = 10;

/// What every page of a run shows around its body.
struct Around {
    row: Row,
    pull_page: Option<String>,
    /// Asked for by a comment: a retry can be asked for as well.
    from_forge: bool,
    /// There are files to look at.
    has_results: bool,
    has_log: bool,
    /// Log, report and evidence were not removed.
    has_files: bool,
    has_evidence: bool,
    /// The last green run of the recipe, where it is another one.
    last_green: Option<Row>,
    /// What it can be compared with: the last green run before a red one, else the run before.
    compare: Option<Compare>,
    usually: Option<String>,
}

/// A run that this one can be compared with.
enum Compare {
    /// The last green one before this red one.
    LastGreen,
    /// The run before.
    Before(i64),
}

#[derive(Template)]
#[template(path = "run.html", whitespace = "minimize")]
struct Ended {
    frame: Frame,
    around: Around,
    /// `None` for a run that ended before it began.
    body: Option<Arc<Body>>,
}

#[derive(Template)]
#[template(path = "running.html", whitespace = "minimize")]
struct Running {
    frame: Frame,
    around: Around,
    strip: Vec<&'static str>,
    strip_said: String,
    findings: Vec<Finding>,
    picture: String,
    shown: Shots,
    /// Where the app stays up for a person, and until when.
    up: Option<(String, Instant)>,
}

#[derive(Template)]
#[template(path = "waiting.html", whitespace = "minimize")]
struct Waiting {
    frame: Frame,
    around: Around,
    waits: Option<Waits>,
    why: String,
    asked: String,
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failed> {
    let number = run_number(&site, &number).await?;
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let frame = Frame::new(&site, visitor, "runs").await?;
    let around = around(&site, run.clone()).await?;
    if run.verdict.is_some() {
        let body = folded(&site, &run).await?;
        rendered(&Ended { frame, around, body })
    } else if run.state == "running" {
        rendered(&running(&site, (frame, around), run).await?)
    } else {
        rendered(&waiting(&site, (frame, around), &run).await?)
    }
}

async fn around(site: &Site, run: Shown) -> Result<Around, Failed> {
    let store = site.service.store();
    let green = store.show_last_green(&run.recipe).await?;
    let has_results = store.has_results(run.number).await?;
    let compare = if has_results { compare(store, &run).await? } else { None };
    Ok(Around {
        pull_page: run.pull.and_then(|pull| site.service.pull_page(&run.repository, pull)),
        from_forge: run.head.is_some(),
        has_log: run.started_at.is_some() && run.has_files,
        has_files: run.has_files,
        has_evidence: run.has_files && site.service.state().run(&run.id).file(RunFile::Evidence).exists(),
        has_results,
        compare,
        last_green: green.filter(|green| green.number != run.number).map(Row::from),
        usually: site.service.usual(&run.recipe).await?.map(|usual| duration(why::ms(usual))),
        row: Row::from(run),
    })
}

async fn compare(store: &Store, run: &Shown) -> Result<Option<Compare>, Failed> {
    if run.verdict.as_deref() == Some("red") && store.show_green_before(&run.recipe, run.number).await?.is_some() {
        return Ok(Some(Compare::LastGreen));
    }
    let before = store.show_ended_before(&run.recipe, run.number).await?;
    Ok(before.map(|before| Compare::Before(before.number)))
}

async fn waiting(site: &Site, (frame, around): (Frame, Around), run: &Shown) -> Result<Waiting, Failed> {
    let waits = why::all(site).await?.remove(&run.id);
    Ok(Waiting {
        frame,
        around,
        why: waits.as_ref().map_or_else(String::new, |waits| capital(&waits.why)),
        waits,
        asked: since(run.queued_at),
    })
}

async fn running(site: &Site, (frame, around): (Frame, Around), run: Shown) -> Result<Running, Failed> {
    let store = site.service.store();
    let (strip, strip_said) = strip(&store.stages(&run.id).await?);
    let mut findings = store.findings(&run.id).await?;
    findings.truncate(FINDINGS);
    let now = Timestamp::now();
    let phases = store.phases(&run.id).await?;
    let timings: Vec<Timing> = phases.iter().map(|phase| timing(phase, now)).collect();
    let times = Times {
        started: run.started_at.unwrap_or(run.queued_at),
        finished: now,
        timings: &timings,
        marks: &[],
        decided: None,
    };
    let picture = report::picture(&times, PHASES, &format!("/runs/{}/results.json", run.number))?;
    let shown = log::read(site, From::End, TAIL, &run).await?;
    let up = site.service.kept(&run.id).await?.map(|up| (up.url, Instant::new(up.until)));
    Ok(Running { frame, around, strip, strip_said, findings, picture, shown, up })
}

fn timing(phase: &Phase, now: Timestamp) -> Timing {
    Timing {
        phase: phase.name.clone(),
        start: phase.started_at,
        ms: ms_between(phase.started_at, phase.ended_at.unwrap_or(now)),
        by: match phase.by.as_str() {
            "docker" => By::Docker,
            "app" => By::App,
            _ => By::CcCi,
        },
    }
}

/// Bodies of runs that have ended, the last ones that were looked at.
#[derive(Debug, Default)]
pub(super) struct Folded(Mutex<BTreeMap<Key, Arc<Body>>>);

/// The run's number, and whether it has its log: what has ended changes only when that is removed.
type Key = (i64, bool);

impl Folded {
    fn get(&self, key: Key) -> Option<Arc<Body>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).get(&key).cloned()
    }

    fn keep(&self, key: Key, body: Arc<Body>) {
        let mut kept = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        while kept.len() >= KEPT {
            kept.pop_first();
        }
        kept.insert(key, body);
    }
}

async fn folded(site: &Site, run: &Shown) -> Result<Option<Arc<Body>>, Failed> {
    let key = (run.number, run.has_files);
    if let Some(body) = site.folded.get(key) {
        return Ok(Some(body));
    }
    let Some(json) = site.service.store().results_of(run.number).await? else { return Ok(None) };
    // A closed semaphore cannot be: nothing closes it.
    let _one_at_a_time = site.folding.acquire().await.map_err(|error| Failed::Broken(error.to_string()))?;
    let path = site.service.state().run(&run.id).log();
    let signed = site.service.store().signature_of(run.number).await?.is_some();
    let (options, index) = (Arc::clone(&site.options), site.logs.of(&path));
    let fold = move || {
        let (lines, all) = logread::ends(&path, &index, LOOKED_AT)?;
        fold(&json, &Excerpt { lines, all }, key, signed, &options.public_url)
    };
    let body = tokio::task::spawn_blocking(fold).await??;
    let body = Arc::new(body);
    site.folded.keep(key, Arc::clone(&body));
    Ok(Some(body))
}

/// The results of a run, as they are stored.
pub(super) fn results(json: &str, number: i64) -> Result<Results, Failed> {
    serde_json::from_str(json).map_err(|error| Failed::Broken(format!("results of run {number}: {error}")))
}

/// The body with as much as a light page holds.
fn fold(
    json: &str,
    log: &Excerpt,
    (number, are_kept): Key,
    are_signed: bool,
    public_url: &str,
) -> Result<Body, Failed> {
    let results = results(json, number)?;
    let files = Files {
        folder: format!("/runs/{number}/"),
        log: format!("/runs/{number}/log"),
        log_is: "the whole log",
        are_kept,
        are_signed,
        signers: Some(format!("{public_url}{SIGNERS}")),
    };
    let body = report::body(&results, log, Limits::PAGE, &files)?;
    if body.head.len() + body.evidence.len() <= BODY {
        return Ok(body);
    }
    Ok(report::body(&results, log, Limits::SCANT, &files)?)
}
