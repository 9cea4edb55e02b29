//! Runs before they run: asked for, fetched, queued, superseded.

use jiff::Timestamp;
use sqlx::Row as _;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::{CommitSha, RunId};

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

/// A run that somebody asks for.
#[derive(Debug, Clone)]
pub struct NewRequest<'a> {
    /// Its id.
    pub id: &'a RunId,
    /// Why.
    pub cause: Cause,
    /// The recipe.
    pub recipe: &'a str,
    /// `owner/name` on the forge.
    pub repository: &'a str,
    /// The pull request, if it is one.
    pub pull: Option<u64>,
    /// The commit under test.
    pub head: &'a CommitSha,
    /// Who asked.
    pub asked_by: &'a str,
    /// The options, JSON.
    pub options: &'a str,
    /// 1, or 2 for the one retry after an infra finding.
    pub attempt: u8,
    /// Now.
    pub at: Timestamp,
}

/// What was asked for once, to be asked for again.
#[derive(Debug, Clone)]
pub struct Request {
    /// See [`Cause::name`].
    pub cause: String,
    /// The recipe.
    pub recipe: String,
    /// `owner/name` on the forge; empty for the command line.
    pub repository: String,
    /// The pull request.
    pub pull: Option<u64>,
    /// The commit under test; `None` for the command line.
    pub head: Option<CommitSha>,
    /// The options, JSON.
    pub options: String,
    /// Where it ran; empty when it did not.
    pub target: String,
}

/// What the recipe's files say about where a run may start.
#[derive(Debug, Clone)]
pub struct Needs<'a> {
    /// Capacity units.
    pub weight: u32,
    /// Host ports, JSON.
    pub ports: &'a str,
    /// Images, JSON.
    pub images: &'a str,
}

/// A run that has no verdict yet.
#[derive(Debug, Clone)]
pub struct Open {
    /// Its id.
    pub id: RunId,
    /// Its number.
    pub number: i64,
    /// `fetching`, `queued` or `running`.
    pub state: String,
    /// Why.
    pub cause: Cause,
    /// The recipe.
    pub recipe: String,
    /// `owner/name` on the forge; empty for the command line.
    pub repository: String,
    /// The pull request.
    pub pull: Option<u64>,
    /// The commit under test.
    pub head: Option<CommitSha>,
    /// Who asked.
    pub asked_by: Option<String>,
    /// The options, JSON.
    pub options: String,
    /// Which try.
    pub attempt: u8,
    /// Capacity units.
    pub weight: u32,
    /// Host ports, JSON.
    pub ports: String,
    /// Images, JSON.
    pub images: String,
    /// When it was asked for.
    pub queued_at: Timestamp,
    /// Its target, once it runs.
    pub target: Option<String>,
    /// When it started.
    pub started_at: Option<Timestamp>,
    /// Why it was cancelled, if it was.
    pub cancelled: Option<String>,
}

impl Store {
    /// Stores a request. Returns the run's number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn add_request(&self, new: &NewRequest<'_>) -> Result<i64, StoreError> {
        let (id, cause, at, attempt) = (new.id.as_str(), new.cause.name(), ms(new.at), i64::from(new.attempt));
        let (pull, head) = (new.pull.and_then(|pull| i64::try_from(pull).ok()), new.head.as_str());
        sqlx::query_scalar!(
            "INSERT INTO run (id, number, state, cause, recipe, repository, pull, head, asked_by, options, attempt, queued_at)
             VALUES (?, (SELECT coalesce(max(number), 0) + 1 FROM run), 'fetching', ?, ?, ?, ?, ?, ?, ?, ?, ?)
             RETURNING number",
            id,
            cause,
            new.recipe,
            new.repository,
            pull,
            head,
            new.asked_by,
            new.options,
            attempt,
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
    pub async fn fetched(&self, id: &RunId, needs: &Needs<'_>) -> Result<(), StoreError> {
        let (id, weight) = (id.as_str(), i64::from(needs.weight));
        sqlx::query!(
            "UPDATE run SET state = 'queued', weight = ?, ports = ?, images = ? WHERE id = ? AND state = 'fetching'",
            weight,
            needs.ports,
            needs.images,
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
            "UPDATE run SET state = 'running', target = ?, stack = ?, plan = ?, protocol = ?, started_at = ? WHERE id = ? AND state = 'queued'",
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

    /// What a run was asked for with.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn request_of(&self, number: i64) -> Result<Option<Request>, StoreError> {
        let row = sqlx::query!(
            r#"SELECT cause, recipe, coalesce(repository, '') AS "repository!: String", pull, head, options,
                      coalesce(target, '') AS "target!: String" FROM run WHERE number = ?"#,
            number
        )
        .fetch_optional(&self.read)
        .await
        .tried("read what a run was asked for with")?;
        Ok(row.map(|row| Request {
            cause: row.cause,
            recipe: row.recipe,
            repository: row.repository,
            pull: row.pull.and_then(|pull| u64::try_from(pull).ok()),
            head: row.head.and_then(|head| head.parse().ok()),
            options: row.options,
            target: row.target,
        }))
    }

    /// All runs without a verdict, in the order in which they were asked for.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn open_runs(&self) -> Result<Vec<Open>, StoreError> {
        let rows = sqlx::query(
            "SELECT id, number, state, cause, recipe, coalesce(repository, '') AS repository, pull, head, asked_by, options, attempt, weight,
                    ports, images, queued_at, target, started_at, cancelled
             FROM run WHERE state IN ('fetching', 'queued', 'running') ORDER BY number",
        )
        .fetch_all(&self.write)
        .await
        .tried("list the open runs")?;
        Ok(rows.iter().filter_map(open).collect())
    }
}

fn open(row: &sqlx::sqlite::SqliteRow) -> Option<Open> {
    let number = |name: &str| row.get::<Option<i64>, _>(name);
    Some(Open {
        id: row.get::<String, _>("id").parse().ok()?,
        number: row.get("number"),
        state: row.get("state"),
        cause: Cause::named(row.get("cause"))?,
        recipe: row.get("recipe"),
        repository: row.get("repository"),
        pull: number("pull").and_then(|pull| u64::try_from(pull).ok()),
        head: row.get::<Option<String>, _>("head").and_then(|head| head.parse().ok()),
        asked_by: row.get("asked_by"),
        options: row.get("options"),
        attempt: number("attempt").and_then(|attempt| u8::try_from(attempt).ok()).unwrap_or(1),
        weight: number("weight").and_then(|weight| u32::try_from(weight).ok()).unwrap_or(1),
        ports: row.get("ports"),
        images: row.get("images"),
        queued_at: instant(row.get("queued_at")),
        target: row.get("target"),
        started_at: number("started_at").map(instant),
        cancelled: row.get("cancelled"),
    })
}
