//! What is going on now: what runs, what waits and why, what came of the last ones.

use askama::Template;
use axum::Extension;
use axum::extract::State as Extract;
use axum::response::Response;
use jiff::Timestamp;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Row, paged, rough};
use super::visitor::Visitor;
use super::{Here, Site, rendered, why};
use crate::adapters::store::{Shown, StageRow, StageState};
use crate::domain::results::{duration, ms_between};
use crate::domain::stage::Stage;

/// Open runs on this page; more are told by their number.
const OPEN: i64 = 40;
const ENDED: usize = 15;

#[derive(Template)]
#[template(path = "now.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    running: Vec<Running>,
    waiting: Vec<Waiting>,
    waiting_left_out: i64,
    ended: Vec<Row>,
    more_ended: bool,
    organisation: String,
    trouble: Option<String>,
}

/// A run that runs, as a card.
pub(super) struct Running {
    row: Row,
    strip: Vec<&'static str>,
    strip_said: String,
    usually: Option<String>,
}

/// A run that waits, as a row.
struct Waiting {
    row: Row,
    place: usize,
    why: String,
    starts: String,
}

pub(super) async fn page(Extract(site): Here, Extension(visitor): Extension<Visitor>) -> Result<Response, Failed> {
    let store = site.service.store();
    let (running, waiting): (Vec<_>, Vec<_>) =
        store.show_open(OPEN).await?.into_iter().partition(|run| run.state == "running");
    let numbers = store.numbers().await?;
    let mut waits = why::all(&site).await?;
    let mut waiting: Vec<Waiting> = waiting
        .into_iter()
        .map(|run| {
            let told = waits.remove(&run.id);
            Waiting {
                place: told.as_ref().map_or(0, |told| told.place),
                starts: told.as_ref().map_or_else(String::new, |told| told.starts.clone()),
                why: told.map_or_else(String::new, |told| told.why),
                row: Row::from(run),
            }
        })
        .collect();
    waiting.sort_by_key(|it| it.place);
    let mut cards = Vec::new();
    for run in running {
        cards.push(card(&site, run).await?);
    }
    let (ended, more_ended) = paged(store.show_ended(None, ENDED as i64 + 1).await?, ENDED);
    rendered(&Page {
        frame: Frame::new(&site, visitor, "now").await?,
        waiting_left_out: numbers.waiting - i64::try_from(waiting.len()).unwrap_or(0),
        running: cards,
        waiting,
        ended: ended.into_iter().map(Row::from).collect(),
        more_ended,
        organisation: site.options.organisation.clone(),
        trouble: site.service.heard().trouble,
    })
}

async fn card(site: &Site, run: Shown) -> Result<Running, Failed> {
    let stages = site.service.store().stages(&run.id).await?;
    let usually = site.service.usual(&run.recipe).await?.map(|usual| duration(why::ms(usual)));
    let (strip, strip_said) = strip(&stages);
    Ok(Running { row: Row::from(run), strip, strip_said, usually })
}

/// Classes of the pieces of a strip, one for each stage, and the strip in words.
pub(super) fn strip(rows: &[StageRow]) -> (Vec<&'static str>, String) {
    let of = |stage: Stage| rows.iter().find(|row| row.stage == stage);
    // An app is kept up only when that was asked for.
    let stages: Vec<Stage> =
        Stage::ALL.into_iter().filter(|stage| *stage != Stage::Keep || of(Stage::Keep).is_some()).collect();
    let class = |stage: &Stage| match of(*stage).map(|row| row.state) {
        None | Some(StageState::Skipped) => "",
        Some(StageState::Running) => "r",
        Some(StageState::Done) => "p",
        Some(StageState::Failed | StageState::Interrupted) => "f",
    };
    let classes: Vec<_> = stages.iter().map(class).collect();
    let at = classes.iter().rposition(|class| !class.is_empty()).map_or(0, |at| at + 1);
    let said = format!("stage {at} of {}", classes.len());
    (classes, said)
}

/// How long something that began then has been going on.
pub(super) fn since(at: Timestamp) -> String {
    rough(ms_between(at, Timestamp::now()))
}
