//! The settings of the service, as they exist only when all of them are right.

use std::fmt;
use std::net::SocketAddr;
use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::keys;
use super::layers::Layers;
use super::reader::{Problem, Reader};
use super::sections::{forge, hooks, log, pages, recycle, runs, targets, watch};
use super::values;
use crate::domain::enrolment::Enrolment;
use crate::domain::forge::{Login, RepoName};
use crate::domain::target::{Endpoint, Target};

/// Everything that the service is told.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The forge.
    pub forge: ForgeSettings,
    /// What is watched there.
    pub watch: WatchSettings,
    /// Webhooks from there.
    pub hooks: HookSettings,
    /// The test Swarms, at least one; all have the role `gate`.
    pub targets: Vec<Target>,
    /// The target's key is one that the gate makes for itself, at [`Settings::own_key`].
    pub uses_own_key: bool,
    /// `MUST_NOT_REACH`, `host:port` each.
    pub must_not_reach: Vec<String>,
    /// How a target is brought back to its snapshot.
    pub recycle: RecycleSettings,
    /// Runs.
    pub runs: RunSettings,
    /// Pages and who may do what there.
    pub pages: PageSettings,
    /// The state folder.
    pub state: PathBuf,
    /// The log.
    pub log: LogSettings,
}

/// The forge and the gate's account there.
#[derive(Debug, Clone)]
pub struct ForgeSettings {
    /// `FORGE_URL`, without a slash at its end.
    pub url: String,
    /// `FORGE_CA_FILE`: PEM.
    pub ca_path: Option<PathBuf>,
    /// `FORGE_ACCOUNT`.
    pub account: Login,
    /// `FORGE_TOKEN`.
    pub token: SecretString,
}

/// What is watched.
#[derive(Debug, Clone)]
pub struct WatchSettings {
    /// `ORGANISATION`.
    pub organisation: Login,
    /// `RECIPES`; the tests repository may say otherwise.
    pub enrolled: Enrolment,
    /// `TESTS_REPOSITORY`.
    pub tests_repository: Option<RepoName>,
    /// `POLL_SECONDS`.
    pub poll: Duration,
}

/// Webhooks.
#[derive(Debug, Clone)]
pub struct HookSettings {
    /// `WEBHOOK_SECRET`: any of them may have signed a delivery, the first signs those of hooks that the gate sets up. Empty: no
    /// webhook is accepted.
    pub secrets: Vec<SecretString>,
    /// `WEBHOOK_AUTOREGISTER`; then there is a secret and a `url`.
    pub autoregister: bool,
    /// `WEBHOOK_URL`, else below `PUBLIC_URL`; `None` when neither is set.
    pub url: Option<String>,
}

/// When and how a target is brought back.
#[derive(Debug, Clone)]
pub struct RecycleSettings {
    /// `RECYCLE_POLICY`; other than `Never` only with an address.
    pub policy: RecyclePolicy,
    /// `RECYCLE_URL`: asked with POST, `{target}` in it stands for the target's name.
    pub url: Option<SecretString>,
}

/// When a target is brought back to its snapshot.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RecyclePolicy {
    /// Not by the gate.
    Never,
    /// After a run that could not be proved clean.
    WhenDirty,
    /// After every run.
    Always,
}

/// Runs.
#[derive(Debug, Clone)]
pub struct RunSettings {
    /// `RUNNER_IMAGE`.
    pub image: Option<String>,
    /// `RUN_LIMIT_MINUTES`, in seconds.
    pub limit_seconds: u64,
    /// `TARGET_SILENCE_SECONDS`.
    pub silence_seconds: u64,
    /// `SWEEP_DAYS`; `None`: no sweeps.
    pub sweep_days: Option<NonZeroU16>,
    /// `KEEP_RUNS`; `None`: all are kept.
    pub keep: Option<NonZeroU32>,
}

/// Pages.
#[derive(Debug, Clone)]
pub struct PageSettings {
    /// `LISTEN`; port 0 is one that is free.
    pub listen: SocketAddr,
    /// `PUBLIC_URL`, without a slash at its end. [`PageSettings::public_url`] knows what to take without it.
    pub given_url: Option<String>,
    /// `PAGES`.
    pub access: Access,
    /// `OAUTH_CLIENT_ID` and `OAUTH_CLIENT_SECRET`; there where `access` is `Login`.
    pub login: Option<OAuth>,
    /// `OPERATORS`: a team of the organisation.
    pub operators: String,
}

impl PageSettings {
    /// Where people reach the pages, given where they are really served.
    #[must_use]
    pub fn public_url(&self, bound: SocketAddr) -> String {
        self.given_url.clone().unwrap_or_else(|| format!("http://{bound}"))
    }
}

/// Who may read the pages.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Access {
    /// Everybody.
    Public,
    /// Members of the organisation.
    Login,
}

/// The gate as an OAuth2 application of the forge.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// Its id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
}

/// The log on standard error.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct LogSettings {
    /// `LOG`.
    pub level: tracing::Level,
    /// `LOG_FORMAT`.
    pub format: LogFormat,
}

/// How log lines look.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LogFormat {
    /// For people.
    Text,
    /// One JSON object per line.
    Json,
}

/// Everything that is wrong with the settings, told at once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct InvalidSettings(pub Vec<Problem>);

impl fmt::Display for InvalidSettings {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let count = self.0.len();
        write!(f, "{count} {} wrong", if count == 1 { "setting is" } else { "settings are" })?;
        self.0.iter().try_for_each(|problem| write!(f, "\n  {problem}"))?;
        write!(f, "\nhint: `cc-ci check-config --keys` tells what each setting is for")
    }
}

impl std::error::Error for InvalidSettings {}

impl Settings {
    /// Reads and checks them all. `default_state` is the state folder where `STATE` is not set.
    ///
    /// # Errors
    /// All that is wrong, not just the first.
    pub fn read(layers: &Layers, default_state: PathBuf) -> Result<Self, InvalidSettings> {
        let mut reader = Reader::new(layers);
        let state = reader.optional(keys::STATE, values::text).map_or(default_state, PathBuf::from);
        let (forge, watch, hooks) = (forge(&mut reader), watch(&mut reader), hooks(&mut reader));
        let (targets, recycle, runs) = (targets(&mut reader, &state), recycle(&mut reader), runs(&mut reader));
        let (pages, log) = (pages(&mut reader), log(&mut reader));
        let must_not_reach = reader.optional(keys::MUST_NOT_REACH, values::addresses).unwrap_or_default();
        let uses_own_key = targets.iter().flatten().any(|target| has_key(target, &own_key(&state)));
        let (
            true,
            Some(forge),
            Some(watch),
            Some(hooks),
            Some(targets),
            Some(recycle),
            Some(runs),
            Some(pages),
            Some(log),
        ) = (reader.problems.is_empty(), forge, watch, hooks, targets, recycle, runs, pages, log)
        else {
            return Err(InvalidSettings(reader.problems));
        };
        Ok(Self { forge, watch, hooks, targets, uses_own_key, must_not_reach, recycle, runs, pages, state, log })
    }

    /// Where the gate keeps the SSH key that it makes for itself.
    #[must_use]
    pub fn own_key(&self) -> PathBuf {
        own_key(&self.state)
    }
}

/// Where a gate with this state folder keeps the SSH key that it makes for itself.
#[must_use]
pub fn own_key(state: &Path) -> PathBuf {
    state.join("ssh/id_ed25519")
}

fn has_key(target: &Target, path: &Path) -> bool {
    matches!(&target.endpoint, Endpoint::Ssh { key_path, .. } if key_path == path)
}
