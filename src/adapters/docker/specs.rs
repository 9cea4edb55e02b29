//! The services of a stack as Swarm has them, without their tasks.

use bollard::Docker;
use bollard::query_parameters::ListServicesOptions;

use super::{DockerError, STACK_LABEL, Tried as _, labelled};
use crate::domain::ids::StackName;
use crate::domain::proof::Spec;

/// Name, image and labels of each service.
///
/// # Errors
/// When the engine does not answer.
pub async fn specs(docker: &Docker, stack: &StackName) -> Result<Vec<Spec>, DockerError> {
    let filters = Some(labelled(format!("{STACK_LABEL}={stack}")));
    let services = docker.list_services(Some(ListServicesOptions { filters, ..Default::default() }));
    let prefix = format!("{stack}_");
    let services = services.await.tried("list the services")?.into_iter().map(|service| {
        let spec = service.spec.unwrap_or_default();
        let name = spec.name.unwrap_or_default();
        let container = spec.task_template.and_then(|template| template.container_spec);
        Spec {
            name: name.strip_prefix(&prefix).unwrap_or(&name).to_owned(),
            image: container.and_then(|container| container.image).unwrap_or_default(),
            labels: spec.labels.unwrap_or_default().into_iter().collect(),
        }
    });
    Ok(services.collect())
}
