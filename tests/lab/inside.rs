//! What of a recipe runs in its own containers, hooks and functions, and what it finds there; and a first tests file for one without.

use cc_ci::domain::stage::{RungState, Stage};

use crate::support::{Recipe, Tests, edited, lab, said};

/// Looks for what would give power over the target, or tell of the gate.
const PROBE: &str = "
probe() {
  for path in /var/run/docker.sock /run/docker.sock /cc-ci /usr/local/bin/cc-ci; do
    if [ -e \"$path\" ]; then echo \"reached $path\"; return 1; fi
  done
  if env | grep -Ei 'docker_host|forge|cc_?ci'; then return 1; fi
  echo 'nothing within reach'
}
";

#[test]
fn s61_a_hook_and_a_function_of_abra_sh_find_no_socket_and_nothing_of_the_gate() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    recipe.write("abra.sh", PROBE);
    let hook = "sh -c '! ls /var/run/docker.sock /cc-ci && ! env | grep -Ei docker_host'";
    let label = format!("backupbot.backup=true\"\n        - \"backupbot.backup.pre-hook={hook}\"");
    let compose = edited(&recipe.read("compose.yml"), &[("backupbot.backup=true\"", &label)]);
    recipe.write("compose.yml", &compose);
    let file =
        "[[check]]\nname = 'a probe'\nservice = 'app'\ncmd = 'probe'\nstdout_contains = 'nothing within reach'\n";
    let tests = Tests::of(file);
    let finished = lab.run_in(&recipe.path(), &["--tests", tests.path()]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert!(results.checks.iter().any(|check| check.stage == Stage::Checks && check.holds), "{:?}", results.checks);
    assert_eq!(results.rungs.backup.state, RungState::Pass, "{:?}", results.rungs.backup);
    lab.assert_untouched();
}

#[test]
fn s95_a_first_tests_file_is_proposed_and_runs_green() {
    let lab = lab();
    let recipe = Recipe::copy_of("notes");
    let place = recipe.path();
    let folder = place.to_str().unwrap();
    said(std::process::Command::new(env!("CARGO_BIN_EXE_cc-ci")).args(["init", folder]));
    let summary = said(std::process::Command::new(env!("CARGO_BIN_EXE_cc-ci")).args(["lint-tests", folder]));
    println!("s95: {}", summary.trim());
    let finished = lab.run_in(&place, &["--with-tests"]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.rungs.checks.state, RungState::Pass, "{:?}", results.rungs.checks);
    assert!(results.sentence.ends_with("(`--with-tests`)"), "{}", results.sentence);
    lab.assert_untouched();
}
