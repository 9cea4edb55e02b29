//! What a comment on a pull request asks for: `!testme` and its words, read on the Markdown tree, so that quotes and code
//! never command anything.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};
use serde::{Deserialize, Serialize};

/// The word that a comment must begin with.
pub const WORD: &str = "!testme";
/// A longer comment is read up to here.
const LONGEST: usize = 64 << 10;
/// `--keep` on a pull request: at most two hours.
const LONGEST_KEEP: u64 = 2 * 3600;
/// Flags whose stages are not built yet.
const LATER: [&str; 4] = ["--extra", "--only", "--base", "--with-tests"];

/// What is asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// Test the head of the pull request.
    Test(Options),
    /// Say what there is to say.
    Help,
    /// Say how far the runs of this pull request are.
    Status,
    /// End the runs of this pull request.
    Cancel,
    /// Test the same commit again.
    Retry,
}

/// How it should be tested.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Options {
    /// Leave the app up for so many seconds.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub keep_seconds: Option<u64>,
}

/// What a comment is to us.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Parsed {
    /// Nothing.
    NotForUs,
    /// A command.
    Command(Command),
    /// Meant as one, but wrong: what to say.
    Wrong(String),
}

impl Command {
    /// The commands with what they do; help is made from it, and a new command cannot be forgotten here.
    #[must_use]
    pub const fn help(&self) -> (&'static str, &'static str) {
        match self {
            Self::Test(Options { keep_seconds: _ }) => {
                ("!testme [--keep 30m]", "test the head of this pull request; `--keep` leaves the app up for so long")
            }
            Self::Help => ("!testme help", "this text"),
            Self::Status => ("!testme status", "how far the runs of this pull request are"),
            Self::Cancel => ("!testme cancel", "end the runs of this pull request"),
            Self::Retry => ("!testme retry", "test the same commit again"),
        }
    }

    /// One of each.
    #[must_use]
    pub fn all() -> [Self; 5] {
        [Self::Test(Options::default()), Self::Help, Self::Status, Self::Cancel, Self::Retry]
    }
}

/// Reads a comment.
#[must_use]
pub fn parse(comment: &str) -> Parsed {
    let comment = &comment[..comment.floor_char_boundary(LONGEST)];
    let Some(line) = first_line(comment) else { return Parsed::NotForUs };
    let mut words = line.split_whitespace();
    if words.next() != Some(WORD) {
        return Parsed::NotForUs;
    }
    let words: Vec<&str> = words.collect();
    match words.as_slice() {
        ["help"] => Parsed::Command(Command::Help),
        ["status"] => Parsed::Command(Command::Status),
        ["cancel"] => Parsed::Command(Command::Cancel),
        ["retry"] => Parsed::Command(Command::Retry),
        flags => match options(flags) {
            Ok(options) => Parsed::Command(Command::Test(options)),
            Err(wrong) => Parsed::Wrong(wrong),
        },
    }
}

/// The plain text of the first line, where the comment begins with a paragraph.
fn first_line(comment: &str) -> Option<String> {
    let mut events = Parser::new(comment);
    if !matches!(events.next(), Some(Event::Start(Tag::Paragraph))) {
        return None;
    }
    let mut line = String::new();
    for event in events {
        if let Event::Text(text) = event {
            line.push_str(&text);
            continue;
        }
        // Code, emphasis, links and HTML are not words of a command; whatever comes after is not one either.
        if !matches!(event, Event::SoftBreak | Event::HardBreak | Event::End(TagEnd::Paragraph)) {
            line.push('\u{fffd}');
        }
        break;
    }
    Some(line)
}

fn options(flags: &[&str]) -> Result<Options, String> {
    let mut options = Options::default();
    let mut flags = flags.iter().copied();
    while let Some(flag) = flags.next() {
        if flag == "--keep" {
            let time = flags.next().ok_or("`--keep` needs a length of time, e.g. `--keep 30m`")?;
            options.keep_seconds = Some(keep(time)?);
        } else if LATER.contains(&flag) {
            return Err(format!("`{flag}` is not in this version"));
        } else {
            let shown: String =
                flag.chars().filter(|c| c.is_ascii_alphanumeric() || "-_=.".contains(*c)).take(40).collect();
            return Err(format!("`{shown}` is not known; `!testme help` lists what is"));
        }
    }
    Ok(options)
}

fn keep(time: &str) -> Result<u64, String> {
    let (number, factor) = match time.strip_suffix('m') {
        Some(minutes) => (minutes, 60),
        None => (time.strip_suffix('s').unwrap_or(time), 1),
    };
    let seconds = number.parse::<u64>().ok().and_then(|number| number.checked_mul(factor));
    match seconds {
        Some(seconds @ 1..=LONGEST_KEEP) => Ok(seconds),
        _ => Err("`--keep` takes between `1s` and `120m`".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn test(keep_seconds: Option<u64>) -> Parsed {
        Parsed::Command(Command::Test(Options { keep_seconds }))
    }

    #[test]
    fn s44_only_the_first_word_outside_quotes_and_code_counts() {
        assert_eq!(parse("!testme"), test(None));
        assert_eq!(parse("  !testme --keep 30m\r\nthank you"), test(Some(1800)));
        for not in [
            "!testmenot",
            "please !testme",
            "> !testme",
            "`!testme`",
            "```\n!testme\n```",
            "    !testme",
            "<b>!testme</b>",
            "# !testme",
            "- !testme",
            "",
        ] {
            assert_eq!(parse(not), Parsed::NotForUs, "{not:?}");
        }
    }

    #[test]
    fn every_command_is_read_as_help_writes_it() {
        for command in Command::all() {
            let written = command.help().0.replace(" [--keep 30m]", "");
            assert_eq!(parse(&written), Parsed::Command(command));
        }
    }

    #[test]
    fn s44_what_is_wrong_is_said() {
        assert!(matches!(parse("!testme --extra"), Parsed::Wrong(why) if why.contains("not in this version")));
        assert!(matches!(parse("!testme --kep 3m"), Parsed::Wrong(why) if why.contains("`--kep`")));
        assert!(matches!(parse("!testme --keep 9h"), Parsed::Wrong(_)));
        assert!(matches!(parse("!testme @all #1"), Parsed::Wrong(why) if !why.contains('@')));
    }

    proptest! {
        #[test]
        fn nothing_panics_and_nothing_quoted_commands(text in "\\PC{0,200}") {
            let _any = parse(&text);
            let quoted: String = format!("!testme {text}").lines().map(|line| format!("> {line}\n")).collect();
            prop_assert_eq!(parse(&quoted), Parsed::NotForUs);
        }
    }
}
