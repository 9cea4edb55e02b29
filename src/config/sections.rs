//! The settings section by section: each is read, or what is wrong with it is noted.

use std::num::{NonZeroU16, NonZeroU32};
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use super::keys;
use super::reader::{Reader, Wrong, secret, secrets, wrong};
use super::settings::{
    Access, ForgeSettings, HookSettings, LogFormat, LogSettings, OAuth, PageSettings, RecyclePolicy, RecycleSettings,
    RunSettings, WatchSettings, own_key,
};
use super::values;
use crate::domain::enrolment::{Enrolment, Pattern};
use crate::domain::ids::{DomainName, TargetName};
use crate::domain::target::{Endpoint, Role, Target};

pub(super) fn forge(reader: &mut Reader<'_>) -> Option<ForgeSettings> {
    let url = reader.needed(keys::FORGE_URL, "the forge's address, e.g. `https://git.example.org`", values::address);
    let ca_path = reader.optional(keys::FORGE_CA_FILE, values::authority);
    let account = reader.needed(keys::FORGE_ACCOUNT, "the login of the gate's account", values::login);
    let token = reader.needed(keys::FORGE_TOKEN, "the account's token, or its file in FORGE_TOKEN_FILE", secret);
    Some(ForgeSettings { url: url?, ca_path, account: account?, token: token? })
}

pub(super) fn watch(reader: &mut Reader<'_>) -> Option<WatchSettings> {
    let organisation = reader.needed(keys::ORGANISATION, "the organisation with the recipes", values::login);
    let patterns = reader.optional(keys::RECIPES, patterns).unwrap_or_default();
    let owner = organisation.clone();
    let tests_repository = reader.optional(keys::TESTS_REPOSITORY, |text| values::repository(text, owner.as_ref()));
    let poll = reader.or_default(keys::POLL_SECONDS, values::number(1, 3600)).map(Duration::from_secs);
    let enrolled = Enrolment::of(patterns);
    Some(WatchSettings { organisation: organisation?, enrolled, tests_repository, poll: poll? })
}

fn patterns(text: &str) -> Result<Vec<Pattern>, Wrong> {
    let write = "repository names and patterns such as `matrix-*`, separated by commas";
    let words = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    words.map(|word| Pattern::parse(word).map_err(|why| wrong(format!("is wrong: {why}"), write))).collect()
}

pub(super) fn hooks(reader: &mut Reader<'_>) -> Option<HookSettings> {
    let secrets = reader.optional(keys::WEBHOOK_SECRET, secrets).unwrap_or_default();
    let autoregister = reader.or_default(keys::WEBHOOK_AUTOREGISTER, values::switch)?;
    let below = reader.optional(keys::PUBLIC_URL, |text| Ok(values::address(text).ok()));
    let below = below.flatten().map(|url| format!("{url}/hooks/forge"));
    let url = reader.optional(keys::WEBHOOK_URL, values::address).or(below);
    if autoregister && !reader.is_set(keys::WEBHOOK_SECRET) {
        let write = "a long random word in WEBHOOK_SECRET: the webhooks are signed with it";
        reader.note("WEBHOOK_AUTOREGISTER", "is on, but WEBHOOK_SECRET is not set", write);
    }
    if autoregister && url.is_none() {
        let write = "PUBLIC_URL: the forge must know where to send them";
        reader.note("WEBHOOK_AUTOREGISTER", "is on, but neither WEBHOOK_URL nor PUBLIC_URL is set", write);
    }
    Some(HookSettings { secrets, autoregister, url })
}

/// One target by `TARGET_…`, or several by a file.
pub(super) fn targets(reader: &mut Reader<'_>, state: &Path) -> Option<Vec<Target>> {
    let named = reader.optional(keys::TARGETS, values::text);
    match (named, reader.is_set(keys::TARGET_ADDRESS)) {
        (Some(_), true) => {
            reader.note("TARGETS", "is set, and so is TARGET_ADDRESS", "only one of the two");
            None
        }
        (Some(names), false) => from_file(reader, &names, state),
        (None, true) => from_variables(reader, state).map(|target| vec![target]),
        (None, false) => {
            let write = "the address of the test Swarm's SSH server, or TARGETS, names in the targets file";
            reader.note("TARGET_ADDRESS", "is not set", write);
            // What else is missing is told at the same time.
            from_variables(reader, state).map(|target| vec![target])
        }
    }
}

fn from_file(reader: &mut Reader<'_>, names: &str, state: &Path) -> Option<Vec<Target>> {
    let file = reader.optional(keys::TARGETS_FILE, values::text);
    let file = file.map_or_else(|| state.join("targets.toml"), PathBuf::from);
    let mut found = Vec::new();
    for name in names.split([',', ' ']).filter(|name| !name.is_empty()) {
        match super::target(name, &file) {
            Ok(target) if target.role == Role::Gate => found.push(target),
            Ok(_) => {
                reader.note("TARGETS", format!("names {name}, which is a `dev` target"), "one with `role = \"gate\"`");
            }
            Err(error) => {
                reader.note("TARGETS", format!("names {name}: {error}"), "the name of a section that is right");
            }
        }
    }
    let many: std::collections::BTreeSet<_> = found.iter().map(|target| &target.name).collect();
    if many.len() != found.len() {
        reader.note("TARGETS", "names a target twice", "each name once");
    }
    Some(found)
}

fn from_variables(reader: &mut Reader<'_>, state: &Path) -> Option<Target> {
    let name =
        |text: &str| TargetName::parse(text).map_err(|error| wrong(format!("is wrong: {error}"), "another name"));
    let domain = |text: &str| {
        DomainName::parse(text.trim())
            .map_err(|error| wrong(format!("is wrong: {error}"), "a domain, e.g. `ci.example.org`"))
    };
    let address = reader.optional(keys::TARGET_ADDRESS, values::ssh_server);
    let name = reader.or_default(keys::TARGET_NAME, name);
    let user = reader.or_default(keys::TARGET_USER, values::account);
    let host_key = reader.needed(
        keys::TARGET_HOST_KEY,
        "the SSH server's public key: what `ssh-keyscan -t ed25519 HOST` shows, compared with the server's own",
        values::host_key,
    );
    let domain = reader.needed(keys::TARGET_DOMAIN, "the domain below which its proxy has a certificate", domain);
    let key_path = match reader.is_set(keys::TARGET_KEY_FILE) {
        true => reader.optional(keys::TARGET_KEY_FILE, values::private_key),
        false => Some(own_key(state)),
    };
    let ca_path = reader.optional(keys::TARGET_CA_FILE, values::authority);
    let endpoint = Endpoint::Ssh { address: address?, user: user?, key_path: key_path?, host_key: host_key? };
    Some(Target {
        name: name?,
        endpoint,
        domain: domain?,
        ca_path,
        role: Role::Gate,
        capacity: NonZeroU32::MIN,
        env: super::targets::default_env(),
    })
}

pub(super) fn recycle(reader: &mut Reader<'_>) -> Option<RecycleSettings> {
    const POLICIES: &[(&str, RecyclePolicy)] =
        &[("never", RecyclePolicy::Never), ("when_dirty", RecyclePolicy::WhenDirty), ("always", RecyclePolicy::Always)];
    let policy = reader.or_default(keys::RECYCLE_POLICY, values::one_of(POLICIES));
    let url = reader.optional(keys::RECYCLE_URL, values::secret_address);
    if policy.is_some_and(|policy| policy != RecyclePolicy::Never) && !reader.is_set(keys::RECYCLE_URL) {
        let write = "the address that does it in RECYCLE_URL";
        reader.note("RECYCLE_POLICY", "asks for recycling, but RECYCLE_URL is not set", write);
    }
    Some(RecycleSettings { policy: policy?, url: url.map(SecretString::from) })
}

pub(super) fn runs(reader: &mut Reader<'_>) -> Option<RunSettings> {
    let image = reader.optional(keys::RUNNER_IMAGE, values::text);
    let minutes: Option<u64> = reader.or_default(keys::RUN_LIMIT_MINUTES, values::number(1, 1440));
    let sweep_days = reader.or_default(keys::SWEEP_DAYS, values::number(0, 365)).map(NonZeroU16::new);
    let keep = reader.or_default(keys::KEEP_RUNS, values::number(0, 1_000_000)).map(NonZeroU32::new);
    let silence = reader.or_default(keys::TARGET_SILENCE_SECONDS, values::number(5, 3600));
    Some(RunSettings {
        image,
        limit_seconds: minutes? * 60,
        silence_seconds: silence?,
        sweep_days: sweep_days?,
        keep: keep?,
    })
}

pub(super) fn pages(reader: &mut Reader<'_>) -> Option<PageSettings> {
    const ACCESS: &[(&str, Access)] = &[("public", Access::Public), ("login", Access::Login)];
    let listen = reader.or_default(keys::LISTEN, values::listen);
    let given_url = reader.optional(keys::PUBLIC_URL, values::address);
    let access = reader.or_default(keys::PAGES, values::one_of(ACCESS));
    let client_id = reader.optional(keys::OAUTH_CLIENT_ID, values::text);
    let client_secret = reader.optional(keys::OAUTH_CLIENT_SECRET, secret);
    let (has_id, has_secret) = (reader.is_set(keys::OAUTH_CLIENT_ID), reader.is_set(keys::OAUTH_CLIENT_SECRET));
    match (has_id, has_secret) {
        (true, false) => reader.note("OAUTH_CLIENT_SECRET", "is not set, but OAUTH_CLIENT_ID is", "both, or neither"),
        (false, true) => reader.note("OAUTH_CLIENT_ID", "is not set, but OAUTH_CLIENT_SECRET is", "both, or neither"),
        (false, false) if access == Some(Access::Login) => {
            reader.note("PAGES", "asks for a login, but OAUTH_CLIENT_ID is not set", "OAUTH_CLIENT_ID and its secret");
        }
        (true, true) | (false, false) => {}
    }
    if has_id && !reader.is_set(keys::PUBLIC_URL) {
        reader.note(
            "PUBLIC_URL",
            "is not set, but OAUTH_CLIENT_ID is",
            "the address to which the forge leads people back",
        );
    }
    let login = client_id.zip(client_secret).map(|(client_id, client_secret)| OAuth { client_id, client_secret });
    let operators = reader.or_default(keys::OPERATORS, values::account);
    Some(PageSettings { listen: listen?, given_url, access: access?, login, operators: operators? })
}

pub(super) fn log(reader: &mut Reader<'_>) -> Option<LogSettings> {
    const LEVELS: &[(&str, tracing::Level)] = &[
        ("error", tracing::Level::ERROR),
        ("warn", tracing::Level::WARN),
        ("info", tracing::Level::INFO),
        ("debug", tracing::Level::DEBUG),
        ("trace", tracing::Level::TRACE),
    ];
    const FORMATS: &[(&str, LogFormat)] = &[("text", LogFormat::Text), ("json", LogFormat::Json)];
    let level = reader.or_default(keys::LOG, values::one_of(LEVELS));
    let format = reader.or_default(keys::LOG_FORMAT, values::one_of(FORMATS));
    Some(LogSettings { level: level?, format: format? })
}
