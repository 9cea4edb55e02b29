//! A client for Gitea and Forgejo: small, because it must be exact about what happens when a forge is slow, wrong or away.
//!
//! Reads are tried a few times and end in a [`ForgeError`]; writes are sent once and end in an [`Outcome`]. While the
//! forge asks for patience or cannot be reached, nothing is sent and [`Forge::health`] says until when. Everything that
//! comes from the forge is untrusted. What a real one does: `tests/forge/fixtures`.

mod capability;
mod error;
mod health;
mod hooks;
mod model;

mod paging;
mod read;
pub mod webhook;
mod wire;
mod write;

use std::path::PathBuf;
use std::sync::Arc;

use jiff::Timestamp;
use secrecy::SecretString;

use crate::adapters::authority::AuthorityError;
use crate::adapters::clock::Clock;
pub use crate::domain::forge::{CommentId, HookId, Login, PullNumber, RepoName};
pub use capability::{Ability, Capabilities};
pub use error::{ForgeError, Outcome, Reason, Refusal};
pub use health::{ForgeHealth, Pace};
pub use hooks::{HOOK_EVENTS, Hook, HookAction, HookScope, WantedHook, reconcile};
pub use model::{Comment, FoundPull, Pull, PushEvent, Repository, Side, Tag};
pub use paging::Listing;
pub use read::{Membership, Version};
pub use write::{CommitStatus, StatusState};

/// Where the forge is and who we are there.
#[derive(Debug, Clone)]
pub struct ForgeConfig {
    /// Its address, with a path if it lives below one: `https://git.example.org`.
    pub url: String,
    /// The bot's token.
    pub token: SecretString,
    /// The bot's account, for a token that may not ask for it.
    pub bot_login: Option<Login>,
    /// The certificate authority of its own, a PEM file; others are then not accepted.
    pub ca_path: Option<PathBuf>,
    /// How patient to be.
    pub pace: Pace,
}

/// Why there can be no client.
#[derive(Debug, thiserror::Error)]
pub enum SetupError {
    /// The address is none.
    #[error("`{0}` is not the address of a forge\nhint: `https://git.example.org`, without account, query or fragment")]
    Address(String),
    /// The token cannot be sent.
    #[error("the forge token has characters that no token has\nhint: is there more than the token in its file?")]
    Token,
    /// The certificate authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// No HTTP client can be made.
    #[error("no HTTPS client: {0}")]
    Client(String),
}

/// A forge. Clones share what is known of its health.
#[derive(Debug, Clone)]
pub struct Forge {
    wire: Arc<wire::Wire>,
    bot_login: Option<Login>,
}

impl Forge {
    /// A client; nothing is sent yet. A TLS provider for rustls must be installed before.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn new(config: ForgeConfig) -> Result<Self, SetupError> {
        Self::with_clock(config, Clock::system())
    }

    /// A client that waits by this clock.
    ///
    /// # Errors
    /// When the configuration cannot be used.
    pub fn with_clock(config: ForgeConfig, clock: Clock) -> Result<Self, SetupError> {
        let bot_login = config.bot_login.clone();
        Ok(Self { wire: Arc::new(wire::Wire::new(config, clock)?), bot_login })
    }

    /// How the forge is doing.
    #[must_use]
    pub fn health(&self) -> ForgeHealth {
        self.wire.state().health(self.wire.clock.now(), self.wire.clock.steady())
    }

    /// The forge's present time, to the second; `None` before its first answer. A jump of this machine's clock does not move it.
    #[must_use]
    pub fn clock(&self) -> Option<Timestamp> {
        self.wire.state().clock(self.wire.clock.steady())
    }

    /// The bot's account, where the configuration names it.
    #[must_use]
    pub const fn bot_login(&self) -> Option<&Login> {
        self.bot_login.as_ref()
    }

    /// Where git fetches a repository from.
    #[must_use]
    pub fn git_url(&self, repo: &RepoName) -> String {
        self.wire.page(&[repo.owner().as_str(), &format!("{}.git", repo.name())])
    }

    /// The page of a pull request.
    #[must_use]
    pub fn pull_url(&self, repo: &RepoName, pull: PullNumber) -> String {
        self.wire.page(&[repo.owner().as_str(), repo.name(), "pulls", &pull.to_string()])
    }
}
