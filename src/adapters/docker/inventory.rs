//! Reads what is on a target.

use bollard::Docker;
use bollard::query_parameters::{
    ListConfigsOptions, ListContainersOptions, ListNetworksOptions, ListSecretsOptions, ListServicesOptions,
    ListVolumesOptions,
};

use super::{DockerError, RUN_LABEL, STACK_LABEL, Tried as _};
use crate::domain::claim::CLAIM;
use crate::domain::inventory::{Inventory, Object, ObjectKind, task_name};

/// Everything on the target but images, the claim and the runner containers of running runs.
///
/// # Errors
/// When the engine does not answer.
pub async fn inventory(docker: &Docker) -> Result<Inventory, DockerError> {
    let mut found = Inventory::default();
    let mut add = |kind, name: &str| found.0.insert(Object { kind, name: name.to_owned() });

    let containers = ListContainersOptions { all: true, ..Default::default() };
    for container in docker.list_containers(Some(containers)).await.tried("list the containers")? {
        let labels = container.labels.unwrap_or_default();
        if !labels.contains_key(RUN_LABEL) {
            let names = container.names.unwrap_or_default();
            let name = names.first().map_or("", |name| name.trim_start_matches('/'));
            add(ObjectKind::Container, task_name(name));
        }
        labels.get(STACK_LABEL).map(|stack| add(ObjectKind::Stack, stack));
    }
    for service in docker.list_services(None::<ListServicesOptions>).await.tried("list the services")? {
        let spec = service.spec.unwrap_or_default();
        add(ObjectKind::Service, &spec.name.unwrap_or_default());
        spec.labels.unwrap_or_default().get(STACK_LABEL).map(|stack| add(ObjectKind::Stack, stack));
    }
    let volumes = docker.list_volumes(None::<ListVolumesOptions>).await.tried("list the volumes")?;
    for volume in volumes.volumes.unwrap_or_default() {
        add(ObjectKind::Volume, &volume.name);
    }
    for secret in docker.list_secrets(None::<ListSecretsOptions>).await.tried("list the secrets")? {
        add(ObjectKind::Secret, &secret.spec.and_then(|spec| spec.name).unwrap_or_default());
    }
    for config in docker.list_configs(None::<ListConfigsOptions>).await.tried("list the configs")? {
        let name = config.spec.and_then(|spec| spec.name).unwrap_or_default();
        if name != CLAIM {
            add(ObjectKind::Config, &name);
        }
    }
    for network in docker.list_networks(None::<ListNetworksOptions>).await.tried("list the networks")? {
        add(ObjectKind::Network, &network.name.unwrap_or_default());
    }
    Ok(found)
}
