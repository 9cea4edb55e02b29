//! Copies of the database: one that is whole while the service writes, and one that the next start puts in its place.

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::time::Duration;

use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection};
use sqlx::{ConnectOptions as _, Connection as _};

use super::{StoreError, Tried as _};

/// What the next start of the service puts in the database's place.
const TO_RESTORE: &str = "restore.db";
/// The database that was there before that.
const REPLACED: &str = "replaced.db";

/// Why a copy could not be made or put in place.
#[derive(Debug, thiserror::Error)]
pub enum CopyError {
    /// A file.
    #[error("{path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The database.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The copy is none.
    #[error("{path} is no whole database of cc-ci: {why}\nhint: it must have been made by `cc-ci db backup`")]
    Broken {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        why: String,
    },
}

fn file(path: &Path) -> impl FnOnce(io::Error) -> CopyError {
    let path = path.to_owned();
    move |source| CopyError::File { path, source }
}

/// Copies the database of this state folder to a file, as it is at one instant, while others read and write it.
///
/// # Errors
/// When there is no database, or the file cannot be written.
pub async fn backup(folder: &Path, to: &Path) -> Result<(), CopyError> {
    let unfinished = to.with_extension("unfinished");
    if let Some(parent) = to.parent() {
        fs::create_dir_all(parent).map_err(file(parent))?;
    }
    remove(&unfinished)?;
    let mut database = open(&folder.join("cc-ci.db")).await?;
    let name = unfinished.to_string_lossy().into_owned();
    sqlx::query("VACUUM INTO ?").bind(name).execute(&mut database).await.tried("copy itself")?;
    database.close().await.tried("close")?;
    fs::rename(&unfinished, to).map_err(file(to))
}

/// Takes a copy for the next start of the service, once it is proved to be whole.
///
/// # Errors
/// When it is none, or cannot be copied.
pub async fn restore(folder: &Path, from: &Path) -> Result<(), CopyError> {
    check(from).await?;
    let (unfinished, wanted) = (folder.join("restore.unfinished"), folder.join(TO_RESTORE));
    fs::copy(from, &unfinished).map_err(file(&unfinished))?;
    fs::rename(&unfinished, &wanted).map_err(file(&wanted))
}

/// Puts the copy in place that [`restore`] took; what was there is kept as `replaced.db`. Only before the database is opened.
/// Returns whether there was one.
///
/// # Errors
/// When a file cannot be moved.
pub fn swap_in(folder: &Path) -> Result<bool, CopyError> {
    let (wanted, database) = (folder.join(TO_RESTORE), folder.join("cc-ci.db"));
    if !wanted.exists() {
        return Ok(false);
    }
    if database.exists() {
        let replaced = folder.join(REPLACED);
        fs::rename(&database, &replaced).map_err(file(&replaced))?;
    }
    // They belong to the database that is gone; beside another one they would be applied to it.
    for name in ["cc-ci.db-wal", "cc-ci.db-shm"] {
        remove(&folder.join(name))?;
    }
    fs::rename(&wanted, &database).map_err(file(&database))?;
    Ok(true)
}

async fn open(path: &Path) -> Result<SqliteConnection, CopyError> {
    let options = SqliteConnectOptions::new().filename(path).busy_timeout(Duration::from_secs(10));
    Ok(options.connect().await.tried("open")?)
}

async fn check(path: &Path) -> Result<(), CopyError> {
    let broken = |why: String| CopyError::Broken { path: path.to_owned(), why };
    let options = SqliteConnectOptions::new().filename(path).read_only(true);
    let mut database = options.connect().await.map_err(|error| broken(error.to_string()))?;
    let said: String = sqlx::query_scalar("PRAGMA quick_check")
        .fetch_one(&mut database)
        .await
        .map_err(|error| broken(error.to_string()))?;
    let schema: Result<i64, _> =
        sqlx::query_scalar("SELECT max(version) FROM _sqlx_migrations").fetch_one(&mut database).await;
    match (said.as_str(), schema) {
        ("ok", Ok(_)) => Ok(()),
        ("ok", Err(error)) => Err(broken(error.to_string())),
        (said, _) => Err(broken(said.chars().take(300).collect())),
    }
}

fn remove(path: &Path) -> Result<(), CopyError> {
    match fs::remove_file(path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(file(path)(error)),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::Store;

    #[tokio::test]
    async fn what_was_backed_up_is_there_after_a_restore() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("backup/cc-ci.db");
        let store = Store::open(folder.path()).await.unwrap();
        sqlx::query("CREATE TABLE mark (text TEXT) STRICT").execute(&store.write).await.unwrap();
        // The service has it open, and the write-ahead log holds the newest rows.
        backup(folder.path(), &copy).await.unwrap();
        backup(folder.path(), &copy).await.unwrap();
        sqlx::query("DROP TABLE mark").execute(&store.write).await.unwrap();
        store.close().await;
        assert!(!swap_in(folder.path()).unwrap());
        restore(folder.path(), &copy).await.unwrap();
        assert!(swap_in(folder.path()).unwrap());
        let store = Store::open(folder.path()).await.unwrap();
        sqlx::query("SELECT text FROM mark").execute(&store.write).await.unwrap();
        assert!(folder.path().join("replaced.db").exists() && !folder.path().join("restore.db").exists());
    }

    #[tokio::test]
    async fn what_is_no_database_is_not_taken() {
        let folder = tempfile::tempdir().unwrap();
        let copy = folder.path().join("copy.db");
        fs::write(&copy, "half a file").unwrap();
        let error = restore(folder.path(), &copy).await.unwrap_err().to_string();
        assert!(error.contains("hint: it must have been made by"), "{error}");
        assert!(!swap_in(folder.path()).unwrap());
        assert!(backup(&folder.path().join("nothing"), &copy).await.is_err());
    }
}
