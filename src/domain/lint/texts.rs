//! Rules about compose files as texts: that they are read, and the variables in them.

use std::collections::BTreeSet;

use serde_json::Value;

use super::seen::{Place, Seen, Source};
use crate::domain::recipe::ENV_SAMPLE;
use crate::domain::recipe::interpolate::{Fallback, InterpolateError, Piece, interpolate, pieces, uses};
use crate::domain::recipe::yaml;

pub(super) fn compose_parses(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for source in &seen.sources {
        if let Err(error) = &source.read {
            let text = format!("this is no compose file: {}", error.message);
            places.push(Place::of(&source.path, "", text).on(error.line));
        }
    }
}

pub(super) fn compose_file_exists(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for path in seen.selected.iter().filter(|path| !seen.files.contains(path)) {
        let text = format!("the compose file `{path}` does not exist");
        places.push(match seen.sample.last("COMPOSE_FILE") {
            Some(named) => Place::of(ENV_SAMPLE, path, text).on(Some(named.line)),
            None => Place::of(path, path, text),
        });
    }
}

pub(super) fn same_version(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let mut selected = seen.selected();
    let Some((first, wanted)) = selected.next() else { return };
    for (source, compose) in selected.filter(|(_, compose)| compose.loader_version() != wanted.loader_version()) {
        let shown = |version: &Option<String>| version.clone().unwrap_or_else(|| "none".to_owned());
        let (its, other) = (shown(&compose.version), shown(&wanted.version));
        places.push(source.at(&["version"], format!("`version` is {its} here and {other} in `{}`", first.path)));
    }
}

/// abra's own lint asks for it; docker's loader reads more.
pub(super) fn version_38(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, compose) in seen.selected().filter(|(_, compose)| compose.version.as_deref() != Some("3.8")) {
        let text = match &compose.version {
            Some(version) => format!("`version` is {version}, not 3.8"),
            None => "`version` is missing; `version: \"3.8\"` is asked for".to_owned(),
        };
        places.push(source.at(&["version"], text));
    }
}

pub(super) fn durations(seen: &Seen<'_>, places: &mut Vec<Place>) {
    const UPDATE: [&str; 3] = ["delay", "monitor", "window"];
    for (source, name, service) in seen.services() {
        let health = service
            .healthcheck
            .iter()
            .flat_map(|check| &check.durations)
            .map(|(key, value)| (vec!["healthcheck", key.as_str()], value.clone()));
        let grace = service.stop_grace_period.iter().map(|value| (vec!["stop_grace_period"], value.clone()));
        let deploy = &service.deploy;
        let blocks = [
            ("update_config", &deploy.update_config),
            ("rollback_config", &deploy.rollback_config),
            ("restart_policy", &deploy.restart_policy),
        ];
        let updates = blocks.iter().flat_map(|(block, value)| {
            UPDATE.iter().filter_map(|key| Some((vec!["deploy", *block, *key], yaml::scalar(&value[*key])?)))
        });
        for (keys, value) in health.chain(grace).chain(updates).filter(|(_, value)| uses(value).next().is_some()) {
            let path: Vec<&str> = ["services", name].into_iter().chain(keys.iter().copied()).collect();
            let key = keys.last().copied().unwrap_or_default();
            places
                .push(source.at(&path, format!("the duration `{key}` of service `{name}` is the variable `{value}`")));
        }
    }
}

/// Calls `each` with every text that docker interpolates.
fn texts(source: &Source, each: &mut dyn FnMut(&str)) {
    let Ok((tree, _)) = &source.read else { return };
    for section in ["services", "volumes", "networks", "secrets", "configs"] {
        visit(&tree[section], each);
    }
}

fn visit(value: &Value, each: &mut dyn FnMut(&str)) {
    match value {
        Value::String(text) => each(text),
        Value::Array(items) => items.iter().for_each(|item| visit(item, each)),
        Value::Object(entries) => entries.values().for_each(|entry| visit(entry, each)),
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

pub(super) fn variables_known(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for source in &seen.sources {
        let mut unknown = BTreeSet::new();
        texts(source, &mut |text| {
            let without = uses(text).filter(|used| used.fallback == Fallback::Empty).map(|used| used.name);
            unknown.extend(without.filter(|name| !seen.variables.contains_key(*name)).map(str::to_owned));
        });
        // Versions of secrets and configs have rules of their own.
        for name in unknown.iter().filter(|name| !seen.documented.contains(*name) && !name.ends_with("_VERSION")) {
            let text = format!("`{name}` has no default and is neither in `.env.sample` nor in `abra.sh`");
            places.push(source.with(&["$", name], text));
        }
    }
}

pub(super) fn interpolation(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for source in &seen.sources {
        texts(source, &mut |text| {
            for piece in pieces(text) {
                let (at, told) = match piece {
                    Piece::Invalid(part) => {
                        (part.to_owned(), InterpolateError::Invalid(part.chars().take(80).collect()).to_string())
                    }
                    Piece::Variable(used) if matches!(used.fallback, Fallback::Required(_)) => {
                        let alone = format!("${{{}?}}", used.name);
                        let value = seen
                            .variables
                            .get(used.name)
                            .filter(|value| !value.is_empty() || !used.empty_counts_as_unset);
                        match interpolate(&alone, &|_| value.map(String::as_str)) {
                            Ok(_) => continue,
                            Err(_) => {
                                (used.name.to_owned(), format!("the required variable `{}` is not set", used.name))
                            }
                        }
                    }
                    Piece::Text(_) | Piece::Variable(_) => continue,
                };
                places.push(source.with(&[at.lines().next().unwrap_or_default()], told));
            }
        });
    }
}
