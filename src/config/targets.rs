//! Where things are and which targets there are: the state folder and `targets.toml`.

use std::collections::BTreeMap;
use std::fs;
use std::io::ErrorKind;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};

use serde::Deserialize;

use crate::domain::ids::{DomainName, TargetName};
use crate::domain::target::{Endpoint, Role, Target};

/// What is wrong with a configuration file, and what to do.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// A file could not be read.
    #[error("cannot read {path}: {source}")]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// A file is not what it should be.
    #[error("{path} is not valid: {message}")]
    Invalid {
        /// The file.
        path: PathBuf,
        /// What is wrong, with its line.
        message: String,
    },
    /// There is no such target.
    #[error(
        "there is no target `{name}` in {path}; it names: {known}\nhint: `cargo xtask lab up` makes one named `lab`; `--target unix:///var/run/docker.sock` uses an engine on this machine"
    )]
    NoSuchTarget {
        /// What was asked for.
        name: String,
        /// The file that was read.
        path: PathBuf,
        /// The sections it has.
        known: String,
    },
}

/// No target has more room, and no run a larger weight.
const MOST: u32 = 100;

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Section {
    address: Option<String>,
    user: Option<String>,
    key_path: Option<PathBuf>,
    host_key: Option<String>,
    socket: Option<PathBuf>,
    domain: DomainName,
    ca_path: Option<PathBuf>,
    #[serde(default = "gate")]
    role: Role,
    #[serde(default)]
    env: BTreeMap<String, String>,
    #[serde(default = "one")]
    capacity: NonZeroU32,
}

const fn one() -> NonZeroU32 {
    NonZeroU32::MIN
}

const fn gate() -> Role {
    Role::Gate
}

/// Without this, each run would ask a public certificate authority for a certificate.
pub(super) fn default_env() -> BTreeMap<String, String> {
    BTreeMap::from([("LETS_ENCRYPT_ENV".to_owned(), String::new())])
}

impl Section {
    fn into_target(self, name: &str) -> Result<Target, String> {
        let name = TargetName::parse(name).map_err(|error| error.to_string())?;
        let endpoint = match (self.socket, self.address) {
            (Some(socket), None) => Endpoint::Unix(socket),
            (None, Some(address)) => Endpoint::Ssh {
                address: if address.contains(':') { address } else { format!("{address}:22") },
                user: self.user.ok_or_else(|| missing(&name, "user"))?,
                key_path: self.key_path.ok_or_else(|| missing(&name, "key_path"))?,
                host_key: self.host_key.ok_or_else(|| missing(&name, "host_key"))?,
            },
            _ => return Err(format!("[{name}] needs either `address` (SSH) or `socket` (an engine on this machine)")),
        };
        let mut env = default_env();
        env.extend(self.env);
        if self.capacity.get() > MOST {
            return Err(format!("[{name}] has a `capacity` of {}: 1 to {MOST} are possible", self.capacity));
        }
        let Self { domain, ca_path, role, capacity, .. } = self;
        Ok(Target { name, endpoint, domain, ca_path, role, env, capacity })
    }
}

fn missing(name: &TargetName, key: &str) -> String {
    format!("[{name}] has an `address` but no `{key}`")
}

/// Finds a target by the word given to `--target`: `unix:///path`, or a section of the file.
///
/// # Errors
/// When the file cannot be read or has no such section.
pub fn target(word: &str, file: &Path) -> Result<Target, ConfigError> {
    if let Some(path) = word.strip_prefix("unix://") {
        return unix_target(path).map_err(|message| ConfigError::Invalid { path: word.into(), message });
    }
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) if error.kind() == ErrorKind::NotFound => String::new(),
        Err(source) => return Err(ConfigError::Unreadable { path: file.into(), source }),
    };
    let invalid = |message: String| ConfigError::Invalid { path: file.into(), message };
    let mut sections: BTreeMap<String, toml::Table> =
        toml::from_str(&text).map_err(|error| invalid(error.to_string()))?;
    let Some(section) = sections.remove(word) else {
        let known = sections.keys().cloned().collect::<Vec<_>>().join(", ");
        let known = if known.is_empty() { "none".to_owned() } else { known };
        return Err(ConfigError::NoSuchTarget { name: word.into(), path: file.into(), known });
    };
    let section: Section = section.try_into().map_err(|error: toml::de::Error| invalid(format!("[{word}] {error}")))?;
    section.into_target(word).map_err(invalid)
}

/// An engine on this machine; its proxy is asked at 127.0.0.1:443.
fn unix_target(path: &str) -> Result<Target, String> {
    let path = if path.is_empty() { "/var/run/docker.sock" } else { path };
    Ok(Target {
        name: TargetName::parse("local").map_err(|error| error.to_string())?,
        endpoint: Endpoint::Unix(path.into()),
        domain: DomainName::parse("localhost").map_err(|error| error.to_string())?,
        ca_path: None,
        role: Role::Gate,
        env: default_env(),
        capacity: one(),
    })
}

/// The state folder: `given`, else `$XDG_STATE_HOME/cc-ci`, else `~/.local/state/cc-ci`.
#[must_use]
pub fn state_folder(given: Option<PathBuf>, env: impl Fn(&str) -> Option<String>) -> PathBuf {
    given.unwrap_or_else(|| {
        let base = env("XDG_STATE_HOME").filter(|path| !path.is_empty()).map_or_else(
            || PathBuf::from(env("HOME").unwrap_or_else(|| "/root".to_owned())).join(".local/state"),
            PathBuf::from,
        );
        base.join("cc-ci")
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(word: &str, text: &str) -> Result<Target, ConfigError> {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("targets.toml");
        fs::write(&file, text).unwrap();
        target(word, &file)
    }

    const LAB: &str = "[lab]\naddress = \"127.0.0.1\"\nuser = \"ccci\"\nkey_path = \"/k\"\nhost_key = \"ssh-ed25519 AAAA\"\ndomain = \"ci.lab.test\"\n";

    #[test]
    fn a_section_is_a_target() {
        let target = read("lab", LAB).unwrap();
        assert!(matches!(target.endpoint, Endpoint::Ssh { address, .. } if address == "127.0.0.1:22"));
        assert_eq!(target.env["LETS_ENCRYPT_ENV"], "");
        assert_eq!(target.role, Role::Gate);
        let own = read("lab", &format!("{LAB}[lab.env]\nTZ = \"UTC\"\n")).unwrap();
        assert_eq!((own.env["LETS_ENCRYPT_ENV"].as_str(), own.env["TZ"].as_str()), ("", "UTC"));
    }

    #[test]
    fn errors_say_what_to_do() {
        let error = read("prod", LAB).unwrap_err().to_string();
        assert!(error.contains("it names: lab") && error.contains("hint:"), "{error}");
        let error = read("lab", &LAB.replace("user = \"ccci\"\n", "")).unwrap_err().to_string();
        assert!(error.contains("no `user`"), "{error}");
        let error = read("lab", &LAB.replace("user", "usr")).unwrap_err().to_string();
        assert!(error.contains("usr"), "{error}");
    }

    #[test]
    fn an_engine_on_this_machine_needs_no_file() {
        let target = target("unix:///run/x.sock", Path::new("/nonexistent")).unwrap();
        assert_eq!(target.endpoint, Endpoint::Unix("/run/x.sock".into()));
    }

    #[test]
    fn the_state_folder_follows_xdg() {
        let env = |name: &str| (name == "HOME").then(|| "/home/ada".to_owned());
        assert_eq!(state_folder(None, env), Path::new("/home/ada/.local/state/cc-ci"));
        let env = |name: &str| (name == "XDG_STATE_HOME").then(|| "/s".to_owned());
        assert_eq!(state_folder(None, env), Path::new("/s/cc-ci"));
    }
}
