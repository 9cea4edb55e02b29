//! `cargo xtask test`: everything that must hold before a change is merged, lab included. A part that fails stops no other one.

mod canaries;
mod deny;
mod figures;
mod files;
mod fuzz;
mod parts;
mod soak;
mod sqlx;
mod tally;

use std::path::{Path, PathBuf};
use std::process::Command;
use std::thread;
use std::time::Instant;

use anyhow::{Result, bail};
use clap::ValueEnum;

use crate::chaos;
use crate::children::end_on_signals;
use crate::gate;
use crate::lab::{self, Options};
use crate::process::{cargo, exists};
use crate::steps::say;
use parts::Parts;
pub(crate) use soak::{Soak, soak};
pub(crate) use tally::Tally;

/// What a developer may choose.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Group {
    /// Format, clippy, documentation
    Lint,
    /// `cargo test`: needs neither Docker nor root
    Quick,
    /// Every page in a browser
    Pages,
    /// The lab, and the tests on it
    Lab,
    /// A gate that is deployed on the lab from cc-ci's own recipe
    Gate,
    /// Committed files, and `.sqlx` against the migrations
    Files,
    /// Licences, sources, banned crates, known vulnerabilities
    Deny,
}

/// Runs the chosen groups, all if none is chosen.
pub(crate) fn test(yes: bool, only: &[Group]) -> Result<Tally> {
    end_on_signals()?;
    let checkout = lab::Places::find()?.checkout;
    let begun = Instant::now();
    let chosen = |group| only.is_empty() || only.contains(&group);
    let mut parts = Parts::new(checkout.join("target/xtask-test"))?;
    thread::scope(|scope| {
        let log = parts.log("deny-install");
        // In the background from the start: on a new machine it takes minutes.
        let rules = checkout.join("deny.toml").is_file();
        if chosen(Group::Deny) && !rules {
            say("deny: there is no deny.toml");
        }
        let deny = (chosen(Group::Deny) && rules).then(|| scope.spawn(move || deny::ensure(&log)));
        let lab_is_up = chosen(Group::Lab) && bring_up(&mut parts, yes);
        if chosen(Group::Lint) {
            lint(&mut parts, &checkout);
        }
        if chosen(Group::Quick) {
            parts.tests("quick", &mut in_checkout(&checkout, &["test", "--workspace", "--no-fail-fast"]));
        }
        if chosen(Group::Pages) {
            pages(&mut parts, &checkout, yes);
        }
        if chosen(Group::Files) {
            parts.check("files", |_| files::check(&checkout));
            parts.check("sqlx", |log| sqlx::check(&checkout, &lab::build_binary()?, log));
        }
        if chosen(Group::Lab) {
            lab_tests(&mut parts, &checkout, lab_is_up);
            chaos_part(&mut parts, lab_is_up);
        }
        if chosen(Group::Gate) {
            // After the tests on the lab: it needs one of their targets.
            parts.check("deployed gate", |_| deployed_gate(yes));
            parts.check("own recipe", |_| gate::test_own_recipe());
        }
        if let Some(deny) = deny {
            deny::check(&mut parts, &checkout, deny);
        }
    });
    parts.say_all();
    if chosen(Group::Lab) {
        say("");
        figures::table(&checkout).lines().for_each(say);
        say("");
    }
    say(format!("{:12} {:5.1} min", "together", begun.elapsed().as_secs_f64() / 60.0));
    Ok(parts.sum())
}

/// Says whether the lab is up.
fn bring_up(parts: &mut Parts, yes: bool) -> bool {
    let mut up = false;
    parts.check("lab up", |_| {
        lab::up(&Options { yes, targets: Vec::new() })?;
        up = true;
        Ok(())
    });
    up
}

fn lint(parts: &mut Parts, checkout: &Path) {
    parts.command("format", &mut in_checkout(checkout, &["fmt", "--all", "--check"]));
    let mut all = in_checkout(checkout, &["clippy", "--workspace", "--all-targets", "--", "-D", "warnings"]);
    parts.command("clippy", &mut all);
    // Tests that do not run with the others are not among "all", and beside it their names are not heeded.
    let mut arguments = vec!["clippy", "--package", "cc-ci", "--test", PAGES];
    if lab_tests_file(checkout).is_file() {
        arguments.extend(["--test", LAB_TESTS]);
    }
    arguments.extend(["--", "-D", "warnings"]);
    parts.command("clippy lab", &mut in_checkout(checkout, &arguments));
    let mut doc = in_checkout(checkout, &["doc", "--workspace", "--no-deps"]);
    parts.command("docs", doc.env("RUSTDOCFLAGS", "-D warnings"));
}

/// s40 once more, by a gate that is deployed from cc-ci's own recipe.
fn deployed_gate(yes: bool) -> Result<()> {
    gate::lab_up(yes)?;
    let judged = gate::judge();
    gate::remove()?;
    judged.map(drop)
}

/// The gate is killed ten times while it works.
fn chaos_part(parts: &mut Parts, lab_is_up: bool) {
    parts.check("chaos", |_| {
        if !lab_is_up {
            bail!("not run, since the lab is not up");
        }
        let counted = chaos::chaos(10, rand::random())?;
        if !counted.holds() {
            bail!("{counted}");
        }
        say(counted.to_string().replace('\n', "; "));
        Ok(())
    });
}

/// Three at a time: the lab has three targets.
fn lab_tests(parts: &mut Parts, checkout: &Path, lab_is_up: bool) {
    const PART: &str = "lab tests";
    if !lab_tests_file(checkout).is_file() {
        return say("lab tests: there are none");
    }
    if !lab_is_up {
        return parts.check(PART, |_| bail!("not run, since the lab is not up"));
    }
    if let Err(error) = figures::forget(checkout) {
        return parts.check(PART, |_| Err(error));
    }
    let arguments = ["test", "--package", "cc-ci", "--test", LAB_TESTS, "--", "--test-threads=3"];
    parts.tests(PART, &mut in_checkout(checkout, &arguments));
}

/// The tests that need a browser; their pictures are left in `target/pages`.
const PAGES: &str = "pages";

fn pages(parts: &mut Parts, checkout: &Path, yes: bool) {
    let browser = if exists("chromium") { Ok(()) } else { lab::install(&["chromium", "fonts-dejavu-core"], yes) };
    match browser {
        // One at a time: each starts a browser and a gate with a history.
        Ok(()) => {
            let arguments = ["test", "--package", "cc-ci", "--test", PAGES, "--", "--test-threads=1"];
            parts.tests(PAGES, &mut in_checkout(checkout, &arguments));
        }
        Err(error) => parts.check(PAGES, |_| Err(error)),
    }
}

/// The tests that need the lab.
const LAB_TESTS: &str = "lab";

fn lab_tests_file(checkout: &Path) -> PathBuf {
    checkout.join("tests/lab/main.rs")
}

fn in_checkout(checkout: &Path, arguments: &[&str]) -> Command {
    let mut command = cargo();
    command.current_dir(checkout).args(arguments);
    command
}
