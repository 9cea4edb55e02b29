//! From TOML to [`TestsFile`]: serde for the shape, then each value for what it means.

mod checks;
mod pages;
mod shape;
mod tables;

use std::collections::BTreeMap;
use std::time::Duration;

use toml::Spanned;

use self::shape::{NotApplicableTable, Shape};
use super::{LARGEST, TestsError, TestsFile};
use crate::domain::results::one_line;
use crate::domain::stage::Rung;

pub(super) use self::checks::is_service;
pub(super) use self::pages::is_subdomain;

/// The longest `timeout` and `settle`.
const LONGEST: Duration = Duration::from_hours(1);
const MOST_PROBES: usize = 32;
/// The longest value, path, argument or text, in bytes.
const LONGEST_TEXT: usize = 4096;
/// The longest reason, in characters.
const LONGEST_REASON: usize = 200;

/// What is wrong at which byte, and what to write.
struct Wrong {
    at: Option<usize>,
    what: String,
    advice: &'static str,
}

fn wrong<T>(spanned: &Spanned<T>, what: impl Into<String>, advice: &'static str) -> Wrong {
    Wrong { at: Some(spanned.span().start), what: what.into(), advice }
}

pub(super) fn read(text: &str) -> Result<TestsFile, TestsError> {
    let line = |at: usize| text.get(..at).map(|before| before.matches('\n').count() + 1);
    values(text).map_err(|wrong| TestsError {
        line: wrong.at.and_then(line),
        what: wrong.what,
        advice: wrong.advice.to_owned(),
    })
}

fn values(text: &str) -> Result<TestsFile, Wrong> {
    if text.len() > LARGEST {
        let what = format!("it has {} bytes", text.len());
        return Err(Wrong { at: None, what, advice: "At most 64 KiB are read; keep data in files of their own." });
    }
    let shape: Shape = toml::from_str(text).map_err(|error| Wrong {
        at: error.span().map(|span| span.start),
        what: unquoted(error.message()),
        advice: "Mend the line; `docs/recipe-maintainers.md` lists what can be written.",
    })?;
    let Shape { host_power, settle, weight, not_applicable, env, secrets, ready, seed, check, extra } = shape;
    bounded(ready.len(), MOST_PROBES, "[[ready]]", "One per service that answers is enough.")?;
    let (checks, extras) = checks::checks(&check, &extra)?;
    Ok(TestsFile {
        host_power: host_power.as_ref().map(reason_for_power).transpose()?,
        settle: settle.map(|settle| time(&settle)).transpose()?,
        env: tables::variables(env)?,
        secrets: tables::dummies(secrets)?,
        ready: ready.iter().map(pages::probe).collect::<Result<_, _>>()?,
        weight: weight.map(|weight| units(&weight)).transpose()?,
        not_applicable: reasons(&not_applicable)?,
        seeds: checks::seeds(&seed)?,
        checks,
        extras,
    })
}

/// serde quotes a value that has the wrong type, and it may be meant as a secret.
fn unquoted(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let Some(("invalid type", rest)) = line.split_once(": ") else { return line.chars().take(400).collect() };
    let expected = rest.rsplit_once("expected ").map_or("something else", |(_, expected)| in_words(expected));
    format!("this value has the wrong type, expected {expected}")
}

/// serde speaks of Rust's types.
fn in_words(expected: &str) -> &str {
    match expected {
        "i64" => "a whole number",
        "a sequence" => "a list",
        "a map" => "a table",
        rust if rust.starts_with("struct ") => "a table",
        plain => plain,
    }
}

fn reason_for_power(text: &Spanned<String>) -> Result<String, Wrong> {
    let plain = one_line(text.get_ref(), LONGEST_REASON);
    if plain.is_empty() {
        return Err(wrong(
            text,
            "`host_power` gives no reason",
            "Say why the recipe must rule its host: people read it.",
        ));
    }
    Ok(plain)
}

fn reasons(found: &NotApplicableTable) -> Result<BTreeMap<Rung, String>, Wrong> {
    let NotApplicableTable { upgrade, backup, checks } = found;
    let rungs = [(Rung::Upgrade, upgrade), (Rung::Backup, backup), (Rung::Checks, checks)];
    let reason = |(rung, text): (Rung, &Spanned<String>)| {
        let plain = one_line(text.get_ref(), usize::MAX);
        let length = plain.chars().count();
        if length == 0 {
            let what = format!("`{}` is not applicable without a reason", rung.name());
            return Err(wrong(text, what, "Say why there is nothing to show: people read it."));
        }
        if length > LONGEST_REASON {
            let what = format!("the reason has {length} characters, {LONGEST_REASON} are possible");
            return Err(wrong(text, what, "Say it in one sentence."));
        }
        Ok((rung, plain))
    };
    rungs.into_iter().filter_map(|(rung, text)| Some((rung, text.as_ref()?))).map(reason).collect()
}

fn units(found: &Spanned<i64>) -> Result<u32, Wrong> {
    let units = u32::try_from(*found.get_ref()).ok().filter(|units| (1..=100).contains(units));
    units.ok_or_else(|| {
        let what = format!("`weight` is {}", found.get_ref());
        wrong(found, what, "Write 1 to 100: how much of a target's capacity a run takes.")
    })
}

/// A text that is looked for; empty, it would be everywhere.
fn text(key: &str, found: Option<&Spanned<String>>, advice: &'static str) -> Result<Option<String>, Wrong> {
    match found {
        Some(text) if text.get_ref().is_empty() || text.get_ref().len() > LONGEST_TEXT => {
            Err(wrong(text, format!("`{key}` is empty or too long"), advice))
        }
        found => Ok(found.map(|text| text.get_ref().clone())),
    }
}

fn time_or(found: Option<&Spanned<String>>, usual: Duration) -> Result<Duration, Wrong> {
    found.map_or(Ok(usual), time)
}

/// `90s`, `3m`.
fn time(text: &Spanned<String>) -> Result<Duration, Wrong> {
    let (number, factor) = match text.get_ref().split_at_checked(text.get_ref().len().saturating_sub(1)) {
        Some((number, "s")) => (number, 1),
        Some((number, "m")) => (number, 60),
        Some(_) | None => ("", 0),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor)).map(Duration::from_secs);
    seconds.filter(|time| (Duration::from_secs(1)..=LONGEST).contains(time)).ok_or_else(|| {
        let what = format!("`{}` is no length of time", text.get_ref().chars().take(40).collect::<String>());
        wrong(text, what, "Write seconds or minutes, `90s` or `3m`, up to an hour.")
    })
}

fn bounded(count: usize, most: usize, what: &str, advice: &'static str) -> Result<(), Wrong> {
    if count <= most {
        return Ok(());
    }
    Err(Wrong { at: None, what: format!("`{what}` has {count} entries, {most} are possible"), advice })
}
