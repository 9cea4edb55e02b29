//! The project's own commands: `cargo xtask demo | test | sabotage | incident | bench | chaos | soak`, `cargo xtask lab up | down |
//! status | reset`.

mod bench;
mod chaos;
mod children;
mod demo;
mod forge;
mod gate;
mod incident;
mod lab;
mod process;
mod sabotage;
mod serving;
mod steps;
mod test;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

use crate::children::end_on_signals;

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// Show the product at work in the lab: a good recipe, a crash-looping one, Ctrl-C, and a deployed gate
    Demo(Consent),
    /// Run all checks and tests, lab included; the last line is the sum
    Test {
        /// Only these; may be repeated
        #[arg(long, value_name = "GROUP")]
        only: Vec<test::Group>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Kill the gate again and again while it works in the lab, and count what the forge shows in the end
    Chaos {
        /// So often it is killed
        #[arg(long, value_name = "N", default_value_t = 10)]
        kills: u32,
        /// What decides when, and who asks for what meanwhile [default: drawn]
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Ten thousand schedules of faults on a forge on the wire, and a million inputs of each kind; needs neither Docker nor root, but for
    /// `--canaries`
    Soak {
        /// So many schedules; 0: none
        #[arg(long, value_name = "N", default_value_t = 10_000)]
        schedules: u64,
        /// So many inputs of each kind; 0: none
        #[arg(long, value_name = "N", default_value_t = 1_000_000)]
        inputs: u64,
        /// The first one's seed [default: drawn]
        #[arg(long, value_name = "S")]
        seed: Option<u64>,
        /// All canaries too, twice, on the lab
        #[arg(long)]
        canaries: bool,
        #[command(flatten)]
        consent: Consent,
    },
    /// Put small faults into a copy of cc-ci, and see each noticed by the test that is to notice it; survivors fail the command
    Sabotage(sabotage::Options),
    /// A wedged run, and two runs of another recipe behind it: how long they wait, without fail-fast and with it
    Incident {
        /// Only this one [default: both, and their ratio]
        #[arg(long, value_name = "WHETHER")]
        fail_fast: Option<incident::FailFast>,
        /// Without fail-fast the wedged run ends after so many seconds
        #[arg(long, value_name = "SECONDS", default_value_t = 120, value_parser = clap::value_parser!(u64).range(30..=3600))]
        deadline: u64,
        #[command(flatten)]
        consent: Consent,
    },
    /// The figures with a goal, each beside a baseline; and what the gate needs in memory, disk and time, beside what the forge needs
    ///
    /// The optimised build is compiled first, which takes ten minutes and a gigabyte.
    Bench {
        /// Tell what the optimised build needs, too
        #[arg(long)]
        release: bool,
        /// Only these
        #[arg(long, value_name = "PART", value_delimiter = ',')]
        only: Vec<bench::Part>,
        /// Write the figures into this file
        #[arg(long, value_name = "FILE")]
        json: Option<PathBuf>,
        #[command(flatten)]
        consent: Consent,
    },
    /// The lab: a test Swarm host, a registry and a reverse proxy on this machine
    #[command(subcommand)]
    Lab(LabCommand),
}

#[derive(Subcommand)]
enum LabCommand {
    /// Bring everything up; what is there already is kept
    Up {
        /// A further test host of this name, beside `lab`, `second` and `third`; may be repeated
        #[arg(long = "target", value_name = "NAME")]
        targets: Vec<lab::Target>,
        #[command(flatten)]
        consent: Consent,
    },
    /// Remove the test hosts, the registry and the network
    Down {
        /// Remove only this test host; may be repeated
        #[arg(long = "target", value_name = "NAME", conflicts_with = "images")]
        targets: Vec<lab::Target>,
        /// Remove the images too, and stop the engine that `lab up` started
        #[arg(long)]
        images: bool,
    },
    /// Say what is up; exit code 1 when something is not
    Status,
    /// Make test hosts anew, images kept, and deploy their proxies again
    Reset {
        /// This test host; may be repeated [default: all]
        #[arg(long = "target", value_name = "NAME")]
        targets: Vec<lab::Target>,
        #[command(flatten)]
        consent: Consent,
    },
}

#[derive(Args)]
struct Consent {
    /// Install missing Debian packages without asking
    #[arg(long)]
    yes: bool,
}

impl Consent {
    fn options(&self, targets: &[lab::Target]) -> lab::Options {
        lab::Options { yes: self.yes, targets: targets.to_vec() }
    }
}

fn main() -> ExitCode {
    match run(Cli::parse().command) {
        Ok(code) => code,
        Err(error) => {
            eprintln!("error: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(command: Command) -> Result<ExitCode> {
    match command {
        Command::Demo(consent) => demo::demo(consent.yes).map(|()| ExitCode::SUCCESS),
        Command::Test { only, consent } => {
            let sum = test::test(consent.yes, &only)?;
            println!("{sum}");
            Ok(if sum.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Chaos { kills, seed, consent } => {
            end_on_signals()?;
            lab::up(&consent.options(&[]))?;
            let counted = chaos::chaos(kills, seed.unwrap_or_else(rand::random))?;
            println!("{counted}");
            Ok(if counted.holds() { ExitCode::SUCCESS } else { ExitCode::FAILURE })
        }
        Command::Soak { schedules, inputs, seed, canaries, consent } => {
            let seed = seed.unwrap_or_else(|| rand::random::<u32>().into());
            test::soak(&test::Soak { schedules, inputs, seed, canaries: canaries.then_some(consent.yes) })
        }
        Command::Sabotage(options) => sabotage::sabotage(&options),
        Command::Incident { fail_fast, deadline, consent } => {
            incident::incident(consent.yes, fail_fast, deadline).map(|()| ExitCode::SUCCESS)
        }
        Command::Bench { release, only, json, consent } => {
            bench::bench(&bench::Options { yes: consent.yes, release, only, json }).map(|()| ExitCode::SUCCESS)
        }
        Command::Lab(command) => run_lab(&command),
    }
}

fn run_lab(command: &LabCommand) -> Result<ExitCode> {
    match command {
        LabCommand::Up { targets, consent } => println!("{}", lab::up(&consent.options(targets))?),
        LabCommand::Reset { targets, consent } => println!("{}", lab::reset(&consent.options(targets))?),
        LabCommand::Down { targets, images } => lab::down(targets, *images)?,
        LabCommand::Status => {
            let status = lab::status()?;
            print!("{status}");
            if !status.all_up() {
                return Ok(ExitCode::FAILURE);
            }
        }
    }
    Ok(ExitCode::SUCCESS)
}
