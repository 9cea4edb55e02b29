//! A run's log as it grows, as server-sent events. Many may watch: one task per run looks at the file's length and at the row, all
//! viewers share its word, and each reads the file itself, a bounded piece at a time. No viewer has a buffer of the log.

use std::collections::BTreeMap;
use std::convert::Infallible;
use std::path::PathBuf;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use axum::extract::{Path, RawQuery, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue};
use axum::response::sse::{Event, KeepAlive, Sse};
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;
use serde_json::json;
use tokio::sync::watch;

use super::error::Failed;
use super::log::Line;
use super::view::query_number;
use super::{Here, run_number};
use crate::adapters::logread;
use crate::adapters::store::Store;

/// How often a run's file and row are looked at.
const LOOK: Duration = Duration::from_millis(250);
/// Bytes of the log in one event. For a viewer whose connection is slow the server holds up to 16 of them.
const PIECE: u64 = 4 << 10;
/// A viewer that is silent for so long is sent a heartbeat, so that nothing in between cuts the connection.
const HEARTBEAT: Duration = Duration::from_secs(10);
/// More viewers than this at once are asked to come back later.
const VIEWERS: usize = 2_000;

/// How far a run is.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
struct Progress {
    /// Bytes of its log.
    length: u64,
    stage: String,
    /// Its verdict, once it has one.
    verdict: Option<String>,
}

/// The runs that somebody watches.
#[derive(Debug, Default)]
pub(super) struct Live {
    followed: Mutex<BTreeMap<i64, Arc<watch::Sender<Progress>>>>,
    viewers: Arc<AtomicUsize>,
}

/// One of the viewers, while it is connected.
struct Seat(Arc<AtomicUsize>);

impl Drop for Seat {
    fn drop(&mut self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

impl Live {
    fn seat(&self) -> Option<Seat> {
        let seat = Seat(Arc::clone(&self.viewers));
        (self.viewers.fetch_add(1, Ordering::Relaxed) < VIEWERS).then_some(seat)
    }

    /// The shared word on a run; the first viewer makes the task that gives it.
    fn follow(self: &Arc<Self>, number: i64, path: PathBuf, store: Store) -> watch::Receiver<Progress> {
        let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sender) = followed.get(&number) {
            return sender.subscribe();
        }
        let (sender, receiver) = watch::channel(Progress::default());
        let sender = Arc::new(sender);
        followed.insert(number, Arc::clone(&sender));
        let live = Arc::clone(self);
        tokio::spawn(async move { live.look(number, path, store, sender).await });
        receiver
    }

    /// Looks until the run has its verdict or nobody listens.
    async fn look(&self, number: i64, path: PathBuf, store: Store, sender: Arc<watch::Sender<Progress>>) {
        loop {
            // The row before the file: with a verdict, the file is whole.
            let row = store.show_run(number).await.ok().flatten();
            let length = tokio::fs::metadata(&path).await.map_or(0, |file| file.len());
            if let Some(row) = row {
                let now = Progress { length, stage: row.stage, verdict: row.verdict };
                let done = now.verdict.is_some();
                sender.send_if_modified(|known| {
                    let changed = *known != now;
                    *known = now;
                    changed
                });
                if done {
                    self.followed.lock().unwrap_or_else(PoisonError::into_inner).remove(&number);
                    return;
                }
            }
            tokio::time::sleep(LOOK).await;
            let mut followed = self.followed.lock().unwrap_or_else(PoisonError::into_inner);
            if sender.receiver_count() == 0 {
                followed.remove(&number);
                return;
            }
        }
    }
}

/// What one viewer has had.
struct Viewer {
    progress: watch::Receiver<Progress>,
    path: PathBuf,
    started: Timestamp,
    offset: u64,
    stage: String,
    ended: bool,
    _seat: Seat,
}

pub(super) async fn stream(
    State(site): Here,
    Path(number): Path<String>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let number = run_number(&site, &number).await?;
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let seat = site.live.seat().ok_or(Failed::Busy("Too many people follow logs right now"))?;
    let path = site.service.state().run(&run.id).log();
    // A browser that lost the connection says which event it had last; that is newer than what its page was made with.
    let last = headers.get("last-event-id").and_then(|value| value.to_str().ok()).and_then(|value| value.parse().ok());
    let offset = last.or_else(|| query_number(query.as_deref(), "from").map(i64::unsigned_abs)).unwrap_or(0);
    let viewer = Viewer {
        progress: site.live.follow(number, path.clone(), site.service.store().clone()),
        path,
        started: run.started_at.unwrap_or(run.queued_at),
        offset,
        stage: run.stage,
        ended: false,
        _seat: seat,
    };
    let events = futures_util::stream::unfold(viewer, |mut viewer| async move {
        let event = viewer.next().await?;
        Some((Ok::<_, Infallible>(event), viewer))
    });
    let mut response = Sse::new(events).keep_alive(KeepAlive::new().interval(HEARTBEAT)).into_response();
    response.headers_mut().insert(HeaderName::from_static("x-accel-buffering"), HeaderValue::from_static("no"));
    Ok(response)
}

impl Viewer {
    /// The next event, when there is one: lines, a new stage, the end. `None` after the end.
    async fn next(&mut self) -> Option<Event> {
        while !self.ended {
            let now = self.progress.borrow_and_update().clone();
            if now.length > self.offset
                && let Some(event) = self.lines().await
            {
                return Some(event);
            }
            if now.stage != self.stage && now.verdict.is_none() {
                self.stage = now.stage;
                return Event::default().event("stage").data(json!({ "stage": self.stage }).to_string()).into();
            }
            if let Some(verdict) = now.verdict {
                self.ended = true;
                return Event::default().event("done").data(json!({ "verdict": verdict }).to_string()).into();
            }
            self.progress.changed().await.ok()?;
        }
        None
    }

    /// The next lines, if there are whole ones. The event's id is the byte behind them.
    async fn lines(&mut self) -> Option<Event> {
        let (path, offset) = (self.path.clone(), self.offset);
        let piece = tokio::task::spawn_blocking(move || logread::piece(&path, offset, PIECE)).await.ok()?.ok()?;
        if piece.next <= self.offset {
            return None;
        }
        self.offset = piece.next;
        let lines: Vec<Line> = piece.records.iter().map(|record| Line::new(0, record, self.started)).collect();
        Event::default().event("lines").id(self.offset.to_string()).data(serde_json::to_string(&lines).ok()?).into()
    }
}
