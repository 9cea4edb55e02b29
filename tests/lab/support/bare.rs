//! A bare Debian host as a container: root's sshd, a Docker engine, and nothing set up. It is the test's own and goes with it.

use std::fs;
use std::io::Write as _;
use std::path::Path;
use std::process::{Command, Output, Stdio};

use super::{said, until};

/// Has the parts of a host in it; what the lab has set up there is taken out again at the start.
const IMAGE: &str = "lab/target:latest";
/// A container that is one already knows what a nested engine needs on this machine.
const MODEL: &str = "cc-ci-lab-target-second";
const PROXY: &str = "traefik_ci_lab_test";

/// PID 1. No systemd: sshd is a daemon with its pid file, as a host without systemd has it.
const BOOT: &str = r#"
userdel --remove ccci 2>/dev/null; userdel --remove ccci-stdio 2>/dev/null; rm -f /etc/ssh/sshd_config.d/cc-ci.conf
ssh-keygen -q -A
install -d -m 700 /root/.ssh && printf '%s\n' "$ADMIN_KEY" >/root/.ssh/authorized_keys
mkdir -p /run/sshd && /usr/sbin/sshd
dockerd --cgroup-parent="/$HOSTNAME" >/var/log/dockerd.log 2>&1 &
trap 'kill $(jobs -p); wait; exit 0' TERM INT
while :; do sleep 1 & wait $!; done
"#;

/// The host.
pub(crate) struct Bare {
    name: String,
    folder: tempfile::TempDir,
    /// Where its sshd listens on this machine.
    pub(crate) address: String,
}

impl Bare {
    /// Starts one and waits until its engine answers.
    pub(crate) fn start(name: &str) -> Self {
        let name = format!("cc-ci-lab-bare-{name}");
        remove(&name);
        let folder = tempfile::tempdir().unwrap();
        let key = folder.path().join("admin");
        said(Command::new("ssh-keygen").args(["-q", "-t", "ed25519", "-N", "", "-C", "admin", "-f"]).arg(&key));
        let admin = fs::read_to_string(key.with_extension("pub")).unwrap();
        let capabilities =
            said(Command::new("docker").args(["inspect", "--format", "{{json .HostConfig.CapAdd}}", MODEL]));
        let capabilities: Vec<String> = serde_json::from_str(&capabilities).unwrap();
        let mut command = Command::new("docker");
        command.args(["run", "--detach", "--name", &name, "--hostname", &name, "--network", "cc-ci-lab"]);
        command.args(capabilities.iter().flat_map(|capability| ["--cap-add", capability]));
        command.args(
            ["seccomp", "apparmor", "systempaths"]
                .iter()
                .flat_map(|it| ["--security-opt".to_owned(), format!("{it}=unconfined")]),
        );
        command.args(["--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--tmpfs", "/run:exec"]);
        command.args(["--volume", &format!("{name}:/var/lib/docker"), "--publish", "127.0.0.1::22"]);
        command.args(["--env", &format!("ADMIN_KEY={}", admin.trim()), "--entrypoint", "bash", IMAGE, "-c", BOOT]);
        said(&mut command);
        let address = said(Command::new("docker").args(["port", &name, "22/tcp"]));
        let bare = Self { name, folder, address };
        until("the engine of the bare host", || bare.tried(&["docker", "version"]).status.success().then_some(()));
        bare
    }

    /// Options with which an operator's `ssh` gets there as root.
    pub(crate) fn ssh_options(&self) -> Vec<String> {
        let known = self.folder.path().join("known_hosts");
        let host_key = said(&mut self.exec(&["cut", "-d", " ", "-f1,2", "/etc/ssh/ssh_host_ed25519_key.pub"]));
        let (host, port) = self.address.split_once(':').unwrap();
        fs::write(&known, format!("[{host}]:{port} {host_key}\n")).unwrap();
        let options = [
            "-F/dev/null".to_owned(),
            format!("-i{}", self.folder.path().join("admin").display()),
            format!("-oUserKnownHostsFile={}", known.display()),
            "-oBatchMode=yes".to_owned(),
        ];
        options.to_vec()
    }

    /// A command there, by the back door.
    pub(crate) fn exec(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.args(["exec", "--interactive", &self.name]).args(arguments).stdin(Stdio::null());
        command
    }

    /// What came of a command there.
    pub(crate) fn tried(&self, arguments: &[&str]) -> Output {
        self.exec(arguments).output().unwrap()
    }

    /// A script there; it must succeed.
    pub(crate) fn sh(&self, script: &str) -> String {
        said(&mut self.exec(&["bash", "-euc", script]))
    }

    /// Deploys the lab's proxy with its wildcard certificate, as a maintainer would. `authority` is the lab's.
    pub(crate) fn deploy_proxy(&self, authority: &Path) {
        // Where the kernel has no IP_VS, somebody else must do what it does.
        self.sh("[ -e /proc/net/ip_vs ] || (vipshim >/var/log/vipshim.log 2>&1 &)");
        let recipe = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/lab/recipes/traefik");
        said(Command::new("docker").arg("cp").arg(&recipe).arg(format!("{}:/opt/traefik", self.name)));
        for (secret, file) in [("ssl_cert", "wildcard.pem"), ("ssl_key", "wildcard.key")] {
            let content = fs::read(authority.with_file_name(file)).unwrap();
            self.feed(&["docker", "secret", "create", &format!("{PROXY}_{secret}_v1"), "-"], &content);
        }
        self.sh(&format!(
            "cd /opt/traefik; set -a; . ./.env.sample; . ./abra.sh; STACK_NAME={PROXY}
             docker stack deploy --detach=true --compose-file compose.yml {PROXY}"
        ));
        until("the proxy", || {
            let replicas = self.tried(&["docker", "service", "ls", "--format", "{{.Replicas}}"]);
            String::from_utf8_lossy(&replicas.stdout).contains("1/1").then_some(())
        });
    }

    fn feed(&self, arguments: &[&str], content: &[u8]) {
        let mut child = self.exec(arguments).stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
        child.stdin.take().unwrap().write_all(content).unwrap();
        assert!(child.wait().unwrap().success(), "{arguments:?}");
    }

    /// Everything that the engine keeps, by the back door: more than a run compares. While a healthcheck runs, runc has a file in /tmp.
    pub(crate) fn whole_inventory(&self) -> String {
        self.sh(
            "docker ps --all --no-trunc --format '{{.ID}} {{.Names}}'; docker image ls --no-trunc --quiet; docker volume ls --quiet
             docker network ls --no-trunc --format '{{.ID}} {{.Name}}'; { docker service ls --format '{{.ID}} {{.Name}}'; docker secret ls --quiet; docker config ls --quiet; } 2>&1 || true
             getent passwd; find /tmp -mindepth 1 -maxdepth 1 ! -name 'runc-process*' | sort; cat /etc/ssh/sshd_config.d/* 2>/dev/null || true",
        )
    }
}

impl Drop for Bare {
    fn drop(&mut self) {
        remove(&self.name);
    }
}

/// Removes the host, its volume, and the empty cgroups that the kernel keeps of its inner containers.
fn remove(name: &str) {
    let docker = |arguments: &[&str]| {
        let _removed = Command::new("docker").args(arguments).output();
    };
    docker(&["rm", "--force", "--volumes", name]);
    docker(&["volume", "rm", "--force", name]);
    let pattern = format!("*/{name}*");
    let find = [
        "find",
        "/sys/fs/cgroup",
        "-mindepth",
        "1",
        "-depth",
        "-type",
        "d",
        "-path",
        &pattern,
        "-exec",
        "rmdir",
        "{}",
        "+",
    ];
    let run =
        ["run", "--rm", "--cgroupns=host", "--volume", "/sys/fs/cgroup:/sys/fs/cgroup:rw", "--entrypoint", "", IMAGE];
    docker(&[run.as_slice(), find.as_slice()].concat());
}
