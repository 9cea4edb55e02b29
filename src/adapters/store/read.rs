//! What pages show.

use jiff::Timestamp;
use sqlx::Row as _;

use super::run::instant;
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::RunId;

/// A run as a page shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: RunId,
    /// Its number.
    pub number: i64,
    /// `fetching`, `queued`, `running` or `done`.
    pub state: String,
    /// The recipe.
    pub recipe: String,
    /// `owner/name` on the forge; empty for the command line.
    pub repository: String,
    /// The pull request.
    pub pull: Option<i64>,
    /// Who asked.
    pub asked_by: String,
    /// The target, once it has one.
    pub target: String,
    /// The stage in which it is, or was last.
    pub stage: String,
    /// `green`, `red` or `not_judged`, once it has one.
    pub verdict: Option<String>,
    /// The verdict in one sentence.
    pub sentence: String,
    /// How many rungs hold from the first.
    pub level: i64,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
}

const COLUMNS: &str = "SELECT id, number, state, recipe, coalesce(repository, '') AS repository, pull, coalesce(asked_by, '') AS asked_by,
    coalesce(target, '') AS target, verdict, coalesce(sentence, '') AS sentence, coalesce(level, 0) AS level, queued_at, started_at, finished_at,
    coalesce((SELECT name FROM stage WHERE stage.run = run.id ORDER BY started_at DESC, rowid DESC LIMIT 1), '') AS stage FROM run";

impl Store {
    /// Runs without a verdict, in the order in which they were asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_open(&self) -> Result<Vec<Shown>, StoreError> {
        self.show("WHERE state IN ('fetching', 'queued', 'running') ORDER BY number", None).await
    }

    /// The runs that ended last, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_latest(&self) -> Result<Vec<Shown>, StoreError> {
        self.show("WHERE finished_at IS NOT NULL ORDER BY finished_at DESC LIMIT 20", None).await
    }

    /// One run by its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_run(&self, number: i64) -> Result<Option<Shown>, StoreError> {
        Ok(self.show("WHERE number = ?", Some(number)).await?.pop())
    }

    async fn show(&self, condition: &str, number: Option<i64>) -> Result<Vec<Shown>, StoreError> {
        // Both parts are constants of this file; what comes from outside is bound.
        let statement = sqlx::AssertSqlSafe(format!("{COLUMNS} {condition}"));
        let mut query = sqlx::query(statement);
        if let Some(number) = number {
            query = query.bind(number);
        }
        let rows = query.fetch_all(&self.read).await.tried("read runs for a page")?;
        Ok(rows.iter().filter_map(shown).collect())
    }
}

fn shown(row: &sqlx::sqlite::SqliteRow) -> Option<Shown> {
    let time = |name: &str| row.get::<Option<i64>, _>(name).map(instant);
    Some(Shown {
        id: row.get::<String, _>("id").parse().ok()?,
        number: row.get("number"),
        state: row.get("state"),
        recipe: row.get("recipe"),
        repository: row.get("repository"),
        pull: row.get("pull"),
        asked_by: row.get("asked_by"),
        target: row.get("target"),
        stage: row.get("stage"),
        verdict: row.get("verdict"),
        sentence: row.get("sentence"),
        level: row.get("level"),
        queued_at: instant(row.get("queued_at")),
        started_at: time("started_at"),
        finished_at: time("finished_at"),
    })
}
