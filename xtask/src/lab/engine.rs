//! The Docker engine of this machine. One that answers is used as it is; else Debian's is installed and started.

use std::fs::{self, File};
use std::io::{IsTerminal, Write};
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;
use std::time::Duration;

use anyhow::{Context, Result, bail};

use super::places::Places;
use crate::process::{docker, exists, output, program, run, succeeds, tail, until};
use crate::steps::say;

/// The engine's version, when one answers.
pub(crate) fn version() -> Option<String> {
    exists("docker").then(|| output(&mut docker(["version", "--format", "{{.Server.Version}}"])).ok())?
}

/// Makes sure that an engine answers and that the programs of the later steps are there.
pub(crate) fn ensure(places: &Places, yes: bool, bootstrap_needed: bool) -> Result<()> {
    install(&missing_packages(bootstrap_needed), yes)?;
    if version().is_none() {
        start(places)?;
    }
    Ok(())
}

/// Stops the engine that `ensure` started, and no other.
pub(crate) fn stop(places: &Places) -> Result<()> {
    let file = pid_file(places);
    let Some(pid) = started_pid(&file) else {
        say("no engine was started by the lab");
        return Ok(());
    };
    run(program("kill").arg(&pid))?;
    if !until(Duration::from_secs(60), || !is_dockerd(&pid)) {
        bail!("dockerd {pid} does not stop; hint: look into {}", log_file(places).display());
    }
    fs::remove_file(file).ok();
    Ok(())
}

pub(crate) fn is_root() -> bool {
    fs::metadata("/proc/self").is_ok_and(|me| me.uid() == 0)
}

fn missing_packages(bootstrap_needed: bool) -> Vec<&'static str> {
    let mut packages = Vec::new();
    if version().is_none() {
        if !exists("dockerd") || !exists("docker") {
            packages.push("docker.io");
        }
        if !exists("iptables") {
            packages.push("iptables");
        }
    }
    if bootstrap_needed && !exists("debootstrap") {
        packages.push("debootstrap");
    }
    if bootstrap_needed && !Path::new("/usr/share/keyrings/debian-archive-keyring.gpg").exists() {
        packages.push("debian-archive-keyring");
    }
    packages
}

/// Installs Debian packages, after asking unless `yes`; none is nothing to do.
pub(crate) fn install(packages: &[&str], yes: bool) -> Result<()> {
    if packages.is_empty() {
        return Ok(());
    }
    let list = packages.join(" ");
    if !exists("apt-get") {
        bail!(
            "{list} must be installed, and there is no apt-get here; hint: install what they hold, then run this again"
        );
    }
    if !is_root() {
        bail!("packages are missing; hint: run as root once, or: apt-get install --no-install-recommends {list}");
    }
    consent(&list, yes)?;
    run(program("apt-get").args(["update", "-qq"]))?;
    let mut packages = packages.to_vec();
    // The client is a package of its own from Debian 13 on, and only a recommendation of docker.io.
    if packages.contains(&"docker.io") && succeeds(program("apt-cache").args(["show", "docker-cli"])) {
        packages.push("docker-cli");
    }
    run(program("apt-get")
        .env("DEBIAN_FRONTEND", "noninteractive")
        .args(["install", "-y", "-qq", "--no-install-recommends"])
        .args(packages))
}

fn consent(list: &str, yes: bool) -> Result<()> {
    say(format!("to be installed with apt: {list}"));
    if yes {
        return Ok(());
    }
    if !std::io::stdin().is_terminal() {
        bail!("no terminal to ask whether to install {list}; hint: pass --yes");
    }
    eprint!("Install these packages? [y/N] ");
    std::io::stderr().flush()?;
    let mut answer = String::new();
    std::io::stdin().read_line(&mut answer)?;
    if !matches!(answer.trim(), "y" | "Y" | "yes") {
        bail!("nothing installed; hint: apt-get install --no-install-recommends {list}");
    }
    Ok(())
}

fn start(places: &Places) -> Result<()> {
    // A fresh package may be starting the engine as a service of the system at this moment.
    let by_system = Path::new("/run/systemd/system").exists();
    if by_system && until(Duration::from_secs(15), || version().is_some()) {
        return Ok(());
    }
    if !is_root() {
        bail!("no Docker engine answers; hint: start one, run as root once, or join the group docker");
    }
    // A killed engine leaves its file behind, and the next one would take whoever has that number now for its predecessor.
    let pid = pid_file(places);
    if pid.exists() && started_pid(&pid).is_none() {
        fs::remove_file(&pid).with_context(|| format!("cannot remove {}", pid.display()))?;
    }
    let log = log_file(places);
    let file = File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    say(format!("starting dockerd, log in {}", log.display()));
    // A session of its own, so that it outlives this command and its terminal.
    let mut started = program("setsid")
        .args(["dockerd", "--pidfile"])
        .arg(pid)
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .spawn()
        .context("cannot start dockerd")?;
    until(Duration::from_secs(60), || version().is_some() || !matches!(started.try_wait(), Ok(None)));
    if version().is_none() {
        bail!("dockerd does not answer; its log {} ends:\n{}", log.display(), tail(&log, 5));
    }
    Ok(())
}

fn pid_file(places: &Places) -> PathBuf {
    places.lab.join("dockerd.pid")
}

fn log_file(places: &Places) -> PathBuf {
    places.lab.join("dockerd.log")
}

/// The process that the file names, if it is still a dockerd: after a reboot the number may belong to another program.
fn started_pid(file: &Path) -> Option<String> {
    let pid = fs::read_to_string(file).ok()?.trim().to_owned();
    is_dockerd(&pid).then_some(pid)
}

fn is_dockerd(pid: &str) -> bool {
    fs::read_to_string(format!("/proc/{pid}/comm")).is_ok_and(|name| name.trim() == "dockerd")
}
