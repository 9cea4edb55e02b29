//! Rules about services and their labels.

use super::{Place, seen::Seen};
use crate::domain::recipe::RecipeVersion;

pub(super) fn service_app(seen: &Seen<'_>, places: &mut Vec<Place>) {
    if seen.selected().next().is_some() && !seen.merged.services.contains_key("app") {
        places.push(seen.at_service("app", "no service is called `app`".to_owned()));
    }
}

pub(super) fn version(seen: &Seen<'_>, places: &mut Vec<Place>) {
    const LABEL: &str = "coop-cloud.${STACK_NAME}.version";
    let Some(app) = seen.merged.services.get("app") else { return };
    match app.deploy.labels.get(LABEL) {
        None => places.push(seen.at_service("app", format!("service `app` has no label `{LABEL}`"))),
        Some(text) => {
            if let Err(error) = RecipeVersion::parse(text) {
                let labelled = |compose: &crate::domain::recipe::compose::Compose| {
                    compose.services.get("app").is_some_and(|app| app.deploy.labels.contains_key(LABEL))
                };
                let place = seen.selected().find(|(_, compose)| labelled(compose));
                places.extend(place.map(|(source, _)| source.with(&[LABEL], error.to_string())));
            }
        }
    }
}

pub(super) fn healthcheck(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (name, _) in seen.merged.services.iter().filter(|(_, service)| service.healthcheck.is_none()) {
        places.push(seen.at_service(name, format!("service `{name}` has no healthcheck")));
    }
}

pub(super) fn backup(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let labelled: Vec<&str> = (seen.merged.services.iter())
        .filter(|(_, service)| service.deploy.labels.get("backupbot.backup").is_some_and(|value| backs_up(value)))
        .map(|(name, _)| name.as_str())
        .collect();
    match labelled.as_slice() {
        [] if !seen.merged.volumes.is_empty() => {
            places.push(seen.at_service(
                "app",
                "there are volumes, but no service has the label `backupbot.backup=true`".to_owned(),
            ));
        }
        [] | [_] => {}
        [first, ..] => {
            let text = format!("several services have the label `backupbot.backup=true`: {}", labelled.join(", "));
            places.push(seen.at_service(first, text));
        }
    }
}

/// `true`, or a variable that an operator may set to it (`${ENABLE_BACKUPS:-true}`).
fn backs_up(value: &str) -> bool {
    value == "true" || value.contains('$')
}
