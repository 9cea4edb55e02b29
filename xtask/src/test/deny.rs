//! cargo-deny: licences, sources, banned crates and known vulnerabilities of what is compiled in. A new machine does not have it,
//! so it is compiled once, beside everything else, into a folder outside the checkout.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread::ScopedJoinHandle;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::parts::Parts;
use crate::children::{logged, start};
use crate::process::{cargo, program, run, tail};
use crate::steps::say;

const VERSION: &str = "0.20.2";

/// A database that takes longer is out of reach.
const FETCH_LIMIT: Duration = Duration::from_secs(90);

/// The program's path; compiles it when it is not there. Niced, since it runs beside the tests.
pub(crate) fn ensure(log: &Path) -> Result<PathBuf> {
    let tools = cache()?.join("cc-ci-tools");
    let root = tools.join(format!("cargo-deny-{VERSION}"));
    let binary = root.join("bin/cargo-deny");
    if binary.is_file() {
        return Ok(binary);
    }
    fs::create_dir_all(&tools).with_context(|| format!("cannot make {}", tools.display()))?;
    let build = tools.join("build");
    let mut install = program("nice");
    install.args(["-n", "15"]).arg(cargo().get_program());
    install.args(["install", "--locked", "--version", VERSION, "cargo-deny", "--root"]).arg(&root);
    install.arg("--target-dir").arg(&build);
    if !logged(&mut install, log)?.success() {
        bail!("cannot install cargo-deny {VERSION}; its log ends:\n{}", tail(log, 10));
    }
    fs::remove_dir_all(build).ok();
    Ok(binary)
}

/// Runs the checks with the program that `tool` leaves behind.
pub(crate) fn check(parts: &mut Parts, checkout: &Path, tool: ScopedJoinHandle<'_, Result<PathBuf>>) {
    let tool = tool.join().map_err(|_| anyhow!("the installer panicked")).and_then(|tool| tool);
    let tool = match tool {
        Ok(tool) => tool,
        Err(error) => return parts.check("deny", |_| Err(error)),
    };
    let deny = |arguments: &[&str]| {
        let mut command = Command::new(&tool);
        command.current_dir(checkout).args(arguments);
        command
    };
    // It looks at what other systems need, too, which no build here has fetched. What follows needs no network.
    if let Err(error) = run(cargo().current_dir(checkout).args(["fetch", "--locked", "--quiet"])) {
        return parts.check("deny", |_| Err(error));
    }
    parts.command("deny", &mut deny(&["--offline", "check", "bans", "licenses", "sources"]));
    match fetched(&mut deny(&["fetch", "db"]), &parts.log("deny-fetch")) {
        Ok(true) => parts.command("advisories", &mut deny(&["--offline", "check", "advisories"])),
        Ok(false) => say("advisories not checked: their database is out of reach from here"),
        Err(error) => parts.check("advisories", |_| Err(error)),
    }
}

fn fetched(command: &mut Command, log: &Path) -> Result<bool> {
    let file = fs::File::create(log)?;
    let ended = start(command.stdout(file.try_clone()?).stderr(file))?.wait_at_most(FETCH_LIMIT)?;
    Ok(ended.is_some_and(|status| status.success()))
}

fn cache() -> Result<PathBuf> {
    let set = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    set("XDG_CACHE_HOME")
        .or_else(|| Some(set("HOME")?.join(".cache")))
        .ok_or_else(|| anyhow!("no folder for tools; hint: set HOME or XDG_CACHE_HOME"))
}
