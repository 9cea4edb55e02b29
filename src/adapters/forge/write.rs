//! Writing to the forge. Each request is sent once: a POST whose answer got lost may have been done, and only the caller
//! can look for its marker.

use reqwest::Method;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::Forge;
use super::error::{ForgeError, Outcome, Reason, Refusal};
use super::hooks::{Hook, HookScope, WantedHook, WireHook};
use super::model::{Comment, WireComment};
use super::paging::{Listing, parse};
use super::wire::{Answer, Request};
use crate::domain::forge::{CommentId, HookId, PullNumber, RepoName};
use crate::domain::ids::CommitSha;

/// The state of a commit status. The forge stores any word and calls what it does not know pending.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum StatusState {
    /// Under way.
    Pending,
    /// Green.
    Success,
    /// Red.
    Failure,
    /// Not judged.
    Error,
}

impl StatusState {
    /// As the forge writes it.
    #[must_use]
    pub const fn as_str(self) -> &'static str {
        match self {
            Self::Pending => "pending",
            Self::Success => "success",
            Self::Failure => "failure",
            Self::Error => "error",
        }
    }
}

/// A commit status.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CommitStatus {
    /// Its state.
    pub state: StatusState,
    /// Whose it is: one line per context is shown.
    pub context: String,
    /// One line.
    pub description: String,
    /// The page of the run.
    pub target_url: Option<String>,
}

/// No hook has this number: the forge counts them from one.
const NO_HOOK: i64 = 9_007_199_254_740_991;

/// What a write to a comment addresses.
fn comment_request(method: Method, verb: &str, repo: &RepoName, id: CommentId, end: &str) -> Request {
    let path = format!("repos/{{}}/{{}}/issues/comments/{{}}{end}");
    Request::new(method, format!("{verb} comment {id} of {repo}"), &path, &[repo.owner(), &repo.name(), &id])
}

/// A success whose body makes no sense was still a success, but of what, only a look can tell.
fn read_done<W: DeserializeOwned, T>(
    request: &Request,
    outcome: Outcome<Answer>,
    read: impl FnOnce(W) -> Result<T, String>,
) -> Outcome<T> {
    match outcome.map(|answer| parse::<W>(&request.what, &answer.body).map_err(|error| error.to_string())) {
        Outcome::Done(Ok(found)) => match read(found) {
            Ok(it) => Outcome::Done(it),
            Err(why) => Outcome::Unknown(format!("{}: done, but the answer cannot be read: {why}", request.what)),
        },
        Outcome::Done(Err(why)) | Outcome::Unknown(why) => Outcome::Unknown(why),
        Outcome::Later(why) => Outcome::Later(why),
        Outcome::Refused(refusal) => Outcome::Refused(refusal),
    }
}

impl Forge {
    /// Posts a comment, which must not be empty. After [`Outcome::Unknown`] look for its marker before posting again.
    pub async fn post_comment(&self, repo: &RepoName, pull: PullNumber, body: &str) -> Outcome<Comment> {
        let what = format!("comment on {repo} #{pull}");
        let path = "repos/{}/{}/issues/{}/comments";
        let request =
            Request::new(Method::POST, what, path, &[repo.owner(), &repo.name(), &pull]).body(json!({ "body": body }));
        read_done(&request, self.wire.write(&request).await, WireComment::read)
    }

    /// Changes a comment's text; safe to repeat.
    pub async fn edit_comment(&self, repo: &RepoName, id: CommentId, body: &str) -> Outcome<Comment> {
        let request = comment_request(Method::PATCH, "edit", repo, id, "").body(json!({ "body": body }));
        read_done(&request, self.wire.write(&request).await, WireComment::read)
    }

    /// Removes a comment; one that is gone already is removed. Safe to repeat.
    pub async fn delete_comment(&self, repo: &RepoName, id: CommentId) -> Outcome<()> {
        let request = comment_request(Method::DELETE, "remove", repo, id, "");
        gone_is_done(self.wire.write(&request).await)
    }

    /// Reacts to a comment, e.g. with `eyes`; a second time changes nothing. Safe to repeat.
    pub async fn react(&self, repo: &RepoName, id: CommentId, reaction: &str) -> Outcome<()> {
        let request =
            comment_request(Method::POST, "react to", repo, id, "/reactions").body(json!({ "content": reaction }));
        self.wire.write(&request).await.map(|_| ())
    }

    /// Sets a commit status. Statuses are a list that only grows; the newest of a context counts, so that repeating is
    /// harmless. For a commit that is gone the forge says 500: asked again, that becomes [`Reason::NoSuchCommit`].
    pub async fn set_status(&self, repo: &RepoName, sha: &CommitSha, status: &CommitStatus) -> Outcome<()> {
        let what = format!("set the status of {} of {repo}", sha.short());
        let mut body = json!({
            "state": status.state.as_str(),
            "context": status.context,
            "description": status.description,
        });
        if let Some(url) = &status.target_url {
            body["target_url"] = json!(url);
        }
        let path = "repos/{}/{}/statuses/{}";
        let request = Request::new(Method::POST, what.clone(), path, &[repo.owner(), &repo.name(), sha]).body(body);
        let outcome = self.wire.write(&request).await.map(|_| ());
        if matches!(outcome, Outcome::Unknown(_)) && matches!(self.has_commit(repo, sha).await, Ok(false)) {
            let message = "there is no such commit".to_owned();
            return Outcome::Refused(Refusal { what, status: 500, reason: Reason::NoSuchCommit, message });
        }
        outcome
    }

    /// The hooks of a repository or an organisation. Needs to be their admin.
    ///
    /// # Errors
    /// When the forge cannot be asked or does not say.
    pub async fn hooks(&self, scope: &HookScope) -> Result<Listing<Hook>, ForgeError> {
        let request = scope.request(Method::GET, "list the hooks of", None);
        self.wire.list(&request, |hook: &Hook| hook.id, WireHook::read).await
    }

    /// Makes a hook. The forge takes the same address twice: after [`Outcome::Unknown`] list before making it again.
    pub async fn create_hook(&self, scope: &HookScope, wanted: &WantedHook) -> Outcome<Hook> {
        let request = scope.request(Method::POST, "make a hook for", None).body(wanted.body());
        read_done(&request, self.wire.write(&request).await, WireHook::read)
    }

    /// Sets everything of a hook, its events too: a change without them would reset them to `push`. Safe to repeat.
    pub async fn update_hook(&self, scope: &HookScope, id: HookId, wanted: &WantedHook) -> Outcome<Hook> {
        let request = scope.request(Method::PATCH, "change a hook of", Some(id)).body(wanted.body());
        read_done(&request, self.wire.write(&request).await, WireHook::read)
    }

    /// Removes a hook; one that is gone already is removed. Safe to repeat.
    pub async fn delete_hook(&self, scope: &HookScope, id: HookId) -> Outcome<()> {
        let request = scope.request(Method::DELETE, "remove a hook of", Some(id));
        gone_is_done(self.wire.write(&request).await)
    }

    /// Tries to change a hook that does not exist: listing hooks needs less than changing them.
    pub(super) async fn try_hook(&self, scope: &HookScope) -> Outcome<()> {
        let request = scope.request(Method::PATCH, "try to change a hook of", HookId::new(NO_HOOK).ok());
        self.wire.write(&request.body(json!({ "active": false }))).await.map(|_| ())
    }

    /// Tries a write that cannot succeed, to learn whether the token may do it.
    pub(super) async fn try_write(&self, what: &str, method: Method, path: &str, repo: &RepoName) -> Outcome<()> {
        let request = Request::new(method, what, path, &[repo.owner(), &repo.name()]);
        // Nothing here may be empty: that is refused (422) before anything is looked for.
        let body = json!({ "body": "x", "state": StatusState::Pending.as_str(), "context": "cc-ci" });
        self.wire.write(&request.body(body)).await.map(|_| ())
    }
}

fn gone_is_done(outcome: Outcome<Answer>) -> Outcome<()> {
    if matches!(outcome, Outcome::Refused(Refusal { reason: Reason::NotFound, .. })) {
        return Outcome::Done(());
    }
    outcome.map(|_| ())
}
