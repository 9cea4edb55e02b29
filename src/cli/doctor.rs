//! `cc-ci doctor`: what is not as it should be, why it matters, and the command that mends it.

use std::io::Write as _;
use std::path::PathBuf;

use clap::Args;

use super::settings::SettingsArguments;
use super::{Exit, run};
use crate::adapters::forge::{Forge, ForgeConfig, Pace};
use crate::adapters::own_hash::OwnHash;
use crate::config::{self, InvalidSettings, Layers, Settings};
use crate::domain::doctor::{Check, Matter, is_fine, told};
use crate::domain::target::Target;
use crate::engine::doctor::{self, Examination};

#[derive(Debug, Args)]
#[command(
    after_help = "Looks and tries; changes nothing. With --target alone only targets are looked at, with settings (--config, or \
                        the environment of `cc-ci serve`) the gate too. Exit codes: 0 nothing that is needed fails, 1 something does."
)]
pub(super) struct Arguments {
    /// Print the list as JSON
    #[arg(long)]
    json: bool,
    /// Send the runner image to the target first, so that disk and reach can be looked at from there
    #[arg(long)]
    send_runner: bool,
    /// MUST_NOT_REACH: what nothing on a target may reach, e.g. the gate
    #[arg(long, value_name = "HOST:PORT", value_delimiter = ',')]
    must_not_reach: Vec<String>,
    #[command(flatten)]
    settings: SettingsArguments,
}

pub(super) async fn doctor(mut arguments: Arguments) -> anyhow::Result<Exit> {
    let named = std::mem::take(arguments.settings.targets());
    let layers = arguments.settings.layers()?;
    let has_settings = config::is_configured(&layers);
    let mut checks = Vec::new();
    let settings = if has_settings || named.is_empty() { settings(&layers, &mut checks) } else { None };
    if let Some(settings) = &settings {
        checks.extend(forge(settings).await);
        checks.push(doctor::database(&settings.state).await);
        checks.extend(own_key(settings));
    }
    let file = arguments.settings.targets_file();
    let targets: Vec<Target> = if named.is_empty() {
        settings.as_ref().map(|settings| settings.targets.clone()).unwrap_or_default()
    } else {
        named.iter().map(|name| config::target(name, &file)).collect::<Result<_, _>>()?
    };
    let state = settings.as_ref().map_or_else(|| arguments.settings.state(), |settings| settings.state.clone());
    let given = settings.as_ref().and_then(|settings| settings.runs.image.clone()).or(arguments.settings.image());
    let of_settings = settings.as_ref().map(|settings| settings.must_not_reach.clone()).unwrap_or_default();
    let must_not_reach = if arguments.must_not_reach.is_empty() { of_settings } else { arguments.must_not_reach };
    let image = run::runner_image(&state, given.as_deref())?;
    let binary = OwnHash::default();
    let hash = binary.get().await?;
    for target in &targets {
        let examination = Examination {
            target,
            image: &image,
            hash,
            send_runner: arguments.send_runner,
            must_not_reach: &must_not_reach,
            random: rand::random(),
        };
        checks.extend(examination.examine().await);
    }
    let mut out = std::io::stdout().lock();
    if arguments.json {
        serde_json::to_writer_pretty(&mut out, &checks)?;
        writeln!(out)?;
    } else {
        write!(out, "{}", told(&checks))?;
    }
    Ok(if is_fine(&checks) { Exit::Fine } else { Exit::Red })
}

/// The settings, where all are right; what is wrong with them is told, each on its own line.
fn settings(layers: &Layers, checks: &mut Vec<Check>) -> Option<Settings> {
    match SettingsArguments::read_all(layers) {
        Ok(settings) => {
            checks.push(Check::good(Matter::Settings, "all settings are right"));
            Some(settings)
        }
        Err(InvalidSettings(problems)) => {
            let of = |problem: config::Problem| {
                Check::bad(
                    Matter::Settings,
                    format!("{} {}", problem.key, problem.what),
                    format!("write {}", problem.write),
                )
            };
            checks.extend(problems.into_iter().map(of));
            None
        }
    }
}

async fn forge(settings: &Settings) -> Vec<Check> {
    let config = ForgeConfig {
        url: settings.forge.url.clone(),
        token: settings.forge.token.clone(),
        bot_login: Some(settings.forge.account.clone()),
        ca_path: settings.forge.ca_path.clone(),
        pace: Pace { attempts: 1, ..Pace::default() },
    };
    match Forge::new(config) {
        Ok(forge) => {
            let watch = &settings.watch;
            doctor::forge(&forge, &watch.organisation, &watch.enrolled, settings.hooks.autoregister).await
        }
        Err(error) => vec![Check::failed(Matter::Forge, &error)],
    }
}

/// The key that the gate makes for itself, where the target has to know it.
fn own_key(settings: &Settings) -> Option<Check> {
    if !settings.uses_own_key {
        return None;
    }
    let path: PathBuf = settings.own_key();
    Some(if path.is_file() {
        Check::good(Matter::Key, format!("the gate's own, {}", path.with_extension("pub").display()))
    } else {
        let mend =
            "cc-ci target setup --apply HOST makes it and puts it there; so does the first start of `cc-ci serve`";
        Check::open(
            Matter::Key,
            format!("the gate has not made its key yet: {}", path.display()),
            Some(mend.to_owned()),
        )
    })
}
