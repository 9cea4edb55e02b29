//! The real Traefik, compiled from its Go module once per machine. A machine with only Rust and git has no Go, so the compiler is
//! that of `lab/go`; the host's own is used only where the container cannot reach a module proxy.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result, bail};

use super::base;
use super::content::ContentHash;
use super::images::{GO, build, is_current};
use super::places::Places;
use crate::process::{docker, exists, logged, output, program, succeeds, tail};
use crate::steps::{say, timed};

/// The newest version whose go.mod is content with Debian's Go 1.24.
pub(crate) const VERSION: &str = "3.6.7";
/// The image's name; the recipe of the proxy names it too.
pub(crate) const IMAGE: &str = "lab/traefik:3.6.7";

const OLDEST_GO: (u32, u32) = (1, 24);
const COMPILER: &str = "cc-ci-lab-compile";

/// Compiles and builds what is missing.
pub(crate) fn ensure(places: &Places) -> Result<()> {
    let binary = binary(places)?;
    if !binary.exists() {
        timed(&format!("compile traefik {VERSION} (once per machine, about ten minutes)"), || {
            compile(places, &binary)
        })?;
    }
    let dockerfile = places.image_context("traefik").join("Dockerfile");
    let hash = ContentHash::default().part(base::hash()).part(VERSION).part(fs::read(&dockerfile)?).hex();
    if is_current(IMAGE, &hash) {
        return Ok(());
    }
    timed(&format!("build {IMAGE}"), || {
        // The context holds the binary alone. A hard link, since the file has 170 MB.
        let context = tempfile::tempdir_in(&places.lab)?;
        fs::copy(&dockerfile, context.path().join("Dockerfile"))?;
        fs::hard_link(&binary, context.path().join("traefik"))?;
        build(places, IMAGE, &hash, context.path(), &[])
    })
}

/// A static binary; it may be copied here from another machine.
fn binary(places: &Places) -> Result<PathBuf> {
    Ok(places.lab_folder("traefik")?.join(format!("traefik-{VERSION}")))
}

fn compile(places: &Places, binary: &Path) -> Result<()> {
    let log = places.lab_folder("logs")?.join("compile-traefik.log");
    let Err(error) = logged(&mut in_container(places)?, &log) else {
        return Ok(());
    };
    if !host_go_is_new_enough() {
        return Err(error).with_context(|| {
            format!(
                "hint: Traefik needs a Go module proxy once; or copy a static traefik {VERSION} to {}",
                binary.display()
            )
        });
    }
    say(format!("the container cannot compile Traefik ({}); using this machine's Go", tail(&log, 1)));
    logged(&mut on_host(places, binary)?, &log)
}

fn in_container(places: &Places) -> Result<Command> {
    // One that an interrupted run left behind.
    succeeds(&mut docker(["rm", "--force", COMPILER]));
    let (cache, out) = (places.lab_folder("go")?, places.lab_folder("traefik")?);
    let me = fs::metadata(&places.lab)?;
    let mut command = docker(["run", "--rm", "--name", COMPILER, "--network", "host", "--cpu-shares", "256"]);
    command.args(["--user", &format!("{}:{}", me.uid(), me.gid())]);
    mount(&mut command, &places.image_context("traefik").join("compile.sh"), "/compile.sh:ro");
    mount(&mut command, &cache, "/go");
    mount(&mut command, &out, "/out");
    if Path::new("/etc/ssl/certs").exists() {
        mount(&mut command, Path::new("/etc/ssl/certs"), "/etc/ssl/certs:ro");
    }
    for (name, value) in go_settings("/go") {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.args([GO.tag, "/compile.sh", VERSION, &format!("/out/traefik-{VERSION}")]);
    Ok(command)
}

fn on_host(places: &Places, binary: &Path) -> Result<Command> {
    let mut command = program("bash");
    command.arg(places.image_context("traefik").join("compile.sh")).arg(VERSION).arg(binary);
    command.envs(go_settings(&places.lab_folder("go")?.to_string_lossy()));
    Ok(command)
}

fn mount(command: &mut Command, from: &Path, to: &str) {
    command.arg("--volume").arg(format!("{}:{to}", from.display()));
}

/// The module proxy as this machine's Go knows it, else empty, which is Go's own default; and caches that stay.
fn go_settings(cache: &str) -> Vec<(&'static str, String)> {
    let of_host = |name: &str| {
        let found = exists("go").then(|| output(program("go").args(["env", name])).ok()).flatten();
        found.unwrap_or_default()
    };
    let mut settings = vec![
        ("GOPROXY", of_host("GOPROXY")),
        ("GOSUMDB", of_host("GOSUMDB")),
        ("GOMODCACHE", format!("{cache}/mod")),
        ("GOCACHE", format!("{cache}/build")),
        ("GOTOOLCHAIN", "local".to_owned()),
        // Otherwise nobody but root can remove the cache's folders.
        ("GOFLAGS", "-modcacherw".to_owned()),
        ("HOME", "/tmp".to_owned()),
    ];
    for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
        settings.extend(std::env::var(name).ok().map(|value| (name, value)));
    }
    settings
}

fn host_go_is_new_enough() -> bool {
    exists("go")
        && output(program("go").args(["env", "GOVERSION"]))
            .is_ok_and(|version| go_version(&version).is_some_and(|found| found >= OLDEST_GO))
}

/// Major and minor version from what `go env GOVERSION` prints.
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("go")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

/// Checks that the proxy's recipe and this module speak of the same version.
pub(crate) fn check_recipe(compose: &str) -> Result<()> {
    if !compose.contains(&format!("image: {IMAGE}\n")) {
        bail!("the proxy's compose.yml does not name {IMAGE}; hint: raise both versions together");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_compared_as_numbers() {
        assert_eq!(go_version("go1.24.4"), Some((1, 24)));
        assert_eq!(go_version("go1.9"), Some((1, 9)));
        assert_eq!(go_version("devel +abc"), None);
        assert!(go_version("go1.9").unwrap() < OLDEST_GO);
    }

    #[test]
    fn recipe_image_and_binary_are_of_one_version() {
        assert!(IMAGE.ends_with(VERSION));
        check_recipe(include_str!("../../../tests/lab/recipes/traefik/compose.yml")).unwrap();
    }
}
