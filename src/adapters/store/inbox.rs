//! Comments as they were heard: stored by their forge id before anything acts on them.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::forge::{CommentId, Login, PullNumber, RepoName};
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
    pub comment: CommentId,
    /// Where.
    pub repository: RepoName,
    /// The pull request.
    pub pull: PullNumber,
    /// Who wrote it.
    pub author: Login,
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
        let (comment, pull) = (heard.comment.get(), heard.pull.get());
        let (repository, author) = (heard.repository.to_string(), heard.author.as_str());
        let (written, updated, seen, name) = (ms(heard.written_at), ms(heard.updated_at), ms(at), by.name());
        let head = heard.head.as_ref().map(CommitSha::as_str);
        let (state, outcome) =
            if by == BroughtBy::Before { ("settled", Some("there before this gate")) } else { ("new", None) };
        let stored = sqlx::query!(
            "INSERT INTO inbox (comment, repository, pull, author, body, written_at, updated_at, head, brought_by, seen_at, state, outcome)
             VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            comment,
            repository,
            pull,
            author,
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
        // A row that cannot be read would be one that this program did not write.
        let heard = |(comment, repository, pull, author): (i64, &str, i64, &str)| {
            let (comment, pull) = (CommentId::new(comment).ok()?, PullNumber::new(pull).ok()?);
            Some((comment, RepoName::parse(repository).ok()?, pull, Login::parse(author).ok()?))
        };
        let read = rows.into_iter().filter_map(|row| {
            let (comment, repository, pull, author) = heard((row.comment, &row.repository, row.pull, &row.author))?;
            Some(Heard {
                comment,
                repository,
                pull,
                author,
                body: row.body,
                written_at: instant(row.written_at),
                updated_at: instant(row.updated_at),
                head: row.head.and_then(|head| head.parse().ok()),
            })
        });
        Ok(read.collect())
    }

    /// Notes what became of a comment.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn settle(&self, comment: CommentId, outcome: &str, run: Option<&RunId>) -> Result<(), StoreError> {
        let (comment, run) = (comment.get(), run.map(RunId::as_str));
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
        repository: &RepoName,
        pull: PullNumber,
        author: &Login,
        outcome: &str,
    ) -> Result<bool, StoreError> {
        let (repository, pull, author) = (repository.to_string(), pull.get(), author.as_str());
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
        repository: &RepoName,
        pull: PullNumber,
        head: &CommitSha,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (repository, pull, head, at) = (repository.to_string(), pull.get(), head.as_str(), ms(at));
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

    /// The head that was there at the gate's last look before an instant: the newest one first seen by then.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn head_before(
        &self,
        repository: &RepoName,
        pull: PullNumber,
        before: Timestamp,
    ) -> Result<Option<CommitSha>, StoreError> {
        let (repository, pull, before) = (repository.to_string(), pull.get(), ms(before));
        let seen = sqlx::query_scalar!(
            "SELECT sha FROM head WHERE repository = ? AND pull = ? AND seen_at <= ? ORDER BY seen_at DESC, rowid DESC LIMIT 1",
            repository,
            pull,
            before
        )
        .fetch_optional(&self.write)
        .await
        .tried("look for a head")?;
        Ok(seen.and_then(|sha| sha.parse().ok()))
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
