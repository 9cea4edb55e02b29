//! Pages: what `[[ready]]` waits for, and what `http` of a check asks for.

use std::collections::BTreeMap;
use std::ops::RangeInclusive;
use std::time::Duration;

use toml::{Spanned, Value};

use super::super::{HttpCheck, Ready};
use super::shape::{HttpTable, ProbeHttpTable, ProbeTable};
use super::{LONGEST_TEXT, Wrong, bounded, text, time_or, wrong};
use crate::domain::results::one_line;

/// A probe waits so long unless it says otherwise.
const TIMEOUT: Duration = Duration::from_mins(2);
const MOST_HEADERS: usize = 32;
const MOST_VALUES: usize = 32;
const RIGHT_TEXT: &str = "Write a text that only the right page holds.";

pub(super) fn probe(found: &ProbeTable) -> Result<Ready, Wrong> {
    let ProbeHttpTable { path: page, status: wanted, subdomain: name, title, body_contains } = &found.http;
    Ok(Ready {
        path: path(page)?,
        status: status(wanted.as_ref(), 200..=499, "An app that is ready answers with 200 to 499.")?,
        subdomain: subdomain(name.as_ref())?,
        title: text("title", title.as_ref(), RIGHT_TEXT)?,
        body_contains: text("body_contains", body_contains.as_ref(), RIGHT_TEXT)?,
        timeout: time_or(found.timeout.as_ref(), TIMEOUT)?,
    })
}

pub(super) fn page(found: &HttpTable) -> Result<HttpCheck, Wrong> {
    Ok(HttpCheck {
        subdomain: subdomain(found.subdomain.as_ref())?,
        path: path(&found.path)?,
        status: status(found.status.as_ref(), 200..=599, "Write the status of the right page, 200 to 599.")?,
        title: text("title", found.title.as_ref(), RIGHT_TEXT)?,
        body_contains: text("body_contains", found.body_contains.as_ref(), RIGHT_TEXT)?,
        headers: headers(&found.headers)?,
        json: json(&found.json)?,
        assets: found.assets,
    })
}

/// A path, not another host: `//host` would be one.
fn path(found: &Spanned<String>) -> Result<String, Wrong> {
    let path = found.get_ref();
    let plain = |c: char| c.is_ascii_graphic() && c != '\\' && c != '#';
    if !path.starts_with('/') || path.starts_with("//") || path.len() > 500 || !path.chars().all(plain) {
        return Err(wrong(found, "`path` is not the path of a page", "Write it from `/` on, e.g. `/healthz`."));
    }
    Ok(path.clone())
}

fn status(found: Option<&Spanned<i64>>, possible: RangeInclusive<u16>, advice: &'static str) -> Result<u16, Wrong> {
    let Some(found) = found else { return Ok(200) };
    let status = u16::try_from(*found.get_ref()).ok().filter(|status| possible.contains(status));
    status.ok_or_else(|| wrong(found, format!("`status` is {}", found.get_ref()), advice))
}

/// Whether this may stand in front of the app's domain.
pub(in crate::domain::tests_file) fn is_subdomain(name: &str) -> bool {
    let is_label = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || matches!(c, '-' | '.');
    !name.is_empty() && name.len() <= 63 && name.chars().all(is_label)
}

fn subdomain(found: Option<&Spanned<String>>) -> Result<Option<String>, Wrong> {
    match found {
        Some(name) if !is_subdomain(name.get_ref()) => {
            let advice = "Write what stands in front of the app's domain: `admin` for `admin.DOMAIN`.";
            Err(wrong(name, "`subdomain` is not the beginning of a host name", advice))
        }
        found => Ok(found.map(|name| name.get_ref().clone())),
    }
}

fn headers(found: &BTreeMap<String, Spanned<String>>) -> Result<BTreeMap<String, String>, Wrong> {
    bounded(found.len(), MOST_HEADERS, "headers", "Name those that tell the right answer.")?;
    let mut headers = BTreeMap::new();
    for (name, value) in found {
        let shown = one_line(name, 60);
        // RFC 9110, 5.6.2: a token.
        let is_token = |c: char| c.is_ascii_alphanumeric() || "!#$%&'*+-.^_`|~".contains(c);
        if name.is_empty() || name.len() > 100 || !name.chars().all(is_token) {
            let what = format!("`{shown}` is not the name of a header");
            return Err(wrong(value, what, "Write it as in `content-type`."));
        }
        let text = value.get_ref();
        if text.len() > LONGEST_TEXT || text.trim() != text || text.chars().any(char::is_control) {
            let what = format!("no answer has this value of the header `{shown}`");
            return Err(wrong(value, what, "One line of at most 4096 bytes, without spaces at its ends."));
        }
        if headers.insert(name.to_ascii_lowercase(), text.clone()).is_some() {
            let what = format!("the header `{shown}` is there twice");
            return Err(wrong(value, what, "Keep one: upper and lower case are the same."));
        }
    }
    Ok(headers)
}

fn json(found: &BTreeMap<String, Spanned<Value>>) -> Result<BTreeMap<String, serde_json::Value>, Wrong> {
    bounded(found.len(), MOST_VALUES, "json", "Name those that tell the right answer.")?;
    let value = |(pointer, value): (&String, &Spanned<Value>)| {
        let shown = one_line(pointer, 60);
        if !is_pointer(pointer) {
            let what = format!("`{shown}` is not a JSON pointer");
            return Err(wrong(value, what, "Write the way to the value, as in `\"/status/ok\"` (RFC 6901)."));
        }
        let json = scalar(value.get_ref()).ok_or_else(|| {
            let advice = "Write a text, a number, or true or false; for more, name each part by its own pointer.";
            wrong(value, format!("the value of `{shown}` cannot be compared"), advice)
        })?;
        Ok((pointer.clone(), json))
    };
    found.iter().map(value).collect()
}

/// RFC 6901, without the pointer to the whole: `~` only as `~0` and `~1`.
fn is_pointer(text: &str) -> bool {
    let escaped = text.split('~').skip(1).all(|rest| rest.starts_with(['0', '1']));
    text.starts_with('/') && text.len() <= 500 && escaped
}

fn scalar(value: &Value) -> Option<serde_json::Value> {
    match value {
        Value::String(text) => (text.len() <= LONGEST_TEXT).then(|| text.clone().into()),
        Value::Integer(number) => Some((*number).into()),
        Value::Float(number) => serde_json::Number::from_f64(*number).map(Into::into),
        Value::Boolean(flag) => Some((*flag).into()),
        Value::Datetime(_) | Value::Array(_) | Value::Table(_) => None,
    }
}
