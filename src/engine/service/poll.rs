//! From the forge to the inbox: polling is the truth, a webhook only makes it faster.

use jiff::{SignedDuration, Timestamp};

use super::{Service, held};
use crate::adapters::forge::{Comment, FoundPull, Listing};
use crate::adapters::store::{BroughtBy, Heard};
use crate::domain::forge::{PullNumber, RepoName};
use crate::domain::ids::CommitSha;
use crate::engine::EngineError;

/// The cursor over what the forge was asked last, by the forge's clock.
const SEEN_UNTIL: &str = "polled";
/// The cursor with the instant at which this gate first looked: older comments are noted, and not acted on.
const BEGAN: &str = "began";
/// The cursor of the slow pass over each repository, for what the search may miss.
const PASSED: &str = "passed";
/// Times are whole seconds on the forge, and a request takes a while: look a little further back than the last time.
const OVERLAP: SignedDuration = SignedDuration::from_secs(30);
/// Between two slow passes.
const SLOW_PASS: SignedDuration = SignedDuration::from_mins(30);

impl Service {
    /// One poll: pull requests that changed, and the comments of those alone.
    pub(super) async fn poll(&self) -> Result<(), EngineError> {
        let polled = self.poll_once().await;
        let mut heard = held(&self.shared.heard);
        heard.trouble = polled.as_ref().err().map(ToString::to_string);
        if polled.is_ok() {
            heard.polled_at = Some(self.now());
        }
        drop(heard);
        polled
    }

    async fn poll_once(&self) -> Result<(), EngineError> {
        let (store, forge) = (&self.shared.gate.store, &self.shared.forge);
        self.probe_once().await?;
        let Some(now) = forge.clock() else { return Ok(()) };
        // Comments carry whole seconds: one of this very second may be newer than this look.
        let second = Timestamp::from_second(now.as_second()).unwrap_or(now);
        let began = self.instant(BEGAN, second).await?;
        let since = self.instant(SEEN_UNTIL, now).await? - OVERLAP;
        let asked = self.shared.clock.steady();
        let changed = forge.changed_pulls(&self.shared.watched.organisation, since).await?;
        // What changed while the list was made comes next time.
        let seen_until = forge.clock().unwrap_or(now)
            - SignedDuration::try_from(self.shared.clock.steady().duration_since(asked)).unwrap_or_default();
        let (mut all, mut comments, mut failed) = (changed.complete, Vec::new(), Ok(()));
        for pull in changed.items.iter().filter(|pull| self.is_enrolled(&pull.repo)) {
            match self.comments_on(pull, since).await {
                Ok(heard) => {
                    all &= heard.complete;
                    comments.extend(heard.items.into_iter().map(|comment| (pull, comment)));
                }
                Err(error) => {
                    failed = Err(error);
                    break;
                }
            }
        }
        // The forge lists what changed last first; who asked first is first in the queue.
        comments.sort_by_key(|(_, comment)| comment.id);
        for (pull, comment) in comments {
            self.hear(&pull.repo, pull.number, comment, began).await?;
        }
        failed?;
        if !all {
            // The cursor stays: what was not heard is asked for again.
            return Err(EngineError::Target("the forge's list of changed pull requests was cut short".to_owned()));
        }
        store.move_cursor(SEEN_UNTIL, &seen_until.to_string()).await?;
        self.slow_pass(seen_until, began).await
    }

    /// The pull request's head, which is noted, and its newer comments.
    async fn comments_on(&self, found: &FoundPull, since: Timestamp) -> Result<Listing<Comment>, EngineError> {
        let forge = &self.shared.forge;
        let heard = async {
            let pull = forge.pull(&found.repo, found.number).await?;
            self.see_head(&found.repo, found.number, &pull.head.sha).await?;
            let comments = forge.comments_of(&found.repo, found.number, Some(since)).await?;
            for why in &comments.unreadable {
                tracing::warn!(repository = %found.repo, pull = %found.number, why, "a comment is passed over");
            }
            Ok::<_, EngineError>(comments)
        };
        match heard.await {
            // Gone since the list was made: it must not keep the others from being heard.
            Err(EngineError::Forge(error)) if error.is_not_found() || error.renamed_to().is_some() => {
                Ok(Listing::default())
            }
            other => other,
        }
    }

    /// Notes a head, by the forge's clock: it is compared with what the forge says of comments. That clock is told in whole
    /// seconds, so that the head was seen by the end of the second at the latest.
    pub(super) async fn see_head(
        &self,
        repository: &RepoName,
        pull: PullNumber,
        head: &CommitSha,
    ) -> Result<(), EngineError> {
        let Some(now) = self.shared.forge.clock() else { return Ok(()) };
        Ok(self.shared.gate.store.see_head(repository, pull, head, now + SignedDuration::from_secs(1)).await?)
    }

    async fn hear(
        &self,
        repository: &RepoName,
        pull: PullNumber,
        comment: Comment,
        began: Timestamp,
    ) -> Result<(), EngineError> {
        let by = if comment.created_at < began { BroughtBy::Before } else { BroughtBy::Poll };
        self.take_in(repository, pull, comment, None, by).await
    }

    /// Stores a comment by its forge id, whoever brought it, before anything acts on it.
    pub(super) async fn take_in(
        &self,
        repository: &RepoName,
        pull: PullNumber,
        comment: Comment,
        head: Option<CommitSha>,
        by: BroughtBy,
    ) -> Result<(), EngineError> {
        let heard = Heard {
            comment: comment.id,
            repository: repository.clone(),
            pull,
            author: comment.author,
            body: comment.body,
            written_at: comment.created_at,
            updated_at: comment.updated_at,
            head,
        };
        if self.shared.gate.store.hear(&heard, by, self.now()).await? {
            self.shared.wake.work.notify_one();
        }
        Ok(())
    }

    /// Every comment of every enrolled repository since the last pass. It costs a request per repository.
    async fn slow_pass(&self, now: Timestamp, began: Timestamp) -> Result<(), EngineError> {
        let since = self.instant(PASSED, now).await?;
        if now.duration_since(since) < SLOW_PASS {
            return Ok(());
        }
        let mut all = true;
        for repository in self.enrolled_repositories().await? {
            let comments = self.shared.forge.comments_since(&repository.name, since - OVERLAP).await?;
            all &= comments.complete;
            for comment in comments.items {
                if let Some(pull) = comment.pull {
                    self.hear(&repository.name, pull, comment, began).await?;
                }
            }
        }
        if all {
            self.shared.gate.store.move_cursor(PASSED, &now.to_string()).await?;
        }
        Ok(())
    }

    /// Whether a comment was written before this gate first looked. A delivery may be sent again years later.
    pub(super) async fn was_there_before(&self, comment: &Comment) -> Result<bool, EngineError> {
        let began = self.shared.gate.store.cursor(BEGAN).await?.and_then(|value| value.parse::<Timestamp>().ok());
        Ok(began.is_some_and(|began| comment.created_at < began))
    }

    /// A cursor that is an instant; where there is none, `now` is kept as it.
    async fn instant(&self, name: &str, now: Timestamp) -> Result<Timestamp, EngineError> {
        let store = &self.shared.gate.store;
        match store.cursor(name).await?.and_then(|value| value.parse().ok()) {
            Some(instant) => Ok(instant),
            None => {
                store.move_cursor(name, &now.to_string()).await?;
                Ok(now)
            }
        }
    }
}
