//! What is going on, for programs.

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use serde_json::{Value, json};

use super::error::Failed;
use super::{Here, why};
use crate::adapters::store::Shown;

const OPEN: i64 = 200;
const ENDED: i64 = 20;

pub(super) async fn status(State(site): Here) -> Result<Response, Failed> {
    let store = site.service.store();
    let switches = store.switches().await?;
    let waits = why::all(&site).await?;
    let open: Vec<Value> = store
        .show_open(OPEN)
        .await?
        .iter()
        .map(|run| {
            let mut value = told(run);
            if let Some(waits) = waits.get(&run.id) {
                value["place"] = json!(waits.place);
                value["why_it_waits"] = json!(waits.why);
                value["starts_in_ms"] = json!(waits.starts_in_ms);
            }
            value
        })
        .collect();
    let ended: Vec<Value> = store.show_ended(None, ENDED).await?.iter().map(told).collect();
    let heard = site.service.heard();
    let status = json!({
        "version": env!("CARGO_PKG_VERSION"),
        "paused": switches.held().map(|on| json!({ "by": on.by, "why": on.value, "since": on.at.to_string() })),
        "draining": switches.drain.is_some(),
        "forge_heard_at": heard.polled_at.map(|at| at.to_string()),
        "open": open,
        "ended": ended,
    });
    Ok(([(header::CONTENT_TYPE, "application/json")], status.to_string()).into_response())
}

fn told(run: &Shown) -> Value {
    json!({
        "number": run.number,
        "id": run.id.as_str(),
        "recipe": run.recipe,
        "repository": run.repository,
        "pull": run.pull,
        "head": run.head.as_ref().map(crate::domain::ids::CommitSha::as_str),
        "asked_by": run.asked_by,
        "state": run.state,
        "stage": run.stage,
        "target": run.target,
        "verdict": run.verdict,
        "sentence": run.sentence,
        "level": run.verdict.as_ref().map(|_| run.level),
        "queued_at": run.queued_at.to_string(),
        "started_at": run.started_at.map(|at| at.to_string()),
        "finished_at": run.finished_at.map(|at| at.to_string()),
    })
}
