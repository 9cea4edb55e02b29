//! Versions of Docker engines, and the oldest that a target may have.

use std::fmt;

/// A version as far as it matters: the first two numbers.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct EngineVersion {
    major: u32,
    minor: u32,
}

impl EngineVersion {
    /// The oldest that will do. Older ones know no jobs, and silently leave out `cap_add` and `ulimits` of a stack: a recipe would be
    /// judged on something that it does not say.
    pub const OLDEST: Self = Self { major: 20, minor: 10 };

    /// Reads what an engine says of itself, e.g. `26.1.5+dfsg1`; `None`: that is no version.
    #[must_use]
    pub fn read(text: &str) -> Option<Self> {
        let mut numbers = text.trim().trim_start_matches('v').split(|c: char| !c.is_ascii_digit());
        Some(Self { major: numbers.next()?.parse().ok()?, minor: numbers.next()?.parse().ok()? })
    }
}

impl fmt::Display for EngineVersion {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{:02}", self.major, self.minor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn versions_are_read_and_ordered() {
        let new_enough = |text: &str| EngineVersion::read(text).map(|version| version >= EngineVersion::OLDEST);
        for text in ["20.10.0", "20.10.24+dfsg1", "26.1.5+dfsg1", "v29.0.1", "23.0"] {
            assert_eq!(new_enough(text), Some(true), "{text}");
        }
        for text in ["19.03.15", "20.9.9", "1.13.1"] {
            assert_eq!(new_enough(text), Some(false), "{text}");
        }
        for text in ["", "master", "26"] {
            assert_eq!(new_enough(text), None, "{text}");
        }
        assert_eq!(EngineVersion::OLDEST.to_string(), "20.10");
    }
}
