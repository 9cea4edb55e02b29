//! A made-up day: the same seed gives the same day.

use std::collections::{BTreeMap, BTreeSet};
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use crate::domain::ids::{CommitSha, RecipeName, RunId, TargetName};
use crate::domain::queue::{Cause, HostPort, PullRequest, Subject, TargetFacts, TargetState, Waiting};

const MINUTE_MS: u64 = 60_000;
const LIMIT: Duration = Duration::from_secs(3600);

/// How a day looks.
#[derive(Debug, Clone, Copy)]
pub struct Shape {
    /// Where the random numbers begin.
    pub seed: u64,
    /// Enrolled recipes, each with its weight, usual time, images and perhaps a host port.
    pub recipes: u64,
    /// Targets.
    pub targets: u64,
    /// Capacity units of each.
    pub capacity: u32,
    /// Runs for pull requests between 8 and 20 h.
    pub pull_requests: u64,
    /// Runs for pull requests that all come within five minutes at 9 h, as from an upgrader.
    pub burst: u64,
    /// Runs after a merge, between 8 and 20 h.
    pub post_merges: u64,
    /// Sweep runs, spread over the day.
    pub sweeps: u64,
    /// Sweep runs that are all due between 8 h and 8 h 30, as after an outage.
    pub overdue_sweeps: u64,
}

impl Default for Shape {
    /// Scenario s51.
    fn default() -> Self {
        Self {
            seed: 51,
            recipes: 200,
            targets: 5,
            capacity: 4,
            pull_requests: 400,
            burst: 120,
            post_merges: 100,
            sweeps: 200,
            overdue_sweeps: 200,
        }
    }
}

/// A run that will be asked for.
#[derive(Debug, Clone)]
pub struct Planned {
    /// The request.
    pub request: Waiting,
    /// How long it will take.
    pub takes: Duration,
}

/// A day.
#[derive(Debug, Clone)]
pub struct Day {
    /// The targets, all clean.
    pub targets: Vec<TargetFacts>,
    /// The runs, by the instant at which they are asked for.
    pub runs: Vec<Planned>,
    takes: BTreeMap<RunId, Duration>,
}

impl Day {
    /// A day of one's own.
    #[must_use]
    pub fn new(targets: Vec<TargetFacts>, mut runs: Vec<Planned>) -> Self {
        runs.sort_by_key(|planned| planned.request.queued_at);
        let takes = runs.iter().map(|planned| (planned.request.run.clone(), planned.takes)).collect();
        Self { targets, runs, takes }
    }

    /// Makes up a day.
    #[must_use]
    pub fn of(shape: &Shape) -> Self {
        let mut random = Random(shape.seed);
        let recipes: Vec<Recipe> = (0..shape.recipes).filter_map(|number| Recipe::of(number, &mut random)).collect();
        let targets = (0..shape.targets).filter_map(|number| target(number, shape.capacity)).collect();
        let kinds = [
            (Cause::Pr, shape.pull_requests, 8 * 60, 12 * 60),
            (Cause::Pr, shape.burst, 9 * 60, 5),
            (Cause::PostMerge, shape.post_merges, 8 * 60, 12 * 60),
            (Cause::Sweep, shape.sweeps, 0, 24 * 60),
            (Cause::Sweep, shape.overdue_sweeps, 8 * 60, 30),
        ];
        let mut runs = Vec::new();
        for (cause, count, from_minute, minutes) in kinds {
            for number in 0..count {
                let at_ms = from_minute * MINUTE_MS + random.below(minutes * MINUTE_MS);
                // A sweep goes over all recipes in turn; people do not.
                let index = if cause == Cause::Sweep { number % shape.recipes } else { random.below(shape.recipes) };
                let recipe = usize::try_from(index).ok().and_then(|index| recipes.get(index));
                runs.extend(recipe.and_then(|recipe| recipe.run(cause, at_ms, &mut random)));
            }
        }
        Self::new(targets, runs)
    }

    pub(super) fn takes(&self, run: &RunId) -> Duration {
        self.takes.get(run).copied().unwrap_or_default()
    }

    /// The longest total limit of the day.
    pub(super) fn limit(&self) -> Duration {
        self.runs.iter().map(|planned| planned.request.limit).max().unwrap_or_default()
    }
}

struct Recipe {
    name: RecipeName,
    weight: NonZeroU32,
    usual_ms: u64,
    ports: Vec<HostPort>,
    images: BTreeSet<String>,
}

impl Recipe {
    fn of(number: u64, random: &mut Random) -> Option<Self> {
        let weight = match random.below(20) {
            0..=11 => 1,
            12..=16 => 2,
            17..=18 => 3,
            _ => 4,
        };
        // A host port has one recipe in twenty, and two recipes in sixty have the same one.
        let ports = [HostPort::tcp(25), HostPort::tcp(3478), HostPort::tcp(5222)];
        let port = usize::try_from(random.below(60)).ok().and_then(|index| ports.get(index).copied());
        Some(Self {
            name: RecipeName::parse(&format!("recipe-{number}")).ok()?,
            weight: NonZeroU32::new(weight)?,
            usual_ms: random.between(2 * MINUTE_MS, 16 * MINUTE_MS),
            ports: port.into_iter().collect(),
            images: (0..random.between(1, 4)).map(|_| format!("image-{}", random.below(60))).collect(),
        })
    }

    fn run(&self, cause: Cause, at_ms: u64, random: &mut Random) -> Option<Planned> {
        let head = CommitSha::parse(&format!("{:040x}", random.next())).ok()?;
        let pr =
            (cause == Cause::Pr).then(|| PullRequest { repo: format!("coop/{}", self.name), number: random.next() });
        let takes_ms = match random.below(100) {
            0 => 60 * MINUTE_MS,
            _ => random.between(self.usual_ms * 3 / 4, self.usual_ms * 5 / 4),
        };
        let request = Waiting {
            run: random.run(),
            subject: Subject { recipe: self.name.clone(), pr, head, options: String::new() },
            cause,
            weight: self.weight,
            ports: self.ports.clone(),
            images: self.images.clone(),
            queued_at: Timestamp::from_millisecond(i64::try_from(at_ms).ok()?).ok()?,
            limit: LIMIT,
        };
        Some(Planned { request, takes: Duration::from_millis(takes_ms) })
    }
}

fn target(number: u64, capacity: u32) -> Option<TargetFacts> {
    let name = TargetName::parse(&format!("swarm-{number}")).ok()?;
    Some(TargetFacts { name, capacity, state: TargetState::Clean, draining: false, images: BTreeSet::new() })
}

/// splitmix64: enough for made-up days, and the same on every machine and with every version of every crate.
struct Random(u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without it.
    fn below(&mut self, end: u64) -> u64 {
        self.next() % end.max(1)
    }

    fn between(&mut self, from: u64, end: u64) -> u64 {
        from + self.below(end.saturating_sub(from))
    }

    fn run(&mut self) -> RunId {
        let mut bytes = [0; 12];
        bytes[..8].copy_from_slice(&self.next().to_le_bytes());
        bytes[8..].copy_from_slice(&self.next().to_le_bytes()[..4]);
        RunId::from_random(bytes)
    }
}
