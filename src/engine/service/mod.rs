//! The gate as a service: it watches a forge, queues what is asked for, drives the runs, and answers.
//!
//! Each loop is level-triggered: it rereads the database (and the forge, or the target) and drives what it finds forward. A
//! wake-up only makes it look sooner; after a restart every loop finds its work where it was.

mod answers;
mod board;
pub mod control;
mod drive;
mod enrolment;
mod fetch;
mod hooks;
mod kept;
mod outbox;
mod poll;
mod references;
mod request;
mod retention;
mod rights;
mod schedule;
mod settle;
mod situation;
mod targets;
mod tests_file;

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

use jiff::Timestamp;
use secrecy::SecretString;
use tokio::sync::Notify;
use tokio_util::sync::CancellationToken;
use tokio_util::task::{AbortOnDropHandle, TaskTracker};

pub use self::hooks::Delivered;
pub use self::kept::Up;
use self::targets::Sessions;
use super::EngineError;
use super::plan::Limits;
use super::run::Gate;
use crate::adapters::clock::Clock;
use crate::adapters::forge::{Capabilities, Forge, WantedHook};
use crate::domain::enrolment::Enrolment;
use crate::domain::forge::{Login, RepoName};
use crate::domain::ids::RunId;
use crate::domain::queue::History;
use crate::domain::target::Target;

/// What the service watches, and how.
#[derive(Debug, Clone)]
pub struct Watched {
    /// The organisation whose recipes are watched.
    pub organisation: Login,
    /// The watched recipes, unless the tests repository says which.
    pub enrolled: Enrolment,
    /// The repository that holds `recipes.toml`.
    pub tests_repository: Option<RepoName>,
    /// Between two polls.
    pub poll: Duration,
    /// Where people reach this gate, for links.
    pub public_url: String,
    /// How long a run and its target's silence may last.
    pub limits: Limits,
    /// In which time a sweep runs every recipe once; `None`: no sweeps.
    pub sweep_period: Option<Duration>,
    /// So many runs keep their log and report; `None`: all do.
    pub keep_runs: Option<NonZeroU32>,
    /// What deliveries may be signed with; none: none are taken.
    pub webhook_secrets: Vec<SecretString>,
    /// The hook that the gate keeps on the forge itself; `None`: it asks for none.
    pub hook: Option<WantedHook>,
    /// How long a post whose answer never came may still be under way on the forge.
    pub settles_after: Duration,
    /// What brings a target back to its snapshot.
    pub recycle: Option<Recycle>,
}

/// What brings a target back to its snapshot, and when that is done.
#[derive(Debug, Clone)]
pub struct Recycle {
    /// A POST to this address does it; `{target}` in it stands for the target's name.
    pub url: SecretString,
    /// After each run, not only when a target could not be proved clean.
    pub always: bool,
}

/// A round that failed is done again after this, if not sooner.
const AFTER_A_FAILURE: Duration = Duration::from_secs(15);

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
    clock: Clock,
    /// Runs that this process drives, and how to end them.
    driven: Mutex<BTreeMap<RunId, CancellationToken>>,
    /// Runs that could not be driven, and when that is tried again.
    resting: Mutex<BTreeMap<RunId, Instant>>,
    /// What was told of runs that go on, so that a comment is not edited each second.
    told: Mutex<BTreeMap<RunId, answers::Told>>,
    enrolment: Mutex<Enrolment>,
    /// How long runs usually take, and when that was read.
    history: Mutex<Option<(Instant, Arc<History>)>>,
    capabilities: Mutex<Option<Capabilities>>,
    /// Decisions that take longer than a moment.
    settling: Mutex<Option<AbortOnDropHandle<Result<(), EngineError>>>>,
    sessions: Sessions,
    wake: Wake,
    stop: CancellationToken,
    tasks: TaskTracker,
    heard: Mutex<Heard>,
    /// When each loop began its last round.
    beats: Mutex<BTreeMap<Round, Timestamp>>,
    /// The runs of an earlier process were taken up.
    took_up: AtomicBool,
    /// The token may not set commit statuses; said once.
    statuses_refused: AtomicBool,
    /// The token may not set up hooks; said once.
    hooks_refused: AtomicBool,
}

/// One for each loop. A permit is kept, so that a wake-up during a round is not lost.
#[derive(Debug, Default)]
struct Wake {
    poll: Notify,
    work: Notify,
    fetch: Notify,
    answer: Notify,
    references: Notify,
    hooks: Notify,
    targets: Notify,
    retention: Notify,
}

/// The loops of the service.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Round {
    /// From the forge to the inbox.
    Poll,
    /// From the inbox to the queue, and what runs, waits or has ended.
    Work,
    /// The files of requested commits.
    Fetch,
    /// From the outbox to the forge.
    Answer,
    /// Default branches, tags and the sweep.
    References,
    /// The gate's own hook.
    Hooks,
    /// How the targets are.
    Targets,
    /// The files of old runs.
    Retention,
}

impl Round {
    /// All of them.
    pub const ALL: [Self; 8] = [
        Self::Poll,
        Self::Work,
        Self::Fetch,
        Self::Answer,
        Self::References,
        Self::Hooks,
        Self::Targets,
        Self::Retention,
    ];
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
    pub fn new(gate: Gate, forge: Forge, watched: Watched, targets: Vec<Target>, clock: Clock) -> Self {
        let shared = Shared {
            enrolment: Mutex::new(watched.enrolled.clone()),
            gate,
            forge,
            watched,
            targets,
            clock,
            driven: Mutex::default(),
            resting: Mutex::default(),
            told: Mutex::default(),
            history: Mutex::default(),
            capabilities: Mutex::default(),
            settling: Mutex::default(),
            sessions: Sessions::default(),
            wake: Wake::default(),
            stop: CancellationToken::new(),
            tasks: TaskTracker::new(),
            heard: Mutex::default(),
            beats: Mutex::default(),
            took_up: AtomicBool::new(false),
            statuses_refused: AtomicBool::new(false),
            hooks_refused: AtomicBool::new(false),
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
        held(&self.shared.heard).clone()
    }

    /// What the gate's account may do on the forge; `None` before the first look.
    #[must_use]
    pub fn capabilities(&self) -> Option<Capabilities> {
        held(&self.shared.capabilities).clone()
    }

    /// Something was changed in the database by somebody else: look now.
    pub fn wake(&self) {
        self.shared.wake.work.notify_one();
    }

    /// Runs until it is stopped.
    ///
    /// # Errors
    /// When the database cannot be used; everything else is tried again.
    pub async fn serve(&self) -> Result<(), EngineError> {
        self.forget_targets().await?;
        futures_util::future::join_all(Round::ALL.map(|round| self.every(round))).await;
        Ok(())
    }

    /// One round of one of the loops that [`Service::serve`] repeats.
    ///
    /// # Errors
    /// Why it failed; nothing is lost by that, the next round does it again.
    pub async fn round(&self, round: Round) -> Result<(), EngineError> {
        match round {
            Round::Poll => self.poll().await,
            Round::Work => self.work().await,
            Round::Fetch => self.fetch().await,
            Round::Answer => self.flush().await,
            Round::References => self.look_at_references().await,
            Round::Hooks => self.keep_hook().await,
            Round::Targets => self.look_at_targets().await,
            Round::Retention => self.thin_out().await,
        }
    }

    /// One round over everything that this gate decides itself.
    async fn work(&self) -> Result<(), EngineError> {
        self.settle_beside().await?;
        self.drive_what_runs().await?;
        self.shared.took_up.store(true, Ordering::Relaxed);
        self.schedule().await?;
        self.answer_what_ended().await
    }

    /// Repeats a round. One that fails is told, and done again at the next turn.
    async fn every(&self, round: Round) {
        let (pause, wake) = self.pause(round);
        // Said when it begins, when it changes and when it is over, not at each turn.
        let mut trouble = None;
        while !self.shared.stop.is_cancelled() {
            self.beat(round);
            let failed = self.round(round).await.err().map(|error| error.to_string());
            match &failed {
                Some(error) if failed != trouble => tracing::warn!(error, ?round, "a round failed; it is done again"),
                None if trouble.is_some() => tracing::info!(?round, "it works again"),
                Some(_) | None => {}
            }
            let pause = if failed.is_some() { pause.min(AFTER_A_FAILURE) } else { pause };
            trouble = failed;
            tokio::select! {
                () = self.shared.stop.cancelled() => {}
                () = tokio::time::sleep(pause) => {}
                () = wake.notified() => {}
            }
        }
    }

    /// What comes between two rounds, and what makes the next one come sooner.
    fn pause(&self, round: Round) -> (Duration, &Notify) {
        let (wake, second) = (&self.shared.wake, Duration::from_secs(1));
        match round {
            Round::Poll => (self.shared.watched.poll, &wake.poll),
            Round::Work => (second, &wake.work),
            Round::Fetch => (second, &wake.fetch),
            Round::Answer => (second, &wake.answer),
            Round::References => (references::PAUSE, &wake.references),
            Round::Hooks => (hooks::PAUSE, &wake.hooks),
            Round::Targets => (targets::PAUSE, &wake.targets),
            Round::Retention => (retention::PAUSE, &wake.retention),
        }
    }

    fn now(&self) -> Timestamp {
        self.shared.clock.now()
    }

    fn run_url(&self, number: i64) -> String {
        format!("{}/runs/{number}", self.shared.watched.public_url)
    }
}

fn held<T>(it: &Mutex<T>) -> MutexGuard<'_, T> {
    it.lock().unwrap_or_else(PoisonError::into_inner)
}
