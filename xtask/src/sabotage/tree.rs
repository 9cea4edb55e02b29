//! A copy of the checkout that may be broken, with compiled dependencies that it shares with the checkout.

use std::collections::{BTreeMap, BTreeSet};
use std::fs::{self, File, FileTimes};
use std::path::{Path, PathBuf};

use anyhow::{Context, Result, bail};

use super::faults::{Edit, Fault, edited};
use crate::process::{output, program};
use crate::steps::timed;

/// Files that are smaller are copied instead of linked: cargo writes some of them in place.
const SMALL: u64 = 64 << 10;

/// The copy.
pub(super) struct Tree {
    /// Its sources.
    pub(super) sources: PathBuf,
    /// `CARGO_TARGET_DIR` for them.
    pub(super) build: PathBuf,
    /// What the programs said.
    pub(super) logs: PathBuf,
    /// Files that faults were put into, as they were before.
    originals: BTreeMap<String, String>,
    /// Held as long as the copy is used.
    _lock: File,
}

impl Tree {
    /// Makes it, or brings the one of last time up to date.
    pub(super) fn of(checkout: &Path) -> Result<Self> {
        let root = checkout.join("target/sabotage");
        let [sources, build, logs] = ["tree", "build", "logs"].map(|name| root.join(name));
        for folder in [&sources, &logs] {
            fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
        }
        let lock = File::create(root.join("lock"))?;
        if lock.try_lock().is_err() {
            bail!("another `cargo xtask sabotage` is at work in {}", root.display());
        }
        bring_up_to_date(checkout, &sources)?;
        let compiled = std::env::var_os("CARGO_TARGET_DIR").unwrap_or_else(|| "target".into());
        let compiled = checkout.join(compiled).join("debug");
        if !build.exists() && compiled.exists() {
            timed("link what is compiled already", || {
                ["deps", "build", ".fingerprint"]
                    .into_iter()
                    .try_for_each(|part| share(&compiled.join(part), &build.join("debug").join(part)))
            })?;
        }
        Ok(Self { sources, build, logs, originals: BTreeMap::new(), _lock: lock })
    }

    /// The text of a file as it is without faults.
    pub(super) fn original(&mut self, file: &str) -> Result<&str> {
        if !self.originals.contains_key(file) {
            let text = fs::read_to_string(self.sources.join(file)).with_context(|| format!("cannot read {file}"))?;
            self.originals.insert(file.to_owned(), text);
        }
        Ok(self.originals.get(file).map_or("", String::as_str))
    }

    /// From now on it has these faults and no other.
    pub(super) fn put(&mut self, faults: &[&Fault]) -> Result<()> {
        for fault in faults {
            self.original(&fault.file)?;
        }
        for (file, original) in &self.originals {
            let here = faults.iter().filter(|fault| fault.file == *file);
            let edits = here.map(|fault| fault.edit(original)).collect::<Result<Vec<Edit<'_>>>>()?;
            write(&self.sources.join(file), edited(original, &edits).as_bytes())?;
        }
        Ok(())
    }
}

/// What changes is written anew, and so newer than what was compiled of it; what does not change is left as it is.
fn write(path: &Path, content: &[u8]) -> Result<()> {
    if fs::read(path).is_ok_and(|old| old == content) {
        return Ok(());
    }
    fs::write(path, content).with_context(|| format!("cannot write {}", path.display()))
}

/// Files that git knows, or would.
fn bring_up_to_date(checkout: &Path, sources: &Path) -> Result<()> {
    let mut git = program("git");
    git.arg("-C").arg(checkout).args(["ls-files", "--cached", "--others", "--exclude-standard"]);
    let names = output(&mut git)?;
    let names: BTreeSet<&str> = names.lines().filter(|name| checkout.join(name).is_file()).collect();
    for name in &names {
        let (from, to) = (checkout.join(name), sources.join(name));
        if fs::read(&from).ok() != fs::read(&to).ok() {
            fs::create_dir_all(to.parent().unwrap_or(sources))?;
            fs::copy(&from, &to).with_context(|| format!("cannot copy {name}"))?;
        }
    }
    remove_others(sources, Path::new(""), &names)
}

fn remove_others(sources: &Path, folder: &Path, names: &BTreeSet<&str>) -> Result<()> {
    for entry in fs::read_dir(sources.join(folder))? {
        let entry = entry?;
        let name = folder.join(entry.file_name());
        if entry.file_type()?.is_dir() {
            remove_others(sources, &name, names)?;
        } else if !name.to_str().is_some_and(|name| names.contains(name)) {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}

/// Links a folder of cargo's, without what belongs to this project.
fn share(from: &Path, to: &Path) -> Result<()> {
    fs::create_dir_all(to)?;
    for entry in fs::read_dir(from).with_context(|| format!("cannot read {}", from.display()))? {
        let entry = entry?;
        let name = entry.file_name();
        let (path, there) = (entry.path(), to.join(&name));
        let metadata = entry.metadata()?;
        if is_ours(&name.to_string_lossy()) {
            continue;
        } else if metadata.is_dir() {
            share(&path, &there)?;
        } else if metadata.len() < SMALL {
            fs::copy(&path, &there)?;
            let times = FileTimes::new().set_modified(metadata.modified()?);
            File::options().append(true).open(&there)?.set_times(times)?;
        } else {
            fs::hard_link(&path, &there)?;
        }
    }
    Ok(())
}

fn is_ours(name: &str) -> bool {
    ["cc_ci", "cc-ci", "libcc_ci", "xtask"].iter().any(|ours| name.starts_with(ours))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_ours_is_not_shared_and_times_stay() {
        let folder = tempfile::tempdir().unwrap();
        let (from, to) = (folder.path().join("from"), folder.path().join("to"));
        fs::create_dir_all(from.join("serde-1")).unwrap();
        for name in ["serde-1/dep", "libcc_ci-2.rlib", "xtask-3", "libserde-4.rlib"] {
            fs::write(from.join(name), name).unwrap();
        }
        share(&from, &to).unwrap();
        assert!(!to.join("libcc_ci-2.rlib").exists() && !to.join("xtask-3").exists());
        let modified = |folder: &Path| fs::metadata(folder.join("serde-1/dep")).unwrap().modified().unwrap();
        assert_eq!(modified(&from), modified(&to));
        fs::write(to.join("serde-1/dep"), "other").unwrap();
        assert_eq!(fs::read_to_string(from.join("serde-1/dep")).unwrap(), "serde-1/dep");
    }

    #[test]
    fn a_file_that_is_gone_from_the_checkout_goes() {
        let folder = tempfile::tempdir().unwrap();
        for name in ["src/a.rs", "src/b.rs"] {
            fs::create_dir_all(folder.path().join("src")).unwrap();
            fs::write(folder.path().join(name), "").unwrap();
        }
        remove_others(folder.path(), Path::new(""), &BTreeSet::from(["src/a.rs"])).unwrap();
        assert!(folder.path().join("src/a.rs").exists() && !folder.path().join("src/b.rs").exists());
    }
}
