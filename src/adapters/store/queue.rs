//! Runs before they run: asked for, fetched, queued, superseded.

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::run::ms;
use super::{Store, StoreError, Tried as _};
use crate::domain::command::Options;
use crate::domain::forge::{CommentId, PullNumber, RepoName};
use crate::domain::ids::{CommitSha, RecipeName, RunId};
use crate::domain::queue::HostPort;
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
    pub(super) fn named(name: &str) -> Option<Self> {
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
            r#"WITH RECURSIVE ran (name) AS (
                 SELECT min(recipe) FROM run
                 UNION ALL SELECT (SELECT min(recipe) FROM run WHERE recipe > ran.name) FROM ran WHERE ran.name IS NOT NULL)
               SELECT run.recipe AS "recipe!: String", run.verdict AS "verdict!: String",
                      run.finished_at - run.started_at - coalesce((SELECT ended_at - started_at FROM stage WHERE stage.run = run.id AND stage.name = 'keep'), 0) AS "took!: i64"
               FROM ran CROSS JOIN run INDEXED BY run_timed
               WHERE run.recipe = ran.name AND run.verdict IN ('green', 'red') AND run.started_at IS NOT NULL AND run.number IN (
                 SELECT judged.number FROM run AS judged INDEXED BY run_timed
                 WHERE judged.recipe = ran.name AND judged.verdict IN ('green', 'red') AND judged.started_at IS NOT NULL
                 ORDER BY judged.number DESC LIMIT ?)
               ORDER BY ran.name, run.number"#,
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
}

fn json(what: &'static str, value: &impl serde::Serialize) -> Result<String, StoreError> {
    serde_json::to_string(value).map_err(|source| StoreError::Unreadable { what, source })
}
