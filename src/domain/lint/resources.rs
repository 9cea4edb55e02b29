//! Rules about secrets and configs.

use super::seen::{Place, Seen};
use crate::domain::recipe::compose::Resource;
use crate::domain::recipe::files::inside;
use crate::domain::recipe::interpolate::{Fallback, Piece, Use, pieces, uses};

pub(super) fn config_files(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, compose) in seen.composes() {
        for (name, config) in compose.configs.iter().filter(|(_, config)| !config.external) {
            let Some(file) = config.file.as_deref().filter(|file| !file.contains('$')) else { continue };
            if inside(file).is_none_or(|file| !seen.files.contains(file)) {
                let text = format!("config `{name}` comes from `{file}`, which is no file of the recipe");
                places.push(source.at(&["configs", name, "file"], text));
            }
        }
    }
}

/// Version variables of a name that nothing sets.
fn unset<'n>(seen: &Seen<'_>, name: Option<&'n str>) -> Vec<Use<'n>> {
    uses(name.unwrap_or_default())
        .filter(|used| used.name.ends_with("_VERSION") && used.fallback == Fallback::Empty)
        .filter(|used| {
            seen.variables.get(used.name).is_none_or(String::is_empty) && !seen.documented.contains(used.name)
        })
        .collect()
}

pub(super) fn config_versions(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, compose) in seen.composes() {
        for (name, config) in compose.configs.iter().filter(|(_, config)| !config.external) {
            for used in unset(seen, config.name.as_deref()) {
                let text = format!("`{}`, the version of config `{name}`, is not exported in `abra.sh`", used.name);
                places.push(source.at(&["configs", name, "name"], text));
            }
        }
    }
}

pub(super) fn secret_versions(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, compose) in seen.composes() {
        for (name, secret) in &compose.secrets {
            for used in unset(seen, secret.name.as_deref()) {
                let text = format!("`{}`, the version of secret `{name}`, is not in `.env.sample`", used.name);
                places.push(source.at(&["secrets", name, "name"], text));
            }
        }
    }
}

/// A stack's name may have so many characters (from memory of abra).
const STACK: usize = 45;
/// A name in the Swarm may have so many.
const NAME: usize = 64;

pub(super) fn short_names(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, compose) in seen.composes() {
        for (section, kind, resources) in
            [("secrets", "secret", &compose.secrets), ("configs", "config", &compose.configs)]
        {
            for (key, resource) in resources {
                let length = length(seen, key, resource);
                if length > NAME {
                    let text = format!("the name of {kind} `{key}` has up to {length} characters; Swarm allows {NAME}");
                    places.push(source.at(&[section, key, "name"], text));
                }
            }
        }
    }
}

/// How long a name can become: that of the stack at its longest, a version that nothing sets as `v1`.
fn length(seen: &Seen<'_>, key: &str, resource: &Resource) -> usize {
    let Some(name) = resource.name.as_deref() else {
        return if resource.external { key.chars().count() } else { STACK + 1 + key.chars().count() };
    };
    let of = |piece: Piece<'_>| match piece {
        Piece::Text(text) | Piece::Invalid(text) => text.chars().count(),
        Piece::Variable(used) if used.name == "STACK_NAME" => STACK,
        Piece::Variable(used) => match (seen.variables.get(used.name), used.fallback) {
            (Some(value), _) if !value.is_empty() => value.chars().count(),
            (_, Fallback::Default(value)) => value.chars().count(),
            (_, Fallback::Empty | Fallback::Required(_)) => 2,
        },
    };
    pieces(name).into_iter().map(of).sum()
}
