//! Counts for metrics and for the question whether this gate is well.

use jiff::Timestamp;

use super::run::ms;
use super::{Store, StoreError, Tried as _};

/// Ended runs of one verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// `green`, `red` or `not_judged`.
    pub verdict: String,
    /// How many.
    pub runs: i64,
    /// How long they took together, in milliseconds.
    pub took_ms: i64,
}

/// How many of what there is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Numbers {
    /// Ended runs by verdict.
    pub ended: Vec<Ended>,
    /// Runs that run.
    pub running: i64,
    /// Runs that wait, fetching included.
    pub waiting: i64,
    /// Answers that the forge should show and does not.
    pub outbox_due: i64,
    /// Answers that were given up.
    pub outbox_given_up: i64,
}

impl Store {
    /// The counts.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn numbers(&self) -> Result<Numbers, StoreError> {
        let ended = sqlx::query!(r#"SELECT verdict AS "verdict!", runs, took_ms FROM tally ORDER BY verdict"#)
            .fetch_all(&self.read)
            .await
            .tried("count the runs")?;
        let open = sqlx::query!(
            r#"SELECT count(*) AS "all!: i64", coalesce(sum(state = 'running'), 0) AS "running!: i64"
               FROM run WHERE state IN ('fetching', 'queued', 'running')"#
        )
        .fetch_one(&self.read)
        .await
        .tried("count the open runs")?;
        let outbox = sqlx::query!(
            r#"SELECT (SELECT count(*) FROM outbox WHERE flushed < wanted AND state <> 'given_up') AS "due!: i64",
                      (SELECT count(*) FROM outbox WHERE state = 'given_up') AS "given_up!: i64""#
        )
        .fetch_one(&self.read)
        .await
        .tried("count the answers")?;
        Ok(Numbers {
            ended: ended
                .into_iter()
                .map(|row| Ended { verdict: row.verdict, runs: row.runs, took_ms: row.took_ms })
                .collect(),
            running: open.running,
            waiting: open.all - open.running,
            outbox_due: outbox.due,
            outbox_given_up: outbox.given_up,
        })
    }

    /// Whether the database can be written to, tried and undone.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn try_to_write(&self, now: Timestamp) -> Result<(), StoreError> {
        let now = ms(now);
        let mut all = self.write.begin().await.tried("write")?;
        sqlx::query!(
            "INSERT INTO cursor (name, value) VALUES ('ready', ?) ON CONFLICT (name) DO UPDATE SET value = excluded.value",
            now
        )
        .execute(&mut *all)
        .await
        .tried("write")?;
        all.rollback().await.tried("write")
    }
}
