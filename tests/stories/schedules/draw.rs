//! What happens in a schedule, drawn from its seed.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::time::Duration;

use cc_ci::engine::service::Round;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};

use crate::ends::Ends;
use crate::fake::{Draw, Wrong};

/// Pull requests; the last one is an outsider's, from a fork.
pub(super) const PULLS: i64 = 3;

/// One thing that happens.
#[derive(Debug, Clone, Copy, PartialEq)]
pub(super) enum Step {
    Say {
        pull: i64,
        who: &'static str,
        what: &'static str,
    },
    Push {
        pull: i64,
    },
    /// One of the deliveries so far comes, again or for the first time.
    Deliver(usize),
    Round(Round),
    /// A round of each kind.
    Turn,
    /// The gate is killed within a round, when that has waited so often, and started again.
    KilledIn(Round, u32),
    Kill,
    Pass(u32),
    Jump(i64),
    /// One of the open runs ends.
    End(usize, Ends),
}

/// A world's story.
#[derive(Debug, Clone)]
pub(super) struct Schedule {
    pub(super) seed: u64,
    pub(super) steps: Vec<Step>,
    /// So many of a hundred writes go wrong, and a fifth of that of all reads: else nobody ever gets as far as a write.
    pub(super) faults: u32,
}

fn one<T: Copy>(random: &mut StdRng, of: &[T]) -> T {
    of[random.random_range(0..of.len())]
}

pub(super) const ROUNDS: [Round; 3] = [Round::Poll, Round::Work, Round::Answer];

impl Schedule {
    pub(super) fn draw(seed: u64) -> Self {
        let mut random = StdRng::seed_from_u64(seed);
        let faults = one(&mut random, &[0, 10, 25, 50, 75]);
        let count = random.random_range(5..14);
        // Somebody asks, and is heard.
        let begin = [say(&mut random, "maintainer"), Step::Round(Round::Poll), Step::Round(Round::Work)];
        let steps = begin.into_iter().chain((0..count).map(|_| step(&mut random))).collect();
        Self { seed, steps, faults }
    }

    /// Draws what goes wrong. The n-th request of a kind always fares the same, in whatever order they come.
    pub(super) fn faults(&self) -> Draw {
        let (seed, faults, mut seen) = (self.seed, self.faults, HashMap::<(String, String), u32>::new());
        Box::new(move |method, path| {
            let times = seen.entry((method.to_owned(), path.to_owned())).or_default();
            *times += 1;
            let mut hasher = DefaultHasher::new();
            (seed, method, path, *times).hash(&mut hasher);
            let faults = if method == "GET" { faults / 5 } else { faults };
            wrong(&mut StdRng::seed_from_u64(hasher.finish()), faults)
        })
    }
}

fn say(random: &mut StdRng, who: &'static str) -> Step {
    let asks = ["!testme", "!testme", "!testme", "!testme help", "!testme status", "!testme cancel", "!testme retry"];
    let all = asks.into_iter().chain(["!testme --nonsense", "looks good"]).collect::<Vec<_>>();
    Step::Say { pull: random.random_range(1..=PULLS), who, what: one(random, &all) }
}

fn step(random: &mut StdRng) -> Step {
    match random.random_range(0..100) {
        0..14 => say(random, "maintainer"),
        14..18 => say(random, "outsider"),
        18..22 => Step::Push { pull: random.random_range(1..=PULLS) },
        22..30 => Step::Deliver(random.random_range(0..20)),
        30..56 => Step::Turn,
        56..66 => Step::Round(one(random, &ROUNDS)),
        66..76 => Step::KilledIn(one(random, &ROUNDS), random.random_range(1..25)),
        76..79 => Step::Kill,
        79..90 => Step::Pass(one(random, &[1, 5, 15, 40, 130, 400])),
        90..93 => Step::Jump(one(random, &[-90_000, -40, 40, 3_600, 90_000])),
        _ => Step::End(random.random_range(0..4), one(random, &[Ends::Green, Ends::Red, Ends::Infra])),
    }
}

fn wrong(random: &mut StdRng, of_a_hundred: u32) -> Option<Wrong> {
    if random.random_range(0..100) >= of_a_hundred {
        return None;
    }
    let says = |status, headers: &[(&'static str, String)]| Wrong::Say {
        status,
        headers: headers.to_vec(),
        body: String::new(),
    };
    Some(match random.random_range(0..8) {
        0 => says(500, &[]),
        1 => says(502, &[]),
        2 => says(429, &[("retry-after", random.random_range(1..120).to_string())]),
        3 => says(429, &[]),
        4 => Wrong::CutBefore,
        5 | 6 => Wrong::CutAfter,
        // As long as a forge may take, and no longer.
        _ => Wrong::Late(Duration::from_secs(random.random_range(1..25))),
    })
}
