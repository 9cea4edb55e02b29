//! Apps that the target's maintainer deploys and keeps: what is missing is said, and what stays unverified without it. cc-ci deploys none
//! of them.

use bollard::Docker;
use bollard::query_parameters::ListServicesOptions;

use crate::adapters::docker::Tried as _;
use crate::domain::doctor::{Check, Matter};

/// An app that runs are better with.
struct App {
    matter: Matter,
    /// The last part of its image's name.
    image: &'static str,
    /// What stays unverified without it.
    without: &'static str,
    mend: &'static str,
}

const APPS: [App; 2] = [
    App {
        matter: Matter::Traefik,
        image: "traefik",
        without: "no Traefik is deployed: rung install fails for every recipe with an HTTP router, unless another proxy serves 443",
        mend: "abra app new traefik, then abra app deploy TRAEFIK-DOMAIN",
    },
    App {
        matter: Matter::BackupBot,
        image: "backup-bot-two",
        without: "no backup-bot-two is deployed: with abra's own backups, rung backup stays not verified",
        mend: "abra app new backup-bot-two, then abra app deploy BACKUP-DOMAIN",
    },
];

/// One line for each app.
pub(super) async fn apps(docker: &Docker) -> Vec<Check> {
    let services = match docker.list_services(None::<ListServicesOptions>).await.tried("list the services") {
        Ok(services) => services,
        Err(error) => return vec![Check::failed(Matter::Traefik, &error)],
    };
    let images: Vec<String> =
        services.into_iter().filter_map(|service| service.spec?.task_template?.container_spec?.image).collect();
    APPS.iter().map(|app| told(app, &images)).collect()
}

fn told(app: &App, images: &[String]) -> Check {
    match images.iter().find(|image| name_of(image) == app.image) {
        Some(image) => Check::good(app.matter, format!("runs: {}", without_digest(image))),
        None => Check::open(app.matter, app.without, Some(app.mend.to_owned())),
    }
}

fn without_digest(image: &str) -> &str {
    image.split('@').next().unwrap_or(image)
}

/// `registry:5000/lab/traefik:3.6@sha256:…` → `traefik`.
fn name_of(image: &str) -> &str {
    let name = without_digest(image).rsplit('/').next().unwrap_or_default();
    name.split(':').next().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn images_are_known_by_their_name() {
        assert_eq!(name_of("registry.lab:5000/lab/traefik:3.6.7@sha256:abc"), "traefik");
        assert_eq!(name_of("traefik"), "traefik");
        assert_eq!(name_of("git.coopcloud.tech/coop-cloud/backup-bot-two:2.3"), "backup-bot-two");
    }

    #[test]
    fn s80_what_is_missing_is_told_with_what_it_costs() {
        let checks: Vec<Check> = APPS.iter().map(|app| told(app, &["x/traefik:v3".to_owned()])).collect();
        assert_eq!(checks[0].said, "runs: x/traefik:v3");
        assert!(checks[1].said.contains("rung backup stays not verified"), "{}", checks[1].said);
        assert!(checks[1].mend.as_ref().unwrap().contains("abra app deploy"), "{:?}", checks[1].mend);
    }
}
