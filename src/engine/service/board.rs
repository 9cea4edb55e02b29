//! What pages say of the gate itself, and why each run waits.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::{Heard, Service, held as lock};
use crate::adapters::store::{Asked, RunState, SwitchedOn};
use crate::domain::forge::{PullNumber, RepoName};
use crate::domain::ids::RunId;
use crate::domain::queue::{Reason, Why};
use crate::domain::results::duration;
use crate::domain::target::Target;
use crate::engine::EngineError;

/// Why a run waits.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Waits {
    /// Its place, from 1.
    pub place: usize,
    /// Why, as a part of a sentence.
    pub why: String,
    /// The run that it waits for.
    pub behind: Option<i64>,
    /// In how many milliseconds it is expected to start, where history can tell.
    pub starts_in: Option<u64>,
}

/// A pause as a part of a sentence: `ada paused the gate: new disks`.
#[must_use]
pub fn held(on: &SwitchedOn, draining: bool) -> String {
    let verb = if draining { "drains" } else { "paused" };
    if on.value.is_empty() {
        format!("{} {verb} the gate", on.by)
    } else {
        format!("{} {verb} the gate: {}", on.by, on.value)
    }
}

impl Service {
    /// The configured targets.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.shared.targets
    }

    /// Notes that a loop begins a round.
    pub fn beat(&self, name: &'static str) {
        lock(&self.shared.beats).insert(name, Timestamp::now());
    }

    /// Notes how the forge is doing.
    pub fn hears(&self, heard: Heard) {
        *lock(&self.shared.heard) = heard;
    }

    /// When each loop began its last round, by its name; empty before [`Service::serve`].
    #[must_use]
    pub fn beats(&self) -> BTreeMap<&'static str, Timestamp> {
        lock(&self.shared.beats).clone()
    }

    /// Whether the runs of an earlier process were taken up.
    #[must_use]
    pub fn took_up(&self) -> bool {
        self.shared.took_up.load(Ordering::Relaxed)
    }

    /// The page of a pull request on the forge.
    #[must_use]
    pub fn pull_page(&self, repository: &str, pull: u64) -> Option<String> {
        let pull = i64::try_from(pull).ok().and_then(|pull| PullNumber::new(pull).ok())?;
        Some(self.shared.forge.pull_url(&RepoName::parse(repository).ok()?, pull))
    }

    /// How long a green run of this recipe usually takes, in milliseconds: the median of the last ten.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn usual(&self, recipe: &str) -> Result<Option<u64>, EngineError> {
        let mut times = self.store().green_times(recipe).await?;
        times.sort_unstable();
        Ok(times.get(times.len() / 2).and_then(|ms| u64::try_from(*ms).ok()))
    }

    /// Why each waiting run waits.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn waits(&self) -> Result<BTreeMap<RunId, Waits>, EngineError> {
        let open = self.store().open_runs().await?;
        let switches = self.store().switches().await?;
        let paused = switches.held().map(|on| held(on, switches.drain.is_some()));
        let whys = self.situation(&open).await?.explained();
        let waits = whys.into_iter().map(|(run, why)| {
            let mut waits = waits(&why, &open, paused.as_deref());
            let fetching = |it: &Asked| it.id == run && it.state == RunState::Fetching;
            if paused.is_none() && open.iter().any(fetching) {
                "its commit is being fetched".clone_into(&mut waits.why);
            }
            (run, waits)
        });
        Ok(waits.collect())
    }
}

fn waits(why: &Why, open: &[Asked], paused: Option<&str>) -> Waits {
    let number = |id: &RunId| open.iter().find(|run| run.id == *id).map(|run| run.number);
    let other = |id: &RunId| number(id).map_or_else(|| "another run".to_owned(), |number| format!("run {number}"));
    let behind = why.behind.as_ref();
    let named = |id: &RunId| match behind.filter(|run| run.run == *id) {
        Some(run) => {
            let usual = run.usual.map_or_else(String::new, |usual| format!("; usually {}", duration(ms(usual))));
            format!("{} ({}, {}, {}{usual})", other(id), run.recipe, run.stage.name(), duration(ms(run.elapsed)))
        }
        None => other(id),
    };
    let text = match &why.reason {
        Reason::Starts => "it starts at the next look at the queue".to_owned(),
        Reason::Paused | Reason::Draining => paused.unwrap_or("the gate is paused").to_owned(),
        Reason::NoTarget => "no test target is in order".to_owned(),
        Reason::RecipeRuns(id) | Reason::RecipeWaits(id) => {
            format!("behind {}, since runs of one recipe go one after the other", named(id))
        }
        Reason::PortTaken(id) => format!("behind {}, which publishes the same port of the host", named(id)),
        Reason::RoomKept(id) => format!("behind {}, which has waited longer and needs the room", other(id)),
        Reason::Full => {
            behind.map_or_else(|| "behind those above".to_owned(), |run| format!("behind {}", named(&run.run)))
        }
    };
    Waits {
        place: why.place,
        why: text,
        behind: behind.and_then(|run| number(&run.run)),
        starts_in: why.starts_in.map(|eta| ms(eta.after)),
    }
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}
