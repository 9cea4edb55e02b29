//! Who is logged in by web.

use jiff::Timestamp;

use super::run::ms;
use super::{Store, StoreError, Tried as _};

/// What a person may do by web; each includes what is before it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum May {
    /// See the pages.
    Read,
    /// Cancel and retry runs: somebody of the organisation.
    Member,
    /// Pause, drain and resume the gate.
    Operator,
}

impl May {
    const ALL: [Self; 3] = [Self::Read, Self::Member, Self::Operator];

    const fn name(self) -> &'static str {
        match self {
            Self::Read => "read",
            Self::Member => "member",
            Self::Operator => "operator",
        }
    }
}

/// Somebody who is logged in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Person {
    /// The login on the forge.
    pub login: String,
    /// What that person may do, as of the login.
    pub may: May,
}

impl Store {
    /// Keeps a session under the hash of its cookie; those that have ended go.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn begin_session(
        &self,
        hash: &str,
        person: &Person,
        now: Timestamp,
        end: Timestamp,
    ) -> Result<(), StoreError> {
        let (may, now, end) = (person.may.name(), ms(now), ms(end));
        sqlx::query!("DELETE FROM session WHERE ends_at <= ?", now).execute(&self.write).await.tried("end sessions")?;
        sqlx::query!(
            "INSERT INTO session (id, login, may, made_at, ends_at) VALUES (?, ?, ?, ?, ?)",
            hash,
            person.login,
            may,
            now,
            end
        )
        .execute(&self.write)
        .await
        .tried("begin a session")?;
        Ok(())
    }

    /// Whose session that is, while it lasts.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn session(&self, hash: &str, now: Timestamp) -> Result<Option<Person>, StoreError> {
        let now = ms(now);
        let row = sqlx::query!("SELECT login, may FROM session WHERE id = ? AND ends_at > ?", hash, now)
            .fetch_optional(&self.read)
            .await
            .tried("look for a session")?;
        Ok(row.and_then(|row| {
            let may = May::ALL.into_iter().find(|may| may.name() == row.may)?;
            Some(Person { login: row.login, may })
        }))
    }

    /// Ends a session.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn end_session(&self, hash: &str) -> Result<(), StoreError> {
        sqlx::query!("DELETE FROM session WHERE id = ?", hash).execute(&self.write).await.tried("end a session")?;
        Ok(())
    }
}
