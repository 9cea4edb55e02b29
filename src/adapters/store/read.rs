//! What pages show. No list is unbounded.

use jiff::Timestamp;
use sqlx::Row as _;

use super::run::instant;
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::{CommitSha, RunId};

/// A run as a page shows it.
#[derive(Debug, Clone)]
pub struct Shown {
    /// Its id.
    pub id: RunId,
    /// Its number.
    pub number: i64,
    /// `fetching`, `queued`, `running` or `done`.
    pub state: String,
    /// `command_line`, `pull_request`, `post_merge` or `sweep`.
    pub cause: String,
    /// The recipe.
    pub recipe: String,
    /// `owner/name` on the forge; empty for the command line.
    pub repository: String,
    /// The pull request.
    pub pull: Option<i64>,
    /// The commit under test.
    pub head: Option<CommitSha>,
    /// The version label of what was tested, once that is known.
    pub version: String,
    /// Who asked.
    pub asked_by: String,
    /// The target, once it has one.
    pub target: String,
    /// The stage in which it is; empty when it does not run.
    pub stage: String,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<String>,
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
    /// Its log and report were not removed.
    pub has_files: bool,
}

const COLUMNS: &str = "SELECT id, number, state, cause, recipe, coalesce(repository, '') AS repository, pull, head, coalesce(asked_by, '') AS asked_by,
    coalesce(target, '') AS target, cancelled, verdict, coalesce(sentence, '') AS sentence, coalesce(level, 0) AS level, queued_at, started_at, finished_at, files_removed_at IS NULL AS has_files,
    version,
    iif(state = 'running', (SELECT name FROM stage WHERE stage.run = run.id ORDER BY started_at DESC, rowid DESC LIMIT 1), NULL) AS stage FROM run";

/// Which run of a recipe is its last green one.
pub(super) const LAST_GREEN: &str = "verdict = 'green' ORDER BY number DESC LIMIT 1";
/// Which one says most of it.
pub(super) const LAST_JUDGED: &str =
    "verdict IN ('green', 'red') ORDER BY cause IN ('post_merge', 'sweep') DESC, number DESC LIMIT 1";

/// A value for a `?`.
pub(super) enum Bind<'a> {
    Number(i64),
    Text(&'a str),
}

impl Store {
    /// Runs without a verdict: those that run, then those that wait, in the order in which they were asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_open(&self, most: i64) -> Result<Vec<Shown>, StoreError> {
        let condition =
            "WHERE state IN ('fetching', 'queued', 'running') ORDER BY state = 'running' DESC, number LIMIT ?";
        self.show(condition, &[Bind::Number(most)]).await
    }

    /// The runs that ended last, newest first; `before`: those that ended before that run.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_ended(&self, before: Option<i64>, most: i64) -> Result<Vec<Shown>, StoreError> {
        let newest = "WHERE finished_at IS NOT NULL ORDER BY finished_at DESC, number DESC LIMIT ?";
        let Some(before) = before else { return self.show(newest, &[Bind::Number(most)]).await };
        let older = "WHERE (finished_at, number) < (SELECT finished_at, number FROM run WHERE number = ?)
             ORDER BY finished_at DESC, number DESC LIMIT ?";
        self.show(older, &[Bind::Number(before), Bind::Number(most)]).await
    }

    /// Runs of one recipe, newest first; `before`: those with a smaller number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_runs_of(&self, recipe: &str, before: Option<i64>, most: i64) -> Result<Vec<Shown>, StoreError> {
        let condition = "WHERE recipe = ? AND number < ? ORDER BY number DESC LIMIT ?";
        let before = before.unwrap_or(i64::MAX);
        self.show(condition, &[Bind::Text(recipe), Bind::Number(before), Bind::Number(most)]).await
    }

    /// The newest green run of a recipe.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_last_green(&self, recipe: &str) -> Result<Option<Shown>, StoreError> {
        Ok(self.show(&format!("WHERE recipe = ? AND {LAST_GREEN}"), &[Bind::Text(recipe)]).await?.pop())
    }

    /// The newest green run of a recipe that has a smaller number and results.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_green_before(&self, recipe: &str, number: i64) -> Result<Option<Shown>, StoreError> {
        self.show_before("verdict = 'green'", recipe, number).await
    }

    /// The newest run of a recipe that has ended, with a smaller number and results.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_ended_before(&self, recipe: &str, number: i64) -> Result<Option<Shown>, StoreError> {
        self.show_before("verdict IS NOT NULL", recipe, number).await
    }

    async fn show_before(&self, which: &str, recipe: &str, number: i64) -> Result<Option<Shown>, StoreError> {
        let condition = format!(
            "WHERE recipe = ? AND number < ? AND {which} AND EXISTS (SELECT 1 FROM report WHERE report.run = run.id)
             ORDER BY number DESC LIMIT 1"
        );
        Ok(self.show(&condition, &[Bind::Text(recipe), Bind::Number(number)]).await?.pop())
    }

    /// The newest run that says something of its recipe, green or red; one of the default branch before one of a pull request.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_last_judged(&self, recipe: &str) -> Result<Option<Shown>, StoreError> {
        Ok(self.show(&format!("WHERE recipe = ? AND {LAST_JUDGED}"), &[Bind::Text(recipe)]).await?.pop())
    }

    /// One run by its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn show_run(&self, number: i64) -> Result<Option<Shown>, StoreError> {
        Ok(self.show("WHERE number = ?", &[Bind::Number(number)]).await?.pop())
    }

    /// The number of the run with that id.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn number_of(&self, id: &RunId) -> Result<Option<i64>, StoreError> {
        let id = id.as_str();
        sqlx::query_scalar!("SELECT number FROM run WHERE id = ?", id)
            .fetch_optional(&self.read)
            .await
            .tried("look for a run")
    }

    /// `results.json` of a run; `None` for one that ended before it had any.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn results_of(&self, number: i64) -> Result<Option<String>, StoreError> {
        sqlx::query_scalar!("SELECT results FROM report WHERE run = (SELECT id FROM run WHERE number = ?)", number)
            .fetch_optional(&self.read)
            .await
            .tried("read the results")
    }

    /// Whether there are results of a run.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn has_results(&self, number: i64) -> Result<bool, StoreError> {
        sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM report WHERE run = (SELECT id FROM run WHERE number = ?)) AS "has!: bool""#,
            number
        )
        .fetch_one(&self.read)
        .await
        .tried("look for the results")
    }

    /// The signature of a run's results.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn signature_of(&self, number: i64) -> Result<Option<String>, StoreError> {
        let signature = sqlx::query_scalar!(
            "SELECT signature FROM report WHERE run = (SELECT id FROM run WHERE number = ?)",
            number
        )
        .fetch_optional(&self.read)
        .await
        .tried("read the signature of the results")?;
        Ok(signature.flatten())
    }

    /// Names of recipes that have runs or are watched, in order; `after`: those behind that name.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn recipe_names(&self, after: &str, most: i64) -> Result<Vec<String>, StoreError> {
        // From name to name, since a recipe may have thousands of runs.
        sqlx::query_scalar!(
            r#"WITH RECURSIVE ran (name) AS (
                 SELECT min(recipe) FROM run WHERE recipe > ?1
                 UNION ALL SELECT (SELECT min(recipe) FROM run WHERE recipe > ran.name) FROM ran WHERE ran.name IS NOT NULL LIMIT ?2)
               SELECT name AS "name!: String" FROM (
                 SELECT name FROM ran WHERE name IS NOT NULL
                 UNION SELECT substr(repository, instr(repository, '/') + 1) FROM reference)
               WHERE name > ?1 ORDER BY name LIMIT ?2"#,
            after,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("list the recipes")
    }

    /// Whether a recipe of that name is watched, or was.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn knows_recipe(&self, name: &str) -> Result<bool, StoreError> {
        let knows = sqlx::query_scalar!(
            r#"SELECT EXISTS (SELECT 1 FROM run WHERE recipe = ?1)
                      OR EXISTS (SELECT 1 FROM reference WHERE substr(repository, instr(repository, '/') + 1) = ?1) AS "knows!: bool""#,
            name
        )
        .fetch_one(&self.read)
        .await
        .tried("look for a recipe")?;
        Ok(knows)
    }

    pub(super) async fn show(&self, condition: &str, binds: &[Bind<'_>]) -> Result<Vec<Shown>, StoreError> {
        // Both parts are made of constants; what comes from outside is bound.
        let statement = sqlx::AssertSqlSafe(format!("{COLUMNS} {condition}"));
        let mut query = sqlx::query(statement);
        for bind in binds {
            query = match bind {
                Bind::Number(number) => query.bind(*number),
                Bind::Text(text) => query.bind((*text).to_owned()),
            };
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
        cause: row.get("cause"),
        recipe: row.get("recipe"),
        repository: row.get("repository"),
        pull: row.get("pull"),
        head: row.get::<Option<String>, _>("head").and_then(|head| head.parse().ok()),
        version: row.get("version"),
        asked_by: row.get("asked_by"),
        target: row.get("target"),
        stage: row.get::<Option<String>, _>("stage").unwrap_or_default(),
        cancelled: row.get("cancelled"),
        verdict: row.get("verdict"),
        sentence: row.get("sentence"),
        level: row.get("level"),
        queued_at: instant(row.get("queued_at")),
        started_at: time("started_at"),
        finished_at: time("finished_at"),
        has_files: row.get("has_files"),
    })
}
