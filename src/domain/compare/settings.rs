//! What an app is given from outside its images: variables, and the versions of its configs and secrets, as the recipe's files say.
//! Values that look like a secret, and all that come from a tests file, are compared and never shown.

use std::collections::{BTreeMap, BTreeSet};

use serde::Serialize;

use super::Pair;
use crate::domain::recipe::abra_sh::AbraSh;
use crate::domain::recipe::env::EnvFile;
use crate::domain::recipe::{ABRA_SH, ENV_SAMPLE, RecipeFiles};
use crate::domain::results::one_line;

/// Settings that are told.
const MOST: usize = 100;
/// Characters of a value.
const LONGEST: usize = 200;

/// The settings of a head.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Settings(BTreeMap<(Kind, String), Value>);

/// Where a setting stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Kind {
    /// A variable of `.env.sample`, or of the tests file over it.
    Env,
    /// An export of `abra.sh`: the version of a config, mostly.
    AbraSh,
}

#[derive(Debug, Clone, PartialEq, Eq)]
struct Value {
    text: String,
    hidden: bool,
}

/// A setting as it is shown.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Seen {
    /// It is not set.
    NotSet,
    /// It is set, and not shown.
    Hidden,
    /// Its value, on one line; untrusted.
    Value(String),
}

/// A setting that differs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingDifference {
    /// Its name.
    pub name: String,
    /// Where it stands.
    pub kind: Kind,
    /// What it is in each run.
    pub values: Pair<Seen>,
}

/// Which settings differ.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct SettingsDifference {
    /// Those that do, by name.
    pub differ: Vec<SettingDifference>,
    /// More of them that are not told.
    pub left_out: usize,
    /// How many are the same.
    pub same: usize,
}

impl Settings {
    /// What the files of a recipe say, with the variables of its tests file over it.
    #[must_use]
    pub fn of(files: &RecipeFiles, overrides: &BTreeMap<String, String>) -> Self {
        let text = |path: &str| files.text_or_empty(path).unwrap_or_default();
        let env = EnvFile::parse(text(ENV_SAMPLE)).expand(overrides);
        let variables = env.into_iter().map(|(name, text)| {
            let hidden = overrides.contains_key(&name) || is_secret(&name, &text);
            ((Kind::Env, name), Value { text, hidden })
        });
        let exports = AbraSh::parse(text(ABRA_SH)).values().into_iter().map(|(name, text)| {
            let hidden = is_secret(&name, &text);
            ((Kind::AbraSh, name), Value { text, hidden })
        });
        Self(variables.chain(exports).collect())
    }

    fn seen(&self, key: &(Kind, String)) -> Seen {
        match self.0.get(key) {
            None => Seen::NotSet,
            Some(value) if value.hidden => Seen::Hidden,
            Some(value) => Seen::Value(one_line(&value.text, LONGEST)),
        }
    }
}

/// Whether a value is better not shown: by the variable's name, or since it is an address with a password in it.
fn is_secret(name: &str, value: &str) -> bool {
    const WORDS: [&str; 12] = [
        "PASSWORD",
        "PASSWD",
        "PASS",
        "PWD",
        "SECRET",
        "TOKEN",
        "KEY",
        "KEYS",
        "CREDENTIAL",
        "CREDENTIALS",
        "PRIVATE",
        "DSN",
    ];
    // `SECRET_DB_PASSWORD_VERSION=v1` is no secret.
    let says_so = !name.ends_with("_VERSION") && name.to_ascii_uppercase().split('_').any(|word| WORDS.contains(&word));
    let has_password = value.split_once("://").is_some_and(|(_, rest)| {
        let host = rest.split(['/', '?', '#', ' ']).next().unwrap_or_default();
        host.contains('@')
    });
    says_so || has_password
}

/// Which settings of two runs differ.
pub(super) fn difference(settings: Pair<&Settings>) -> SettingsDifference {
    let names: BTreeSet<_> = settings.this.0.keys().chain(settings.other.0.keys()).collect();
    let all = names.len();
    let differ =
        names.into_iter().filter(|key| settings.this.0.get(key).map(text) != settings.other.0.get(key).map(text));
    let mut differ: Vec<_> = differ.collect();
    let (same, left_out) = (all - differ.len(), differ.len().saturating_sub(MOST));
    differ.truncate(MOST);
    let told = |key: &(Kind, String)| {
        let mut values = Pair { this: settings.this.seen(key), other: settings.other.seen(key) };
        // What is hidden in one run is not told by the other.
        if values.this == Seen::Hidden && values.other != Seen::NotSet {
            values.other = Seen::Hidden;
        } else if values.other == Seen::Hidden && values.this != Seen::NotSet {
            values.this = Seen::Hidden;
        }
        SettingDifference { name: key.1.chars().take(LONGEST).collect(), kind: key.0, values }
    };
    SettingsDifference { differ: differ.into_iter().map(told).collect(), left_out, same }
}

fn text(value: &Value) -> &str {
    &value.text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::recipe::fixtures::files;

    fn settings(env: &str, abra_sh: &str, overrides: &[(&str, &str)]) -> Settings {
        let overrides = overrides.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        Settings::of(&files(&[(ENV_SAMPLE, env), (ABRA_SH, abra_sh)]), &overrides)
    }

    fn told(this: &Settings, other: &Settings) -> Vec<(String, Seen, Seen)> {
        let found = difference(Pair { this, other });
        found.differ.into_iter().map(|it| (it.name, it.values.this, it.values.other)).collect()
    }

    fn value(text: &str) -> Seen {
        Seen::Value(text.to_owned())
    }

    #[test]
    fn variables_and_config_versions_that_differ_are_told() {
        let this = settings("A=1\nTITLE=\"$A new\"\nTWO=2\n", "export APP_CONF_VERSION=v2\n", &[]);
        let other = settings("A=1\nTITLE='old'\nGONE=\n", "export APP_CONF_VERSION=v1\n", &[]);
        let expected = [
            ("GONE", Seen::NotSet, value("")),
            ("TITLE", value("1 new"), value("old")),
            ("TWO", value("2"), Seen::NotSet),
            ("APP_CONF_VERSION", value("v2"), value("v1")),
        ];
        assert_eq!(told(&this, &other), expected.map(|(name, this, other)| (name.to_owned(), this, other)));
        assert_eq!(difference(Pair { this: &this, other: &other }).same, 1);
        assert_eq!(told(&this, &this), []);
    }

    #[test]
    fn no_secret_is_shown() {
        let this = settings(
            "SMTP_PASSWORD=hunter2\nAPI_TOKEN=abc\nDB=postgres://app:hunter2@db/x\nMODE=a\nSECRET_DB_PASSWORD_VERSION=v2\n",
            "",
            &[("MODE", "hunter2")],
        );
        let other = settings("SMTP_PASSWORD=hunter3\nDB=sqlite\nMODE=b\nSECRET_DB_PASSWORD_VERSION=v1\n", "", &[]);
        let found = told(&this, &other);
        assert!(!format!("{found:?}").contains("hunter"), "{found:?}");
        let names: Vec<_> = found.iter().map(|(name, ..)| name.as_str()).collect();
        assert_eq!(names, ["API_TOKEN", "DB", "MODE", "SECRET_DB_PASSWORD_VERSION", "SMTP_PASSWORD"]);
        assert_eq!(found[1], ("DB".into(), Seen::Hidden, Seen::Hidden));
        assert_eq!(found[3], ("SECRET_DB_PASSWORD_VERSION".into(), value("v2"), value("v1")));
    }

    #[test]
    fn a_flood_is_bounded() {
        let many: String = (0..1_000).map(|n| format!("V{n}={}\n", "x".repeat(1_000))).collect();
        let found = difference(Pair { this: &settings(&many, "", &[]), other: &Settings::default() });
        assert_eq!((found.differ.len(), found.left_out, found.same), (MOST, 1_000 - MOST, 0));
        assert!(format!("{found:?}").len() < MOST * (LONGEST + 200));
    }
}
