//! The name of an image as a compose file writes it, taken apart.

use std::fmt;

/// Docker's own limit on a repository's name.
const LONGEST_NAME: usize = 255;
/// Docker's own limits on tag and digest together, rounded up.
const LONGEST: usize = LONGEST_NAME + 1 + 128 + 1 + 160;

/// An image's name that may go into a request. Docker decides whether it is quite valid.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct ImageName {
    written: String,
    /// How many bytes of `written` are the name without tag and digest.
    name: usize,
    tag: Option<String>,
    digest: Option<String>,
}

/// A text that is no name of an image.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("`{}` is not a valid image name", super::super::results::one_line(.0, 120))]
pub struct InvalidImageName(pub String);

impl ImageName {
    /// Takes a name apart: `[HOST[:PORT]/]PATH[:TAG][@DIGEST]`.
    ///
    /// # Errors
    /// When it is too long, or has characters or parts that no image's name has and a request must not have.
    pub fn parse(text: &str) -> Result<Self, InvalidImageName> {
        let invalid = || InvalidImageName(text.chars().take(LONGEST).collect());
        let allowed = |c: char| c.is_ascii_alphanumeric() || "._-/:@+".contains(c);
        if text.len() > LONGEST || !text.chars().all(allowed) {
            return Err(invalid());
        }
        let (tagged, digest) =
            text.split_once('@').map_or((text, None), |(tagged, digest)| (tagged, Some(digest.to_owned())));
        let last = tagged.rfind('/').map_or(0, |slash| slash + 1);
        let colon = tagged[last..].find(':').map(|colon| last + colon);
        let (name, tag) = colon.map_or((tagged, None), |at| (&tagged[..at], Some(tagged[at + 1..].to_owned())));
        let whole = |part: &str| !part.is_empty() && !part.starts_with('.');
        let parts = name.split('/').all(whole);
        let ends = [&tag, &digest].into_iter().flatten().all(|end| whole(end) && !end.contains(['/', '@']));
        if !parts || !ends || name.len() > LONGEST_NAME {
            return Err(invalid());
        }
        Ok(Self { name: name.len(), tag, digest, written: text.to_owned() })
    }

    /// The name as it is written.
    #[must_use]
    pub fn as_str(&self) -> &str {
        &self.written
    }

    /// The name without tag and digest.
    #[must_use]
    pub fn name(&self) -> &str {
        &self.written[..self.name]
    }

    /// What tells the version: the digest, else the tag, else `latest`, as Docker reads it.
    #[must_use]
    pub fn version(&self) -> &str {
        self.digest.as_deref().or(self.tag.as_deref()).unwrap_or("latest")
    }

    /// The digest that the name itself asks for.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }

    /// The name with this digest in place of the tag: how an engine's store knows what was pulled.
    #[must_use]
    pub fn at(&self, digest: &str) -> String {
        format!("{}@{digest}", self.name())
    }

    /// The registry's host, `docker.io` where none is written.
    #[must_use]
    pub fn host(&self) -> &str {
        self.host_and_path().0
    }

    /// The repository with its host and the `library/` that Docker adds: `nginx` is `docker.io/library/nginx`. Rights are given for it as
    /// a whole, whatever the tag.
    #[must_use]
    pub fn repository(&self) -> String {
        let (host, path) = self.host_and_path();
        let host = if host == "index.docker.io" { "docker.io" } else { host };
        if host == "docker.io" && !path.contains('/') {
            format!("{host}/library/{path}")
        } else {
            format!("{host}/{path}")
        }
    }

    fn host_and_path(&self) -> (&str, &str) {
        match self.name().split_once('/') {
            Some((host, path)) if host.contains(['.', ':']) || host == "localhost" => (host, path),
            Some(_) | None => ("docker.io", self.name()),
        }
    }
}

impl fmt::Display for ImageName {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.written)
    }
}
