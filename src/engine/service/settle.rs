//! From the inbox to what is done about it: each comment is decided on once.

use std::time::Duration;

use tokio_util::task::AbortOnDropHandle;

use super::rights::REFUSED_OUTSIDER;
use super::{Service, held};
use crate::adapters::store::{Asked, Heard, Kind, RunState, Wanted};
use crate::domain::answer::{Marker, RunLine, RunLink, RunNow, Says};
use crate::domain::cancellation::Cancellation;
use crate::domain::command::{Parsed, parse};
use crate::domain::intake::{self, Decision, Request, Say, Why, decide};
use crate::domain::results::ms_between;
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The other work waits no longer for decisions.
const MOMENT: Duration = Duration::from_secs(2);

impl Service {
    /// Decides about new comments, and waits for that only a moment: a forge that is slow to say who somebody is keeps no run
    /// from being started, ended or cancelled.
    pub(super) async fn settle_beside(&self) -> Result<(), EngineError> {
        if held(&self.shared.settling).as_ref().is_some_and(|earlier| !earlier.is_finished()) {
            return Ok(());
        }
        let service = self.clone();
        let mut settling = AbortOnDropHandle::new(tokio::spawn(async move { service.settle().await }));
        match tokio::time::timeout(MOMENT, &mut settling).await {
            Ok(Ok(settled)) => settled,
            Ok(Err(panicked)) => Err(EngineError::Unreadable(panicked.to_string())),
            Err(_) => {
                *held(&self.shared.settling) = Some(settling);
                Ok(())
            }
        }
    }

    /// Decides about each comment that nothing was decided about.
    async fn settle(&self) -> Result<(), EngineError> {
        for heard in self.shared.gate.store.unsettled().await? {
            match self.settle_one(&heard).await {
                Ok(()) => {}
                // It is decided on under its new name, in the next round.
                Err(EngineError::Forge(error)) if error.renamed_to().is_some_and(|to| *to != heard.repository) => {
                    if let Some(to) = error.renamed_to() {
                        self.shared.gate.store.renamed(&heard.repository, to).await?;
                        self.shared.wake.work.notify_one();
                    }
                }
                Err(EngineError::Forge(error)) if error.is_not_found() => {
                    let outcome = format!("the pull request is gone or closed to us: {error}");
                    self.shared.gate.store.settle(heard.comment, &outcome, None).await?;
                }
                // One that cannot be decided now (the forge does not answer) does not hold up the others.
                Err(error) => tracing::warn!(%error, comment = %heard.comment, "a comment could not be settled yet"),
            }
        }
        Ok(())
    }

    async fn settle_one(&self, heard: &Heard) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        if parse(&heard.body) == Parsed::NotForUs {
            return Ok(store.settle(heard.comment, "not for us", None).await?);
        }
        if self.goes_on(heard).await? {
            return Ok(());
        }
        let (comment, context) = self.context(heard).await?;
        match decide(&comment, &context) {
            Decision::Ignore(why) => Ok(store.settle(heard.comment, ignored(why), None).await?),
            Decision::Refuse(say) => {
                let outcome = refused(&say);
                self.reply(heard, Says::Refused(say)).await?;
                Ok(store.settle(heard.comment, outcome, None).await?)
            }
            Decision::Accept(request) => self.accept(heard, request).await,
        }
    }

    async fn accept(&self, heard: &Heard, request: Request) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let outcome = match request.asked {
            intake::Asked::Test { ref head, ref options, vouches } => {
                return self.request(heard, &request, head, options, vouches).await;
            }
            intake::Asked::Retry => return self.retry(heard, &request).await,
            intake::Asked::Help => {
                self.reply(heard, Says::Help).await?;
                "helped"
            }
            intake::Asked::Status => {
                let lines = self.lines(heard).await?;
                self.reply(heard, Says::Status(lines)).await?;
                "told"
            }
            intake::Asked::Cancel => {
                let mut ended = Vec::new();
                for run in self.runs_of(heard).await?.into_iter().filter(|run| run.state != RunState::Done) {
                    self.cancel(&run.id, &Cancellation::By(request.by.clone())).await?;
                    ended.push(RunLink { number: run.number, url: self.run_url(run.number) });
                }
                self.reply(heard, Says::Cancelled(ended)).await?;
                "cancelled"
            }
        };
        self.acknowledge(heard).await?;
        Ok(store.settle(heard.comment, outcome, None).await?)
    }

    /// A look that says: it was read.
    pub(super) async fn acknowledge(&self, heard: &Heard) -> Result<(), EngineError> {
        let wanted = Wanted {
            key: &format!("reaction/{}", heard.comment),
            kind: Kind::Reaction,
            repository: &heard.repository,
            pull: Some(heard.pull),
            content: "eyes",
            while_open: None,
        };
        self.shared.gate.store.want(&wanted).await?;
        self.shared.wake.answer.notify_one();
        Ok(())
    }

    /// An answer to one comment that makes no run.
    pub(super) async fn reply(&self, heard: &Heard, says: Says) -> Result<(), EngineError> {
        let marker = Marker { run: None, comment: heard.comment.get(), gate: self.shared.gate.id.clone(), post: 1 };
        self.want_comment(heard, marker, says).await?;
        self.shared.wake.answer.notify_one();
        Ok(())
    }

    /// The runs of the comment's pull request, newest first.
    pub(super) async fn runs_of(&self, heard: &Heard) -> Result<Vec<Asked>, EngineError> {
        Ok(self.shared.gate.store.runs_of(&heard.repository, heard.pull).await?)
    }

    async fn lines(&self, heard: &Heard) -> Result<Vec<RunLine>, EngineError> {
        let whys = self.explained().await?;
        let line = |run: Asked| {
            let now = match (run.state, run.verdict) {
                (RunState::Done, Some(verdict)) => RunNow::Ended(verdict),
                (RunState::Running, _) => RunNow::Runs {
                    stage: run.stage.unwrap_or(Stage::Prepare),
                    elapsed_ms: ms_between(run.started_at.unwrap_or(run.queued_at), self.now()),
                },
                (RunState::Fetching | RunState::Queued | RunState::Done, _) => {
                    let why = whys.get(&run.id);
                    let starts_in_ms = why.and_then(|why| why.starts_in).map(|eta| eta.after.as_millis());
                    RunNow::Waits {
                        place: why.and_then(|why| u32::try_from(why.place).ok()).unwrap_or(1),
                        starts_in_ms: starts_in_ms.and_then(|ms| u64::try_from(ms).ok()),
                    }
                }
            };
            let run_link = RunLink { number: run.number, url: self.run_url(run.number) };
            Some(RunLine { run: run_link, head: run.head?, now })
        };
        Ok(self.runs_of(heard).await?.into_iter().filter_map(line).collect())
    }
}

const fn ignored(why: Why) -> &'static str {
    match why {
        Why::NotForUs => "not for us",
        Why::Own => "ignored: the gate's own",
        Why::NotOnAPull => "ignored: on an issue",
        Why::Review => "ignored: in a review",
        Why::Edited => "ignored: edited",
        Why::NotEnrolled => "ignored: not enrolled",
        Why::NoAnswerPossible => "ignored: nothing can be answered there",
        Why::OutsiderOnClosed => "ignored: an outsider on a closed pull request",
        Why::ToldBefore => "ignored: told before",
    }
}

const fn refused(say: &Say) -> &'static str {
    match say {
        Say::Outsider { .. } => REFUSED_OUTSIDER,
        Say::AskAgain { .. } => "refused: the head changed",
        Say::NotOpen { .. } => "refused: not open",
        Say::Wrong(_) => "refused: not understood",
    }
}
