//! What a pull request's head was at the instant of a comment.

use jiff::{SignedDuration, Timestamp};

use crate::domain::ids::CommitSha;

/// The head of a pull request at the instant of a comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HeadThen {
    /// It was this commit.
    Was(CommitSha),
    /// It was certainly pushed to after the comment.
    Moved,
    /// Nothing proves what it was.
    Unknown,
}

/// What tells about the head at the instant of a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct HeadEvidence<'a> {
    /// The head in the webhook's own body.
    pub by_hook: Option<&'a CommitSha>,
    /// All pushes in the pull request's timeline, oldest first; `None` when it could not be read. Read after the head was read.
    pub pushes: Option<&'a [Push]>,
    /// The head at the gate's last look before the comment.
    pub last_seen: Option<&'a CommitSha>,
}

/// A push to a pull request's head.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Push {
    /// When, to the second.
    pub at: Timestamp,
    /// The last commit that it brought.
    pub head: Option<CommitSha>,
}

/// A forge writes a push into the timeline some time after it came: a program that pushes and comments at once finds its push
/// behind its comment.
const TIMELINE_LAG: SignedDuration = SignedDuration::from_secs(5);

/// What the head was when a comment was written. A forge shows a new head some seconds before its timeline does, so a timeline
/// proves something only if its last push brought the head as it is `now`. A push in the timeline within the comment's second
/// or up to five seconds after it proves nothing either way.
#[must_use]
pub fn head_then(now: &CommitSha, written_at: Timestamp, evidence: HeadEvidence<'_>) -> HeadThen {
    if let Some(head) = evidence.by_hook {
        return HeadThen::Was(head.clone());
    }
    let pushes = evidence.pushes.unwrap_or_default();
    let last = pushes.last();
    if pushes.iter().any(|push| push.at.duration_since(written_at) > TIMELINE_LAG) {
        return HeadThen::Moved;
    }
    let proved = match last {
        Some(push) => push.at < written_at && push.head.as_ref() == Some(now),
        None => evidence.last_seen == Some(now),
    };
    if proved { HeadThen::Was(now.clone()) } else { HeadThen::Unknown }
}
