//! Looks at a stack once more, for whoever asks later what was there: everything the engine says of it, scrubbed.

use std::collections::BTreeMap;

use bollard::Docker;
use bollard::query_parameters::{
    InspectContainerOptions, ListContainersOptions, ListServicesOptions, ListTasksOptions,
};
use futures_util::stream::{self, StreamExt as _};
use serde::Serialize;
use serde_json::Value;

use super::{DockerError, STACK_LABEL, Tried as _, labelled};
use crate::domain::evidence::scrubbed;
use crate::domain::ids::StackName;

/// Containers that are looked at, the newest ones; a crash loop leaves few.
const CONTAINERS: usize = 40;
const AT_ONCE: usize = 8;

/// What the engine said, file by file: folder, name, text. Filled piece by piece, so that a look that is cut off still has some.
pub type Seen = Vec<(&'static str, String, String)>;

/// Looks at services, tasks and containers.
///
/// # Errors
/// When the engine does not answer; what it said before is in `seen`.
pub async fn look(docker: &Docker, stack: &StackName, seen: &mut Seen) -> Result<(), DockerError> {
    let filters = Some(labelled(format!("{STACK_LABEL}={stack}")));
    let prefix = format!("{stack}_");
    let services = ListServicesOptions { filters: filters.clone(), ..Default::default() };
    let services = docker.list_services(Some(services)).await.tried("list the services")?;
    let mut names = BTreeMap::new();
    for service in services {
        let whole = service.spec.as_ref().and_then(|spec| spec.name.clone()).unwrap_or_default();
        let name = whole.strip_prefix(&prefix).unwrap_or(&whole).to_owned();
        seen.push(("services", format!("{name}.json"), json(&service)));
        names.insert(service.id.unwrap_or_default(), name);
    }
    let tasks = docker.list_tasks(Some(ListTasksOptions { filters: filters.clone() })).await.tried("list the tasks")?;
    let tasks: Vec<Value> = tasks.iter().map(value).collect();
    seen.push(("", "tasks.txt".to_owned(), table(&tasks, &names)));
    seen.push(("", "tasks.json".to_owned(), pretty(&Value::Array(tasks))));
    let options =
        ListContainersOptions { all: true, filters, limit: i32::try_from(CONTAINERS).ok(), ..Default::default() };
    let containers = docker.list_containers(Some(options)).await.tried("list the containers")?;
    let ids = containers.into_iter().filter_map(|container| container.id);
    let inspected = ids.map(|id| async move {
        docker.inspect_container(&id, None::<InspectContainerOptions>).await.tried("inspect a container")
    });
    let mut inspected = stream::iter(inspected).buffer_unordered(AT_ONCE);
    while let Some(container) = inspected.next().await {
        match container {
            Ok(container) => {
                let name = container.name.as_deref().unwrap_or_default().trim_start_matches('/');
                let name = name.strip_prefix(&prefix).unwrap_or(name);
                seen.push(("containers", format!("{name}.json"), json(&container)));
            }
            // Swarm removed it meanwhile.
            Err(error) if error.status() == Some(404) => {}
            Err(error) => return Err(error),
        }
    }
    Ok(())
}

/// The bytes of these images on the target, each counted once; `None` when one of them is not there.
pub async fn image_bytes(docker: &Docker, images: &[String]) -> Option<u64> {
    let mut sizes = BTreeMap::new();
    for image in images {
        let found = docker.inspect_image(image).await.ok()?;
        let bytes = u64::try_from(found.size?).ok()?;
        sizes.insert(found.id?, bytes);
    }
    (!sizes.is_empty()).then(|| sizes.values().sum())
}

fn value(object: &impl Serialize) -> Value {
    scrubbed(serde_json::to_value(object).unwrap_or_default())
}

fn json(object: &impl Serialize) -> String {
    pretty(&value(object))
}

fn pretty(value: &Value) -> String {
    let mut text = serde_json::to_string_pretty(value).unwrap_or_default();
    text.push('\n');
    text
}

/// One line per task, the oldest first, as `docker stack ps` would show them.
fn table(tasks: &[Value], names: &BTreeMap<String, String>) -> String {
    let mut rows: Vec<[String; 7]> = tasks.iter().map(|task| row(task, names)).collect();
    rows.sort();
    let heading = ["created", "service", "slot", "desired", "state", "exit", "error"].map(str::to_owned);
    rows.insert(0, heading);
    let width = |at: usize| rows.iter().map(|row| row[at].chars().count()).max().unwrap_or(0);
    let widths: [usize; 7] = std::array::from_fn(width);
    let line = |row: &[String; 7]| {
        let cells: Vec<String> = row.iter().zip(widths).map(|(cell, width)| format!("{cell:width$}")).collect();
        format!("{}\n", cells.join("  ").trim_end())
    };
    rows.iter().map(line).collect()
}

fn row(task: &Value, names: &BTreeMap<String, String>) -> [String; 7] {
    let text = |pointer: &str| match task.pointer(pointer) {
        Some(Value::String(text)) => text.chars().take(200).collect(),
        Some(Value::Number(number)) => number.to_string(),
        Some(Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_)) | None => String::new(),
    };
    let service = text("/ServiceID");
    [
        text("/CreatedAt"),
        names.get(&service).cloned().unwrap_or(service),
        text("/Slot"),
        text("/DesiredState"),
        text("/Status/State"),
        text("/Status/ContainerStatus/ExitCode"),
        text("/Status/Err"),
    ]
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn tasks_read_as_a_table() {
        let task = |created: &str, state: &str, exit: i64| {
            json!({
                "ServiceID": "s1", "Slot": 1, "CreatedAt": created, "DesiredState": "shutdown",
                "Status": { "State": state, "Err": "task: non-zero exit (1)", "ContainerStatus": { "ExitCode": exit } },
            })
        };
        let names = BTreeMap::from([("s1".to_owned(), "app".to_owned())]);
        let tasks = [task("2026-11-24T09:18:35Z", "failed", 137), task("2026-11-24T09:18:28Z", "failed", 1)];
        assert_eq!(
            table(&tasks, &names),
            "created               service  slot  desired   state   exit  error\n\
             2026-11-24T09:18:28Z  app      1     shutdown  failed  1     task: non-zero exit (1)\n\
             2026-11-24T09:18:35Z  app      1     shutdown  failed  137   task: non-zero exit (1)\n"
        );
    }
}
