//! What operators told the gate, and the record of who did what. Both are rows, so that the command line, the API and the web
//! mean the same, while the gate runs and while it does not.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::cancellation::Cancellation;
use crate::domain::ids::RunId;

/// Something that operators switch on and off.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Switch {
    /// Nothing is started.
    Pause,
    /// Nothing is started, since the gate is about to be stopped.
    Drain,
    /// A sentence on every page.
    Banner,
}

impl Switch {
    /// Its name in the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Pause => "pause",
            Self::Drain => "drain",
            Self::Banner => "banner",
        }
    }
}

/// A switch that is on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SwitchedOn {
    /// The reason or text that was given; may be empty.
    pub value: String,
    /// Who switched it on.
    pub by: String,
    /// When.
    pub at: Timestamp,
}

/// All switches; `None`: off.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Switches {
    /// See [`Switch::Pause`].
    pub pause: Option<SwitchedOn>,
    /// See [`Switch::Drain`].
    pub drain: Option<SwitchedOn>,
    /// See [`Switch::Banner`].
    pub banner: Option<SwitchedOn>,
}

impl Switches {
    /// The switch that keeps runs from being started, if one does.
    #[must_use]
    pub fn held(&self) -> Option<&SwitchedOn> {
        self.drain.as_ref().or(self.pause.as_ref())
    }
}

/// Something that somebody did.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Action {
    /// When.
    pub at: Timestamp,
    /// Who: a login of the forge, or `root@terminal`.
    pub who: String,
    /// What, e.g. `cancel run 231`.
    pub what: String,
}

impl Store {
    /// The switches as they are now.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn switches(&self) -> Result<Switches, StoreError> {
        let rows = sqlx::query!("SELECT name, value, set_by, set_at FROM switch")
            .fetch_all(&self.read)
            .await
            .tried("read the switches")?;
        let mut switches = Switches::default();
        for row in rows {
            let on = Some(SwitchedOn { value: row.value, by: row.set_by, at: instant(row.set_at) });
            match row.name.as_str() {
                "pause" => switches.pause = on,
                "drain" => switches.drain = on,
                "banner" => switches.banner = on,
                _ => {}
            }
        }
        Ok(switches)
    }

    /// Switches something on, or changes its text; who did it is noted with it.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn switch_on(&self, switch: Switch, value: &str, who: &str, at: Timestamp) -> Result<(), StoreError> {
        let (name, ms) = (switch.name(), ms(at));
        let mut all = self.write.begin().await.tried("switch")?;
        sqlx::query!(
            "INSERT INTO switch (name, value, set_by, set_at) VALUES (?, ?, ?, ?)
             ON CONFLICT (name) DO UPDATE SET value = excluded.value, set_by = excluded.set_by, set_at = excluded.set_at",
            name,
            value,
            who,
            ms
        )
        .execute(&mut *all)
        .await
        .tried("switch")?;
        let what = if value.is_empty() { name.to_owned() } else { format!("{name}: {value}") };
        note(&mut all, who, &what, at).await?;
        all.commit().await.tried("switch")
    }

    /// Switches pause and drain off.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn resume(&self, who: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut all = self.write.begin().await.tried("resume")?;
        sqlx::query!("DELETE FROM switch WHERE name IN ('pause', 'drain')").execute(&mut *all).await.tried("resume")?;
        note(&mut all, who, "resume", at).await?;
        all.commit().await.tried("resume")
    }

    /// Asks for the end of a run. Whoever drives it, or the gate where nobody does yet, finds that and ends it. Returns whether it
    /// had no verdict yet; the reason given first is kept.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn ask_to_cancel(&self, number: i64, who: &str, at: Timestamp) -> Result<bool, StoreError> {
        let mut all = self.write.begin().await.tried("cancel a run")?;
        let why = Cancellation::By(who.to_owned()).to_string();
        let asked = sqlx::query!(
            "UPDATE run SET cancelled = coalesce(cancelled, ?) WHERE number = ? AND state <> 'done'",
            why,
            number
        )
        .execute(&mut *all)
        .await
        .tried("cancel a run")?;
        if asked.rows_affected() == 0 {
            return Ok(false);
        }
        note(&mut all, who, &format!("cancel run {number}"), at).await?;
        all.commit().await.tried("cancel a run")?;
        Ok(true)
    }

    /// Whether the run was asked to end.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn is_cancelled(&self, id: &RunId) -> Result<bool, StoreError> {
        let id = id.as_str();
        let count = sqlx::query_scalar!("SELECT count(*) FROM run WHERE id = ? AND cancelled IS NOT NULL", id)
            .fetch_one(&self.read)
            .await
            .tried("look whether a run was cancelled")?;
        Ok(count > 0)
    }

    /// Notes who did what.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn note_action(&self, who: &str, what: &str, at: Timestamp) -> Result<(), StoreError> {
        let mut all = self.write.begin().await.tried("note an action")?;
        note(&mut all, who, what, at).await?;
        all.commit().await.tried("note an action")
    }

    /// What was done last, newest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn actions(&self, most: i64) -> Result<Vec<Action>, StoreError> {
        let rows = sqlx::query!("SELECT at, who, what FROM action ORDER BY seq DESC LIMIT ?", most)
            .fetch_all(&self.read)
            .await
            .tried("read the actions")?;
        Ok(rows.into_iter().map(|row| Action { at: instant(row.at), who: row.who, what: row.what }).collect())
    }
}

async fn note(
    all: &mut sqlx::Transaction<'_, sqlx::Sqlite>,
    who: &str,
    what: &str,
    at: Timestamp,
) -> Result<(), StoreError> {
    let at = ms(at);
    sqlx::query!("INSERT INTO action (at, who, what) VALUES (?, ?, ?)", at, who, what)
        .execute(&mut **all)
        .await
        .tried("note an action")?;
    Ok(())
}
