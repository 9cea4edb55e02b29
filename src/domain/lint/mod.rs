//! Static rules over a recipe's files: one function per rule, one finding per broken place, with line and advice.
//!
//! *Error* = provably stops a deploy or an upgrade; all else is a hint (design, §4, *Lint*). A compose file that
//! `COMPOSE_FILE` does not select stops nobody who does not select it: there, every error is a hint.

mod images;
mod labels;
mod resources;
mod seen;
mod values;

use serde::{Deserialize, Serialize};

use crate::domain::recipe::RecipeFiles;
use seen::Seen;

/// How much a hit weighs.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Severity {
    /// Provably stops a deploy or an upgrade.
    Error,
    /// Anything else that somebody should know.
    Hint,
}

/// A place where a rule is broken.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hit {
    /// The rule's id.
    pub rule: &'static str,
    /// How much it weighs here.
    pub severity: Severity,
    /// The file.
    pub file: String,
    /// The line in it, from 1, where one is to blame.
    pub line: Option<usize>,
    /// What is wrong, in one sentence without a full stop. Parts of it come from the recipe: untrusted.
    pub text: String,
    /// What to do.
    pub advice: &'static str,
    /// Why it matters.
    pub why: &'static str,
}

/// A rule, for reports and documentation.
#[derive(Debug, Clone, Copy)]
pub struct Rule {
    /// Stable id.
    pub id: &'static str,
    /// What it asks for.
    pub what: &'static str,
    /// Why it matters: who is hurt, and how.
    pub why: &'static str,
    /// What to do when it is broken.
    pub advice: &'static str,
    /// How much it weighs.
    pub severity: Severity,
    check: fn(&Seen<'_>, &mut Vec<Place>),
}

/// What a rule's function finds.
struct Place {
    file: String,
    spot: Spot,
    text: String,
}

/// Where in the file: the line is looked for only where it is told, since a file may be wrong in thousands of places.
enum Spot {
    Line(Option<usize>),
    /// The key of that path.
    Key(Vec<String>),
    /// The first line with all of these.
    Words(Vec<String>),
}

/// Of one rule, so many places are told.
const TOLD: usize = 100;

/// All rules, in the order in which their findings are listed.
pub const RULES: &[Rule] = &[
    Rule {
        id: "C001",
        what: "Every compose file is YAML that docker reads.",
        why: "Docker refuses the whole deploy.",
        advice: "Mend the line; `docker stack config -c FILE` shows the same message.",
        severity: Severity::Error,
        check: values::compose_parses,
    },
    Rule {
        id: "C002",
        what: "Every file that `COMPOSE_FILE` names exists.",
        why: "The deploy stops before it begins.",
        advice: "Add the file, or change `COMPOSE_FILE` in `.env.sample`.",
        severity: Severity::Error,
        check: values::compose_file_exists,
    },
    Rule {
        id: "C003",
        what: "There is a service called `app`.",
        why: "abra keeps version and chaos labels on it and refuses a recipe without it.",
        advice: "Call the main service `app`.",
        severity: Severity::Error,
        check: labels::service_app,
    },
    Rule {
        id: "C004",
        what: "Every image has a tag.",
        why: "Without one the newest image is pulled: two deploys of one version differ, and nobody can go back.",
        advice: "Write the version behind the image's name, e.g. `nginx:1.27.3`.",
        severity: Severity::Hint,
        check: images::tagged,
    },
    Rule {
        id: "C005",
        what: "No image has the tag `latest`.",
        why: "The tag moves: two deploys of one version differ, and nobody can go back.",
        advice: "Name the version that was tested.",
        severity: Severity::Hint,
        check: images::not_latest,
    },
    Rule {
        id: "C006",
        what: "Service `app` has the label `coop-cloud.${STACK_NAME}.version=x.y.z+app`.",
        why: "Without it nobody can tell which version runs, nor which to upgrade from.",
        advice: "Let `abra recipe sync` write it.",
        severity: Severity::Hint,
        check: labels::version,
    },
    Rule {
        id: "C007",
        what: "Durations (`start_period`, `interval`, `timeout`, `stop_grace_period`, …) are written out.",
        why: "abra validates the file before it fills in variables, and `${…}` is no duration.",
        advice: "Write the duration itself, e.g. `start_period: 5m`.",
        severity: Severity::Error,
        check: values::durations,
    },
    Rule {
        id: "C008",
        what: "Every variable of a compose file is in `.env.sample`, in `abra.sh`, or has a default.",
        why: "It is silently empty, and an operator cannot know that it exists.",
        advice: "Add it to `.env.sample` (commented out when it is optional), or give it a default: `${NAME:-value}`.",
        severity: Severity::Hint,
        check: values::variables_known,
    },
    Rule {
        id: "C009",
        what: "Variables are written as docker reads them, and required ones (`${NAME:?…}`) are set.",
        why: "Docker refuses the whole deploy.",
        advice: "Set the variable in `.env.sample`, or write `$$` where a dollar sign is meant.",
        severity: Severity::Error,
        check: values::interpolation,
    },
    Rule {
        id: "C010",
        what: "The file of every config is in the recipe.",
        why: "The deploy stops when docker cannot read it.",
        advice: "Add the file, or mend its path.",
        severity: Severity::Error,
        check: resources::config_files,
    },
    Rule {
        id: "C011",
        what: "The `*_VERSION` of every config is exported in `abra.sh`.",
        why: "The config's name would end with `_`, which Swarm refuses.",
        advice: "Add `export …_VERSION=v1` to `abra.sh`, and raise it whenever the file changes.",
        severity: Severity::Error,
        check: resources::config_versions,
    },
    Rule {
        id: "C012",
        what: "Every secret has its `SECRET_*_VERSION` in `.env.sample`.",
        why: "abra generates what `.env.sample` lists; without it the secret does not exist and the deploy stops.",
        advice: "Add `SECRET_…_VERSION=v1` to `.env.sample`, with `# length=…` behind it where that matters.",
        severity: Severity::Error,
        check: resources::secret_versions,
    },
    Rule {
        id: "C013",
        what: "Every service has a healthcheck.",
        why: "Without one Swarm takes a service that only just started for a good one, and an upgrade cannot roll back.",
        advice: "Add a `healthcheck`, unless the image brings its own.",
        severity: Severity::Hint,
        check: labels::healthcheck,
    },
    Rule {
        id: "C014",
        what: "Exactly one service has `backupbot.backup=true`, if there are volumes.",
        why: "With none nothing is backed up; the specification of backup-bot allows no more than one.",
        advice: "Put the label on service `app`, and choose volumes by `backupbot.backup.volumes.…`.",
        severity: Severity::Hint,
        check: labels::backup,
    },
    Rule {
        id: "C015",
        what: "All selected compose files have the same `version`.",
        why: "Docker refuses to merge files of different versions.",
        advice: "Write the same `version` in all of them.",
        severity: Severity::Error,
        check: values::same_version,
    },
];

/// All places where a rule is broken, in the order of [`RULES`].
#[must_use]
pub fn lint(files: &RecipeFiles) -> Vec<Hit> {
    let seen = Seen::new(files);
    let mut hits = Vec::new();
    for rule in RULES {
        let mut places = Vec::new();
        (rule.check)(&seen, &mut places);
        let hit = |file: String, line, text| Hit {
            rule: rule.id,
            severity: if seen.counts(&file) { rule.severity } else { Severity::Hint },
            file,
            line,
            text,
            advice: rule.advice,
            why: rule.why,
        };
        let left_out = places.split_off(TOLD.min(places.len()));
        hits.extend(places.into_iter().map(|place| hit(place.file.clone(), seen.line(&place), place.text)));
        if let Some(first) = left_out.first() {
            hits.push(hit(first.file.clone(), None, format!("{} more places like this", left_out.len())));
        }
    }
    hits
}

#[cfg(test)]
mod tests;
