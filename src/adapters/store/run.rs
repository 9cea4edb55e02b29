//! What is stored of a run.

use jiff::Timestamp;
use serde::Serialize;
use serde::de::DeserializeOwned;

use super::{Store, StoreError, Tried as _};
use crate::domain::finding::Finding;
use crate::domain::ids::RunId;
use crate::domain::verdict::Verdict;

/// A run as it is stored.
#[derive(Debug, Clone)]
pub struct Run {
    /// Its id.
    pub id: RunId,
    /// The frozen inputs, JSON.
    pub plan: String,
    /// The protocol of its runner.
    pub protocol: u32,
    /// When it was made.
    pub created_at: Timestamp,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<String>,
    /// Whether it has its verdict.
    pub done: bool,
    /// Whether there is a `results.json` of it: not of a run that was given its verdict from outside.
    pub has_results: bool,
}

/// A run that is about to begin.
#[derive(Debug, Clone)]
pub struct NewRun<'a> {
    /// Its id.
    pub id: &'a RunId,
    /// The recipe's name.
    pub recipe: &'a str,
    /// The target's name.
    pub target: &'a str,
    /// The app's stack.
    pub stack: &'a str,
    /// The frozen inputs, JSON.
    pub plan: &'a str,
    /// The protocol of its runner.
    pub protocol: u32,
    /// Now.
    pub at: Timestamp,
}

/// How a run ended.
#[derive(Debug, Clone, Copy)]
pub struct End<'a> {
    /// Its verdict.
    pub verdict: Verdict,
    /// The verdict in one sentence.
    pub sentence: &'a str,
    /// How many rungs hold from the first.
    pub level: u8,
    /// What it reports; `None` for a run that never got so far.
    pub report: Option<Report<'a>>,
}

/// What a run reports.
#[derive(Debug, Clone, Copy)]
pub struct Report<'a> {
    /// `results.json`.
    pub results: &'a str,
    /// The signature of that, byte for byte.
    pub signature: Option<&'a str>,
}

pub(super) fn ms(instant: Timestamp) -> i64 {
    instant.as_millisecond()
}

pub(super) fn instant(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(ms).unwrap_or(Timestamp::UNIX_EPOCH)
}

impl Store {
    /// Stores a new run.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn add_run(&self, run: NewRun<'_>) -> Result<(), StoreError> {
        let (id, protocol, at) = (run.id.as_str(), i64::from(run.protocol), ms(run.at));
        sqlx::query!(
            "INSERT INTO run (id, number, state, cause, recipe, options, target, stack, plan, protocol, queued_at, started_at)
             VALUES (?1, (SELECT coalesce(max(number), 0) + 1 FROM run), 'running', 'command_line', ?2, '{}', ?3, ?4, ?5, ?6, ?7, ?7)",
            id,
            run.recipe,
            run.target,
            run.stack,
            run.plan,
            protocol,
            at
        )
        .execute(&self.write)
        .await
        .tried("store the run")?;
        Ok(())
    }

    /// The run of that id.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn run(&self, id: &RunId) -> Result<Option<Run>, StoreError> {
        let text = id.as_str();
        let row = sqlx::query!(
            r#"SELECT plan AS "plan!", protocol AS "protocol!", started_at AS "started_at!", cancelled, state = 'done' AS "done!: bool",
                      EXISTS (SELECT 1 FROM report WHERE run = id) AS "has_results!: bool"
               FROM run WHERE id = ? AND plan IS NOT NULL"#,
            text
        )
        .fetch_optional(&self.read)
        .await
        .tried("read the run")?;
        Ok(row.map(|row| Run {
            id: id.clone(),
            plan: row.plan,
            protocol: u32::try_from(row.protocol).unwrap_or(0),
            created_at: instant(row.started_at),
            cancelled: row.cancelled,
            done: row.done,
            has_results: row.has_results,
        }))
    }

    /// Runs on this target that have no verdict, oldest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn unfinished(&self, target: &str) -> Result<Vec<RunId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM run WHERE state = 'running' AND target = ? ORDER BY started_at, id",
            target
        )
        .fetch_all(&self.read)
        .await
        .tried("list the unfinished runs")?;
        Ok(ids.iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Notes that the run was cancelled, unless that is known.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn cancel(&self, id: &RunId, why: &str) -> Result<(), StoreError> {
        let id = id.as_str();
        sqlx::query!("UPDATE run SET cancelled = coalesce(cancelled, ?) WHERE id = ?", why, id)
            .execute(&self.write)
            .await
            .tried("cancel the run")?;
        Ok(())
    }

    /// Gives the run its one verdict; a second one is not taken. Returns whether this was the first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn finish(&self, id: &RunId, end: &End<'_>, at: Timestamp) -> Result<bool, StoreError> {
        let (id, verdict, at) = (id.as_str(), end.verdict.name(), ms(at));
        let (sentence, level) = (end.sentence, i64::from(end.level));
        let results = end.report.map(|report| report.results);
        let mut all = self.write.begin().await.tried("store the verdict")?;
        let done = sqlx::query!(
            "UPDATE run SET state = 'done', verdict = ?, sentence = ?, level = ?, finished_at = ?,
                    version = coalesce(json_extract(?, '$.recipe.head.version'), '')
             WHERE id = ? AND state <> 'done'",
            verdict,
            sentence,
            level,
            at,
            results,
            id
        )
        .execute(&mut *all)
        .await
        .tried("store the verdict")?;
        let first = done.rows_affected() == 1;
        if let (true, Some(Report { results, signature })) = (first, end.report) {
            sqlx::query!("INSERT INTO report (run, results, signature) VALUES (?, ?, ?)", id, results, signature)
                .execute(&mut *all)
                .await
                .tried("store the results")?;
        }
        all.commit().await.tried("store the verdict")?;
        Ok(first)
    }

    /// Adds a finding, unless it is there: a run that was resumed may find the same thing again.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn add_finding(&self, run: &RunId, finding: &Finding) -> Result<(), StoreError> {
        let known = self.findings(run).await?;
        if known.iter().any(|known| finding.is_again(known)) {
            return Ok(());
        }
        let (run, seq) = (run.as_str(), i64::try_from(known.len()).unwrap_or(i64::MAX));
        let json = to_json("finding", finding)?;
        sqlx::query!("INSERT INTO finding (run, seq, finding) VALUES (?, ?, ?) ON CONFLICT DO NOTHING", run, seq, json)
            .execute(&self.write)
            .await
            .tried("store a finding")?;
        Ok(())
    }

    /// The run's findings, in the order in which they were made.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn findings(&self, run: &RunId) -> Result<Vec<Finding>, StoreError> {
        let run = run.as_str();
        let rows = sqlx::query_scalar!("SELECT finding FROM finding WHERE run = ? ORDER BY seq", run)
            .fetch_all(&self.write)
            .await
            .tried("read the findings")?;
        rows.iter().map(|row| from_json("finding", row)).collect()
    }

    /// Stores what a later stage or process needs.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn put_fact(&self, run: &RunId, key: &'static str, value: &impl Serialize) -> Result<(), StoreError> {
        let (run, json) = (run.as_str(), to_json(key, value)?);
        sqlx::query!("INSERT INTO fact (run, key, value) VALUES (?, ?, ?) ON CONFLICT (run, key) DO UPDATE SET value = excluded.value", run, key, json)
            .execute(&self.write)
            .await
            .tried("store a fact")?;
        Ok(())
    }

    /// What was stored under that key.
    ///
    /// # Errors
    /// What SQLite says, or that the value is of another shape.
    pub async fn fact<T: DeserializeOwned>(&self, run: &RunId, key: &'static str) -> Result<Option<T>, StoreError> {
        let run = run.as_str();
        let value = sqlx::query_scalar!("SELECT value FROM fact WHERE run = ? AND key = ?", run, key)
            .fetch_optional(&self.write)
            .await
            .tried("read a fact")?;
        value.map(|value| from_json(key, &value)).transpose()
    }
}

pub(super) fn to_json(what: &'static str, value: &impl Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unreadable { what, source })
}

pub(super) fn from_json<T: DeserializeOwned>(what: &'static str, text: &str) -> Result<T, StoreError> {
    serde_json::from_str(text).map_err(|source| StoreError::Unreadable { what, source })
}
