//! Watches the app from its deploy to its teardown: events wake, polling backs them, the pure fold decides.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use jiff::SignedDuration;
use tokio::sync::{Notify, watch};
use tokio::task::JoinHandle;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

use super::EngineError;
use super::logs::Followers;
use crate::adapters::docker::DockerError;
use crate::adapters::docker::observe::{Observer, wake_on_events};
use crate::adapters::logfile::LogFile;
use crate::adapters::store::Store;
use crate::domain::convergence::{Memory, Progress, Rules, Wanted, fold, watch as watch_later};
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::ids::{RunId, StackName};
use crate::domain::stage::Stage;
use crate::domain::swarm::Snapshot;

/// Between two looks when nothing wakes.
const POLL: Duration = Duration::from_millis(500);
/// After an event the world is looked at after this moment, so that a burst of events is one look.
const BREATH: Duration = Duration::from_millis(50);
/// The fold's memory is stored at most so often.
const KEEP_EVERY: Duration = Duration::from_secs(1);

/// How far the app is.
#[derive(Debug, Clone, PartialEq)]
pub(super) enum Seen {
    /// On its way.
    Starting,
    /// Everything runs; it is watched further.
    Converged,
    /// It failed, on its way or later.
    Failed(Vec<Finding>),
}

/// What a watcher needs.
pub(super) struct Watcher {
    pub docker: Docker,
    pub stack: StackName,
    pub run: RunId,
    pub store: Store,
    pub log: Arc<LogFile>,
    pub clock_offset: SignedDuration,
    pub depends_on: BTreeMap<String, Vec<String>>,
    pub wanted: Wanted,
    pub memory: Memory,
    /// The fact under which the fold's memory is kept.
    pub memory_key: &'static str,
    pub converged: bool,
    pub rules: Rules,
    /// A target that does not answer for longer is unreachable (design §4).
    pub silence: Duration,
    /// What the app was last said to wait for, numbers left out.
    pub waits: String,
    /// When the memory was last stored.
    pub kept: Option<Instant>,
    /// Whether it has changed since.
    pub unkept: bool,
}

/// A watcher at work.
#[derive(Debug)]
pub(super) struct Watch {
    seen: watch::Receiver<Seen>,
    stage: Arc<Mutex<Stage>>,
    stop: CancellationToken,
    task: JoinHandle<Followers>,
    events: JoinHandle<()>,
}

impl Watch {
    /// Begins to watch in this stage.
    pub(super) fn begin(watcher: Watcher, stage: Stage) -> Self {
        let (sender, seen) = watch::channel(Seen::Starting);
        let stop = CancellationToken::new();
        let stage = Arc::new(Mutex::new(stage));
        let wake = Arc::new(Notify::new());
        let events = tokio::spawn(wake_on_events(watcher.docker.clone(), Arc::clone(&wake), stop.clone()));
        let task = tokio::spawn(watcher.watch(sender, wake, Arc::clone(&stage), stop.clone()));
        Self { seen, stage, stop, task, events }
    }

    /// From now on what happens belongs to this stage.
    pub(super) fn enter(&self, stage: Stage) {
        *self.stage.lock().unwrap_or_else(PoisonError::into_inner) = stage;
    }

    /// Waits until everything runs.
    ///
    /// # Errors
    /// The findings, when it will never run.
    pub(super) async fn converged(&self) -> Result<(), Vec<Finding>> {
        let mut seen = self.seen.clone();
        let decided = seen.wait_for(|seen| *seen != Seen::Starting).await.map(|seen| seen.clone());
        match decided {
            Ok(Seen::Failed(findings)) => Err(findings),
            Ok(Seen::Converged | Seen::Starting) | Err(_) => Ok(()),
        }
    }

    /// Waits until something fails; for ever, if nothing does.
    pub(super) async fn failed(&self) -> Vec<Finding> {
        let mut seen = self.seen.clone();
        let failed = seen.wait_for(|seen| matches!(seen, Seen::Failed(_))).await.map(|seen| seen.clone());
        match failed {
            Ok(Seen::Failed(findings)) => findings,
            Ok(Seen::Starting | Seen::Converged) | Err(_) => std::future::pending().await,
        }
    }

    /// Stops watching, and brings every container's last lines into the log.
    pub(super) async fn end(self) {
        self.stop.cancel();
        if let Ok(followers) = self.task.await {
            followers.finish().await;
        }
        // It ends by the same token.
        let _ended = self.events.await;
    }
}

impl Watcher {
    async fn watch(
        mut self,
        sender: watch::Sender<Seen>,
        wake: Arc<Notify>,
        stage: Arc<Mutex<Stage>>,
        stop: CancellationToken,
    ) -> Followers {
        let mut observer =
            Observer::new(self.docker.clone(), self.stack.clone(), self.clock_offset, self.depends_on.clone());
        let mut followers = Followers::new(self.docker.clone(), Arc::clone(&self.log));
        let mut heard = Instant::now();
        loop {
            let now = *stage.lock().unwrap_or_else(PoisonError::into_inner);
            let looked = tokio::time::timeout(self.silence, observer.look()).await;
            match looked.unwrap_or_else(|_| Err(DockerError::no_answer("look at the app"))) {
                Ok(mut snapshot) => {
                    heard = Instant::now();
                    followers.notice(&snapshot);
                    followers.tell(&mut snapshot);
                    if let Err(error) = self.take_in(&snapshot, now, &sender).await {
                        tracing::warn!(%error, "what was seen could not be stored");
                    }
                }
                Err(error) if heard.elapsed() >= self.silence => {
                    let at = jiff::Timestamp::now() + self.clock_offset;
                    let sentence = sentences::target_silent(self.silence, &error.to_string());
                    sender.send_replace(Seen::Failed(vec![Finding::new(
                        FindingKind::TargetUnreachable,
                        now,
                        at,
                        sentence,
                    )]));
                }
                Err(error) => tracing::debug!(%error, "the target does not answer"),
            }
            tokio::select! {
                () = stop.cancelled() => return followers,
                () = tokio::time::sleep(POLL) => {}
                () = wake.notified() => tokio::time::sleep(BREATH).await,
            }
        }
    }

    async fn take_in(
        &mut self,
        snapshot: &Snapshot,
        stage: Stage,
        sender: &watch::Sender<Seen>,
    ) -> Result<(), EngineError> {
        if matches!(*sender.borrow(), Seen::Failed(_)) {
            return Ok(());
        }
        self.learn_healthchecks(snapshot);
        let before = self.memory.clone();
        let memory = std::mem::take(&mut self.memory);
        let seen = if self.converged {
            let (memory, findings) = watch_later(memory, &self.wanted, snapshot, &self.rules, stage);
            self.memory = memory;
            if findings.is_empty() { Seen::Converged } else { Seen::Failed(findings) }
        } else {
            let (memory, progress) = fold(memory, &self.wanted, snapshot, &self.rules, stage);
            self.memory = memory;
            self.progress(progress)
        };
        let decided = *sender.borrow() != seen;
        // An app may log all the time: what only that changes is kept once a second, and with what was decided.
        self.unkept |= self.memory != before;
        if self.unkept && (decided || self.kept.is_none_or(|kept| kept.elapsed() >= KEEP_EVERY)) {
            (self.unkept, self.kept) = (false, Some(Instant::now()));
            self.store.put_fact(&self.run, self.memory_key, &self.memory).await?;
        }
        if decided {
            sender.send_replace(seen);
        }
        Ok(())
    }

    /// A healthcheck that only the image has shows with the first container.
    fn learn_healthchecks(&mut self, snapshot: &Snapshot) {
        for wanted in self.wanted.services.iter_mut().filter(|wanted| wanted.healthcheck.is_none()) {
            let seen = snapshot.services.iter().find(|service| service.id == wanted.id);
            wanted.healthcheck = seen.and_then(|service| service.healthcheck);
        }
    }

    /// Says what the app waits for, each time that it is something else; seconds that count up are not.
    fn say_waits(&mut self, waits: impl Iterator<Item = String>) {
        let waits: Vec<String> = waits.collect();
        let shape: String = waits.join("; ").chars().filter(|c| !c.is_ascii_digit()).collect();
        if shape != self.waits {
            self.waits = shape;
            self.log.say(format!("waiting: {}", waits.join("; ")));
        }
    }

    fn progress(&mut self, progress: Progress) -> Seen {
        match progress {
            Progress::Starting { waiting_for, warning } => {
                self.say_waits(waiting_for.into_iter().chain(warning));
                Seen::Starting
            }
            Progress::Converged => {
                self.converged = true;
                self.memory
                    .warnings(&self.wanted)
                    .iter()
                    .for_each(|warning| self.log.say(format!("warning: {warning}")));
                Seen::Converged
            }
            Progress::Failed(findings) => Seen::Failed(findings),
        }
    }
}
