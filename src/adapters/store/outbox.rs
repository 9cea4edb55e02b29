//! What the forge should show, kept until it does.

use std::time::Duration;

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::forge::{CommentId, PullNumber, RepoName};
use crate::domain::ids::RunId;

/// What kind of thing the forge should show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// A comment, posted once and edited after that.
    Comment,
    /// A commit status.
    Status,
    /// A reaction to a comment.
    Reaction,
    /// A comment of the gate that goes, once the one that takes its place is there.
    Removal,
}

impl Kind {
    const ALL: [Self; 4] = [Self::Comment, Self::Status, Self::Reaction, Self::Removal];

    const fn name(self) -> &'static str {
        match self {
            Self::Comment => "comment",
            Self::Status => "status",
            Self::Reaction => "reaction",
            Self::Removal => "removal",
        }
    }
}

/// Something that the forge should show.
#[derive(Debug, Clone)]
pub struct Wanted<'a> {
    /// What it is called here.
    pub key: &'a str,
    /// What kind of thing it is.
    pub kind: Kind,
    /// Where.
    pub repository: &'a RepoName,
    /// The pull request; none for the status of a commit that belongs to none.
    pub pull: Option<PullNumber>,
    /// The comment's body; state, description, address and commit of a status, a line each; the reaction.
    pub content: &'a str,
    /// Only as long as this run has no verdict: what is told of its progress never comes after its end.
    pub while_open: Option<&'a RunId>,
}

/// Something the forge does not show yet.
#[derive(Debug, Clone)]
pub struct Due {
    /// Its key.
    pub key: String,
    /// Its kind.
    pub kind: Kind,
    /// Where.
    pub repository: RepoName,
    /// The pull request.
    pub pull: Option<PullNumber>,
    /// What should be shown.
    pub content: String,
    /// Which change of it this is.
    pub wanted: i64,
    /// The forge's id of the comment, once it is known.
    pub remote: Option<CommentId>,
    /// When it was sent, if what became of that is not known: it is looked for before it is sent again.
    pub unknown_since: Option<Timestamp>,
    /// How often it was tried.
    pub tries: u32,
}

/// What became of a comment that is not wanted any more.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Withdrawn {
    /// It was never posted, and will not be.
    Whole,
    /// It was posted, and nobody knows whether that worked: first it is looked for.
    UnderWay,
    /// The forge shows it.
    Shown(CommentId),
}

impl Store {
    /// Says what the forge should show from now on.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn want(&self, wanted: &Wanted<'_>) -> Result<(), StoreError> {
        let (kind, repository) = (wanted.kind.name(), wanted.repository.to_string());
        let pull = wanted.pull.map_or(0, PullNumber::get);
        let run = wanted.while_open.map(RunId::as_str);
        sqlx::query!(
            "INSERT INTO outbox (key, kind, repository, pull, content, state)
             SELECT ?1, ?2, ?3, ?4, ?5, 'open' WHERE ?6 IS NULL OR EXISTS (SELECT 1 FROM run WHERE id = ?6 AND state <> 'done')
             ON CONFLICT (key) DO UPDATE SET content = excluded.content, wanted = wanted + 1,
                 next_at = CASE WHEN state = 'open' AND tries = 0 THEN 0 ELSE next_at END
             WHERE content <> excluded.content",
            wanted.key,
            kind,
            repository,
            pull,
            wanted.content,
            run
        )
        .execute(&self.write)
        .await
        .tried("fill the outbox")?;
        Ok(())
    }

    /// What is due now, the longest due first. Nothing is put off for longer than `longest`: what seems to be was put off by a
    /// clock that went back since.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn due(&self, now: Timestamp, longest: Duration) -> Result<Vec<Due>, StoreError> {
        let (now, never) = (ms(now), ms(now + longest));
        let rows = sqlx::query!(
            "SELECT key, kind, repository, pull, content, wanted, remote, state, posted_at, tries FROM outbox
             WHERE flushed < wanted AND state <> 'given_up' AND (next_at <= ? OR next_at > ?) ORDER BY next_at, key LIMIT 100",
            now,
            never
        )
        .fetch_all(&self.write)
        .await
        .tried("read the outbox")?;
        // A row that cannot be read would be one that this program did not write.
        let read = rows.into_iter().filter_map(|row| {
            let unknown = row.state == "unknown";
            Some(Due {
                kind: Kind::ALL.into_iter().find(|kind| kind.name() == row.kind)?,
                key: row.key,
                repository: RepoName::parse(&row.repository).ok()?,
                pull: PullNumber::new(row.pull).ok(),
                content: row.content,
                wanted: row.wanted,
                remote: row.remote.and_then(|remote| CommentId::new(remote).ok()),
                unknown_since: unknown.then(|| instant(row.posted_at.unwrap_or(0))),
                tries: u32::try_from(row.tries).unwrap_or(u32::MAX),
            })
        });
        Ok(read.collect())
    }

    /// How many things the forge does not show yet, and when the next one is tried.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn outbox_backlog(&self) -> Result<(i64, Option<Timestamp>), StoreError> {
        let row = sqlx::query!(
            r#"SELECT count(*) AS "waiting!: i64", min(next_at) AS "next: i64" FROM outbox WHERE flushed < wanted AND state <> 'given_up'"#
        )
        .fetch_one(&self.read)
        .await
        .tried("count what the forge does not show")?;
        Ok((row.waiting, row.next.map(instant)))
    }

    /// The forge's id of a comment that it shows.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn remote(&self, key: &str) -> Result<Option<CommentId>, StoreError> {
        let found = sqlx::query_scalar!("SELECT remote FROM outbox WHERE key = ? AND flushed > 0", key)
            .fetch_optional(&self.write)
            .await
            .tried("look for a comment")?;
        Ok(found.flatten().and_then(|remote| CommentId::new(remote).ok()))
    }

    /// Whether something is in the outbox under this key, shown or not.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn is_wanted(&self, key: &str) -> Result<bool, StoreError> {
        let count = sqlx::query_scalar!("SELECT count(*) FROM outbox WHERE key = ?", key)
            .fetch_one(&self.write)
            .await
            .tried("look into the outbox")?;
        Ok(count > 0)
    }

    /// It is posted now, at that instant of the forge's clock. Written down before, so that a gate that is killed in between
    /// looks for it. Returns whether it should be: it may have been withdrawn.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn posting(&self, key: &str, at: Timestamp) -> Result<bool, StoreError> {
        let at = ms(at);
        let noted = sqlx::query!(
            "UPDATE outbox SET state = 'unknown', posted_at = ? WHERE key = ? AND state <> 'given_up'",
            at,
            key
        )
        .execute(&self.write)
        .await
        .tried("note that an answer is posted")?;
        Ok(noted.rows_affected() == 1)
    }

    /// A comment whose post had no answer is there: from now on it is edited, whatever becomes of the first edit.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn found(&self, key: &str, remote: CommentId) -> Result<(), StoreError> {
        let remote = remote.get();
        sqlx::query!(
            "UPDATE outbox SET remote = ?, state = CASE WHEN state = 'unknown' THEN 'open' ELSE state END WHERE key = ?",
            remote,
            key
        )
        .execute(&self.write)
        .await
        .tried("note that an answer was found")?;
        Ok(())
    }

    /// Another comment takes the place of this one. One that was not posted is not any more.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn withdraw(&self, key: &str) -> Result<Withdrawn, StoreError> {
        let done = sqlx::query!(
            "UPDATE outbox SET state = 'given_up', error = 'another one took its place'
             WHERE key = ? AND remote IS NULL AND state <> 'unknown'",
            key
        )
        .execute(&self.write)
        .await
        .tried("withdraw an answer")?;
        if done.rows_affected() > 0 {
            return Ok(Withdrawn::Whole);
        }
        let row = sqlx::query_scalar!("SELECT remote FROM outbox WHERE key = ?", key)
            .fetch_optional(&self.write)
            .await
            .tried("look for a comment")?;
        Ok(match row {
            None => Withdrawn::Whole,
            Some(None) => Withdrawn::UnderWay,
            Some(Some(remote)) => CommentId::new(remote).map_or(Withdrawn::Whole, Withdrawn::Shown),
        })
    }

    /// Where a comment that should take another one's place was given up, the old one says what it would have said. Returns
    /// whether that is so.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn stand_in(&self, old: &str, new: &str) -> Result<bool, StoreError> {
        let done = sqlx::query!(
            "UPDATE outbox SET content = given_up.content, wanted = outbox.wanted + 1
             FROM outbox AS given_up WHERE outbox.key = ? AND given_up.key = ? AND given_up.state = 'given_up'",
            old,
            new
        )
        .execute(&self.write)
        .await
        .tried("let a comment stand in for another one")?;
        Ok(done.rows_affected() > 0)
    }

    /// The forge shows this change of it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn shown(&self, key: &str, wanted: i64, remote: Option<CommentId>) -> Result<(), StoreError> {
        let remote = remote.map(CommentId::get);
        sqlx::query!(
            "UPDATE outbox SET flushed = max(flushed, ?), remote = coalesce(?, remote), tries = 0, next_at = 0, error = NULL,
                 state = CASE WHEN state = 'given_up' THEN state ELSE 'open' END
             WHERE key = ?",
            wanted,
            remote,
            key
        )
        .execute(&self.write)
        .await
        .tried("note what the forge shows")?;
        Ok(())
    }

    /// It did not work; it is tried again at `next`. `certain`: it certainly was not done, so nothing needs to be looked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn not_shown(&self, key: &str, why: &str, certain: bool, next: Timestamp) -> Result<(), StoreError> {
        let next = ms(next);
        sqlx::query!(
            "UPDATE outbox SET tries = tries + 1, error = ?, next_at = ?, state = CASE WHEN ? THEN 'open' ELSE state END
             WHERE key = ? AND state <> 'given_up'",
            why,
            next,
            certain,
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

    /// The repository has another name now: what it should show, and the runs that wait, follow it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn renamed(&self, from: &RepoName, to: &RepoName) -> Result<(), StoreError> {
        let (from, to) = (from.to_string(), to.to_string());
        let mut transaction = self.write.begin().await.tried("follow a renamed repository")?;
        for table in ["outbox", "run", "inbox"] {
            // Constants of this file; the names are bound.
            let open = if table == "run" { " AND state <> 'done'" } else { "" };
            let statement = format!("UPDATE {table} SET repository = ? WHERE repository = ? COLLATE NOCASE{open}");
            let query = sqlx::query(sqlx::AssertSqlSafe(statement)).bind(&to).bind(&from);
            query.execute(&mut *transaction).await.tried("follow a renamed repository")?;
        }
        transaction.commit().await.tried("follow a renamed repository")
    }
}
