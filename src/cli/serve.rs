//! `cc-ci serve`: the gate as a service.

use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Places, run};
use crate::adapters::clock::Clock;
use crate::adapters::forge::{Forge, ForgeConfig, Pace, WantedHook};
use crate::config;
use crate::domain::enrolment::{Enrolment, Pattern};
use crate::domain::forge::{Login, RepoName};
use crate::engine::plan::TOTAL_LIMIT_SECONDS;
use crate::engine::service::{Service, Watched};
use crate::web;

/// The forge answers within half a minute or has given up.
const SETTLES_AFTER: Duration = Duration::from_secs(30);

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The forge, Gitea or Forgejo, e.g. https://forge.example
    #[arg(long, env = "CC_CI_FORGE_URL", value_name = "URL")]
    forge_url: String,
    /// The gate's account there; it must be in the organisation to see who else is
    #[arg(long, env = "CC_CI_FORGE_ACCOUNT", value_name = "LOGIN")]
    forge_account: Login,
    /// A file with the account's token; scopes write:issue, read:repository, read:organization, and write:repository for commit statuses
    #[arg(long, env = "CC_CI_FORGE_TOKEN_FILE", value_name = "FILE")]
    forge_token_file: PathBuf,
    /// The organisation whose recipes are watched
    #[arg(long, env = "CC_CI_ORGANISATION", value_name = "NAME")]
    organisation: Login,
    /// Watch only these recipes, by repository name
    #[arg(long, env = "CC_CI_RECIPES", value_name = "NAME", value_delimiter = ',')]
    recipes: Vec<String>,
    /// The test Swarms: sections of targets.toml
    #[arg(long, env = "CC_CI_SERVE_TARGETS", value_name = "NAME", value_delimiter = ',', required = true)]
    target: Vec<String>,
    /// Where pages are served
    #[arg(long, env = "CC_CI_LISTEN", value_name = "ADDRESS:PORT", default_value = "127.0.0.1:8080")]
    listen: SocketAddr,
    /// Where people reach those pages, for links [default: http:// and the listening address]
    #[arg(long, env = "CC_CI_PUBLIC_URL", value_name = "URL")]
    public_url: Option<String>,
    /// Seconds between two polls of the forge
    #[arg(long, env = "CC_CI_POLL_SECONDS", value_name = "SECONDS", default_value_t = 15, value_parser = clap::value_parser!(u64).range(1..=3600))]
    poll: u64,
    /// A file with the secrets that webhooks may be signed with, one per line; the first is the one in use
    #[arg(long, env = "CC_CI_WEBHOOK_SECRET_FILE", value_name = "FILE")]
    webhook_secret_file: Option<PathBuf>,
    /// Keep the gate's own webhook on the forge: at this address, which the forge must reach
    #[arg(long, env = "CC_CI_WEBHOOK_URL", value_name = "URL", requires = "webhook_secret_file")]
    webhook_url: Option<String>,
    /// The repository with `recipes.toml`, which says what is watched
    #[arg(long, env = "CC_CI_TESTS_REPOSITORY", value_name = "OWNER/NAME")]
    tests_repository: Option<RepoName>,
    /// The total limit of a run, in seconds
    #[arg(long, env = "CC_CI_RUN_LIMIT_SECONDS", value_name = "SECONDS", default_value_t = TOTAL_LIMIT_SECONDS, value_parser = clap::value_parser!(u64).range(10..=86_400))]
    run_limit: u64,
    /// The runner image: a name that the targets know, or a `docker save` file [default: runner.tar in the state folder]
    #[arg(long, value_name = "REF|FILE", env = "CC_CI_RUNNER_IMAGE", hide_env_values = true)]
    runner_image: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn serve(arguments: Arguments) -> anyhow::Result<Exit> {
    let gate = run::gate(&arguments.places, arguments.runner_image.as_deref()).await?;
    let store = gate.store.clone();
    let file = &arguments.places.targets();
    let targets = arguments.target.iter().map(|name| config::target(name, file)).collect::<Result<Vec<_>, _>>()?;
    let token = std::fs::read_to_string(&arguments.forge_token_file)
        .with_context(|| format!("cannot read the token file {}", arguments.forge_token_file.display()))?;
    let clock = Clock::system();
    let config = ForgeConfig {
        url: arguments.forge_url.clone(),
        token: SecretString::from(token.trim().to_owned()),
        bot_login: Some(arguments.forge_account),
        ca_path: None,
        pace: Pace::default(),
    };
    let forge = Forge::with_clock(config, clock.clone())?;
    let webhook_secrets = match &arguments.webhook_secret_file {
        Some(file) => secrets(file)?,
        None => Vec::new(),
    };
    let hook = arguments.webhook_url.zip(webhook_secrets.first().cloned());
    let patterns = arguments.recipes.iter().filter(|name| !name.is_empty()).map(|name| Pattern::parse(name));
    let patterns = patterns.collect::<Result<Vec<_>, _>>().map_err(anyhow::Error::msg)?;
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    let watched = Watched {
        organisation: arguments.organisation,
        enrolled: Enrolment::of(patterns),
        tests_repository: arguments.tests_repository,
        poll: Duration::from_secs(arguments.poll),
        public_url: arguments
            .public_url
            .map_or_else(|| format!("http://{address}"), |url| url.trim_end_matches('/').to_owned()),
        limit_seconds: arguments.run_limit,
        sweep_period: None,
        hook: hook.map(|(url, secret)| WantedHook { url, secret }),
        webhook_secrets,
        settles_after: SETTLES_AFTER,
        recycle: None,
    };
    say(&format!(
        "gate {} watches {} on {}; pages on http://{address}",
        gate.id, watched.organisation, arguments.forge_url
    ));
    let service = Service::new(gate, forge, watched, targets, clock);
    let stop = service.stop();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let pages = tokio::spawn(web::serve(listener, service.clone()));
    tokio::select! {
        served = service.serve() => served?,
        _ = interrupt.recv() => {}
        _ = terminate.recv() => {}
    }
    stop.cancel();
    pages.abort();
    say("stopped; runs that go on are taken up by the next start");
    store.close().await;
    Ok(Exit::Fine)
}

/// One per line.
fn secrets(file: &Path) -> anyhow::Result<Vec<SecretString>> {
    let text = std::fs::read_to_string(file).with_context(|| format!("cannot read {}", file.display()))?;
    Ok(text.lines().map(str::trim).filter(|line| !line.is_empty()).map(SecretString::from).collect())
}

#[expect(clippy::print_stderr, reason = "for whoever reads the container's log")]
fn say(text: &str) {
    eprintln!("{text}");
}
