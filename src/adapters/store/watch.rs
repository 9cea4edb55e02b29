//! What the gate remembers of the forge between two looks: hooks it made, branch tips and tags it saw, sweeps it began.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::forge::{HookId, RepoName};
use crate::domain::ids::CommitSha;

/// A sweep that is not over.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenSweep {
    /// Its number.
    pub id: i64,
    /// When it began.
    pub begun_at: Timestamp,
    /// By when each recipe has been asked for.
    pub ends_at: Timestamp,
}

/// How a sweep ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct EndedSweep {
    /// When it began.
    pub begun_at: Timestamp,
    /// Whether it tested anything at all.
    pub failed: bool,
    /// In one sentence.
    pub outcome: String,
}

impl Store {
    /// The hooks that this gate made there, with the fingerprints of their secrets.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn hooks(&self, scope: &str) -> Result<BTreeMap<HookId, String>, StoreError> {
        let rows = sqlx::query!("SELECT id, fingerprint FROM hook WHERE scope = ?", scope)
            .fetch_all(&self.write)
            .await
            .tried("read the hooks")?;
        Ok(rows.into_iter().filter_map(|row| Some((HookId::new(row.id).ok()?, row.fingerprint))).collect())
    }

    /// Remembers a hook and the fingerprint of its secret; `None`: forgets it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn keep_hook(&self, scope: &str, id: HookId, fingerprint: Option<&str>) -> Result<(), StoreError> {
        let id = id.get();
        let done = match fingerprint {
            Some(fingerprint) => {
                sqlx::query!(
                    "INSERT INTO hook (scope, id, fingerprint) VALUES (?, ?, ?)
                     ON CONFLICT (scope, id) DO UPDATE SET fingerprint = excluded.fingerprint",
                    scope,
                    id,
                    fingerprint
                )
                .execute(&self.write)
                .await
            }
            None => sqlx::query!("DELETE FROM hook WHERE scope = ? AND id = ?", scope, id).execute(&self.write).await,
        };
        done.map(drop).tried("remember a hook")
    }

    /// The branch tips and tags of a repository as they were last seen; empty: it was never looked at.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn references(&self, repository: &RepoName) -> Result<BTreeMap<String, String>, StoreError> {
        let repository = repository.to_string();
        let rows = sqlx::query!("SELECT name, sha FROM reference WHERE repository = ?", repository)
            .fetch_all(&self.write)
            .await
            .tried("read the branches and tags")?;
        Ok(rows.into_iter().map(|row| (row.name, row.sha)).collect())
    }

    /// Remembers where branches and tags of a repository lead: all or none, since what is missing counts as new.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn see_references(
        &self,
        repository: &RepoName,
        references: &[(String, CommitSha)],
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (repository, at) = (repository.to_string(), ms(at));
        let mut all = self.write.begin().await.tried("remember branches and tags")?;
        for (name, sha) in references {
            let sha = sha.as_str();
            sqlx::query!(
                "INSERT INTO reference (repository, name, sha, seen_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (repository, name) DO UPDATE SET sha = excluded.sha, seen_at = excluded.seen_at",
                repository,
                name,
                sha,
                at
            )
            .execute(&mut *all)
            .await
            .tried("remember branches and tags")?;
        }
        all.commit().await.tried("remember branches and tags")
    }

    /// The sweep that is going on.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn open_sweep(&self) -> Result<Option<OpenSweep>, StoreError> {
        let row = sqlx::query!("SELECT id, begun_at, ends_at FROM sweep WHERE state = 'open' ORDER BY id DESC LIMIT 1")
            .fetch_optional(&self.write)
            .await
            .tried("read the sweep")?;
        Ok(row.map(|row| OpenSweep { id: row.id, begun_at: instant(row.begun_at), ends_at: instant(row.ends_at) }))
    }

    /// The last sweep that is over.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn ended_sweep(&self) -> Result<Option<EndedSweep>, StoreError> {
        let row =
            sqlx::query!("SELECT begun_at, state, outcome FROM sweep WHERE state <> 'open' ORDER BY id DESC LIMIT 1")
                .fetch_optional(&self.read)
                .await
                .tried("read the last sweep")?;
        Ok(row.map(|row| EndedSweep {
            begun_at: instant(row.begun_at),
            failed: row.state == "failed",
            outcome: row.outcome.unwrap_or_default(),
        }))
    }

    /// Begins a sweep. Returns its number.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn begin_sweep(&self, begun_at: Timestamp, ends_at: Timestamp) -> Result<i64, StoreError> {
        let (begun_at, ends_at) = (ms(begun_at), ms(ends_at));
        let done =
            sqlx::query!("INSERT INTO sweep (begun_at, ends_at, state) VALUES (?, ?, 'open')", begun_at, ends_at)
                .execute(&self.write)
                .await
                .tried("begin a sweep")?;
        Ok(done.last_insert_rowid())
    }

    /// Ends a sweep.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn end_sweep(&self, id: i64, failed: bool, outcome: &str) -> Result<(), StoreError> {
        let state = if failed { "failed" } else { "done" };
        sqlx::query!("UPDATE sweep SET state = ?, outcome = ? WHERE id = ?", state, outcome, id)
            .execute(&self.write)
            .await
            .tried("end a sweep")?;
        Ok(())
    }
}
