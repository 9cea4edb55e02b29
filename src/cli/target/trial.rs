//! `cc-ci target trial`.

use std::path::PathBuf;

use clap::Args;
use jiff::Timestamp;

use crate::adapters::docker::{connect, engine};
use crate::cli::Exit;
use crate::engine::trial;

#[derive(Debug, Args)]
#[command(
    after_help = "Not isolated: recipes under test run beside everything else on this machine, with its Docker engine. \
                        For anything but a look, make a host of its own: `cc-ci target setup`."
)]
pub(in crate::cli) struct TrialArguments {
    /// Take away what a trial made: network and swarm, unless services still run there
    #[arg(long)]
    remove: bool,
    /// The engine's socket
    #[arg(long, value_name = "PATH", default_value = "/var/run/docker.sock")]
    socket: PathBuf,
}

#[expect(clippy::print_stdout, reason = "what was done is the answer")]
pub(super) async fn trial(arguments: TrialArguments) -> anyhow::Result<Exit> {
    let docker = connect(&arguments.socket).await?;
    let about = engine(&docker, Timestamp::now).await?;
    if arguments.remove {
        trial::remove(&docker, &about).await?.iter().for_each(|line| println!("{line}"));
        return Ok(Exit::Fine);
    }
    trial::make(&docker, &about).await?.iter().for_each(|line| println!("{line}"));
    let target = format!("unix://{}", arguments.socket.display());
    println!(
        "\nThis machine is a target now, and NOT ISOLATED: what you test runs beside everything else here.\n\
         Pages are asked at 127.0.0.1:443, below `localhost`: deploy a proxy there, with a certificate for *.localhost; without one, a recipe with a\n\
         web page is red because it cannot be reached.\n\n  \
         cc-ci doctor --target {target}\n  \
         cc-ci run path/to/recipe --target {target}\n  \
         cc-ci target trial --remove"
    );
    Ok(Exit::Fine)
}
