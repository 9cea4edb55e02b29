//! Pages: what runs, what waits, what came of it; and what people may do about it. Nothing needs JavaScript, nothing is asked of
//! another host, and no page is unbounded.

mod actions;
mod badge;
mod compare;
mod error;
mod files;
mod flakes;
mod frame;
mod guard;
mod health;
mod help;
mod hooks;
mod kept;
mod list;
mod live;
mod log;
mod login;
mod metrics;
mod now;
mod recipes;
mod run;
mod status;
mod targets;
mod view;
mod visitor;
mod why;

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::extract::State;
use axum::http::{StatusCode, header};
use axum::middleware::from_fn_with_state;
use axum::response::{IntoResponse, Response};
use axum::routing::{get, post};
use secrecy::SecretString;
use tokio::net::TcpListener;

use self::error::Failed;
use crate::adapters::logread::Indices;
use crate::engine::service::Service;

/// The style of all pages: that of the reports, and what only a service has.
const STYLE: &str = concat!(include_str!("../../templates/report.css"), include_str!("../../templates/web.css"));
/// The one script.
const SCRIPT: &str = include_str!("../../templates/live.js");

/// How the pages are reached, and who may do what.
#[derive(Debug, Clone)]
pub struct Options {
    /// Where people reach this gate, without a slash at the end.
    pub public_url: String,
    /// How people log in; `None`: nobody can.
    pub oauth: Option<OAuth>,
    /// The organisation whose members may cancel and retry.
    pub organisation: String,
    /// Teams whose members may pause, drain and resume: `team` of the organisation, or `organisation:team`.
    pub operators: Vec<String>,
    /// Pages are for members of the organisation alone.
    pub closed: bool,
}

/// The gate as an OAuth2 application of the forge.
#[derive(Debug, Clone)]
pub struct OAuth {
    /// The application's id.
    pub client_id: String,
    /// Its secret.
    pub client_secret: SecretString,
    /// The forge's root.
    pub forge_url: String,
    /// The certificate authority of the forge's own, a PEM file.
    pub ca_path: Option<PathBuf>,
}

/// What handlers share.
#[derive(Debug, Clone)]
struct Site {
    service: Service,
    options: Arc<Options>,
    live: Arc<live::Live>,
    /// One log at a time is folded into a page: a large one costs memory and a core for a moment.
    folding: Arc<tokio::sync::Semaphore>,
    folded: Arc<run::Folded>,
    logs: Arc<Indices>,
}

/// Serves pages until the task is ended.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, service: Service, options: Options) -> std::io::Result<()> {
    axum::serve(listener, router(service, options)).await
}

/// All pages.
pub fn router(service: Service, options: Options) -> Router {
    let site = Site {
        service,
        options: Arc::new(options),
        live: Arc::default(),
        folding: Arc::new(tokio::sync::Semaphore::new(1)),
        folded: Arc::default(),
        logs: Arc::default(),
    };
    let hooks = hooks::router().with_state(site.service.clone());
    Router::new()
        .route("/", get(now::page))
        .route("/runs", get(list::page))
        .route("/runs/{number}", get(run::page))
        .route("/runs/{number}/compare", get(compare::with_last_green))
        .route("/runs/{number}/compare/{other}", get(compare::page))
        .route("/runs/{number}/log", get(log::page))
        .route("/runs/{number}/live", get(live::stream))
        .route("/runs/{number}/secrets", get(kept::page))
        .route("/runs/{number}/cancel", post(actions::cancel))
        .route("/runs/{number}/retry", post(actions::retry))
        .route("/runs/{number}/{file}", get(files::file))
        .route("/recipes", get(recipes::list))
        .route("/recipes/{recipe}", get(recipes::page))
        .route("/recipes/{recipe}/badge.svg", get(badge::badge))
        .route("/flakes", get(flakes::page))
        .route("/targets", get(targets::page))
        .route("/gate/{verb}", post(actions::gate))
        .route("/help", get(help::page))
        .route("/login", get(login::begin))
        .route("/login/callback", get(login::callback))
        .route("/logout", post(login::logout))
        .route("/status.json", get(status::status))
        .route("/metrics", get(metrics::metrics))
        .route(files::SIGNERS, get(files::allowed_signers))
        .route("/healthz", get(async || "ok\n"))
        .route("/readyz", get(health::ready))
        .route("/style.css", get(async || asset("text/css; charset=utf-8", STYLE)))
        .route("/live.js", get(async || asset("text/javascript; charset=utf-8", SCRIPT)))
        .merge(hooks)
        .fallback(error::no_such_page)
        .method_not_allowed_fallback(error::no_such_method)
        .layer(from_fn_with_state(site.clone(), guard::guard))
        .with_state(site)
}

/// The number of a run in a path; what is none is a page that is not there. A run's id leads to its number.
async fn run_number(site: &Site, text: &str) -> Result<i64, Failed> {
    if let Ok(number) = text.parse::<u32>() {
        return Ok(i64::from(number));
    }
    let Ok(id) = text.parse() else { return Err(Failed::NoSuch("run of that number")) };
    match site.service.store().number_of(&id).await? {
        Some(number) => Err(Failed::Elsewhere(format!("/runs/{number}"))),
        None => Err(Failed::NoSuch("run of that number")),
    }
}

fn asset(kind: &'static str, content: &'static str) -> Response {
    ([(header::CONTENT_TYPE, kind), (header::CACHE_CONTROL, "public, max-age=600")], content).into_response()
}

fn html(status: StatusCode, page: String) -> Response {
    (status, [(header::CONTENT_TYPE, "text/html; charset=utf-8")], page).into_response()
}

/// A page from its template.
fn rendered(page: &impl askama::Template) -> Result<Response, Failed> {
    Ok(html(StatusCode::OK, crate::report::clean_page(page.render()?)))
}

type Here = State<Site>;
