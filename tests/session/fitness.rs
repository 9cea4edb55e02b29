//! s66: an engine that will not do is refused by the program itself, by `run` and by `doctor`, and the refusal names what to change.

#![expect(clippy::unwrap_used, reason = "a program that cannot be started fails its test")]

use std::path::Path;
use std::process::Stdio;

use serde_json::Value;
use tokio::process::Command;

use crate::engine::Says;

const GOOD: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recipes/good");

/// Exit code and all that was said.
async fn cc_ci(state: &Path, arguments: &[&str]) -> (i32, String) {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
    command.args(arguments).env_clear().env("CC_CI_STATE", state).env("PATH", "/usr/bin:/bin").stdin(Stdio::null());
    let output = command.output().await.unwrap();
    let text = [output.stdout, output.stderr].concat();
    (output.status.code().unwrap(), String::from_utf8_lossy(&text).into_owned())
}

#[tokio::test]
async fn s66_run_and_doctor_refuse_an_engine_that_will_not_do_and_name_what_to_change() {
    for (says, names) in Says::UNFIT {
        let folder = tempfile::tempdir().unwrap();
        let socket = says.listen(folder.path()).await;
        let target = format!("unix://{}", socket.display());
        let (code, said) = cc_ci(folder.path(), &["run", GOOD, "--target", &target]).await;
        assert_eq!(code, 3, "{said}");
        assert!(said.contains(names), "{names}: {said}");
        let (code, said) = cc_ci(folder.path(), &["doctor", "--target", &target]).await;
        assert_eq!(code, 1, "{said}");
        assert!(said.contains(names), "{names}: {said}");
    }
}

#[tokio::test]
async fn s66_an_engine_that_will_do_is_not_refused_for_what_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let socket = Says::FIT.listen(folder.path()).await;
    let (_, said) =
        cc_ci(folder.path(), &["doctor", "--json", "--target", &format!("unix://{}", socket.display())]).await;
    let checks: Vec<Value> = serde_json::from_str(&said).unwrap_or_else(|_| panic!("{said}"));
    let outcome = |id: &str| checks.iter().find(|check| check["id"] == id).map(|check| check["outcome"].clone());
    for id in ["session", "engine", "swarm", "network", "clock"] {
        assert_eq!(outcome(id), Some("good".into()), "{id}: {said}");
    }
    assert!(said.contains("not isolated"), "{said}");
}

#[tokio::test]
async fn what_is_wrong_with_the_settings_is_told_line_by_line() {
    let folder = tempfile::tempdir().unwrap();
    let config = folder.path().join("gate.env");
    std::fs::write(&config, "FORGE_URL=ftp://x\nTARGET_ADDRESS=a:b\nMUST_NOT_REACH=gate\n").unwrap();
    let (code, said) = cc_ci(folder.path(), &["doctor", "--config", config.to_str().unwrap()]).await;
    assert_eq!(code, 1, "{said}");
    for key in ["FORGE_URL", "FORGE_ACCOUNT", "FORGE_TOKEN", "ORGANISATION", "TARGET_ADDRESS", "MUST_NOT_REACH"] {
        assert!(said.contains(&format!("✕ settings              {key} ")), "{key}: {said}");
    }
}
