//! Programs of the lab that exist as Go modules: compiled once per machine. A machine with only Rust and git has no Go, so the
//! compiler is that of `lab/go`; the host's own is used only where the container cannot reach a module proxy.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Command;

use anyhow::{Context, Result};

use super::images::GO;
use super::places::Places;
use crate::process::{docker, exists, logged, output, program, succeeds, tail};
use crate::steps::{say, timed};

/// A program that is compiled from its Go module.
pub(crate) struct GoProgram {
    /// Its name, which is also that of its folder in `tests/lab/images`; `compile.sh` there knows how.
    pub(crate) name: &'static str,
    /// Its version.
    pub(crate) version: &'static str,
    /// `local`: Debian's Go will do; `auto`: a newer one is fetched as a module, as its go.mod asks.
    pub(crate) toolchain: &'static str,
    /// The oldest Go of the host that may be used instead.
    pub(crate) oldest_go: (u32, u32),
}

impl GoProgram {
    /// Where the program is; it may be copied here from another machine.
    pub(crate) fn binary(&self, places: &Places) -> Result<PathBuf> {
        Ok(places.lab_folder(self.name)?.join(format!("{}-{}", self.name, self.version)))
    }

    /// Compiles it unless it is there.
    pub(crate) fn ensure(&self, places: &Places) -> Result<PathBuf> {
        let binary = self.binary(places)?;
        if !binary.exists() {
            let label = format!("compile {} {} (once per machine, about ten minutes)", self.name, self.version);
            timed(&label, || self.compile(places, &binary))?;
        }
        Ok(binary)
    }

    fn compile(&self, places: &Places, binary: &Path) -> Result<()> {
        let log = places.lab_folder("logs")?.join(format!("compile-{}.log", self.name));
        let Err(error) = logged(&mut self.in_container(places)?, &log) else {
            return Ok(());
        };
        if !self.host_go_is_new_enough() {
            return Err(error).with_context(|| {
                let (name, version) = (self.name, self.version);
                format!("hint: {name} needs a Go module proxy once; or copy {name} {version} to {}", binary.display())
            });
        }
        say(format!("the container cannot compile {} ({}); using this machine's Go", self.name, tail(&log, 1)));
        logged(&mut self.on_host(places, binary)?, &log)
    }

    fn in_container(&self, places: &Places) -> Result<Command> {
        let container = format!("cc-ci-lab-compile-{}", self.name);
        // One that an interrupted run left behind.
        succeeds(&mut docker(["rm", "--force", &container]));
        let (cache, out) = (places.lab_folder("go")?, places.lab_folder(self.name)?);
        let me = fs::metadata(&places.lab)?;
        let mut command = docker(["run", "--rm", "--name", &container, "--network", "host", "--cpu-shares", "256"]);
        command.args(["--user", &format!("{}:{}", me.uid(), me.gid())]);
        mount(&mut command, &places.image_context(self.name).join("compile.sh"), "/compile.sh:ro");
        mount(&mut command, &cache, "/go");
        mount(&mut command, &out, "/out");
        if Path::new("/etc/ssl/certs").exists() {
            mount(&mut command, Path::new("/etc/ssl/certs"), "/etc/ssl/certs:ro");
        }
        for (name, value) in self.go_settings("/go") {
            command.arg("--env").arg(format!("{name}={value}"));
        }
        command.args([GO.tag, "/compile.sh", self.version, &format!("/out/{}-{}", self.name, self.version)]);
        Ok(command)
    }

    fn on_host(&self, places: &Places, binary: &Path) -> Result<Command> {
        let mut command = program("bash");
        command.arg(places.image_context(self.name).join("compile.sh")).arg(self.version).arg(binary);
        command.envs(self.go_settings(&places.lab_folder("go")?.to_string_lossy()));
        Ok(command)
    }

    /// The module proxy as this machine's Go knows it, else empty, which is Go's own default; and caches that stay.
    fn go_settings(&self, cache: &str) -> Vec<(&'static str, String)> {
        let of_host = |name: &str| {
            let found = exists("go").then(|| output(program("go").args(["env", name])).ok()).flatten();
            found.unwrap_or_default()
        };
        let mut settings = vec![
            ("GOPROXY", of_host("GOPROXY")),
            ("GOSUMDB", of_host("GOSUMDB")),
            ("GOMODCACHE", format!("{cache}/mod")),
            ("GOCACHE", format!("{cache}/build")),
            ("GOTOOLCHAIN", self.toolchain.to_owned()),
            // Otherwise nobody but root can remove the cache's folders.
            ("GOFLAGS", "-modcacherw".to_owned()),
            ("HOME", "/tmp".to_owned()),
        ];
        for name in ["HTTP_PROXY", "HTTPS_PROXY", "NO_PROXY"] {
            settings.extend(std::env::var(name).ok().map(|value| (name, value)));
        }
        settings
    }

    fn host_go_is_new_enough(&self) -> bool {
        exists("go")
            && output(program("go").args(["env", "GOVERSION"]))
                .is_ok_and(|version| go_version(&version).is_some_and(|found| found >= self.oldest_go))
    }
}

fn mount(command: &mut Command, from: &Path, to: &str) {
    command.arg("--volume").arg(format!("{}:{to}", from.display()));
}

/// Major and minor version from what `go env GOVERSION` prints.
fn go_version(text: &str) -> Option<(u32, u32)> {
    let mut parts = text.strip_prefix("go")?.split('.');
    Some((parts.next()?.parse().ok()?, parts.next()?.parse().ok()?))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn go_versions_are_compared_as_numbers() {
        assert_eq!(go_version("go1.24.4"), Some((1, 24)));
        assert_eq!(go_version("go1.9"), Some((1, 9)));
        assert_eq!(go_version("devel +abc"), None);
        assert!(go_version("go1.9").unwrap() < (1, 24));
    }
}
