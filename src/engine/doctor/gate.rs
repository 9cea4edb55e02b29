//! The gate's own side: the forge, what its token may do, and the database.

use std::path::Path;

use crate::adapters::forge::{Ability, Capabilities, Forge, ForgeError, HookScope};
use crate::adapters::store;
use crate::domain::doctor::{Check, Matter};
use crate::domain::enrolment::Enrolment;
use crate::domain::forge::Login;

/// The forge and what the token may do there, tried on what does not exist, so that nothing changes.
pub async fn forge(forge: &Forge, organisation: &Login, enrolled: &Enrolment, wants_hooks: bool) -> Vec<Check> {
    let said = match capabilities(forge, organisation, enrolled, wants_hooks).await {
        Ok(Some(found)) => return of(&found),
        Ok(None) => format!("{organisation} has no repository that is watched, so nothing could be tried"),
        Err(error) => return vec![Check::failed(Matter::Forge, &error)],
    };
    vec![Check::bad(Matter::Forge, said, "ORGANISATION, RECIPES, or the account's membership there")]
}

async fn capabilities(
    forge: &Forge,
    organisation: &Login,
    enrolled: &Enrolment,
    wants_hooks: bool,
) -> Result<Option<Capabilities>, ForgeError> {
    let all = forge.repositories(organisation).await?;
    let Some(sample) = all.items.into_iter().find(|it| !it.archived && enrolled.holds(it.name.name())) else {
        return Ok(None);
    };
    let scope = HookScope::Organisation(organisation.clone());
    forge.probe(&sample.name, organisation, wants_hooks.then_some(&scope)).await.map(Some)
}

fn of(found: &Capabilities) -> Vec<Check> {
    let who = found.login.as_ref().map_or_else(|| "an unknown account".to_owned(), ToString::to_string);
    let mut checks =
        vec![Check::good(Matter::Forge, format!("version {} answers; the token is {who}'s", found.version.text))];
    let rights = "FORGE_TOKEN with the scopes of docs/operators.md, of an account with these rights";
    for line in found.missing() {
        // Without comments there are no answers at all; the rest has another way.
        let needed = matches!(found.comment, Ability::No(_)) && line.starts_with("no comments");
        checks.push(match needed {
            true => Check::bad(Matter::ForgeRights, line, rights),
            false => Check::open(Matter::ForgeRights, line, Some(rights.to_owned())),
        });
    }
    if checks.len() == 1 {
        checks.push(Check::good(Matter::ForgeRights, "the token may do all that is wanted"));
    }
    checks
}

/// The database in the state folder; it is not migrated by looking.
pub async fn database(state: &Path) -> Check {
    match store::look(state).await {
        Ok(Some((found, known))) if found == known => {
            Check::good(Matter::Database, format!("schema {found}, as this version needs"))
        }
        Ok(Some((found, known))) => Check::good(
            Matter::Database,
            format!("schema {found}; the next start saves a copy and brings it to {known}"),
        ),
        Ok(None) => Check::good(Matter::Database, "there is none yet; the first start makes it"),
        Err(error) => Check::failed(Matter::Database, &error),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_database_is_looked_at_and_not_made() {
        let folder = tempfile::tempdir().unwrap();
        assert!(database(folder.path()).await.said.contains("none yet"));
        assert_eq!(std::fs::read_dir(folder.path()).unwrap().count(), 0);
        store::Store::open(folder.path()).await.unwrap().close().await;
        let check = database(folder.path()).await;
        assert!(check.said.contains("as this version needs"), "{}", check.said);
        std::fs::write(folder.path().join("cc-ci.db"), "no database").unwrap();
        assert_eq!(database(folder.path()).await.outcome, crate::domain::doctor::Outcome::Bad);
    }
}
