//! `cc-ci check-config`: what the service would be told, and what is wrong with it.

use std::fs;
use std::io::Write as _;

use clap::Args;

use super::Exit;
use super::settings::SettingsArguments;
use crate::config::{self, Layers, Settings, keys};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// Print every setting there is, with its default and its meaning, as a table in Markdown
    #[arg(long)]
    keys: bool,
    #[command(flatten)]
    settings: SettingsArguments,
}

#[expect(clippy::print_stderr, reason = "what is wrong is for the person at the terminal")]
pub(super) fn check_config(arguments: &Arguments) -> anyhow::Result<Exit> {
    if arguments.keys {
        write!(std::io::stdout().lock(), "{}", keys::table())?;
        return Ok(Exit::Fine);
    }
    let layers = arguments.settings.layers()?;
    show(&layers)?;
    for name in layers.strangers() {
        eprintln!("note: {name} in the file is no setting of cc-ci");
    }
    let settings = SettingsArguments::read(&layers)?;
    writeln!(std::io::stdout().lock(), "\n{}", own_key(&settings))?;
    Ok(Exit::Fine)
}

/// Every setting as it holds.
fn show(layers: &Layers) -> std::io::Result<()> {
    let mut out = std::io::stdout().lock();
    for it in config::effective(layers) {
        let from = if it.from.is_empty() { String::new() } else { format!("  ({})", it.from) };
        writeln!(out, "{:22} {}{from}", it.key.name, it.value)?;
    }
    Ok(())
}

/// The public half of the key that the targets must let in.
fn own_key(settings: &Settings) -> String {
    if !settings.uses_own_key {
        return "the gate's SSH key: the one that TARGET_KEY_FILE or the targets file names".to_owned();
    }
    let path = settings.own_key().with_extension("pub");
    fs::read_to_string(&path).map_or_else(
        |_| {
            format!(
                "the gate's SSH key is made when `cc-ci serve` first starts; its public half is then in {}",
                path.display()
            )
        },
        |public| format!("the gate's SSH key, for authorized_keys of the target:\n{}", public.trim()),
    )
}
