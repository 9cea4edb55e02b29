//! Comments as they were heard: stored by their forge id before anything acts on them.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::{CommitSha, RunId};

/// Who brought a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum BroughtBy {
    /// The poll found it.
    Poll,
    /// A webhook told of it.
    Webhook,
    /// It was there before this gate first looked: noted, never acted on.
    Before,
}

impl BroughtBy {
    const fn name(self) -> &'static str {
        match self {
            Self::Poll => "poll",
            Self::Webhook => "webhook",
            Self::Before => "before",
        }
    }
}

/// A comment as it was heard.
#[derive(Debug, Clone)]
pub struct Heard {
    /// The forge's id.
    pub comment: u64,
    /// `owner/name`.
    pub repository: String,
    /// The pull request.
    pub pull: u64,
    /// Who wrote it.
    pub author: String,
    /// What.
    pub body: String,
    /// When, by the forge.
    pub written_at: Timestamp,
    /// When it was last edited, by the forge.
    pub updated_at: Timestamp,
    /// The pull request's head when it was written, where that is known.
    pub head: Option<CommitSha>,
}

impl Store {
    /// Stores a comment. Returns whether it is new: the same one may come by poll and webhook, again and again.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn hear(&self, heard: &Heard, by: BroughtBy, at: Timestamp) -> Result<bool, StoreError> {
        let (comment, pull) = (id(heard.comment), id(heard.pull));
        let (written, updated, seen, name) = (ms(heard.written_at), ms(heard.updated_at), ms(at), by.name());
        let head = heard.head.as_ref().map(CommitSha::as_str);
        let (state, outcome) =
            if by == BroughtBy::Before { ("settled", Some("there before this gate")) } else { ("new", None) };
        let stored = sqlx::query!(
            "INSERT INTO inbox (comment, repository, pull, author, body, written_at, updated_at, head, brought_by, seen_at, state, outcome)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            comment,
            heard.repository,
            pull,
            heard.author,
            heard.body,
            written,
            updated,
            head,
            name,
            seen,
            state,
            outcome
        )
        .execute(&self.write)
        .await
        .tried("store a comment")?;
        Ok(stored.rows_affected() == 1)
    }

    /// Comments that nothing has been decided about, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn unsettled(&self) -> Result<Vec<Heard>, StoreError> {
        let rows = sqlx::query!(
            "SELECT comment, repository, pull, author, body, written_at, updated_at, head FROM inbox WHERE state = 'new' ORDER BY comment LIMIT 500"
        )
        .fetch_all(&self.write)
        .await
        .tried("list the new comments")?;
        Ok(rows
            .into_iter()
            .map(|row| Heard {
                comment: u64::try_from(row.comment).unwrap_or(0),
                repository: row.repository,
                pull: u64::try_from(row.pull).unwrap_or(0),
                author: row.author,
                body: row.body,
                written_at: instant(row.written_at),
                updated_at: instant(row.updated_at),
                head: row.head.and_then(|head| head.parse().ok()),
            })
            .collect())
    }

    /// Notes what became of a comment.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn settle(&self, comment: u64, outcome: &str, run: Option<&RunId>) -> Result<(), StoreError> {
        let (comment, run) = (id(comment), run.map(RunId::as_str));
        sqlx::query!(
            "UPDATE inbox SET state = 'settled', outcome = ?, run = ? WHERE comment = ? AND state = 'new'",
            outcome,
            run,
            comment
        )
        .execute(&self.write)
        .await
        .tried("settle a comment")?;
        Ok(())
    }

    /// Whether this author has had an answer of this kind on this pull request before.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn settled_before(
        &self,
        repository: &str,
        pull: u64,
        author: &str,
        outcome: &str,
    ) -> Result<bool, StoreError> {
        let pull = id(pull);
        let count = sqlx::query_scalar!(
            "SELECT count(*) FROM inbox WHERE repository = ? AND pull = ? AND author = ? AND outcome = ?",
            repository,
            pull,
            author,
            outcome
        )
        .fetch_one(&self.write)
        .await
        .tried("look for an earlier answer")?;
        Ok(count > 0)
    }

    /// Notes a head of a pull request. The first time that it is seen is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn see_head(
        &self,
        repository: &str,
        pull: u64,
        head: &CommitSha,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (pull, head, at) = (id(pull), head.as_str(), ms(at));
        sqlx::query!(
            "INSERT INTO head (repository, pull, sha, seen_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            repository,
            pull,
            head,
            at
        )
        .execute(&self.write)
        .await
        .tried("note a head")?;
        Ok(())
    }

    /// When this head was first seen.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn head_seen(
        &self,
        repository: &str,
        pull: u64,
        head: &CommitSha,
    ) -> Result<Option<Timestamp>, StoreError> {
        let (pull, head) = (id(pull), head.as_str());
        let seen = sqlx::query_scalar!(
            "SELECT seen_at FROM head WHERE repository = ? AND pull = ? AND sha = ?",
            repository,
            pull,
            head
        )
        .fetch_optional(&self.write)
        .await
        .tried("look for a head")?;
        Ok(seen.map(instant))
    }

    /// A cursor's value.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn cursor(&self, name: &str) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar!("SELECT value FROM cursor WHERE name = ?", name)
            .fetch_optional(&self.write)
            .await
            .tried("read a cursor")
    }

    /// Moves a cursor.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn move_cursor(&self, name: &str, value: &str) -> Result<(), StoreError> {
        sqlx::query!(
            "INSERT INTO cursor (name, value) VALUES (?, ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            name,
            value
        )
        .execute(&self.write)
        .await
        .tried("move a cursor")?;
        Ok(())
    }
}

/// SQLite's integers are signed; the forge's ids never need the last bit.
pub(super) fn id(id: u64) -> i64 {
    i64::try_from(id).unwrap_or(i64::MAX)
}
