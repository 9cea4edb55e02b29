//! Detached signatures in OpenSSH's format, as `ssh-keygen -Y sign` and `-Y verify` know them.

use std::fs;
use std::io;
use std::path::Path;

use russh::keys::ssh_key::{self, HashAlg, LineEnding, SshSig};
use russh::keys::{PrivateKey, PublicKey};

use super::own_key::{self, KeyError};

/// What a signature of results is for; one of anything else does not hold here.
pub const NAMESPACE: &str = "cc-ci-results";
/// Whose signature it is, in `allowed_signers`. The same for every gate: trust lies in where that file comes from.
pub const PRINCIPAL: &str = "cc-ci";

/// The key's file in the folder of signing keys.
const KEY: &str = "id_ed25519";

/// Why something could not be signed.
#[derive(Debug, thiserror::Error)]
pub enum SignError {
    /// There is no key.
    #[error(transparent)]
    Key(#[from] KeyError),
    /// The key does not sign.
    #[error("the signing key does not sign: {0}")]
    Sign(#[from] ssh_key::Error),
}

/// Signs content with the key in this folder, which is made from `random` where there is none. Returns the armoured signature.
///
/// # Errors
/// When the key cannot be read or made.
pub fn sign(folder: &Path, random: [u8; 32], content: &[u8]) -> Result<String, SignError> {
    let key: PrivateKey = own_key::key(&folder.join(KEY), random)?;
    Ok(key.sign(NAMESPACE, HashAlg::Sha512, content)?.to_pem(LineEnding::LF)?)
}

/// Makes the key in this folder where there is none, so that its public half can be had before anything is signed.
///
/// # Errors
/// When the key cannot be read or made.
pub fn ensure(folder: &Path, random: [u8; 32]) -> Result<(), KeyError> {
    own_key::key(&folder.join(KEY), random).map(drop)
}

/// The file `allowed_signers` of this folder: one line for each public key in it. A key that was replaced stays allowed as long as
/// its `.pub` file is there.
///
/// # Errors
/// When the folder cannot be read; one that is not there has no keys.
pub fn allowed_signers(folder: &Path) -> io::Result<String> {
    let entries = match fs::read_dir(folder) {
        Ok(entries) => entries,
        Err(error) if error.kind() == io::ErrorKind::NotFound => return Ok(String::new()),
        Err(error) => return Err(error),
    };
    let mut lines = Vec::new();
    for entry in entries {
        let path = entry?.path();
        if path.extension().is_some_and(|extension| extension == "pub") {
            let public = fs::read_to_string(&path)?;
            // What is no key is left out: a slip in one file must not take the others away.
            if PublicKey::from_openssh(public.trim()).is_ok() {
                lines.push(format!("{PRINCIPAL} namespaces=\"{NAMESPACE}\" {}\n", public.trim()));
            }
        }
    }
    lines.sort();
    Ok(lines.concat())
}

/// Keys whose signatures of results are believed.
#[derive(Debug, Default)]
pub struct Allowed {
    keys: Vec<PublicKey>,
    unused: usize,
}

impl Allowed {
    /// Reads an `allowed_signers` file. A line for another principal or namespace, and one with an option that is not understood
    /// (a certificate authority, a time span), allows nothing here.
    #[must_use]
    pub fn parse(text: &str) -> Self {
        let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !line.starts_with('#'));
        let mut allowed = Self::default();
        for line in lines {
            match key_of(line) {
                Some(key) => allowed.keys.push(key),
                None => allowed.unused += 1,
            }
        }
        allowed
    }
}

/// `PRINCIPALS [namespaces="…"] KEYTYPE BASE64 [COMMENT]`
fn key_of(line: &str) -> Option<PublicKey> {
    let (principals, rest) = line.split_once(char::is_whitespace)?;
    if !principals.split(',').any(|principal| principal == PRINCIPAL || principal == "*") {
        return None;
    }
    let rest = rest.trim_start();
    let key = match rest.strip_prefix("namespaces=\"") {
        Some(option) => {
            let (namespaces, key) = option.split_once('"')?;
            if !namespaces.split(',').any(|namespace| namespace == NAMESPACE) {
                return None;
            }
            key.strip_prefix(char::is_whitespace)?
        }
        None => rest,
    };
    PublicKey::from_openssh(key.trim()).ok()
}

/// Why a signature does not hold.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refused {
    /// It is none.
    #[error("the signature cannot be read: {0}")]
    NoSignature(String),
    /// By a key that nobody named.
    #[error("it was signed by {signer}, which is none of the {known} allowed {}{}",
        if *known == 1 { "key" } else { "keys" },
        if *unused == 0 { String::new() } else { format!(" ({unused} more lines allow nothing here)") })]
    UnknownSigner {
        /// The key's fingerprint.
        signer: String,
        /// So many keys are allowed.
        known: usize,
        /// So many lines of the file name no key for this.
        unused: usize,
    },
    /// For something else.
    #[error("it was signed as `{0}`, which is not `{NAMESPACE}`")]
    OtherNamespace(String),
    /// The content is not what was signed.
    #[error("it is not what was signed: it, or its signature, was changed")]
    Changed,
}

/// Checks the signature of some content. Returns the fingerprint of the key that signed it.
///
/// # Errors
/// Why it does not hold.
pub fn verify(content: &[u8], signature: &[u8], allowed: &Allowed) -> Result<String, Refused> {
    let signature = SshSig::from_pem(signature).map_err(|error| Refused::NoSignature(error.to_string()))?;
    let signer = signature.public_key().fingerprint(HashAlg::Sha256).to_string();
    let Some(key) = allowed.keys.iter().find(|key| key.key_data() == signature.public_key()) else {
        return Err(Refused::UnknownSigner { signer, known: allowed.keys.len(), unused: allowed.unused });
    };
    if signature.namespace() != NAMESPACE {
        return Err(Refused::OtherNamespace(signature.namespace().escape_debug().collect()));
    }
    key.verify(NAMESPACE, content, &signature).map_err(|_| Refused::Changed)?;
    Ok(signer)
}

#[cfg(test)]
mod tests;
