//! What the gate is told of a host that was set up: a section of `targets.toml`, or settings of the service.

use std::fmt::Write as _;
use std::path::Path;

use super::{Ed25519, HostUser};
use crate::domain::ids::{DomainName, TargetName};

/// A host key to pin, and how it was got.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pinned {
    /// The server's public key.
    pub key: Ed25519,
    /// How it came here, a sentence without its full stop.
    pub how: String,
}

/// How the gate reaches a host that was set up.
#[derive(Debug, Clone)]
pub struct Reached<'a> {
    /// What the target is called.
    pub name: &'a TargetName,
    /// `host:port` of the SSH server.
    pub address: &'a str,
    /// The gate's user there.
    pub user: &'a HostUser,
    /// The gate's private key; `None` when only the public half is known here.
    pub key_path: Option<&'a Path>,
    /// The host key.
    pub host_key: &'a Pinned,
    /// Apps get names below it; `None`: it has to be filled in.
    pub domain: Option<&'a DomainName>,
}

/// A section of `targets.toml`, and after it the same as settings of the service.
#[must_use]
pub fn section(reached: &Reached<'_>) -> String {
    let domain = reached.domain.map_or("ci.example.org", DomainName::as_str);
    let key_path = reached.key_path.map_or_else(|| "/path/to/the/private/key".into(), Path::to_string_lossy);
    let (name, key) = (reached.name, &reached.host_key.key);
    let mut text = format!("# The host key: {}.\n[{name}]\n", reached.host_key.how);
    let mut line = |key: &str, value: &str, comment: &str| {
        // Basic strings of TOML and JSON agree on everything that a path can hold.
        let _written = writeln!(text, "{key:8} = {}{comment}", serde_json::Value::from(value));
    };
    line("address", reached.address, "");
    line("user", &reached.user.to_string(), "");
    line("key_path", &key_path, if reached.key_path.is_none() { "  # fill in" } else { "" });
    line("host_key", &key.to_string(), "");
    line(
        "domain",
        domain,
        if reached.domain.is_none() { "  # fill in: the proxy has a certificate for *.DOMAIN" } else { "" },
    );
    let settings = [
        ("TARGET_NAME", name.as_str()),
        ("TARGET_ADDRESS", reached.address),
        ("TARGET_USER", &reached.user.to_string()),
        ("TARGET_HOST_KEY", &key.to_string()),
        ("TARGET_DOMAIN", domain),
    ];
    text.push_str("\n# The same as settings of `cc-ci serve`:\n");
    for (key, value) in settings {
        let _written = writeln!(text, "#   {key}={value}");
    }
    text
}
