//! `lab/debian:trixie`, the base of every image, by debootstrap. The root file system is kept as a tar file in the lab's state,
//! so that a lost image is back in two seconds.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::{Result, bail};

use super::content::ContentHash;
use super::engine;
use super::images::{HASH_LABEL, is_current};
use super::places::Places;
use crate::process::{docker, logged, output, program, run};
use crate::steps::timed;

/// The image's name.
pub(crate) const IMAGE: &str = "lab/debian:trixie";

const SUITE: &str = "trixie";

/// Emptied in the base: no image needs them at run time. The engine writes its own host name and resolver.
const NOT_NEEDED: [&str; 7] = [
    "var/cache/apt",
    "var/lib/apt/lists",
    "usr/share/doc",
    "usr/share/man",
    "usr/share/locale",
    "usr/share/info",
    "var/log",
];

/// apt's caches cost 100 MB and more in an image that installs packages.
const NO_CACHES: &str = r#"Dir::Cache::pkgcache "";
Dir::Cache::srcpkgcache "";
Binary::apt::APT::Keep-Downloaded-Packages "false";
DPkg::Post-Invoke { "rm -f /var/cache/apt/archives/*.deb || true"; };
"#;

const NO_DOCUMENTATION: &str = "path-exclude=/usr/share/doc/*
path-exclude=/usr/share/man/*
path-exclude=/usr/share/locale/*
path-exclude=/usr/share/info/*
";

/// The hash of how the base is made.
pub(crate) fn hash() -> String {
    NOT_NEEDED
        .iter()
        .fold(ContentHash::default().part(SUITE), ContentHash::part)
        .part(NO_CACHES)
        .part(NO_DOCUMENTATION)
        .hex()
}

/// Whether debootstrap has to run: neither the image nor its tar file is there.
pub(crate) fn bootstrap_needed(places: &Places) -> bool {
    engine::version().is_none_or(|_| !is_current(IMAGE, &hash())) && !tar_file(places).exists()
}

/// Makes the image unless it is there.
pub(crate) fn ensure(places: &Places) -> Result<()> {
    let hash = hash();
    if is_current(IMAGE, &hash) {
        return Ok(());
    }
    let tar = tar_file(places);
    if !tar.exists() {
        timed("debootstrap trixie", || bootstrap(places, &tar))?;
    }
    let label = format!("LABEL {HASH_LABEL}={hash}");
    timed(&format!("import {IMAGE}"), || {
        let command = r#"CMD ["/bin/bash"]"#;
        run(docker(["import", "--change", command, "--change", &label]).arg(&tar).arg(IMAGE))
    })
}

fn tar_file(places: &Places) -> PathBuf {
    places.lab.join(format!("base/{SUITE}-{}.tar", &hash()[..12]))
}

fn bootstrap(places: &Places, tar: &Path) -> Result<()> {
    if !engine::is_root() {
        bail!("debootstrap needs root; hint: run `cargo xtask lab up` as root once");
    }
    let folder = places.lab_folder("base")?;
    let work = tempfile::tempdir_in(&folder)?;
    let root = work.path().join("root");
    let mut command = program("debootstrap");
    command.args(["--variant=minbase", SUITE]).arg(&root).args(debian_mirror());
    logged(&mut command, &folder.join("debootstrap.log"))?;
    slim(&root)?;
    let unfinished = tar.with_extension("new");
    run(program("tar").args(["--numeric-owner", "-C"]).arg(&root).arg("-cf").arg(&unfinished).arg("."))?;
    fs::rename(unfinished, tar)?;
    Ok(())
}

/// The mirror that this machine's apt uses already, `None` for debootstrap's own choice; `DEBIAN_MIRROR` overrides both.
fn debian_mirror() -> Option<String> {
    let of_apt = || {
        let sites = output(program("apt-get").args([
            "indextargets",
            "--format",
            "$(SITE)",
            "Created-By: Packages",
            "Label: Debian",
        ]));
        sites.ok()?.lines().next().map(str::to_owned)
    };
    std::env::var("DEBIAN_MIRROR").ok().filter(|mirror| !mirror.is_empty()).or_else(of_apt)
}

fn slim(root: &Path) -> Result<()> {
    for folder in NOT_NEEDED {
        remove_files_below(&root.join(folder))?;
    }
    for file in ["etc/resolv.conf", "etc/hostname"] {
        fs::remove_file(root.join(file)).ok();
    }
    fs::write(root.join("etc/apt/apt.conf.d/no-caches"), NO_CACHES)?;
    fs::write(root.join("etc/dpkg/dpkg.cfg.d/no-documentation"), NO_DOCUMENTATION)?;
    Ok(())
}

/// Folders stay: apt and others expect some of them.
fn remove_files_below(folder: &Path) -> Result<()> {
    for entry in fs::read_dir(folder)? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            remove_files_below(&entry.path())?;
        } else {
            fs::remove_file(entry.path())?;
        }
    }
    Ok(())
}
