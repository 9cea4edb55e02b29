//! What a forge speaks of, read from its JSON. Fields that are not needed are not read; texts are kept short.

use jiff::Timestamp;
use serde::Deserialize;
use url::Url;

use crate::domain::forge::{CommentId, Login, PullNumber, RepoName};
use crate::domain::ids::CommitSha;

/// A comment may be a megabyte; a command is in its first line, our own marker in a short text.
const LONGEST_BODY: usize = 64 << 10;
const LONGEST_LINE: usize = 1 << 10;

/// A comment of a pull request's or an issue's conversation.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// Its id.
    pub id: CommentId,
    /// Its pull request; `None`: it is on a plain issue.
    pub pull: Option<PullNumber>,
    /// Who wrote it. When somebody else has edited it, the forge still says only this.
    pub author: Login,
    /// Markdown, untrusted, at most 64 KiB of it; lines may end in `\r\n`.
    pub body: String,
    /// Its page.
    pub url: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When its text was last changed, to the second.
    pub updated_at: Timestamp,
}

impl Comment {
    /// Whether it shows that it was edited; an edit within the second of its creation leaves no trace.
    #[must_use]
    pub fn is_edited(&self) -> bool {
        self.updated_at != self.created_at
    }
}

/// A pull request that the organisation-wide search found.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPull {
    /// Its repository.
    pub repo: RepoName,
    /// Its number.
    pub number: PullNumber,
    /// Its title, untrusted.
    pub title: String,
    /// Who opened it.
    pub author: Login,
    /// Whether it is open.
    pub open: bool,
    /// When it last changed; a new comment is a change.
    pub updated_at: Timestamp,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Its number.
    pub number: PullNumber,
    /// Its title, untrusted.
    pub title: String,
    /// Who opened it.
    pub author: Login,
    /// Whether it is open.
    pub open: bool,
    /// Whether it was merged.
    pub merged: bool,
    /// Whether it is marked as unfinished.
    pub draft: bool,
    /// Whether its conversation is locked.
    pub locked: bool,
    /// Where it wants to go.
    pub base: Side,
    /// What it brings.
    pub head: Side,
    /// Where both parted.
    pub merge_base: Option<CommitSha>,
    /// Its page.
    pub url: String,
    /// When it was opened.
    pub created_at: Timestamp,
    /// When it last changed.
    pub updated_at: Timestamp,
}

/// One side of a pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Side {
    /// Its branch, untrusted; `refs/pull/N/head` once the branch is gone.
    pub branch: String,
    /// Its commit.
    pub sha: CommitSha,
    /// Its repository; `None` once the fork is gone.
    pub repo: Option<RepoName>,
}

/// A push to a pull request's branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PushEvent {
    /// When, to the second.
    pub at: Timestamp,
    /// By whom.
    pub by: Login,
    /// Whether history was rewritten; the commits are then the old head and the new one.
    pub forced: bool,
    /// The commits that came.
    pub commits: Vec<CommitSha>,
}

/// A tag.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Tag {
    /// Its name, untrusted.
    pub name: String,
    /// The commit it stands for.
    pub commit: CommitSha,
    /// Whether it is an object of its own, as abra makes them.
    pub annotated: bool,
}

/// A repository.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Repository {
    /// Its name.
    pub name: RepoName,
    /// Its default branch, untrusted.
    pub default_branch: String,
    /// Whether nothing can be written to it.
    pub archived: bool,
    /// Whether this account may push; the forge wants that for commit statuses.
    pub may_push: bool,
    /// Whether this account may change hooks.
    pub is_admin: bool,
}

#[derive(Deserialize)]
pub(super) struct WireUser {
    pub(super) login: Login,
}

#[derive(Deserialize)]
pub(super) struct WireComment {
    id: CommentId,
    #[serde(default)]
    pull_request_url: String,
    user: WireUser,
    #[serde(default)]
    body: String,
    #[serde(default)]
    html_url: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

impl WireComment {
    pub(super) fn read(self) -> Result<Comment, String> {
        Ok(Comment {
            id: self.id,
            pull: pull_in(&self.pull_request_url)?,
            author: self.user.login,
            body: cut(self.body, LONGEST_BODY),
            url: page(self.html_url),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct WireFound {
    number: PullNumber,
    #[serde(default)]
    title: String,
    user: WireUser,
    state: String,
    updated_at: Timestamp,
    repository: WireFoundRepository,
}

#[derive(Deserialize)]
struct WireFoundRepository {
    name: String,
    owner: String,
}

impl WireFound {
    pub(super) fn read(self) -> Result<FoundPull, String> {
        Ok(FoundPull {
            repo: RepoName::new(&self.repository.owner, &self.repository.name).map_err(|error| error.to_string())?,
            number: self.number,
            title: cut(self.title, LONGEST_LINE),
            author: self.user.login,
            open: self.state == "open",
            updated_at: self.updated_at,
        })
    }
}

#[derive(Deserialize)]
pub(super) struct WirePull {
    number: PullNumber,
    #[serde(default)]
    title: String,
    user: WireUser,
    state: String,
    #[serde(default)]
    merged: bool,
    #[serde(default)]
    draft: bool,
    #[serde(default)]
    is_locked: bool,
    base: WireSide,
    head: WireSide,
    #[serde(default)]
    merge_base: Option<String>,
    #[serde(default)]
    html_url: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

#[derive(Deserialize)]
struct WireSide {
    #[serde(rename = "ref", default)]
    branch: String,
    sha: CommitSha,
    repo: Option<WireName>,
}

#[derive(Deserialize)]
pub(super) struct WireName {
    pub(super) name: String,
    pub(super) owner: WireUser,
}

impl WireName {
    pub(super) fn read(&self) -> Result<RepoName, String> {
        RepoName::new(self.owner.login.as_str(), &self.name).map_err(|error| error.to_string())
    }
}

impl WireSide {
    fn read(self) -> Result<Side, String> {
        let repo = self.repo.as_ref().map(WireName::read).transpose()?;
        Ok(Side { branch: cut(self.branch, LONGEST_LINE), sha: self.sha, repo })
    }
}

impl WirePull {
    pub(super) fn read(self) -> Result<Pull, String> {
        Ok(Pull {
            number: self.number,
            title: cut(self.title, LONGEST_LINE),
            author: self.user.login,
            open: self.state == "open",
            merged: self.merged,
            draft: self.draft,
            locked: self.is_locked,
            base: self.base.read()?,
            head: self.head.read()?,
            merge_base: self.merge_base.and_then(|sha| CommitSha::parse(&sha).ok()),
            url: page(self.html_url),
            created_at: self.created_at,
            updated_at: self.updated_at,
        })
    }
}

/// An entry of a timeline, most of which are no pushes.
#[derive(Deserialize)]
pub(super) struct WireEvent {
    pub(super) id: i64,
    #[serde(rename = "type", default)]
    kind: String,
    user: Option<WireUser>,
    #[serde(default)]
    body: String,
    created_at: Timestamp,
}

#[derive(Deserialize)]
struct WirePushed {
    #[serde(default)]
    is_force_push: bool,
    #[serde(default)]
    commit_ids: Option<Vec<CommitSha>>,
}

impl WireEvent {
    pub(super) fn read(self) -> Result<(i64, Option<PushEvent>), String> {
        let (true, Some(user)) = (self.kind == "pull_push", self.user) else { return Ok((self.id, None)) };
        let pushed: WirePushed = serde_json::from_str(&self.body).map_err(|error| error.to_string())?;
        let commits = pushed.commit_ids.unwrap_or_default();
        let push = PushEvent { at: self.created_at, by: user.login, forced: pushed.is_force_push, commits };
        Ok((self.id, Some(push)))
    }
}

#[derive(Deserialize)]
pub(super) struct WireTag {
    name: String,
    #[serde(default)]
    id: String,
    commit: WireCommit,
}

#[derive(Deserialize)]
struct WireCommit {
    sha: CommitSha,
}

impl WireTag {
    pub(super) fn read(self) -> Result<Tag, String> {
        let annotated = self.id != self.commit.sha.as_str();
        Ok(Tag { name: cut(self.name, LONGEST_LINE), commit: self.commit.sha, annotated })
    }
}

#[derive(Deserialize)]
pub(super) struct WireBranch {
    pub(super) commit: WireBranchCommit,
}

#[derive(Deserialize)]
pub(super) struct WireBranchCommit {
    pub(super) id: CommitSha,
}

#[derive(Deserialize)]
pub(super) struct WireRepository {
    #[serde(flatten)]
    pub(super) name: WireName,
    #[serde(default)]
    pub(super) default_branch: String,
    #[serde(default)]
    archived: bool,
    #[serde(default)]
    permissions: WirePermissions,
}

#[derive(Deserialize, Default)]
struct WirePermissions {
    #[serde(default)]
    admin: bool,
    #[serde(default)]
    push: bool,
}

impl WireRepository {
    pub(super) fn read(self) -> Result<Repository, String> {
        Ok(Repository {
            name: self.name.read()?,
            default_branch: cut(self.default_branch, LONGEST_LINE),
            archived: self.archived,
            may_push: self.permissions.push,
            is_admin: self.permissions.admin,
        })
    }
}

/// `https://forge/recipes/notes/pulls/1` → 1; empty → none.
fn pull_in(url: &str) -> Result<Option<PullNumber>, String> {
    if url.is_empty() {
        return Ok(None);
    }
    let number = url.rsplit_once("/pulls/").and_then(|(_, number)| number.parse().ok());
    let number = number.and_then(|number| PullNumber::new(number).ok());
    number.map(Some).ok_or_else(|| "its pull request's address names no number".to_owned())
}

pub(super) fn cut(mut text: String, longest: usize) -> String {
    if text.len() > longest {
        text.truncate(text.floor_char_boundary(longest));
    }
    text
}

/// An address that may become a link on our pages; anything but the web is dropped.
fn page(url: String) -> String {
    let web = Url::parse(&url).is_ok_and(|url| matches!(url.scheme(), "http" | "https"));
    if web { cut(url, LONGEST_LINE) } else { String::new() }
}
