//! What the forge should show, kept until it does.

use jiff::Timestamp;

use super::inbox::id;
use super::run::ms;
use super::{Store, StoreError, Tried as _};

/// What kind of thing the forge should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A comment, posted once and edited after that.
    Comment,
    /// A commit status.
    Status,
    /// A reaction to a comment.
    Reaction,
}

impl Kind {
    const ALL: [Self; 3] = [Self::Comment, Self::Status, Self::Reaction];

    const fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Status => "status",
            Self::Reaction => "reaction",
        }
    }
}

/// Something the forge does not show yet.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its key.
    pub key: String,
    /// Its kind.
    pub kind: Kind,
    /// `owner/name`.
    pub repository: String,
    /// The pull request.
    pub pull: u64,
    /// What should be shown, JSON.
    pub content: String,
    /// Which change of it this is.
    pub wanted: i64,
    /// The forge's id of the comment, once it is known.
    pub remote: Option<u64>,
    /// Whether an earlier try may have come through: look before posting again.
    pub unknown: bool,
    /// How often it was tried.
    pub tries: u32,
}

impl Store {
    /// Says what the forge should show from now on.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn want(
        &self,
        key: &str,
        kind: Kind,
        repository: &str,
        pull: u64,
        content: &str,
    ) -> Result<(), StoreError> {
        let (kind, pull) = (kind.name(), id(pull));
        sqlx::query!(
            "INSERT INTO outbox (key, kind, repository, pull, content, state) VALUES (?, ?, ?, ?, ?, 'open')
             ON CONFLICT (key) DO UPDATE SET content = excluded.content, wanted = wanted + 1,
                 next_at = CASE WHEN state = 'given_up' THEN next_at ELSE min(next_at, 0) END
             WHERE content <> excluded.content",
            key,
            kind,
            repository,
            pull,
            content
        )
        .execute(&self.write)
        .await
        .tried("fill the outbox")?;
        Ok(())
    }

    /// What is due now, oldest change first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn due(&self, now: Timestamp) -> Result<Vec<Due>, StoreError> {
        let now = ms(now);
        let rows = sqlx::query!(
            "SELECT key, kind, repository, pull, content, wanted, remote, state, tries FROM outbox
             WHERE flushed < wanted AND state <> 'given_up' AND next_at <= ? ORDER BY next_at, key LIMIT 100",
            now
        )
        .fetch_all(&self.write)
        .await
        .tried("read the outbox")?;
        Ok(rows
            .into_iter()
            .filter_map(|row| {
                Some(Due {
                    kind: Kind::ALL.into_iter().find(|kind| kind.name() == row.kind)?,
                    key: row.key,
                    repository: row.repository,
                    pull: u64::try_from(row.pull).ok()?,
                    content: row.content,
                    wanted: row.wanted,
                    remote: row.remote.and_then(|remote| u64::try_from(remote).ok()),
                    unknown: row.state == "unknown",
                    tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
                })
            })
            .collect())
    }

    /// It is posted now for the first time. Written down before, so that a gate that is killed in between looks for it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn posting(&self, key: &str) -> Result<(), StoreError> {
        sqlx::query!("UPDATE outbox SET state = 'unknown' WHERE key = ?", key)
            .execute(&self.write)
            .await
            .tried("note that an answer is posted")?;
        Ok(())
    }

    /// The forge shows this change of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn shown(&self, key: &str, wanted: i64, remote: Option<u64>) -> Result<(), StoreError> {
        let remote = remote.map(id);
        sqlx::query!(
            "UPDATE outbox SET flushed = max(flushed, ?), remote = coalesce(?, remote), state = 'open', tries = 0, error = NULL WHERE key = ?",
            wanted,
            remote,
            key
        )
        .execute(&self.write)
        .await
        .tried("note what the forge shows")?;
        Ok(())
    }

    /// It did not work; it is tried again at `next`. `unknown`: it may have come through.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn not_shown(&self, key: &str, why: &str, unknown: bool, next: Timestamp) -> Result<(), StoreError> {
        let (state, next) = (if unknown { "unknown" } else { "open" }, ms(next));
        sqlx::query!(
            "UPDATE outbox SET tries = tries + 1, error = ?, next_at = ?, state = CASE WHEN state = 'unknown' THEN state ELSE ? END WHERE key = ?",
            why,
            next,
            state,
            key
        )
        .execute(&self.write)
        .await
        .tried("note what the forge does not show")?;
        Ok(())
    }

    /// It will never work: the comment, pull request or repository is gone or closed to us.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn give_up(&self, key: &str, why: &str) -> Result<(), StoreError> {
        sqlx::query!("UPDATE outbox SET state = 'given_up', error = ? WHERE key = ?", why, key)
            .execute(&self.write)
            .await
            .tried("give up an answer")?;
        Ok(())
    }
}
