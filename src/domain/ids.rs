//! Names that exist only when they are valid: parse once, never check again.

use std::fmt;

use serde::{Deserialize, Serialize};

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{what} `{text}` is not valid: {why}")]
pub struct InvalidName {
    /// What the name stands for, e.g. `recipe name`.
    pub what: &'static str,
    /// The refused text, shortened to 80 characters.
    pub text: String,
    /// The rule it breaks.
    pub why: &'static str,
}

/// Declares a newtype over `String` that can only be made by its check.
macro_rules! name {
    ($(#[$doc:meta])* $type:ident, $what:literal, $why:literal, $check:expr) => {
        $(#[$doc])*
        #[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        #[serde(try_from = "String", into = "String")]
        pub struct $type(String);

        impl $type {
            /// Parses the name.
            ///
            /// # Errors
            /// When the text breaks the rule that the error names.
            pub fn parse(text: &str) -> Result<Self, InvalidName> {
                let check: fn(&str) -> bool = $check;
                if check(text) { Ok(Self(text.to_owned())) } else { Err(invalid($what, text, $why)) }
            }

            /// The name as text.
            #[must_use]
            pub fn as_str(&self) -> &str {
                &self.0
            }
        }

        as_text!($type);
    };
}

/// From text and to text, for what has `parse` and `as_str`.
macro_rules! as_text {
    ($type:ident) => {
        impl fmt::Display for $type {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str(self.as_str())
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
                name.as_str().to_owned()
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

fn invalid(what: &'static str, text: &str, why: &'static str) -> InvalidName {
    InvalidName { what, text: text.chars().take(80).collect(), why }
}

fn made_of(text: &str, lengths: std::ops::RangeInclusive<usize>, allowed: fn(u8) -> bool) -> bool {
    lengths.contains(&text.len()) && text.bytes().all(allowed)
}

/// A run: 12 characters of lower-case base32, the first four of which name the test domain. It is copied and compared ten thousand
/// times when a long queue is explained: so it is not on the heap.
#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(try_from = "String", into = "String")]
pub struct RunId([u8; 12]);

as_text!(RunId);

name!(
    /// A gate, drawn at random when its state folder is made; labels on a target say whose they are.
    GateId, "gate id", "16 characters of a-z and 2-7 are needed",
    |text| made_of(text, 16..=16, |byte| matches!(byte, b'a'..=b'z' | b'2'..=b'7'))
);

name!(
    /// A recipe, as its repository or folder is called.
    RecipeName, "recipe name", "1 to 64 characters of a-z, A-Z, 0-9, `-`, `_` and `.`, beginning with a letter or digit, are needed",
    |text| made_of(text, 1..=64, |byte| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_' | b'.'))
        && text.as_bytes()[0].is_ascii_alphanumeric()
);

name!(
    /// A section of `targets.toml`, or the name given to a `unix://` target.
    TargetName, "target name", "1 to 32 characters of a-z, 0-9 and `-` are needed",
    |text| made_of(text, 1..=32, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
);

name!(
    /// A full git commit id, 40 or 64 lower-case hex digits.
    CommitSha, "commit", "40 or 64 lower-case hex digits are needed",
    |text| matches!(text.len(), 40 | 64) && text.bytes().all(|byte| matches!(byte, b'0'..=b'9' | b'a'..=b'f'))
);

name!(
    /// A host name of lower-case labels, e.g. a target's domain or an app's.
    DomainName, "domain", "lower-case DNS labels joined by dots, at most 253 characters, are needed",
    |text| text.len() <= 253 && text.split('.').all(|label| {
        made_of(label, 1..=63, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || byte == b'-')
            && !label.starts_with('-') && !label.ends_with('-')
    })
);

name!(
    /// A Swarm stack: the app's domain with `.` as `_`, the way abra names it.
    StackName, "stack name", "1 to 45 characters of a-z, 0-9, `_` and `-`, beginning with a letter or digit, are needed",
    |text| made_of(text, 1..=45, |byte| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'_' | b'-'))
        && text.as_bytes()[0].is_ascii_alphanumeric()
);

/// The alphabet of run and gate ids (RFC 4648 base32, lower case).
pub const BASE32: &[u8; 32] = b"abcdefghijklmnopqrstuvwxyz234567";

/// The character of base32 that a random byte stands for.
const fn base32(random: u8) -> u8 {
    BASE32[(random % 32) as usize]
}

impl RunId {
    /// Parses the id.
    ///
    /// # Errors
    /// When the text breaks the rule that the error names.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        match text.as_bytes().try_into() {
            Ok(id) if text.bytes().all(|byte| BASE32.contains(&byte)) => Ok(Self(id)),
            Ok(_) | Err(_) => Err(invalid("run id", text, "12 characters of a-z and 2-7 are needed")),
        }
    }

    /// The id as text.
    #[must_use]
    pub fn as_str(&self) -> &str {
        // Always ASCII: nothing else makes one.
        std::str::from_utf8(&self.0).unwrap_or_default()
    }

    /// The run id that these random bytes stand for.
    #[must_use]
    pub fn from_random(random: [u8; 12]) -> Self {
        Self(random.map(base32))
    }

    /// The app's domain in this run: `cc`, four characters of the run id, the target's domain. Short, because Swarm
    /// allows 64 characters for the name of a secret or config, and the stack's name is the first part of each.
    ///
    /// # Errors
    /// When the target's domain is so long that the name is no domain any more.
    pub fn app_domain(&self, target: &DomainName) -> Result<DomainName, InvalidName> {
        DomainName::parse(&format!("cc{}.{target}", &self.as_str()[..4]))
    }
}

impl GateId {
    /// The gate id that these random bytes stand for.
    #[must_use]
    pub fn from_random(random: [u8; 16]) -> Self {
        Self(random.map(base32).map(char::from).iter().collect())
    }
}

impl StackName {
    /// The stack of an app, as abra derives it from the domain.
    ///
    /// # Errors
    /// When the domain is longer than a stack name may be.
    pub fn of_domain(domain: &DomainName) -> Result<Self, InvalidName> {
        Self::parse(&domain.as_str().replace('.', "_"))
    }
}

impl CommitSha {
    /// The first eight digits, as abra writes them into `chaos-version`.
    #[must_use]
    pub fn short(&self) -> &str {
        &self.as_str()[..8]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_run_names_its_domain_and_stack() {
        let run = RunId::from_random(*b"\x00\x01\x02\x1f\x20\x21\x22\x23\x24\x25\x26\x27");
        let domain = run.app_domain(&DomainName::parse("ci.lab.test").unwrap()).unwrap();
        assert_eq!(run.as_str(), "abc7abcdefgh");
        assert_eq!(domain.as_str(), "ccabc7.ci.lab.test");
        assert_eq!(StackName::of_domain(&domain).unwrap().as_str(), "ccabc7_ci_lab_test");
    }

    #[test]
    fn names_from_outside_cannot_carry_syntax() {
        for bad in ["", "-x", "a b", "$(touch /x)", "../x", "a\n", "é"] {
            assert!(RecipeName::parse(bad).is_err(), "{bad:?}");
            assert!(StackName::parse(bad).is_err(), "{bad:?}");
        }
        assert!(DomainName::parse("a..b").is_err());
        assert!(CommitSha::parse(&"a".repeat(41)).is_err());
    }

    #[test]
    fn a_refused_name_says_why() {
        let error = TargetName::parse("Lab!").unwrap_err();
        assert_eq!(
            error.to_string(),
            "target name `Lab!` is not valid: 1 to 32 characters of a-z, 0-9 and `-` are needed"
        );
    }
}
