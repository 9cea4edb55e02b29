//! How much memory the containers of a stack hold.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::query_parameters::{ListContainersOptions, StatsOptions};
use futures_util::stream::{self, StreamExt as _};

use super::{DockerError, STACK_LABEL, Tried as _, labelled};
use crate::domain::ids::StackName;

/// The label that Swarm puts on a task's container.
const SERVICE_LABEL: &str = "com.docker.swarm.service.name";
/// Containers that are asked about; the rest is not measured.
const CONTAINERS: usize = 40;
const AT_ONCE: usize = 8;

/// The largest container of each service: bytes, page cache included. A kernel that keeps the peak itself (cgroup 1) gives that.
///
/// # Errors
/// When the engine does not list the containers.
pub async fn memory(docker: &Docker, stack: &StackName) -> Result<BTreeMap<String, u64>, DockerError> {
    let filters = Some(labelled(format!("{STACK_LABEL}={stack}")));
    let running = ListContainersOptions { filters, limit: i32::try_from(CONTAINERS).ok(), ..Default::default() };
    let running = docker.list_containers(Some(running)).await.tried("list the containers")?;
    let prefix = format!("{stack}_");
    let asked = running.into_iter().filter_map(|container| {
        let service = container.labels?.get(SERVICE_LABEL)?.strip_prefix(&prefix)?.to_owned();
        Some((service, container.id?))
    });
    let asked = stream::iter(asked).map(|(service, id)| async move { (service, bytes(docker, &id).await) });
    let mut asked = asked.buffer_unordered(AT_ONCE);
    let mut found = BTreeMap::new();
    while let Some((service, bytes)) = asked.next().await {
        if let Some(bytes) = bytes {
            let most = found.entry(service).or_insert(0);
            *most = bytes.max(*most);
        }
    }
    Ok(found)
}

/// Nothing for a container that has just ended.
async fn bytes(docker: &Docker, id: &str) -> Option<u64> {
    let once = StatsOptions { stream: false, one_shot: true };
    let stats = docker.stats(id, Some(once)).next().await?.ok()?.memory_stats?;
    stats.usage.max(stats.max_usage).filter(|bytes| *bytes > 0)
}
