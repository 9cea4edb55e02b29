//! Why a run was ended before its time, as the database keeps it: one line that reads by itself and can be read back.

use std::fmt;

/// Why a run was ended before its time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Cancellation {
    /// A newer request of its pull request, this run, took its place before it had started.
    Superseded(i64),
    /// This account asked for it.
    By(String),
    /// Anything else.
    Because(String),
}

const SUPERSEDED: &str = "superseded by run ";
const BY: &str = "cancelled by ";

impl Cancellation {
    /// Reads what `Display` wrote.
    #[must_use]
    pub fn read(text: &str) -> Self {
        if let Some(number) = text.strip_prefix(SUPERSEDED).and_then(|number| number.parse().ok()) {
            return Self::Superseded(number);
        }
        text.strip_prefix(BY).map_or_else(|| Self::Because(text.to_owned()), |who| Self::By(who.to_owned()))
    }
}

impl fmt::Display for Cancellation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Superseded(number) => write!(f, "{SUPERSEDED}{number}"),
            Self::By(who) => write!(f, "{BY}{who}"),
            Self::Because(why) => f.write_str(why),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_written_is_read() {
        for why in [
            Cancellation::Superseded(12),
            Cancellation::By("ada".to_owned()),
            Cancellation::Because("its commit could not be fetched".to_owned()),
        ] {
            assert_eq!(Cancellation::read(&why.to_string()), why);
        }
        assert_eq!(Cancellation::read("superseded by run x"), Cancellation::Because("superseded by run x".to_owned()));
    }
}
