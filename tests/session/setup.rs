//! `cc-ci target setup` without any host: what it prints.

#![expect(clippy::unwrap_used, reason = "a program that cannot be started fails its test")]

use std::process::{Command, Output, Stdio};

fn setup(state: &std::path::Path, more: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
    command.args(["target", "setup"]).args(more).env("CC_CI_STATE", state).stdin(Stdio::null()).output().unwrap()
}

#[test]
fn the_script_is_one_for_a_shell_and_holds_the_gates_own_key() {
    let state = tempfile::tempdir().unwrap();
    let printed = setup(state.path(), &[]);
    assert!(printed.status.success(), "{}", String::from_utf8_lossy(&printed.stderr));
    let script = String::from_utf8(printed.stdout).unwrap();
    let public = std::fs::read_to_string(state.path().join("ssh/id_ed25519.pub")).unwrap();
    let key = public.split(' ').nth(1).unwrap();
    assert!(script.contains(key), "{script}");
    let file = state.path().join("setup.sh");
    std::fs::write(&file, &script).unwrap();
    let read = Command::new("sh").arg("-n").arg(&file).output().unwrap();
    assert!(read.status.success(), "{}", String::from_utf8_lossy(&read.stderr));
}

#[test]
fn what_is_no_public_key_goes_nowhere() {
    let state = tempfile::tempdir().unwrap();
    setup(state.path(), &[]);
    let private = state.path().join("ssh/id_ed25519");
    for (key, says) in [
        (private.to_str().unwrap(), "only the public one goes to the host"),
        ("ssh-rsa AAAA", "ssh-ed25519"),
        ("/nonexistent", "cannot read"),
    ] {
        let refused = setup(state.path(), &["--key", key]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && refused.stdout.is_empty() && said.contains(says), "{key}: {said}");
    }
}
