//! Brings what the app's containers log into the run's log: followed live, and read to the end before teardown.

use std::collections::{BTreeMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use bollard::Docker;
use bollard::container::LogOutput;
use bollard::query_parameters::LogsOptions;
use futures_util::StreamExt as _;
use jiff::Timestamp;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use crate::adapters::logfile::LogFile;
use crate::domain::log::{Record, Source};
use crate::domain::swarm::{Slot, Snapshot};

/// A line that does not end is cut here, so that it cannot fill the memory.
const LONGEST_LINE: usize = 1 << 20;
/// So many of the newest lines of a container are known while it runs, each cut to so many characters.
const TAIL: usize = 20;
const TAIL_LINE: usize = 500;

/// No time has more characters.
const LONGEST_TIME: usize = 40;

/// The newest lines of a container.
type Tail = Arc<Mutex<VecDeque<String>>>;

fn lock(tail: &Tail) -> MutexGuard<'_, VecDeque<String>> {
    tail.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Follows the containers of one stack. Each line is written once, whoever reads it: its time is its position.
#[derive(Debug)]
pub(super) struct Followers {
    docker: Docker,
    log: Arc<LogFile>,
    known: BTreeMap<String, (Source, Tail)>,
    tasks: TaskTracker,
    stop: CancellationToken,
}

impl Followers {
    pub(super) fn new(docker: Docker, log: Arc<LogFile>) -> Self {
        Self { docker, log, known: BTreeMap::new(), tasks: TaskTracker::new(), stop: CancellationToken::new() }
    }

    /// Begins to follow each container that is new in this snapshot.
    pub(super) fn notice(&mut self, snapshot: &Snapshot) {
        for task in &snapshot.tasks {
            let Some(id) = task.container.clone().filter(|id| !self.known.contains_key(id)) else { continue };
            let service = snapshot.services.iter().find(|service| service.id == task.service_id);
            let slot = match &task.slot {
                Slot::Number(number) => number.to_string(),
                Slot::Node(node) => node.chars().take(6).collect(),
            };
            let name = service.map_or("?", |service| service.name.as_str());
            let source = Source::Service { task: format!("{name}.{slot}"), container: id.chars().take(12).collect() };
            let tail = Tail::default();
            self.known.insert(id.clone(), (source.clone(), Arc::clone(&tail)));
            let (docker, log, stop) = (self.docker.clone(), Arc::clone(&self.log), self.stop.clone());
            self.tasks.spawn(async move {
                tokio::select! {
                    () = stop.cancelled() => {}
                    () = copy(&docker, &log, &id, &source, Some(&tail)) => {}
                }
            });
        }
    }

    /// Gives each container that runs its newest lines, and hides secrets in those of all.
    pub(super) fn tell(&self, snapshot: &mut Snapshot) {
        for (id, container) in &mut snapshot.containers {
            if let (true, Some((_, tail))) = (container.running, self.known.get(id)) {
                container.last_lines = lock(tail).iter().cloned().collect();
            }
            let texts = container.last_lines.iter_mut().chain(&mut container.health_log);
            texts.for_each(|text| *text = self.log.masked(text));
        }
    }

    /// Stops following and reads what each container has logged up to now.
    pub(super) async fn finish(self) {
        self.stop.cancel();
        self.tasks.close();
        self.tasks.wait().await;
        for (id, (source, _)) in &self.known {
            copy(&self.docker, &self.log, id, source, None).await;
        }
    }
}

/// Copies a container's lines from where the log stops; with a tail, for as long as it runs. A container that is gone has no more lines; a stream that breaks is
/// made good by the reading at the end.
async fn copy(docker: &Docker, log: &LogFile, id: &str, source: &Source, tail: Option<&Tail>) {
    let follow = tail.is_some();
    let since = i32::try_from(log.position(source) / 1_000_000_000).unwrap_or(0);
    let options = LogsOptions {
        follow,
        stdout: true,
        stderr: true,
        timestamps: true,
        since,
        tail: "all".to_owned(),
        ..Default::default()
    };
    let mut stream = docker.logs(id, Some(options));
    // Standard output and standard error come interleaved; a line may come in pieces.
    let (mut out, mut err) = (Vec::new(), Vec::new());
    while let Some(Ok(piece)) = stream.next().await {
        let unfinished = match &piece {
            LogOutput::StdErr { .. } => &mut err,
            LogOutput::StdOut { .. } | LogOutput::StdIn { .. } | LogOutput::Console { .. } => &mut out,
        };
        let piece = piece.into_bytes();
        // A line of more than 16 KB comes in pieces, and each has a time of its own in front.
        let piece = if unfinished.is_empty() { &piece[..] } else { without_time(&piece) };
        unfinished.extend_from_slice(piece);
        while let Some(end) = unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = unfinished.drain(..=end).collect();
            write(log, source, &line, tail);
        }
        if unfinished.len() > LONGEST_LINE {
            write(log, source, unfinished, tail);
            unfinished.clear();
        }
    }
    if !follow {
        [out, err].iter().filter(|rest| !rest.is_empty()).for_each(|rest| write(log, source, rest, tail));
    }
}

/// A piece that goes on with a line, without the time in front of it.
fn without_time(piece: &[u8]) -> &[u8] {
    let space = piece.iter().take(LONGEST_TIME).position(|byte| *byte == b' ');
    let time = space.and_then(|at| Some((at, std::str::from_utf8(&piece[..at]).ok()?)));
    match time {
        Some((at, time)) if time.parse::<Timestamp>().is_ok() => &piece[at + 1..],
        Some(_) | None => piece,
    }
}

/// `2026-11-24T08:00:00.123456789Z the line`
fn write(log: &LogFile, source: &Source, line: &[u8], tail: Option<&Tail>) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\n', '\r']);
    let (instant, text) = line.split_once(' ').unwrap_or((line, ""));
    let Ok(at) = instant.parse::<Timestamp>() else { return };
    if let Some(tail) = tail {
        let mut tail = lock(tail);
        tail.push_back(text.chars().take(TAIL_LINE).collect());
        let beyond = tail.len().saturating_sub(TAIL);
        tail.drain(..beyond);
    }
    let position = u64::try_from(at.as_nanosecond()).ok();
    log.write(Record { at, source: source.clone(), position, text: text.to_owned() });
}
