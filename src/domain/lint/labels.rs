//! Rules about services and their labels.

use super::seen::{Place, Seen};
use crate::domain::recipe::RecipeVersion;
use crate::domain::recipe::compose::Compose;
use crate::domain::recipe::interpolate::interpolate;

const VERSION: &str = "coop-cloud.${STACK_NAME}.version";

pub(super) fn service_app(seen: &Seen<'_>, places: &mut Vec<Place>) {
    if seen.is_whole() && !seen.merged.services.contains_key("app") {
        places.push(seen.at_service("app", "no service is called `app`".to_owned()));
    }
}

pub(super) fn version(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let Some(app) = seen.merged.services.get("app").filter(|_| seen.is_whole()) else { return };
    let Some(raw) = app.deploy.labels.get(VERSION) else {
        let text = match legacy(&seen.merged) {
            Some(label) => {
                format!(
                    "the label `{label}` is of the form of 2021, from before recipes had versions: `{VERSION}` is missing"
                )
            }
            None => format!("service `app` has no label `{VERSION}`"),
        };
        places.push(Place { about: VERSION.to_owned(), ..seen.at_service("app", text) });
        return;
    };
    let variable = |name: &str| seen.variables.get(name).map(String::as_str);
    let text = interpolate(raw, &variable).unwrap_or_else(|_| raw.clone());
    let Err(error) = RecipeVersion::parse(&text) else { return };
    let said = if text.is_empty() { "the version label is empty".to_owned() } else { error.to_string() };
    let labelled =
        |compose: &Compose| compose.services.get("app").is_some_and(|app| app.deploy.labels.contains_key(VERSION));
    let place = seen.selected().find(|(_, compose)| labelled(compose));
    places.extend(place.map(|(source, _)| source.with(&[VERSION], said)));
}

/// `coop-cloud.${STACK_NAME}.<service>.version`, on any service.
fn legacy(compose: &Compose) -> Option<&String> {
    let labels = || compose.services.values().flat_map(|service| service.deploy.labels.keys());
    let service = |label: &str| {
        let service = label.strip_prefix("coop-cloud.${STACK_NAME}.")?.strip_suffix(".version")?;
        (!service.is_empty()).then_some(())
    };
    labels().find(|label| service(label).is_some())
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
        [] if !seen.merged.volumes.is_empty() && seen.is_whole() => {
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

pub(super) fn routed(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let mut routed = false;
    for (name, service) in &seen.merged.services {
        let labels = &service.deploy.labels;
        let enabled = labels.get("traefik.enable").is_some_and(|value| value == "true" || value.contains('$'));
        let has_router = labels.keys().any(|label| label.starts_with("traefik.http.routers."));
        routed |= enabled || has_router;
        if has_router && !enabled {
            places.push(
                seen.at_service(name, format!("service `{name}` has Traefik routers, but not `traefik.enable=true`")),
            );
        }
    }
    if !routed && seen.is_whole() && !seen.merged.services.is_empty() {
        places.push(seen.at_service("app", "no service is routed by Traefik".to_owned()));
    }
}
