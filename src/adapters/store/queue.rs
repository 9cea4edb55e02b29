//! Runs before they run: asked for, fetched, queued, superseded.

use std::collections::BTreeSet;

use jiff::Timestamp;
use sqlx::Row as _;
use sqlx::sqlite::SqliteRow;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::command::Options;
use crate::domain::forge::{CommentId, PullNumber, RepoName};
use crate::domain::ids::{CommitSha, RecipeName, RunId, TargetName};
use crate::domain::queue::HostPort;
use crate::domain::stage::Stage;
use crate::domain::verdict::Verdict;

/// Why a run is there.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Cause {
    /// Somebody typed `cc-ci run`.
    CommandLine,
    /// A comment on a pull request.
    PullRequest,
    /// A push to the default branch, or a new tag.
    PostMerge,
    /// The periodic sweep over all recipes.
    Sweep,
}

impl Cause {
    const ALL: [Self; 4] = [Self::CommandLine, Self::PullRequest, Self::PostMerge, Self::Sweep];

    /// The cause's name in the database and the API.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::CommandLine => "command_line",
            Self::PullRequest => "pull_request",
            Self::PostMerge => "post_merge",
            Self::Sweep => "sweep",
        }
    }

    /// The cause of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|cause| cause.name() == name)
    }
}

/// How far a run is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunState {
    /// Its commit is fetched.
    Fetching,
    /// It waits.
    Queued,
    /// It runs.
    Running,
    /// It has its verdict.
    Done,
}

impl RunState {
    fn named(name: &str) -> Option<Self> {
        Some(match name {
            "fetching" => Self::Fetching,
            "queued" => Self::Queued,
            "running" => Self::Running,
            "done" => Self::Done,
            _ => return None,
        })
    }
}

/// A run that somebody, or a clock, asks for.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// Its id.
    pub id: &'a RunId,
    /// Why.
    pub cause: Cause,
    /// The recipe.
    pub recipe: &'a RecipeName,
    /// The repository on the forge.
    pub repository: &'a RepoName,
    /// The pull request, if it is one.
    pub pull: Option<PullNumber>,
    /// The commit under test.
    pub head: &'a CommitSha,
    /// Who asked.
    pub asked_by: &'a str,
    /// How.
    pub options: &'a Options,
    /// 1, or 2 for the one retry after an infra finding.
    pub attempt: u8,
    /// The comment that is answered, if it is one.
    pub comment: Option<CommentId>,
    /// With which posting the answer begins.
    pub post: u32,
    /// Whether it vouches for this commit of somebody who may not ask.
    pub vouched: bool,
    /// The run that this one tries again.
    pub first_try: Option<&'a RunId>,
    /// The sweep that it belongs to.
    pub sweep: Option<i64>,
    /// Since when it has been waiting.
    pub queued_at: Timestamp,
}

/// What the recipe's files say about where a run may start.
#[derive(Debug, Clone, Default)]
pub struct Needs {
    /// Capacity units.
    pub weight: u32,
    /// Host ports that it publishes.
    pub ports: Vec<HostPort>,
    /// Images that it needs.
    pub images: BTreeSet<String>,
}

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
    /// results.json; `null` for a run that never began.
    pub results: Option<String>,
}

const ASKED: &str = "SELECT id, number, state, cause, recipe, repository, pull, head, coalesce(asked_by, '') AS asked_by, options, attempt, weight,
    ports, images, comment, post, vouched, first_try, sweep, queued_at, target, started_at, finished_at, cancelled, verdict,
    coalesce(sentence, '') AS sentence, CASE WHEN answered = 0 THEN results END AS results,
    (SELECT name FROM stage WHERE stage.run = run.id ORDER BY started_at DESC, rowid DESC LIMIT 1) AS stage FROM run";

impl Store {
    /// Stores a request; a second one with the same id changes nothing. Returns the run's number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn add_request(&self, new: &NewRequest<'_>) -> Result<i64, StoreError> {
        let (id, cause, at, attempt) = (new.id.as_str(), new.cause.name(), ms(new.queued_at), i64::from(new.attempt));
        let (pull, head) = (new.pull.map(PullNumber::get), new.head.as_str());
        let (recipe, repository) = (new.recipe.as_str(), new.repository.to_string());
        let options = json("options", new.options)?;
        let (comment, post) = (new.comment.map(CommentId::get), i64::from(new.post));
        let (vouched, first_try) = (i64::from(new.vouched), new.first_try.map(RunId::as_str));
        sqlx::query_scalar!(
            "INSERT INTO run (id, number, state, cause, recipe, repository, pull, head, asked_by, options, attempt, comment, post, vouched, first_try, sweep, queued_at)
             VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM run), 'fetching', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)
             ON CONFLICT (id) DO UPDATE SET id = excluded.id RETURNING number",
            id,
            cause,
            recipe,
            repository,
            pull,
            head,
            new.asked_by,
            options,
            attempt,
            comment,
            post,
            vouched,
            first_try,
            new.sweep,
            at
        )
        .fetch_one(&self.write)
        .await
        .tried("store a request")
    }

    /// The recipe's files are there: the run may be started.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn fetched(&self, id: &RunId, needs: &Needs) -> Result<(), StoreError> {
        let (id, weight) = (id.as_str(), i64::from(needs.weight));
        let (ports, images) = (json("ports", &needs.ports)?, json("images", &needs.images)?);
        sqlx::query!(
            "UPDATE run SET state = 'queued', weight = ?, ports = ?, images = ? WHERE id = ? AND state = 'fetching'",
            weight,
            ports,
            images,
            id
        )
        .execute(&self.write)
        .await
        .tried("queue a run")?;
        Ok(())
    }

    /// Gives a queued run its target and its frozen inputs. Returns whether it was still queued.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn start(
        &self,
        id: &RunId,
        target: &str,
        stack: &str,
        plan: &str,
        protocol: u32,
        at: Timestamp,
    ) -> Result<bool, StoreError> {
        let (id, protocol, at) = (id.as_str(), i64::from(protocol), ms(at));
        let started = sqlx::query!(
            "UPDATE run SET state = 'running', target = ?, stack = ?, plan = ?, protocol = ?, started_at = ?
             WHERE id = ? AND state = 'queued' AND cancelled IS NULL",
            target,
            stack,
            plan,
            protocol,
            at,
            id
        )
        .execute(&self.write)
        .await
        .tried("start a run")?;
        Ok(started.rows_affected() == 1)
    }

    /// Puts a run that runs back into the queue: another version of cc-ci made its plan, and nobody can go on with it.
    /// Returns whether that was done; it is done once.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn requeue(&self, id: &RunId) -> Result<bool, StoreError> {
        let id = id.as_str();
        let mut transaction = self.write.begin().await.tried("queue a run again")?;
        let done = sqlx::query!(
            "UPDATE run SET state = 'queued', target = NULL, stack = NULL, plan = NULL, protocol = NULL, started_at = NULL, attempt = 2
             WHERE id = ? AND state = 'running' AND attempt = 1",
            id
        )
        .execute(&mut *transaction)
        .await
        .tried("queue a run again")?;
        if done.rows_affected() == 1 {
            for table in ["stage", "phase", "finding", "fact"] {
                let statement = sqlx::AssertSqlSafe(format!("DELETE FROM {table} WHERE run = ?"));
                sqlx::query(statement).bind(id).execute(&mut *transaction).await.tried("forget the first try")?;
            }
        }
        transaction.commit().await.tried("queue a run again")?;
        Ok(done.rows_affected() == 1)
    }

    /// One run by its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn asked_number(&self, number: i64) -> Result<Option<Asked>, StoreError> {
        Ok(self.asked("WHERE number = ?", |query| query.bind(number)).await?.pop())
    }

    /// The number of the last posting of a comment's answer; a verdict that was posted anew has its own.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn last_post(&self, comment: Option<CommentId>) -> Result<u32, StoreError> {
        let comment = comment.map(CommentId::get);
        let last = sqlx::query_scalar!(
            r#"SELECT coalesce(max(post), 0) + 1 AS "last!: i64" FROM run WHERE comment = ?"#,
            comment
        )
        .fetch_one(&self.write)
        .await
        .tried("look for the last answer of a comment")?;
        Ok(u32::try_from(last).unwrap_or(1))
    }

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
        self.asked("WHERE state = 'done' AND answered = 0 ORDER BY number LIMIT 100", |query| query).await
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

    /// Its end was told, or there is nobody to tell.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn answered(&self, id: &RunId) -> Result<(), StoreError> {
        let id = id.as_str();
        sqlx::query!("UPDATE run SET answered = 1 WHERE id = ?", id)
            .execute(&self.write)
            .await
            .tried("note that a run's end was told")?;
        Ok(())
    }

    /// How long the last judged runs of each recipe took, newest first, at most `most` per recipe; without the time of `--keep`.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn durations(&self, most: usize) -> Result<Vec<(RecipeName, Verdict, std::time::Duration)>, StoreError> {
        let most = i64::try_from(most).unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            r#"SELECT recipe, verdict AS "verdict!", took AS "took!: i64" FROM (
                 SELECT recipe, verdict, finished_at - started_at - coalesce((SELECT ended_at - started_at FROM stage WHERE stage.run = run.id AND name = 'keep'), 0) AS took,
                        row_number() OVER (PARTITION BY recipe ORDER BY number DESC) AS place
                 FROM run WHERE state = 'done' AND verdict IN ('green', 'red') AND started_at IS NOT NULL)
               WHERE place <= ? ORDER BY recipe, place DESC"#,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("read how long runs took")?;
        let read = |(recipe, verdict, took): (String, String, i64)| {
            let took = std::time::Duration::from_millis(u64::try_from(took).unwrap_or(0));
            Some((RecipeName::parse(&recipe).ok()?, Verdict::named(&verdict)?, took))
        };
        Ok(rows.into_iter().filter_map(|row| read((row.recipe, row.verdict, row.took))).collect())
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

fn json(what: &'static str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unreadable { what, source })
}

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
