//! Runs, stages, phases, findings and facts in SQLite: every transition is a row before it counts.

mod asked;
pub mod copy;
mod inbox;
mod numbers;
mod outbox;
mod queue;
mod read;
mod retention;
mod run;
mod session;
mod switch;
mod target;
mod watch;

pub use asked::Asked;
pub use inbox::{BroughtBy, Heard};
pub use numbers::{Ended, Numbers};
pub use outbox::{Due, Kind, Wanted, Withdrawn};
pub use queue::{Cause, Needs, NewRequest, RunState};
pub use read::Shown;
pub use run::{End, NewRun, Phase, Run, StageRow, StageState};
pub use session::{May, Person};
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
            .busy_timeout(Duration::from_secs(10));
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
