//! Makes the forge show what it should, until it does.

use std::time::Duration;

use jiff::Timestamp;

use super::Service;
use crate::adapters::forge::ForgeError;
use crate::adapters::store::{Due, Kind};
use crate::engine::EngineError;

/// The pause after the first failure; it doubles with each further one.
const FIRST_PAUSE: u64 = 2;
const LONGEST_PAUSE: u64 = 300;

impl Service {
    /// Everything that is due.
    pub(super) async fn flush(&self) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        for due in store.due(Timestamp::now()).await? {
            let error = match self.show(&due).await {
                Ok(remote) => {
                    store.shown(&due.key, due.wanted, remote).await?;
                    continue;
                }
                Err(EngineError::Forge(error)) => error,
                Err(other) => return Err(other),
            };
            // Without the scope for statuses the gate works as well; without that for comments it has to wait for it.
            if error.is_final() && (due.kind == Kind::Status || !error.is_missing_scope()) {
                self.give_up(&due, &error);
                store.give_up(&due.key, &error.to_string()).await?;
            } else {
                let pause = error.retry_after().unwrap_or_else(|| (FIRST_PAUSE << due.tries.min(8)).min(LONGEST_PAUSE));
                let next = Timestamp::now() + Duration::from_secs(pause);
                store.not_shown(&due.key, &error.to_string(), error.is_unknown(), next).await?;
            }
        }
        Ok(())
    }

    /// A commit status that is refused is no fault: the token may not write code. It is said once.
    fn give_up(&self, due: &Due, error: &ForgeError) {
        let statuses = &self.shared.statuses_refused;
        if due.kind != Kind::Status {
            tracing::warn!(%error, key = due.key, "an answer is given up");
        } else if !statuses.swap(true, std::sync::atomic::Ordering::Relaxed) {
            tracing::warn!(%error, "commit statuses are left out; comments go on");
        }
    }

    /// Makes the forge show one thing. Returns the id of a comment.
    async fn show(&self, due: &Due) -> Result<Option<u64>, EngineError> {
        let forge = &self.shared.forge;
        match due.kind {
            Kind::Reaction => {
                let comment = due.key.split('/').next_back().and_then(|id| id.parse().ok()).unwrap_or(0);
                forge.react(&due.repository, comment, &due.content).await?;
                Ok(None)
            }
            Kind::Comment => Ok(Some(self.show_comment(due).await?)),
            Kind::Status => {
                self.show_status(due).await?;
                Ok(None)
            }
        }
    }

    async fn show_comment(&self, due: &Due) -> Result<u64, EngineError> {
        let forge = &self.shared.forge;
        let known = match due.remote {
            Some(remote) => Some(remote),
            // An earlier post may have come through: look before posting again.
            None if due.unknown => self.find_comment(due).await?,
            None => {
                self.shared.gate.store.posting(&due.key).await?;
                None
            }
        };
        match known {
            Some(remote) => forge.edit_comment(&due.repository, remote, &due.content).await.map(|()| remote),
            None => forge.post_comment(&due.repository, due.pull, &due.content).await,
        }
        .map_err(EngineError::from)
    }

    /// Our comment with the same hidden marker, which is its last line.
    async fn find_comment(&self, due: &Due) -> Result<Option<u64>, ForgeError> {
        let marker = due.content.lines().next_back().unwrap_or_default();
        let comments = self.shared.forge.comments(&due.repository, due.pull, Timestamp::UNIX_EPOCH).await?;
        let ours = comments
            .into_iter()
            .find(|comment| comment.author == self.shared.forge.account() && comment.body.contains(marker));
        Ok(ours.map(|comment| comment.id))
    }

    async fn show_status(&self, due: &Due) -> Result<(), ForgeError> {
        let (Some(head), Some((state, rest))) =
            (due.key.split('/').next_back().and_then(|head| head.parse().ok()), due.content.split_once('\n'))
        else {
            return Ok(());
        };
        let (description, url) = rest.split_once('\n').unwrap_or((rest, ""));
        self.shared.forge.set_status(&due.repository, &head, state, description, url).await
    }
}
