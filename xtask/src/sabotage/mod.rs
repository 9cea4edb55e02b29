//! `cargo xtask sabotage`: small faults are put into cc-ci itself, and for each the test must fail that is to notice it. A rule of
//! the gate that nobody would miss is no rule.
//!
//! - `faults`: the list, `xtask/sabotage/*.toml`; `tree`: the copy of the checkout that is broken
//! - `together`: how many faults share few compilations; `trials`: tests of the copy

mod faults;
mod together;
mod tree;
mod trials;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::process::ExitCode;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use clap::{Args, ValueEnum};

use self::faults::{Edit, Fault, Test, Tier};
use self::together::{Rounds, compatible};
use self::tree::Tree;
use self::trials::Ran;
use crate::children::end_on_signals;
use crate::lab;
use crate::steps::say;

/// What is tried.
#[derive(Args)]
pub(crate) struct Options {
    /// Only this fault; may be repeated
    #[arg(long, value_name = "NAME")]
    only: Vec<String>,
    /// Faults whose tests need nothing, those whose tests need the lab for themselves, or all
    #[arg(long, value_name = "TIER", default_value = "quick")]
    tier: Tiers,
    /// Compile for each fault anew; without, many are tried together wherever they can be told apart
    #[arg(long)]
    alone: bool,
    /// Only say which faults there are
    #[arg(long)]
    list: bool,
}

/// Which tiers.
#[derive(Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Tiers {
    Quick,
    Lab,
    All,
}

impl Tiers {
    const fn has(self, tier: Tier) -> bool {
        matches!((self, tier), (Self::All, _) | (Self::Quick, Tier::Quick) | (Self::Lab, Tier::Lab))
    }
}

/// What became of a fault.
#[derive(Clone, Debug, PartialEq, Eq)]
enum Outcome {
    /// Its test failed.
    Killed,
    /// Its test passed.
    Survives,
    /// It could not be tried.
    NotTried(String),
}

/// What became of each fault, and how long that took.
type Tried<'f> = Vec<(&'f Fault, Outcome, Duration)>;

/// Tries the faults and prints what became of them.
pub(crate) fn sabotage(options: &Options) -> Result<ExitCode> {
    let checkout = lab::Places::find()?.checkout;
    let all = faults::read(&checkout)?;
    if let Some(unknown) = options.only.iter().find(|name| all.iter().all(|fault| fault.name != **name)) {
        bail!("there is no fault {unknown}; hint: `cargo xtask sabotage --list --tier all`");
    }
    let named = |fault: &&Fault| options.only.is_empty() || options.only.contains(&fault.name);
    let chosen: Vec<&Fault> = all.iter().filter(|fault| options.tier.has(fault.tier)).filter(named).collect();
    if chosen.is_empty() {
        bail!("none of these faults is of that tier");
    }
    if options.list {
        chosen
            .iter()
            .for_each(|fault| println!("{}\n    {}\n    {}: {}", fault.name, fault.why, fault.file, fault.test));
        return Ok(ExitCode::SUCCESS);
    }
    end_on_signals()?;
    let mut tree = Tree::of(&checkout)?;
    let mut programs: BTreeMap<&str, Vec<&Fault>> = BTreeMap::new();
    for fault in chosen {
        programs.entry(&fault.test.program).or_default().push(fault);
    }
    let mut tried = Tried::new();
    for (program, faults) in &programs {
        tried.extend(try_all(&mut tree, program, faults, options.alone)?);
    }
    tree.put(&[])?;
    if programs.contains_key("lab") {
        // The lab runs this checkout's program again.
        lab::up(&lab::Options { yes: false, targets: Vec::new() })?;
    }
    print!("{}", table(&tried));
    let good = tried.iter().all(|(_, outcome, _)| *outcome == Outcome::Killed);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Tries faults whose tests are in one program.
fn try_all<'f>(tree: &mut Tree, program: &str, faults: &[&'f Fault], alone: bool) -> Result<Tried<'f>> {
    let mut tried = Tried::new();
    let mut open = Vec::new();
    for &fault in faults {
        match fault.edit(tree.original(&fault.file)?) {
            Ok(_) => open.push(fault),
            Err(error) => tried.push((fault, Outcome::NotTried(format!("{error:#}")), Duration::ZERO)),
        }
    }
    must_pass(tree, program, &open)?;
    let mut go_on = !alone && program != "lab";
    while go_on {
        let told = try_together(tree, program, &open)?;
        go_on = !told.is_empty();
        open.retain(|fault| told.iter().all(|(other, ..)| other.name != fault.name));
        tried.extend(told);
    }
    for fault in open {
        tried.push(try_alone(tree, fault)?);
    }
    Ok(tried)
}

/// Without any fault the tests pass: then a failure is the fault's.
fn must_pass(tree: &mut Tree, program: &str, faults: &[&Fault]) -> Result<()> {
    let Some(tier) = faults.first().map(|fault| fault.tier) else { return Ok(()) };
    let mut tests: Vec<&Test> = faults.iter().map(|fault| &fault.test).collect();
    tests.sort();
    tests.dedup();
    tree.put(&[])?;
    let begun = Instant::now();
    match trials::run(tree, program, &tests, tier)? {
        Ran::Failed(failed) if failed.is_empty() => {
            say(format!("{program}: {} tests pass without a fault, {} s", tests.len(), begun.elapsed().as_secs()));
            Ok(())
        }
        Ran::Failed(failed) => bail!("fails without any fault: {}", failed.into_iter().collect::<Vec<_>>().join(", ")),
        Ran::NotCompiled(why) | Ran::Unclear(why) => bail!("without any fault: {why}"),
    }
}

/// Those of the faults that were killed beyond doubt while some of the others were there, too.
fn try_together<'f>(tree: &mut Tree, program: &str, faults: &[&'f Fault]) -> Result<Tried<'f>> {
    let mut edits: Vec<(&'f Fault, Edit<'f>)> = Vec::new();
    for &fault in faults {
        edits.push((fault, fault.edit(tree.original(&fault.file)?)?));
    }
    let (faults, _later) = compatible(&edits);
    let rounds = Rounds::of(faults.len());
    if !rounds.saves() {
        return Ok(Tried::new());
    }
    let begun = Instant::now();
    let mut failed: Vec<Vec<bool>> = vec![Vec::new(); faults.len()];
    for round in 0..rounds.count {
        let here = (0..faults.len()).filter(|fault| rounds.holds(*fault, round)).map(|fault| faults[fault]);
        let here: Vec<&Fault> = here.collect();
        tree.put(&here)?;
        let tests: Vec<&Test> = faults.iter().map(|fault| &fault.test).collect();
        let begun = Instant::now();
        match trials::run(tree, program, &tests, Tier::Quick)? {
            Ran::Failed(names) => {
                let (count, seconds) = (names.len(), begun.elapsed().as_secs());
                say(format!(
                    "round {} of {}: {} faults, {count} failures, {seconds} s",
                    round + 1,
                    rounds.count,
                    here.len()
                ));
                faults
                    .iter()
                    .zip(&mut failed)
                    .for_each(|(fault, failed)| failed.push(names.contains(&fault.test.name)));
            }
            Ran::NotCompiled(why) | Ran::Unclear(why) => {
                say(format!("{} faults cannot be tried together: {why}", here.len()));
                return Ok(Tried::new());
            }
        }
    }
    let each = begun.elapsed() / u32::try_from(faults.len()).unwrap_or(u32::MAX);
    let told = (0..faults.len()).filter(|fault| rounds.tells(*fault, &failed[*fault]));
    let told: Tried<'_> = told.map(|fault| (faults[fault], Outcome::Killed, each)).collect();
    let names: Vec<&str> = told.iter().map(|(fault, ..)| fault.name.as_str()).collect();
    say(format!("{} of {} are killed and told apart: {}", told.len(), faults.len(), names.join(", ")));
    Ok(told)
}

fn try_alone<'f>(tree: &mut Tree, fault: &'f Fault) -> Result<(&'f Fault, Outcome, Duration)> {
    let begun = Instant::now();
    tree.put(&[fault])?;
    let outcome = match trials::run(tree, &fault.test.program, &[&fault.test], fault.tier)? {
        Ran::Failed(failed) if failed.is_empty() => Outcome::Survives,
        Ran::Failed(_) => Outcome::Killed,
        Ran::NotCompiled(why) => Outcome::NotTried(format!("it does not compile:\n{why}")),
        Ran::Unclear(why) => Outcome::NotTried(why),
    };
    let took = begun.elapsed();
    say(format!("{}: {outcome:?}, {} s", fault.name, took.as_secs()));
    Ok((fault, outcome, took))
}

/// One line for each fault, more for one that is not killed; the last line is the sum.
fn table(tried: &[(&Fault, Outcome, Duration)]) -> String {
    let width = tried.iter().map(|(fault, ..)| fault.name.len()).max().unwrap_or_default();
    let mut text = String::new();
    for (fault, outcome, took) in tried {
        let what = match outcome {
            Outcome::Killed => fault.test.to_string(),
            Outcome::Survives => format!("SURVIVES {}\n    {}: {}", fault.test, fault.file, fault.why),
            Outcome::NotTried(why) => format!("NOT TRIED: {}", why.replace('\n', "\n    ")),
        };
        // Into a text this cannot fail.
        writeln!(text, "{:width$} {:6.1} s  {what}", fault.name, took.as_secs_f64()).ok();
    }
    let count = |is: fn(&Outcome) -> bool| tried.iter().filter(|(_, outcome, _)| is(outcome)).count();
    let killed = count(|outcome| *outcome == Outcome::Killed);
    let survivors = count(|outcome| *outcome == Outcome::Survives);
    let not_tried = tried.len() - killed - survivors;
    let open = if not_tried == 0 { String::new() } else { format!(", {not_tried} not tried") };
    writeln!(text, "{} faults, {killed} killed, {survivors} survivors{open}", tried.len()).ok();
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_last_line_is_the_sum() {
        let read = |text: &str| -> Fault { toml::from_str(text).unwrap() };
        let fault = read(
            "name = 'x'\nfile = 'src/a.rs'\nfrom = 'a'\nto = 'b'\nwhy = 'A red run is green.'\ntest = 'lib a::tests::it'",
        );
        let tried = |outcomes: &[Outcome]| {
            let tried: Tried<'_> =
                outcomes.iter().map(|outcome| (&fault, outcome.clone(), Duration::from_millis(1_500))).collect();
            table(&tried)
        };
        assert_eq!(
            tried(&[Outcome::Killed, Outcome::Survives]),
            "x    1.5 s  lib a::tests::it\nx    1.5 s  SURVIVES lib a::tests::it\n    src/a.rs: A red run is green.\n2 faults, 1 killed, 1 survivors\n"
        );
        let text = tried(&[Outcome::NotTried("it does not compile:\nerror".to_owned())]);
        assert_eq!(
            text,
            "x    1.5 s  NOT TRIED: it does not compile:\n    error\n1 faults, 0 killed, 0 survivors, 1 not tried\n"
        );
    }
}
