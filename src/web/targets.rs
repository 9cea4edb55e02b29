//! The test Swarms: their state, when they were last heard, what runs there; and what operators did.

use askama::Template;
use axum::Extension;
use axum::extract::State;
use axum::response::Response;
use jiff::Timestamp;

use super::error::Failed;
use super::frame::{Frame, STALE};
use super::now::since;
use super::view::{Instant, Row};
use super::visitor::Visitor;
use super::{Here, rendered};
use crate::adapters::store::Switches;
use crate::domain::queue::TargetState;
use crate::domain::target::{Endpoint, Role};

const ACTIONS: i64 = 15;
/// More runs at once than this have no row here.
const OPEN: i64 = 200;

#[derive(Template)]
#[template(path = "targets.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    targets: Vec<Line>,
    switches: Switches,
    actions: Vec<(Instant, String, String)>,
}

struct Line {
    name: String,
    class: &'static str,
    glyph: &'static str,
    state: &'static str,
    reason: String,
    since: Option<Instant>,
    heard: String,
    silent: bool,
    runs: Vec<Row>,
    /// SSH or an engine on the gate's own machine, and what it is for.
    kind: &'static str,
}

pub(super) async fn page(State(site): Here, Extension(visitor): Extension<Visitor>) -> Result<Response, Failed> {
    let store = site.service.store();
    let rows = store.targets().await?;
    let open = store.show_open(OPEN).await?;
    let targets = site.service.targets().iter().map(|target| {
        let name = target.name.as_str();
        let row = rows.iter().find(|row| row.name == target.name);
        let runs: Vec<Row> =
            open.iter().filter(|run| run.state == "running" && run.target == name).cloned().map(Row::from).collect();
        let state = row.map_or(TargetState::Unknown, |row| row.state);
        let (class, glyph) = match state {
            TargetState::Clean => ("pass", "✓"),
            TargetState::Leased => ("run", "▸"),
            TargetState::Dirty => ("infra", "!"),
            TargetState::Quarantined => ("fail", "✕"),
            TargetState::Unknown => ("open", "○"),
        };
        let heard = row.and_then(|row| row.heard_at);
        Line {
            name: name.to_owned(),
            class,
            glyph,
            state: state.name(),
            reason: row.map_or_else(|| "not looked at yet: the first run will".to_owned(), |row| row.reason.clone()),
            since: row.map(|row| Instant::new(row.changed_at)),
            heard: heard.map_or_else(|| "never".to_owned(), |at| format!("{} ago", since(at))),
            silent: heard.is_some_and(|at| Timestamp::now().duration_since(at) > STALE),
            runs,
            kind: match (&target.endpoint, target.role) {
                (Endpoint::Unix(_), _) => "the engine of this machine",
                (Endpoint::Ssh { .. }, Role::Gate) => "for runs that decide",
                (Endpoint::Ssh { .. }, Role::Dev) => "for leases",
            },
        }
    });
    let targets = targets.collect();
    let actions = store.actions(ACTIONS).await?;
    rendered(&Page {
        frame: Frame::new(&site, visitor, "targets").await?,
        targets,
        switches: store.switches().await?,
        actions: actions.into_iter().map(|it| (Instant::new(it.at), it.who, it.what)).collect(),
    })
}
