//! Certificate authorities of one's own, of a forge or of a target's proxy.

use std::path::Path;

use reqwest::Certificate;

/// Why a file with certificates cannot be used.
#[derive(Debug, thiserror::Error)]
#[error("the certificate authority {path} cannot be used: {why}\nhint: it must be a PEM file that cc-ci can read")]
pub struct AuthorityError {
    path: String,
    why: String,
}

/// The certificates in a PEM file.
pub(super) fn read(path: &Path) -> Result<Vec<Certificate>, AuthorityError> {
    let unusable = |why: String| AuthorityError { path: path.display().to_string(), why };
    let pem = std::fs::read(path).map_err(|error| unusable(error.to_string()))?;
    Certificate::from_pem_bundle(&pem).map_err(|error| unusable(error.to_string()))
}
