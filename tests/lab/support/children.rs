//! What the gate under test starts: only programs of a committed list.

use std::collections::BTreeSet;
use std::fs;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex};
use std::thread::JoinHandle;
use std::time::Duration;

/// The programs that a gate may start, one per line.
const ALLOWED: &str = include_str!("../children.allow");

/// Looks at the process list of a gate for as long as it runs.
pub(crate) struct Children {
    seen: Arc<Mutex<BTreeSet<String>>>,
    stop: Arc<AtomicBool>,
    thread: Option<JoinHandle<()>>,
}

impl Children {
    /// Begins to look.
    pub(crate) fn of(gate: u32) -> Self {
        let (seen, stop) = (Arc::<Mutex<BTreeSet<String>>>::default(), Arc::<AtomicBool>::default());
        let (noted, stopped) = (Arc::clone(&seen), Arc::clone(&stop));
        let thread = std::thread::spawn(move || {
            while !stopped.load(Ordering::Relaxed) {
                noted.lock().unwrap().extend(below(gate));
                std::thread::sleep(Duration::from_millis(5));
            }
        });
        Self { seen, stop, thread: Some(thread) }
    }

    /// The programs that were seen.
    pub(crate) fn seen(&self) -> BTreeSet<String> {
        self.seen.lock().unwrap().clone()
    }

    /// Ends the look; nothing may have been seen that is not on the list.
    pub(crate) fn end(&mut self) {
        self.stop.store(true, Ordering::Relaxed);
        let Some(thread) = self.thread.take() else { return };
        thread.join().unwrap();
        let foreign: Vec<String> =
            self.seen().into_iter().filter(|name| ALLOWED.lines().all(|allowed| allowed != name)).collect();
        assert!(foreign.is_empty() || std::thread::panicking(), "the gate started {foreign:?}");
    }
}

/// The names of the programs below a process. One that has not become another program yet is the gate itself.
fn below(gate: u32) -> Vec<String> {
    let own = fs::read_link(format!("/proc/{gate}/exe")).ok();
    let mut found = vec![gate];
    let all: Vec<(u32, u32)> = fs::read_dir("/proc")
        .into_iter()
        .flatten()
        .flatten()
        .filter_map(|entry| entry.file_name().to_str()?.parse().ok())
        .filter_map(|pid: u32| Some((pid, parent(pid)?)))
        .collect();
    let mut names = Vec::new();
    while let Some(parent) = found.pop() {
        for (pid, _) in all.iter().filter(|(_, of)| *of == parent) {
            found.push(*pid);
            let program = fs::read_link(format!("/proc/{pid}/exe")).ok();
            if program.is_some() && program != own {
                names.extend(fs::read_to_string(format!("/proc/{pid}/comm")).ok().map(|name| name.trim().to_owned()));
            }
        }
    }
    names
}

/// The parent of a process: behind the name, which may hold anything.
fn parent(pid: u32) -> Option<u32> {
    let stat = fs::read_to_string(format!("/proc/{pid}/stat")).ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(1)?.parse().ok()
}
