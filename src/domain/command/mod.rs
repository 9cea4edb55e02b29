//! What a comment on a pull request asks for.
//!
//! The first word that somebody wrote themselves decides: not in a quote, not in code, not in HTML, and exactly `!testme`. What
//! follows on the same line are its arguments; all later lines are for people. The documented ways of writing it are those
//! that [`Command`]'s `Display` writes.

mod first;
mod nearest;
mod options;
mod words;

use std::fmt;

pub use self::options::{BaseVersion, Keep, Options, askable_stages};
pub use self::words::{Flag, Word};

/// The word that asks.
pub const WORD: &str = "!testme";

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// `!testme`: test the head of the pull request.
    Test(Options),
    /// `!testme help`: what can be written.
    Help,
    /// `!testme status`: how far the runs of the pull request are.
    Status,
    /// `!testme cancel`: end what waits or runs for the pull request.
    Cancel,
    /// `!testme retry`: test the commit of the last run again, with the same options.
    Retry,
}

/// What a comment is to the gate.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing: it does not begin with `!testme`.
    NotForUs,
    /// A command.
    Command(Command),
    /// It begins with `!testme`, but cannot be done as it is written.
    Wrong(Wrong),
}

/// Why a command cannot be done. What was given is untrusted and at most 60 characters long.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Wrong {
    /// An argument that does not exist.
    Unknown {
        /// What was written.
        given: String,
        /// The flag or word that it probably stands for.
        nearest: Option<&'static str>,
    },
    /// A flag without the value it needs.
    NoValue(Flag),
    /// A flag with a value that it does not take.
    BadValue {
        /// The flag.
        flag: Flag,
        /// What was written; empty for a flag that takes no value but got one.
        given: String,
        /// The values that it takes, where they can be listed.
        choices: Vec<String>,
    },
    /// A flag that was given twice.
    Twice(Flag),
    /// `help`, `status`, `cancel` or `retry` together with something else.
    StandsAlone(Word),
}

/// Reads a comment as it stands on the forge; line ends may be `\r\n`. Only the first 64 KiB are looked at.
#[must_use]
pub fn parse(comment_markdown: &str) -> Parsed {
    let Some(line) = first::line(comment_markdown) else { return Parsed::NotForUs };
    let mut words = line.split_whitespace();
    if words.next() != Some(WORD) {
        return Parsed::NotForUs;
    }
    command(words).map_or_else(Parsed::Wrong, Parsed::Command)
}

fn command<'a>(words: impl Iterator<Item = &'a str> + Clone) -> Result<Command, Wrong> {
    let mut rest = words.clone();
    match (rest.next().and_then(Word::named), rest.next()) {
        (Some(word), None) => Ok(word.into()),
        (Some(word), Some(_)) => Err(Wrong::StandsAlone(word)),
        (None, _) => options::read(words).map(Command::Test),
    }
}

/// What was written, short enough to be said again.
fn said(text: &str) -> String {
    text.chars().take(60).collect()
}

impl From<Word> for Command {
    fn from(word: Word) -> Self {
        match word {
            Word::Help => Self::Help,
            Word::Status => Self::Status,
            Word::Cancel => Self::Cancel,
            Word::Retry => Self::Retry,
        }
    }
}

impl fmt::Display for Command {
    /// As it is written in a comment; reading that gives the same command.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let word = match self {
            Self::Test(options) if *options == Options::default() => return f.write_str(WORD),
            Self::Test(options) => return write!(f, "{WORD} {options}"),
            Self::Help => Word::Help,
            Self::Status => Word::Status,
            Self::Cancel => Word::Cancel,
            Self::Retry => Word::Retry,
        };
        write!(f, "{WORD} {}", word.name())
    }
}

#[cfg(test)]
mod tests;
