//! Which runs have files that only the newest ones keep.

use jiff::Timestamp;

use super::run::ms;
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::RunId;

impl Store {
    /// Runs that have ended and still have their files, without the newest `keep` of them; the oldest first, at most `most`.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn runs_beyond(&self, keep: u32, most: u32) -> Result<Vec<RunId>, StoreError> {
        let ids = sqlx::query_scalar!(
            "SELECT id FROM run INDEXED BY run_with_files WHERE state = 'done' AND files_removed_at IS NULL AND number <= (
               SELECT number FROM run INDEXED BY run_with_files WHERE state = 'done' AND files_removed_at IS NULL
               ORDER BY number DESC LIMIT 1 OFFSET ?)
             ORDER BY number LIMIT ?",
            keep,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("list the runs whose files are too many")?;
        Ok(ids.into_iter().filter_map(|id| id.parse().ok()).collect())
    }

    /// Notes that the files of a run are gone.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn files_removed(&self, id: &RunId, at: Timestamp) -> Result<(), StoreError> {
        let (id, at) = (id.as_str(), ms(at));
        sqlx::query!("UPDATE run SET files_removed_at = ? WHERE id = ? AND files_removed_at IS NULL", at, id)
            .execute(&self.write)
            .await
            .tried("note that a run's files are gone")?;
        Ok(())
    }
}
