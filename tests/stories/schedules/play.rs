//! Plays a schedule, and looks at what the forge shows when it is over.

use std::collections::BTreeMap;
use std::panic::AssertUnwindSafe;
use std::pin::pin;
use std::task::Poll;

use cc_ci::adapters::store::Asked;
use cc_ci::domain::answer::marker;
use cc_ci::engine::service::Round;
use futures_util::FutureExt as _;

use super::draw::{PULLS, ROUNDS, Schedule, Step};
use crate::ends::Ends;
use crate::scene::{NOTES, Scene, sha};

/// Comments with more than one run of the same try, and what was given up for no good reason.
const WRONG_ROWS: &str = "
    SELECT 'more than one run for comment ' || comment FROM run GROUP BY comment, attempt HAVING count(*) > 1
    UNION ALL SELECT 'given up: ' || key || ': ' || coalesce(error, '') FROM outbox
        WHERE state = 'given_up' AND kind <> 'status' AND error <> 'another one took its place'";

/// What was wrong at the end.
#[derive(Debug, Clone)]
pub(super) struct Broken {
    pub(super) lost: usize,
    pub(super) doubled: usize,
    pub(super) why: Vec<String>,
}

/// Plays it in a world of its own.
pub(super) fn play(schedule: &Schedule) -> Result<(), Broken> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().unwrap();
    let played = runtime.block_on(AssertUnwindSafe(Played::play(schedule)).catch_unwind());
    let panicked = |cause: Box<dyn std::any::Any + Send>| {
        let why = cause.downcast_ref::<String>().cloned().unwrap_or_else(|| "it panicked".to_owned());
        Err(Broken { lost: 0, doubled: 0, why: vec![why] })
    };
    played.unwrap_or_else(panicked)
}

struct Played {
    scene: Scene,
    /// What was written, by whom, where.
    said: Vec<(i64, i64, &'static str, &'static str)>,
    heads: u32,
}

impl Played {
    async fn play(schedule: &Schedule) -> Result<(), Broken> {
        let scene = Scene::begin().await;
        scene.forge.hold_deliveries();
        scene.hook_by_hand("https://ci.example.org/hooks/forge");
        scene.forge.act(|world| {
            world.pull(NOTES, "maintainer", &sha(2), NOTES);
            world.pull(NOTES, "outsider", &sha(3), "outsider/notes")
        });
        scene.pass(1);
        scene.forge.draw(schedule.faults());
        let mut played = Self { scene, said: Vec::new(), heads: 100 };
        for step in &schedule.steps {
            played.step(*step).await;
        }
        played.scene.forge.heal();
        played.scene.quiet().await;
        // Every run ends; one that is tried again ends again.
        loop {
            let open = played.open().await;
            if open.is_empty() {
                break;
            }
            for run in open {
                played.scene.end(&run, if run.number % 3 == 0 { Ends::Infra } else { Ends::Green }).await;
            }
            played.scene.quiet().await;
        }
        let broken = played.broken().await;
        played.scene.forge.down().await;
        if broken.why.is_empty() { Ok(()) } else { Err(broken) }
    }

    async fn step(&mut self, step: Step) {
        match step {
            Step::Say { pull, who, what } => {
                let id = self.scene.say_on(pull, who, what);
                self.said.push((id, pull, who, what));
            }
            Step::Push { pull } => {
                self.heads += 1;
                let (head, by) = (sha(self.heads), if pull == PULLS { "outsider" } else { "maintainer" });
                self.scene.forge.act(|world| world.push(NOTES, pull, by, &head, false));
                self.scene.pass(1);
            }
            Step::Deliver(which) => {
                let sent = self.scene.forge.sent();
                if !sent.is_empty() {
                    self.scene.deliver(&sent[which % sent.len()]).await;
                }
            }
            Step::Round(round) => {
                self.scene.round(round).await;
            }
            Step::Turn => {
                for round in ROUNDS {
                    self.scene.round(round).await;
                }
            }
            Step::KilledIn(round, waits) => {
                self.killed_in(round, waits).await;
                self.scene.restart().await;
            }
            Step::Kill => self.scene.restart().await,
            Step::Pass(seconds) => self.scene.pass(seconds),
            Step::Jump(seconds) => self.scene.jump(seconds),
            Step::End(which, ends) => {
                let open = self.open().await;
                if !open.is_empty() {
                    self.scene.end(&open[which % open.len()], ends).await;
                }
            }
        }
    }

    async fn killed_in(&self, round: Round, waits: u32) {
        let (mut going, mut left) = (pin!(self.scene.round(round)), waits);
        std::future::poll_fn(|context| {
            left -= 1;
            if left == 0 || going.as_mut().poll(context).is_ready() { Poll::Ready(()) } else { Poll::Pending }
        })
        .await;
    }

    async fn open(&self) -> Vec<Asked> {
        self.scene.store().open_runs().await.unwrap()
    }

    async fn broken(&self) -> Broken {
        let mut broken = Broken { lost: 0, doubled: 0, why: Vec::new() };
        let mut answers: BTreeMap<i64, Vec<String>> = BTreeMap::new();
        for body in (1..=PULLS).flat_map(|pull| self.scene.answers_on(pull)) {
            match marker(&body) {
                Some(it) => answers.entry(it.comment).or_default().push(body),
                None => broken.why.push(format!("a comment without marker: {body}")),
            }
        }
        // An outsider is told once on each pull request, whichever of the comments is decided on first.
        let mut told: BTreeMap<i64, Vec<usize>> = BTreeMap::new();
        for (id, pull, who, what) in &self.said {
            let found = answers.remove(id).unwrap_or_default();
            let asks = what.starts_with("!testme");
            if asks && *who == "outsider" {
                told.entry(*pull).or_default().push(found.len());
                continue;
            }
            let wanted = usize::from(asks);
            let said = format!("`{what}` of {who} (comment {id} on {pull}) has {} answers: {found:#?}", found.len());
            if found.len() < wanted {
                broken.lost += 1;
                broken.why.push(said);
            } else if found.len() > wanted {
                broken.doubled += 1;
                broken.why.push(said);
            } else if found.iter().any(|body| body.contains(": waiting, number") || body.contains(": running, ")) {
                broken.why.push(format!("a verdict is not shown: {said}"));
            }
        }
        for (pull, counts) in told {
            let sum: usize = counts.iter().sum();
            broken.lost += usize::from(sum == 0);
            broken.doubled += sum.saturating_sub(1);
            if sum != 1 {
                broken.why.push(format!("the outsider on {pull} was told {counts:?} times"));
            }
        }
        for (comment, found) in answers {
            broken.doubled += 1;
            broken.why.push(format!("answers to what is no command, {comment}: {found:#?}"));
        }
        broken.why.extend(self.scene.list(WRONG_ROWS).await);
        if !broken.why.is_empty() {
            broken.why.push(self.scene.unfinished().await);
        }
        broken
    }
}
