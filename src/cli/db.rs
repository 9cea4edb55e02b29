//! `cc-ci db …`: copies of the database.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{Exit, Places};
use crate::adapters::store::copy;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Copy the database to a file, whole as of one instant; the service may go on meanwhile
    Backup(Arguments),
    /// Have the next start of the service put a copy in the database's place
    Restore(Arguments),
}

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The copy
    file: PathBuf,
    #[command(flatten)]
    places: Places,
}

#[expect(clippy::print_stdout, reason = "one line says what was done")]
pub(super) async fn db(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Backup(arguments) => {
            copy::backup(&arguments.places.state(), &arguments.file).await?;
            println!("copied the database to {}", arguments.file.display());
        }
        Command::Restore(arguments) => {
            copy::restore(&arguments.places.state(), &arguments.file).await?;
            println!("{} is put in place at the next start of `cc-ci serve`", arguments.file.display());
        }
    }
    Ok(Exit::Fine)
}
