//! `.sqlx`: what the compiler knows of the database where there is none. It is made anew from the migrations and compared.

use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::Path;
use std::time::{SystemTime, UNIX_EPOCH};

use anyhow::{Context, Result, bail};

use crate::children::logged;
use crate::process::{cargo, program, succeeds, tail};

/// Fails when the committed folder is not what the queries and migrations of this checkout give.
pub(crate) fn check(checkout: &Path, cc_ci: &Path, log: &Path) -> Result<()> {
    let work = tempfile::tempdir()?;
    let (state, fresh) = (work.path().join("state"), work.path().join("sqlx"));
    fs::create_dir(&fresh)?;
    // Opening its database is the first thing that it does, and a target that is not there ends it.
    succeeds(
        program(&cc_ci.to_string_lossy()).args(["sweep", "--target", "unix:///nonexistent", "--state"]).arg(&state),
    );
    let database = state.join("cc-ci.db");
    if !database.is_file() {
        bail!("cc-ci made no database {}", database.display());
    }
    let now = SystemTime::now().duration_since(UNIX_EPOCH)?.as_nanos();
    let mut command = cargo();
    // The profile `check` compiles no code, and the setting that nothing reads makes cargo go over this one crate again.
    command.current_dir(checkout).args(["rustc", "--package", "cc-ci", "--lib", "--profile", "check", "--"]);
    command.args(["--cfg", &format!("sqlx_prepared=\"{now}\"")]);
    command.env("DATABASE_URL", format!("sqlite://{}", database.display()));
    command.env("SQLX_OFFLINE", "false").env("SQLX_OFFLINE_DIR", &fresh);
    if !logged(&mut command, log)?.success() {
        bail!("the queries do not fit the migrations:\n{}", tail(log, 30));
    }
    compare(&checkout.join(".sqlx"), &fresh).inspect_err(|_| drop(work.keep()))
}

fn compare(committed: &Path, fresh: &Path) -> Result<()> {
    let (old, new) = (files(committed)?, files(fresh)?);
    let names: BTreeSet<&String> = old.keys().chain(new.keys()).collect();
    let different: Vec<_> = names.into_iter().filter(|name| old.get(*name) != new.get(*name)).cloned().collect();
    if !different.is_empty() {
        bail!(
            ".sqlx is out of date: {}; hint: `cargo sqlx prepare`, or copy {}",
            different.join(", "),
            fresh.display()
        );
    }
    Ok(())
}

fn files(folder: &Path) -> Result<BTreeMap<String, Vec<u8>>> {
    let mut files = BTreeMap::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        files.insert(entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path())?);
    }
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_missing_an_old_and_a_changed_file_are_named() {
        let (old, new) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        for (folder, name, text) in
            [(&old, "a", "1"), (&new, "a", "1"), (&old, "b", "1"), (&new, "b", "2"), (&old, "c", ""), (&new, "d", "")]
        {
            fs::write(folder.path().join(name), text).unwrap();
        }
        let error = compare(old.path(), new.path()).unwrap_err().to_string();
        assert!(error.contains("out of date: b, c, d;"), "{error}");
        compare(old.path(), old.path()).unwrap();
    }
}
