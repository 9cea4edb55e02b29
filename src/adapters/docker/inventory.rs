//! Reads what is on a target.

use std::collections::{BTreeSet, HashMap};

use bollard::Docker;
use bollard::query_parameters::{
    ListConfigsOptions, ListContainersOptions, ListNetworksOptions, ListSecretsOptions, ListServicesOptions,
    ListVolumesOptions,
};

use super::{DockerError, RUN_LABEL, STACK_LABEL, SUITE_LABEL, Tried as _};
use crate::domain::claim::CLAIM;
use crate::domain::inventory::{Inventory, Neighbours, Object, ObjectKind, task_name};

/// Everything on the target but images, the claim and the runner containers of running runs. All kinds are asked for at once: a
/// run waits for this twice.
///
/// # Errors
/// When the engine does not answer.
pub async fn inventory(docker: &Docker) -> Result<Inventory, DockerError> {
    without(docker, None).await
}

/// The same without the apps of other runs: what has their names or their labels, and volumes without a name that their containers
/// mount.
///
/// # Errors
/// When the engine does not answer.
pub async fn without(docker: &Docker, neighbours: Option<Neighbours<'_>>) -> Result<Inventory, DockerError> {
    let theirs = |name: &str| neighbours.is_some_and(|neighbours| neighbours.have(name));
    let labelled_theirs = |labels: &Option<HashMap<String, String>>| {
        let stacks = [STACK_LABEL, SUITE_LABEL].into_iter().filter_map(|label| labels.as_ref()?.get(label));
        neighbours.is_some() && stacks.into_iter().any(|stack| theirs(stack))
    };
    let all = ListContainersOptions { all: true, ..Default::default() };
    let (containers, services, volumes, secrets, configs, networks) = tokio::try_join!(
        async { docker.list_containers(Some(all)).await.tried("list the containers") },
        async { docker.list_services(None::<ListServicesOptions>).await.tried("list the services") },
        async { docker.list_volumes(None::<ListVolumesOptions>).await.tried("list the volumes") },
        async { docker.list_secrets(None::<ListSecretsOptions>).await.tried("list the secrets") },
        async { docker.list_configs(None::<ListConfigsOptions>).await.tried("list the configs") },
        async { docker.list_networks(None::<ListNetworksOptions>).await.tried("list the networks") },
    )?;
    let mut found = Inventory::default();
    let mut add = |kind, name: &str| !theirs(name) && found.0.insert(Object { kind, name: name.to_owned() });
    let mut their_volumes = BTreeSet::new();
    for container in containers {
        if labelled_theirs(&container.labels) {
            let mounted = container.mounts.into_iter().flatten().filter_map(|mount| mount.name);
            their_volumes.extend(mounted.filter(|name| is_drawn(name)));
            continue;
        }
        let labels = container.labels.unwrap_or_default();
        if !labels.contains_key(RUN_LABEL) {
            let names = container.names.unwrap_or_default();
            let name = names.first().map_or("", |name| name.trim_start_matches('/'));
            add(ObjectKind::Container, task_name(name));
        }
        labels.get(STACK_LABEL).map(|stack| add(ObjectKind::Stack, stack));
    }
    for service in services {
        let spec = service.spec.unwrap_or_default();
        if labelled_theirs(&spec.labels) {
            continue;
        }
        add(ObjectKind::Service, &spec.name.unwrap_or_default());
        spec.labels.unwrap_or_default().get(STACK_LABEL).map(|stack| add(ObjectKind::Stack, stack));
    }
    for volume in volumes.volumes.unwrap_or_default() {
        if !their_volumes.contains(&volume.name) && !labelled_theirs(&Some(volume.labels)) {
            add(ObjectKind::Volume, &volume.name);
        }
    }
    for spec in secrets.into_iter().filter_map(|secret| secret.spec).filter(|spec| !labelled_theirs(&spec.labels)) {
        add(ObjectKind::Secret, &spec.name.unwrap_or_default());
    }
    for spec in configs.into_iter().filter_map(|config| config.spec).filter(|spec| !labelled_theirs(&spec.labels)) {
        let name = spec.name.unwrap_or_default();
        if name != CLAIM {
            add(ObjectKind::Config, &name);
        }
    }
    for network in networks.into_iter().filter(|network| !labelled_theirs(&network.labels)) {
        add(ObjectKind::Network, &network.name.unwrap_or_default());
    }
    Ok(found)
}

/// Whether the engine drew this name of a volume, since nobody gave it one.
fn is_drawn(name: &str) -> bool {
    name.len() == 64 && name.bytes().all(|byte| byte.is_ascii_hexdigit())
}
