//! The steps as one POSIX shell script: to be read, to be run by hand, to be run over SSH.

use std::fmt::Write as _;

use super::{Step, Wishes, steps};

/// What the script is asked for: its first argument.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// Say what is done and what is missing; change nothing.
    Check,
    /// Do what is missing.
    Apply,
}

impl Mode {
    /// The argument.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::Check => "check",
            Self::Apply => "apply",
        }
    }
}

/// The last line of the script's output begins so; the server's public key follows.
pub const HOST_KEY: &str = "host key: ";

const HEAD: &str = r#"#!/bin/sh
# Sets up a disposable test host for cc-ci. Printed by `cc-ci target setup`; run as root:
#
#   sh FILE check     says what is done and what is missing, changes nothing
#   sh FILE apply     does what is missing; a second time there is nothing to do
#
# Exit code 0: everything is done. 1: something is missing, or failed.
set -u
mode=${1:-check}
PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin
export PATH
sshd=$(command -v sshd || echo /usr/sbin/sshd)
log=$(mktemp) && notes=$(mktemp) || exit 1
trap 'rm -f "$log" "$notes"' EXIT
missing=0

fail() { printf '%s\n' "$*" >"$notes.why"; exit 1; }
note() { printf '%s\n' "$*" >>"$notes"; }
home() { getent passwd "$1" | cut -d: -f6; }
has_systemd() { [ -d /run/systemd/system ]; }

reload_sshd() {
  if has_systemd; then
    systemctl reload ssh 2>/dev/null || systemctl reload sshd || fail 'systemctl reload ssh failed'
  else
    kill -HUP "$(cat /run/sshd.pid)" || fail 'no systemd here, and no sshd by /run/sshd.pid: restart sshd'
    note 'there is no systemd here: sshd was told to read its files by SIGHUP'
  fi
}

# step NAME TEXT: its two functions are done_NAME and do_NAME.
step() {
  if "done_$1"; then
    printf '✓ %-8s %s\n' "$1" "$2"
    return
  fi
  if [ "$mode" != apply ]; then
    printf '✕ %-8s missing: %s\n' "$1" "$2"
    missing=1
    return
  fi
  : >"$notes"; rm -f "$notes.why"
  if ( "do_$1" ) >"$log" 2>&1 && "done_$1"; then
    printf '+ %-8s done: %s\n' "$1" "$2"
    sed 's/^/             /' "$notes"
  else
    printf '✕ %-8s failed: %s\n' "$1" "$(cat "$notes.why" 2>/dev/null || echo 'it had no effect')"
    tail -n 5 "$log" | sed 's/^/             | /'
    missing=1
  fi
  rm -f "$notes.why"
}
"#;

const FOOT: &str = r#"
[ "$(id -u)" = 0 ] || { printf '✕ rights   this must be run as root\n'; exit 1; }
case $mode in check | apply) ;; *) printf 'check or apply?\n'; exit 2 ;; esac
"#;

/// The whole script.
#[must_use]
pub fn script(wishes: &Wishes) -> String {
    let steps = steps(wishes);
    let mut text = HEAD.to_owned();
    for step in &steps {
        // Writing to a String cannot fail.
        let _written = write!(text, "\n{}", functions(step));
    }
    text.push_str(FOOT);
    for step in &steps {
        let _written = writeln!(text, "step {} {}", step.name, quoted(&step.what));
    }
    let _written = writeln!(
        text,
        "printf '{HOST_KEY}%s\\n' \"$(cut -d' ' -f1,2 /etc/ssh/ssh_host_ed25519_key.pub)\"\nexit $missing"
    );
    text
}

fn functions(step: &Step) -> String {
    let text = step.text.as_ref().map(|(name, text)| format!("{name}={}\n", quoted(text))).unwrap_or_default();
    format!(
        "# {}: {}\n{text}done_{}() {{\n{}\n}}\ndo_{}() {{\n{}\n}}\n",
        step.name,
        step.why,
        step.name,
        indented(&step.done),
        step.name,
        indented(&step.act)
    )
}

fn indented(text: &str) -> String {
    text.lines().map(|line| format!("  {line}")).collect::<Vec<_>>().join("\n")
}

/// As one word of a shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}
