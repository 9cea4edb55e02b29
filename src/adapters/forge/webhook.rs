//! What the forge sends on its own: checked before it is read, and no more than a wake-up. There is no time in it, so it
//! can be sent again by anybody who saw it; a comment's id tells the same one.

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::header::{self, HeaderMap};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use sha2::Sha256;

use super::model::{Comment, WireComment, WireName, WirePull, WireRepository, WireUser, cut};
use crate::domain::forge::{Login, PullNumber, RepoName};
use crate::domain::ids::CommitSha;

/// The headers a signature may be in. Gitea and Forgejo send the first or second and the third.
const SIGNATURES: [&str; 3] = ["x-gitea-signature", "x-forgejo-signature", "x-hub-signature-256"];
/// A larger body is not read. A comment of the largest size, with its pull request, is about one megabyte.
pub const LARGEST_DELIVERY: usize = 4 << 20;

/// What happened, as far as the gate cares.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Delivery {
    /// A comment on a pull request was written, edited or removed.
    Comment(CommentDelivery),
    /// A pull request was opened, closed, reopened or pushed to.
    Pull {
        /// What was done to it.
        action: PullAction,
        /// Its repository.
        repo: RepoName,
        /// Its number.
        number: PullNumber,
        /// Its head now.
        head: CommitSha,
        /// Who did it.
        sender: Login,
    },
    /// A branch was pushed.
    Push {
        /// Its repository.
        repo: RepoName,
        /// The branch, untrusted.
        branch: String,
        /// Whether it is the default branch.
        is_default: bool,
        /// Its tip now; `None` when it was deleted.
        after: Option<CommitSha>,
    },
    /// A tag was made. A tag comes as `create` and as `push`.
    Tag {
        /// Its repository.
        repo: RepoName,
        /// Its name, untrusted.
        name: String,
    },
    /// Something else, and what.
    Other(String),
}

/// A comment on a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommentDelivery {
    /// What was done to it.
    pub action: CommentAction,
    /// Its repository.
    pub repo: RepoName,
    /// Its pull request.
    pub pull: PullNumber,
    /// The comment, with its author.
    pub comment: Comment,
    /// Who did it: may be somebody else than the author.
    pub sender: Login,
    /// The pull request's head at that moment; forges before 2024 do not say it.
    pub head: Option<CommitSha>,
}

/// What was done to a comment.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum CommentAction {
    /// Written.
    Created,
    /// Edited.
    Edited,
    /// Removed.
    Deleted,
}

/// What was done to a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PullAction {
    /// Opened.
    Opened,
    /// Pushed to.
    Synchronized,
    /// Closed or merged.
    Closed,
    /// Opened again.
    Reopened,
    /// Anything else.
    Other(String),
}

/// Why a delivery is not taken.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DeliveryError {
    /// 415.
    #[error("the hook sends `{0}`\nhint: set its content type to application/json")]
    NotJson(String),
    /// 413.
    #[error("the delivery is larger than {LARGEST_DELIVERY} bytes")]
    TooLarge,
    /// 400.
    #[error("the delivery cannot be read: {0}")]
    Unreadable(String),
}

/// Whether the body is signed with one of the secrets: `header` is the lower-case hex HMAC-SHA256 of the raw body, with
/// or without `sha256=` in front. An empty secret never counts. Every secret is tried, whichever fits.
#[must_use]
pub fn verify(secrets: &[SecretString], body: &[u8], header: &str) -> bool {
    let Ok(signature) = hex::decode(header.strip_prefix("sha256=").unwrap_or(header)) else { return false };
    let fits = |secret: &SecretString| {
        let key = secret.expose_secret().as_bytes();
        let mac = Hmac::<Sha256>::new_from_slice(key);
        !key.is_empty() && mac.is_ok_and(|mac| mac.chain_update(body).verify_slice(&signature).is_ok())
    };
    secrets.iter().fold(false, |any, secret| fits(secret) | any)
}

/// Whether the delivery is signed with one of the secrets, in whichever header the forge puts that.
#[must_use]
pub fn is_authentic(secrets: &[SecretString], headers: &HeaderMap, body: &[u8]) -> bool {
    let mut found = SIGNATURES.iter().filter_map(|name| headers.get(*name)?.to_str().ok());
    found.next().is_some_and(|header| verify(secrets, body, header))
}

/// Reads a delivery that is authentic.
///
/// # Errors
/// When it is too large, not JSON, or not what a forge sends.
pub fn read(headers: &HeaderMap, body: &[u8]) -> Result<Delivery, DeliveryError> {
    let text = |name: &str| headers.get(name).and_then(|it| it.to_str().ok()).unwrap_or_default();
    let kind = text(header::CONTENT_TYPE.as_str());
    if kind.split(';').next().map(str::trim) != Some("application/json") {
        return Err(DeliveryError::NotJson(kind.chars().filter(|it| !it.is_control()).take(80).collect()));
    }
    if body.len() > LARGEST_DELIVERY {
        return Err(DeliveryError::TooLarge);
    }
    let named =
        |ours: &'static str, theirs: &'static str| [text(ours), text(theirs)].into_iter().find(|it| !it.is_empty());
    let event = named("x-gitea-event", "x-forgejo-event").unwrap_or_default();
    let kind = named("x-gitea-event-type", "x-forgejo-event-type").unwrap_or(event);
    match event {
        // A review has the same event; its body is no command.
        "issue_comment" => comment(body),
        "pull_request" => pull(body),
        "push" => push(body),
        "create" => create(body),
        _ => Ok(Delivery::Other(cut(kind.to_owned(), 80))),
    }
}

fn json<'a, W: Deserialize<'a>>(body: &'a [u8]) -> Result<W, DeliveryError> {
    serde_json::from_slice(body).map_err(|error| DeliveryError::Unreadable(error.to_string()))
}

#[derive(Deserialize)]
struct WireCommentDelivery {
    action: String,
    #[serde(default)]
    is_pull: bool,
    issue: WireIssue,
    comment: Option<WireComment>,
    #[serde(default)]
    pull_request: serde_json::Value,
    repository: WireName,
    sender: WireUser,
}

#[derive(Deserialize)]
struct WireIssue {
    number: PullNumber,
}

fn comment(body: &[u8]) -> Result<Delivery, DeliveryError> {
    let found: WireCommentDelivery = json(body)?;
    let action = match found.action.as_str() {
        "created" => CommentAction::Created,
        "edited" => CommentAction::Edited,
        "deleted" => CommentAction::Deleted,
        other => {
            return Ok(Delivery::Other(format!("a comment was {}", other.escape_debug().take(40).collect::<String>())));
        }
    };
    let Some(comment) = found.comment else { return Ok(Delivery::Other("a comment without a text".to_owned())) };
    let comment = comment.read().map_err(DeliveryError::Unreadable)?;
    if !found.is_pull && comment.pull.is_none() {
        return Ok(Delivery::Other("a comment on an issue".to_owned()));
    }
    Ok(Delivery::Comment(CommentDelivery {
        action,
        repo: found.repository.read().map_err(DeliveryError::Unreadable)?,
        pull: found.issue.number,
        comment,
        sender: found.sender.login,
        head: serde_json::from_value::<WirePull>(found.pull_request)
            .ok()
            .and_then(|it| it.read().ok())
            .map(|it| it.head.sha),
    }))
}

#[derive(Deserialize)]
struct WirePullDelivery {
    action: String,
    number: PullNumber,
    pull_request: WirePull,
    repository: WireName,
    sender: WireUser,
}

fn pull(body: &[u8]) -> Result<Delivery, DeliveryError> {
    let found: WirePullDelivery = json(body)?;
    let action = match found.action.as_str() {
        "opened" => PullAction::Opened,
        "synchronized" => PullAction::Synchronized,
        "closed" => PullAction::Closed,
        "reopened" => PullAction::Reopened,
        other => PullAction::Other(other.escape_debug().take(40).collect()),
    };
    let pull = found.pull_request.read().map_err(DeliveryError::Unreadable)?;
    let repo = found.repository.read().map_err(DeliveryError::Unreadable)?;
    Ok(Delivery::Pull { action, repo, number: found.number, head: pull.head.sha, sender: found.sender.login })
}

#[derive(Deserialize)]
struct WirePush {
    #[serde(rename = "ref")]
    reference: String,
    after: String,
    repository: WireRepository,
}

fn push(body: &[u8]) -> Result<Delivery, DeliveryError> {
    let found: WirePush = json(body)?;
    let repo = found.repository.name.read().map_err(DeliveryError::Unreadable)?;
    let after = CommitSha::parse(&found.after).ok().filter(|sha| sha.as_str().bytes().any(|it| it != b'0'));
    if let Some(branch) = found.reference.strip_prefix("refs/heads/") {
        let is_default = branch == found.repository.default_branch;
        return Ok(Delivery::Push { repo, branch: cut(branch.to_owned(), 1 << 10), is_default, after });
    }
    match (found.reference.strip_prefix("refs/tags/"), after) {
        (Some(tag), Some(_)) => Ok(Delivery::Tag { repo, name: cut(tag.to_owned(), 1 << 10) }),
        _ => Ok(Delivery::Other("a push of something else".to_owned())),
    }
}

#[derive(Deserialize)]
struct WireCreate {
    #[serde(rename = "ref")]
    reference: String,
    ref_type: String,
    repository: WireName,
}

fn create(body: &[u8]) -> Result<Delivery, DeliveryError> {
    let found: WireCreate = json(body)?;
    if found.ref_type != "tag" {
        return Ok(Delivery::Other("a branch was made".to_owned()));
    }
    let repo = found.repository.read().map_err(DeliveryError::Unreadable)?;
    Ok(Delivery::Tag { repo, name: cut(found.reference, 1 << 10) })
}
