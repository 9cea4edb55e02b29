//! `cc-ci serve`: the gate as a service.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use secrecy::SecretString;
use tokio::signal::unix::{SignalKind, signal};

use super::{Exit, Places, run};
use crate::adapters::forge::Forge;
use crate::config;
use crate::engine::service::{Service, Watched};
use crate::web;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The forge, Gitea or Forgejo, e.g. https://forge.example
    #[arg(long, env = "CC_CI_FORGE_URL", value_name = "URL")]
    forge_url: String,
    /// The gate's account there; it must be in the organisation to see who else is
    #[arg(long, env = "CC_CI_FORGE_ACCOUNT", value_name = "LOGIN")]
    forge_account: String,
    /// A file with the account's token; scopes write:issue, read:repository, read:organization, and write:repository for commit statuses
    #[arg(long, env = "CC_CI_FORGE_TOKEN_FILE", value_name = "FILE")]
    forge_token_file: PathBuf,
    /// The organisation whose recipes are watched
    #[arg(long, env = "CC_CI_ORGANISATION", value_name = "NAME")]
    organisation: String,
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
    let forge =
        Forge::new(&arguments.forge_url, SecretString::from(token.trim().to_owned()), &arguments.forge_account)?;
    let listener = tokio::net::TcpListener::bind(arguments.listen)
        .await
        .with_context(|| format!("cannot listen on {}", arguments.listen))?;
    let address = listener.local_addr()?;
    let watched = Watched {
        organisation: arguments.organisation,
        recipes: arguments.recipes.into_iter().filter(|name| !name.is_empty()).collect(),
        poll: Duration::from_secs(arguments.poll),
        public_url: arguments
            .public_url
            .map_or_else(|| format!("http://{address}"), |url| url.trim_end_matches('/').to_owned()),
    };
    say(&format!(
        "gate {} watches {} on {}; pages on http://{address}",
        gate.id, watched.organisation, arguments.forge_url
    ));
    let options = web::Options {
        public_url: watched.public_url.clone(),
        oauth: None,
        organisation: watched.organisation.clone(),
        operators: vec!["Owners".to_owned()],
        closed: false,
    };
    let service = Service::new(gate, forge, watched, targets);
    let stop = service.stop();
    let (mut interrupt, mut terminate) = (signal(SignalKind::interrupt())?, signal(SignalKind::terminate())?);
    let pages = tokio::spawn(web::serve(listener, service.clone(), options));
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

#[expect(clippy::print_stderr, reason = "for whoever reads the container's log")]
fn say(text: &str) {
    eprintln!("{text}");
}
