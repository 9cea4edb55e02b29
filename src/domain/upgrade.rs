//! The env of an app that is upgraded in place. Its operator does not make a new app: the env stays what the base's `.env.sample`
//! made it, and what head needs beyond that is asked of every operator (design §4, *Env and secrets of each deploy*).

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::recipe::abra_sh::AbraSh;
use super::recipe::env::EnvFile;
use super::recipe::files::FileError;
use super::recipe::interpolate::{Fallback, uses};
use super::recipe::{ABRA_SH, ENV_SAMPLE, RecipeFiles, compose_files, yaml};

/// What every app has, whatever its env says.
const OURS: [&str; 3] = ["DOMAIN", "STACK_NAME", "LETS_ENCRYPT_ENV"];

/// What an upgrade in place changes in an app's env.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct EnvChange {
    /// Variables that every operator must set before the upgrade: used without a default, and nobody sets them.
    pub missing: Vec<String>,
    /// Other variables that head's `.env.sample` has and the base's has not.
    pub new: Vec<String>,
    /// Versions of secrets that head adds, e.g. `SECRET_ADMIN_PASS_VERSION`: set, and the secrets generated, as operators must do.
    pub secrets: Vec<String>,
    /// The lines that set them, with the comments that say how the secrets are made.
    lines: Vec<String>,
}

/// Compares what head needs with what an app of the base has.
#[must_use]
pub fn env_change(base: &RecipeFiles, head: &RecipeFiles) -> EnvChange {
    let text = |files: &RecipeFiles, path| files.text_or_empty(path).unwrap_or_default().to_owned();
    let (before, after_text) = (EnvFile::parse(&text(base, ENV_SAMPLE)), text(head, ENV_SAMPLE));
    let after = EnvFile::parse(&after_text);
    let exported = AbraSh::parse(&text(head, ABRA_SH)).values();
    let set: BTreeSet<&str> = before.assignments.iter().map(|assignment| assignment.name.as_str()).collect();
    let is_set = |name: &str| set.contains(name) || exported.contains_key(name) || OURS.contains(&name);
    let needed = needed(head, &before, &exported);

    let mut change = EnvChange::default();
    let mut seen = BTreeSet::new();
    for assignment in &after.assignments {
        let name = assignment.name.as_str();
        if is_set(name) || !seen.insert(name) {
            continue;
        }
        let line = after.last(name).map_or(assignment.line, |last| last.line);
        if name.starts_with("SECRET_") && name.ends_with("_VERSION") {
            change.secrets.push(name.to_owned());
            change.lines.extend(after_text.lines().nth(line - 1).map(str::to_owned));
        } else if needed.contains(name) && after.last(name).is_some_and(|last| !last.value.text().is_empty()) {
            change.missing.push(name.to_owned());
        } else {
            change.new.push(name.to_owned());
        }
    }
    change
}

/// Variables that head's compose files use without a default. An app selects those that its own env names.
fn needed(head: &RecipeFiles, app: &EnvFile, exported: &BTreeMap<String, String>) -> BTreeSet<String> {
    let mut variables = app.expand(&BTreeMap::new());
    variables.extend(exported.clone());
    let mut needed = BTreeSet::new();
    for path in compose_files(variables.get("COMPOSE_FILE").map(String::as_str)) {
        if let Ok(tree) = yaml::parse(head.text_or_empty(&path).unwrap_or_default()) {
            collect(&tree, &mut needed);
        }
    }
    needed
}

fn collect(value: &Value, needed: &mut BTreeSet<String>) {
    match value {
        Value::String(text) => {
            let without = uses(text).filter(|used| !matches!(used.fallback, Fallback::Default(_)));
            needed.extend(without.map(|used| used.name.to_owned()));
        }
        Value::Array(all) => all.iter().for_each(|one| collect(one, needed)),
        Value::Object(all) => all.values().for_each(|one| collect(one, needed)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// Head's files as an operator deploys them over an app of the base: with that app's env, and the secrets that head adds.
///
/// # Errors
/// When the two together are too large for a recipe.
pub fn over_the_base(base: &RecipeFiles, head: &RecipeFiles, change: &EnvChange) -> Result<RecipeFiles, FileError> {
    let mut env = base.text_or_empty(ENV_SAMPLE)?.to_owned();
    for line in &change.lines {
        if !env.is_empty() && !env.ends_with('\n') {
            env.push('\n');
        }
        env.push_str(line);
        env.push('\n');
    }
    let mut files = head.clone();
    files.add(ENV_SAMPLE, env.into_bytes(), false)?;
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipe::COMPOSE_YML;

    fn recipe(env: &str, compose: &str, abra_sh: &str) -> RecipeFiles {
        let mut files = RecipeFiles::new();
        for (path, text) in [(ENV_SAMPLE, env), (COMPOSE_YML, compose), (ABRA_SH, abra_sh)] {
            files.add(path, text.as_bytes().to_vec(), false).unwrap();
        }
        files
    }

    const COMPOSE: &str = "services:\n  app:\n    image: a:1\n    environment:\n      - A=${A}\n      - B=${B:-b}\n      - C=${C}\n      - D=$D\n      - E=${E:?needed}\n";

    #[test]
    fn s18_what_every_operator_would_have_to_set_is_missing_and_the_rest_is_listed() {
        let base = recipe("A=1\n", "services: {}\n", "");
        let head = recipe("A=2\nB=2\nC=\nD=3\nE=4\nF=5\n", COMPOSE, "export D=6\n");
        let change = env_change(&base, &head);
        assert_eq!(change.missing, ["E"], "A is set, B has a default, C is empty in the sample too, abra.sh sets D");
        assert_eq!(change.new, ["B", "C", "F"]);
        assert_eq!(change.secrets, [""; 0]);
    }

    #[test]
    fn s18_a_compose_file_that_the_app_does_not_select_needs_nothing() {
        let base = recipe("COMPOSE_FILE=compose.other.yml\n", "services: {}\n", "");
        let head = recipe("E=4\n", COMPOSE, "");
        assert_eq!(env_change(&base, &head).missing, [""; 0]);
        assert_eq!(env_change(&recipe("", "", ""), &head).missing, ["E"]);
    }

    #[test]
    fn s19_a_secret_that_head_adds_is_set_with_the_way_it_is_made() {
        let base = recipe("A=1\nSECRET_DB_VERSION=v1", "", "");
        let head = recipe("A=2\nSECRET_DB_VERSION=v2\nSECRET_ADMIN_VERSION=v1 # length=12 charset=hex\n", COMPOSE, "");
        let change = env_change(&base, &head);
        assert_eq!(change.secrets, ["SECRET_ADMIN_VERSION"]);
        let files = over_the_base(&base, &head, &change).unwrap();
        let env = files.text(ENV_SAMPLE).unwrap();
        assert_eq!(env, "A=1\nSECRET_DB_VERSION=v1\nSECRET_ADMIN_VERSION=v1 # length=12 charset=hex\n");
        assert_eq!(files.text(COMPOSE_YML).unwrap(), COMPOSE, "all else is head's");
    }

    #[test]
    fn an_app_without_any_change_is_upgraded_with_its_env() {
        let base = recipe("A=1\nE=2\n", COMPOSE, "");
        let change = env_change(&base, &base);
        assert_eq!(change, EnvChange::default());
        assert_eq!(over_the_base(&base, &base, &change).unwrap().text(ENV_SAMPLE).unwrap(), "A=1\nE=2\n");
    }
}
