//! The flake ledger: what passed on a second try.

use jiff::Timestamp;

use super::run::{instant, ms};
use super::{Store, StoreError, Tried as _};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::ids::{RecipeName, RunId};

/// A flake, for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flake {
    /// Its place in the ledger.
    pub number: i64,
    /// The number of the run that saw it.
    pub run: i64,
    /// The recipe.
    pub recipe: String,
    /// The stage.
    pub stage: String,
    /// What passed only later: untrusted text.
    pub what: String,
    /// When.
    pub at: Timestamp,
}

/// How often a recipe flaked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Flaky {
    /// The recipe.
    pub recipe: String,
    /// In how many runs.
    pub runs: i64,
    /// Of how many that were judged.
    pub of: i64,
}

impl Store {
    /// Puts the flakes among these findings into the ledger; each once.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn add_flakes(&self, run: &RunId, recipe: &RecipeName, findings: &[Finding]) -> Result<(), StoreError> {
        let (run, recipe) = (run.as_str(), recipe.as_str());
        for flake in findings.iter().filter(|finding| finding.kind == FindingKind::Flake) {
            let (stage, at) = (flake.stage.name(), ms(flake.at));
            sqlx::query!(
                "INSERT INTO flake (run, recipe, stage, what, at) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING",
                run,
                recipe,
                stage,
                flake.sentence,
                at
            )
            .execute(&self.write)
            .await
            .tried("note a flake")?;
        }
        Ok(())
    }

    /// The ledger, newest first, before this place.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn flakes(&self, before: Option<i64>, most: i64) -> Result<Vec<Flake>, StoreError> {
        let before = before.unwrap_or(i64::MAX);
        let rows = sqlx::query!(
            r#"SELECT flake.number AS "number!", run.number AS "run!", flake.recipe, flake.stage, flake.what, flake.at
               FROM flake JOIN run ON run.id = flake.run WHERE flake.number < ? ORDER BY flake.number DESC LIMIT ?"#,
            before,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("read the flake ledger")?;
        let flakes = rows.into_iter().map(|row| Flake {
            number: row.number,
            run: row.run,
            recipe: row.recipe,
            stage: row.stage,
            what: row.what,
            at: instant(row.at),
        });
        Ok(flakes.collect())
    }

    /// The recipes that flaked, the flakiest first.
    ///
    /// # Errors
    /// What SQLite says.
    pub async fn flaky_recipes(&self, most: i64) -> Result<Vec<Flaky>, StoreError> {
        let rows = sqlx::query!(
            r#"SELECT recipe, count(DISTINCT run) AS "runs!: i64",
                 (SELECT count(*) FROM run WHERE run.recipe = flake.recipe AND run.verdict IN ('green', 'red')) AS "of!: i64"
               FROM flake GROUP BY recipe ORDER BY count(DISTINCT run) DESC, recipe LIMIT ?"#,
            most
        )
        .fetch_all(&self.read)
        .await
        .tried("read the flake ledger")?;
        Ok(rows.into_iter().map(|row| Flaky { recipe: row.recipe, runs: row.runs, of: row.of }).collect())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::NewRun;
    use crate::domain::stage::Stage;

    #[tokio::test]
    async fn s36_the_ledger_holds_each_flake_once_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let store = Store::open(folder.path()).await.unwrap();
        let (id, at) = (RunId::from_random([1; 12]), Timestamp::UNIX_EPOCH);
        let run = NewRun { id: &id, recipe: "notes", target: "lab", stack: "s", plan: "{}", protocol: 1, at };
        store.add_run(run).await.unwrap();
        let recipe = RecipeName::parse("notes").unwrap();
        let of = |kind| Finding::new(kind, Stage::Checks, at, "held on the second look only");
        let findings = [of(FindingKind::CheckFailed), of(FindingKind::Flake)];
        for _ in 0..2 {
            store.add_flakes(&id, &recipe, &findings).await.unwrap();
        }
        let flakes = store.flakes(None, 10).await.unwrap();
        assert_eq!(flakes.len(), 1, "{flakes:?}");
        assert_eq!((flakes[0].recipe.as_str(), flakes[0].stage.as_str()), ("notes", "checks"));
        assert!(store.flakes(Some(flakes[0].number), 10).await.unwrap().is_empty());
        let flaky = store.flaky_recipes(10).await.unwrap();
        assert_eq!((flaky[0].runs, flaky[0].of), (1, 0));
    }
}
