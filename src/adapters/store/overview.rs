//! Where recipes stand: of each the run that says most, the last green one, its pull requests and its newest runs. For a list of
//! them in four questions, not in four for each.

use std::collections::HashMap;

use super::read::{Bind, Shown};
use super::run::to_json;
use super::{Store, StoreError};

/// Where a recipe stands.
#[derive(Debug, Clone, Default)]
pub struct Overview {
    /// The newest run that says something of it, green or red; one of the default branch before one of a pull request.
    pub judged: Option<Shown>,
    /// The newest green run.
    pub green: Option<Shown>,
    /// The last run of each pull request, newest first.
    pub pulls: Vec<Shown>,
    /// Its runs, newest first.
    pub recent: Vec<Shown>,
}

const JUDGED: &str =
    "WHERE number IN (SELECT (SELECT number FROM run WHERE recipe = value AND verdict IN ('green', 'red')
        ORDER BY cause IN ('post_merge', 'sweep') DESC, number DESC LIMIT 1) FROM json_each(?1))";

const GREEN: &str = "WHERE number IN (SELECT (SELECT number FROM run WHERE recipe = value AND verdict = 'green'
        ORDER BY number DESC LIMIT 1) FROM json_each(?1))";

const PULLS: &str = "WHERE number IN (SELECT number FROM (
        SELECT max(number) AS number, row_number() OVER (PARTITION BY recipe ORDER BY max(number) DESC) AS nth
        FROM run WHERE pull IS NOT NULL AND recipe IN (SELECT value FROM json_each(?1)) GROUP BY recipe, repository, pull)
        WHERE nth <= ?2) ORDER BY number DESC";

const RECENT: &str = "WHERE number IN (SELECT ran.number FROM json_each(?1) JOIN run AS ran ON ran.recipe = value
        AND ran.number > coalesce((SELECT number FROM run WHERE recipe = value ORDER BY number DESC LIMIT 1 OFFSET ?2), 0))
        ORDER BY number DESC";

impl Store {
    /// Where each of these recipes stands, with so many of its pull requests and of its newest runs; in the order of the names.
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
        put(self.show(JUDGED, &of(None)).await?, |overview, run| overview.judged = Some(run));
        put(self.show(GREEN, &of(None)).await?, |overview, run| overview.green = Some(run));
        put(self.show(PULLS, &of(Some(pulls))).await?, |overview, run| overview.pulls.push(run));
        put(self.show(RECENT, &of(Some(recent))).await?, |overview, run| overview.recent.push(run));
        Ok(recipes.iter().map(|name| all.remove(name).unwrap_or_default()).collect())
    }
}
