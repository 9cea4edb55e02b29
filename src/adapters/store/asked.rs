//! Runs as the service sees them.

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::queue::{Cause, Needs, RunState};
use super::run::instant;
use super::{Store, StoreError, Tried as _};
use crate::domain::command::Options;
use crate::domain::forge::{CommentId, PullNumber, RepoName};
use crate::domain::ids::{CommitSha, RecipeName, RunId, TargetName};
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;

/// A run as the service sees it.
#[derive(Debug, Clone)]
pub struct Asked {
    /// Its id.
    pub id: RunId,
    /// Its number.
    pub number: i64,
    /// How far it is.
    pub state: RunState,
    /// Why.
    pub cause: Cause,
    /// The recipe.
    pub recipe: RecipeName,
    /// The repository on the forge; none for the command line.
    pub repository: Option<RepoName>,
    /// The pull request.
    pub pull: Option<PullNumber>,
    /// The commit under test.
    pub head: Option<CommitSha>,
    /// Who asked.
    pub asked_by: String,
    /// How.
    pub options: Options,
    /// Which try.
    pub attempt: u8,
    /// Its needs.
    pub needs: Needs,
    /// The comment that is answered.
    pub comment: Option<CommentId>,
    /// With which posting the answer began.
    pub post: u32,
    /// Whether the request vouched for this commit alone.
    pub vouched: bool,
    /// The run that this one tries again.
    pub first_try: Option<RunId>,
    /// The sweep that it belongs to.
    pub sweep: Option<i64>,
    /// Since when it has been waiting.
    pub queued_at: Timestamp,
    /// Its target, once it runs.
    pub target: Option<TargetName>,
    /// The stage that it is in, or was last.
    pub stage: Option<Stage>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// When it ended.
    pub finished_at: Option<Timestamp>,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<String>,
    /// Its verdict.
    pub verdict: Option<Verdict>,
    /// The verdict in one sentence.
    pub sentence: String,
    /// results.json, until its end is told; none of a run that never began.
    pub results: Option<String>,
}

const ASKED: &str = "SELECT id, number, state, cause, recipe, repository, pull, head, coalesce(asked_by, '') AS asked_by, options, attempt, weight,
    ports, images, comment, post, vouched, first_try, sweep, queued_at, target, started_at, finished_at, cancelled, verdict,
    coalesce(sentence, '') AS sentence, (SELECT results FROM report WHERE report.run = run.id AND answered = 0) AS results,
    (SELECT name FROM stage WHERE stage.run = run.id ORDER BY started_at DESC, rowid DESC LIMIT 1) AS stage FROM run";

impl Store {
    /// All runs without a verdict, in the order in which they were asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn open_runs(&self) -> Result<Vec<Asked>, StoreError> {
        self.asked("WHERE state IN ('fetching', 'queued', 'running') ORDER BY number", |query| query).await
    }

    /// Runs that have ended and whose end was not told.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn unanswered(&self) -> Result<Vec<Asked>, StoreError> {
        // Named, since SQLite would go over everything that has ended: each second.
        let condition = "INDEXED BY run_unanswered WHERE state = 'done' AND answered = 0 ORDER BY number LIMIT 100";
        self.asked(condition, |query| query).await
    }

    /// One run.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn asked_run(&self, id: &RunId) -> Result<Option<Asked>, StoreError> {
        Ok(self.asked("WHERE id = ?", |query| query.bind(id.as_str())).await?.pop())
    }

    /// One run, by its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn numbered(&self, number: i64) -> Result<Option<Asked>, StoreError> {
        Ok(self.asked("WHERE number = ?", |query| query.bind(number)).await?.pop())
    }

    /// One run by its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn asked_number(&self, number: i64) -> Result<Option<Asked>, StoreError> {
        Ok(self.asked("WHERE number = ?", |query| query.bind(number)).await?.pop())
    }

    /// The last runs of a pull request, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn runs_of(&self, repository: &RepoName, pull: PullNumber) -> Result<Vec<Asked>, StoreError> {
        let condition = "WHERE repository = ? COLLATE NOCASE AND pull = ? ORDER BY number DESC LIMIT 30";
        self.asked(condition, |query| query.bind(repository.to_string()).bind(pull.get())).await
    }

    /// The runs of a sweep.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn runs_of_sweep(&self, sweep: i64) -> Result<Vec<Asked>, StoreError> {
        self.asked("WHERE sweep = ? ORDER BY number", |query| query.bind(sweep)).await
    }

    async fn asked<'q>(
        &self,
        condition: &'static str,
        bind: impl FnOnce(AskedQuery<'q>) -> AskedQuery<'q>,
    ) -> Result<Vec<Asked>, StoreError> {
        // Both parts are constants of this file; what comes from outside is bound. Read through the writer, so that a row
        // that was just written is seen.
        let query = sqlx::query(sqlx::AssertSqlSafe(format!("{ASKED} {condition}")));
        let rows = bind(query).fetch_all(&self.write).await.tried("read runs")?;
        Ok(rows.iter().filter_map(asked).collect())
    }
}

type AskedQuery<'q> = sqlx::query::Query<'q, sqlx::Sqlite, sqlx::sqlite::SqliteArguments>;

/// A row that cannot be read would be one that this program did not write.
fn asked(row: &SqliteRow) -> Option<Asked> {
    let number = |name: &str| row.get::<Option<i64>, _>(name);
    let text = |name: &str| row.get::<Option<String>, _>(name);
    let needs = Needs {
        weight: number("weight").and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
        ports: serde_json::from_str(row.get("ports")).unwrap_or_default(),
        images: serde_json::from_str(row.get("images")).unwrap_or_default(),
    };
    Some(Asked {
        id: row.get::<String, _>("id").parse().ok()?,
        number: row.get("number"),
        state: RunState::named(row.get("state"))?,
        cause: Cause::named(row.get("cause"))?,
        recipe: RecipeName::parse(row.get("recipe")).ok()?,
        repository: text("repository").and_then(|name| RepoName::parse(&name).ok()),
        pull: number("pull").and_then(|pull| PullNumber::new(pull).ok()),
        head: text("head").and_then(|head| head.parse().ok()),
        asked_by: row.get("asked_by"),
        options: serde_json::from_str(row.get("options")).unwrap_or_default(),
        attempt: number("attempt").and_then(|attempt| u8::try_from(attempt).ok()).unwrap_or(1),
        needs,
        comment: number("comment").and_then(|comment| CommentId::new(comment).ok()),
        post: number("post").and_then(|post| u32::try_from(post).ok()).unwrap_or(1),
        vouched: number("vouched") == Some(1),
        first_try: text("first_try").and_then(|run| run.parse().ok()),
        sweep: number("sweep"),
        queued_at: instant(row.get("queued_at")),
        target: text("target").and_then(|target| TargetName::parse(&target).ok()),
        stage: text("stage").and_then(|stage| Stage::named(&stage)),
        started_at: number("started_at").map(instant),
        finished_at: number("finished_at").map(instant),
        cancelled: text("cancelled"),
        verdict: text("verdict").and_then(|verdict| Verdict::named(&verdict)),
        sentence: row.get("sentence"),
        results: text("results"),
    })
}
