//! Tests of the copy: compiled, then run by their exact names.

use std::collections::BTreeSet;
use std::fs::File;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result};

use super::faults::{Test, Tier};
use super::tree::Tree;
use crate::children::{logged, start};
use crate::process::{cargo, tail};

/// A test that takes longer does not end, because of a fault or for another reason.
const QUICK: Duration = Duration::from_secs(600);
const LAB: Duration = Duration::from_secs(3_600);
/// The last lines of what did not work.
const TAIL: usize = 15;

/// What became of the named tests.
#[derive(Debug, PartialEq, Eq)]
pub(super) enum Ran {
    /// There is no program, and the compiler says why.
    NotCompiled(String),
    /// Some tests neither passed nor failed.
    Unclear(String),
    /// These failed, all others passed.
    Failed(BTreeSet<String>),
}

/// Runs tests that are all in one program.
pub(super) fn run(tree: &Tree, program: &str, tests: &[&Test], tier: Tier) -> Result<Ran> {
    let log = tree.logs.join("last.log");
    File::create(&log).with_context(|| format!("cannot write {}", log.display()))?;
    let lab_up = || logged(in_tree(tree).args(["xtask", "lab", "up"]), &log);
    if !logged(of_program(tree, program).arg("--no-run"), &log)?.success()
        || (tier == Tier::Lab && !lab_up()?.success())
    {
        return Ok(Ran::NotCompiled(errors(&log)?));
    }
    let file = File::create(&log)?;
    let mut command = of_program(tree, program);
    // With more than one thread, libtest writes a test's name and outcome at once.
    command.args(["--", "--exact", "--test-threads=2"]).args(tests.iter().map(|test| &test.name));
    let limit = if tier == Tier::Lab { LAB } else { QUICK };
    if start(command.stdout(file.try_clone()?).stderr(file))?.wait_at_most(limit)?.is_none() {
        return Ok(Ran::Unclear(format!("not over after {} min", limit.as_secs() / 60)));
    }
    let said = std::fs::read(&log)?;
    Ok(read(&String::from_utf8_lossy(&said), tests, &tail(&log, TAIL)))
}

/// Cargo in the copy.
fn in_tree(tree: &Tree) -> Command {
    let mut command = cargo();
    command.current_dir(&tree.sources).env("CARGO_TARGET_DIR", &tree.build).env("INSTA_UPDATE", "no");
    command
}

fn of_program(tree: &Tree, program: &str) -> Command {
    let mut command = in_tree(tree);
    command.args(["test", "--package", "cc-ci"]);
    if program == "lib" {
        command.arg("--lib")
    } else {
        command.args(["--test", program])
    };
    command
}

/// What libtest says of these tests.
fn read(said: &str, tests: &[&Test], last: &str) -> Ran {
    let outcome = |test: &Test, word: &str| said.lines().any(|line| line == format!("test {} ... {word}", test.name));
    let failed: BTreeSet<String> =
        tests.iter().filter(|test| outcome(test, "FAILED")).map(|test| test.name.clone()).collect();
    match tests.iter().find(|test| !failed.contains(&test.name) && !outcome(test, "ok")) {
        Some(lost) => Ran::Unclear(format!("{} neither passed nor failed:\n{last}", lost.name)),
        None => Ran::Failed(failed),
    }
}

/// The compiler's errors without its warnings.
fn errors(log: &Path) -> Result<String> {
    let said = std::fs::read_to_string(log)?;
    let at = said.lines().position(|line| line.starts_with("error"));
    let first = at.map(|at| said.lines().skip(at).take(TAIL).collect::<Vec<_>>().join("\n"));
    Ok(first.unwrap_or_else(|| tail(log, TAIL)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tests(names: &[&str]) -> Vec<Test> {
        names.iter().map(|name| Test::try_from(format!("lib {name}")).unwrap()).collect()
    }

    #[test]
    fn only_a_test_that_ran_has_an_outcome() {
        let said =
            "running 2 tests\ntest a::b ... ok\ntest a::c ... FAILED\n\ntest result: FAILED. 1 passed; 1 failed;\n";
        let of = |names: &[&str]| read(said, &tests(names).iter().collect::<Vec<_>>(), "the end");
        assert_eq!(of(&["a::b", "a::c"]), Ran::Failed(BTreeSet::from(["a::c".to_owned()])));
        assert_eq!(of(&["a::b"]), Ran::Failed(BTreeSet::new()));
        assert!(matches!(of(&["b", "a::b"]), Ran::Unclear(why) if why.starts_with("b neither")));
    }

    #[test]
    fn an_error_is_found_behind_warnings() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("log");
        std::fs::write(&log, "warning: unused\n --> a\n\nerror[E1]: no\n --> b\n").unwrap();
        assert_eq!(errors(&log).unwrap(), "error[E1]: no\n --> b");
    }
}
