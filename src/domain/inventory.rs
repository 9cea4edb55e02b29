//! What is on a target: one `kind name` line per object, compared before and after a run.

use std::collections::BTreeSet;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::ids::StackName;

/// All objects of a target.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Inventory(pub BTreeSet<Object>);

/// One object of a target.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Object {
    /// What it is.
    pub kind: ObjectKind,
    /// Its name; for a container of a task, service and slot without the task's id, so that a restart is no difference.
    pub name: String,
}

/// The kinds that are compared.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
#[expect(missing_docs, reason = "the names are Docker's own")]
pub enum ObjectKind {
    Config,
    Container,
    Network,
    Secret,
    Service,
    Stack,
    Volume,
}

impl ObjectKind {
    /// All kinds.
    pub const ALL: [Self; 7] =
        [Self::Config, Self::Container, Self::Network, Self::Secret, Self::Service, Self::Stack, Self::Volume];

    /// The kind's word.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Config => "config",
            Self::Container => "container",
            Self::Network => "network",
            Self::Secret => "secret",
            Self::Service => "service",
            Self::Stack => "stack",
            Self::Volume => "volume",
        }
    }
}

impl fmt::Display for Object {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.kind.name(), self.name)
    }
}

impl From<Object> for String {
    fn from(object: Object) -> Self {
        object.to_string()
    }
}

impl TryFrom<String> for Object {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        let (kind, name) = text.split_once(' ').ok_or_else(|| format!("`{text}` is not `kind name`"))?;
        let kind = ObjectKind::ALL.into_iter().find(|known| known.name() == kind);
        kind.map(|kind| Self { kind, name: name.to_owned() }).ok_or_else(|| format!("`{text}` has no known kind"))
    }
}

impl fmt::Display for Inventory {
    /// Sorted lines, each with its end.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let mut lines: Vec<String> = self.0.iter().map(ToString::to_string).collect();
        lines.sort();
        lines.iter().try_for_each(|line| writeln!(f, "{line}"))
    }
}

impl Inventory {
    /// Objects that are here and were not before.
    #[must_use]
    pub fn since(&self, before: &Self) -> Vec<Object> {
        self.0.difference(&before.0).cloned().collect()
    }
}

/// The apps of other runs on the same target, told by their names: `cc`, four characters of the run and the target's domain, as the own
/// stack's.
#[derive(Debug, Clone, Copy)]
pub struct Neighbours<'a> {
    own: &'a str,
}

impl<'a> Neighbours<'a> {
    /// Those beside this run's stack.
    #[must_use]
    pub fn of(own: &'a StackName) -> Self {
        Self { own: own.as_str() }
    }

    /// Whether an object of this name is of another run's app.
    #[must_use]
    pub fn have(&self, name: &str) -> bool {
        /// `cc` and the first characters of the run.
        const FRONT: usize = 6;
        let is_of_a_run = |front: &str| {
            front.starts_with("cc") && front.bytes().all(|byte| byte.is_ascii_lowercase() || byte.is_ascii_digit())
        };
        let Some((own, behind)) = self.own.split_at_checked(FRONT).filter(|(own, _)| is_of_a_run(own)) else {
            return false;
        };
        let Some((front, rest)) = name.split_at_checked(FRONT) else { return false };
        let Some(rest) = rest.strip_prefix(behind) else { return false };
        is_of_a_run(front) && front != own && (rest.is_empty() || rest.starts_with('_'))
    }
}

/// The name of a task's container without the task's id: `web_app.1.x3k…` → `web_app.1`.
#[must_use]
pub fn task_name(container: &str) -> &str {
    match container.rsplit_once('.') {
        Some((name, id)) if id.len() == 25 && id.bytes().all(|byte| byte.is_ascii_alphanumeric()) => name,
        _ => container,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn inventory(lines: &[&str]) -> Inventory {
        Inventory(lines.iter().map(|line| Object::try_from((*line).to_owned()).unwrap()).collect())
    }

    #[test]
    fn what_is_new_is_named_and_what_went_too() {
        let before = inventory(&["volume planted", "network proxy", "container proxy_app.1"]);
        let after = inventory(&["network proxy", "secret cc_pw_v1", "container proxy_app.1"]);
        assert_eq!(after.since(&before)[0].to_string(), "secret cc_pw_v1");
        assert_eq!(before.since(&after)[0].to_string(), "volume planted");
    }

    #[test]
    fn apps_of_other_runs_are_told_by_their_names() {
        let own = StackName::parse("ccab12_ci_lab_test").unwrap();
        let neighbours = Neighbours::of(&own);
        for name in ["ccxy34_ci_lab_test", "ccxy34_ci_lab_test_app.1", "ccxy34_ci_lab_test_db_password_v1"] {
            assert!(neighbours.have(name), "{name}");
        }
        let others = [
            "ccab12_ci_lab_test",
            "ccab12_ci_lab_test_app",
            "ccxy34_ci_lab_testing_app",
            "ccxy34_ci_elsewhere_test_app",
            "ccXY34_ci_lab_test_app",
            "traefik_ci_lab_test_app",
            "planted",
            "ccé34_ci_lab_test_",
            "",
        ];
        for name in others {
            assert!(!neighbours.have(name), "{name}");
        }
    }

    #[test]
    fn it_is_printed_sorted() {
        assert_eq!(inventory(&["volume b", "config z", "volume a"]).to_string(), "config z\nvolume a\nvolume b\n");
    }

    #[test]
    fn a_restarted_task_is_the_same_object() {
        assert_eq!(task_name("web_app.1.x3kq0z5v8m2n4b6c7d9f1g3h5"), "web_app.1");
        assert_eq!(task_name("registry.cache"), "registry.cache");
    }
}
