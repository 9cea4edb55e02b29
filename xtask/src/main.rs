//! The project's own commands: `cargo xtask lab up | down | status | reset`.

mod lab;
mod process;
mod steps;

use std::process::ExitCode;

use anyhow::Result;
use clap::{Args, Parser, Subcommand};

/// The project's own commands.
#[derive(Parser)]
#[command(name = "cargo xtask", bin_name = "cargo xtask")]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    /// The lab: a test Swarm host, a registry and a reverse proxy on this machine
    #[command(subcommand)]
    Lab(LabCommand),
}

#[derive(Subcommand)]
enum LabCommand {
    /// Bring everything up; what is there already is kept
    Up(Consent),
    /// Remove the test hosts, the registry and the network
    Down {
        /// Remove the images too, and stop the engine that `lab up` started
        #[arg(long)]
        images: bool,
    },
    /// Say what is up; exit code 1 when something is not
    Status,
    /// Make the test host `gate` anew, images kept, and deploy the proxy again
    Reset(Consent),
}

#[derive(Args)]
struct Consent {
    /// Install missing Debian packages without asking
    #[arg(long)]
    yes: bool,
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
        Command::Lab(command) => run_lab(&command),
    }
}

fn run_lab(command: &LabCommand) -> Result<ExitCode> {
    match command {
        LabCommand::Up(consent) => lab::up(&lab::Options { yes: consent.yes }).map(|lab| println!("{lab}"))?,
        LabCommand::Reset(consent) => lab::reset(&lab::Options { yes: consent.yes }).map(|lab| println!("{lab}"))?,
        LabCommand::Down { images } => lab::down(*images)?,
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
