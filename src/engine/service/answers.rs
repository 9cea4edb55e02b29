//! What the forge should show of each run: while it waits, while it runs, and once it has ended. Everything is said from
//! the rows as they are, so that a restart says it again or not at all.

use std::collections::BTreeMap;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::situation::Situated;
use super::{Service, Up, held};
use crate::adapters::store::{Asked, Cause, Heard, Kind, RunState, StageState, Wanted, Withdrawn};
use crate::domain::answer::{
    Ahead, Answer, CommitState, Earlier, Ending, Judged, Kept, Marker, POSTED_ANEW_AFTER_MS, RedSoFar, RunLink, Says,
    Subject, Waits, body, commit_status,
};
use crate::domain::cancellation::Cancellation;
use crate::domain::canonical::canonical;
use crate::domain::finding::Class;
use crate::domain::forge::{CommentId, PullNumber, RepoName};
use crate::domain::ids::{CommitSha, RunId};
use crate::domain::queue::{Reason, Why};
use crate::domain::results::{Results, ms_between};
use crate::domain::stage::Stage;
use crate::domain::verdict::{Verdict, deciding};
use crate::engine::EngineError;
use crate::engine::run::FIRST_TRY;

/// A comment is edited when something changes that matters, and else this often: times in it grow old.
const REFRESH: Duration = Duration::from_secs(60);

/// What was told last of a run that goes on.
#[derive(Debug)]
pub(super) struct Told {
    what: String,
    at: Instant,
}

/// Where an answer goes.
struct Place<'a> {
    repository: &'a RepoName,
    pull: PullNumber,
    comment: CommentId,
}

impl Asked {
    fn place(&self) -> Option<Place<'_>> {
        Some(Place { repository: self.repository.as_ref()?, pull: self.pull?, comment: self.comment? })
    }
}

impl Service {
    /// Tells those who wait why, and those who look on where their run is.
    pub(super) async fn tell_progress(&self, open: &[Asked], situated: &Situated) -> Result<(), EngineError> {
        held(&self.shared.told).retain(|run, _| open.iter().any(|it| it.id == *run));
        let mut whys = None;
        for run in open.iter().filter(|run| run.place().is_some()) {
            let (what, says) = if run.state == RunState::Running {
                let stage = run.stage.unwrap_or(Stage::Prepare);
                // That an app is up for somebody is news.
                let up = if stage == Stage::Keep { self.kept(&run.id).await? } else { None };
                let red = self.red_so_far(&run.id, stage).await?;
                let (up_now, red_now) = (up.is_some(), red.is_some());
                let what = format!("running {}, up {up_now}, red {red_now}", stage.name());
                if !self.is_news(&run.id, &what) {
                    continue;
                }
                (what, self.running(run, stage, up, red, situated).await?)
            } else {
                let why = whys.get_or_insert_with(|| situated.explained()).get(&run.id).cloned();
                let what = format!("waiting {:?}", why.as_ref().map(|why| (why.place, &why.reason)));
                if !self.is_news(&run.id, &what) {
                    continue;
                }
                (what, self.waiting(run, why.as_ref(), open, situated).await?)
            };
            if let Some(says) = says {
                self.tell(run, says, true).await?;
                held(&self.shared.told).insert(run.id.clone(), Told { what, at: self.shared.clock.steady() });
            }
        }
        Ok(())
    }

    fn is_news(&self, run: &RunId, what: &str) -> bool {
        held(&self.shared.told)
            .get(run)
            .is_none_or(|told| told.what != what || self.shared.clock.steady().duration_since(told.at) > REFRESH)
    }

    async fn subject(&self, run: &Asked) -> Result<Option<Subject>, EngineError> {
        let Some(head) = run.head.clone() else { return Ok(None) };
        let newest = match run.place() {
            Some(place) => self.shared.gate.store.head_before(place.repository, place.pull, Timestamp::MAX).await?,
            None => None,
        };
        Ok(Some(Subject {
            run: self.link(run),
            recipe: run.recipe.clone(),
            moved_to: newest.filter(|newest| *newest != head),
            head,
            options: run.options.clone(),
            vouched: run.vouched,
        }))
    }

    fn link(&self, run: &Asked) -> RunLink {
        RunLink { number: run.number, url: self.run_url(run.number) }
    }

    async fn running(
        &self,
        run: &Asked,
        stage: Stage,
        up: Option<Up>,
        red: Option<RedSoFar>,
        situated: &Situated,
    ) -> Result<Option<Says>, EngineError> {
        let started = run.started_at.unwrap_or(run.queued_at);
        let (Some(subject), Some(target)) = (self.subject(run).await?, run.target.clone()) else { return Ok(None) };
        Ok(Some(Says::Running {
            subject,
            stage,
            target,
            elapsed_ms: ms_between(started, self.now()),
            usually_ms: situated.history.usual(&run.recipe).map(ms),
            kept: up.map(|up| Kept { left_ms: ms_between(self.now(), up.until), url: up.url }),
            red,
        }))
    }

    /// What turns the run red whatever else comes; or what did at the first try, while the second goes on.
    async fn red_so_far(&self, run: &RunId, stage: Stage) -> Result<Option<RedSoFar>, EngineError> {
        let store = &self.shared.gate.store;
        let findings = store.findings(run).await?;
        if let Some(finding) = findings.iter().find(|finding| finding.turns_red()) {
            return Ok(Some(RedSoFar { sentence: finding.sentence.clone(), again: false }));
        }
        let first = if stage == Stage::Install { store.fact::<String>(run, FIRST_TRY).await? } else { None };
        Ok(first.map(|sentence| RedSoFar { sentence, again: true }))
    }

    async fn waiting(
        &self,
        run: &Asked,
        why: Option<&Why>,
        open: &[Asked],
        situated: &Situated,
    ) -> Result<Option<Says>, EngineError> {
        let Some(subject) = self.subject(run).await? else { return Ok(None) };
        let Some(why) = why else {
            return Ok(Some(Says::Queued { subject, place: 1, starts_in_ms: None, waits: Waits::Nothing }));
        };
        let named = |id: &RunId| open.iter().find(|other| other.id == *id);
        let ahead = |other: &Asked| {
            let behind = why.behind.as_ref().filter(|behind| behind.run == other.id);
            Ahead {
                run: self.link(other),
                recipe: other.recipe.clone(),
                stage: behind.map(|behind| behind.stage),
                elapsed_ms: behind.map_or(0, |behind| ms(behind.elapsed)),
                usually_ms: behind.and_then(|behind| behind.usual).map(ms),
            }
        };
        let behind = || why.behind.as_ref().and_then(|behind| named(&behind.run)).map(ahead);
        let waits = match &why.reason {
            Reason::Starts => Waits::Nothing,
            Reason::Paused => Waits::Paused(situated.paused_because.clone()),
            Reason::Draining => Waits::Paused("it is about to be stopped; waiting requests are kept".to_owned()),
            Reason::NoTarget => Waits::NoTarget,
            Reason::RecipeRuns(other) | Reason::RecipeWaits(other) => {
                named(other).map_or(Waits::Nothing, |other| Waits::SameRecipe(ahead(other)))
            }
            Reason::PortTaken(other) => named(other).map_or(Waits::Nothing, |other| {
                let taken =
                    other.needs.ports.iter().find(|port| run.needs.ports.iter().any(|own| own.overlaps(**port)));
                taken.map_or_else(|| Waits::Behind(ahead(other)), |port| Waits::SamePort(ahead(other), port.first))
            }),
            Reason::RoomKept(other) => named(other).map_or(Waits::Nothing, |other| Waits::Behind(ahead(other))),
            Reason::Full => behind().map_or(Waits::Nothing, Waits::Behind),
        };
        Ok(Some(Says::Queued {
            subject,
            place: u32::try_from(why.place).unwrap_or(u32::MAX),
            starts_in_ms: why.starts_in.map(|eta| ms(eta.after)),
            waits,
        }))
    }

    /// Gives each run that has ended its answer. In the same loop as what is told of its progress, and therefore after it.
    pub(super) async fn answer_what_ended(&self) -> Result<(), EngineError> {
        for run in self.shared.gate.store.unanswered().await? {
            let again = self.is_infra(&run) && self.try_again(&run).await?;
            let post = self.post_of_the_end(&run, again);
            if let Some(says) = self.end_of(&run, again).await? {
                self.tell_at(&run, says, post, false).await?;
            }
            self.promote(&run).await?;
            self.shared.gate.store.answered(&run.id).await?;
        }
        Ok(())
    }

    /// A green run of the default branch or of a tag makes a base that is known to be good.
    async fn promote(&self, run: &Asked) -> Result<(), EngineError> {
        if !matches!(run.cause, Cause::PostMerge | Cause::Sweep) {
            return Ok(());
        }
        if let Some(canonical) = results(run).as_ref().and_then(canonical) {
            self.shared.gate.store.promote(&run.recipe, &canonical, &run.id, self.now()).await?;
        }
        Ok(())
    }

    /// A verdict after a long run is a new comment, since an edit notifies nobody.
    fn post_of_the_end(&self, run: &Asked, again: bool) -> u32 {
        let took = ms_between(run.queued_at, run.finished_at.unwrap_or(run.queued_at));
        if took > POSTED_ANEW_AFTER_MS && !again { run.post + 1 } else { run.post }
    }

    /// Whether the infrastructure kept it from being judged, and it may be tried once more.
    fn is_infra(&self, run: &Asked) -> bool {
        let infra = || Some(deciding(&results(run)?.findings)?.class == Class::Infra);
        run.verdict == Some(Verdict::NotJudged) && run.attempt == 1 && run.cancelled.is_none() && infra() == Some(true)
    }

    /// The stage in which a run was ended; `None`: it had not started.
    async fn interrupted(&self, run: &RunId) -> Result<Option<Stage>, EngineError> {
        let stages = self.shared.gate.store.stages(run).await?;
        Ok(stages.into_iter().find(|row| row.state == StageState::Interrupted).map(|row| row.stage))
    }

    async fn end_of(&self, run: &Asked, again: bool) -> Result<Option<Says>, EngineError> {
        let Some(subject) = self.subject(run).await? else { return Ok(None) };
        if let Some(why) = &run.cancelled {
            let ending = match Cancellation::read(why) {
                Cancellation::Superseded(number) => Ending::Superseded(RunLink { number, url: self.run_url(number) }),
                Cancellation::By(who) => Ending::Cancelled { by: Some(who), during: self.interrupted(&run.id).await? },
                Cancellation::Because(why) => Ending::NotRun { why, again },
            };
            return Ok(Some(Says::Ended { subject, ending }));
        }
        let Some(results) = results(run) else {
            let why = run.sentence.trim_start_matches("not judged: ").to_owned();
            return Ok(Some(Says::Ended { subject, ending: Ending::NotRun { why, again } }));
        };
        let first_try = match &run.first_try {
            Some(first) => self.shared.gate.store.asked_run(first).await?.map(|first| self.link(&first)),
            None => None,
        };
        let cause_url = deciding(&results.findings).map(|_| format!("{}#cause", self.run_url(run.number)));
        Ok(Some(Says::Verdict(Box::new(Judged { subject, results, cause_url, behind: None, first_try, again }))))
    }

    /// The run's answer on its pull request and the status of its commit.
    async fn tell(&self, run: &Asked, says: Says, while_open: bool) -> Result<(), EngineError> {
        self.tell_at(run, says, run.post, while_open).await
    }

    async fn tell_at(&self, run: &Asked, says: Says, post: u32, while_open: bool) -> Result<(), EngineError> {
        let earlier = self.earlier(run).await?;
        let comment = run.comment.map_or(0, CommentId::get);
        let marker = Marker { run: Some(run.id.clone()), comment, gate: self.shared.gate.id.clone(), post };
        let answer = Answer { marker, says, earlier };
        let store = &self.shared.gate.store;
        if let Some(place) = run.place() {
            let wanted = Wanted {
                key: &answer_key(place.comment.get(), post),
                kind: Kind::Comment,
                repository: place.repository,
                pull: Some(place.pull),
                content: &body(&answer),
                while_open: while_open.then_some(&run.id),
            };
            store.want(&wanted).await?;
            let before = answer_key(place.comment.get(), run.post);
            if post != run.post && store.withdraw(&before).await? != Withdrawn::Whole {
                let gone = Wanted {
                    key: &format!("removal/{}/{}", place.comment, run.post),
                    kind: Kind::Removal,
                    content: &format!("{before}\n{}", answer_key(place.comment.get(), post)),
                    ..wanted
                };
                store.want(&gone).await?;
            }
        }
        self.want_status(run, &answer, while_open).await?;
        self.shared.wake.answer.notify_one();
        Ok(())
    }

    async fn want_status(&self, run: &Asked, answer: &Answer, while_open: bool) -> Result<(), EngineError> {
        let (Some(repository), Some(head), Some(status)) = (&run.repository, &run.head, commit_status(answer)) else {
            return Ok(());
        };
        let is_sweep = run.sweep.is_some();
        // That was said at the first look.
        let in_vain = held(&self.shared.capabilities).as_ref().is_some_and(|it| !it.status.is_worth_trying());
        if is_sweep || in_vain || self.shared.statuses_refused.load(std::sync::atomic::Ordering::Relaxed) {
            return Ok(());
        }
        let state = match status.state {
            CommitState::Pending => "pending",
            CommitState::Success => "success",
            CommitState::Failure => "failure",
            CommitState::Error => "error",
        };
        let content = format!("{state}\n{}\n{}\n{head}", status.text, self.run_url(run.number));
        let wanted = Wanted {
            key: &format!("status/{}", run.id),
            kind: Kind::Status,
            repository,
            pull: run.pull,
            content: &content,
            while_open: while_open.then_some(&run.id),
        };
        Ok(self.shared.gate.store.want(&wanted).await?)
    }

    /// Earlier runs of the pull request that have ended, newest first.
    async fn earlier(&self, run: &Asked) -> Result<Vec<Earlier>, EngineError> {
        let Some(place) = run.place() else { return Ok(Vec::new()) };
        let all = self.shared.gate.store.runs_of(place.repository, place.pull).await?;
        let superseded = |it: &Asked| {
            it.cancelled.as_deref().is_some_and(|why| matches!(Cancellation::read(why), Cancellation::Superseded(_)))
        };
        let older = all.into_iter().filter(|it| it.number < run.number && it.comment != run.comment && !superseded(it));
        Ok(older.filter_map(|it| self.as_earlier(&it)).collect())
    }

    fn as_earlier(&self, run: &Asked) -> Option<Earlier> {
        Some(Earlier {
            run: self.link(run),
            head: run.head.clone()?,
            verdict: run.verdict?,
            sentence: run.sentence.clone(),
        })
    }

    /// A new run of a pull request has begun: the answers of those that have ended fold to one line.
    pub(super) async fn fold_older(&self, heard: &Heard, new: &RunId) -> Result<(), EngineError> {
        let runs = self.runs_of(heard).await?;
        let Some(newer) = runs.iter().find(|run| run.id == *new).map(|run| self.link(run)) else { return Ok(()) };
        // Tries of one comment share its answer: the last one is what folds.
        let mut ended: BTreeMap<CommentId, &Asked> = BTreeMap::new();
        for run in runs.iter().filter(|run| run.number < newer.number) {
            if let Some(comment) = run.comment
                && Some(comment) != runs.iter().find(|run| run.id == *new).and_then(|run| run.comment)
            {
                ended.entry(comment).or_insert(run);
            }
        }
        for (comment, run) in ended {
            let Some(earlier) = self.as_earlier(run).filter(|_| !run.is_open()) else { continue };
            for post in [run.post, run.post + 1] {
                if !self.shared.gate.store.is_wanted(&answer_key(comment.get(), post)).await? {
                    continue;
                }
                let gate = self.shared.gate.id.clone();
                let marker = Marker { run: Some(run.id.clone()), comment: comment.get(), gate, post };
                let says = Says::Folded { run: earlier.clone(), newer: newer.clone() };
                self.want_comment(heard, marker, says).await?;
            }
        }
        Ok(())
    }

    /// Wants a comment at the pull request that says this and will not change by itself.
    pub(super) async fn want_comment(&self, heard: &Heard, marker: Marker, says: Says) -> Result<(), EngineError> {
        let wanted = Wanted {
            key: &answer_key(marker.comment, marker.post),
            kind: Kind::Comment,
            repository: &heard.repository,
            pull: Some(heard.pull),
            content: &body(&Answer { marker, says, earlier: Vec::new() }),
            while_open: None,
        };
        Ok(self.shared.gate.store.want(&wanted).await?)
    }
}

/// What an ended run reports; nothing of one that never got so far.
fn results(run: &Asked) -> Option<Results> {
    serde_json::from_str(run.results.as_deref()?).ok()
}

fn answer_key(comment: i64, post: u32) -> String {
    format!("answer/{comment}/{post}")
}

fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

/// What is stored of a status: state, description, address and commit, a line each.
pub(super) fn read_status(content: &str) -> Option<(&str, &str, &str, CommitSha)> {
    let mut lines = content.lines();
    let (state, description, url) = (lines.next()?, lines.next()?, lines.next()?);
    Some((state, description, url, lines.next()?.parse().ok()?))
}
