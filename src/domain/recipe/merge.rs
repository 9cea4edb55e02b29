//! Several compose files as one, the way `docker stack deploy -c a -c b` merges them (tried with docker 28.2.2): services by
//! name, their maps by key and the later wins; mounts by target, ports by port; a top-level entry is replaced as a whole.

use std::collections::BTreeMap;
use std::collections::btree_map::Entry;

use serde_json::Value;

use super::compose::{Attached, Compose, Deploy, Service};

impl Compose {
    /// This file with a later one merged in.
    pub fn merge(&mut self, later: Self) {
        for (name, service) in later.services {
            match self.services.get_mut(&name) {
                Some(earlier) => earlier.merge(service),
                None => _ = self.services.insert(name, service),
            }
        }
        self.version = self.version.take().or(later.version);
        self.secrets.extend(later.secrets);
        self.configs.extend(later.configs);
        self.networks.extend(later.networks);
        self.volumes.extend(later.volumes);
    }
}

impl Service {
    fn merge(&mut self, later: Self) {
        replace(&mut self.image, later.image);
        replace_list(&mut self.command, later.command);
        replace_list(&mut self.entrypoint, later.entrypoint);
        for (name, value) in later.environment {
            let slot = self.environment.entry(name).or_default();
            replace(slot, value);
        }
        self.env_file.extend(later.env_file);
        self.labels.extend(later.labels);
        self.deploy.merge(later.deploy);
        replace(&mut self.healthcheck, later.healthcheck);
        self.depends_on.extend(later.depends_on);
        merge_attached(&mut self.secrets, later.secrets);
        merge_attached(&mut self.configs, later.configs);
        self.networks.extend(later.networks);
        self.networks.sort();
        self.networks.dedup();
        by_key(&mut self.volumes, later.volumes, |mount| mount.target.clone());
        by_key(&mut self.ports, later.ports, |port| {
            (port.published.clone(), port.target.clone(), port.protocol.clone())
        });
        replace(&mut self.stop_grace_period, later.stop_grace_period);
        self.privileged |= later.privileged;
        self.cap_add.extend(later.cap_add);
        replace(&mut self.network_mode, later.network_mode);
        replace(&mut self.pid, later.pid);
        self.dropped.extend(later.dropped);
    }
}

impl Deploy {
    fn merge(&mut self, later: Self) {
        self.labels.extend(later.labels);
        replace(&mut self.mode, later.mode);
        replace(&mut self.replicas, later.replicas);
        merge_value(&mut self.restart_policy, later.restart_policy);
        merge_value(&mut self.update_config, later.update_config);
        merge_value(&mut self.rollback_config, later.rollback_config);
        merge_value(&mut self.resources, later.resources);
        self.constraints.extend(later.constraints);
    }
}

fn replace<T>(earlier: &mut Option<T>, later: Option<T>) {
    if later.is_some() {
        *earlier = later;
    }
}

fn replace_list<T>(earlier: &mut Vec<T>, later: Vec<T>) {
    if !later.is_empty() {
        *earlier = later;
    }
}

fn merge_attached(earlier: &mut Vec<Attached>, later: Vec<Attached>) {
    by_key(earlier, later, |attached| attached.target.clone().unwrap_or_else(|| attached.source.clone()));
}

/// Later entries of the same key replace earlier ones; others follow.
fn by_key<T, K: Ord>(earlier: &mut Vec<T>, later: Vec<T>, key: impl Fn(&T) -> K) {
    let mut known: BTreeMap<K, usize> = BTreeMap::new();
    for (index, entry) in earlier.iter().enumerate() {
        known.entry(key(entry)).or_insert(index);
    }
    for entry in later {
        match known.entry(key(&entry)) {
            Entry::Occupied(index) => earlier[*index.get()] = entry,
            Entry::Vacant(vacant) => {
                vacant.insert(earlier.len());
                earlier.push(entry);
            }
        }
    }
}

fn merge_value(earlier: &mut Value, later: Value) {
    match (earlier, later) {
        (_, Value::Null) => {}
        (Value::Object(earlier), Value::Object(later)) => {
            for (key, value) in later {
                merge_value(earlier.entry(key).or_insert(Value::Null), value);
            }
        }
        (earlier, later) => *earlier = later,
    }
}

/// The text cut at each `:` that is not inside `${…}`.
pub(super) fn colon_parts(text: &str) -> Vec<&str> {
    let mut depth = 0_usize;
    text.split(|c: char| {
        match c {
            '{' => depth += 1,
            '}' => depth = depth.saturating_sub(1),
            _ => {}
        }
        c == ':' && depth == 0
    })
    .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s16_later_files_win_key_by_key() {
        // Given to `docker stack config -c a -c b` 28.2.2.
        let mut merged = Compose::parse(concat!(
            "version: '3.8'\nservices:\n  app:\n    image: foo:1\n    command: [y]\n    ports: ['80:80']\n    volumes: ['p:/d']\n",
            "    environment: {A: a, B: b}\n    networks: [i, j]\n    secrets: [s]\n    depends_on: [db]\n",
            "    deploy: {labels: [x=1, y=1], restart_policy: {condition: any, delay: 1s}}\nsecrets:\n  s: {name: foo, external: true}\n",
        ))
        .unwrap();
        merged.merge(
            Compose::parse(concat!(
                "version: '3.8'\nservices:\n  app:\n    command: [x]\n    ports: ['81:80']\n    volumes: ['q:/d']\n",
                "    environment: [B, C=c]\n    networks: {i: {aliases: [z]}}\n    secrets: [s]\n    deploy: {labels: {y: 2}, restart_policy: {delay: 9s}}\n",
                "  db:\n    image: db:1\nsecrets:\n  s: {external: true}\n",
            ))
            .unwrap(),
        );
        let app = &merged.services["app"];
        assert_eq!(app.command, ["x"]);
        assert_eq!(app.image.as_deref(), Some("foo:1"));
        assert_eq!(app.ports.len(), 2);
        assert_eq!((app.volumes.len(), app.volumes[0].source.as_deref()), (1, Some("q")));
        assert_eq!((app.environment["B"].as_deref(), app.environment["C"].as_deref()), (Some("b"), Some("c")));
        assert_eq!((app.networks.len(), app.secrets.len(), app.depends_on.len()), (2, 1, 1));
        assert_eq!((app.deploy.labels["x"].as_str(), app.deploy.labels["y"].as_str()), ("1", "2"));
        assert_eq!(app.deploy.restart_policy, serde_json::json!({"condition": "any", "delay": "9s"}));
        assert_eq!(merged.secrets["s"].name, None, "a top-level entry is replaced as a whole");
        assert!(merged.services.contains_key("db"));
    }
}
