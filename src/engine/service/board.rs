//! What pages say of the gate itself, and why each run waits.

use std::collections::BTreeMap;
use std::sync::PoisonError;
use std::sync::atomic::Ordering;

use jiff::Timestamp;

use super::{Heard, Service};
use crate::adapters::store::{Open, SwitchedOn};
use crate::domain::ids::RunId;
use crate::domain::results::{duration, ms_between};
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
        self.shared.beats.lock().unwrap_or_else(PoisonError::into_inner).insert(name, Timestamp::now());
    }

    /// Notes how the forge is doing.
    pub fn hears(&self, heard: Heard) {
        *self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner) = heard;
    }

    /// When each loop began its last round, by its name; empty before [`Service::serve`].
    #[must_use]
    pub fn beats(&self) -> BTreeMap<&'static str, Timestamp> {
        self.shared.beats.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }

    /// Whether the runs of an earlier process were taken up.
    #[must_use]
    pub fn took_up(&self) -> bool {
        self.shared.took_up.load(Ordering::Relaxed)
    }

    /// The page of a pull request on the forge.
    #[must_use]
    pub fn pull_page(&self, repository: &str, pull: u64) -> Option<String> {
        (!repository.is_empty()).then(|| self.shared.forge.pull_url(repository, pull))
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
        let held = switches.held().map(|on| held(on, switches.drain.is_some()));
        let mut usual = BTreeMap::new();
        for run in &open {
            if !usual.contains_key(&run.recipe) {
                usual.insert(run.recipe.clone(), self.usual(&run.recipe).await?);
            }
        }
        Ok(explain(&open, &usual, self.shared.targets.len(), held.as_deref(), Timestamp::now()))
    }
}

/// Where targets become free, and who waits for what. `usual`: milliseconds by recipe.
fn explain(
    open: &[Open],
    usual: &BTreeMap<String, Option<u64>>,
    targets: usize,
    held: Option<&str>,
    now: Timestamp,
) -> BTreeMap<RunId, Waits> {
    let usual = |recipe: &str| usual.get(recipe).copied().flatten();
    let running: Vec<&Open> = open.iter().filter(|run| run.state == "running").collect();
    let left = |run: &Open| usual(&run.recipe).map(|ms| ms.saturating_sub(elapsed(run, now)));
    // When each target is free, and by whose end; `None` stands for "nobody can tell".
    let mut free: Vec<(Option<u64>, Option<&Open>)> = running.iter().map(|run| (left(run), Some(*run))).collect();
    free.resize(free.len().max(targets), (Some(0), None));
    let mut waits = BTreeMap::new();
    for (index, run) in open.iter().filter(|run| run.state != "running").enumerate() {
        free.sort_by_key(|(at, _)| at.unwrap_or(u64::MAX));
        let same = running.iter().find(|other| other.recipe == run.recipe).copied();
        let (target_at, target_by) = free.first().copied().unwrap_or((None, None));
        let behind = same.or(target_by);
        let starts_in = match same {
            Some(same) => left(same).zip(target_at).map(|(own, target)| own.max(target)),
            None => target_at,
        };
        let why = match (held, run.state.as_str(), behind) {
            (Some(held), _, _) => held.to_owned(),
            (None, "fetching", _) => "its commit is being fetched".to_owned(),
            (None, _, Some(other)) if same.is_some() => {
                format!(
                    "behind {}, since runs of one recipe go one after the other",
                    named(other, usual(&other.recipe), now)
                )
            }
            (None, _, Some(other)) => format!("behind {}", named(other, usual(&other.recipe), now)),
            (None, _, None) if index > 0 => "behind those above".to_owned(),
            (None, _, None) => "it starts at the next look at the queue".to_owned(),
        };
        if let Some(first) = free.first_mut() {
            *first = (starts_in.zip(usual(&run.recipe)).map(|(at, ms)| at + ms), target_by);
        }
        let (behind, starts_in) =
            if held.is_some() { (None, None) } else { (behind.map(|other| other.number), starts_in) };
        waits.insert(run.id.clone(), Waits { place: index + 1, why, behind, starts_in });
    }
    waits
}

/// `run 230 (immich, 3 min 10 s; usually 6 min)`.
fn named(run: &Open, usual: Option<u64>, now: Timestamp) -> String {
    let usual = usual.map_or_else(String::new, |ms| format!("; usually {}", duration(ms)));
    format!("run {} ({}, {}{usual})", run.number, run.recipe, duration(elapsed(run, now)))
}

fn elapsed(run: &Open, now: Timestamp) -> u64 {
    ms_between(run.started_at.unwrap_or(now), now)
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;

    use super::*;
    use crate::adapters::store::Cause;

    fn run(number: u8, state: &str, recipe: &str) -> Open {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(10);
        Open {
            id: RunId::from_random([number; 12]),
            number: i64::from(number),
            state: state.into(),
            cause: Cause::PullRequest,
            recipe: recipe.into(),
            repository: format!("recipes/{recipe}"),
            pull: Some(1),
            head: None,
            asked_by: None,
            options: "{}".into(),
            attempt: 1,
            weight: 1,
            ports: "[]".into(),
            images: "[]".into(),
            queued_at: now,
            target: None,
            started_at: (state == "running").then_some(now - SignedDuration::from_mins(3)),
            cancelled: None,
        }
    }

    fn told(open: &[Open], targets: usize, held: Option<&str>) -> Vec<(String, Option<u64>)> {
        let usual = BTreeMap::from([("immich".to_owned(), Some(360_000)), ("notes".to_owned(), Some(60_000))]);
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_mins(10);
        let waits = explain(open, &usual, targets, held, now);
        let mut waits: Vec<_> = waits.into_values().collect();
        waits.sort_by_key(|waits| waits.place);
        waits.into_iter().map(|waits| (waits.why, waits.starts_in)).collect()
    }

    #[test]
    fn s50_each_says_behind_whom_and_when_it_starts() {
        let open = [run(1, "running", "immich"), run(2, "queued", "notes"), run(3, "queued", "ghost")];
        let told = told(&open, 1, None);
        assert_eq!(told[0], ("behind run 1 (immich, 3 min; usually 6 min)".to_owned(), Some(180_000)));
        assert_eq!(told[1].1, Some(240_000));
    }

    #[test]
    fn s50_with_room_only_the_same_recipe_waits_for_it() {
        let open = [run(1, "running", "immich"), run(2, "queued", "immich"), run(3, "queued", "notes")];
        let told = told(&open, 3, None);
        assert!(told[0].0.contains("one after the other"), "{told:?}");
        assert_eq!(told[1].1, Some(0));
    }

    #[test]
    fn s53_in_a_pause_nothing_has_an_end_that_can_be_told() {
        let told = told(&[run(1, "queued", "notes")], 1, Some("ada paused the gate: new disks"));
        assert_eq!(told, [("ada paused the gate: new disks".to_owned(), None)]);
    }
}
