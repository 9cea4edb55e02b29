//! Where recipes stand: of each the run that says most, the last green one, its pull requests and its newest verdicts. For a list of
//! them in four questions, not in four for each.

use std::collections::HashMap;

use super::read::{Bind, LAST_GREEN, LAST_JUDGED, Shown};
use super::run::to_json;
use super::{Store, StoreError, Tried as _};

/// Where a recipe stands.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The newest run that says something of it, green or red; one of the default branch before one of a pull request.
    pub judged: Option<Shown>,
    /// The newest green run.
    pub green: Option<Shown>,
    /// The last run of each pull request, newest first.
    pub pulls: Vec<Shown>,
    /// The verdicts of its newest runs, newest first; those that have none yet are left out.
    pub verdicts: Vec<String>,
}

const PULLS: &str = "WHERE number IN (SELECT last FROM json_each(?1) JOIN pull_request ON recipe = value AND last > coalesce(
        (SELECT last FROM pull_request WHERE recipe = value ORDER BY last DESC LIMIT 1 OFFSET ?2), 0)) ORDER BY number DESC";

impl Store {
    /// Where each of these recipes stands, with so many of its pull requests and the verdicts of so many of its newest runs; in the order of the names.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn overviews(&self, recipes: &[String], pulls: i64, recent: i64) -> Result<Vec<Overview>, StoreError> {
        let names = to_json("names of recipes", &recipes)?;
        let of = |most: Option<i64>| [Bind::Text(&names)].into_iter().chain(most.map(Bind::Number)).collect::<Vec<_>>();
        let mut all: HashMap<String, Overview> = HashMap::new();
        let mut put = |runs: Vec<Shown>, place: fn(&mut Overview, Shown)| {
            for run in runs {
                place(all.entry(run.recipe.clone()).or_default(), run);
            }
        };
        let one_each = |which: &str| {
            format!(
                "WHERE number IN (SELECT (SELECT number FROM run WHERE recipe = value AND {which}) FROM json_each(?1))"
            )
        };
        put(self.show(&one_each(LAST_JUDGED), &of(None)).await?, |overview, run| overview.judged = Some(run));
        put(self.show(&one_each(LAST_GREEN), &of(None)).await?, |overview, run| overview.green = Some(run));
        put(self.show(PULLS, &of(Some(pulls))).await?, |overview, run| overview.pulls.push(run));
        for (recipe, verdict) in self.verdicts(&names, recent).await? {
            all.entry(recipe).or_default().verdicts.push(verdict);
        }
        Ok(recipes.iter().map(|name| all.remove(name).unwrap_or_default()).collect())
    }

    /// Recipe and verdict of the newest runs of each recipe, newest first.
    async fn verdicts(&self, names: &str, most: i64) -> Result<Vec<(String, String)>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT recipe, verdict AS "verdict!" FROM json_each(?1) JOIN run ON recipe = value AND number > coalesce(
                 (SELECT number FROM run WHERE recipe = value ORDER BY number DESC LIMIT 1 OFFSET ?2), 0)
               WHERE verdict IS NOT NULL ORDER BY number DESC"#,
            names,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("read verdicts for a page")?;
        Ok(rows.into_iter().map(|row| (row.recipe, row.verdict)).collect())
    }
}
