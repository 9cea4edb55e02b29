//! Rules about what changed since the base: what operators stumble over who upgrade.

use super::seen::{Place, Seen, Source};
use crate::domain::recipe::ABRA_SH;
use crate::domain::recipe::ENV_SAMPLE;
use crate::domain::recipe::compose::{Compose, Resource};
use crate::domain::recipe::files::inside;
use crate::domain::recipe::interpolate::{Fallback, interpolate, uses};

/// A config that the stack makes, and what is in it.
struct Config<'a> {
    key: &'a str,
    source: &'a Source,
    config: &'a Resource,
    /// Its name in the Swarm.
    name: String,
    file: &'a str,
    bytes: &'a [u8],
}

pub(super) fn config_versions_raised(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let Some((base, base_name)) = seen.base else { return };
    let before = configs(base);
    for now in configs(seen) {
        let mut same_name = before.iter().filter(|before| before.name == now.name);
        let Some(before) = same_name.next() else { continue };
        let what = if before.bytes != now.bytes {
            "has changed"
        } else if before.config.template_driver != now.config.template_driver {
            "has another template driver"
        } else {
            continue;
        };
        // An operator whose base does not select the config has none that could not be changed.
        let counts = if base.counts(&before.source.path) { &now.source.path } else { "" };
        let place = unraised(seen, &now, &format!("{what} since {base_name}"));
        places.push(Place { weighs_as: Some(counts.to_owned()), ..place });
    }
}

/// Where the version would have to be raised: where it is set.
fn unraised(seen: &Seen<'_>, now: &Config<'_>, what: &str) -> Place {
    let (file, key) = (now.file, now.key);
    let name = now.config.name.as_deref().unwrap_or_default();
    let Some(variable) = uses(name).map(|used| used.name).filter(|name| *name != "STACK_NAME").last() else {
        let text = format!("`{file}`, the file of config `{key}`, {what}, and the config's name holds no version");
        return now.source.at(&["configs", key, "name"], text);
    };
    let value = seen.variables.get(variable).map_or_else(String::new, |value| format!(" `{value}`"));
    let text = |place: &str| {
        format!("`{file}`, the file of config `{key}`, {what}, but `{variable}` in `{place}` is still{value}")
    };
    let exported = seen.exports.exports.iter().rev().find(|export| export.name == variable);
    let sampled = seen.sample.last(variable);
    let about = format!("configs.{key}");
    match (exported, sampled) {
        (Some(export), _) => Place::of(ABRA_SH, &about, text(ABRA_SH)).on(Some(export.line)),
        (None, Some(assignment)) => Place::of(ENV_SAMPLE, &about, text(ENV_SAMPLE)).on(Some(assignment.line)),
        (None, None) => now.source.at(&["configs", key, "name"], text(&now.source.path)),
    }
}

/// The configs of all compose files whose name and content can be told.
fn configs<'a>(seen: &'a Seen<'_>) -> Vec<Config<'a>> {
    let of_source = |(source, compose): (&'a Source, &'a Compose)| {
        compose.configs.iter().filter_map(move |(key, config)| {
            let file = config.file.as_deref().filter(|_| !config.external)?;
            let bytes = &seen.files.get(inside(file)?)?.bytes;
            Some(Config { key, source, config, name: swarm_name(seen, key, config)?, file, bytes })
        })
    };
    seen.composes().flat_map(of_source).collect()
}

/// The name in the Swarm; nothing where a shell computes a part of it, or nothing sets it.
fn swarm_name(seen: &Seen<'_>, key: &str, config: &Resource) -> Option<String> {
    let Some(name) = config.name.as_deref() else { return Some(format!("_{key}")) };
    let known = |name: &str| seen.variables.contains_key(name);
    if uses(name).any(|used| used.fallback == Fallback::Empty && !known(used.name)) {
        return None;
    }
    interpolate(name, &|name| seen.variables.get(name).map(String::as_str)).ok()
}

pub(super) fn added_secrets_noted(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let Some((base, base_name)) = seen.base else { return };
    let noted = |path: &str, bytes: &[u8]| {
        path.starts_with("release/") && base.files.get(path).is_none_or(|before| before.bytes != bytes)
    };
    if seen.files.iter().any(|(path, file)| noted(path, &file.bytes)) {
        return;
    }
    for (source, compose) in seen.selected() {
        for key in compose.secrets.keys().filter(|key| !base.merged.secrets.contains_key(*key)) {
            let text = format!("secret `{key}` is new since {base_name}, and no file in `release/` says so");
            places.push(source.at(&["secrets", key], text));
        }
    }
}
