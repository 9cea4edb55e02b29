//! How a run is asked to be done: the flags behind `!testme`.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::nearest::nearest;
use super::words::Flag;
use super::{Wrong, said};
use crate::domain::stage::Stage;

/// The flags of one `!testme`. Two requests are the same when commit and options are equal; the order in which flags and
/// stages were written does not matter.
#[derive(Debug, Clone, Default, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Options {
    /// `--extra`: the heavy checks too.
    #[serde(default, skip_serializing_if = "is_false")]
    pub extra: bool,
    /// `--only`: these stages only; empty: all.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<Stage>,
    /// `--base`: upgrade from this version.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<BaseVersion>,
    /// `--keep`: leave the app up for so long.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep: Option<Keep>,
    /// `--with-tests`: use the test files of the pull request.
    #[serde(default, skip_serializing_if = "is_false")]
    pub with_tests: bool,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "serde passes a reference")]
const fn is_false(flag: &bool) -> bool {
    !*flag
}

/// The version named with `--base`: 1 to 64 characters of letters, digits and `.+-_`. Whether it exists is not known here.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct BaseVersion(String);

impl BaseVersion {
    /// Parses what stands behind `--base`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b".+-_".contains(&byte);
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_alphanumeric());
        (begins && text.len() <= 64 && text.bytes().all(allowed)).then(|| Self(text.to_owned()))
    }

    /// As it was written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }
}

impl TryFrom<String> for BaseVersion {
    type Error = &'static str;

    fn try_from(text: String) -> Result<Self, Self::Error> {
        Self::parse(&text).ok_or("1 to 64 characters of letters, digits and `.+-_` are needed")
    }
}

impl From<BaseVersion> for String {
    fn from(version: BaseVersion) -> Self {
        version.0
    }
}

/// How long an app stays up for a person: from a minute to two hours, in whole seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(try_from = "u64", into = "u64")]
pub struct Keep(u64);

impl Keep {
    /// The shortest and the longest that can be asked for on a pull request, in seconds.
    pub const LIMITS: std::ops::RangeInclusive<u64> = 60..=7200;

    /// Parses `30m`, `90s`, `1h` or `1h30m`.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let mut seconds = 0_u64;
        let mut rest = text;
        for (unit, factor) in [('h', 3600), ('m', 60), ('s', 1)] {
            if let Some((number, after)) = rest.split_once(unit) {
                let digits = (1..=5).contains(&number.len()) && number.bytes().all(|byte| byte.is_ascii_digit());
                seconds += digits.then(|| number.parse::<u64>().ok())??.checked_mul(factor)?;
                rest = after;
            }
        }
        if rest.is_empty() { Self::try_from(seconds).ok() } else { None }
    }

    /// In seconds.
    #[must_use]
    pub const fn seconds(self) -> u64 {
        self.0
    }
}

impl TryFrom<u64> for Keep {
    type Error = &'static str;

    fn try_from(seconds: u64) -> Result<Self, Self::Error> {
        if Self::LIMITS.contains(&seconds) {
            Ok(Self(seconds))
        } else {
            Err("from one minute to two hours is possible")
        }
    }
}

impl From<Keep> for u64 {
    fn from(keep: Keep) -> Self {
        keep.0
    }
}

impl fmt::Display for Keep {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let parts = [(self.0 / 3600, 'h'), (self.0 % 3600 / 60, 'm'), (self.0 % 60, 's')];
        parts.iter().filter(|(number, _)| *number > 0).try_for_each(|(number, unit)| write!(f, "{number}{unit}"))
    }
}

/// The stages that `--only` takes: not those that every run has anyway or that another flag asks for.
pub fn askable_stages() -> impl Iterator<Item = Stage> {
    [Stage::Lint, Stage::Upgrade, Stage::Backup, Stage::Install, Stage::Checks].into_iter()
}

/// Reads the flags.
pub(super) fn read<'a>(mut words: impl Iterator<Item = &'a str>) -> Result<Options, Wrong> {
    let mut options = Options::default();
    let mut given = BTreeSet::new();
    while let Some(word) = words.next() {
        let (name, attached) = word.split_once('=').map_or((word, None), |(name, value)| (name, Some(value)));
        let Some(flag) = Flag::named(name) else { return Err(unknown(name)) };
        if !given.insert(flag) {
            return Err(Wrong::Twice(flag));
        }
        let value = if flag.value().is_some() { attached.or_else(|| words.next()) } else { attached };
        set(&mut options, flag, value.filter(|value| !value.is_empty()))?;
    }
    Ok(options)
}

fn unknown(word: &str) -> Wrong {
    match super::Word::named(word) {
        Some(word) => Wrong::StandsAlone(word),
        None => Wrong::Unknown { given: said(word), nearest: nearest(word) },
    }
}

fn set(options: &mut Options, flag: Flag, value: Option<&str>) -> Result<(), Wrong> {
    let bad = |given: &str, choices| Wrong::BadValue { flag, given: said(given), choices };
    // A flag behind a flag is not its value.
    let needed = || value.filter(|value| !value.starts_with("--")).ok_or(Wrong::NoValue(flag));
    match flag {
        Flag::Extra | Flag::WithTests if value.is_some() => return Err(bad("", Vec::new())),
        Flag::Extra => options.extra = true,
        Flag::WithTests => options.with_tests = true,
        Flag::Only => {
            let choices = || askable_stages().map(|stage| stage.name().to_owned()).collect();
            for name in needed()?.split(',').filter(|name| !name.is_empty()) {
                let stage = askable_stages().find(|stage| stage.name() == name);
                options.only.insert(stage.ok_or_else(|| bad(name, choices()))?);
            }
            if options.only.is_empty() {
                return Err(Wrong::NoValue(flag));
            }
        }
        Flag::Base => {
            let version = needed()?;
            options.base = Some(BaseVersion::parse(version).ok_or_else(|| bad(version, Vec::new()))?);
        }
        Flag::Keep => {
            let time = needed()?;
            options.keep = Some(Keep::parse(time).ok_or_else(|| bad(time, Vec::new()))?);
        }
    }
    Ok(())
}

impl fmt::Display for Options {
    /// As they are written in a comment; empty when all is as usual. Reading that gives the same options.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { extra, only, base, keep, with_tests } = self;
        let stages: Vec<_> = only.iter().map(|stage| stage.name()).collect();
        let valued = |flag: Flag, value: String| format!("{} {value}", flag.name());
        let words = [
            extra.then(|| Flag::Extra.name().to_owned()),
            (!only.is_empty()).then(|| valued(Flag::Only, stages.join(","))),
            base.as_ref().map(|base| valued(Flag::Base, base.0.clone())),
            keep.map(|keep| valued(Flag::Keep, keep.to_string())),
            with_tests.then(|| Flag::WithTests.name().to_owned()),
        ];
        f.write_str(&words.into_iter().flatten().collect::<Vec<_>>().join(" "))
    }
}
