//! The forge (Gitea, Forgejo): what is read of it, and what is said on it. Everything that comes from it is untrusted and
//! bounded; a write whose answer never came is *unknown*, and is looked for before it is repeated.

use std::time::Duration;

use jiff::Timestamp;
use reqwest::redirect::Policy;
use reqwest::{Client, Method, StatusCode};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;
use serde_json::json;

use super::probe::root_cause;
use crate::domain::ids::CommitSha;

const PATIENCE: Duration = Duration::from_secs(20);
/// No answer that is read is larger.
const LARGEST_BODY: usize = 4 << 20;
/// The forge gives at most so many per page, whatever is asked.
const PAGE: usize = 50;
/// More pages than this are not read in one go; the next poll goes on.
const PAGES: usize = 20;
const LONGEST_MESSAGE: usize = 300;

/// Why something did not work.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// It answered, and said no.
    #[error("the forge refuses to {what}: {status} {message}")]
    Refused {
        /// What was tried.
        what: String,
        /// The status code.
        status: u16,
        /// Its own words, shortened.
        message: String,
    },
    /// It asks to be left alone for a while.
    #[error("the forge asks to wait {seconds} s before it is asked to {what}")]
    Later {
        /// What was tried.
        what: String,
        /// How long.
        seconds: u64,
    },
    /// No answer came: a write may or may not have happened.
    #[error("the forge does not answer when asked to {what}: {why}")]
    Silent {
        /// What was tried.
        what: String,
        /// What the connection said.
        why: String,
    },
    /// It answered something else than it should.
    #[error("the forge's answer to {what} cannot be read: {why}")]
    Unreadable {
        /// What was tried.
        what: String,
        /// Why not.
        why: String,
    },
}

impl ForgeError {
    /// Whether trying again is of no use: what it is about is gone, or closed to us. A token that is not accepted is none of
    /// that: an operator can put it right, and nothing should be lost until then.
    #[must_use]
    pub const fn is_final(&self) -> bool {
        matches!(self, Self::Refused { status: 301 | 400 | 403 | 404 | 410 | 422 | 423, .. })
    }

    /// Whether the token lacks a scope: an operator can put that right, too.
    #[must_use]
    pub fn is_missing_scope(&self) -> bool {
        matches!(self, Self::Refused { status: 403, message, .. } if message.contains("scope"))
    }

    /// Whether the thing may have happened all the same.
    #[must_use]
    pub const fn is_unknown(&self) -> bool {
        matches!(self, Self::Silent { .. } | Self::Unreadable { .. })
    }

    /// Whether the answer came, and was of no use.
    #[must_use]
    pub const fn is_unreadable(&self) -> bool {
        matches!(self, Self::Unreadable { .. })
    }

    /// How long the forge wants to be left alone.
    #[must_use]
    pub const fn retry_after(&self) -> Option<u64> {
        if let Self::Later { seconds, .. } = self { Some(*seconds) } else { None }
    }
}

/// A pull request that changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Changed {
    /// `owner/name`.
    pub repository: String,
    /// Its number.
    pub pull: u64,
}

/// A pull request.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pull {
    /// Whether it is open.
    pub open: bool,
    /// Who opened it.
    pub author: String,
    /// Its title: untrusted.
    pub title: String,
    /// Its head.
    pub head: CommitSha,
}

/// A comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Comment {
    /// The forge's id.
    pub id: u64,
    /// Who wrote it.
    pub author: String,
    /// Its text: untrusted.
    pub body: String,
    /// When it was written.
    pub created_at: Timestamp,
    /// When it was last changed.
    pub updated_at: Timestamp,
}

#[derive(Deserialize)]
struct User {
    login: String,
}

#[derive(Deserialize)]
struct IssueAnswer {
    number: u64,
    repository: RepositoryAnswer,
}

#[derive(Deserialize)]
struct RepositoryAnswer {
    full_name: String,
}

#[derive(Deserialize)]
struct PullAnswer {
    state: String,
    title: String,
    user: User,
    head: HeadAnswer,
}

#[derive(Deserialize)]
struct HeadAnswer {
    sha: CommitSha,
}

#[derive(Deserialize)]
struct CommentAnswer {
    id: u64,
    user: User,
    body: String,
    created_at: Timestamp,
    updated_at: Timestamp,
}

/// A client of one forge, acting as one account.
#[derive(Debug, Clone)]
pub struct Forge {
    client: Client,
    url: String,
    token: SecretString,
    account: String,
}

impl Forge {
    /// A client. `url` is the forge's root, e.g. `https://forge.example`.
    ///
    /// # Errors
    /// When no HTTP client can be made.
    pub fn new(url: &str, token: SecretString, account: &str) -> Result<Self, ForgeError> {
        // A redirect of a write would be followed as a read, and look like success.
        let client = Client::builder().redirect(Policy::none()).timeout(PATIENCE).user_agent("cc-ci").build();
        let client = client.map_err(|error| silent("make an HTTP client", &error))?;
        Ok(Self { client, url: url.trim_end_matches('/').to_owned(), token, account: account.to_owned() })
    }

    /// The gate's own account.
    #[must_use]
    pub fn account(&self) -> &str {
        &self.account
    }

    /// The address from which git fetches a repository.
    #[must_use]
    pub fn git_url(&self, repository: &str) -> String {
        format!("{}/{repository}.git", self.url)
    }

    /// The address of a comment's page.
    #[must_use]
    pub fn pull_url(&self, repository: &str, pull: u64) -> String {
        format!("{}/{repository}/pulls/{pull}", self.url)
    }

    /// The forge's version.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn version(&self) -> Result<String, ForgeError> {
        #[derive(Deserialize)]
        struct Version {
            version: String,
        }
        let version: Version = self.read("tell its version", "/version", &[]).await?;
        Ok(version.version)
    }

    /// Pull requests of the organisation that changed since then (their comments, their head, their state).
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn changed_pulls(&self, organisation: &str, since: Timestamp) -> Result<Vec<Changed>, ForgeError> {
        let mut found = Vec::new();
        for page in 1..=PAGES {
            let query = [
                ("type", "pulls".to_owned()),
                ("state", "all".to_owned()),
                ("owner", organisation.to_owned()),
                ("since", format!("{since:.0}")),
                ("limit", PAGE.to_string()),
                ("page", page.to_string()),
            ];
            let answers: Vec<IssueAnswer> =
                self.read("list changed pull requests", "/repos/issues/search", &query).await?;
            let last = answers.is_empty();
            found.extend(
                answers
                    .into_iter()
                    .map(|answer| Changed { repository: answer.repository.full_name, pull: answer.number }),
            );
            if last {
                break;
            }
        }
        Ok(found)
    }

    /// A pull request.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn pull(&self, repository: &str, pull: u64) -> Result<Pull, ForgeError> {
        let answer: PullAnswer =
            self.read("show a pull request", &format!("/repos/{repository}/pulls/{pull}"), &[]).await?;
        Ok(Pull { open: answer.state == "open", author: answer.user.login, title: answer.title, head: answer.head.sha })
    }

    /// Comments of a pull request that were written or changed since then, oldest first.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn comments(&self, repository: &str, pull: u64, since: Timestamp) -> Result<Vec<Comment>, ForgeError> {
        let query = [("since", format!("{since:.0}"))];
        let answers: Vec<CommentAnswer> =
            self.read("list comments", &format!("/repos/{repository}/issues/{pull}/comments"), &query).await?;
        Ok(answers
            .into_iter()
            .map(|answer| Comment {
                id: answer.id,
                author: answer.user.login,
                body: answer.body,
                created_at: answer.created_at,
                updated_at: answer.updated_at,
            })
            .collect())
    }

    /// Whether somebody may write to the repository, or is in its organisation.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn is_member(&self, repository: &str, login: &str) -> Result<bool, ForgeError> {
        // The list has everyone with write access, concealed members and owners too.
        let writers: Vec<User> =
            self.read("list who may write", &format!("/repos/{repository}/assignees"), &[]).await?;
        if writers.iter().any(|user| user.login == login) {
            return Ok(true);
        }
        let organisation = repository.split('/').next().unwrap_or_default();
        let path = format!("/orgs/{organisation}/members/{login}");
        // 303: the gate is no member itself and may not know; then nobody is one for it.
        match self.ask(Method::GET, "look up a member", &path, &[], None).await {
            Ok((status, _)) => Ok(status == StatusCode::NO_CONTENT),
            Err(ForgeError::Refused { .. }) => Ok(false),
            Err(error) => Err(error),
        }
    }

    /// Posts a comment. Returns its id.
    ///
    /// # Errors
    /// [`ForgeError`]; where it [`is_unknown`](ForgeError::is_unknown), look for the comment before posting again.
    pub async fn post_comment(&self, repository: &str, pull: u64, body: &str) -> Result<u64, ForgeError> {
        #[derive(Deserialize)]
        struct Posted {
            id: u64,
        }
        let path = format!("/repos/{repository}/issues/{pull}/comments");
        let (_, text) = self.ask(Method::POST, "post a comment", &path, &[], Some(json!({ "body": body }))).await?;
        Ok(parse::<Posted>("post a comment", &text)?.id)
    }

    /// Changes a comment of one's own.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn edit_comment(&self, repository: &str, comment: u64, body: &str) -> Result<(), ForgeError> {
        let path = format!("/repos/{repository}/issues/comments/{comment}");
        self.ask(Method::PATCH, "edit a comment", &path, &[], Some(json!({ "body": body }))).await.map(drop)
    }

    /// Reacts to a comment; the same reaction twice is one.
    ///
    /// # Errors
    /// [`ForgeError`].
    pub async fn react(&self, repository: &str, comment: u64, reaction: &str) -> Result<(), ForgeError> {
        let path = format!("/repos/{repository}/issues/comments/{comment}/reactions");
        self.ask(Method::POST, "react to a comment", &path, &[], Some(json!({ "content": reaction }))).await.map(drop)
    }

    /// Sets a commit status: `pending`, `success`, `failure` or `error`.
    ///
    /// # Errors
    /// [`ForgeError`]; 403 where the token may not write code.
    pub async fn set_status(
        &self,
        repository: &str,
        head: &CommitSha,
        state: &str,
        description: &str,
        url: &str,
    ) -> Result<(), ForgeError> {
        let path = format!("/repos/{repository}/statuses/{head}");
        let body = json!({ "context": "cc-ci", "state": state, "description": description, "target_url": url });
        self.ask(Method::POST, "set a commit status", &path, &[], Some(body)).await.map(drop)
    }

    /// Asks once more where no answer came: reading changes nothing.
    async fn read<T: DeserializeOwned>(
        &self,
        what: &str,
        path: &str,
        query: &[(&str, String)],
    ) -> Result<T, ForgeError> {
        let answer = match self.ask(Method::GET, what, path, query, None).await {
            Err(ForgeError::Silent { .. }) => self.ask(Method::GET, what, path, query, None).await,
            other => other,
        };
        parse(what, &answer?.1)
    }

    async fn ask(
        &self,
        method: Method,
        what: &str,
        path: &str,
        query: &[(&str, String)],
        body: Option<serde_json::Value>,
    ) -> Result<(StatusCode, Vec<u8>), ForgeError> {
        let mut request = self.client.request(method, format!("{}/api/v1{path}", self.url)).query(query);
        request = request.header("Authorization", format!("token {}", self.token.expose_secret()));
        if let Some(body) = body {
            request = request.json(&body);
        }
        let mut response = request.send().await.map_err(|error| silent(what, &error))?;
        let status = response.status();
        let wait = response
            .headers()
            .get("Retry-After")
            .and_then(|value| value.to_str().ok())
            .and_then(|value| value.parse().ok());
        let mut text = Vec::new();
        while let Some(piece) = response.chunk().await.map_err(|error| silent(what, &error))? {
            if text.len() + piece.len() > LARGEST_BODY {
                return Err(ForgeError::Unreadable {
                    what: what.to_owned(),
                    why: format!("it is larger than {LARGEST_BODY} bytes"),
                });
            }
            text.extend_from_slice(&piece);
        }
        match status.as_u16() {
            200..=299 => Ok((status, text)),
            429 | 503 => Err(ForgeError::Later { what: what.to_owned(), seconds: wait.unwrap_or(60) }),
            500..=599 => Err(ForgeError::Silent { what: what.to_owned(), why: format!("status {status}") }),
            code => Err(ForgeError::Refused { what: what.to_owned(), status: code, message: message(&text) }),
        }
    }
}

fn silent(what: &str, error: &reqwest::Error) -> ForgeError {
    ForgeError::Silent { what: what.to_owned(), why: root_cause(error) }
}

fn parse<T: DeserializeOwned>(what: &str, text: &[u8]) -> Result<T, ForgeError> {
    serde_json::from_slice(text)
        .map_err(|error| ForgeError::Unreadable { what: what.to_owned(), why: error.to_string() })
}

fn message(text: &[u8]) -> String {
    #[derive(Deserialize)]
    struct Told {
        message: String,
    }
    let told = serde_json::from_slice::<Told>(text).map(|told| told.message);
    let told = told.unwrap_or_else(|_| String::from_utf8_lossy(text).into_owned());
    told.split_whitespace().collect::<Vec<_>>().join(" ").chars().take(LONGEST_MESSAGE).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn refused(status: u16, message: &str) -> ForgeError {
        ForgeError::Refused { what: "post a comment".into(), status, message: message.into() }
    }

    #[test]
    fn s46_what_an_operator_can_put_right_is_not_given_up() {
        assert!(!refused(401, "invalid username, password or token").is_final());
        assert!(refused(403, "token does not have at least one of required scope(s)").is_missing_scope());
        for gone in [301, 404, 423] {
            assert!(refused(gone, "").is_final());
        }
        assert!(ForgeError::Silent { what: "post a comment".into(), why: "reset".into() }.is_unknown());
        assert!(!refused(404, "").is_unknown());
    }

    #[test]
    fn the_forges_own_words_are_bounded() {
        assert_eq!(message(br#"{"message":"not\n  found","url":"x"}"#), "not found");
        assert_eq!(message(&[b'x'; 5000]).len(), LONGEST_MESSAGE);
    }
}
