//! From a bare Debian host to a green run, as an operator would do it; and what doctor says on the way.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::Instant;

use cc_ci::domain::doctor::Matter;
use serde_json::Value;

use crate::support::bare::Bare;
use crate::support::{Running, figure, said, shared_state, until};

/// A gate of its own with a targets file of its own.
struct Gate {
    state: tempfile::TempDir,
    targets: PathBuf,
}

impl Gate {
    fn new() -> Self {
        let state = tempfile::tempdir().unwrap();
        Self { targets: state.path().join("targets.toml"), state }
    }

    fn cc_ci(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
        command.args(arguments).env("CC_CI_STATE", self.state.path()).env("CC_CI_TARGETS", &self.targets);
        command.stdin(Stdio::null());
        command
    }

    fn setup(&self, host: &Bare, how: &str) -> Told {
        let mut command = self.cc_ci(&["target", "setup", how, &format!("root@{}", host.address)]);
        command.args(host.ssh_options().iter().flat_map(|option| ["--ssh-option", option]));
        command.args(["--name", "bare", "--domain", "ci.lab.test"]);
        told(&mut command)
    }

    fn doctor(&self, more: &[&str]) -> Told {
        let mut command = self.cc_ci(&["doctor", "--target", "bare", "--json", "--runner-image"]);
        told(command.arg(shared_state().join("runner.tar")).args(more))
    }
}

struct Told {
    code: i32,
    out: String,
    err: String,
}

fn told(command: &mut Command) -> Told {
    let output = command.output().unwrap();
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    Told { code: output.status.code().unwrap_or(-1), out: text(&output.stdout), err: text(&output.stderr) }
}

impl Told {
    fn check(&self, matter: Matter) -> Value {
        let all: Vec<Value> = serde_json::from_str(&self.out).unwrap_or_else(|_| panic!("{}{}", self.out, self.err));
        let found = all.into_iter().find(|check| check["id"] == matter.name());
        found.unwrap_or_else(|| panic!("no {}: {}", matter.name(), self.out))
    }
}

/// The lab's own authority, which also signed the certificate that the proxy gets here.
fn authority() -> PathBuf {
    let text = std::fs::read_to_string(shared_state().join("targets.toml")).unwrap();
    let targets: toml::Table = text.parse().unwrap();
    targets["lab"]["ca_path"].as_str().unwrap().into()
}

#[test]
fn s60_s66_a_bare_host_is_set_up_found_well_and_judges_a_recipe() {
    let (host, gate) = (Bare::start("setup"), Gate::new());
    let begun = Instant::now();

    let missing = gate.setup(&host, "--check");
    assert_eq!(missing.code, 1, "{}", missing.err);
    for step in ["user", "group", "key", "sshd", "swarm", "network"] {
        assert!(missing.err.contains(&format!("✕ {step:8} missing")), "{}", missing.err);
    }
    assert!(missing.err.contains("✓ engine"), "{}", missing.err);

    let applied = gate.setup(&host, "--apply");
    assert_eq!(applied.code, 0, "{}", applied.err);
    assert!(applied.err.contains("no systemd here: sshd was told to read its files by SIGHUP"), "{}", applied.err);
    let again = gate.setup(&host, "--apply");
    assert!(again.code == 0 && !again.err.contains('+') && !again.err.contains('✕'), "{}", again.err);
    assert_eq!(again.out, applied.out);
    figure("set-up", "check and apply twice", begun.elapsed().as_secs_f64(), "s");

    let authority = authority();
    std::fs::write(&gate.targets, applied.out.replace("domain ", &format!("ca_path = {authority:?}\ndomain ")))
        .unwrap();
    let unproxied = gate.doctor(&[]);
    assert_eq!(unproxied.code, 1, "{}", unproxied.out);
    assert!(unproxied.check(Matter::Proxy)["mend"].as_str().unwrap().contains("proxy deployed"), "{}", unproxied.out);
    assert_eq!(unproxied.check(Matter::Traefik)["outcome"], "open");

    host.deploy_proxy(&authority);
    let gateway = said(Command::new("docker").args([
        "network",
        "inspect",
        "--format",
        "{{(index .IPAM.Config 0).Gateway}}",
        "cc-ci-lab",
    ]));
    let open = TcpListener::bind((gateway.as_str(), 0)).unwrap();
    let closed = TcpListener::bind((gateway.as_str(), 0)).unwrap().local_addr().unwrap().to_string();
    let first = gate.doctor(&["--send-runner", "--must-not-reach", &closed]);
    assert_eq!(first.code, 0, "{}\n{}", first.out, first.err);

    // Once more, with everything of the host compared: looking changed nothing.
    let before = host.whole_inventory();
    let examined = Instant::now();
    let well = gate.doctor(&["--must-not-reach", &closed]);
    figure("doctor", "the whole list", examined.elapsed().as_secs_f64(), "s");
    assert_eq!(well.code, 0, "{}", well.out);
    let reached = gate.doctor(&["--must-not-reach", &open.local_addr().unwrap().to_string()]);
    assert_eq!((reached.code, reached.check(Matter::Reach)["outcome"].as_str()), (1, Some("bad")), "{}", reached.out);
    assert_eq!(host.whole_inventory(), before);
    let checks: Vec<Value> = serde_json::from_str(&well.out).unwrap();
    for check in &checks {
        let optional = check["id"] == Matter::BackupBot.name();
        assert_eq!(check["outcome"], if optional { "open" } else { "good" }, "{check:#}");
    }
    assert!(checks.len() >= 19, "{}", well.out);
    println!(
        "{}",
        said(gate.cc_ci(&["doctor", "--target", "bare", "--runner-image"]).arg(shared_state().join("runner.tar")))
    );

    let mut run = gate.cc_ci(&["run", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recipes/good"), "--target", "bare"]);
    run.arg("--runner-image").arg(shared_state().join("runner.tar"));
    Running::start(run, gate.state.path(), None).finish().assert(0, "green");
    figure("set-up", "bare host to green run", begun.elapsed().as_secs_f64(), "s");

    broken_by_hand(&host, &gate);
}

#[test]
fn a_trial_takes_away_what_it_made_and_nothing_else() {
    let (host, gate) = (Bare::start("trial"), Gate::new());
    let socket = gate.state.path().join("engine.sock");
    let mut forward = Command::new("ssh");
    forward.args(host.ssh_options()).arg("-N").arg("-L").arg(format!("{}:/var/run/docker.sock", socket.display()));
    let (name, port) = host.address.split_once(':').unwrap();
    let mut forward = forward.args(["-p", port, &format!("root@{name}")]).spawn().unwrap();
    until("the forwarded socket", || socket.exists().then_some(()));
    let trial = |more: &[&str]| {
        let mut command = gate.cc_ci(&["target", "trial", "--socket", socket.to_str().unwrap()]);
        told(command.args(more))
    };

    let before = host.whole_inventory();
    let made = trial(&[]);
    assert_eq!(made.code, 0, "{}", made.err);
    assert!(made.out.contains("made a swarm") && made.out.contains("made the network"), "{}", made.out);
    assert!(made.out.contains("NOT ISOLATED"), "{}", made.out);
    let well = told(&mut gate.cc_ci(&["doctor", "--json", "--target", &format!("unix://{}", socket.display())]));
    for matter in [Matter::Session, Matter::Engine, Matter::Swarm, Matter::Network] {
        assert_eq!(well.check(matter)["outcome"], "good", "{}", well.out);
    }
    assert!(well.check(Matter::Session)["said"].as_str().unwrap().contains("not isolated"), "{}", well.out);
    assert!(trial(&[]).out.contains("stays as it is"));

    host.sh("docker service create --detach --no-resolve-image --name app --replicas 0 lab/web:1.0.0 >/dev/null");
    let busy = trial(&["--remove"]);
    assert!(busy.code == 3 && busy.err.contains("services still run here: app"), "{} {}", busy.code, busy.err);
    host.sh("docker service rm app >/dev/null");
    let gone = trial(&["--remove"]);
    assert!(gone.code == 0 && gone.out.contains("left the swarm, which a trial had made"), "{}{}", gone.out, gone.err);
    // The engine keeps its own bridge for services of a swarm.
    host.sh("docker network rm docker_gwbridge >/dev/null || true");
    assert_eq!(host.whole_inventory(), before);

    host.sh(
        "docker swarm init --advertise-addr 127.0.0.1 >/dev/null; docker network create -d overlay proxy >/dev/null",
    );
    let own = trial(&["--remove"]);
    assert!(
        own.out.contains("not made by a trial; it stays") && own.out.contains("no network"),
        "{}{}",
        own.out,
        own.err
    );
    assert_eq!(host.sh("docker network inspect proxy --format '{{.Driver}}'"), "overlay");
    forward.kill().and_then(|()| forward.wait()).unwrap();
}

/// Each thing that can be wrong with a host, and the setting that doctor and a run name for it.
fn broken_by_hand(host: &Bare, gate: &Gate) {
    let good = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/good");
    let refused = |what: &str, matter: Matter, names: &str| {
        let doctor = gate.doctor(&[]);
        let check = doctor.check(matter);
        assert_eq!((doctor.code, check["outcome"].as_str()), (1, Some("bad")), "{what}: {}", doctor.out);
        assert!(check["mend"].as_str().unwrap().contains(names), "{what}: {check:#}");
        let mut run = gate.cc_ci(&["run", "--target", "bare", "--runner-image"]);
        run.arg(shared_state().join("runner.tar")).arg(&good);
        let ran = told(&mut run);
        assert_eq!(ran.code, 3, "{what}: {}", ran.err);
        assert!(format!("{}{}", ran.out, ran.err).contains(names), "{what}: {}{}", ran.out, ran.err);
        println!("s66 | {what:38} | doctor ✕ {:8} | run: exit 3 | names {names}", matter.name());
    };
    host.sh("docker stack rm traefik_ci_lab_test; while docker network inspect proxy; do docker network rm proxy || sleep 0.2; done >/dev/null 2>&1");
    refused("network proxy missing", Matter::Network, "docker network create -d overlay --attachable proxy");
    host.sh("docker swarm leave --force");
    refused("no swarm", Matter::Swarm, "docker swarm init");
    let forbid =
        "sed -i 's/AllowStreamLocalForwarding local/AllowStreamLocalForwarding no/' /etc/ssh/sshd_config.d/cc-ci.conf";
    host.sh(&format!("{forbid}; {RESTART_SSHD}"));
    refused("AllowStreamLocalForwarding no", Matter::Session, "AllowStreamLocalForwarding local");
    host.sh(&format!("rm /etc/ssh/ssh_host_ed25519_key*; ssh-keygen -q -A; {RESTART_SSHD}"));
    refused("another host key than the pinned one", Matter::Session, "`host_key`");
}

/// Stopped and started, so that no connection meets the old lines.
pub(crate) const RESTART_SSHD: &str =
    "pid=$(cat /run/sshd.pid); kill $pid; while kill -0 $pid 2>/dev/null; do sleep 0.05; done; /usr/sbin/sshd";
