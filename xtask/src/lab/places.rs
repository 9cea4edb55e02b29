//! Where things are: the checkout, the lab's own state, cc-ci's state.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, anyhow};

/// The folders that the lab reads and writes. All paths are absolute.
#[derive(Clone, Debug)]
pub(crate) struct Places {
    /// The project's checkout.
    pub(crate) checkout: PathBuf,
    /// Caches, keys and logs of the lab: `CC_CI_LAB_STATE`, else `cc-ci-lab` in the user's state folder. It is outside the
    /// checkout, so that a fresh clone finds everything warm.
    pub(crate) lab: PathBuf,
    /// cc-ci's own state folder: `CC_CI_STATE`, else `cc-ci` in the user's state folder.
    pub(crate) cc_ci: PathBuf,
}

impl Places {
    /// Finds the folders and makes the two state folders, readable by their owner alone.
    pub(crate) fn find() -> Result<Self> {
        let manifest = std::env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from);
        let checkout = manifest
            .as_deref()
            .and_then(Path::parent)
            .ok_or_else(|| anyhow!("not started by cargo; hint: use `cargo xtask …`"))?
            .to_owned();
        let lab = state_folder("CC_CI_LAB_STATE", "cc-ci-lab")?;
        let cc_ci = state_folder("CC_CI_STATE", "cc-ci")?;
        Ok(Self { checkout, lab, cc_ci })
    }

    /// A folder inside the lab's state, made when missing.
    pub(crate) fn lab_folder(&self, name: &str) -> Result<PathBuf> {
        let folder = self.lab.join(name);
        fs::create_dir_all(&folder).with_context(|| format!("cannot make {}", folder.display()))?;
        Ok(folder)
    }

    /// The build context of an image.
    pub(crate) fn image_context(&self, name: &str) -> PathBuf {
        self.checkout.join("tests/lab/images").join(name)
    }

    /// The list of targets that `lab up` writes its section into.
    pub(crate) fn targets_file(&self) -> PathBuf {
        self.cc_ci.join("targets.toml")
    }

    /// The certificate authority that signed the proxy's certificate.
    pub(crate) fn ca(&self) -> PathBuf {
        self.lab.join("ca/ca.pem")
    }
}

fn state_folder(variable: &str, name: &str) -> Result<PathBuf> {
    let folder = match set(variable) {
        Some(folder) => folder,
        None => user_state()?.join(name),
    };
    let folder = std::path::absolute(folder)?;
    fs::create_dir_all(&folder).with_context(|| format!("cannot make {}; hint: set {variable}", folder.display()))?;
    fs::set_permissions(&folder, fs::Permissions::from_mode(0o700))?;
    Ok(folder)
}

fn user_state() -> Result<PathBuf> {
    if let Some(folder) = set("XDG_STATE_HOME") {
        return Ok(folder);
    }
    let home = set("HOME").ok_or_else(|| anyhow!("HOME is not set; hint: set CC_CI_LAB_STATE and CC_CI_STATE"))?;
    Ok(home.join(".local/state"))
}

fn set(variable: &str) -> Option<PathBuf> {
    std::env::var_os(variable).filter(|value| !value.is_empty()).map(PathBuf::from)
}
