//! Runs, stages, phases, findings and facts in SQLite: every transition is a row before it counts.

mod asked;
mod canonical;
pub mod copy;
mod flake;
mod inbox;
mod numbers;
mod outbox;
mod overview;
mod queue;
mod read;
mod retention;
mod run;
mod session;
mod stage;
mod switch;
mod target;
mod watch;

pub use asked::Asked;
pub use flake::{Flake, Flaky};
pub use inbox::{BroughtBy, Heard};
pub use numbers::{Ended, Numbers};
pub use outbox::{Due, Kind, Wanted, Withdrawn};
pub use overview::Overview;
pub use queue::{Cause, Needs, NewRequest, RunState};
pub use read::Shown;
pub use run::{End, NewRun, Report, Run};
pub use session::{May, Person};
pub use stage::{Phase, StageRow, StageState};
pub use switch::{Action, Switch, SwitchedOn, Switches};
pub use target::KnownTarget;
pub use watch::{EndedSweep, OpenSweep};

use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::SqlitePool;
use sqlx::migrate::Migrator;
use sqlx::sqlite::{SqliteConnectOptions, SqliteJournalMode, SqlitePoolOptions, SqliteSynchronous};

/// The schema, in order.
pub static MIGRATOR: Migrator = sqlx::migrate!("src/adapters/store/migrations");

/// Why the database cannot be used.
#[derive(Debug, thiserror::Error)]
pub enum StoreError {
    /// A statement failed.
    #[error("the database failed to {what}: {source}")]
    Sql {
        /// What was tried.
        what: &'static str,
        /// What SQLite said.
        source: sqlx::Error,
    },
    /// The schema could not be brought up to date.
    #[error("the schema of {path} cannot be migrated: {source}")]
    Migrate {
        /// The database.
        path: PathBuf,
        /// Why.
        source: sqlx::migrate::MigrateError,
    },
    /// A newer cc-ci has written this database.
    #[error(
        "{path} was written by a newer cc-ci (schema {found}, this one knows {known})\nhint: use that version, or put the copy it saved in its place: {saved}"
    )]
    Newer {
        /// The database.
        path: PathBuf,
        /// Its schema.
        found: i64,
        /// The newest schema of this program.
        known: i64,
        /// The copy that was made before the migration.
        saved: PathBuf,
    },
    /// A stored value is not what this program writes.
    #[error("the stored {what} cannot be read: {source}")]
    Unreadable {
        /// Which.
        what: &'static str,
        /// Why.
        source: serde_json::Error,
    },
}

/// Says what was tried.
trait Tried<T> {
    fn tried(self, what: &'static str) -> Result<T, StoreError>;
}

impl<T> Tried<T> for Result<T, sqlx::Error> {
    fn tried(self, what: &'static str) -> Result<T, StoreError> {
        self.map_err(|source| StoreError::Sql { what, source })
    }
}

/// The database: one writer, several readers.
#[derive(Debug, Clone)]
pub struct Store {
    write: SqlitePool,
    read: SqlitePool,
}

impl Store {
    /// Opens `cc-ci.db` in the state folder, makes it where there is none, and brings its schema up to date; before that
    /// the old one is saved as `pre-<schema>.db`.
    ///
    /// # Errors
    /// [`StoreError::Newer`] when a newer program has been here; else what SQLite says.
    pub async fn open(folder: &Path) -> Result<Self, StoreError> {
        let path = folder.join("cc-ci.db");
        let options = SqliteConnectOptions::new()
            .filename(&path)
            .create_if_missing(true)
            .foreign_keys(true)
            .journal_mode(SqliteJournalMode::Wal)
            .synchronous(SqliteSynchronous::Normal)
            .busy_timeout(Duration::from_secs(10))
            // A page's rows come in one piece, not in several with a change of threads between them.
            .row_buffer_size(1_000);
        let write = SqlitePoolOptions::new().max_connections(1).connect_with(options.clone()).await.tried("open")?;
        migrate(&write, &path, folder).await?;
        let read =
            SqlitePoolOptions::new().max_connections(4).connect_with(options.read_only(true)).await.tried("open")?;
        Ok(Self { write, read })
    }

    /// Closes the database in good order.
    pub async fn close(&self) {
        self.read.close().await;
        self.write.close().await;
    }
}

/// The schema of the database in this folder, and the newest that this program knows; `None`: there is no database. Nothing is changed.
///
/// # Errors
/// [`StoreError::Newer`], or what SQLite says.
pub async fn look(folder: &Path) -> Result<Option<(i64, i64)>, StoreError> {
    let path = folder.join("cc-ci.db");
    if !path.exists() {
        return Ok(None);
    }
    let options = SqliteConnectOptions::new().filename(&path).read_only(true).busy_timeout(Duration::from_secs(10));
    let pool = SqlitePoolOptions::new().max_connections(1).connect_with(options).await.tried("open")?;
    let found = schema(&pool).await;
    pool.close().await;
    let (found, known) = (found?, newest());
    if found > known {
        let saved = folder.join(format!("pre-{}.db", known + 1));
        return Err(StoreError::Newer { path, found, known, saved });
    }
    Ok(Some((found, known)))
}

/// The newest schema of this program.
fn newest() -> i64 {
    MIGRATOR.iter().map(|migration| migration.version).max().unwrap_or(0)
}

async fn migrate(pool: &SqlitePool, path: &Path, folder: &Path) -> Result<(), StoreError> {
    let known = newest();
    let found = schema(pool).await?;
    let saved = |version: i64| folder.join(format!("pre-{version}.db"));
    if found > known {
        return Err(StoreError::Newer { path: path.into(), found, known, saved: saved(known + 1) });
    }
    if found > 0 && found < known && !saved(found + 1).exists() {
        let copy = saved(found + 1).to_string_lossy().into_owned();
        sqlx::query("VACUUM INTO ?").bind(copy).execute(pool).await.tried("save a copy before the migration")?;
    }
    MIGRATOR.run(pool).await.map_err(|source| StoreError::Migrate { path: path.into(), source })
}

/// The newest migration that the database has; 0 for an empty one.
async fn schema(pool: &SqlitePool) -> Result<i64, StoreError> {
    let exists: i64 = sqlx::query_scalar("SELECT count(*) FROM sqlite_schema WHERE name = '_sqlx_migrations'")
        .fetch_one(pool)
        .await
        .tried("read its schema")?;
    if exists == 0 {
        return Ok(0);
    }
    sqlx::query_scalar("SELECT coalesce(max(version), 0) FROM _sqlx_migrations WHERE success")
        .fetch_one(pool)
        .await
        .tried("read its schema")
}

#[cfg(test)]
mod tests {
    use std::borrow::Cow;

    use sqlx::ConnectOptions as _;

    use jiff::Timestamp;

    use super::*;
    use crate::domain::canonical::Canonical;
    use crate::domain::ids::{CommitSha, RecipeName, RunId};
    use crate::domain::recipe::RecipeVersion;

    #[tokio::test]
    async fn results_of_an_older_schema_are_still_there() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("cc-ci.db");
        let mut old = SqliteConnectOptions::new().filename(&path).create_if_missing(true).connect().await.unwrap();
        let before = MIGRATOR.iter().filter(|migration| migration.version < 12).cloned().collect();
        Migrator { migrations: Cow::Owned(before), ..Migrator::DEFAULT }.run(&mut old).await.unwrap();
        for (number, results) in [(1, r#"{"recipe":{"head":{"version":"1.0.0+2"}}}"#), (2, "null")] {
            let id = RunId::from_random([number; 12]);
            sqlx::query(
                "INSERT INTO run (id, number, state, cause, recipe, options, queued_at, verdict, finished_at, results, signature)
                 VALUES (?, ?, 'done', 'sweep', 'notes', '{}', 0, 'red', 1, ?, 'signed')",
            )
            .bind(id.as_str())
            .bind(number)
            .bind(results)
            .execute(&mut old)
            .await
            .unwrap();
        }
        drop(old);

        let store = Store::open(folder.path()).await.unwrap();
        assert!(store.results_of(1).await.unwrap().unwrap().contains("1.0.0+2"));
        assert_eq!(store.signature_of(1).await.unwrap().as_deref(), Some("signed"));
        assert_eq!(store.show_run(1).await.unwrap().unwrap().version, "1.0.0+2");
        assert_eq!(store.results_of(2).await.unwrap(), None, "a run that never got so far");
        assert!(folder.path().join("pre-12.db").exists());
        store.close().await;
    }

    #[tokio::test]
    async fn the_newest_green_versions_are_remembered_each_commit_once() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let (recipe, run) = (RecipeName::parse("notes").unwrap(), RunId::from_random([1; 12]));
        for number in (0..13).chain([12]) {
            let canonical = Canonical {
                version: RecipeVersion::parse(&format!("1.{number}.0+1")).unwrap(),
                commit: CommitSha::parse(&format!("{number:040x}")).unwrap(),
                images: Vec::new(),
            };
            store.promote(&recipe, &canonical, &run, Timestamp::UNIX_EPOCH).await.unwrap();
        }
        let other = RecipeName::parse("wiki").unwrap();
        assert!(store.canonicals(&other).await.unwrap().is_empty());
        let known = store.canonicals(&recipe).await.unwrap();
        let versions: Vec<_> = known.iter().map(|known| known.version.to_string()).collect();
        assert_eq!((versions.len(), versions[0].as_str(), versions[9].as_str()), (10, "1.12.0+1", "1.3.0+1"));
        store.close().await;
    }

    #[tokio::test]
    async fn recipes_stand_where_each_alone_would() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        for number in 0..60_u8 {
            let recipe = ["notes", "wiki", "blog"][usize::from(number % 3)];
            let pull = (number % 2 == 0).then(|| i64::from(number % 7));
            let verdict = ["green", "red", "not_judged", "red"][usize::from(number % 4)];
            sqlx::query(
                "INSERT INTO run (id, number, state, cause, recipe, repository, pull, options, queued_at, verdict, finished_at)
                 VALUES (?1, ?2, 'done', ?3, ?4, 'recipes/' || ?4, ?5, '{}', 0, ?6, ?2)",
            )
            .bind(RunId::from_random([number / 8, number % 8, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]).as_str())
            .bind(number)
            .bind(if pull.is_some() { "pull_request" } else { "sweep" })
            .bind(recipe)
            .bind(pull)
            .bind(verdict)
            .execute(&store.write)
            .await
            .unwrap();
        }
        let number = |run: &Option<Shown>| run.as_ref().map(|run| run.number);
        let names = ["wiki", "nobody", "blog"].map(str::to_owned);
        let all = store.overviews(&names, 3, 5).await.unwrap();
        assert_eq!((number(&all[1].judged), all[1].verdicts.len()), (None, 0));
        for (name, overview) in [(&names[0], &all[0]), (&names[2], &all[2])] {
            assert_eq!(number(&overview.judged), number(&store.show_last_judged(name).await.unwrap()));
            assert_eq!(number(&overview.green), number(&store.show_last_green(name).await.unwrap()));
            let runs = store.show_runs_of(name, None, 100).await.unwrap();
            let newest = |runs: &[Shown]| runs.iter().map(|run| run.number).collect::<Vec<_>>();
            let verdicts: Vec<_> = runs[..5].iter().filter_map(|run| run.verdict.clone()).collect();
            assert_eq!(overview.verdicts, verdicts);
            let mut seen = Vec::new();
            let mut pulls = runs.clone();
            pulls.retain(|run| {
                run.pull.is_some() && !seen.contains(&run.pull) && {
                    seen.push(run.pull);
                    true
                }
            });
            assert_eq!(newest(&overview.pulls), newest(&pulls[..3]));
        }
        store.close().await;
    }
}
