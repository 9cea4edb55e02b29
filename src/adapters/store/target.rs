//! Test targets as the gate knows them, and what operators told the gate.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::ids::{RunId, TargetName};
use crate::domain::queue::TargetState;

/// A target as it is known.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KnownTarget {
    /// Its name.
    pub name: TargetName,
    /// Its state.
    pub state: TargetState,
    /// Why it is in that state.
    pub reason: String,
    /// When its engine last answered.
    pub heard_at: Option<Timestamp>,
    /// Since when it is in that state.
    pub changed_at: Timestamp,
}

impl Store {
    /// All targets that were ever configured.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn targets(&self) -> Result<Vec<KnownTarget>, StoreError> {
        let rows = sqlx::query!("SELECT name, state, reason, heard_at, changed_at FROM target ORDER BY name")
            .fetch_all(&self.write)
            .await
            .tried("read the targets")?;
        let read = rows.into_iter().filter_map(|row| {
            Some(KnownTarget {
                name: TargetName::parse(&row.name).ok()?,
                state: TargetState::named(&row.state)?,
                reason: row.reason,
                heard_at: row.heard_at.map(instant),
                changed_at: instant(row.changed_at),
            })
        });
        Ok(read.collect())
    }

    /// One target; nothing where it was never configured.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn target(&self, name: &TargetName) -> Result<Option<KnownTarget>, StoreError> {
        Ok(self.targets().await?.into_iter().find(|target| target.name == *name))
    }

    /// Puts a target into a state.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn set_target(
        &self,
        name: &TargetName,
        state: TargetState,
        reason: &str,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (name, state, at) = (name.as_str(), state.name(), ms(at));
        sqlx::query!(
            "INSERT INTO target (name, state, reason, changed_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET state = excluded.state, reason = excluded.reason,
                 changed_at = CASE WHEN state = excluded.state THEN changed_at ELSE excluded.changed_at END",
            name,
            state,
            reason,
            at
        )
        .execute(&self.write)
        .await
        .tried("note a target's state")?;
        Ok(())
    }

    /// A target's engine answered.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn hear_target(&self, name: &TargetName, at: Timestamp) -> Result<(), StoreError> {
        let (name, at) = (name.as_str(), ms(at));
        sqlx::query!("UPDATE target SET heard_at = ? WHERE name = ?", at, name)
            .execute(&self.write)
            .await
            .tried("note that a target answers")?;
        Ok(())
    }

    /// The run that ended last on a target, and those that it met there, the last one first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn last_runs_on(&self, name: &TargetName) -> Result<Vec<RunId>, StoreError> {
        let name = name.as_str();
        // One that ran alone has met nobody.
        let found = sqlx::query_scalar!(
            "SELECT id FROM run WHERE target = ?1 AND state = 'done' AND finished_at >= (
                SELECT coalesce(started_at, finished_at) FROM run WHERE target = ?1 AND state = 'done' ORDER BY finished_at DESC LIMIT 1
             ) ORDER BY finished_at DESC LIMIT 100",
            name
        )
        .fetch_all(&self.write)
        .await
        .tried("look for the last runs of a target")?;
        Ok(found.into_iter().filter_map(|id| id.parse().ok()).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::{End, NewRun};
    use crate::domain::verdict::Verdict;

    #[tokio::test]
    async fn the_last_runs_are_the_last_one_and_those_that_it_met() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let at = |second| Timestamp::from_second(second).unwrap();
        let run = |number| RunId::from_random([number; 12]);
        let end = End { verdict: Verdict::Green, sentence: "green", level: 2, report: None };
        for (number, target, from, to) in
            [(1, "lab", 0, 10), (2, "lab", 5, 20), (3, "lab", 15, 25), (4, "other", 16, 30), (5, "lab", 18, 0)]
        {
            let (id, at_start) = (run(number), at(from));
            let new = NewRun { id: &id, recipe: "notes", target, stack: "s", plan: "{}", protocol: 1, at: at_start };
            store.add_run(new).await.unwrap();
            // The last of them goes on.
            if to > 0 {
                store.finish(&id, &end, at(to)).await.unwrap();
            }
        }
        let of = async |name| store.last_runs_on(&TargetName::parse(name).unwrap()).await.unwrap();
        assert_eq!(of("lab").await, [run(3), run(2)]);
        assert_eq!(of("other").await, [run(4)]);
        assert_eq!(of("nowhere").await, []);
    }
}
