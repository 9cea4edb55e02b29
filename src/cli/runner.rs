//! `cc-ci runner …`: the program inside the runner container.

use clap::Subcommand;

use super::Exit;
use crate::domain::ids::StackName;
use crate::domain::protocol::StepName;
use crate::runner;

#[derive(Debug, Subcommand)]
pub(super) enum Command {
    /// Be PID 1: start steps as they come, keep the total limit
    Serve,
    /// Hand in the step on standard input, or find it, and follow it
    Step {
        /// The byte of its output to begin at
        #[arg(long, default_value_t = 0)]
        offset: u64,
    },
    /// Say how full the disk is, and which addresses can be reached from here
    Probe {
        /// `host:port`; as often as needed
        #[arg(long, value_name = "HOST:PORT")]
        reach: Vec<String>,
    },
    /// Make the run's secrets
    Secrets,
    /// Keep what is at a path of a container, and list it
    Archive {
        /// The container
        container: String,
        /// The path in it
        path: String,
        /// The archive's name: a step's
        #[arg(value_parser = StepName::parse)]
        name: StepName,
        /// The name of files that cc-ci planted
        planted: String,
    },
    /// Put what was kept into a folder of a container
    Unarchive {
        /// The container
        container: String,
        /// The folder in it
        folder: String,
        /// The archive's name: a step's
        #[arg(value_parser = StepName::parse)]
        name: StepName,
    },
    /// Remove a stack and its volumes, not the secrets that were made for it
    Destroy {
        /// The stack
        stack: StackName,
    },
    /// Remove a stack with everything that is its own
    Undeploy {
        /// The stack
        stack: StackName,
    },
}

pub(super) async fn runner(command: Command) -> anyhow::Result<Exit> {
    match command {
        Command::Serve => runner::serve().await?,
        Command::Step { offset } => runner::step(offset)?,
        Command::Probe { reach } => runner::probe(&reach).await?,
        Command::Secrets => runner::make_secrets().await?,
        Command::Archive { container, path, name, planted } => {
            runner::archive(&container, &path, &name, &planted).await?;
        }
        Command::Unarchive { container, folder, name } => runner::unarchive(&container, &folder, &name).await?,
        Command::Destroy { stack } => runner::destroy_stack(&stack).await?,
        Command::Undeploy { stack } => runner::undeploy_stack(&stack).await?,
    }
    Ok(Exit::Fine)
}
