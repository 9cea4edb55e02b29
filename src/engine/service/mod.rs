//! The gate as a service: it watches a forge, queues what is asked for, drives the runs, and answers.
//!
//! Each loop is level-triggered: it rereads the database (and the forge, or the target) and drives what it finds forward. A
//! wake-up only makes it look sooner; after a restart every loop finds its work where it was.

mod board;
pub mod control;
mod fetch;
mod intake;
mod outbox;
mod schedule;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

pub use board::{Waits, held};
use jiff::Timestamp;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::EngineError;
use super::run::Gate;
use crate::adapters::forge::Forge;
use crate::domain::ids::RunId;
use crate::domain::target::Target;

/// What the service watches, and how.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The organisation whose recipes are watched.
    pub organisation: String,
    /// The watched recipes by name; empty: all of the organisation.
    pub recipes: BTreeSet<String>,
    /// Between two polls.
    pub poll: Duration,
    /// Where people reach this gate, for links.
    pub public_url: String,
}

/// The service.
#[derive(Debug, Clone)]
pub struct Service {
    shared: Arc<Shared>,
}

#[derive(Debug)]
struct Shared {
    gate: Gate,
    forge: Forge,
    watched: Watched,
    targets: Vec<Target>,
    /// Runs that this process drives, and how to cancel them.
    driven: Mutex<BTreeMap<RunId, CancellationToken>>,
    wake: Notify,
    stop: CancellationToken,
    tasks: TaskTracker,
    heard: Mutex<Heard>,
    /// When each loop began its last round.
    beats: Mutex<BTreeMap<&'static str, Timestamp>>,
    /// The runs of an earlier process were taken up.
    took_up: AtomicBool,
    /// The token may not set commit statuses; said once.
    statuses_refused: AtomicBool,
}

/// How the forge is doing, for pages.
#[derive(Debug, Clone, Default)]
pub struct Heard {
    /// When it last answered a poll.
    pub polled_at: Option<Timestamp>,
    /// Why it does not, if it does not.
    pub trouble: Option<String>,
}

impl Service {
    /// A service; nothing happens before [`Service::serve`].
    #[must_use]
    pub fn new(gate: Gate, forge: Forge, watched: Watched, targets: Vec<Target>) -> Self {
        let shared = Shared {
            gate,
            forge,
            watched,
            targets,
            driven: Mutex::default(),
            wake: Notify::new(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            heard: Mutex::default(),
            beats: Mutex::default(),
            took_up: AtomicBool::new(false),
            statuses_refused: AtomicBool::new(false),
        };
        Self { shared: Arc::new(shared) }
    }

    /// Cancelling this ends the service: no run is started any more, those that go on are left to the next process.
    #[must_use]
    pub fn stop(&self) -> CancellationToken {
        self.shared.stop.clone()
    }

    /// The database, for pages.
    #[must_use]
    pub fn store(&self) -> &crate::adapters::store::Store {
        &self.shared.gate.store
    }

    /// The state folder, for pages.
    #[must_use]
    pub fn state(&self) -> &super::state::StateFolder {
        &self.shared.gate.state
    }

    /// What is watched.
    #[must_use]
    pub fn watched(&self) -> &Watched {
        &self.shared.watched
    }

    /// How the forge is doing.
    #[must_use]
    pub fn heard(&self) -> Heard {
        self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Runs until it is stopped.
    ///
    /// # Errors
    /// When the database cannot be used; everything else is tried again.
    pub async fn serve(&self) -> Result<(), EngineError> {
        self.take_up().await?;
        self.shared.took_up.store(true, Ordering::Relaxed);
        let polling = self.clone().every(self.shared.watched.poll, "poll", Self::poll);
        let working = self.clone().every(Duration::from_secs(1), "work", Self::work);
        let answering = self.clone().every(Duration::from_secs(1), "answer", Self::flush);
        tokio::join!(polling, working, answering);
        Ok(())
    }

    /// One round over everything that this gate decides itself.
    async fn work(&self) -> Result<(), EngineError> {
        self.obey().await?;
        self.settle().await?;
        self.fetch().await?;
        self.schedule().await
    }

    /// Repeats a round. One that fails is told, and done again at the next turn.
    async fn every(self, pause: Duration, name: &'static str, round: impl AsyncFn(&Self) -> Result<(), EngineError>) {
        while !self.shared.stop.is_cancelled() {
            self.beat(name);
            if let Err(error) = round(&self).await {
                tracing::warn!(%error, name, "a round failed; it is done again");
            }
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = self.shared.wake.notified() => {}
            }
        }
    }

    fn run_url(&self, number: i64) -> String {
        format!("{}/runs/{number}", self.shared.watched.public_url)
    }
}
