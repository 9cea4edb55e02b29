//! Setting up a test host: the steps as data, from which the script that people read, the script that is run over SSH and the user
//! data of a new machine are made. So what is printed is what is done.
//!
//! Each step is two pieces of shell: one that tells whether it is done already, one that does it. All that is put into them is of
//! types that hold no character which a shell would read otherwise.

mod cloud_init;
mod host;
mod script;
mod section;
mod steps;
#[cfg(test)]
mod tests;

// Addresses as values: `core` has no sockets.
use core::net::{IpAddr, Ipv4Addr};
use std::fmt;

use base64::Engine as _;

pub use cloud_init::cloud_init;
pub use host::SshHost;
pub use script::{HOST_KEY, Mode, script};
pub use section::{Pinned, Reached, section};
pub use steps::{SSHD, SSHD_FILE, Step, authorized_keys_line, sshd_file, steps};

use super::ids::InvalidName;

/// What a key may open on a target, and how sshd compares it: as text.
pub const WEB: &str = "127.0.0.1:443";
/// The engine's socket, spelt as sshd's `PermitOpen` must have it.
pub const ENGINE_SOCKET: &str = "/var/run/docker.sock";
/// The network that joins the proxy and the apps.
pub const PROXY_NETWORK: &str = "proxy";

/// A login name on a test host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HostUser(String);

impl HostUser {
    /// Parses the name.
    ///
    /// # Errors
    /// When it is none that `useradd` takes everywhere, or root's.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let invalid = |why| InvalidName { what: "login name", text: text.chars().take(80).collect(), why };
        let allowed = |byte: u8| byte.is_ascii_lowercase() || byte.is_ascii_digit() || matches!(byte, b'-' | b'_');
        let begins = text.bytes().next().is_some_and(|byte| byte.is_ascii_lowercase() || byte == b'_');
        if !begins || text.len() > 31 || !text.bytes().all(allowed) {
            return Err(invalid("1 to 31 characters of a-z, 0-9, `-` and `_`, beginning with a letter, are needed"));
        }
        if text == "root" {
            return Err(invalid("a user of its own is needed, which cannot log in"));
        }
        Ok(Self(text.to_owned()))
    }
}

impl fmt::Display for HostUser {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// A public ed25519 key in OpenSSH's format, without its comment.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ed25519(String);

/// Its type, as the first word says.
const KEY_TYPE: &str = "ssh-ed25519";
/// Two lengths, the type's name and 32 bytes of the key.
const KEY_BYTES: usize = 4 + KEY_TYPE.len() + 4 + 32;

impl Ed25519 {
    /// Parses a line such as `ssh-ed25519 AAAA… comment`.
    ///
    /// # Errors
    /// When it is something else.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let invalid = |why| InvalidName { what: "public key", text: text.chars().take(80).collect(), why };
        let mut words = text.split_whitespace();
        let (Some(KEY_TYPE), Some(data)) = (words.next(), words.next()) else {
            return Err(invalid("a line `ssh-ed25519 AAAA…` is needed"));
        };
        let bytes = base64::engine::general_purpose::STANDARD.decode(data).unwrap_or_default();
        let named = bytes.get(4..4 + KEY_TYPE.len()) == Some(KEY_TYPE.as_bytes());
        if bytes.len() != KEY_BYTES || !named {
            return Err(invalid("what follows `ssh-ed25519` is no such key"));
        }
        Ok(Self(format!("{KEY_TYPE} {data}")))
    }

    /// Its second word.
    fn data(&self) -> &str {
        self.0.split_once(' ').map_or("", |(_, data)| data)
    }
}

impl fmt::Display for Ed25519 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

/// What a test host is set up for.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wishes {
    /// The gate's user there.
    pub user: HostUser,
    /// The gate's key.
    pub key: Ed25519,
    /// The address of the swarm's own traffic. Loopback: one node, and nobody else reaches its ports.
    pub advertise: IpAddr,
}

impl Wishes {
    /// The usual ones for a key.
    #[must_use]
    pub fn of(key: Ed25519) -> Self {
        Self { user: HostUser("ccci".to_owned()), key, advertise: IpAddr::V4(Ipv4Addr::LOCALHOST) }
    }
}
