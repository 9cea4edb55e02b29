//! `[env]` and `[secrets]`.

use std::collections::BTreeMap;

use secrecy::SecretString;
use toml::{Spanned, Value};

use super::{LONGEST_TEXT, Wrong, bounded, wrong};
use crate::domain::mask::SHORTEST;
use crate::domain::recipe::interpolate::is_name;
use crate::domain::results::one_line;

const MOST_VARIABLES: usize = 200;
const MOST_SECRETS: usize = 100;
const TOO_MANY: &str = "Name only what a test deploy needs.";
/// What cc-ci sets itself, whatever anybody says.
const OURS: [&str; 2] = ["DOMAIN", "STACK_NAME"];

pub(super) fn variables(found: BTreeMap<String, Spanned<Value>>) -> Result<BTreeMap<String, String>, Wrong> {
    bounded(found.len(), MOST_VARIABLES, "[env]", TOO_MANY)?;
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

pub(super) fn dummies(found: BTreeMap<String, Spanned<Value>>) -> Result<BTreeMap<String, SecretString>, Wrong> {
    bounded(found.len(), MOST_SECRETS, "[secrets]", TOO_MANY)?;
    let dummy = |(name, value): (String, Spanned<Value>)| {
        let shown = one_line(&name, 60);
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
