//! What a forge refuses and why, in plain words, and what to do.

use std::fmt;

use jiff::Timestamp;

use crate::domain::forge::RepoName;

/// Reading from the forge failed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ForgeError {
    /// No answer, after several tries.
    #[error("{what}: the forge gave no answer: {why}")]
    Silent {
        /// What was asked.
        what: String,
        /// Why there was none.
        why: String,
    },
    /// It asks to be left alone, or has failed so often that it is: nothing is sent before `next_try`.
    #[error("{what}: the forge is left alone until {next_try}: {why}")]
    Busy {
        /// What was asked.
        what: String,
        /// What came back last.
        why: String,
        /// When it will be asked again.
        next_try: Timestamp,
    },
    /// It answered, and not with what was asked for.
    #[error(transparent)]
    Refused(#[from] Refusal),
    /// The answer is not what a forge says.
    #[error("{what}: the answer cannot be read: {why}\nhint: is the address that of a Gitea or Forgejo?")]
    Unreadable {
        /// What was asked.
        what: String,
        /// What is wrong with it.
        why: String,
    },
    /// The answer is larger than is read.
    #[error("{what}: the answer is larger than {limit} bytes")]
    TooLarge {
        /// What was asked.
        what: String,
        /// The limit.
        limit: usize,
    },
}

impl ForgeError {
    /// The new name, when the repository was renamed or moved.
    #[must_use]
    pub const fn renamed_to(&self) -> Option<&RepoName> {
        if let Self::Refused(Refusal { reason: Reason::Renamed { to: Some(to) }, .. }) = self { Some(to) } else { None }
    }

    /// Whether the thing does not exist, or is hidden from this account.
    #[must_use]
    pub const fn is_not_found(&self) -> bool {
        matches!(self, Self::Refused(Refusal { reason: Reason::NotFound, .. }))
    }
}

/// The forge's "no".
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refusal {
    /// What was asked.
    pub what: String,
    /// The status code.
    pub status: u16,
    /// What it means.
    pub reason: Reason,
    /// The forge's own words: one line, shortened; untrusted.
    pub message: String,
}

/// What a "no" means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reason {
    /// The token is unknown, expired or withdrawn.
    BadToken,
    /// The token may not do this; these scopes would let it.
    MissingScope {
        /// As the forge names them, e.g. `write:issue`.
        needed: Vec<String>,
    },
    /// The conversation is locked.
    Locked,
    /// The repository is archived.
    Archived,
    /// The account may not do this.
    Forbidden,
    /// It does not exist, or is hidden from this account.
    NotFound,
    /// The repository has another name now.
    Renamed {
        /// The name, where the forge says it.
        to: Option<RepoName>,
    },
    /// The commit is not there (any more); the forge says 500 to that.
    NoSuchCommit,
    /// What was sent is not accepted.
    Invalid,
    /// Anything else.
    Other,
}

impl Refusal {
    /// Reads a "no". `location` is the header of a redirect.
    pub(super) fn read(what: &str, status: u16, message: String, location: Option<&str>) -> Self {
        let reason = match status {
            401 => Reason::BadToken,
            403 if needed_scopes(&message).is_some() => {
                Reason::MissingScope { needed: needed_scopes(&message).unwrap_or_default() }
            }
            403 if message.contains("locked") => Reason::Locked,
            403 => Reason::Forbidden,
            404 | 410 => Reason::NotFound,
            423 => Reason::Archived,
            301 | 302 | 307 | 308 => Reason::Renamed { to: location.and_then(repository_in) },
            400 | 409 | 413 | 422 => Reason::Invalid,
            _ => Reason::Other,
        };
        Self { what: what.to_owned(), status, reason, message }
    }

    /// What to do about it.
    #[must_use]
    pub fn hint(&self) -> Option<String> {
        Some(match &self.reason {
            Reason::BadToken => "the forge does not accept the token: make a new one for the bot's account".to_owned(),
            Reason::MissingScope { needed } => {
                format!("the token lacks {}: make one that has it", needed.join(" or "))
            }
            Reason::Locked => "unlock the conversation, or give the bot's account write access".to_owned(),
            Reason::Archived => "the repository is archived: nothing can be written to it".to_owned(),
            Reason::Forbidden => "the bot's account lacks the right to do this".to_owned(),
            Reason::NotFound => "it was deleted, or the bot's account may not see it".to_owned(),
            Reason::Renamed { to: Some(to) } => format!("the repository is now called {to}"),
            Reason::Renamed { to: None } => "the repository or the forge has moved: check its address".to_owned(),
            Reason::NoSuchCommit => "the commit is not in the repository any more".to_owned(),
            Reason::Invalid | Reason::Other => return None,
        })
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: the forge answered {}", self.what, self.status)?;
        if !self.message.is_empty() {
            write!(f, ": {}", self.message)?;
        }
        self.hint().map_or(Ok(()), |hint| write!(f, "\nhint: {hint}"))
    }
}

impl std::error::Error for Refusal {}

/// How a write ended. A write is sent once; what to do next is the caller's.
#[derive(Debug, Clone, PartialEq, Eq)]
#[must_use]
pub enum Outcome<T> {
    /// The forge has done it.
    Done(T),
    /// It was certainly not done, for a passing reason (no connection, asked to wait): try again later.
    Later(String),
    /// It was sent and may have been done, or may be done yet (the forge is perhaps still at it): wait a while, look for
    /// the marker, and only then try again.
    Unknown(String),
    /// The forge will not do it; trying again changes nothing.
    Refused(Refusal),
}

impl<T> Outcome<T> {
    /// What was done, if it was.
    #[must_use]
    pub fn done(self) -> Option<T> {
        if let Self::Done(it) = self { Some(it) } else { None }
    }

    /// Changes what was done; how it ended stays.
    pub fn map<U>(self, change: impl FnOnce(T) -> U) -> Outcome<U> {
        match self {
            Self::Done(it) => Outcome::Done(change(it)),
            Self::Later(why) => Outcome::Later(why),
            Self::Unknown(why) => Outcome::Unknown(why),
            Self::Refused(refusal) => Outcome::Refused(refusal),
        }
    }
}

/// `… required scope(s), required=[write:repository], token scope=…`
fn needed_scopes(message: &str) -> Option<Vec<String>> {
    let (_, rest) = message.split_once("required=[")?;
    let (list, _) = rest.split_once(']')?;
    let is_scope = |text: &&str| {
        !text.is_empty() && text.bytes().all(|byte| byte.is_ascii_alphanumeric() || matches!(byte, b':' | b'-' | b'_'))
    };
    let scopes: Vec<String> =
        list.split([',', ' ']).map(str::trim).filter(is_scope).take(8).map(str::to_owned).collect();
    (!scopes.is_empty()).then_some(scopes)
}

/// `/api/v1/repos/recipes/renamed/issues/…` → `recipes/renamed`. Only the path is read, never the host.
fn repository_in(location: &str) -> Option<RepoName> {
    let (_, rest) = location.split_once("/api/v1/repos/")?;
    let mut parts = rest.split(['/', '?', '#']);
    RepoName::new(parts.next()?, parts.next()?).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s43_a_missing_scope_is_named() {
        let said =
            "token does not have at least one of required scope(s), required=[write:issue], token scope=read:issue";
        let refusal = Refusal::read("react to comment 3", 403, said.to_owned(), None);
        assert_eq!(refusal.reason, Reason::MissingScope { needed: vec!["write:issue".to_owned()] });
        assert!(refusal.to_string().ends_with("hint: the token lacks write:issue: make one that has it"), "{refusal}");
    }

    #[test]
    fn s49_a_renamed_repository_says_its_new_name() {
        let place = "/api/v1/repos/recipes/renamed/issues/comments?limit=1";
        let refusal = Refusal::read("post a comment", 301, String::new(), Some(place));
        assert_eq!(refusal.reason, Reason::Renamed { to: Some(RepoName::parse("recipes/renamed").unwrap()) });
        let odd = Refusal::read("post a comment", 301, String::new(), Some("https://elsewhere.test/"));
        assert_eq!(odd.reason, Reason::Renamed { to: None });
    }
}
