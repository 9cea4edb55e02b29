//! What the token may do, found out once at the start, so that what is missing is said once and never tried in a loop.

use std::fmt;

use reqwest::Method;

use super::Forge;
use super::error::{ForgeError, Outcome, Reason, Refusal};
use super::hooks::HookScope;
use super::read::Version;
use crate::domain::forge::{Login, RepoName};

/// No comment has this number: the forge counts them and there is room for 2^63.
const NO_COMMENT: &str = "repos/{}/{}/issues/comments/9007199254740991";
/// No commit has this name. The forge says 500 to a status for it, once, when the token may set one.
const NO_COMMIT: &str = "repos/{}/{}/statuses/0000000000000000000000000000000000000000";

/// Whether something can be done.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Ability {
    /// It can.
    Yes,
    /// It cannot, and why, in one line.
    No(String),
    /// It could not be found out, and why; it will be tried.
    Unknown(String),
}

impl Ability {
    /// Whether it is worth trying.
    #[must_use]
    pub const fn is_worth_trying(&self) -> bool {
        !matches!(self, Self::No(_))
    }
}

/// What the token may do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Capabilities {
    /// What forge this is.
    pub version: Version,
    /// Whose token it is: from the forge, else from the configuration. Own comments are known by it.
    pub login: Option<Login>,
    /// Comments and reactions.
    pub comment: Ability,
    /// Commit statuses.
    pub status: Ability,
    /// Hooks; `None` when they were not asked for.
    pub hooks: Option<Ability>,
    /// Who is a member of the organisation, concealed members included.
    pub members: Ability,
}

impl Capabilities {
    /// One line for each thing that is missing or unknown, and what that means; none when all is there.
    #[must_use]
    pub fn missing(&self) -> Vec<String> {
        let lines = [
            ("no comments, so no answers at all", Some(&self.comment)),
            ("no commit statuses; the comment has the verdict", Some(&self.status)),
            ("the hook is not set up; comments are found by polling", self.hooks.as_ref()),
            ("concealed members are not recognised; who may write to the repository is", Some(&self.members)),
        ];
        let login = (self.login.is_none())
            .then(|| "the bot's own name is not known: set it, or give the token read:user".to_owned());
        let of = |(what, ability): (&str, Option<&Ability>)| match ability? {
            Ability::Yes => None,
            Ability::No(why) => Some(format!("{what}: {why}")),
            Ability::Unknown(why) => Some(format!("not known whether it works ({what} if not): {why}")),
        };
        lines.into_iter().filter_map(of).chain(login).collect()
    }
}

impl Forge {
    /// Finds out what the token may do, at `sample`, a repository that is watched. `hooks` says where a hook is wanted;
    /// without it no hook call is made. Writes are tried on what does not exist, so that nothing changes.
    ///
    /// # Errors
    /// When the forge does not answer or does not know the token.
    pub async fn probe(
        &self,
        sample: &RepoName,
        organisation: &Login,
        hooks: Option<&HookScope>,
    ) -> Result<Capabilities, ForgeError> {
        let version = self.version().await?;
        let login = match self.user().await {
            Ok(login) => Some(login),
            Err(ForgeError::Refused(refusal)) if refusal.status == 403 => self.bot_login.clone(),
            Err(error) => return Err(error),
        };
        let repository = self.repository(sample).await?;
        let comment = self.try_write("try to comment", Method::PATCH, NO_COMMENT, sample).await;
        let status = if repository.may_push {
            let tried = self.try_write("try to set a status", Method::POST, NO_COMMIT, sample).await;
            // 500: it got as far as looking for the commit.
            if let Outcome::Unknown(_) = tried { Ability::Yes } else { ability(&tried) }
        } else {
            Ability::No("the bot's account may not write to the repository".to_owned())
        };
        let hooks = match hooks {
            None => None,
            Some(scope) => Some(ability(&self.try_hook(scope).await)),
        };
        let members = self.sees_members(sample, organisation, login.as_ref()).await;
        Ok(Capabilities { version, login, comment: ability(&comment), status, hooks, members })
    }

    async fn sees_members(&self, sample: &RepoName, organisation: &Login, login: Option<&Login>) -> Ability {
        // Any account will do, as an outsider is sent on whoever is asked about; but it must exist.
        let known = self.assignees(sample).await.ok().and_then(|listing| listing.items.into_iter().next());
        let who = known.or_else(|| login.cloned());
        let Some(who) = who else { return Ability::Unknown("no account is known to ask about".to_owned()) };
        match self.asks_as_member(organisation, &who).await {
            Ok(true) => Ability::Yes,
            Ok(false) => Ability::No(format!("the bot's account is not a member of {organisation}: make it one")),
            Err(ForgeError::Refused(refusal)) => Ability::No(no(&refusal)),
            Err(error) => Ability::Unknown(first_line(&error)),
        }
    }
}

/// What trying the impossible tells: "not found" means that only the thing is missing.
fn ability<T>(tried: &Outcome<T>) -> Ability {
    match tried {
        Outcome::Done(_) => Ability::Yes,
        Outcome::Refused(refusal) => match refusal.reason {
            Reason::NotFound | Reason::Archived | Reason::NoSuchCommit | Reason::Invalid => Ability::Yes,
            Reason::BadToken | Reason::MissingScope { .. } | Reason::Forbidden | Reason::Locked => {
                Ability::No(no(refusal))
            }
            Reason::Renamed { .. } | Reason::Other => Ability::Unknown(first_line(refusal)),
        },
        Outcome::Later(why) | Outcome::Unknown(why) => Ability::Unknown(first_line(why)),
    }
}

fn no(refusal: &Refusal) -> String {
    // Where it is about rights, the forge's own words are the more exact ones.
    if refusal.reason == Reason::Forbidden && !refusal.message.is_empty() {
        refusal.message.clone()
    } else {
        refusal.hint().unwrap_or_else(|| first_line(refusal))
    }
}

fn first_line(text: &impl fmt::Display) -> String {
    text.to_string().lines().next().unwrap_or_default().to_owned()
}
