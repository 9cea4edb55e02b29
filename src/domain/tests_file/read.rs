//! From TOML to [`TestsFile`]: serde for the shape, then each value for what it means.

use std::collections::BTreeMap;
use std::time::Duration;

use secrecy::SecretString;
use serde::Deserialize;
use toml::{Spanned, Value};

use super::{LARGEST, Ready, TestsError, TestsFile};
use crate::domain::mask::SHORTEST;
use crate::domain::recipe::interpolate::is_name;

/// A probe waits so long unless it says otherwise.
const TIMEOUT: Duration = Duration::from_mins(2);
/// The longest `timeout` and `settle`.
const LONGEST: Duration = Duration::from_hours(1);
const MOST_PROBES: usize = 32;
const MOST_VARIABLES: usize = 200;
const MOST_SECRETS: usize = 100;
/// The longest value, reason, path or text, in bytes.
const LONGEST_TEXT: usize = 4096;
/// What cc-ci sets itself, whatever anybody says.
const OURS: [&str; 2] = ["DOMAIN", "STACK_NAME"];

/// The shape. Kinds of later versions are named, so that they are not called unknown.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Shape {
    host_power: Option<Spanned<String>>,
    settle: Option<Spanned<String>>,
    #[serde(default)]
    env: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    secrets: BTreeMap<String, Spanned<Value>>,
    #[serde(default)]
    ready: Vec<Probe>,
    weight: Option<Spanned<Value>>,
    not_applicable: Option<Spanned<Value>>,
    seed: Option<Spanned<Value>>,
    check: Option<Spanned<Value>>,
    extra: Option<Spanned<Value>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Probe {
    http: Spanned<Http>,
    timeout: Option<Spanned<String>>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Http {
    path: String,
    #[serde(default = "ok")]
    status: u16,
    subdomain: Option<String>,
    title: Option<String>,
    body_contains: Option<String>,
}

const fn ok() -> u16 {
    200
}

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
    later(&shape)?;
    let Shape { host_power, settle, env, secrets, ready, .. } = shape;
    if ready.len() > MOST_PROBES {
        let what = format!("there are {} `[[ready]]`", ready.len());
        return Err(Wrong { at: None, what, advice: "At most 32 are asked; one per service that answers is enough." });
    }
    Ok(TestsFile {
        host_power: host_power.as_ref().map(reason).transpose()?,
        settle: settle.map(|settle| time(&settle)).transpose()?,
        env: variables(env)?,
        secrets: dummies(secrets)?,
        ready: ready.iter().map(probe).collect::<Result<_, _>>()?,
        ..TestsFile::default()
    })
}

/// serde quotes a value that has the wrong type, and it may be meant as a secret.
fn unquoted(message: &str) -> String {
    let line = message.lines().next().unwrap_or_default();
    let Some(("invalid type", rest)) = line.split_once(": ") else { return line.chars().take(400).collect() };
    let expected = rest.rsplit_once("expected ").map_or("something else", |(_, expected)| expected);
    format!("this value has the wrong type, expected {expected}")
}

fn later(shape: &Shape) -> Result<(), Wrong> {
    let kinds = [
        ("weight", &shape.weight),
        ("not_applicable", &shape.not_applicable),
        ("[[seed]]", &shape.seed),
        ("[[check]]", &shape.check),
        ("[[extra]]", &shape.extra),
    ];
    match kinds.into_iter().find_map(|(name, found)| found.as_ref().map(|found| (name, found))) {
        None => Ok(()),
        Some((name, found)) => {
            let advice = "Take it out until cc-ci can do it: nothing is left out silently.";
            Err(wrong(found, format!("`{name}` is not in this version"), advice))
        }
    }
}

fn reason(text: &Spanned<String>) -> Result<String, Wrong> {
    let plain = crate::domain::results::one_line(text.get_ref(), 200);
    if plain.is_empty() {
        return Err(wrong(
            text,
            "`host_power` gives no reason",
            "Say why the recipe must rule its host: people read it.",
        ));
    }
    Ok(plain)
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

fn variables(found: BTreeMap<String, Spanned<Value>>) -> Result<BTreeMap<String, String>, Wrong> {
    bounded(found.len(), MOST_VARIABLES, "[env]")?;
    let variable = |(name, value): (String, Spanned<Value>)| {
        if !is_name(&name) {
            return Err(wrong(
                &value,
                "this is not the name of a variable",
                "Letters, digits and `_`, no digit first.",
            ));
        }
        if OURS.contains(&name.as_str()) {
            return Err(wrong(&value, format!("`{name}` is set by cc-ci"), "Take it out; compose files may use it."));
        }
        let text = match value.get_ref() {
            Value::String(text) => text.clone(),
            Value::Integer(number) => number.to_string(),
            Value::Boolean(flag) => flag.to_string(),
            Value::Float(_) | Value::Datetime(_) | Value::Array(_) | Value::Table(_) => {
                return Err(wrong(&value, format!("`{name}` is no text"), "Write the value between quotes."));
            }
        };
        if text.len() > LONGEST_TEXT || text.contains('\0') {
            return Err(wrong(&value, format!("`{name}` is too long"), "At most 4096 bytes are possible."));
        }
        Ok((name, text))
    };
    found.into_iter().map(variable).collect()
}

fn dummies(found: BTreeMap<String, Spanned<Value>>) -> Result<BTreeMap<String, SecretString>, Wrong> {
    bounded(found.len(), MOST_SECRETS, "[secrets]")?;
    let dummy = |(name, value): (String, Spanned<Value>)| {
        let shown = crate::domain::results::one_line(&name, 60);
        match value.get_ref() {
            Value::String(text) if text.len() < SHORTEST => {
                let what = format!("the secret `{shown}` is shorter than {SHORTEST} bytes");
                Err(wrong(&value, what, "Make it longer: one so short could not be hidden in logs."))
            }
            Value::String(text) if text.len() > LONGEST_TEXT => {
                Err(wrong(&value, format!("the secret `{shown}` is too long"), "At most 4096 bytes are possible."))
            }
            Value::String(text) => Ok((name, SecretString::from(text.clone()))),
            Value::Integer(_)
            | Value::Float(_)
            | Value::Boolean(_)
            | Value::Datetime(_)
            | Value::Array(_)
            | Value::Table(_) => {
                let what = format!("the secret `{shown}` is no text");
                Err(wrong(&value, what, "Write a made-up value between quotes."))
            }
        }
    };
    found.into_iter().map(dummy).collect()
}

fn bounded(count: usize, most: usize, section: &str) -> Result<(), Wrong> {
    if count <= most {
        return Ok(());
    }
    let what = format!("`{section}` has {count} entries, {most} are possible");
    Err(Wrong { at: None, what, advice: "Name only what a test deploy needs." })
}

fn probe(found: &Probe) -> Result<Ready, Wrong> {
    let timeout = found.timeout.as_ref().map_or(Ok(TIMEOUT), time)?;
    let Http { path, status, subdomain, title, body_contains } = found.http.get_ref();
    let refuse = |what: String, advice| Err(wrong(&found.http, what, advice));
    // A path, not another host: `//host` would be one.
    let plain = |c: char| c.is_ascii_graphic() && c != '\\' && c != '#';
    if !path.starts_with('/') || path.starts_with("//") || path.len() > 500 || !path.chars().all(plain) {
        return refuse("`path` is not the path of a page".to_owned(), "Write it from `/` on, e.g. `/healthz`.");
    }
    if !(200..=499).contains(status) {
        let what = format!("`status` is {status}");
        return refuse(what, "An app that is ready answers with 200 to 499.");
    }
    let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    if subdomain.as_ref().is_some_and(|name| name.is_empty() || name.len() > 63 || !name.chars().all(is_label)) {
        let what = "`subdomain` is not the beginning of a host name".to_owned();
        return refuse(what, "Write what stands in front of the app's domain: `admin` for `admin.DOMAIN`.");
    }
    let texts = [title, body_contains];
    if texts.into_iter().flatten().any(|text| text.is_empty() || text.len() > LONGEST_TEXT) {
        let what = "`title` or `body_contains` is empty or too long".to_owned();
        return refuse(what, "Write a text that only the right page holds.");
    }
    Ok(Ready {
        subdomain: subdomain.clone(),
        path: path.clone(),
        status: *status,
        title: title.clone(),
        body_contains: body_contains.clone(),
        timeout,
    })
}
