//! What an engine says when it cannot have an image, in the words of Docker's engines and of registries.
//!
//! A task of Swarm says "No such image" for all of it, so the engine is asked itself. Its status code tells little (500 for nearly
//! everything), so its words decide first.

use super::ImageName;

/// Why an image is not to be had.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Refusal {
    /// The registry does not know the repository or the tag.
    Missing,
    /// There is one, but none that the target could run: another platform, or a format of long ago.
    Unusable,
    /// Docker does not take it for a name of an image.
    BadName,
    /// The registry wants somebody who is logged in, or somebody else. Many registries say so of what does not exist, too.
    Denied,
    /// The registry has had enough requests.
    Limit,
    /// Not an answer about the image at all.
    Trouble(Trouble),
}

/// What keeps a registry from answering.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Trouble {
    /// Its name leads nowhere.
    UnknownHost,
    /// Nothing answers there, or the connection broke.
    Unreachable,
    /// It took too long.
    Timeout,
    /// Its certificate is not accepted.
    Certificate,
    /// It speaks plain HTTP where HTTPS is wanted.
    NoTls,
    /// It is out of order: 5xx.
    ServerError,
    /// The target's disk is full.
    Disk,
    /// Anything else.
    Other,
}

/// Words in lower case and what they mean; the first that is found counts, so the order is part of the rule.
const WORDS: &[(&str, Refusal)] = {
    use Refusal::{BadName, Denied, Limit, Missing, Trouble as T, Unusable};
    use Trouble::{Certificate, Disk, NoTls, Other, ServerError, Timeout, UnknownHost, Unreachable};
    &[
        ("toomanyrequests", Limit),
        ("too many requests", Limit),
        ("rate limit", Limit),
        ("rate exceeded", Limit),
        ("no space left on device", T(Disk)),
        ("disk quota exceeded", T(Disk)),
        // The target's own files or sockets.
        ("permission denied", T(Other)),
        ("invalid reference format", BadName),
        ("must be lowercase", BadName),
        ("is a reserved name", BadName),
        ("no matching manifest", Unusable),
        ("no match for platform", Unusable),
        ("does not match the specified platform", Unusable),
        ("no longer supported", Unusable),
        ("support is disabled by default", Unusable),
        ("unsupported manifest", Unusable),
        ("unsupported media type", Unusable),
        ("unauthorized", Denied),
        ("denied", Denied),
        ("authentication required", Denied),
        ("no basic auth credentials", Denied),
        ("authorization failed", Denied),
        ("insufficient_scope", Denied),
        ("no pull access", Denied),
        ("incorrect username or password", Denied),
        ("forbidden", Denied),
        ("manifest unknown", Missing),
        ("name unknown", Missing),
        ("repository name not known", Missing),
        ("no such host", T(UnknownHost)),
        ("server misbehaving", T(UnknownHost)),
        ("name resolution", T(UnknownHost)),
        ("name or service not known", T(UnknownHost)),
        ("x509", T(Certificate)),
        ("failed to verify certificate", T(Certificate)),
        ("bad certificate", T(Certificate)),
        ("server gave http response to https client", T(NoTls)),
        ("does not look like a tls handshake", T(NoTls)),
        ("internal server error", T(ServerError)),
        ("bad gateway", T(ServerError)),
        ("service unavailable", T(ServerError)),
        ("gateway timeout", T(ServerError)),
        ("gateway time-out", T(ServerError)),
        ("unexpected http status: 5", T(ServerError)),
        ("error parsing http 5", T(ServerError)),
        ("timeout", T(Timeout)),
        ("timed out", T(Timeout)),
        ("deadline exceeded", T(Timeout)),
        ("request canceled while waiting", T(Timeout)),
        ("connection refused", T(Unreachable)),
        ("no route to host", T(Unreachable)),
        ("network is unreachable", T(Unreachable)),
        ("connection reset", T(Unreachable)),
        ("broken pipe", T(Unreachable)),
        (" eof", T(Unreachable)),
        ("not found", Missing),
        ("no such image", Missing),
    ]
};

/// So much of a message is read.
const READ: usize = 8_000;

impl Refusal {
    /// What the engine's message about this image means, and where it says nothing that is known, its status code. The image's own name,
    /// which messages quote, decides nothing.
    #[must_use]
    pub fn read(status: Option<u16>, message: &str, image: &ImageName) -> Self {
        let said = without_names(message, image);
        let known = WORDS.iter().find(|(words, _)| said.contains(words));
        known.map_or_else(|| Self::by_status(status), |(_, refusal)| *refusal)
    }

    const fn by_status(status: Option<u16>) -> Self {
        match status {
            Some(400) => Self::BadName,
            Some(401 | 403) => Self::Denied,
            Some(404) => Self::Missing,
            Some(429) => Self::Limit,
            Some(502..=504) => Self::Trouble(Trouble::ServerError),
            Some(_) | None => Self::Trouble(Trouble::Other),
        }
    }
}

/// The message in lower case on one line, a space before each word, without addresses, paths and the image's name.
fn without_names(message: &str, image: &ImageName) -> String {
    let (name, tagged) = (image.name().to_ascii_lowercase(), image.as_str().to_ascii_lowercase());
    let message: String = message.chars().take(READ).collect::<String>().to_ascii_lowercase();
    let is_name = |word: &&str| {
        let bare = word.trim_matches(|c: char| ",:;\"'()“”`".contains(c));
        // Without a slash a name may be a word like any other; only whole with its tag it is surely the name.
        word.contains('/') || bare == tagged && tagged.len() > name.len()
    };
    message.split_whitespace().filter(|word| !is_name(word)).flat_map(|word| [" ", word]).collect()
}
