//! Where nothing is done: why, and what happens next.

use super::escape::{code, sentence};
use crate::domain::command::{Flag, Keep, WORD, Wrong};
use crate::domain::intake::Say;

pub(super) fn said(say: &Say) -> String {
    let mut said = match say {
        Say::Outsider { membership_unseen } => {
            let mut said = format!(
                "Thank you for asking! A run deploys this code on a test server, so it starts when somebody who may write to this repository comments `{WORD}` here. Nothing else is needed from you: the result will appear on this pull request."
            );
            if *membership_unseen {
                said.push_str(
                    "\n\nIf you are a member of the organisation: cc-ci cannot see that. Showing your membership in public helps, or a maintainer can ask in your place.",
                );
            }
            said
        }
        Say::AskAgain { then, now } => {
            let why = then.as_ref().map_or_else(
                || "It came after the comment, or cc-ci cannot tell that it did not".to_owned(),
                |then| format!("When the comment was written it was `{}`", then.short()),
            );
            format!(
                "The head of this pull request is `{}` now. {why}, so nothing was started. If `{}` is what should be tested, please ask again: `{WORD}`",
                now.short(),
                now.short()
            )
        }
        Say::NotOpen { merged: true } => "This pull request was merged, so nothing was started.".to_owned(),
        Say::NotOpen { merged: false } => {
            format!("This pull request is closed, so nothing was started. Once it is open again: `{WORD}`")
        }
        Say::Wrong(wrong) => format!("{} Nothing was started; `{WORD} help` lists what can be written.", why(wrong)),
    };
    said.push('\n');
    said
}

fn why(wrong: &Wrong) -> String {
    match wrong {
        Wrong::Unknown { given, nearest } => {
            let meant = nearest.map_or_else(|| ".".to_owned(), |name| format!("; did you mean `{name}`?"));
            format!("{} is not known here{meant}", code(given, 60))
        }
        Wrong::NoValue(flag) => format!("`{}` needs a value. {}", flag.name(), values(*flag)),
        Wrong::BadValue { flag, given, choices } => {
            let given = if given.is_empty() { "what was given".to_owned() } else { code(given, 60) };
            let known = choices.iter().take(20).map(|choice| code(choice, 64)).collect::<Vec<_>>().join(", ");
            let possible = if known.is_empty() { values(*flag) } else { format!("Possible: {known}.") };
            format!("`{}` does not take {given}. {possible}", flag.name())
        }
        Wrong::Twice(flag) => format!("`{}` was given twice.", flag.name()),
        Wrong::StandsAlone(word) => format!("`{WORD} {}` stands alone, without anything else.", word.name()),
    }
}

/// What a flag takes.
fn values(flag: Flag) -> String {
    match flag {
        Flag::Extra | Flag::WithTests => "It takes no value.".to_owned(),
        Flag::Only => "It takes stages, separated by commas.".to_owned(),
        Flag::Base => "It takes a version, as in `--base 1.4.0+2.0.3`.".to_owned(),
        Flag::Keep => {
            let limit = |seconds| Keep::try_from(seconds).map_or_else(|_| String::new(), |keep| keep.to_string());
            let (shortest, longest) = (limit(*Keep::LIMITS.start()), limit(*Keep::LIMITS.end()));
            sentence(
                &format!("It takes a time from `{shortest}` to `{longest}`, as in `--keep 30m` or `--keep 1h30m`."),
                200,
            )
        }
    }
}
