//! Names and numbers of a forge that exist only when they are valid. A forge compares names without regard to case, so
//! these do too; they are shown as they were written.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};

use serde::{Deserialize, Serialize};

use crate::domain::ids::InvalidName;

/// Declares a positive number given by the forge.
macro_rules! number {
    ($(#[$doc:meta])* $type:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[serde(try_from = "i64", into = "i64")]
        pub struct $type(i64);

        impl $type {
            /// Takes a number that is above zero.
            ///
            /// # Errors
            /// When it is not.
            pub fn new(number: i64) -> Result<Self, InvalidName> {
                if number > 0 {
                    Ok(Self(number))
                } else {
                    Err(InvalidName { what: $what, text: number.to_string(), why: "a number above zero is needed" })
                }
            }

            /// The number.
            #[must_use]
            pub const fn get(self) -> i64 {
                self.0
            }
        }

        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                self.0.fmt(f)
            }
        }

        impl TryFrom<i64> for $type {
            type Error = InvalidName;

            fn try_from(number: i64) -> Result<Self, InvalidName> {
                Self::new(number)
            }
        }

        impl From<$type> for i64 {
            fn from(number: $type) -> Self {
                number.0
            }
        }
    };
}

number!(
    /// A comment: unique on its forge, never used again.
    CommentId, "comment id"
);
number!(
    /// A pull request within its repository.
    PullNumber, "pull request number"
);
number!(
    /// A webhook.
    HookId, "hook id"
);

/// What may stand in a path: no syntax, no way up.
fn is_name(text: &str, longest: usize) -> bool {
    (1..=longest).contains(&text.len())
        && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && !text.bytes().all(|byte| byte == b'.')
}

/// An account or organisation of the forge.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct Login(String);

impl Login {
    /// Parses the name of an account.
    ///
    /// # Errors
    /// When it is none.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        if is_name(text, 255) {
            Ok(Self(text.to_owned()))
        } else {
            let why = "1 to 255 characters of a-z, A-Z, 0-9, `-`, `_` and `.` are needed";
            Err(InvalidName { what: "account", text: text.chars().take(80).collect(), why })
        }
    }

    /// As it is written on the forge.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.0
    }

    fn folded(&self) -> String {
        self.0.to_ascii_lowercase()
    }
}

/// A repository: `owner/name`.
#[derive(Debug, Clone, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub struct RepoName {
    owner: Login,
    name: String,
}

impl RepoName {
    /// Parses the two parts.
    ///
    /// # Errors
    /// When one of them is no name.
    pub fn new(owner: &str, name: &str) -> Result<Self, InvalidName> {
        let owner = Login::parse(owner)?;
        if is_name(name, 100) {
            Ok(Self { owner, name: name.to_owned() })
        } else {
            let why = "1 to 100 characters of a-z, A-Z, 0-9, `-`, `_` and `.` are needed";
            Err(InvalidName { what: "repository", text: name.chars().take(80).collect(), why })
        }
    }

    /// Parses `owner/name`.
    ///
    /// # Errors
    /// When it is not that.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let Some((owner, name)) = text.split_once('/') else {
            let text = text.chars().take(80).collect();
            return Err(InvalidName { what: "repository", text, why: "`owner/name` is needed" });
        };
        Self::new(owner, name)
    }

    /// Whose it is.
    #[must_use]
    pub const fn owner(&self) -> &Login {
        &self.owner
    }

    /// Its name without its owner.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.name
    }

    fn folded(&self) -> String {
        self.to_string().to_ascii_lowercase()
    }
}

impl fmt::Display for Login {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Display for RepoName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}/{}", self.owner, self.name)
    }
}

/// Declares comparison without regard to case, and the conversions that serde needs.
macro_rules! folded {
    ($type:ident) => {
        impl PartialEq for $type {
            fn eq(&self, other: &Self) -> bool {
                self.folded() == other.folded()
            }
        }

        impl Eq for $type {}

        impl Hash for $type {
            fn hash<H: Hasher>(&self, state: &mut H) {
                self.folded().hash(state);
            }
        }

        impl PartialOrd for $type {
            fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
                Some(self.cmp(other))
            }
        }

        impl Ord for $type {
            fn cmp(&self, other: &Self) -> Ordering {
                self.folded().cmp(&other.folded())
            }
        }

        impl TryFrom<String> for $type {
            type Error = InvalidName;

            fn try_from(text: String) -> Result<Self, InvalidName> {
                Self::parse(&text)
            }
        }

        impl From<$type> for String {
            fn from(name: $type) -> Self {
                name.to_string()
            }
        }

        impl std::str::FromStr for $type {
            type Err = InvalidName;

            fn from_str(text: &str) -> Result<Self, InvalidName> {
                Self::parse(text)
            }
        }
    };
}

folded!(Login);
folded!(RepoName);

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_cannot_carry_syntax_or_lead_upwards() {
        for bad in ["", ".", "..", "a/b", "a b", "$(touch /x)", "a?b", "a#b", "a%2fb", "a\n", "é", &"a".repeat(256)] {
            assert!(Login::parse(bad).is_err(), "{bad:?}");
            assert!(RepoName::new("recipes", bad).is_err(), "{bad:?}");
            assert!(RepoName::new(bad, "notes").is_err(), "{bad:?}");
        }
        for bad in ["recipes", "recipes/notes/x", "/notes", "recipes/"] {
            assert!(RepoName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(PullNumber::new(0).is_err() && CommentId::new(-1).is_err() && HookId::new(1).is_ok());
    }

    #[test]
    fn case_does_not_make_another_account() {
        let (one, other) = (Login::parse("Ada").unwrap(), Login::parse("aDA").unwrap());
        assert_eq!(one, other);
        assert_eq!(one.to_string(), "Ada");
        assert_eq!(RepoName::parse("Recipes/Notes").unwrap(), RepoName::parse("recipes/notes").unwrap());
    }
}
