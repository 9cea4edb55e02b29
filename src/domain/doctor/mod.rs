//! What `cc-ci doctor` looks at, and how it is told: one ordered list, each line with what was seen, why it matters, and the command
//! that mends it. It only looks: nothing is deployed or changed.

mod attempt;
mod text;
mod words;

use serde::Serialize;

pub use attempt::{Attempt, Tried};
pub use text::told;
pub use words::Matter;

/// How a check came out.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Outcome {
    /// As it should be.
    Good,
    /// Something that is needed is not as it should be.
    Bad,
    /// Not as it could be, or not looked at; nothing fails by it.
    Open,
}

impl Outcome {
    /// Its sign.
    #[must_use]
    pub const fn sign(self) -> &'static str {
        match self {
            Self::Good => "✓",
            Self::Bad => "✕",
            Self::Open => "○",
        }
    }
}

/// One line of the list.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Check {
    /// What was looked at.
    #[serde(serialize_with = "named", rename = "id")]
    pub matter: Matter,
    /// The target, or `None` for the gate.
    pub target: Option<String>,
    /// How it came out.
    pub outcome: Outcome,
    /// What was seen, in a sentence without its full stop.
    pub said: String,
    /// Why it matters.
    pub why: &'static str,
    /// What to do where it is not as it should be: a command, or a setting.
    pub mend: Option<String>,
}

#[expect(clippy::trivially_copy_pass_by_ref, reason = "the shape that serde asks for")]
fn named<S: serde::Serializer>(matter: &Matter, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_str(matter.name())
}

impl Check {
    /// All is well.
    #[must_use]
    pub fn good(matter: Matter, said: impl Into<String>) -> Self {
        Self { matter, target: None, outcome: Outcome::Good, said: said.into(), why: matter.why(), mend: None }
    }

    /// Something needed is wrong, and what mends it.
    #[must_use]
    pub fn bad(matter: Matter, said: impl Into<String>, mend: impl Into<String>) -> Self {
        Self { outcome: Outcome::Bad, mend: Some(mend.into()), ..Self::good(matter, said) }
    }

    /// Something else could be better, or was not looked at.
    #[must_use]
    pub fn open(matter: Matter, said: impl Into<String>, mend: Option<String>) -> Self {
        Self { outcome: Outcome::Open, mend, ..Self::good(matter, said) }
    }

    /// What an error says: its sentence, and its hint as what to do.
    #[must_use]
    pub fn failed(matter: Matter, error: &impl std::fmt::Display) -> Self {
        let text = error.to_string();
        let (said, hint) = text.split_once("\nhint: ").unwrap_or((&text, "look at the sentence above"));
        Self::bad(matter, said.replace('\n', " "), hint.replace("\nhint: ", "; "))
    }
}

/// Whether nothing that is needed fails.
#[must_use]
pub fn is_fine(checks: &[Check]) -> bool {
    checks.iter().all(|check| check.outcome != Outcome::Bad)
}

#[cfg(test)]
mod tests;
