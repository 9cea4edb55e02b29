//! `!testme help`.

use crate::domain::command::{Command, Flag, Options, WORD, Word};

/// What can be written, each with what it does. Every command and every flag that this version can do is here, since none of the
/// matches below has a way around.
#[must_use]
pub fn commands() -> Vec<(String, &'static str)> {
    let commands = [Command::Test(Options::default())].into_iter().chain(Word::ALL.iter().map(|word| (*word).into()));
    let commands = commands.map(|command| (command.to_string(), does(&command)));
    let flag = |flag: &Flag| {
        let value = flag.value().map_or_else(String::new, |value| format!(" {value}"));
        (format!("{WORD} {}{value}", flag.name()), asks(*flag))
    };
    commands.chain(Flag::ALL.iter().map(flag)).collect()
}

pub(super) fn said() -> String {
    let commands: String = commands().iter().map(|(written, does)| format!("- `{written}`: {does}\n")).collect();
    format!(
        "What can be written as the first words of a new comment on a pull request:\n{commands}\nAccounts that may write to the repository and members of its organisation can ask, people and programs alike. Only the first line counts; quotes, code, reviews and edits of older comments do nothing.\n"
    )
}

const fn does(command: &Command) -> &'static str {
    match command {
        Command::Test(Options { extra: _, only: _, base: _, keep: _, with_tests: _ }) => {
            "test the head of this pull request, as it is when the comment is written"
        }
        Command::Help => "this text",
        Command::Status => "how far the runs of this pull request are",
        Command::Cancel => "end what waits or runs for this pull request",
        Command::Retry => "test the commit of the last run again, with the same options",
    }
}

const fn asks(flag: Flag) -> &'static str {
    match flag {
        Flag::Extra => "run the recipe's extra checks, too",
        Flag::Only => "run these stages only; the others are not verified then",
        Flag::Base => "upgrade from this version",
        Flag::Keep => "leave the app up for so long (`30m`, `1h30m`), to be looked at",
        Flag::WithTests => "use the test files of this pull request instead of the trusted ones",
    }
}
