//! Compose files, read tolerantly: what we need to know of a stack, in one shape, whatever form the file uses.
//!
//! Docker's own loader checks a file strictly when it deploys; this view must only never be wrong about what it does read.

use std::collections::{BTreeMap, BTreeSet};

use serde_json::Value;

use super::yaml::{self, YamlError};

/// What a compose file, or several merged ones, describe.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Compose {
    /// `version:` as written.
    pub version: Option<String>,
    /// Services by name.
    pub services: BTreeMap<String, Service>,
    /// Secrets by key.
    pub secrets: BTreeMap<String, Resource>,
    /// Configs by key.
    pub configs: BTreeMap<String, Resource>,
    /// Networks by key.
    pub networks: BTreeMap<String, Resource>,
    /// Volumes by key.
    pub volumes: BTreeMap<String, Resource>,
}

/// A top-level secret, config, network or volume.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Resource {
    /// Not made by this stack.
    pub external: bool,
    /// Its name in the Swarm, where one is set.
    pub name: Option<String>,
    /// The file its content comes from.
    pub file: Option<String>,
    /// The template driver, e.g. `golang`.
    pub template_driver: Option<String>,
    /// The volume or network driver.
    pub driver: Option<String>,
    /// What the driver is told (`driver_opts`).
    pub driver_opts: BTreeMap<String, String>,
}

/// One service.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Service {
    /// The image.
    pub image: Option<String>,
    /// The command, one text per word, or one text for a shell string.
    pub command: Vec<String>,
    /// The entrypoint, likewise.
    pub entrypoint: Vec<String>,
    /// Environment; nothing = taken from the environment of the deploy.
    pub environment: BTreeMap<String, Option<String>>,
    /// Files that environment is read from.
    pub env_file: Vec<String>,
    /// Labels of the containers (not of the service).
    pub labels: BTreeMap<String, String>,
    /// How it is deployed.
    pub deploy: Deploy,
    /// The healthcheck.
    pub healthcheck: Option<Healthcheck>,
    /// Services it waits for; Swarm ignores it, people mean it.
    pub depends_on: Vec<String>,
    /// Secrets it uses.
    pub secrets: Vec<Attached>,
    /// Configs it uses.
    pub configs: Vec<Attached>,
    /// Networks it is on.
    pub networks: Vec<String>,
    /// Volumes, binds and tmpfs.
    pub volumes: Vec<Mount>,
    /// Published ports.
    pub ports: Vec<Port>,
    /// `stop_grace_period`.
    pub stop_grace_period: Option<String>,
    /// `privileged`, which Swarm ignores.
    pub privileged: bool,
    /// `cap_add`.
    pub cap_add: Vec<String>,
    /// `network_mode`.
    pub network_mode: Option<String>,
    /// `pid`.
    pub pid: Option<String>,
    /// Keys that `docker stack deploy` leaves out and that would give power over the host: see [`DROPPED`].
    pub dropped: BTreeSet<String>,
}

/// What gives power over the host in `docker compose` and is left out by `docker stack deploy`, with a warning ("Ignoring
/// unsupported options"); Swarm's API has no place for most of it. Tried with docker 26.1.5: the container has none of them.
/// (`cgroupns_mode` is refused.)
pub const DROPPED: [&str; 8] =
    ["cgroup_parent", "devices", "ipc", "network_mode", "pid", "privileged", "security_opt", "userns_mode"];

/// The part of a service that Swarm alone reads.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Deploy {
    /// Labels of the service: Traefik's, abra's, backupbot's.
    pub labels: BTreeMap<String, String>,
    /// `replicated`, `global`, …
    pub mode: Option<String>,
    /// How many tasks.
    pub replicas: Option<String>,
    /// `restart_policy` as it stands.
    pub restart_policy: Value,
    /// `update_config` as it stands.
    pub update_config: Value,
    /// `rollback_config` as it stands.
    pub rollback_config: Value,
    /// `resources` as it stands.
    pub resources: Value,
    /// Placement constraints.
    pub constraints: Vec<String>,
}

/// A healthcheck.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Healthcheck {
    /// The test, one text per word, or one text for a shell string.
    pub test: Vec<String>,
    /// Switched off, by `disable: true` or `NONE`.
    pub disabled: bool,
    /// `interval`, `timeout`, `start_period`, `start_interval` as written.
    pub durations: BTreeMap<String, String>,
    /// `retries` as written.
    pub retries: Option<String>,
}

/// A secret or config in a service.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Attached {
    /// The key of the top-level entry.
    pub source: String,
    /// Where it is put, if said.
    pub target: Option<String>,
}

/// Something mounted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mount {
    /// `volume`, `bind`, `tmpfs`, …
    pub kind: String,
    /// The volume's key or the host's path; nothing for an anonymous one.
    pub source: Option<String>,
    /// Where in the container.
    pub target: String,
    /// Not writable.
    pub read_only: bool,
}

/// A published port.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Port {
    /// In the container, perhaps a range.
    pub target: String,
    /// On the host; nothing = Swarm chooses.
    pub published: Option<String>,
    /// `tcp`, `udp` or `sctp`.
    pub protocol: String,
    /// `ingress` or `host`.
    pub mode: String,
}

impl Compose {
    /// Reads one file as it stands, variables and all.
    ///
    /// # Errors
    /// When it is no YAML.
    pub fn parse(text: &str) -> Result<Self, YamlError> {
        yaml::parse(text).and_then(|tree| Self::read(&tree))
    }

    /// Reads a tree.
    ///
    /// # Errors
    /// When the file as a whole is no map.
    pub fn read(tree: &Value) -> Result<Self, YamlError> {
        if !tree.is_object() {
            return Err(YamlError { line: Some(1), message: "a map with `services:` is needed".to_owned() });
        }
        let resources = |name: &str| entries(&tree[name]).map(|(key, value)| (key.clone(), resource(value))).collect();
        Ok(Self {
            version: yaml::scalar(&tree["version"]),
            services: entries(&tree["services"]).map(|(name, value)| (name.clone(), service(value))).collect(),
            secrets: resources("secrets"),
            configs: resources("configs"),
            networks: resources("networks"),
            volumes: resources("volumes"),
        })
    }

    /// The version that docker's loader compares between files: none and `3` are the newest it knows.
    #[must_use]
    pub fn loader_version(&self) -> Option<&str> {
        self.version.as_deref().filter(|version| !matches!(*version, "" | "3"))
    }
}

fn entries(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

fn items(value: &Value) -> &[Value] {
    value.as_array().map_or(&[], Vec::as_slice)
}

fn flag(value: &Value) -> bool {
    value.as_bool().unwrap_or_else(|| value.as_str() == Some("true"))
}

/// Whether a key says anything: not when it is left empty or switched off.
fn is_set(value: &Value) -> bool {
    match value {
        Value::Null | Value::Bool(false) => false,
        Value::String(text) => !matches!(text.as_str(), "" | "false"),
        Value::Array(items) => !items.is_empty(),
        Value::Object(entries) => !entries.is_empty(),
        Value::Bool(true) | Value::Number(_) => true,
    }
}

/// A text, or a list of texts.
fn words(value: &Value) -> Vec<String> {
    items(value).iter().filter_map(yaml::scalar).chain(yaml::scalar(value)).collect()
}

/// The names of a list, or the keys of a map (`depends_on`, `networks`).
fn names(value: &Value) -> Vec<String> {
    let listed = items(value).iter().filter_map(yaml::scalar);
    listed.chain(entries(value).map(|(name, _)| name.clone())).collect()
}

/// `KEY=value` texts or a map; a key without value has none.
fn pairs(value: &Value) -> BTreeMap<String, Option<String>> {
    let pair = |text: String| match text.split_once('=') {
        Some((key, value)) => (key.to_owned(), Some(value.to_owned())),
        None => (text, None),
    };
    let listed = items(value).iter().filter_map(yaml::scalar).map(pair);
    listed.chain(entries(value).map(|(key, value)| (key.clone(), yaml::scalar(value)))).collect()
}

fn labels(value: &Value) -> BTreeMap<String, String> {
    pairs(value).into_iter().map(|(key, value)| (key, value.unwrap_or_default())).collect()
}

fn resource(value: &Value) -> Resource {
    let external = &value["external"];
    Resource {
        external: external.is_object() || flag(external),
        name: yaml::scalar(&value["name"]).or_else(|| yaml::scalar(&external["name"])),
        file: yaml::scalar(&value["file"]),
        template_driver: yaml::scalar(&value["template_driver"]),
        driver: yaml::scalar(&value["driver"]),
        driver_opts: labels(&value["driver_opts"]),
    }
}

fn service(value: &Value) -> Service {
    Service {
        image: yaml::scalar(&value["image"]),
        command: words(&value["command"]),
        entrypoint: words(&value["entrypoint"]),
        environment: pairs(&value["environment"]),
        env_file: words(&value["env_file"]),
        labels: labels(&value["labels"]),
        deploy: deploy(&value["deploy"]),
        healthcheck: value["healthcheck"].is_object().then(|| healthcheck(&value["healthcheck"])),
        depends_on: names(&value["depends_on"]),
        secrets: items(&value["secrets"]).iter().filter_map(attached).collect(),
        configs: items(&value["configs"]).iter().filter_map(attached).collect(),
        networks: names(&value["networks"]),
        volumes: items(&value["volumes"]).iter().filter_map(mount).collect(),
        ports: items(&value["ports"]).iter().filter_map(port).collect(),
        stop_grace_period: yaml::scalar(&value["stop_grace_period"]),
        privileged: flag(&value["privileged"]),
        cap_add: words(&value["cap_add"]),
        network_mode: yaml::scalar(&value["network_mode"]),
        pid: yaml::scalar(&value["pid"]),
        dropped: DROPPED.into_iter().filter(|key| is_set(&value[*key])).map(str::to_owned).collect(),
    }
}

fn deploy(value: &Value) -> Deploy {
    Deploy {
        labels: labels(&value["labels"]),
        mode: yaml::scalar(&value["mode"]),
        replicas: yaml::scalar(&value["replicas"]),
        restart_policy: value["restart_policy"].clone(),
        update_config: value["update_config"].clone(),
        rollback_config: value["rollback_config"].clone(),
        resources: value["resources"].clone(),
        constraints: words(&value["placement"]["constraints"]),
    }
}

fn healthcheck(value: &Value) -> Healthcheck {
    let test = words(&value["test"]);
    let duration = |name: &str| yaml::scalar(&value[name]).map(|duration| (name.to_owned(), duration));
    Healthcheck {
        disabled: flag(&value["disable"]) || test.first().is_some_and(|word| word == "NONE"),
        test,
        durations: ["interval", "timeout", "start_period", "start_interval"].into_iter().filter_map(duration).collect(),
        retries: yaml::scalar(&value["retries"]),
    }
}

fn attached(value: &Value) -> Option<Attached> {
    let source = yaml::scalar(value).or_else(|| yaml::scalar(&value["source"]))?;
    Some(Attached { source, target: yaml::scalar(&value["target"]) })
}

fn mount(value: &Value) -> Option<Mount> {
    let Some(text) = value.as_str() else {
        return Some(Mount {
            kind: yaml::scalar(&value["type"]).unwrap_or_else(|| "volume".to_owned()),
            source: yaml::scalar(&value["source"]),
            target: yaml::scalar(&value["target"])?,
            read_only: flag(&value["read_only"]),
        });
    };
    let mut parts = super::merge::colon_parts(text).into_iter();
    let (first, second) = (parts.next()?, parts.next());
    let (source, target) = second.map_or((None, first), |target| (Some(first), target));
    let is_path = source.is_some_and(|source| source.starts_with(['/', '.', '~']));
    Some(Mount {
        kind: if is_path { "bind" } else { "volume" }.to_owned(),
        source: source.map(str::to_owned),
        target: target.to_owned(),
        read_only: parts.next().is_some_and(|options| options.split(',').any(|option| option == "ro")),
    })
}

fn port(value: &Value) -> Option<Port> {
    if value.is_object() {
        return Some(Port {
            target: yaml::scalar(&value["target"])?,
            published: yaml::scalar(&value["published"]),
            protocol: yaml::scalar(&value["protocol"]).unwrap_or_else(|| "tcp".to_owned()),
            mode: yaml::scalar(&value["mode"]).unwrap_or_else(|| "ingress".to_owned()),
        });
    }
    let text = yaml::scalar(value)?;
    let (ports, protocol) = text.split_once('/').unwrap_or((&text, "tcp"));
    let mut parts = super::merge::colon_parts(ports);
    let target = parts.pop()?;
    let published = parts.pop().filter(|port| !port.is_empty()).map(str::to_owned);
    Some(Port { target: target.to_owned(), published, protocol: protocol.to_owned(), mode: "ingress".to_owned() })
}

#[cfg(test)]
#[path = "compose_tests.rs"]
mod tests;
