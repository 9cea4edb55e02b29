//! Reading from the forge.

use jiff::Timestamp;
use reqwest::Method;
use serde::Deserialize;

use super::Forge;
use super::error::{ForgeError, Reason, Refusal};
use super::model::{
    Comment, FoundPull, Pull, PushEvent, Repository, Tag, WireBranch, WireComment, WireEvent, WireFound, WirePull,
    WireRepository, WireTag, WireUser,
};
use super::paging::{Listing, parse};
use super::wire::Request;
use crate::domain::forge::{CommentId, Login, PullNumber, RepoName};
use crate::domain::ids::CommitSha;

/// What kind of forge this is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Version {
    /// As it says itself, e.g. `1.26.0` or `11.0.1+gitea-1.22.0`; untrusted.
    pub text: String,
    /// Whether it is a Forgejo: only those name the Gitea they come from.
    pub forgejo: bool,
}

/// Whether an account belongs to an organisation.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Membership {
    /// It does.
    Member,
    /// It does not.
    NotMember,
    /// It is no *public* member, and this token's account, being none itself, is not told more.
    Unseen,
}

#[derive(Deserialize)]
struct WireVersion {
    version: String,
}

/// `2026-11-24T06:51:08Z`: whole seconds, as the forge compares them.
pub(super) fn seconds(instant: Timestamp) -> String {
    Timestamp::from_second(instant.as_second()).unwrap_or(instant).to_string()
}

impl Forge {
    /// The forge's version.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn version(&self) -> Result<Version, ForgeError> {
        let request = Request::new(Method::GET, "ask for the forge's version", "version", &[]);
        let WireVersion { version } = self.wire.object(&request).await?;
        let text: String = version.chars().filter(|it| !it.is_control()).take(80).collect();
        Ok(Version { forgejo: text.contains("+gitea-"), text })
    }

    /// Whose token this is. Needs `read:user`, which the smallest token lacks.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn user(&self) -> Result<Login, ForgeError> {
        let request = Request::new(Method::GET, "ask whose token this is", "user", &[]);
        Ok(self.wire.object::<WireUser>(&request).await?.login)
    }

    /// Pull requests of all repositories of `owner`, open or not, that changed at `since` or later (a new comment is a
    /// change). Newest pull request first. Overlap the cursor, and leave it where it is when the list is not complete.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn changed_pulls(&self, owner: &Login, since: Timestamp) -> Result<Listing<FoundPull>, ForgeError> {
        let what = format!("search {owner} for changed pull requests");
        let request = Request::new(Method::GET, what, "repos/issues/search", &[])
            .query("type", &"pulls")
            .query("state", &"all")
            .query("owner", owner)
            .query("since", &seconds(since));
        self.wire.list(&request, |found: &FoundPull| (found.repo.clone(), found.number), WireFound::read).await
    }

    /// Comments of a repository, on issues too, changed at `since` or later; oldest comment first. Bodies of reviews and
    /// deleted comments are not among them.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn comments_since(&self, repo: &RepoName, since: Timestamp) -> Result<Listing<Comment>, ForgeError> {
        let what = format!("list the comments of {repo}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/issues/comments", &[repo.owner(), &repo.name()])
            .query("since", &seconds(since));
        self.wire.list(&request, |comment: &Comment| comment.id, WireComment::read).await
    }

    /// Comments of one pull request changed at `since` or later; oldest comment first.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn comments_of(
        &self,
        repo: &RepoName,
        pull: PullNumber,
        since: Option<Timestamp>,
    ) -> Result<Listing<Comment>, ForgeError> {
        let what = format!("list the comments of {repo} #{pull}");
        let path = "repos/{}/{}/issues/{}/comments";
        let mut request = Request::new(Method::GET, what, path, &[repo.owner(), &repo.name(), &pull]);
        if let Some(since) = since {
            request = request.query("since", &seconds(since));
        }
        // This list has no pages: one that is too large is read in the repository's, which has.
        match self.wire.whole_list(&request, WireComment::read).await {
            Err(ForgeError::TooLarge { .. }) => {
                let mut all = self.comments_since(repo, since.unwrap_or(Timestamp::UNIX_EPOCH)).await?;
                all.items.retain(|comment| comment.pull == Some(pull));
                Ok(all)
            }
            listing => listing,
        }
    }

    /// One comment; `None` when it is gone.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn get_comment(&self, repo: &RepoName, id: CommentId) -> Result<Option<Comment>, ForgeError> {
        let what = format!("read comment {id} of {repo}");
        let request =
            Request::new(Method::GET, what, "repos/{}/{}/issues/comments/{}", &[repo.owner(), &repo.name(), &id]);
        match self.wire.object::<WireComment>(&request).await {
            Ok(comment) => comment.read().map(Some).map_err(|why| ForgeError::Unreadable { what: request.what, why }),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A pull request.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn pull(&self, repo: &RepoName, number: PullNumber) -> Result<Pull, ForgeError> {
        let what = format!("read {repo} #{number}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/pulls/{}", &[repo.owner(), &repo.name(), &number]);
        let pull: WirePull = self.wire.object(&request).await?;
        pull.read().map_err(|why| ForgeError::Unreadable { what: request.what, why })
    }

    /// The open pull requests of a repository, latest change first: the slow full pass.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn open_pulls(&self, repo: &RepoName) -> Result<Listing<Pull>, ForgeError> {
        let what = format!("list the pull requests of {repo}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/pulls", &[repo.owner(), &repo.name()])
            .query("state", &"open")
            .query("sort", &"recentupdate");
        self.wire.list(&request, |pull: &Pull| pull.number, WirePull::read).await
    }

    /// Pushes to a pull request at `since` or later, oldest first. The opening counts as one; a rewritten history comes
    /// as two, and takes the earlier pushes that it replaced out of the list.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn pushes(
        &self,
        repo: &RepoName,
        pull: PullNumber,
        since: Timestamp,
    ) -> Result<Listing<PushEvent>, ForgeError> {
        let what = format!("read the timeline of {repo} #{pull}");
        let path = "repos/{}/{}/issues/{}/timeline";
        let request =
            Request::new(Method::GET, what, path, &[repo.owner(), &repo.name(), &pull]).query("since", &seconds(since));
        let all = self.wire.list(&request, |(id, _): &(i64, Option<PushEvent>)| *id, WireEvent::read).await?;
        let items = all.items.into_iter().filter_map(|(_, push)| push).collect();
        Ok(Listing { items, complete: all.complete, unreadable: all.unreadable })
    }

    /// A repository.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn repository(&self, repo: &RepoName) -> Result<Repository, ForgeError> {
        let request = Request::new(Method::GET, format!("read {repo}"), "repos/{}/{}", &[repo.owner(), &repo.name()]);
        let found: WireRepository = self.wire.object(&request).await?;
        found.read().map_err(|why| ForgeError::Unreadable { what: request.what, why })
    }

    /// All repositories of an organisation, as far as the account may see them.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn repositories(&self, organisation: &Login) -> Result<Listing<Repository>, ForgeError> {
        let what = format!("list the repositories of {organisation}");
        let key = |repository: &Repository| repository.name.clone();
        let request = Request::new(Method::GET, what.clone(), "orgs/{}/repos", &[organisation]);
        match self.wire.list(&request, key, WireRepository::read).await {
            // The list needs `read:organization`, the search does not.
            Err(ForgeError::Refused(Refusal { reason: Reason::MissingScope { .. }, .. })) => {}
            listing => return listing,
        }
        let request = Request::new(Method::GET, what, "repos/search", &[]).query("q", &format!("{organisation}/"));
        let mut found = self.wire.list(&request, key, WireRepository::read).await?;
        found.items.retain(|repository| repository.name.owner() == organisation);
        Ok(found)
    }

    /// A file of a repository at its default branch; `None` when there is none. Untrusted, and bounded like every answer.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn file(&self, repo: &RepoName, name: &str) -> Result<Option<Vec<u8>>, ForgeError> {
        let what = format!("read {name} of {repo}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/raw/{}", &[repo.owner(), &repo.name(), &name]);
        match self.wire.good(&request).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// A file of a repository as it is in this commit; `None` when there is none. `path` is a path of ours, from the root. Untrusted,
    /// and bounded like every answer.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn file_at(
        &self,
        repo: &RepoName,
        path: &str,
        commit: &CommitSha,
    ) -> Result<Option<Vec<u8>>, ForgeError> {
        let what = format!("read {path} of {repo} at {}", commit.short());
        let (owner, name) = (repo.owner(), repo.name());
        let steps: Vec<&str> = path.split('/').collect();
        let address = ["repos", "{}", "{}", "raw"].into_iter().chain(steps.iter().map(|_| "{}"));
        let address = address.collect::<Vec<_>>().join("/");
        let mut parts: Vec<&dyn std::fmt::Display> = vec![owner, &name];
        parts.extend(steps.iter().map(|step| step as &dyn std::fmt::Display));
        let request = Request::new(Method::GET, what, &address, &parts).query("ref", commit);
        match self.wire.good(&request).await {
            Ok(answer) => Ok(Some(answer.body)),
            Err(error) if error.is_not_found() => Ok(None),
            Err(error) => Err(error),
        }
    }

    /// The tags of a repository.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn tags(&self, repo: &RepoName) -> Result<Listing<Tag>, ForgeError> {
        let what = format!("list the tags of {repo}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/tags", &[repo.owner(), &repo.name()]);
        self.wire.list(&request, |tag: &Tag| tag.name.clone(), WireTag::read).await
    }

    /// The commit at the tip of a branch.
    ///
    /// # Errors
    /// When it cannot be read.
    pub async fn branch(&self, repo: &RepoName, branch: &str) -> Result<CommitSha, ForgeError> {
        let what = format!("read branch {} of {repo}", branch.chars().take(80).collect::<String>().escape_debug());
        // An address treats `.` and `..` as steps; git has no such branches either.
        if branch.split('/').any(|part| matches!(part, "" | "." | "..")) {
            return Err(ForgeError::Unreadable { what, why: "this is not the name of a branch".to_owned() });
        }
        let path = ["repos", "{}", "{}", "branches"].into_iter().chain(branch.split('/').map(|_| "{}"));
        let path = path.collect::<Vec<_>>().join("/");
        let (owner, name) = (repo.owner(), repo.name());
        let request = {
            let branch: Vec<&str> = branch.split('/').collect();
            let mut parts: Vec<&dyn std::fmt::Display> = vec![owner, &name];
            parts.extend(branch.iter().map(|part| part as &dyn std::fmt::Display));
            Request::new(Method::GET, what, &path, &parts)
        };
        Ok(self.wire.object::<WireBranch>(&request).await?.commit.id)
    }

    /// Whether a commit is in a repository; one that a force push left behind still is.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn has_commit(&self, repo: &RepoName, sha: &CommitSha) -> Result<bool, ForgeError> {
        let what = format!("look for commit {} of {repo}", sha.short());
        let request = Request::new(Method::GET, what, "repos/{}/{}/git/commits/{}", &[repo.owner(), &repo.name(), sha]);
        match self.wire.good(&request).await {
            Ok(answer) => parse::<serde::de::IgnoredAny>(&request.what, &answer.body).map(|_| true),
            Err(error) if error.is_not_found() => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Whether an account belongs to an organisation, as far as this token's account is told.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn member(&self, organisation: &Login, who: &Login) -> Result<Membership, ForgeError> {
        match self.membership("orgs/{}/members/{}", organisation, who).await? {
            Some(true) => Ok(Membership::Member),
            Some(false) => Ok(Membership::NotMember),
            // An outsider is sent on to the public members; where that is is known, so the header need not be believed.
            None => match self.membership("orgs/{}/public_members/{}", organisation, who).await? {
                Some(true) => Ok(Membership::Member),
                Some(false) | None => Ok(Membership::Unseen),
            },
        }
    }

    /// Whether this token's account is told about concealed members; `who` must exist.
    pub(super) async fn asks_as_member(&self, organisation: &Login, who: &Login) -> Result<bool, ForgeError> {
        Ok(self.membership("orgs/{}/members/{}", organisation, who).await?.is_some())
    }

    /// `None`: sent elsewhere.
    async fn membership(&self, path: &str, organisation: &Login, who: &Login) -> Result<Option<bool>, ForgeError> {
        let what = format!("ask whether {who} is a member of {organisation}");
        let request = Request::new(Method::GET, what, path, &[organisation, who]);
        let answer = self.wire.read(&request).await?;
        match answer.status {
            204 => Ok(Some(true)),
            404 => Ok(Some(false)),
            302 | 303 => Ok(None),
            _ => Err(self.wire.refusal(&request.what, &answer).into()),
        }
    }

    /// Whether an account is a direct collaborator, even a read-only one. Members of a team are not.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn collaborator(&self, repo: &RepoName, who: &Login) -> Result<bool, ForgeError> {
        let what = format!("ask whether {who} is a collaborator of {repo}");
        let request =
            Request::new(Method::GET, what, "repos/{}/{}/collaborators/{}", &[repo.owner(), &repo.name(), who]);
        let answer = self.wire.read(&request).await?;
        match answer.status {
            204 => Ok(true),
            // 422: there is no such account.
            404 | 422 => Ok(false),
            _ => Err(self.wire.refusal(&request.what, &answer).into()),
        }
    }

    /// Everyone with write access, concealed members and owners included.
    ///
    /// # Errors
    /// When the forge cannot be asked.
    pub async fn assignees(&self, repo: &RepoName) -> Result<Listing<Login>, ForgeError> {
        let what = format!("list who may write to {repo}");
        let request = Request::new(Method::GET, what, "repos/{}/{}/assignees", &[repo.owner(), &repo.name()]);
        self.wire.whole_list(&request, |user: WireUser| Ok(user.login)).await
    }
}
