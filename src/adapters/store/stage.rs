//! The stages of a run, and their parts whose time is told apart.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::RunId;
use crate::domain::stage::Stage;

/// A stage as it is stored.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StageRow {
    /// Which.
    pub stage: Stage,
    /// How far.
    pub state: StageState,
    /// Why it was skipped or interrupted.
    pub reason: Option<String>,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

/// How far a stage is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StageState {
    /// Begun, not ended; after a restart it goes on.
    Running,
    /// Ended well.
    Done,
    /// Ended with a finding.
    Failed,
    /// Not begun, for the reason given.
    Skipped,
    /// Cut off, for the reason given.
    Interrupted,
}

impl StageState {
    const ALL: [Self; 5] = [Self::Running, Self::Done, Self::Failed, Self::Skipped, Self::Interrupted];

    const fn name(self) -> &'static str {
        match self {
            Self::Running => "running",
            Self::Done => "done",
            Self::Failed => "failed",
            Self::Skipped => "skipped",
            Self::Interrupted => "interrupted",
        }
    }
}

/// A part of a stage whose time is told apart.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Phase {
    /// Its name, e.g. `converge`.
    pub name: String,
    /// Whose time it was: `cc-ci`, `docker` or `app`.
    pub by: String,
    /// When it began.
    pub started_at: Timestamp,
    /// When it ended.
    pub ended_at: Option<Timestamp>,
}

impl Store {
    /// Notes that a stage has begun; one that had begun before keeps its time.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn begin_stage(&self, run: &RunId, stage: Stage, at: Timestamp) -> Result<(), StoreError> {
        let (run, name, at) = (run.as_str(), stage.name(), ms(at));
        sqlx::query!(
            "INSERT INTO stage (run, name, state, started_at) VALUES (?, ?, 'running', ?) ON CONFLICT DO NOTHING",
            run,
            name,
            at
        )
        .execute(&self.write)
        .await
        .tried("begin a stage")?;
        Ok(())
    }

    /// Notes how a stage ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn end_stage(
        &self,
        run: &RunId,
        stage: Stage,
        state: StageState,
        reason: Option<&str>,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (run, name, state, at) = (run.as_str(), stage.name(), state.name(), ms(at));
        sqlx::query!(
            "INSERT INTO stage (run, name, state, reason, started_at, ended_at) VALUES (?1, ?2, ?3, ?4, ?5, ?5)
             ON CONFLICT (run, name) DO UPDATE SET state = ?3, reason = ?4, ended_at = ?5",
            run,
            name,
            state,
            reason,
            at
        )
        .execute(&self.write)
        .await
        .tried("end a stage")?;
        Ok(())
    }

    /// The run's stages, as far as they were begun or skipped, in their order.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn stages(&self, run: &RunId) -> Result<Vec<StageRow>, StoreError> {
        let run = run.as_str();
        let rows = sqlx::query!("SELECT name, state, reason, started_at, ended_at FROM stage WHERE run = ?", run)
            .fetch_all(&self.read)
            .await
            .tried("read the stages")?;
        let mut stages: Vec<StageRow> = rows
            .into_iter()
            .filter_map(|row| {
                Some(StageRow {
                    stage: Stage::named(&row.name)?,
                    state: StageState::ALL.into_iter().find(|state| state.name() == row.state)?,
                    reason: row.reason,
                    started_at: instant(row.started_at),
                    ended_at: row.ended_at.map(instant),
                })
            })
            .collect();
        stages.sort_by_key(|row| row.stage);
        Ok(stages)
    }

    /// Notes that a phase has begun; one that had begun before keeps its time.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn begin_phase(&self, run: &RunId, name: &str, by: &str, at: Timestamp) -> Result<(), StoreError> {
        let (run, at) = (run.as_str(), ms(at));
        sqlx::query!(
            "INSERT INTO phase (run, name, took_by, started_at) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING",
            run,
            name,
            by,
            at
        )
        .execute(&self.write)
        .await
        .tried("begin a phase")?;
        Ok(())
    }

    /// Notes that a phase has ended.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn end_phase(&self, run: &RunId, name: &str, at: Timestamp) -> Result<(), StoreError> {
        let (run, at) = (run.as_str(), ms(at));
        sqlx::query!("UPDATE phase SET ended_at = ? WHERE run = ? AND name = ?", at, run, name)
            .execute(&self.write)
            .await
            .tried("end a phase")?;
        Ok(())
    }

    /// The run's phases, in the order in which they began.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn phases(&self, run: &RunId) -> Result<Vec<Phase>, StoreError> {
        let run = run.as_str();
        let rows = sqlx::query!(
            "SELECT name, took_by, started_at, ended_at FROM phase WHERE run = ? ORDER BY started_at, rowid",
            run
        )
        .fetch_all(&self.read)
        .await
        .tried("read the phases")?;
        Ok(rows
            .into_iter()
            .map(|row| Phase {
                name: row.name,
                by: row.took_by,
                started_at: instant(row.started_at),
                ended_at: row.ended_at.map(instant),
            })
            .collect())
    }
}
