//! From text to values: each says what is wrong with a text, and what to write instead.

use std::fs;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::str::FromStr;

use russh::keys::{PrivateKey, PublicKey};
use url::Url;

use super::reader::{Wrong, wrong};
use crate::domain::forge::{Login, RepoName};

/// The text as it is.
#[expect(clippy::unnecessary_wraps, reason = "one of the parsers, which may fail")]
pub(super) fn text(text: &str) -> Result<String, Wrong> {
    Ok(text.trim().to_owned())
}

/// The name of a team, or of a user of a machine.
pub(super) fn account(text: &str) -> Result<String, Wrong> {
    let text = text.trim();
    let allowed = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    if text.chars().all(allowed) && text.len() <= 100 {
        return Ok(text.to_owned());
    }
    Err(wrong(
        format!("is `{text}`, which is no name on a forge"),
        "the name alone, as it stands in the forge's addresses",
    ))
}

/// An account or organisation of the forge.
pub(super) fn login(text: &str) -> Result<Login, Wrong> {
    let write = "the name alone, as it stands in the forge's addresses";
    Login::parse(text.trim()).map_err(|error| wrong(format!("is wrong: {error}"), write))
}

/// `owner/name`, or a name in the organisation.
pub(super) fn repository(text: &str, organisation: Option<&Login>) -> Result<RepoName, Wrong> {
    let text = text.trim();
    let parsed = match organisation {
        Some(owner) if !text.contains('/') => RepoName::new(owner.as_str(), text),
        Some(_) | None => RepoName::parse(text),
    };
    parsed.map_err(|error| wrong(format!("is wrong: {error}"), "`owner/name`"))
}

/// An http or https address without query and fragment, without a slash at its end.
pub(super) fn address(text: &str) -> Result<String, Wrong> {
    let write = "an address such as `https://git.example.org`";
    let url = Url::parse(text.trim()).map_err(|error| wrong(format!("is no address: {error}"), write))?;
    let plain =
        url.query().is_none() && url.fragment().is_none() && url.username().is_empty() && url.password().is_none();
    if !matches!(url.scheme(), "http" | "https") || url.host_str().is_none() || !plain {
        return Err(wrong("is no plain http or https address", write));
    }
    Ok(url.as_str().trim_end_matches('/').to_owned())
}

/// An address that may hold a token; it is not shown when it is wrong.
pub(super) fn secret_address(text: &str) -> Result<String, Wrong> {
    let write = "an http or https address";
    let url = Url::parse(text.trim()).map_err(|error| wrong(format!("is no address: {error}"), write))?;
    match url.scheme() {
        // As it was written: `{target}` in it would be encoded.
        "http" | "https" => Ok(text.trim().to_owned()),
        _ => Err(wrong("is no http or https address", write)),
    }
}

/// `address:port`.
pub(super) fn listen(text: &str) -> Result<SocketAddr, Wrong> {
    let what = format!("is `{text}`, which is no address with a port");
    text.trim().parse().map_err(|_| wrong(what, "an IP address and a port, e.g. `0.0.0.0:8080`"))
}

/// A whole number from one to another.
pub(super) fn number<T: FromStr + PartialOrd + std::fmt::Display + Copy>(
    least: T,
    most: T,
) -> impl Fn(&str) -> Result<T, Wrong> {
    move |text| match text.trim().parse() {
        Ok(number) if number >= least && number <= most => Ok(number),
        Ok(_) | Err(_) => Err(wrong(
            format!("is `{text}`, which is no whole number from {least} to {most}"),
            format!("a number from {least} to {most}"),
        )),
    }
}

/// `0` or `1`.
pub(super) fn switch(text: &str) -> Result<bool, Wrong> {
    match text.trim() {
        "0" | "false" | "no" => Ok(false),
        "1" | "true" | "yes" => Ok(true),
        _ => Err(wrong(format!("is `{text}`"), "`1` for yes or `0` for no")),
    }
}

/// One of some words.
pub(super) fn one_of<T: Copy>(choices: &'static [(&'static str, T)]) -> impl Fn(&str) -> Result<T, Wrong> {
    move |text| {
        let found = choices.iter().find(|(word, _)| *word == text.trim());
        found.map(|(_, value)| *value).ok_or_else(|| {
            let words: Vec<String> = choices.iter().map(|(word, _)| format!("`{word}`")).collect();
            wrong(format!("is `{text}`"), format!("one of {}", words.join(", ")))
        })
    }
}

/// A PEM file with at least one certificate.
pub(super) fn authority(path: &str) -> Result<PathBuf, Wrong> {
    let write = "the path of a PEM file with the authority's certificate";
    let pem = fs::read_to_string(path)
        .map_err(|error| wrong(format!("names {path}, which cannot be read: {error}"), write))?;
    if !pem.contains("-----BEGIN CERTIFICATE-----") {
        return Err(wrong(format!("names {path}, which holds no certificate"), write));
    }
    Ok(path.into())
}

/// An unencrypted ed25519 key.
pub(super) fn private_key(path: &str) -> Result<PathBuf, Wrong> {
    let write = "the path of an ed25519 private key in OpenSSH format, without passphrase";
    let text = fs::read_to_string(path)
        .map_err(|error| wrong(format!("names {path}, which cannot be read: {error}"), write))?;
    match PrivateKey::from_openssh(&text) {
        Ok(key) if !key.is_encrypted() && key.algorithm().is_ed25519() => Ok(path.into()),
        Ok(_) => Err(wrong(format!("names {path}, which is encrypted or no ed25519 key"), write)),
        Err(error) => Err(wrong(format!("names {path}, which is no key: {error}"), write)),
    }
}

/// A server's public key.
pub(super) fn host_key(text: &str) -> Result<String, Wrong> {
    let write = "the server's `/etc/ssh/ssh_host_ed25519_key.pub`, e.g. `ssh-ed25519 AAAA…`";
    match PublicKey::from_openssh(text.trim()) {
        Ok(_) => Ok(text.trim().to_owned()),
        Err(error) => Err(wrong(format!("is no public key: {error}"), write)),
    }
}

/// `host` or `host:port` of an SSH server; port 22 if there is none.
pub(super) fn ssh_server(text: &str) -> Result<String, Wrong> {
    let refused = || wrong(format!("is `{text}`, which is no SSH server"), "`host` or `host:port`");
    let text = text.trim();
    let (host, port) = text.rsplit_once(':').unwrap_or((text, "22"));
    let port: u16 = port.parse().map_err(|_| refused())?;
    if host.is_empty() || host.contains(|c: char| c.is_whitespace() || matches!(c, '@' | '/')) {
        return Err(refused());
    }
    Ok(format!("{host}:{port}"))
}

/// `host:port`, several of them.
pub(super) fn addresses(text: &str) -> Result<Vec<String>, Wrong> {
    let words = text.split([',', ' ', '\n']).filter(|word| !word.is_empty());
    words
        .map(|word| match word.rsplit_once(':') {
            Some((host, port)) if !host.is_empty() && port.parse::<u16>().is_ok_and(|port| port > 0) => {
                Ok(word.to_owned())
            }
            Some(_) | None => {
                Err(wrong(format!("has `{word}`, which is no address"), "`host:port`, separated by commas"))
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_plain() {
        assert_eq!(address("https://git.example.org/").unwrap(), "https://git.example.org");
        assert_eq!(address("http://127.0.0.1:3300/forge/").unwrap(), "http://127.0.0.1:3300/forge");
        for bad in ["git.example.org", "ssh://git.example.org", "https://a:b@x.org", "https://x.org/?a=b", ""] {
            assert!(address(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn an_address_with_a_placeholder_stays_as_it_is() {
        assert_eq!(secret_address(" https://hv/{target}?t=1 ").unwrap(), "https://hv/{target}?t=1");
        assert!(secret_address("ftp://hv").is_err());
    }

    #[test]
    fn servers_have_a_port() {
        assert_eq!(ssh_server("swarm.example.org").unwrap(), "swarm.example.org:22");
        assert_eq!(ssh_server("10.0.0.7:2222").unwrap(), "10.0.0.7:2222");
        for bad in ["", ":22", "a:b", "root@x", "ssh://x"] {
            assert!(ssh_server(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn addresses_have_a_port() {
        let all = addresses("gate.example.org:443, 10.0.0.1:22 [::1]:80").unwrap();
        assert_eq!(all, ["gate.example.org:443", "10.0.0.1:22", "[::1]:80"]);
        for bad in ["gate", ":1", "x:0", "x:y", "x:70000"] {
            assert!(addresses(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn repositories_belong_to_somebody() {
        let recipes = Login::parse("recipes").unwrap();
        let shown = |text: &str| repository(text, Some(&recipes)).map(|name| name.to_string());
        assert_eq!(shown("tests").unwrap(), "recipes/tests");
        assert_eq!(shown("qa/tests").unwrap(), "qa/tests");
        assert!(repository("tests", None).is_err());
        for bad in ["/x", "x/", "a/b/c", "a b"] {
            assert!(shown(bad).is_err(), "{bad}");
        }
    }

    #[test]
    fn a_wrong_value_says_what_to_write() {
        let wrong = number(1, 3600)("0").unwrap_err();
        assert_eq!(
            (wrong.what.as_str(), wrong.write.as_str()),
            ("is `0`, which is no whole number from 1 to 3600", "a number from 1 to 3600")
        );
        let wrong = one_of(&[("a", 1), ("b", 2)])("c").unwrap_err();
        assert_eq!(wrong.write, "one of `a`, `b`");
        assert!(host_key("ssh-ed25519 AAAA").is_err());
        assert!(switch("maybe").is_err());
    }
}
