//! What becomes of a comment: accepted, ignored or refused. A pure function of what the forge says, so that poll, webhook and
//! restart decide alike.
//!
//! Whoever asks for a run lets code act on a target, so it takes somebody with write access to the repository or a member of
//! its organisation; whether a person or a program does not matter. They answer for the head that they could see. A head
//! that came after their comment, or may have, is not run.

mod facts;
mod head;

pub use self::facts::{CommentFacts, Context, Place, PullFacts, PullState, Pushers, Rights};
pub use self::head::{HeadEvidence, HeadThen, Push, head_then};
use super::answer::marker;
use super::command::{Command, Options, Parsed, Wrong, parse};
use super::ids::{CommitSha, RecipeName};

/// What becomes of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// Do it.
    Accept(Request),
    /// Do and say nothing.
    Ignore(Why),
    /// Do nothing, and say why.
    Refuse(Say),
}

/// Something that was asked for by somebody who may.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Request {
    /// The comment that asks.
    pub comment: i64,
    /// Who asks.
    pub by: String,
    /// The recipe it is about.
    pub recipe: RecipeName,
    /// What is asked for.
    pub asked: Asked,
}

/// What was asked for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Asked {
    /// Test this commit and no other.
    Test {
        /// The head that was there when it was asked for.
        head: CommitSha,
        /// How.
        options: Options,
        /// Whether others than those who may ask can push to the head: then the request vouches for this commit alone.
        vouches: bool,
    },
    /// Say what can be written.
    Help,
    /// Say how far the runs of the pull request are.
    Status,
    /// End what waits or runs for the pull request.
    Cancel,
    /// Test the commit of the pull request's last run again: it was vouched for then.
    Retry,
}

/// Why nothing is done or said.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Why {
    /// It asks for nothing.
    NotForUs,
    /// The gate wrote it.
    Own,
    /// It is on an issue.
    NotOnAPull,
    /// It is in a review.
    Review,
    /// It was edited: what it said before, and who changed it, is not known.
    Edited,
    /// The repository's recipe is not enrolled.
    NotEnrolled,
    /// Nothing can be answered: the repository is archived, or the conversation locked.
    NoAnswerPossible,
    /// An outsider on a pull request that is closed.
    OutsiderOnClosed,
    /// This outsider knows already.
    ToldBefore,
}

/// What is said where nothing is done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Say {
    /// Somebody with rights has to ask.
    Outsider {
        /// Whether the author may be a member whose membership the gate cannot see.
        membership_unseen: bool,
    },
    /// The head came after the comment, or may have.
    AskAgain {
        /// The head that the comment was about, where it is known.
        then: Option<CommitSha>,
        /// The head now.
        now: CommitSha,
    },
    /// The pull request is not open any more.
    NotOpen {
        /// Whether it was merged.
        merged: bool,
    },
    /// The command cannot be done as it is written.
    Wrong(Wrong),
}

/// Decides on a comment that was not decided on before.
#[must_use]
pub fn decide(comment: &CommentFacts, context: &Context) -> Decision {
    let parsed = match parse(&comment.body) {
        Parsed::NotForUs => return Decision::Ignore(Why::NotForUs),
        Parsed::Command(command) => Ok(command),
        Parsed::Wrong(wrong) => Err(wrong),
    };
    let Some(recipe) = &context.recipe else { return Decision::Ignore(Why::NotEnrolled) };
    if let Some(why) = not_heard(comment, context) {
        return Decision::Ignore(why);
    }
    match context.rights {
        Rights::Trusted => {}
        Rights::Outsider | Rights::MembershipUnseen => return outsider(context),
    }
    match parsed.map_err(Say::Wrong).and_then(|command| asked(command, &context.pull)) {
        Ok(asked) => {
            let (by, recipe) = (comment.author.clone(), recipe.clone());
            Decision::Accept(Request { comment: comment.id, by, recipe, asked })
        }
        Err(say) => Decision::Refuse(say),
    }
}

/// Why a command is not heard at all, whoever wrote it.
fn not_heard(comment: &CommentFacts, context: &Context) -> Option<Why> {
    let own = context.own_account.as_ref().is_some_and(|own| own.eq_ignore_ascii_case(&comment.author));
    let edited = comment.edited || comment.updated_at > comment.created_at;
    match comment.place {
        // Without knowing its account, the gate still knows its own comments.
        _ if own || marker(&comment.body).is_some() => Some(Why::Own),
        Place::Issue => Some(Why::NotOnAPull),
        Place::Review => Some(Why::Review),
        Place::Pull if edited => Some(Why::Edited),
        Place::Pull if context.pull.archived || context.pull.silenced => Some(Why::NoAnswerPossible),
        Place::Pull => None,
    }
}

fn outsider(context: &Context) -> Decision {
    match context.pull.state {
        PullState::Closed | PullState::Merged => Decision::Ignore(Why::OutsiderOnClosed),
        PullState::Open if context.told_before => Decision::Ignore(Why::ToldBefore),
        PullState::Open => {
            let membership_unseen = context.rights == Rights::MembershipUnseen;
            Decision::Refuse(Say::Outsider { membership_unseen })
        }
    }
}

fn asked(command: Command, pull: &PullFacts) -> Result<Asked, Say> {
    let open = match pull.state {
        PullState::Open => Ok(()),
        PullState::Closed => Err(Say::NotOpen { merged: false }),
        PullState::Merged => Err(Say::NotOpen { merged: true }),
    };
    Ok(match command {
        Command::Help => Asked::Help,
        Command::Status => Asked::Status,
        Command::Cancel => Asked::Cancel,
        Command::Retry => open.map(|()| Asked::Retry)?,
        Command::Test(options) => {
            open?;
            let vouches = pull.pushers == Pushers::Outsiders;
            Asked::Test { head: vouched_head(pull)?, options, vouches }
        }
    })
}

/// The head that the comment is about, when it is the head still.
fn vouched_head(pull: &PullFacts) -> Result<CommitSha, Say> {
    let then = match (&pull.then, pull.pushers) {
        (HeadThen::Was(then), _) if *then == pull.head => return Ok(pull.head.clone()),
        // Nobody but those who may ask can have pushed it.
        (HeadThen::Unknown, Pushers::Trusted) => return Ok(pull.head.clone()),
        (HeadThen::Was(then), _) => Some(then.clone()),
        (HeadThen::Moved | HeadThen::Unknown, _) => None,
    };
    Err(Say::AskAgain { then, now: pull.head.clone() })
}

#[cfg(test)]
mod tests;
