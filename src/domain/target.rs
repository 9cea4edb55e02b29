//! Targets: disposable test Swarms, and how they are reached.

use std::collections::BTreeMap;
use std::num::NonZeroU32;
use std::path::PathBuf;

use serde::Deserialize;

use super::ids::{DomainName, TargetName};

/// A target: a disposable test Swarm, and how to reach it.
#[derive(Debug, Clone)]
pub struct Target {
    /// Its name in `targets.toml`.
    pub name: TargetName,
    /// The way to its Docker engine.
    pub endpoint: Endpoint,
    /// Apps get names below this domain.
    pub domain: DomainName,
    /// The certificate authority of its proxy, PEM; `None`: the system's.
    pub ca_path: Option<PathBuf>,
    /// Verdict runs or leases.
    pub role: Role,
    /// Variables forced on every app.
    pub env: BTreeMap<String, String>,
    /// How many units of weight run there at once; 1: one run, whatever its weight.
    pub capacity: NonZeroU32,
}

/// The way to a target's Docker engine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Endpoint {
    /// An engine on this machine.
    Unix(PathBuf),
    /// One scoped SSH session.
    Ssh {
        /// `host:port` of the SSH server.
        address: String,
        /// The login name.
        user: String,
        /// The gate's private key, ed25519 in OpenSSH format.
        key_path: PathBuf,
        /// The server's public key, e.g. `ssh-ed25519 AAAA…`: pinned.
        host_key: String,
    },
}

/// What a target is for. Never both.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Role {
    /// Runs that decide.
    Gate,
    /// Leases for upgraders.
    Dev,
}
