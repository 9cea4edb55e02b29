//! Who may ask for what: the policy over one comment, pure.

use jiff::Timestamp;

use super::command::{Command, Parsed, parse};
use super::ids::CommitSha;

/// What is known about a comment.
#[derive(Debug, Clone)]
pub struct Facts<'a> {
    /// Its text.
    pub body: &'a str,
    /// Who wrote it.
    pub author: &'a str,
    /// When.
    pub written_at: Timestamp,
    /// The gate's own account.
    pub own_account: &'a str,
    /// Whether its repository belongs to a recipe that this gate watches.
    pub enrolled: bool,
    /// Whether the pull request is open.
    pub open: bool,
    /// Whether the author may write to the repository or is in its organisation.
    pub member: bool,
    /// Whether the pull request's author is one of those.
    pub pull_by_member: bool,
    /// The head as it is now.
    pub head: &'a CommitSha,
    /// When that head was first seen; `None`: just now.
    pub head_seen: Option<Timestamp>,
    /// The head at the time of the comment, where the forge told (a webhook does).
    pub head_then: Option<&'a CommitSha>,
}

/// What becomes of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Nothing; why not, in a few words.
    Ignore(&'static str),
    /// Do it.
    Accept(Command),
    /// Answer, and do nothing else.
    Say(Reply),
}

/// What is answered where nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Somebody without rights asked.
    Outsider,
    /// The head moved after the comment, and its author is not trusted: ask again.
    AskAgain,
    /// The command is wrong: why.
    Wrong(String),
}

/// Decides.
#[must_use]
pub fn decide(facts: &Facts<'_>) -> Decision {
    let command = match parse(facts.body) {
        Parsed::NotForUs => return Decision::Ignore("not for us"),
        Parsed::Command(command) => Ok(command),
        Parsed::Wrong(why) => Err(why),
    };
    if facts.author == facts.own_account {
        return Decision::Ignore("our own comment");
    }
    if !facts.enrolled {
        return Decision::Ignore("the recipe is not enrolled");
    }
    if !facts.open {
        return Decision::Ignore("the pull request is closed");
    }
    match command {
        // Help is for everybody.
        Ok(Command::Help) => Decision::Accept(Command::Help),
        _ if !facts.member => Decision::Say(Reply::Outsider),
        Err(why) => Decision::Say(Reply::Wrong(why)),
        Ok(Command::Test(_) | Command::Retry) if pushed_after(facts) && !facts.pull_by_member => {
            Decision::Say(Reply::AskAgain)
        }
        Ok(command) => Decision::Accept(command),
    }
}

/// Whether the head is another one than the one that the comment vouched for.
fn pushed_after(facts: &Facts<'_>) -> bool {
    match facts.head_then {
        Some(then) => then != facts.head,
        None => facts.head_seen.is_none_or(|seen| seen > facts.written_at),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::command::Options;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn facts<'a>(body: &'a str, head: &'a CommitSha) -> Facts<'a> {
        Facts {
            body,
            author: "ada",
            written_at: at(100),
            own_account: "bot",
            enrolled: true,
            open: true,
            member: true,
            pull_by_member: true,
            head,
            head_seen: Some(at(50)),
            head_then: None,
        }
    }

    fn head() -> CommitSha {
        CommitSha::parse(&"a".repeat(40)).unwrap()
    }

    const TEST: Decision = Decision::Accept(Command::Test(Options { keep_seconds: None }));

    #[test]
    fn s40_a_members_comment_is_accepted() {
        assert_eq!(decide(&facts("!testme", &head())), TEST);
    }

    #[test]
    fn s44_the_gates_own_words_command_nothing() {
        let head = head();
        assert!(matches!(decide(&Facts { author: "bot", ..facts("!testme", &head) }), Decision::Ignore(_)));
        assert!(matches!(decide(&Facts { enrolled: false, ..facts("!testme", &head) }), Decision::Ignore(_)));
        assert!(matches!(decide(&Facts { open: false, ..facts("!testme", &head) }), Decision::Ignore(_)));
    }

    #[test]
    fn s44_an_outsider_gets_an_answer_and_help_but_no_run() {
        let head = head();
        assert_eq!(decide(&Facts { member: false, ..facts("!testme", &head) }), Decision::Say(Reply::Outsider));
        assert_eq!(decide(&Facts { member: false, ..facts("!testme --bad", &head) }), Decision::Say(Reply::Outsider));
        assert_eq!(decide(&Facts { member: false, ..facts("!testme help", &head) }), Decision::Accept(Command::Help));
    }

    #[test]
    fn s92_a_member_vouches_for_the_head_that_was_there() {
        let (head, other) = (head(), CommitSha::parse(&"b".repeat(40)).unwrap());
        let outsiders = Facts { pull_by_member: false, ..facts("!testme", &head) };
        assert_eq!(decide(&outsiders), TEST);
        assert_eq!(decide(&Facts { head_seen: Some(at(101)), ..outsiders.clone() }), Decision::Say(Reply::AskAgain));
        assert_eq!(decide(&Facts { head_seen: None, ..outsiders.clone() }), Decision::Say(Reply::AskAgain));
        assert_eq!(decide(&Facts { head_then: Some(&other), ..outsiders.clone() }), Decision::Say(Reply::AskAgain));
        assert_eq!(decide(&Facts { head_then: Some(&head), head_seen: None, ..outsiders }), TEST);
    }
}
