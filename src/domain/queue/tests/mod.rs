//! Stories about a few runs, properties over random queues, and a simulated day.

use std::collections::BTreeSet;
use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::*;
use crate::domain::ids::{CommitSha, RecipeName, RunId, TargetName};
use crate::domain::stage::Stage;

mod day;
mod explanations;
mod properties;
mod requests;
mod stories;

const LIMIT: Duration = Duration::from_secs(3600);
const MINUTE: i64 = 60;

/// The story's clock begins here.
fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_700_000_000 + second).unwrap()
}

fn run_id(number: u8) -> RunId {
    RunId::from_random([b'a', b'a', b'a', b'a', b'a', b'a', b'a', b'a', b'a', b'a', number / 32, number % 32])
}

fn subject(recipe: &str, pr: Option<u64>, head: u8) -> Subject {
    Subject {
        recipe: RecipeName::parse(recipe).unwrap(),
        pr: pr.map(|number| PullRequest { repo: format!("coop/{recipe}"), number }),
        head: CommitSha::parse(&format!("{head:040x}")).unwrap(),
        options: String::new(),
    }
}

/// A light run for a pull request of that recipe.
fn waiting(number: u8, recipe: &str, second: i64) -> Waiting {
    Waiting {
        run: run_id(number),
        subject: subject(recipe, Some(1), number),
        cause: Cause::Pr,
        weight: NonZeroU32::MIN,
        ports: Vec::new(),
        images: BTreeSet::new(),
        queued_at: at(second),
        limit: LIMIT,
    }
}

fn heavy(weight: u32, run: Waiting) -> Waiting {
    Waiting { weight: NonZeroU32::new(weight).unwrap(), ..run }
}

fn swept(run: Waiting) -> Waiting {
    Waiting { cause: Cause::Sweep, subject: Subject { pr: None, ..run.subject }, ..run }
}

fn publishing(port: u16, run: Waiting) -> Waiting {
    Waiting { ports: vec![HostPort::tcp(port)], ..run }
}

fn running(run: &Waiting, target: &str, second: i64) -> Running {
    Running {
        run: run.run.clone(),
        subject: run.subject.clone(),
        target: TargetName::parse(target).unwrap(),
        weight: run.weight,
        ports: run.ports.clone(),
        stage: Stage::Install,
        started_at: at(second),
        usual: None,
        limit: run.limit,
    }
}

fn target(name: &str, capacity: u32, state: TargetState) -> TargetFacts {
    TargetFacts { name: TargetName::parse(name).unwrap(), capacity, state, draining: false, images: BTreeSet::new() }
}

fn situation<'a>(
    waiting: &'a [Waiting],
    running: &'a [Running],
    targets: &'a [TargetFacts],
    second: i64,
) -> Situation<'a> {
    Situation { waiting, running, targets, switches: Switches::default(), now: at(second) }
}

/// The starts, as `run number@target`; the number is the last two digits of the run in base 32.
fn starts(situation: &Situation<'_>) -> Vec<String> {
    decide(situation).iter().map(|start| format!("{}@{}", number(&start.run), start.target)).collect()
}

fn number(run: &RunId) -> usize {
    (0..=255).find(|number| run_id(*number) == *run).map(usize::from).unwrap()
}
