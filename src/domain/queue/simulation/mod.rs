//! A day of the queue, simulated: ours beside the plainest queue there is (s51). The bench runs it at full size; a test holds what must
//! always be true.

use std::time::Duration;

use jiff::Timestamp;

use super::{History, Running, Situation, Start, Switches, TargetFacts, TargetState, Waiting};
use super::{between, instant_ms, length_ms, longest_wait, rank};
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;

mod day;
mod fifo;
mod figures;

pub use day::{Day, Planned, Shape};
pub use figures::Figures;

/// Who decides.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Scheduler {
    /// [`decide`](super::decide).
    Ours,
    /// First in, first out, on the first target with room; who is blocked blocks all behind. Capacity and conflicts hold here too.
    Fifo,
}

/// Lives through a day until all its runs have ended. `clock` is any clock that only goes forward, and tells how long decisions take;
/// `|| Duration::ZERO` where nobody wants to know.
#[must_use]
pub fn simulate(day: &Day, scheduler: Scheduler, clock: &mut dyn FnMut() -> Duration) -> Figures {
    let mut world = World::new(day);
    while let Some(now_ms) = world.next_instant_ms() {
        world.advance(now_ms);
        let situation = Situation {
            waiting: &world.waiting,
            running: &world.running,
            targets: &world.targets,
            switches: Switches::default(),
            now: Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX),
        };
        let before = clock();
        let starts = match scheduler {
            Scheduler::Ours => super::decide(&situation),
            Scheduler::Fifo => fifo::decide(&situation),
        };
        world.figures.decided(clock().saturating_sub(before), world.waiting.len());
        for start in &starts {
            world.start(start, now_ms);
        }
    }
    world.finish()
}

struct World<'a> {
    day: &'a Day,
    /// How many of the day's runs have been asked for.
    asked: usize,
    waiting: Vec<Waiting>,
    running: Vec<Running>,
    /// When what runs ends, in the order of `running`.
    ends_ms: Vec<i64>,
    targets: Vec<TargetFacts>,
    history: History,
    started: Vec<(Waiting, i64)>,
    figures: Figures,
}

impl<'a> World<'a> {
    fn new(day: &'a Day) -> Self {
        Self {
            day,
            asked: 0,
            waiting: Vec::new(),
            running: Vec::new(),
            ends_ms: Vec::new(),
            targets: day.targets.clone(),
            history: History::default(),
            started: Vec::new(),
            figures: Figures::default(),
        }
    }

    fn next_instant_ms(&self) -> Option<i64> {
        let asked = self.day.runs.get(self.asked).map(|planned| instant_ms(planned.request.queued_at));
        asked.into_iter().chain(self.ends_ms.iter().copied()).min()
    }

    fn advance(&mut self, now_ms: i64) {
        let due = self.day.runs.iter().skip(self.asked);
        let due: Vec<&Planned> = due.take_while(|planned| instant_ms(planned.request.queued_at) <= now_ms).collect();
        self.asked += due.len();
        self.waiting.extend(due.into_iter().map(|planned| planned.request.clone()));
        while let Some(index) = self.ends_ms.iter().position(|end_ms| *end_ms <= now_ms) {
            self.ends_ms.swap_remove(index);
            let ended = self.running.swap_remove(index);
            let took = between(instant_ms(ended.started_at), now_ms);
            let verdict = if took < ended.limit { Verdict::Green } else { Verdict::NotJudged };
            self.history.record(&ended.subject.recipe, verdict, took);
            let is_empty = self.running.iter().all(|other| other.target != ended.target);
            if let Some(target) = self.targets.iter_mut().find(|target| target.name == ended.target && is_empty) {
                target.state = TargetState::Clean;
            }
        }
    }

    fn start(&mut self, start: &Start, now_ms: i64) {
        let Some(index) = self.waiting.iter().position(|run| run.run == start.run) else {
            self.figures.wrong += 1;
            return;
        };
        let run = self.waiting.swap_remove(index);
        let takes = self.day.takes(&run.run).min(run.limit);
        self.ends_ms.push(now_ms.saturating_add(length_ms(takes)));
        self.running.push(Running {
            run: run.run.clone(),
            subject: run.subject.clone(),
            target: start.target.clone(),
            weight: run.weight,
            ports: run.ports.clone(),
            stage: Stage::Install,
            started_at: Timestamp::from_millisecond(now_ms).unwrap_or(Timestamp::MAX),
            usual: self.history.usual(&run.subject.recipe),
            limit: run.limit,
        });
        self.started.push((run, now_ms));
        self.check(start);
    }

    /// What must never be, said without the policy's own words.
    fn check(&mut self, start: &Start) {
        let Some(target) = self.targets.iter_mut().find(|target| target.name == start.target) else {
            self.figures.wrong += 1;
            return;
        };
        target.state = TargetState::Leased;
        let here: Vec<&Running> = self.running.iter().filter(|run| run.target == start.target).collect();
        let load: u32 = here.iter().map(|run| run.weight.get()).sum();
        // A run that is too heavy for the target may be there, but alone.
        if load > target.capacity && here.len() > 1 {
            self.figures.overruns += 1;
        }
        for (index, one) in self.running.iter().enumerate() {
            for other in self.running.iter().skip(index + 1) {
                let same_recipe = one.subject.recipe == other.subject.recipe;
                let same_port = one.target == other.target && super::ports::conflict(&one.ports, &other.ports);
                self.figures.conflicts += usize::from(same_recipe || same_port);
            }
        }
    }

    fn finish(mut self) -> Figures {
        self.figures.never_started = self.waiting.len();
        for (run, start_ms) in &self.started {
            let waited = between(instant_ms(run.queued_at), *start_ms);
            self.figures.waits.entry(run.cause).or_default().push(waited);
            if waited > longest_wait(run.cause, self.ahead_of(run, *start_ms), self.day.limit()) {
                self.figures.beyond_bound += 1;
            }
        }
        for waits in self.figures.waits.values_mut() {
            waits.sort_unstable();
        }
        self.figures
    }

    /// How many runs ranked ahead of this one at any time while it waited.
    fn ahead_of(&self, run: &Waiting, start_ms: i64) -> u32 {
        let (queued_ms, counts_ms) = (instant_ms(run.queued_at), rank::counts_from_ms(run));
        let ahead = self.started.iter().filter(|(other, other_start_ms)| {
            *other_start_ms >= queued_ms
                && instant_ms(other.queued_at) <= start_ms
                && (rank::counts_from_ms(other), &other.run) < (counts_ms, &run.run)
        });
        u32::try_from(ahead.count()).unwrap_or(u32::MAX)
    }
}
