//! `cc-ci serve`: the gate as a service.

use std::net::SocketAddr;
use std::time::Duration;

use anyhow::Context as _;
use clap::Args;
use jiff::Timestamp;
use serde_json::json;
use tokio::signal::unix::{SignalKind, signal};

use super::settings::SettingsArguments;
use super::{Exit, run, start_logging};
use crate::adapters::clock::Clock;
use crate::adapters::forge::{Forge, ForgeConfig, Pace, WantedHook};
use crate::adapters::store::copy;
use crate::adapters::{own_key, sign};
use crate::config::{Access, LogFormat, LogSettings, RecyclePolicy, RecycleSettings, Settings};
use crate::engine::plan::Limits;
use crate::engine::run::Gate;
use crate::engine::service::{Recycle, Service, Watched};
use crate::web;

/// The forge answers within half a minute or has given up.
const SETTLES_AFTER: Duration = Duration::from_secs(30);
const SECONDS_OF_A_DAY: u64 = 24 * 60 * 60;

#[derive(Debug, Args)]
#[command(
    after_help = "Settings without a flag are given by the environment: `cc-ci check-config --keys` lists them all, \
                        `cc-ci check-config` tells what holds."
)]
pub(super) struct Arguments {
    #[command(flatten)]
    settings: SettingsArguments,
    /// A drill: no cause ends a deploy early, only so many seconds do. For `cargo xtask incident`
    #[arg(long, value_name = "SECONDS", hide = true)]
    only_deadline: Option<u64>,
}

pub(super) async fn serve(arguments: Arguments) -> anyhow::Result<Exit> {
    let settings = arguments.settings.settings()?;
    let log = settings.log;
    start_logging(log);
    if copy::swap_in(&settings.state)? {
        say(log, "the database was put in its place that `cc-ci db restore` took");
    }
    let gate = Gate { shares: true, ..run::gate(&settings.state, settings.runs.image.as_deref()).await? };
    let store = gate.store.clone();
    if settings.uses_own_key {
        let public = own_key::ensure(&settings.own_key(), rand::random())?;
        say(log, &format!("the gate's SSH key, for authorized_keys of the target: {public}"));
    }
    // So that its public half can be had before anything is signed.
    sign::ensure(&gate.state.signing(), rand::random())?;
    let clock = Clock::system();
    let config = ForgeConfig {
        url: settings.forge.url.clone(),
        token: settings.forge.token.clone(),
        bot_login: Some(settings.forge.account.clone()),
        ca_path: settings.forge.ca_path.clone(),
        pace: Pace::default(),
    };
    let forge = Forge::with_clock(config, clock.clone())?;
    let listener = tokio::net::TcpListener::bind(settings.pages.listen)
        .await
        .with_context(|| format!("cannot listen on {}", settings.pages.listen))?;
    let address = listener.local_addr()?;
    let watched = watched(&settings, address, arguments.only_deadline);
    if let Some(seconds) = arguments.only_deadline {
        tracing::warn!(seconds, "a drill: no cause ends a deploy early, only this time does");
    }
    let (organisation, url) = (&watched.organisation, &settings.forge.url);
    say(log, &format!("gate {} watches {organisation} on {url}; pages on http://{address}", gate.id));
    let options = options(&settings, address);
    let service = Service::new(gate, forge, watched, settings.targets, clock);
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
    say(log, "stopped; runs that go on are taken up by the next start");
    store.close().await;
    Ok(Exit::Fine)
}

fn watched(settings: &Settings, bound: SocketAddr, only_deadline: Option<u64>) -> Watched {
    let (hooks, days) = (&settings.hooks, settings.runs.sweep_days);
    let hook = hooks.url.clone().zip(hooks.secrets.first().cloned()).filter(|_| hooks.autoregister);
    Watched {
        organisation: settings.watch.organisation.clone(),
        enrolled: settings.watch.enrolled.clone(),
        tests_repository: settings.watch.tests_repository.clone(),
        poll: settings.watch.poll,
        public_url: settings.pages.public_url(bound),
        limits: Limits {
            deploy_seconds: None,
            total_seconds: settings.runs.limit_seconds,
            silence_seconds: settings.runs.silence_seconds,
            only_deadline_seconds: only_deadline,
        },
        sweep_period: days.map(|days| Duration::from_secs(SECONDS_OF_A_DAY * u64::from(days.get()))),
        keep_runs: settings.runs.keep,
        hook: hook.map(|(url, secret)| WantedHook { url, secret }),
        webhook_secrets: hooks.secrets.clone(),
        settles_after: SETTLES_AFTER,
        recycle: recycle(&settings.recycle),
    }
}

fn options(settings: &Settings, bound: SocketAddr) -> web::Options {
    let pages = &settings.pages;
    let oauth = pages.login.as_ref().map(|login| web::OAuth {
        client_id: login.client_id.clone(),
        client_secret: login.client_secret.clone(),
        forge_url: settings.forge.url.clone(),
        ca_path: settings.forge.ca_path.clone(),
    });
    web::Options {
        public_url: pages.public_url(bound),
        oauth,
        organisation: settings.watch.organisation.to_string(),
        operators: vec![pages.operators.clone()],
        closed: pages.access == Access::Login,
    }
}

fn recycle(settings: &RecycleSettings) -> Option<Recycle> {
    let url = settings.url.clone()?;
    match settings.policy {
        RecyclePolicy::Never => None,
        RecyclePolicy::WhenDirty => Some(Recycle { url, always: false }),
        RecyclePolicy::Always => Some(Recycle { url, always: true }),
    }
}

/// A sentence for whoever reads the container's log, whatever the level of the log.
#[expect(clippy::print_stderr, reason = "for whoever reads the container's log")]
fn say(log: LogSettings, text: &str) {
    match log.format {
        LogFormat::Text => eprintln!("{text}"),
        LogFormat::Json => eprintln!("{}", json!({"timestamp": Timestamp::now(), "level": "INFO", "message": text})),
    }
}
