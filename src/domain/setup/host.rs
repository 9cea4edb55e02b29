//! A host as an operator names it to `ssh`.

use crate::domain::ids::InvalidName;

/// `[user@]host[:port]`, none of which `ssh` could take for an option.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct SshHost {
    /// `user@host`, or `host` alone.
    login: String,
    /// The port, where one was given.
    port: Option<u16>,
}

impl SshHost {
    /// Parses it; an IPv6 address with a port is in brackets.
    ///
    /// # Errors
    /// When it is no host.
    pub fn parse(text: &str) -> Result<Self, InvalidName> {
        let invalid = |why| InvalidName { what: "host", text: text.chars().take(80).collect(), why };
        let (login, port) = match text.rsplit_once(':') {
            Some((login, port)) if !login.contains(':') || login.ends_with(']') => {
                (login, Some(port.parse().map_err(|_| invalid("the port is no number from 1 to 65535"))?))
            }
            Some(_) | None => (text, None),
        };
        let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '.' | '-' | '_' | '@' | ':' | '[' | ']');
        let (user, host) = login.split_once('@').map_or((None, login), |(user, host)| (Some(user), host));
        let begins_well = |word: &str| !word.is_empty() && !word.starts_with('-');
        if !login.chars().all(allowed) || !begins_well(host) || !user.is_none_or(begins_well) || port == Some(0) {
            return Err(invalid("`[user@]host[:port]` is needed"));
        }
        Ok(Self { login: login.replace(['[', ']'], ""), port })
    }

    /// The arguments for `ssh` that name it; what follows them is the command.
    #[must_use]
    pub fn arguments(&self) -> Vec<String> {
        let port = self.port.map(|port| ["-p".to_owned(), port.to_string()]);
        port.into_iter().flatten().chain(["--".to_owned(), self.login.clone()]).collect()
    }

    /// `host:port` of its SSH server, as the gate would reach it.
    #[must_use]
    pub fn address(&self) -> String {
        let host = self.login.split_once('@').map_or(self.login.as_str(), |(_, host)| host);
        let port = self.port.unwrap_or(22);
        if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn hosts_are_what_ssh_takes() {
        let told = |text: &str| SshHost::parse(text).map(|host| (host.arguments().join(" "), host.address())).unwrap();
        assert_eq!(told("swarm-a"), ("-- swarm-a".to_owned(), "swarm-a:22".to_owned()));
        assert_eq!(told("root@10.0.0.7:2222"), ("-p 2222 -- root@10.0.0.7".to_owned(), "10.0.0.7:2222".to_owned()));
        assert_eq!(told("root@[::1]:22"), ("-p 22 -- root@::1".to_owned(), "[::1]:22".to_owned()));
        assert_eq!(told("fe80::1").1, "[fe80::1]:22");
        for bad in ["", "-oProxyCommand=id", "a@-x", "-l@x", "x:0", "x:y", "a b", "x;id", "@x", "x:99999", "x\n"] {
            assert!(SshHost::parse(bad).is_err(), "{bad:?}");
        }
    }
}
