//! Rules about secrets and configs.

use super::{Place, seen::Seen};
use crate::domain::recipe::files::inside;
use crate::domain::recipe::interpolate::{Fallback, Use, uses};

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
