//! Which recipes the gate watches: `recipes.toml` of the tests repository, or a list in the configuration.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::ids::RecipeName;

/// No such file is larger, in bytes.
pub const LARGEST: usize = 256 << 10;

/// A recipe's name, in which `*` stands for any characters.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(try_from = "String")]
pub struct Pattern(String);

impl Pattern {
    /// Reads a name or pattern.
    ///
    /// # Errors
    /// When it is neither.
    pub fn parse(text: &str) -> Result<Self, String> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-_.*".contains(&byte);
        if (1..=100).contains(&text.len()) && text.bytes().all(allowed) {
            Ok(Self(text.to_owned()))
        } else {
            Err(format!(
                "`{}` is no recipe's name; `*` stands for any characters",
                text.chars().take(80).collect::<String>()
            ))
        }
    }

    fn matches(&self, name: &str) -> bool {
        let mut parts = self.0.split('*');
        let first = parts.next().unwrap_or_default();
        let Some(mut rest) = name.strip_prefix(first) else { return false };
        let mut parts: Vec<&str> = parts.collect();
        let Some(last) = parts.pop() else { return rest.is_empty() };
        for part in parts {
            let Some((_, after)) = rest.split_once(part) else { return false };
            rest = after;
        }
        rest.ends_with(last)
    }
}

impl TryFrom<String> for Pattern {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        Self::parse(&text)
    }
}

/// What is said of a recipe beside its name.
#[derive(Debug, Clone, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
struct About {
    /// Capacity units.
    #[serde(default = "one")]
    weight: u32,
    /// Whether sweeps run it.
    #[serde(default = "yes")]
    sweep: bool,
}

const fn one() -> u32 {
    1
}

const fn yes() -> bool {
    true
}

/// Which recipes are watched.
#[derive(Debug, Clone, Default, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Enrolment {
    /// Names and patterns; empty: all.
    #[serde(default)]
    enrolled: Vec<Pattern>,
    #[serde(default)]
    recipe: BTreeMap<RecipeName, About>,
}

impl Enrolment {
    /// These names and patterns; none: every recipe of the organisation.
    #[must_use]
    pub fn of(patterns: Vec<Pattern>) -> Self {
        Self { enrolled: patterns, recipe: BTreeMap::new() }
    }

    /// Reads `recipes.toml`.
    ///
    /// # Errors
    /// What is wrong with it, with its line.
    pub fn read(text: &str) -> Result<Self, String> {
        if text.len() > LARGEST {
            return Err(format!("it is larger than {LARGEST} bytes"));
        }
        let read: Self = toml::from_str(text).map_err(|error| error.to_string())?;
        if read.enrolled.is_empty() {
            return Err("it enrols nothing\nhint: enrolled = [\"notes\", \"immich*\"]".to_owned());
        }
        match read.recipe.iter().find(|(_, about)| about.weight == 0) {
            Some((name, _)) => Err(format!("[recipe.{name}] weight is at least 1")),
            None => Ok(read),
        }
    }

    /// Whether a recipe is watched.
    #[must_use]
    pub fn holds(&self, name: &str) -> bool {
        RecipeName::parse(name).is_ok()
            && (self.enrolled.is_empty() || self.enrolled.iter().any(|pattern| pattern.matches(name)))
    }

    /// Its capacity units.
    #[must_use]
    pub fn weight(&self, name: &RecipeName) -> u32 {
        self.recipe.get(name).map_or(1, |about| about.weight)
    }

    /// Whether sweeps run it.
    #[must_use]
    pub fn sweeps(&self, name: &RecipeName) -> bool {
        self.recipe.get(name).is_none_or(|about| about.sweep)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns_enrol() {
        let of = |patterns: &[&str]| Enrolment::of(patterns.iter().map(|it| Pattern::parse(it).unwrap()).collect());
        assert!(of(&[]).holds("anything") && !of(&[]).holds("../up"));
        assert!(of(&["notes"]).holds("notes") && !of(&["notes"]).holds("notes2") && !of(&["notes"]).holds("my-notes"));
        for (pattern, yes, no) in
            [("im*", "immich", "limb"), ("*-app", "my-app", "my-apps"), ("a*b*c", "a1b2c", "a1c2b"), ("*", "x", "")]
        {
            assert!(of(&[pattern]).holds(yes), "{pattern}");
            assert!(!of(&[pattern]).holds(no), "{pattern}");
        }
        for bad in ["", "a b", "$(x)", "a/b"] {
            assert!(Pattern::parse(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn recipes_toml_says_weights_and_what_is_wrong_with_it() {
        let read = Enrolment::read("enrolled = [\"notes\", \"immich\"]\n[recipe.immich]\nweight = 3\nsweep = false\n")
            .unwrap();
        let name = |name| RecipeName::parse(name).unwrap();
        assert_eq!((read.weight(&name("immich")), read.weight(&name("notes"))), (3, 1));
        assert!(!read.sweeps(&name("immich")) && read.sweeps(&name("notes")));
        for (text, wrong) in [
            ("enrolled = []", "enrols nothing"),
            ("enrolled = [\"a b\"]", "line 1"),
            ("enroled = [\"a\"]", "enroled"),
            ("enrolled = [\"a\"]\n[recipe.a]\nweight = 0", "at least 1"),
        ] {
            let error = Enrolment::read(text).unwrap_err();
            assert!(error.contains(wrong), "{error}");
        }
    }
}
