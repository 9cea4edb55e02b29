//! What the forge says about a comment and what stands around it.

use jiff::Timestamp;

use super::head::HeadThen;
use crate::domain::ids::{CommitSha, RecipeName};

/// A comment, as the forge tells it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentFacts {
    /// Its id on the forge.
    pub id: i64,
    /// The account that wrote it.
    pub author: String,
    /// Its Markdown, untrusted.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its text was last changed; a reaction changes nothing.
    pub updated_at: Timestamp,
    /// Whether the forge says that it was edited (a webhook does). Later times say so, too.
    pub edited: bool,
    /// Where it stands.
    pub place: Place,
}

/// Where a comment stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Place {
    /// In the conversation of a pull request.
    Pull,
    /// In a review of a pull request. A webhook brings it, a poll does not.
    Review,
    /// On an issue.
    Issue,
}

/// What is known around a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Context {
    /// The gate's own account; `None` where its token may not ask who it is.
    pub own_account: Option<String>,
    /// The recipe that the repository holds, when it is enrolled.
    pub recipe: Option<RecipeName>,
    /// What the comment's author may do.
    pub rights: Rights,
    /// The pull request.
    pub pull: PullFacts,
    /// Whether this author was told on this pull request already that somebody else has to ask.
    pub told_before: bool,
}

/// What an account may do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// Write access to the repository, or membership of its organisation.
    Trusted,
    /// Neither.
    Outsider,
    /// No write access, and the gate may not see whether it is a member.
    MembershipUnseen,
}

/// A pull request when the comment is decided on.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PullFacts {
    /// Whether it is open.
    pub state: PullState,
    /// Whether its conversation is locked and the gate may not write there.
    pub silenced: bool,
    /// Whether its repository is archived: nothing can be answered there.
    pub archived: bool,
    /// Its head now.
    pub head: CommitSha,
    /// Its head when the comment was written; see [`head_then`](super::head_then).
    pub then: HeadThen,
    /// Who can push to its head.
    pub pushers: Pushers,
}

/// Whether a pull request is open.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum PullState {
    /// It is.
    Open,
    /// It was closed.
    Closed,
    /// It was merged.
    Merged,
}

/// Who can push to a pull request's head.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushers {
    /// Only accounts that may ask for a run: its branch is in the repository itself, or in the fork of such an account.
    Trusted,
    /// Others, too, or it is not known.
    Outsiders,
}
