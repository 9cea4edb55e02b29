//! What a backup of an app holds, by the labels of the backup spec (Co-op Cloud's docs, *specs/backup*): which volumes and
//! paths, and which hooks run in which container.
//!
//! Read as operators' tools do: `backupbot.backup=true` on a service means all volumes of the stack, unless
//! `backupbot.backup.volumes.NAME=false` leaves one out or `….NAME.path=a,b` limits it; the older `backupbot.backup.path`
//! names paths in the labelled service's container instead.

use std::collections::BTreeSet;

use serde::{Deserialize, Serialize};

use super::deployment::ServicePlan;

/// The label that switches it on.
const SWITCH: &str = "backupbot.backup";
/// The older way to say what.
const PATHS: &str = "backupbot.backup.path";
const VOLUMES: &str = "backupbot.backup.volumes.";
/// No label names more paths.
const MOST_PATHS: usize = 64;

/// Why there can be no backup.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct NoBackup {
    /// There is nothing to back up; otherwise nothing says how.
    pub nothing_to_back_up: bool,
    /// In words.
    pub why: String,
}

/// What is archived, and what is run before and after.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct BackupPlan {
    /// What is archived, in order.
    pub parts: Vec<Part>,
    /// `backupbot.backup.pre-hook` of each labelled service, and so on.
    pub before_backup: Vec<Hook>,
    /// See above.
    pub after_backup: Vec<Hook>,
    /// See above.
    pub before_restore: Vec<Hook>,
    /// See above.
    pub after_restore: Vec<Hook>,
}

/// One archive: of a folder or a file in a service's container.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct Part {
    /// The volume, by its key in the compose file; `None`: a path that is on no volume.
    pub volume: Option<String>,
    /// The service in whose container it is.
    pub service: String,
    /// The path there.
    pub path: String,
    /// Whether it is the whole volume.
    pub whole: bool,
}

/// A command in the running container of a service.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Hook {
    /// The service.
    pub service: String,
    /// What its label says: a shell's text, and data to us.
    pub command: String,
}

impl BackupPlan {
    /// Whether all of this volume is archived.
    #[must_use]
    pub fn covers(&self, volume: &str) -> bool {
        self.parts.iter().any(|part| part.whole && part.volume.as_deref() == Some(volume))
    }
}

impl Part {
    /// As a person names it: `the volume data`, `backup.sql on the volume data`, `/srv/files of app`.
    #[must_use]
    pub fn said(&self) -> String {
        match (&self.volume, self.whole) {
            (Some(volume), true) => format!("the volume {volume}"),
            (Some(volume), false) => format!("{} on the volume {volume}", self.path),
            (None, _) => format!("{} of {}", self.path, self.service),
        }
    }

    /// The folder into which its archive is unpacked again.
    #[must_use]
    pub fn unpacked_in(&self) -> &str {
        if self.whole {
            return &self.path;
        }
        match self.path.trim_end_matches('/').rsplit_once('/') {
            None | Some(("", _)) => "/",
            Some((folder, _)) => folder,
        }
    }

    /// What the engine is asked for: the content of a whole volume without the folder itself.
    #[must_use]
    pub fn asked_for(&self) -> String {
        if self.whole { format!("{}/.", self.path.trim_end_matches('/')) } else { self.path.clone() }
    }
}

/// What a backup of these services holds.
///
/// # Errors
/// Why there can be none.
pub fn backup(services: &[ServicePlan]) -> Result<BackupPlan, NoBackup> {
    let volumes = volumes(services);
    let none = |without_volume: &str, with_volumes: &str| {
        let nothing_to_back_up = volumes.is_empty();
        let why = if nothing_to_back_up { without_volume } else { with_volumes };
        Err(NoBackup { nothing_to_back_up, why: why.to_owned() })
    };
    let labelled: Vec<&ServicePlan> = services.iter().filter(|service| is_labelled(service)).collect();
    if labelled.is_empty() {
        return none(
            "there is no volume, and no backup label",
            "there are volumes, and no service has the label `backupbot.backup=true`",
        );
    }
    let mut parts = BTreeSet::new();
    for service in &labelled {
        match service.backup_labels.get(PATHS) {
            Some(paths) => parts.extend(list(paths).filter_map(|path| at_path(service, path))),
            None => parts.extend(volumes.iter().flat_map(|volume| of_volume(&labelled, services, volume))),
        }
    }
    if parts.is_empty() {
        return none("there is no volume to back up", "the backup labels leave every volume out");
    }
    let hooks = |name: &str| -> Vec<Hook> {
        let hook = |service: &&ServicePlan| {
            let command = unwrapped(service.backup_labels.get(name)?);
            (!command.is_empty()).then(|| Hook { service: service.name.clone(), command: command.to_owned() })
        };
        labelled.iter().filter_map(hook).collect()
    };
    Ok(BackupPlan {
        parts: parts.into_iter().collect(),
        before_backup: hooks("backupbot.backup.pre-hook"),
        after_backup: hooks("backupbot.backup.post-hook"),
        before_restore: hooks("backupbot.restore.pre-hook"),
        after_restore: hooks("backupbot.restore.post-hook"),
    })
}

fn is_labelled(service: &ServicePlan) -> bool {
    service.backup_labels.get(SWITCH).is_some_and(|value| value.trim().eq_ignore_ascii_case("true"))
}

/// The named volumes that something mounts where a container runs.
fn volumes(services: &[ServicePlan]) -> BTreeSet<&str> {
    let mounts = services.iter().filter(|service| !service.scaled_to_zero).flat_map(|service| &service.mounts);
    mounts.filter(|mount| mount.kind == "volume").filter_map(|mount| mount.source.as_deref()).collect()
}

fn list(text: &str) -> impl Iterator<Item = &str> {
    text.split(',').map(str::trim).filter(|item| !item.is_empty()).take(MOST_PATHS)
}

/// One volume, as the labels of all labelled services want it.
fn of_volume(labelled: &[&ServicePlan], services: &[ServicePlan], volume: &str) -> Vec<Part> {
    let label = |suffix: &str| {
        let name = format!("{VOLUMES}{volume}{suffix}");
        labelled.iter().find_map(|service| service.backup_labels.get(&name))
    };
    if label("").is_some_and(|value| value.trim().eq_ignore_ascii_case("false")) {
        return Vec::new();
    }
    let Some((service, root)) = place(labelled, services, volume) else { return Vec::new() };
    let part = |path: String, whole| Part { volume: Some(volume.to_owned()), service: service.clone(), path, whole };
    match label(".path") {
        None => vec![part(root, true)],
        Some(paths) => {
            let inside = |path: &&str| !path.split('/').any(|step| step == "..");
            let paths = list(paths).map(|path| path.trim_matches('/')).filter(inside);
            paths.map(|path| part(format!("{}/{path}", root.trim_end_matches('/')), false)).collect()
        }
    }
}

/// Where a volume is found: in a labelled service before others, and where it can be written before where it cannot.
fn place(labelled: &[&ServicePlan], services: &[ServicePlan], volume: &str) -> Option<(String, String)> {
    let all = labelled.iter().copied().chain(services).filter(|service| !service.scaled_to_zero);
    let found: Vec<_> = all
        .flat_map(|service| service.mounts.iter().map(move |mount| (service, mount)))
        .filter(|(_, mount)| mount.kind == "volume" && mount.source.as_deref() == Some(volume))
        .collect();
    let (service, mount) = found.iter().find(|(_, mount)| !mount.read_only).or_else(|| found.first())?;
    Some((service.name.clone(), mount.target.clone()))
}

/// An absolute path in the labelled service's container, and the volume that it is on.
fn at_path(service: &ServicePlan, path: &str) -> Option<Part> {
    if !path.starts_with('/') || path.split('/').any(|step| step == "..") {
        return None;
    }
    let path = if path == "/" { path } else { path.trim_end_matches('/') };
    let below = |root: &str| path == root || path.strip_prefix(root).is_some_and(|rest| rest.starts_with('/'));
    let mounts =
        service.mounts.iter().filter(|mount| mount.kind == "volume" && below(mount.target.trim_end_matches('/')));
    let mount = mounts.max_by_key(|mount| mount.target.len());
    Some(Part {
        volume: mount.and_then(|mount| mount.source.clone()),
        service: service.name.clone(),
        path: path.to_owned(),
        whole: mount.is_some_and(|mount| mount.target.trim_end_matches('/') == path),
    })
}

/// A hook without the shell that many recipes write around it: it is run by one anyway.
fn unwrapped(hook: &str) -> &str {
    let hook = hook.trim();
    let bare = ["bash -c ", "sh -c ", "/bin/bash -c ", "/bin/sh -c "].iter().find_map(|shell| hook.strip_prefix(shell));
    let Some(bare) = bare.map(str::trim) else { return hook };
    let quoted = ['\'', '"'].iter().find_map(|quote| bare.strip_prefix(*quote)?.strip_suffix(*quote));
    match quoted {
        Some(inner) if !inner.contains(['\'', '"', '\\', '$']) => inner,
        // What a shell would have to read stays as it is.
        Some(_) | None => hook,
    }
}

#[cfg(test)]
mod tests;
