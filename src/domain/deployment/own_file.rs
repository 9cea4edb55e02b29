//! The one compose file that we add: the app's variables for each service, and the labels that say what runs.
//!
//! It comes first, so that the recipe's own values win. Its `version` is the recipe's, since docker refuses to merge others.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use super::{Facts, PlanError, stack};
use crate::domain::recipe::files::MAX_BYTES;
use crate::domain::recipe::interpolate::escape;

/// Its name in the recipe's folder.
pub const OWN_FILE: &str = ".cc-ci.compose.yml";

/// # Errors
/// When there are so many services and variables that the file would be larger than all files of a recipe may be.
pub(super) fn content(
    stack: &stack::Stack,
    app: &BTreeMap<String, String>,
    facts: &Facts,
) -> Result<String, PlanError> {
    let of_one: usize = app.iter().map(|(variable, value)| variable.len() + value.len()).sum();
    if of_one.saturating_mul(stack.compose.services.len()) > MAX_BYTES {
        let what = format!("its {} services are given {} variables each", stack.compose.services.len(), app.len());
        return Err(PlanError::new(None, None, what, "that is more than 8 MiB of environment: use fewer of either"));
    }
    let mut text = "# Written by cc-ci; the recipe's own files come after it and win.\n".to_owned();
    if let Some(version) = stack.raw.version.as_deref().filter(|version| !version.is_empty()) {
        push(&mut text, 0, "version", version);
    }
    text.push_str("services:\n");
    for (name, service) in &stack.compose.services {
        let _ = writeln!(text, "  {}:", quote(name));
        let exposed: Vec<_> = app.iter().filter(|(variable, _)| !service.environment.contains_key(*variable)).collect();
        if exposed.is_empty() {
            text.push_str("    environment: {}\n");
        } else {
            text.push_str("    environment:\n");
        }
        for (variable, value) in exposed {
            push(&mut text, 6, variable, &escape(value));
        }
        if name == "app" {
            text.push_str("    deploy:\n      labels:\n");
            for (label, value) in
                [("recipe", facts.recipe.as_str()), ("chaos", "true"), ("chaos-version", &facts.commit)]
            {
                push(&mut text, 8, &format!("coop-cloud.{}.{label}", facts.stack), &escape(value));
            }
        }
    }
    Ok(text)
}

fn push(text: &mut String, indent: usize, key: &str, value: &str) {
    let _ = writeln!(text, "{:indent$}{}: {}", "", quote(key), quote(value));
}

/// The text between double quotes as YAML; everything unusual is escaped.
fn quote(text: &str) -> String {
    let mut quoted = String::from('"');
    for c in text.chars() {
        let code = u32::from(c);
        let _ = match c {
            '"' | '\\' => write!(quoted, "\\{c}"),
            ' '..='~' => write!(quoted, "{c}"),
            _ if c.is_alphabetic() && code < 0x10000 => write!(quoted, "{c}"),
            _ if code < 0x10000 => write!(quoted, "\\u{code:04X}"),
            _ => write!(quoted, "\\U{code:08X}"),
        };
    }
    quoted.push('"');
    quoted
}
