//! Versions that were green here: the bases that are known to be good.

use jiff::Timestamp;

use super::run::{ms, to_json};
use super::{Store, StoreError, Tried as _};
use crate::domain::base::{Candidate, Origin};
use crate::domain::canonical::{Canonical, KEPT};
use crate::domain::ids::{CommitSha, RecipeName, RunId};
use crate::domain::recipe::RecipeVersion;

impl Store {
    /// Remembers a version that was green; of each recipe the newest [`KEPT`] stay. A commit is remembered once.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn promote(
        &self,
        recipe: &RecipeName,
        canonical: &Canonical,
        run: &RunId,
        at: Timestamp,
    ) -> Result<(), StoreError> {
        let (recipe, version, run) = (recipe.as_str(), canonical.version.to_string(), run.as_str());
        let (head, images, at, kept) = (canonical.commit.as_str(), to_json("images", &canonical.images)?, ms(at), KEPT);
        let mut all = self.write.begin().await.tried("remember a green version")?;
        sqlx::query!(
            "INSERT INTO canonical (recipe, version, head, run, images, at) VALUES (?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
            recipe,
            version,
            head,
            run,
            images,
            at
        )
        .execute(&mut *all)
        .await
        .tried("remember a green version")?;
        sqlx::query!(
            "DELETE FROM canonical WHERE recipe = ?1 AND number <= coalesce(
               (SELECT number FROM canonical WHERE recipe = ?1 ORDER BY number DESC LIMIT 1 OFFSET ?2), 0)",
            recipe,
            kept
        )
        .execute(&mut *all)
        .await
        .tried("remember a green version")?;
        all.commit().await.tried("remember a green version")
    }

    /// The versions of a recipe that were green here, as candidates for a base.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn canonicals(&self, recipe: &RecipeName) -> Result<Vec<Candidate>, StoreError> {
        let recipe = recipe.as_str();
        let rows = sqlx::query!("SELECT version, head FROM canonical WHERE recipe = ? ORDER BY number DESC", recipe)
            .fetch_all(&self.read)
            .await
            .tried("read the green versions")?;
        let read = |version: &str, head: &str| {
            let (version, commit) = (RecipeVersion::parse(version).ok()?, CommitSha::parse(head).ok()?);
            Some(Candidate { version, commit, origin: Origin::Canonical })
        };
        Ok(rows.iter().filter_map(|row| read(&row.version, &row.head)).collect())
    }
}
