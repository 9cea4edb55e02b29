//! The variables of an app: `.env.sample` with the overrides of the tests file, then what is ours, then `abra.sh`, then what the
//! target forces.

use std::collections::BTreeMap;

use super::{Facts, PlanError};
use crate::domain::process_env::may_be_given;
use crate::domain::recipe::abra_sh::AbraSh;
use crate::domain::recipe::env::EnvFile;
use crate::domain::recipe::{ABRA_SH, ENV_SAMPLE, RecipeFiles};

/// The variables and where they come from.
pub(super) struct Variables {
    /// All variables of the app.
    pub(super) app: BTreeMap<String, String>,
    /// Those that `docker stack deploy` gets: without the ones that would steer the client.
    pub(super) process: BTreeMap<String, String>,
    /// The file they come from, for comments and lines.
    pub(super) sample: EnvFile,
    /// What a person should know.
    pub(super) notes: Vec<String>,
}

/// Commands that abra runs after a deploy.
const COMMANDS: [&str; 2] = ["POST_DEPLOY_CMDS", "POST_UPGRADE_CMDS"];

pub(super) fn read(files: &RecipeFiles, facts: &Facts) -> Result<Variables, PlanError> {
    let text = |path: &str| {
        let advice = "make it a text file of less than 1 MiB";
        files.text_or_empty(path).map_err(|error| PlanError::new(Some(path), None, error.to_string(), advice))
    };
    let mut notes = Vec::new();
    if !files.contains(ENV_SAMPLE) {
        notes.push("there is no `.env.sample`: abra cannot make an app without one".to_owned());
    }
    let sample = EnvFile::parse(text(ENV_SAMPLE)?);
    let exports = AbraSh::parse(text(ABRA_SH)?);
    notes.extend(exports.unreadable.iter().map(|export| {
        format!(
            "abra.sh:{}: `{}` is computed by a shell and was left out; nothing of abra.sh is executed",
            export.line, export.name
        )
    }));
    let ours = ours(facts);
    // What the tests file sets is there before the rest is filled in, as in an app's env that somebody has edited.
    let mut set = facts.overrides.clone();
    set.extend(ours.clone());
    let mut app = sample.expand(&set);
    let example = format!("{}.example.com", facts.recipe);
    for value in app.values_mut().filter(|value| value.contains(&example)) {
        *value = value.replace(&example, facts.domain.as_str());
    }
    app.extend(exports.values());
    app.extend(ours);
    notes.extend(
        COMMANDS
            .iter()
            .filter(|name| app.get(**name).is_some_and(|value| !value.is_empty()))
            .map(|name| format!("`{name}` is set; its commands are not run in this version")),
    );
    let (withheld, process): (BTreeMap<_, _>, BTreeMap<_, _>) =
        app.iter().map(|(name, value)| (name.clone(), value.clone())).partition(|(name, _)| !may_be_given(name));
    notes.extend(withheld.keys().map(|name| {
        format!("`{name}` would steer the docker client; services get it, but `${{{name}}}` in compose files is empty")
    }));
    Ok(Variables { app, process, sample, notes })
}

/// What is ours, whatever the recipe says: `DOMAIN` and `STACK_NAME`, and what the target forces. abra replaces
/// `<recipe>.example.com` in a new app's env too, which [`read`] does behind this.
fn ours(facts: &Facts) -> BTreeMap<String, String> {
    let mut ours = BTreeMap::from([("LETS_ENCRYPT_ENV".to_owned(), String::new())]);
    ours.extend(facts.forced.clone());
    ours.insert("DOMAIN".to_owned(), facts.domain.to_string());
    ours.insert("STACK_NAME".to_owned(), facts.stack.to_string());
    ours
}
