//! Reads settings one by one, and keeps what is wrong with them and what they came out as.

use std::fmt;
use std::fs;
use std::io::Read as _;

use secrecy::SecretString;

use super::keys::{KEYS, Key, Kind};
use super::layers::{Given, Layers};

/// No secret is longer; what is longer is some other file.
const LONGEST_SECRET: u64 = 64 << 10;

/// What is wrong with one setting.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Problem {
    /// The setting's name.
    pub key: String,
    /// What is wrong with it.
    pub what: String,
    /// What to write instead.
    pub write: String,
}

impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}; write {}", self.key, self.what, self.write)
    }
}

/// A setting as it holds, to be shown.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Effective {
    /// The setting.
    pub key: Key,
    /// Its value; of a secret only the length.
    pub value: String,
    /// Where it comes from.
    pub from: String,
}

/// Why a text is no value of a setting: what it is, and what to write.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Wrong {
    pub(super) what: String,
    pub(super) write: String,
}

pub(super) fn wrong(what: impl Into<String>, write: impl Into<String>) -> Wrong {
    Wrong { what: what.into(), write: write.into() }
}

/// Reads settings from their places.
pub(super) struct Reader<'a> {
    layers: &'a Layers,
    pub(super) problems: Vec<Problem>,
}

impl<'a> Reader<'a> {
    pub(super) const fn new(layers: &'a Layers) -> Self {
        Self { layers, problems: Vec::new() }
    }

    /// The value, if it is set and right.
    pub(super) fn optional<T>(&mut self, key: Key, parse: impl FnOnce(&str) -> Result<T, Wrong>) -> Option<T> {
        let given = self.given(key)?;
        match parse(&given.value) {
            Ok(value) => Some(value),
            Err(wrong) => {
                self.note(key.name, wrong.what, wrong.write);
                None
            }
        }
    }

    /// The value, or the one that its default says; only for keys whose default is a value.
    pub(super) fn or_default<T>(&mut self, key: Key, parse: impl Fn(&str) -> Result<T, Wrong>) -> Option<T> {
        if self.is_set(key) { self.optional(key, parse) } else { parse(key.default).ok() }
    }

    /// The value; that it is missing is a problem.
    pub(super) fn needed<T>(
        &mut self,
        key: Key,
        write: &str,
        parse: impl FnOnce(&str) -> Result<T, Wrong>,
    ) -> Option<T> {
        if !self.is_set(key) {
            self.note(key.name, "is not set", write);
            return None;
        }
        self.optional(key, parse)
    }

    /// Whether it is set, be it by its file.
    pub(super) fn is_set(&self, key: Key) -> bool {
        self.layers.get(key.name).is_some() || self.file_of(key).is_some()
    }

    pub(super) fn note(&mut self, key: &str, what: impl Into<String>, write: impl Into<String>) {
        self.problems.push(Problem { key: key.to_owned(), what: what.into(), write: write.into() });
    }

    fn file_of(&self, key: Key) -> Option<(String, Given)> {
        let name = key.file_name()?;
        self.layers.get(&name).map(|given| (name, given))
    }

    fn given(&mut self, key: Key) -> Option<Given> {
        let Some((name, file)) = self.file_of(key) else { return self.layers.get(key.name) };
        if self.layers.get(key.name).is_some() {
            self.note(&name, format!("is set, and so is {}", key.name), "only one of the two");
            return None;
        }
        match read_secret(&file.value) {
            Ok(value) => Some(Given { value, from: format!("{} ({})", file.value, file.from) }),
            Err(what) => {
                self.note(&name, what, "the path of a file that holds the value and nothing else");
                None
            }
        }
    }

    /// Every setting as it holds; what is wrong is told among the problems.
    pub(super) fn effective(layers: &'a Layers) -> Vec<Effective> {
        // The problems have been noted by who read the settings.
        let mut reader = Self::new(layers);
        KEYS.iter().map(|key| reader.told(*key)).collect()
    }

    fn told(&mut self, key: Key) -> Effective {
        let is_set = self.is_set(key);
        let (value, from) = match (self.given(key), key.kind) {
            (Some(given), Kind::Plain) => (one_line(&given.value), given.from),
            (Some(given), Kind::Secret) => (format!("set, {} characters", given.value.chars().count()), given.from),
            (None, _) if is_set => ("unusable".to_owned(), String::new()),
            (None, _) if key.default.is_empty() => ("not set".to_owned(), String::new()),
            (None, _) => (key.default.to_owned(), "default".to_owned()),
        };
        Effective { key, value, from }
    }
}

/// A secret's file, without white space around.
fn read_secret(path: &str) -> Result<String, String> {
    let mut text = String::new();
    let file = fs::File::open(path).map_err(|error| format!("names {path}, which cannot be read: {error}"))?;
    let read = file.take(LONGEST_SECRET + 1).read_to_string(&mut text);
    read.map_err(|error| format!("names {path}, which cannot be read: {error}"))?;
    if text.len() as u64 > LONGEST_SECRET {
        return Err(format!("names {path}, which is larger than {LONGEST_SECRET} bytes"));
    }
    match text.trim() {
        "" => Err(format!("names {path}, which is empty")),
        text => Ok(text.to_owned()),
    }
}

fn one_line(text: &str) -> String {
    text.split_whitespace().collect::<Vec<_>>().join(" ")
}

/// A secret of one word.
pub(super) fn secret(text: &str) -> Result<SecretString, Wrong> {
    if text.contains(char::is_whitespace) {
        return Err(wrong("has white space in it", "the secret and nothing else"));
    }
    Ok(SecretString::from(text.to_owned()))
}

/// Secrets, one per line.
pub(super) fn secrets(text: &str) -> Result<Vec<SecretString>, Wrong> {
    text.lines().map(str::trim).filter(|line| !line.is_empty()).map(secret).collect()
}
