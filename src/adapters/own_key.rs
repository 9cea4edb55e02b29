//! SSH keys that the gate makes for itself: one that leads to its targets, another that signs results. The private halves never leave
//! the state folder.

use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use russh::keys::ssh_key::LineEnding;
use russh::keys::ssh_key::private::{Ed25519Keypair, KeypairData};
use russh::keys::{PrivateKey, ssh_key};

/// Why there is no key.
#[derive(Debug, thiserror::Error)]
pub enum KeyError {
    /// A file or folder.
    #[error("cannot keep the gate's key in {path}: {source}")]
    File {
        /// Which.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What is there is no key.
    #[error("the gate's key {path} cannot be used: {source}\nhint: remove it, and the next start makes a new one")]
    Broken {
        /// Which.
        path: PathBuf,
        /// Why.
        source: ssh_key::Error,
    },
}

/// The public half of the key in this file, in OpenSSH format on one line; the key is made from `random` where there is none.
///
/// # Errors
/// When the files cannot be read or written.
pub fn ensure(path: &Path, random: [u8; 32]) -> Result<String, KeyError> {
    key(path, random)?.public_key().to_openssh().map_err(|source| KeyError::Broken { path: path.to_owned(), source })
}

/// The key in this file; it is made from `random` where there is none. The public half is also written beside it, as `.pub`.
///
/// # Errors
/// When the files cannot be read or written.
pub fn key(path: &Path, random: [u8; 32]) -> Result<PrivateKey, KeyError> {
    let file = |source| KeyError::File { path: path.to_owned(), source };
    let broken = |source| KeyError::Broken { path: path.to_owned(), source };
    if let Some(folder) = path.parent() {
        fs::DirBuilder::new().recursive(true).mode(0o700).create(folder).map_err(file)?;
    }
    let key = match fs::read_to_string(path) {
        Ok(text) => PrivateKey::from_openssh(&text).map_err(broken)?,
        Err(error) if error.kind() == io::ErrorKind::NotFound => {
            let pair = KeypairData::Ed25519(Ed25519Keypair::from_seed(&random));
            let key = PrivateKey::new(pair, "cc-ci").map_err(broken)?;
            let text = key.to_openssh(LineEnding::LF).map_err(broken)?;
            write_whole(path, text.as_bytes()).map_err(file)?;
            // Another process may have been first: its key holds.
            let text = fs::read_to_string(path).map_err(file)?;
            PrivateKey::from_openssh(&text).map_err(broken)?
        }
        Err(error) => return Err(file(error)),
    };
    let public = format!("{}\n", key.public_key().to_openssh().map_err(broken)?);
    let beside = path.with_extension("pub");
    if fs::read_to_string(&beside).ok().as_ref() != Some(&public) {
        fs::write(beside, public).map_err(file)?;
    }
    Ok(key)
}

/// A process that is killed leaves no half key behind, and a key that is there already stays.
fn write_whole(path: &Path, content: &[u8]) -> io::Result<()> {
    let unfinished = path.with_extension(format!("new-{}", std::process::id()));
    let mut file = OpenOptions::new().create(true).truncate(true).write(true).mode(0o600).open(&unfinished)?;
    file.write_all(content)?;
    file.sync_all()?;
    let linked = fs::hard_link(&unfinished, path);
    fs::remove_file(&unfinished)?;
    match linked {
        Err(error) if error.kind() != io::ErrorKind::AlreadyExists => Err(error),
        Ok(()) | Err(_) => Ok(()),
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt as _;

    use super::*;

    #[test]
    fn a_key_is_made_once_and_kept_from_others() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("ssh/id_ed25519");
        let public = ensure(&path, [7; 32]).unwrap();
        assert!(public.starts_with("ssh-ed25519 AAAA") && public.ends_with(" cc-ci"), "{public}");
        assert_eq!(ensure(&path, [8; 32]).unwrap(), public);
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(path.with_extension("pub")).unwrap().trim(), public);
        assert!(russh::keys::load_secret_key(&path, None).is_ok());
    }

    #[test]
    fn a_key_that_another_process_made_meanwhile_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id_ed25519");
        write_whole(&path, b"theirs").unwrap();
        write_whole(&path, b"ours").unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "theirs");
        assert_eq!(fs::read_dir(folder.path()).unwrap().count(), 1);
    }

    #[test]
    fn what_is_no_key_is_not_overwritten() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("id_ed25519");
        fs::write(&path, "x").unwrap();
        assert!(ensure(&path, [7; 32]).unwrap_err().to_string().contains("hint: remove it"));
        assert_eq!(fs::read_to_string(&path).unwrap(), "x");
    }
}
