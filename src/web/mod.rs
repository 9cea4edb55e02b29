//! Pages: what runs, what waits, what came of it. No JavaScript is needed; nothing is asked of another host.

mod hooks;
mod pages;

use axum::Router;
use axum::extract::{Path, State};
use axum::http::{HeaderName, HeaderValue, StatusCode, header};
use axum::response::{IntoResponse, Response};
use axum::routing::get;
use tokio::net::TcpListener;

use self::pages::{Error, Now, Wait};
use crate::adapters::store::StoreError;
use crate::engine::service::Service;

/// Reports carry their style in themselves; nothing else may be inline, and nothing is loaded from anywhere.
const POLICY: &str = "default-src 'none'; style-src 'self' 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

/// Serves pages until the task is ended.
///
/// # Errors
/// When the listener breaks.
pub async fn serve(listener: TcpListener, service: Service) -> std::io::Result<()> {
    axum::serve(listener, router(service)).await
}

fn router(service: Service) -> Router {
    Router::new()
        .route("/", get(now))
        .route("/runs/{number}", get(run))
        .route("/runs/{number}/{file}", get(file))
        .route("/style.css", get(style))
        .merge(hooks::router())
        .route("/healthz", get(async || "ok\n"))
        .fallback(async || Error::page(StatusCode::NOT_FOUND, "There is no such page"))
        .with_state(service)
}

/// A page that could not be made.
struct Broken(StoreError);

impl From<StoreError> for Broken {
    fn from(error: StoreError) -> Self {
        Self(error)
    }
}

impl IntoResponse for Broken {
    fn into_response(self) -> Response {
        tracing::error!(error = %self.0, "a page could not be made");
        Error::page(StatusCode::INTERNAL_SERVER_ERROR, "This page could not be made; the gate's log says why")
    }
}

async fn now(State(service): State<Service>) -> Result<Response, Broken> {
    let (open, latest) = (service.store().show_open().await?, service.store().show_latest().await?);
    Ok(page(StatusCode::OK, Now::new(open, latest, &service.heard(), service.watched()).html()))
}

async fn run(State(service): State<Service>, Path(number): Path<i64>) -> Result<Response, Broken> {
    let Some(run) = service.store().show_run(number).await? else {
        return Ok(Error::page(StatusCode::NOT_FOUND, "There is no run of that number"));
    };
    let folder = service.state().run(&run.id);
    match tokio::fs::read_to_string(folder.report()).await {
        Ok(report) if run.verdict.is_some() => Ok(page(StatusCode::OK, report)),
        Ok(_) | Err(_) => {
            let log = tokio::fs::read(folder.log()).await.unwrap_or_default();
            Ok(page(StatusCode::OK, Wait::new(run, &log).html()))
        }
    }
}

/// The files of a run, by a name from a fixed list: what comes from outside is never a path.
async fn file(State(service): State<Service>, Path((number, file)): Path<(i64, String)>) -> Result<Response, Broken> {
    let Some(run) = service.store().show_run(number).await? else {
        return Ok(Error::page(StatusCode::NOT_FOUND, "There is no run of that number"));
    };
    let folder = service.state().run(&run.id);
    let (path, kind) = match file.as_str() {
        "results.json" => (folder.results(), "application/json"),
        "log.jsonl" => (folder.log(), "application/jsonl"),
        "report.html" => (folder.report(), "text/html; charset=utf-8"),
        _ => return Ok(Error::page(StatusCode::NOT_FOUND, "There is no such file")),
    };
    match tokio::fs::read(path).await {
        Ok(content) => Ok(secured(StatusCode::OK, kind, content)),
        Err(_) => Ok(Error::page(StatusCode::NOT_FOUND, "This run has no such file (yet)")),
    }
}

async fn style() -> Response {
    secured(StatusCode::OK, "text/css", pages::STYLE)
}

fn page(status: StatusCode, html: String) -> Response {
    secured(status, "text/html; charset=utf-8", html)
}

fn secured(status: StatusCode, kind: &'static str, body: impl IntoResponse) -> Response {
    let headers = [
        (header::CONTENT_TYPE, HeaderValue::from_static(kind)),
        (header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY)),
        (header::X_CONTENT_TYPE_OPTIONS, HeaderValue::from_static("nosniff")),
        (header::REFERRER_POLICY, HeaderValue::from_static("no-referrer")),
        (HeaderName::from_static("cache-control"), HeaderValue::from_static("no-cache")),
    ];
    let mut response = body.into_response();
    *response.status_mut() = status;
    for (name, value) in headers {
        response.headers_mut().insert(name, value);
    }
    response
}

impl Error {
    fn page(status: StatusCode, what: &'static str) -> Response {
        page(status, Self { what, code: status.as_u16() }.html())
    }
}
