//! Proof that head runs: what Swarm has as the specs of the services is what head's compose files say (design §4). A deploy that
//! Swarm took back looks like one that worked, but for this.

use std::collections::BTreeMap;

use super::convergence::{Wanted, WantedService, same_spec};
use super::deployment::ServicePlan;
use super::ids::StackName;
use super::swarm::{Snapshot, TaskState};

/// What marks a deploy of head.
#[derive(Debug, Clone, Copy)]
pub struct Head<'a> {
    /// The stack.
    pub stack: &'a StackName,
    /// The label `chaos-version`: the commit.
    pub chaos_version: &'a str,
    /// The label `version`, if head has a readable one.
    pub version: Option<&'a str>,
}

/// A service as Swarm has it now.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Spec {
    /// Its name in the compose file.
    pub name: String,
    /// Its image, with the digest that was resolved.
    pub image: String,
    /// Its labels.
    pub labels: BTreeMap<String, String>,
}

/// What is not head's: the service, and a sentence. Empty: head runs.
#[must_use]
pub fn not_running(head: &Head<'_>, wanted: &[ServicePlan], running: &[Spec]) -> Vec<(String, String)> {
    let mut wrong = Vec::new();
    for service in wanted {
        let Some(spec) = running.iter().find(|spec| spec.name == service.name) else {
            wrong.push((service.name.clone(), format!("{} is not there after the upgrade", service.name)));
            continue;
        };
        if tagged(&spec.image) != tagged(&service.image) {
            let (is, should) = (tagged(&spec.image), tagged(&service.image));
            let sentence = format!("the old version is still running: {} runs {is}, not {should}", service.name);
            wrong.push((service.name.clone(), sentence));
        }
    }
    let app = running.iter().find(|spec| spec.name == "app").filter(|_| wrong.is_empty());
    let label = |name: &str| app.and_then(|app| app.labels.get(&format!("coop-cloud.{}.{name}", head.stack)));
    for (name, should) in [("chaos-version", Some(head.chaos_version)), ("version", head.version)] {
        let (Some(app), Some(should)) = (app, should) else { continue };
        if label(name).map(String::as_str) != Some(should) {
            let is = label(name).map_or("nothing", String::as_str);
            let sentence = format!("the old version is still running: label `{name}` of app says {is}, not {should}");
            wrong.push((app.name.clone(), sentence));
        }
    }
    wrong
}

/// Services that run and are not head's: a deploy over a running stack does not remove them.
#[must_use]
pub fn not_pruned<'a>(wanted: &[ServicePlan], running: &'a [Spec]) -> Vec<&'a str> {
    let is_heads = |spec: &&Spec| wanted.iter().any(|service| service.name == spec.name);
    running.iter().filter(|spec| !is_heads(spec)).map(|spec| spec.name.as_str()).collect()
}

/// Services of which a task runs, and is to go on, that is not of the wanted spec: a new one never took its place.
#[must_use]
pub fn with_old_tasks(wanted: &Wanted, snapshot: &Snapshot) -> Vec<(String, String)> {
    let is_old = |service: &&WantedService| {
        snapshot.tasks.iter().any(|task| {
            task.service_id == service.id
                && (task.state, task.desired) == (TaskState::Running, TaskState::Running)
                && !same_spec(&service.template, &task.spec)
        })
    };
    let sentence = |service: &WantedService| {
        (service.name.clone(), format!("the old version is still running: {} was not replaced", service.name))
    };
    wanted.services.iter().filter(is_old).map(sentence).collect()
}

/// The image without its digest, and with the tag that docker adds.
fn tagged(image: &str) -> String {
    let name = image.split_once('@').map_or(image, |(name, _)| name);
    let has_tag = name.rsplit('/').next().is_some_and(|last| last.contains(':'));
    if has_tag { name.to_owned() } else { format!("{name}:latest") }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::swarm::{Mode, Restart, RestartCondition, Slot, Task};

    fn plan(name: &str, image: &str) -> ServicePlan {
        ServicePlan {
            name: name.to_owned(),
            image: image.to_owned(),
            depends_on: Vec::new(),
            ports: Vec::new(),
            mounts: Vec::new(),
            uses: Vec::new(),
            scaled_to_zero: false,
            backup_labels: BTreeMap::new(),
        }
    }

    fn spec(name: &str, image: &str, commit: &str) -> Spec {
        let labels = [("chaos-version", commit), ("version", "1.1.0+2")];
        let labels = labels.map(|(name, value)| (format!("coop-cloud.x_example_org.{name}"), value.to_owned()));
        Spec { name: name.to_owned(), image: image.to_owned(), labels: labels.into() }
    }

    fn wrong(running: &[Spec]) -> Vec<String> {
        let stack = StackName::parse("x_example_org").unwrap();
        let head = Head { stack: &stack, chaos_version: "9f31c0e2", version: Some("1.1.0+2") };
        let wanted = [plan("app", "lab/web:2.0.0"), plan("db", "postgres")];
        not_running(&head, &wanted, running).into_iter().map(|(_, sentence)| sentence).collect()
    }

    #[test]
    fn s06_head_runs_when_images_and_labels_are_heads() {
        let running =
            [spec("app", "lab/web:2.0.0@sha256:aa", "9f31c0e2"), spec("db", "postgres:latest@sha256:bb", "9f31c0e2")];
        assert!(wrong(&running).is_empty(), "{:?}", wrong(&running));
    }

    #[test]
    fn s06_an_image_or_label_of_the_base_is_the_old_version() {
        let old = [spec("app", "lab/web:1.0.0@sha256:aa", "01234567"), spec("db", "postgres:latest", "01234567")];
        assert_eq!(wrong(&old), ["the old version is still running: app runs lab/web:1.0.0, not lab/web:2.0.0"]);
        let labels = [spec("app", "lab/web:2.0.0", "01234567"), spec("db", "postgres:latest", "01234567")];
        assert_eq!(
            wrong(&labels),
            ["the old version is still running: label `chaos-version` of app says 01234567, not 9f31c0e2"]
        );
        assert_eq!(wrong(&labels[..1]), ["db is not there after the upgrade"]);
    }

    #[test]
    fn s06_a_task_of_another_spec_that_goes_on_is_the_old_version() {
        let template = |image: &str| serde_json::json!({ "ContainerSpec": { "Image": image } });
        let task = |image: &str, desired| Task {
            id: "t".to_owned(),
            service_id: "s".to_owned(),
            slot: Slot::Number(1),
            spec: template(image),
            state: TaskState::Running,
            desired,
            created_at: Timestamp::UNIX_EPOCH,
            state_at: Timestamp::UNIX_EPOCH,
            error: String::new(),
            container: None,
            exit_code: None,
        };
        let service = WantedService {
            id: "s".to_owned(),
            name: "app".to_owned(),
            template: template("a:2"),
            mode: Mode::Replicated(1),
            restart: Restart { condition: RestartCondition::Any, max_attempts: None },
            healthcheck: None,
            memory_limit: None,
            depends_on: Vec::new(),
        };
        let wanted = Wanted { services: vec![service], timeout: None, deployed_at: Timestamp::UNIX_EPOCH };
        let of = |tasks: Vec<Task>| {
            let snapshot = Snapshot {
                at: Timestamp::UNIX_EPOCH,
                eligible_nodes: 1,
                services: Vec::new(),
                tasks,
                containers: BTreeMap::new(),
            };
            with_old_tasks(&wanted, &snapshot)
        };
        let old = of(vec![task("a:2", TaskState::Running), task("a:1", TaskState::Running)]);
        assert_eq!(old, [("app".to_owned(), "the old version is still running: app was not replaced".to_owned())]);
        assert!(
            of(vec![task("a:2", TaskState::Running), task("a:1", TaskState::Shutdown)]).is_empty(),
            "it is on its way out"
        );
    }
}
