//! What the gate's key opens on a host that `cc-ci target setup` has set up, tried with OpenSSH's own client: everything but two channels is
//! refused, and each refusal is shown to come from the lines that are there for it, by taking them out.

use std::net::TcpListener;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};

use cc_ci::domain::setup::SSHD_FILE;

use crate::setup::RESTART_SSHD;
use crate::support::bare::Bare;
use crate::support::{said, until};

/// Something that must be refused.
struct Attempt {
    what: &'static str,
    /// A shell script; `$SSH` is the client with its configuration, `t` the host, `$DIR` a folder, `$PORT` a free port.
    script: &'static str,
    /// Keywords of sshd's lines that refuse it.
    lines: &'static [&'static str],
    /// What is done to the key's options: `sed` on `authorized_keys`.
    options: &'static str,
    /// Whether the user needs a shell for it to succeed.
    shell: bool,
}

const SESSION: &[&str] = &["MaxSessions", "ForceCommand"];
const NO_COMMAND: &str = r#"s/,command="[^"]*"//"#;
const ANYWHERE: &str = r#"s/,permitopen="[^"]*"//g"#;
const NOTHING: &str = "";

const ATTEMPTS: [Attempt; 10] = [
    Attempt {
        what: "a shell",
        script: "echo 'echo it-ran' | $SSH -T t | grep -x it-ran",
        lines: SESSION,
        options: NO_COMMAND,
        shell: true,
    },
    Attempt { what: "a command", script: "$SSH t id", lines: SESSION, options: NO_COMMAND, shell: true },
    Attempt {
        what: "a command with a terminal (-tt)",
        script: "$SSH -tt t tty | grep /dev/pts",
        lines: &["MaxSessions", "ForceCommand", "PermitTTY"],
        options: r#"s/,command="[^"]*"//; s/^restrict,/restrict,pty,/"#,
        shell: true,
    },
    Attempt {
        what: "sftp",
        script: "echo pwd >$DIR/batch; ${SSH/ssh /sftp } -b $DIR/batch t",
        lines: SESSION,
        options: NO_COMMAND,
        shell: true,
    },
    Attempt {
        what: "another port (-W 127.0.0.1:22)",
        script: "$SSH -W 127.0.0.1:22 t </dev/null | grep SSH-2.0",
        lines: &["PermitOpen"],
        options: ANYWHERE,
        shell: false,
    },
    Attempt {
        what: "another host (-W registry.lab:5000)",
        script: "{ printf 'GET /v2/ HTTP/1.0\\r\\n\\r\\n'; sleep 2; } | $SSH -W registry.lab:5000 t | grep HTTP/1",
        lines: &["PermitOpen"],
        options: ANYWHERE,
        shell: false,
    },
    Attempt {
        what: "another host's port (-L)",
        script: "$SSH -f -N -M -S $DIR/ctl -L 127.0.0.1:$PORT:registry.lab:5000 t; curl -fsS -o /dev/null http://127.0.0.1:$PORT/v2/; code=$?; $SSH -S $DIR/ctl -O exit t; exit $code",
        lines: &["PermitOpen"],
        options: ANYWHERE,
        shell: false,
    },
    Attempt {
        what: "another socket (-L /run/docker.sock)",
        script: "$SSH -f -N -M -S $DIR/ctl -L 127.0.0.1:$PORT:/run/docker.sock t; curl -fsS http://127.0.0.1:$PORT/_ping; code=$?; $SSH -S $DIR/ctl -O exit t; exit $code",
        lines: &["PermitOpen"],
        options: ANYWHERE,
        shell: false,
    },
    Attempt {
        what: "a port opened there (-R)",
        script: "$SSH -f -N -M -S $DIR/ctl -o ExitOnForwardFailure=yes -R 127.0.0.1:7000:127.0.0.1:$PORT t && $SSH -S $DIR/ctl -O exit t",
        lines: &["AllowTcpForwarding", "PermitListen"],
        options: NOTHING,
        shell: false,
    },
    Attempt {
        what: "a socket opened there (-R)",
        script: "$SSH -f -N -M -S $DIR/ctl -o ExitOnForwardFailure=yes -R /tmp/x.sock:127.0.0.1:$PORT t && $SSH -S $DIR/ctl -O exit t",
        lines: &["AllowStreamLocalForwarding", "AllowTcpForwarding", "PermitListen"],
        options: NOTHING,
        shell: false,
    },
];

/// A client that comes with the gate's key.
struct Client {
    folder: tempfile::TempDir,
    ssh: String,
}

impl Client {
    fn new(host: &Bare, key: &Path) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let config = folder.path().join("config");
        let known = host
            .ssh_options()
            .into_iter()
            .find_map(|it| it.strip_prefix("-oUserKnownHostsFile=").map(PathBuf::from))
            .unwrap();
        let (address, port) = host.address.split_once(':').unwrap();
        let text = format!(
            "Host t\n  HostName {address}\n  Port {port}\n  User ccci\n  IdentityFile {}\n  IdentitiesOnly yes\n  UserKnownHostsFile {}\n  BatchMode yes\n  LogLevel ERROR\n",
            key.display(),
            known.display()
        );
        std::fs::write(&config, text).unwrap();
        Self { ssh: format!("ssh -F {} ", config.display()), folder }
    }

    /// The exit code of a script, and the last line that it said.
    fn run(&self, script: &str) -> (i32, String) {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        let mut command = Command::new("timeout");
        // Output goes to a file: a client that stays in the background would keep a pipe open.
        let output = self.folder.path().join("output");
        let file = std::fs::File::create(&output).unwrap();
        command.args(["20", "bash", "-o", "pipefail", "-c", script]).env("SSH", &self.ssh);
        command.env("DIR", self.folder.path()).env("PORT", port.to_string());
        command.stdin(Stdio::null()).stdout(file.try_clone().unwrap()).stderr(file);
        let code = command.status().unwrap().code().unwrap_or(-1);
        let said = String::from_utf8_lossy(&std::fs::read(output).unwrap()).into_owned();
        (code, said.trim().lines().last().unwrap_or_default().trim().chars().take(60).collect())
    }
}

/// Takes the lines out, and puts everything back when dropped.
struct Without<'a>(&'a Bare);

impl<'a> Without<'a> {
    fn lines(host: &'a Bare, attempt: &Attempt) -> Self {
        let lines = attempt.lines.iter().map(|keyword| format!("/^ *{keyword} /d;")).collect::<String>();
        let shell = if attempt.shell { "usermod --shell /bin/sh ccci;" } else { "" };
        host.sh(&format!(
            "cp -p {SSHD_FILE} /root/sshd.kept; cp -p ~ccci/.ssh/authorized_keys /root/keys.kept
             sed -i '{lines}' {SSHD_FILE}; sed -i '{}' ~ccci/.ssh/authorized_keys; {shell} {RESTART_SSHD}",
            attempt.options
        ));
        Self(host)
    }
}

impl Drop for Without<'_> {
    fn drop(&mut self) {
        self.0.sh(&format!(
            "cp -p /root/sshd.kept {SSHD_FILE}; cp -p /root/keys.kept ~ccci/.ssh/authorized_keys; rm -f /tmp/x.sock
             usermod --shell /usr/sbin/nologin ccci; {RESTART_SSHD}"
        ));
    }
}

#[test]
fn s60_the_key_opens_two_channels_and_each_refusal_is_a_line() {
    let host = Bare::start("scope");
    let state = tempfile::tempdir().unwrap();
    let mut setup = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
    setup.args(["target", "setup", "--apply", &format!("root@{}", host.address)]).env("CC_CI_STATE", state.path());
    said(setup.args(host.ssh_options().iter().flat_map(|option| ["--ssh-option", option])));
    let client = Client::new(&host, &state.path().join("ssh/id_ed25519"));
    let engine = "$SSH -f -N -M -S $DIR/ctl -L 127.0.0.1:$PORT:/var/run/docker.sock t; curl -fsS http://127.0.0.1:$PORT/_ping; code=$?; $SSH -S $DIR/ctl -O exit t; exit $code";
    until("the engine through the gate's key", || (client.run(engine).0 == 0).then_some(()));

    println!("s60 | {:36} | {:7} | {:50} | exit", "tried with the gate's key", "refused", "lines taken out");
    let mut wrong = Vec::new();
    for attempt in &ATTEMPTS {
        let (refused, words) = client.run(attempt.script);
        let without = Without::lines(&host, attempt);
        // sshd may not listen yet: the attempt is repeated until the server answers it at all.
        let (allowed, seen) = until("an answer of sshd", || {
            let tried = client.run(attempt.script);
            (!tried.1.contains("Connection refused") && !tried.1.contains("Connection reset")).then_some(tried)
        });
        drop(without);
        until("sshd as it was", || (client.run(engine).0 == 0).then_some(()));
        let mut out = attempt.lines.join(", ");
        if !attempt.options.is_empty() {
            out.push_str(" + options of the key");
        }
        if attempt.shell {
            out.push_str(" + shell");
        }
        println!("s60 | {:36} | exit {refused:3} | {out:50} | {allowed}", attempt.what);
        if refused == 0 || allowed != 0 {
            wrong.push(format!("{}: with its lines {refused} ({words}), without {allowed} ({seen})", attempt.what));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    assert_eq!(client.run(engine).0, 0, "the engine's socket is what the key is for");
    let (tunnel, _) = client.run("$SSH -N -o ExitOnForwardFailure=yes -w 0:0 t");
    println!("s60 | {:36} | exit {tunnel:3} | (a tunnel device needs root at both ends)", "a tunnel device (-w)");
    assert_ne!(tunnel, 0);
}
