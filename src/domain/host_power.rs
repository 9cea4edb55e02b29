//! Host power (design §2, §7): what lets a container rule its host, found in the compose files as they are deployed: merged
//! and filled in.
//!
//! Only what has an effect in a Swarm counts. `docker stack deploy` leaves out `privileged`, `devices`, `pid: host` and the
//! like ([`DROPPED`](super::recipe::compose::DROPPED)); a recipe that writes them gets a note ([`without_effect`]). What it
//! does pass on, tried with docker 26.1.5:
//! - mounts of host paths, in both forms, and volumes whose `driver_opts` mount one (`type: none`, `o: bind`, or a file system of
//!   a device);
//! - `cap_add`;
//! - the network called `host`, which a service joins by `external: true`.
//!
//! Harmless are read-only mounts of the host's time zone (`HARMLESS`): the same few bytes on every machine, and nothing that a
//! symbolic link of the recipe could turn elsewhere. Harmless are the capabilities that every container has anyway, and those
//! that end at the container's own network or memory (`HARMLESS_CAPABILITIES`). `sysctls` and `ulimits` are harmless: the engine
//! takes only those that belong to the container's own namespaces. All else counts, known or not.

use std::fmt;

use serde_json::Value;

use super::recipe::compose::{Compose, Mount, Resource, Service};
use super::recipe::yaml;

/// Paths of the host, and all below them, that a container may read.
const HARMLESS: [&str; 3] = ["/etc/localtime", "/etc/timezone", "/usr/share/zoneinfo"];

/// Docker's default set, then what reaches no further than the container's own network namespace (`NET_ADMIN`,
/// `NET_BROADCAST`), memory (`IPC_LOCK`) and the priority of its own processes (`SYS_NICE`).
const HARMLESS_CAPABILITIES: [&str; 18] = [
    "AUDIT_WRITE",
    "CHOWN",
    "DAC_OVERRIDE",
    "FOWNER",
    "FSETID",
    "KILL",
    "MKNOD",
    "NET_BIND_SERVICE",
    "NET_RAW",
    "SETFCAP",
    "SETGID",
    "SETPCAP",
    "SETUID",
    "SYS_CHROOT",
    "IPC_LOCK",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYS_NICE",
];

/// File systems that a volume may mount: they reach other machines or nothing at all, not this one.
const FILE_SYSTEMS_ELSEWHERE: [&str; 5] = ["cifs", "nfs", "nfs4", "smb3", "tmpfs"];

/// One thing by which a service can rule its host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Power {
    /// The service.
    pub service: String,
    /// What it does, as in `mounts the Docker socket …`. Parts of it come from the recipe: untrusted.
    pub what: String,
    /// The compose file and the line in it, from 1.
    pub place: Option<(String, usize)>,
}

impl fmt::Display for Power {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "`{}` {}", self.service, self.what)?;
        self.place.as_ref().map_or(Ok(()), |(file, line)| write!(f, " ({file}:{line})"))
    }
}

/// All host power of a stack, service by service. `texts` are the compose files that it was merged from, path and text, in order:
/// for the lines.
#[must_use]
pub fn host_power(compose: &Compose, texts: &[(&str, &str)]) -> Vec<Power> {
    let mut found = Vec::new();
    for (name, service) in &compose.services {
        for (what, key, needles) in of_service(service, compose) {
            let place = place(texts, name, key, &needles);
            found.push(Power { service: name.clone(), what, place });
        }
    }
    found
}

/// What would be host power, but has no effect in a Swarm: one sentence per service.
#[must_use]
pub fn without_effect(compose: &Compose) -> Vec<String> {
    let written = compose.services.iter().filter(|(_, service)| !service.dropped.is_empty());
    let said = |(name, service): (&String, &Service)| {
        let keys: Vec<String> = service.dropped.iter().map(|key| format!("`{key}`")).collect();
        format!("service `{name}`: {} without effect, `docker stack deploy` leaves it out", keys.join(", "))
    };
    written.map(said).collect()
}

/// Host power in a service as Swarm has it: its task template, and the id of the network called `host`. A second look, which does
/// not rest on our reading of compose files.
#[must_use]
pub fn in_template(service: &str, template: &Value, host_network: Option<&str>) -> Vec<Power> {
    let spec = &template["ContainerSpec"];
    let list = |value: &Value| value.as_array().cloned().unwrap_or_default();
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mounts = list(&spec["Mounts"]).into_iter().filter_map(|mount| {
        let seen = Mount {
            kind: text(&mount["Type"]),
            source: Some(text(&mount["Source"])),
            target: text(&mount["Target"]),
            read_only: mount["ReadOnly"].as_bool().unwrap_or(false),
        };
        let driver = &mount["VolumeOptions"]["DriverConfig"];
        let options = driver["Options"].as_object().into_iter().flatten();
        let volume = Resource {
            driver: driver["Name"].as_str().map(str::to_owned),
            driver_opts: options.map(|(name, value)| (name.clone(), text(value))).collect(),
            ..Resource::default()
        };
        of_mount(&seen, Some(&volume))
    });
    let capabilities = list(&spec["CapabilityAdd"]).into_iter().map(|name| text(&name));
    let capabilities = capabilities.filter(|name| !is_harmless_capability(name)).map(|name| gets(&name));
    let on_host = list(&template["Networks"]).iter().any(|network| network["Target"].as_str() == host_network);
    let networks = (on_host && host_network.is_some()).then(|| JOINS_HOST.to_owned());
    let found = mounts.chain(capabilities).chain(networks);
    found.map(|what| Power { service: service.to_owned(), what, place: None }).collect()
}

const JOINS_HOST: &str = "joins the host's own network";

fn gets(capability: &str) -> String {
    format!("gets the capability `{capability}`")
}

/// What it does, the key of the service that says so, and texts that its line holds, the best first.
type Found<'c> = (String, &'static str, Vec<&'c str>);

fn of_service<'c>(service: &'c Service, compose: &'c Compose) -> Vec<Found<'c>> {
    let mut found: Vec<Found<'c>> = Vec::new();
    for mount in &service.volumes {
        let needles = mount.source.as_deref().into_iter().chain([mount.target.as_str()]).collect();
        let volume = mount.source.as_ref().and_then(|source| compose.volumes.get(source));
        found.extend(of_mount(mount, volume).map(|what| (what, "volumes", needles)));
    }
    for capability in &service.cap_add {
        if !is_harmless_capability(capability) {
            found.push((gets(capability), "cap_add", vec![capability]));
        }
    }
    for key in &service.networks {
        let network = compose.networks.get(key);
        if network.and_then(|network| network.name.as_deref()).unwrap_or(key) == "host" {
            found.push((JOINS_HOST.to_owned(), "networks", vec![key]));
        }
    }
    found
}

fn of_mount(mount: &Mount, volume: Option<&Resource>) -> Option<String> {
    let source = mount.source.as_deref().unwrap_or_default();
    match mount.kind.as_str() {
        "tmpfs" | "image" | "cluster" => None,
        "volume" => {
            let path = mounts_host(volume?)?;
            Some(format!("mounts {path} of the host by the volume `{source}`"))
        }
        // `bind`, named pipes, and whatever comes later.
        _ if mount.read_only && is_harmless_path(source) => None,
        _ if source.ends_with(".sock") => Some(format!("mounts the host's socket `{source}`")),
        _ => Some(format!("mounts `{source}` of the host")),
    }
}

/// What a volume of docker's own driver mounts of this machine. Other drivers are programs that the target's maintainer
/// installed.
fn mounts_host(volume: &Resource) -> Option<String> {
    let option = |name: &str| volume.driver_opts.get(name).map(|text| text.trim()).filter(|text| !text.is_empty());
    let is_docker_s_own = matches!(volume.driver.as_deref(), None | Some("" | "local"));
    if !is_docker_s_own || volume.external || (option("type").is_none() && option("device").is_none()) {
        return None;
    }
    // With `bind` the kernel does not look at the type.
    let binds = option("o").is_some_and(|all| all.split(',').any(|one| matches!(one.trim(), "bind" | "rbind")));
    let elsewhere = option("type").is_some_and(|kind| FILE_SYSTEMS_ELSEWHERE.contains(&kind));
    (binds || !elsewhere).then(|| format!("`{}`", option("device").or(option("type")).unwrap_or_default()))
}

/// Only what is absolute and has no step upwards: a relative path depends on where it is deployed from.
fn is_harmless_path(path: &str) -> bool {
    let steps_up = path.split('/').any(|part| part == "..");
    let is_within = |known: &str| path.strip_prefix(known).is_some_and(|rest| rest.is_empty() || rest.starts_with('/'));
    !steps_up && HARMLESS.into_iter().any(is_within)
}

fn is_harmless_capability(name: &str) -> bool {
    let name = name.to_ascii_uppercase();
    HARMLESS_CAPABILITIES.contains(&name.strip_prefix("CAP_").unwrap_or(&name))
}

/// The line that says it: in the last file that has it, below the key of the service; else wherever it stands first; else the key.
fn place(texts: &[(&str, &str)], service: &str, key: &str, needles: &[&str]) -> Option<(String, usize)> {
    let found = |find: &dyn Fn(&str) -> Option<usize>| {
        texts.iter().rev().find_map(|(path, text)| find(text).map(|line| ((*path).to_owned(), line)))
    };
    let keyed = |text: &str| {
        let outer = yaml::line_of(text, &["services", service])?;
        yaml::line_of(text, &["services", service, key]).filter(|line| *line > outer)
    };
    let needles = || needles.iter().filter(|needle| !needle.is_empty());
    let in_block = |text: &str| {
        let first = keyed(text)?;
        needles().find_map(|needle| below(text, first, needle)).map(|below| first + below)
    };
    let anywhere = |text: &str| needles().find_map(|needle| yaml::line_with(text, &[needle]));
    found(&in_block).or_else(|| found(&keyed)).or_else(|| found(&anywhere))
}

/// How many lines below this one, within the same block, the text stands.
fn below(text: &str, first: usize, needle: &str) -> Option<usize> {
    let indent = |line: &str| line.len() - line.trim_start().len();
    let mut lines = text.lines().skip(first.checked_sub(1)?);
    let own = indent(lines.next()?);
    let is_content = |line: &str| !line.trim().is_empty() && !line.trim_start().starts_with('#');
    let block = lines.enumerate().take_while(|(_, line)| !is_content(line) || indent(line) > own);
    block.into_iter().find(|(_, line)| is_content(line) && line.contains(needle)).map(|(number, _)| number + 1)
}

#[cfg(test)]
#[path = "host_power_tests.rs"]
mod tests;
