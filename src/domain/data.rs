//! Data that must survive: the seeds of the tests file, and a file that cc-ci plants in every volume (a sentinel). What is looked for
//! after an upgrade and after a restore, and what it means when it is not there.

use serde::{Deserialize, Serialize};

use super::backup::BackupPlan;
use super::ids::RunId;
use super::results::one_line;

/// Characters of a name or a path in a sentence.
const SHOWN: usize = 80;

/// The name of the file that a run plants.
#[must_use]
pub fn sentinel(run: &RunId) -> String {
    format!(".cc-ci-{run}")
}

/// A file that was planted: where.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Planted {
    /// The service in whose container it was put.
    pub service: String,
    /// The folder in that container.
    pub path: String,
    /// The volume that was mounted there, by its name on the target without the stack's.
    pub volume: String,
}

/// What was made before the upgrade or the backup.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Seeded {
    /// The names of the seeds.
    pub seeds: Vec<String>,
    /// The files.
    pub planted: Vec<Planted>,
    /// Volumes that nothing could be planted in, and why.
    pub not_planted: Vec<String>,
}

/// What was looked for afterwards, and was there.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Survived {
    /// The names of the seeds.
    pub seeds: Vec<String>,
    /// How many files.
    pub planted: u32,
    /// What could not be looked for, and why.
    pub not_looked_for: Vec<String>,
}

impl Survived {
    /// How many things were looked for and found: none proves nothing.
    #[must_use]
    pub fn assertions(&self) -> usize {
        self.seeds.len() + self.planted as usize
    }

    /// `2 seeds and the files in 3 volumes`; nothing when there is neither.
    #[must_use]
    pub fn said(&self) -> Option<String> {
        let seeds = match self.seeds.as_slice() {
            [] => None,
            [one] => Some(format!("the seed “{}”", one_line(one, SHOWN))),
            more => Some(format!("{} seeds", more.len())),
        };
        let files = match self.planted {
            0 => None,
            1 => Some("the file planted in its volume".to_owned()),
            more => Some(format!("the files planted in {more} volumes")),
        };
        let parts: Vec<String> = seeds.into_iter().chain(files).collect();
        (!parts.is_empty()).then(|| parts.join(" and "))
    }
}

/// How head's container of a service looks at a path where something was planted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Place {
    /// The service is not in head's compose files.
    NoService,
    /// No container of it runs.
    NoContainer,
    /// Nothing is mounted at the path.
    NotMounted,
    /// This volume is (without the stack's name), and whether the file is in it.
    Mounted {
        /// The volume.
        volume: String,
        /// Whether the file is there.
        there: bool,
    },
}

/// What such a look means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Look {
    /// It survived.
    There,
    /// It cannot be looked for: why.
    NotLooked(String),
    /// It is lost: the headline.
    Lost(String),
}

/// What a look after an upgrade means.
#[must_use]
pub fn after_upgrade(planted: &Planted, place: &Place) -> Look {
    let Planted { service, path, volume } = planted;
    let (path, volume) = (one_line(path, SHOWN), one_line(volume, SHOWN));
    match place {
        Place::NoService => {
            Look::NotLooked(format!("{service} is not a part of head: its volume {volume} is not used by it any more"))
        }
        Place::NoContainer => Look::NotLooked(format!("{service} has no running container: {path} was not looked at")),
        Place::NotMounted => Look::NotLooked(format!(
            "{service} does not mount anything at {path} any more: the volume {volume} was not looked at"
        )),
        Place::Mounted { there: true, .. } => Look::There,
        Place::Mounted { volume: other, there: false } if *other != planted.volume => Look::Lost(format!(
            "data left behind in the volume {volume}: {service} now mounts the volume {} at {path}",
            one_line(other, SHOWN)
        )),
        Place::Mounted { there: false, .. } => {
            Look::Lost(format!("the upgrade emptied the volume {volume} of {service}: what was at {path} is gone"))
        }
    }
}

/// What a look after a restore means. Only a volume that is backed up as a whole can bring the file back.
#[must_use]
pub fn after_restore(planted: &Planted, place: &Place, backup: &BackupPlan) -> Look {
    let Planted { service, path, volume } = planted;
    if !backup.covers(volume) {
        let volume = one_line(volume, SHOWN);
        return Look::NotLooked(format!("the volume {volume} is not backed up as a whole"));
    }
    match after_upgrade(planted, place) {
        Look::Lost(_) => Look::Lost(format!(
            "what was in the volume {} of {service} at {} before the backup did not come back",
            one_line(volume, SHOWN),
            one_line(path, SHOWN)
        )),
        look @ (Look::There | Look::NotLooked(_)) => look,
    }
}

/// The headline of a seed whose proof does not hold; `when`: `after the upgrade`, `after the restore`.
#[must_use]
pub fn seed_gone(name: &str, when: &str, seen: &str) -> String {
    format!("the seed “{}” is gone {when}: {}", one_line(name, SHOWN), one_line(seen, SHOWN * 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::backup::Part;

    fn planted() -> Planted {
        Planted { service: "app".into(), path: "/data".into(), volume: "data".into() }
    }

    fn mounted(volume: &str, there: bool) -> Place {
        Place::Mounted { volume: volume.into(), there }
    }

    #[test]
    fn s02_another_volume_at_the_same_path_is_data_left_behind() {
        let said = [
            after_upgrade(&planted(), &mounted("data", true)),
            after_upgrade(&planted(), &mounted("data2", true)),
            after_upgrade(&planted(), &mounted("data2", false)),
            after_upgrade(&planted(), &mounted("data", false)),
            after_upgrade(&planted(), &Place::NotMounted),
            after_upgrade(&planted(), &Place::NoContainer),
            after_upgrade(&planted(), &Place::NoService),
        ];
        insta::assert_debug_snapshot!(said);
    }

    #[test]
    fn only_a_volume_that_is_backed_up_as_a_whole_must_come_back() {
        let part = |whole| Part { volume: Some("data".into()), service: "app".into(), path: "/data".into(), whole };
        let plan = |whole| BackupPlan { parts: vec![part(whole)], ..BackupPlan::default() };
        assert_eq!(after_restore(&planted(), &mounted("data", true), &plan(true)), Look::There);
        assert!(
            matches!(after_restore(&planted(), &mounted("data", false), &plan(true)), Look::Lost(why) if why.ends_with("did not come back"))
        );
        assert!(matches!(after_restore(&planted(), &mounted("data", false), &plan(false)), Look::NotLooked(_)));
    }

    #[test]
    fn what_survived_in_words() {
        let of = |seeds: &[&str], planted| Survived {
            seeds: seeds.iter().map(|&name| name.into()).collect(),
            planted,
            ..Survived::default()
        };
        assert_eq!(of(&[], 0).said(), None);
        assert_eq!(of(&["a user"], 1).said().unwrap(), "the seed “a user” and the file planted in its volume");
        assert_eq!(of(&["a", "b"], 2).said().unwrap(), "2 seeds and the files planted in 2 volumes");
    }
}
