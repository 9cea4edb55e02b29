//! A test Swarm host as a container: sshd, an engine of its own, a one-node swarm.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::str::FromStr;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use super::images::{self, TARGET};
use super::places::Places;
use super::{NETWORK, base, container_image, ensure_network, hold};
use crate::process::{docker, output, run, succeeds, until};

/// What a nested engine can need beside the default capabilities. `SYS_RESOURCE` is left out: it may be missing from the machine's
/// own bounding set, and the engine needs it only to raise limits.
const CAPABILITIES: [&str; 20] = [
    "AUDIT_CONTROL",
    "BLOCK_SUSPEND",
    "DAC_READ_SEARCH",
    "IPC_LOCK",
    "IPC_OWNER",
    "LEASE",
    "LINUX_IMMUTABLE",
    "NET_ADMIN",
    "NET_BROADCAST",
    "SYSLOG",
    "SYS_ADMIN",
    "SYS_BOOT",
    "SYS_MODULE",
    "SYS_NICE",
    "SYS_PACCT",
    "SYS_PTRACE",
    "SYS_RAWIO",
    "SYS_TIME",
    "SYS_TTY_CONFIG",
    "WAKE_ALARM",
];

const CONTAINER_PREFIX: &str = "cc-ci-lab-target-";

/// The section of `gate`: the target that people use has the name that the documentation tells them.
const GATE_SECTION: &str = "lab";

/// A test host by its short name.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(crate) struct Target {
    /// The short name: of the container, and of the host in the lab's network.
    name: String,
}

impl FromStr for Target {
    type Err = anyhow::Error;

    /// Reads the name that `--target` takes.
    fn from_str(section: &str) -> Result<Self> {
        let allowed = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
        if section.is_empty() || section.len() > 20 || section.starts_with('-') || !section.chars().all(allowed) {
            bail!("`{section}` is no name of a target; hint: up to 20 small letters, digits and hyphens");
        }
        match section {
            GATE_SECTION => Ok(Self::named(Self::GATE)),
            Self::GATE => bail!("this test host is called `{GATE_SECTION}`"),
            other => Ok(Self::named(other)),
        }
    }
}

/// What a client needs to reach a target.
#[derive(Clone, Debug)]
pub(crate) struct Access {
    /// Where its sshd listens on this machine.
    pub(crate) address: String,
    /// The pinned host key: type and base64.
    pub(crate) host_key: String,
    /// The private key, in OpenSSH's format.
    pub(crate) key_path: PathBuf,
}

impl Target {
    /// The test host that people use.
    pub(crate) const GATE: &str = "gate";
    /// The test hosts that every lab has: three, so that three tests can run at once. They wait more than they compute.
    pub(crate) const STANDARD: [&str; 3] = [Self::GATE, "second", "third"];

    /// The host that carries a deployed gate: a Swarm like the others, but no run is judged there. Only where it is asked for.
    pub(crate) const OPS: &str = "ops";

    /// The target with this name; it need not be up.
    pub(crate) fn named(name: &str) -> Self {
        Self { name: name.to_owned() }
    }

    /// The names of all targets that are there, running or not.
    pub(crate) fn all() -> Result<Vec<Self>> {
        let filter = format!("name=^{CONTAINER_PREFIX}");
        let names = output(&mut docker(["ps", "--all", "--filter", &filter, "--format", "{{.Names}}"]))?;
        Ok(names.lines().filter_map(|name| name.strip_prefix(CONTAINER_PREFIX)).map(Self::named).collect())
    }

    /// The standard targets, those that are there, and those named, each once.
    pub(crate) fn wanted(named: &[Self]) -> Result<Vec<Self>> {
        let mut wanted: Vec<Self> = Self::STANDARD.map(Self::named).to_vec();
        for target in Self::all()?.iter().chain(named) {
            if !wanted.contains(target) {
                wanted.push(target.clone());
            }
        }
        Ok(wanted)
    }

    /// The target's section in `targets.toml`, which is what `--target` takes.
    pub(crate) fn section(&self) -> &str {
        if self.name == Self::GATE { GATE_SECTION } else { &self.name }
    }

    /// Its name for other containers of the lab.
    pub(crate) fn host(&self) -> String {
        format!("{}.lab", self.name)
    }

    /// What it is for, as `targets.toml` has it.
    pub(crate) fn role(&self) -> &'static str {
        if self.name == Self::OPS { "dev" } else { "gate" }
    }

    /// The container's name on this machine's engine.
    pub(crate) fn container(&self) -> String {
        format!("{CONTAINER_PREFIX}{}", self.name)
    }

    /// A command inside the target: the developer's back door, not what cc-ci uses.
    pub(crate) fn exec<'a>(&self, arguments: impl IntoIterator<Item = &'a str>) -> Command {
        let mut command = docker(["exec", "--interactive"]);
        command.arg(self.container()).args(arguments);
        command
    }

    /// A test that cut it off may have been killed.
    fn is_cut_off_no_more(&self) {
        let rule = ["iptables", "--delete", "INPUT", "--protocol", "tcp", "--dport", "22", "--jump", "DROP"];
        while succeeds(&mut self.exec(rule)) {}
    }

    /// Starts the target unless it runs; one made from an older image or for another key is made anew.
    pub(crate) fn ensure(&self, places: &Places) -> Result<Access> {
        ensure_network()?;
        let folder = places.lab_folder(&format!("targets/{}", self.name))?;
        let key = ensure_key(&folder)?;
        let wanted = images::id(TARGET.tag).ok_or_else(|| anyhow!("no image {}", TARGET.tag))?;
        if container_image(&self.container()).is_some_and(|image| image == wanted) && self.knows_key(&key.public) {
            let held = hold(self)?;
            if held.is_some() {
                // A test that froze it may have been killed.
                succeeds(&mut docker(["unpause", &self.container()]));
            }
            run(&mut docker(["start", &self.container()]))?;
            if held.is_some() {
                self.is_cut_off_no_more();
            }
        } else {
            self.remove()?;
            self.create(&key.public)?;
        }
        self.wait_ready()?;
        self.access(key.path)
    }

    /// Removes the target with its volumes, and the empty cgroups that the kernel keeps of its inner containers.
    pub(crate) fn remove(&self) -> Result<()> {
        let container = self.container();
        succeeds(&mut docker(["rm", "--force", "--volumes", &container]));
        run(&mut docker(["volume", "rm", "--force", &container]))?;
        let cgroups = format!("*/cc-ci-lab-{}*", self.name);
        let mut command = docker(["run", "--rm", "--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw"]);
        command.args([base::IMAGE, "find", "/sys/fs/cgroup", "-mindepth", "2", "-depth", "-type", "d"]);
        command.args(["-path", &cgroups, "-exec", "rmdir", "{}", "+"]);
        // Empty folders harm nobody.
        succeeds(&mut command);
        Ok(())
    }

    /// Whether its swarm is ready.
    pub(crate) fn ready(&self) -> bool {
        succeeds(&mut self.exec(["test", "-e", "/run/ready"]))
    }

    fn create(&self, public_key: &str) -> Result<()> {
        let container = self.container();
        let mut command = docker(["run", "--detach", "--name", &container, "--hostname", &container]);
        // Names resolve inside the inner engine's containers only with a dot.
        command.args(["--network", NETWORK, "--network-alias", &self.host()]);
        if self.name == Self::OPS {
            // For a look with a browser.
            command.args(["--publish", "127.0.0.1::443"]);
        }
        for capability in CAPABILITIES {
            command.args(["--cap-add", capability]);
        }
        for unconfined in ["seccomp", "apparmor", "systempaths"] {
            command.args(["--security-opt", &format!("{unconfined}=unconfined")]);
        }
        command.args(["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run:exec"]);
        command.args(["--volume", &format!("{container}:/var/lib/docker")]);
        command.args(["--env", &format!("CGROUP_PARENT=/cc-ci-lab-{}", self.name)]);
        command.args(["--env", &format!("CCCI_PUBLIC_KEY={public_key}")]);
        command.args(["--publish", "127.0.0.1::22", TARGET.tag]);
        run(&mut command)
    }

    fn knows_key(&self, public_key: &str) -> bool {
        let environment =
            output(&mut docker(["inspect", "--format", "{{join .Config.Env \"\\n\"}}", &self.container()]));
        environment.is_ok_and(|lines| lines.lines().any(|line| line == format!("CCCI_PUBLIC_KEY={public_key}")))
    }

    fn wait_ready(&self) -> Result<()> {
        until(Duration::from_secs(60), || self.ready() || !self.running());
        if !self.ready() {
            let said = output(&mut docker(["logs", "--tail", "5", &self.container()])).unwrap_or_default();
            bail!("target {} is not ready: {said}; hint: docker logs {}", self.section(), self.container());
        }
        Ok(())
    }

    fn running(&self) -> bool {
        output(&mut docker(["inspect", "--format", "{{.State.Running}}", &self.container()]))
            .is_ok_and(|it| it == "true")
    }

    fn access(&self, key_path: PathBuf) -> Result<Access> {
        let ports = output(&mut docker(["port", &self.container(), "22/tcp"]))?;
        let address =
            ports.lines().next().ok_or_else(|| anyhow!("target {} publishes no port", self.section()))?.to_owned();
        let key = output(&mut self.exec(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]))?;
        let host_key = key.split(' ').take(2).collect::<Vec<_>>().join(" ");
        Ok(Access { address, host_key, key_path })
    }
}

struct Key {
    path: PathBuf,
    public: String,
}

/// The client's key, made once by the target image's own ssh-keygen, since this machine may have no SSH client.
fn ensure_key(folder: &Path) -> Result<Key> {
    let (path, public) = (folder.join("id"), folder.join("id.pub"));
    if !path.exists() || !public.exists() {
        let script = "ssh-keygen -q -t ed25519 -N '' -C cc-ci-lab -f /tmp/id && cat /tmp/id.pub /tmp/id";
        let made = output(&mut docker(["run", "--rm", "--entrypoint", "bash", TARGET.tag, "-c", script]))?;
        let (public_line, private) = made.split_once('\n').ok_or_else(|| anyhow!("ssh-keygen made no key"))?;
        fs::write(&path, format!("{private}\n")).with_context(|| format!("cannot write {}", path.display()))?;
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600))?;
        fs::write(&public, format!("{public_line}\n"))?;
    }
    Ok(Key { public: fs::read_to_string(&public)?.trim().to_owned(), path })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_for_people_is_the_section() {
        let lab: Target = "lab".parse().unwrap();
        assert_eq!((lab.section(), lab.container().as_str()), ("lab", "cc-ci-lab-target-gate"));
        let second: Target = "second".parse().unwrap();
        assert_eq!((second.section(), second.container().as_str()), ("second", "cc-ci-lab-target-second"));
    }

    #[test]
    fn names_that_would_confuse_are_refused() {
        for bad in ["", "gate", "-x", "a.b", "a b", "Lab", "abcdefghijklmnopqrstu"] {
            assert!(bad.parse::<Target>().is_err(), "{bad}");
        }
    }
}
