//! Makes the forge show what it should, until it does.

use std::sync::atomic::Ordering;
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::{SignedDuration, Timestamp};

use super::Service;
use super::answers::read_status;
use crate::adapters::forge::{CommitStatus, Outcome, Reason, StatusState};
use crate::adapters::store::{Due, Kind, Withdrawn};
use crate::domain::answer::marker;
use crate::domain::forge::{CommentId, Login};
use crate::engine::EngineError;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: u64 = 1;
const LONGEST_PAUSE: u64 = 300;
/// One that gets no answer does not hold up the others.
const AT_ONCE: usize = 8;
/// Whose commit status it is.
const CONTEXT: &str = "cc-ci";

/// What became of one thing.
enum Shown {
    /// The forge shows it; the id of a comment.
    Yes(Option<CommentId>),
    /// Not now, for this reason; whether it certainly was not done.
    NotNow(String, bool),
    /// Not yet: it waits for another one, or for an answer that may still come.
    NotYet,
    /// Never, for this reason; whether the account may not do that at all.
    Never(String, bool),
    /// The repository has another name: its rows follow it, and it is tried again at once.
    Moved,
}

impl Service {
    /// Everything that is due.
    pub(super) async fn flush(&self) -> Result<(), EngineError> {
        let due = self.shared.gate.store.due(self.now(), Duration::from_secs(LONGEST_PAUSE)).await?;
        let shown = futures_util::stream::iter(due).map(|due| self.flush_one(due)).buffer_unordered(AT_ONCE);
        shown
            .for_each(async |result| {
                if let Err(error) = result {
                    tracing::warn!(%error, "something could not be shown on the forge");
                }
            })
            .await;
        Ok(())
    }

    async fn flush_one(&self, due: Due) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        match self.show(&due).await? {
            Shown::Yes(remote) => store.shown(&due.key, due.wanted, remote).await?,
            Shown::NotNow(why, certain) => {
                let pause = (FIRST_PAUSE << due.tries.min(9)).min(LONGEST_PAUSE);
                store.not_shown(&due.key, &why, certain, self.now() + Duration::from_secs(pause)).await?;
            }
            Shown::NotYet => {
                let next = self.now() + Duration::from_secs(1);
                store.not_shown(&due.key, "it waits", false, next).await?;
            }
            Shown::Never(why, no_right) => {
                self.say_given_up(&due, &why, no_right);
                store.give_up(&due.key, &why).await?;
            }
            Shown::Moved => self.shared.wake.answer.notify_one(),
        }
        Ok(())
    }

    async fn show(&self, due: &Due) -> Result<Shown, EngineError> {
        let forge = &self.shared.forge;
        match due.kind {
            Kind::Comment => self.show_comment(due).await,
            Kind::Removal => self.remove_comment(due).await,
            Kind::Reaction => {
                let id = due.key.rsplit('/').next().and_then(|id| id.parse().ok());
                match id.and_then(|id| CommentId::new(id).ok()) {
                    // A reaction may be repeated: what became of it need not be known.
                    Some(id) => {
                        self.ended(due, forge.react(&due.repository, id, &due.content).await.map(|()| None)).await
                    }
                    None => Ok(Shown::Never("it names no comment".to_owned(), false)),
                }
            }
            Kind::Status => {
                let Some((state, description, url, head)) = read_status(&due.content) else {
                    return Ok(Shown::Never("it names no commit".to_owned(), false));
                };
                let state = match state {
                    "success" => StatusState::Success,
                    "failure" => StatusState::Failure,
                    "error" => StatusState::Error,
                    _ => StatusState::Pending,
                };
                let status = CommitStatus {
                    state,
                    context: CONTEXT.to_owned(),
                    description: description.to_owned(),
                    target_url: Some(url.to_owned()),
                };
                self.ended(due, forge.set_status(&due.repository, &head, &status).await.map(|()| None)).await
            }
        }
    }

    async fn show_comment(&self, due: &Due) -> Result<Shown, EngineError> {
        let (forge, store) = (&self.shared.forge, &self.shared.gate.store);
        let Some(pull) = due.pull else { return Ok(Shown::Never("it names no pull request".to_owned(), false)) };
        if let Some(remote) = due.remote {
            let edited = forge.edit_comment(&due.repository, remote, &due.content).await;
            return self.ended(due, edited.map(|comment| Some(comment.id))).await;
        }
        if let Some(since) = due.unknown_since {
            // An earlier post may have come through, or may be under way still: look before posting again.
            match self.find_comment(due).await {
                Ok(Some(remote)) => {
                    store.found(&due.key, remote).await?;
                    let edited = forge.edit_comment(&due.repository, remote, &due.content).await;
                    return self.ended(due, edited.map(|comment| Some(comment.id))).await;
                }
                Ok(None) if !self.has_settled(since) => return Ok(Shown::NotYet),
                Ok(None) => {}
                Err(why) => return Ok(Shown::NotNow(why, false)),
            }
        }
        let Some(now) = self.forge_now().await else {
            return Ok(Shown::NotNow("the forge does not say what time it is".to_owned(), true));
        };
        if !store.posting(&due.key, now).await? {
            return Ok(Shown::Yes(None));
        }
        let posted = forge.post_comment(&due.repository, pull, &due.content).await;
        self.ended(due, posted.map(|comment| Some(comment.id))).await
    }

    /// The forge's time, by which posts are waited for: this machine's clock may jump while one is under way.
    async fn forge_now(&self) -> Option<Timestamp> {
        let forge = &self.shared.forge;
        if forge.clock().is_none() {
            forge.version().await.ok()?;
        }
        forge.clock()
    }

    /// Whether a post of that instant of the forge's clock can no longer be under way. The clock is right to a second or so; an
    /// instant far in the future is one of a clock that was set back.
    fn has_settled(&self, since: Timestamp) -> bool {
        let (Some(now), Ok(long)) =
            (self.shared.forge.clock(), SignedDuration::try_from(self.shared.watched.settles_after))
        else {
            return false;
        };
        now.duration_since(since).abs() >= long
    }

    /// Our comment with the same hidden marker.
    async fn find_comment(&self, due: &Due) -> Result<Option<CommentId>, String> {
        let (Some(pull), Some(wanted)) = (due.pull, marker(&due.content)) else { return Ok(None) };
        let found =
            self.shared.forge.comments_of(&due.repository, pull, None).await.map_err(|error| error.to_string())?;
        if !found.complete {
            return Err("the list of comments was cut short".to_owned());
        }
        let own = self.own_account();
        let same = |body: &str| {
            marker(body)
                .is_some_and(|it| (it.comment, &it.gate, it.post) == (wanted.comment, &wanted.gate, wanted.post))
        };
        let ours = |author: &Login| own.as_ref().is_none_or(|own| own == author);
        Ok(found
            .items
            .into_iter()
            .find(|comment| ours(&comment.author) && same(&comment.body))
            .map(|comment| comment.id))
    }

    fn own_account(&self) -> Option<Login> {
        let probed = super::held(&self.shared.capabilities).as_ref().and_then(|it| it.login.clone());
        probed.or_else(|| self.shared.forge.bot_login().cloned())
    }

    /// Removes a comment once the one that takes its place is there.
    async fn remove_comment(&self, due: &Due) -> Result<Shown, EngineError> {
        let store = &self.shared.gate.store;
        let Some((old, new)) = due.content.split_once('\n') else {
            return Ok(Shown::Never("it names no comments".to_owned(), false));
        };
        if store.remote(new).await?.is_none() {
            // A locked conversation takes no new comment, but its own may still be edited.
            return Ok(if store.stand_in(old, new).await? { Shown::Yes(None) } else { Shown::NotYet });
        }
        match store.withdraw(old).await? {
            Withdrawn::Shown(remote) => {
                let gone = self.shared.forge.delete_comment(&due.repository, remote).await;
                let shown = self.ended(due, gone.map(|()| None)).await?;
                if matches!(shown, Shown::Yes(_)) {
                    store.give_up(old, "another one took its place").await?;
                }
                Ok(shown)
            }
            Withdrawn::Whole => Ok(Shown::Yes(None)),
            Withdrawn::UnderWay => Ok(Shown::NotYet),
        }
    }

    async fn ended(&self, due: &Due, outcome: Outcome<Option<CommentId>>) -> Result<Shown, EngineError> {
        Ok(match outcome {
            Outcome::Done(remote) => Shown::Yes(remote),
            Outcome::Later(why) => Shown::NotNow(why, true),
            Outcome::Unknown(why) => Shown::NotNow(why, false),
            Outcome::Refused(refusal) => {
                if let Reason::Renamed { to: Some(to) } = &refusal.reason {
                    self.shared.gate.store.renamed(&due.repository, to).await?;
                    Shown::Moved
                } else if is_for_operators(due.kind, &refusal.reason) {
                    Shown::NotNow(refusal.to_string(), true)
                } else {
                    let no_right = matches!(refusal.reason, Reason::MissingScope { .. } | Reason::Forbidden);
                    Shown::Never(refusal.to_string(), no_right)
                }
            }
        })
    }

    /// That commit statuses are refused is no fault: the token may not write code. It is said once.
    fn say_given_up(&self, due: &Due, why: &str, no_right: bool) {
        if due.kind != Kind::Status || !no_right {
            tracing::warn!(why, key = due.key, "an answer is given up");
        } else if !self.shared.statuses_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(why, "commit statuses are left out; comments go on");
        }
    }
}

/// Whether an operator can put it right, so that nothing should be lost until then. Without the scope for statuses the gate
/// works as well; without that for comments it has to wait for it.
fn is_for_operators(kind: Kind, reason: &Reason) -> bool {
    match reason {
        Reason::BadToken => true,
        Reason::MissingScope { .. } => kind != Kind::Status,
        Reason::Locked
        | Reason::Archived
        | Reason::Forbidden
        | Reason::NotFound
        | Reason::Renamed { .. }
        | Reason::NoSuchCommit
        | Reason::Invalid
        | Reason::Other => false,
    }
}
