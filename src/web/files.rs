//! The files of a run. They are streamed: a log may have many megabytes.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::error::Failed;
use super::guard::REPORT_POLICY;
use super::{Here, run_number};

/// By a name from a fixed list: what comes from outside is never a path.
pub(super) async fn file(State(site): Here, Path((number, file)): Path<(String, String)>) -> Result<Response, Failed> {
    let number = match run_number(&site, &number).await {
        Err(Failed::Elsewhere(run)) => return Err(Failed::Elsewhere(format!("{run}/{file}"))),
        other => other?,
    };
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let folder = site.service.state().run(&run.id);
    if !run.has_files && matches!(file.as_str(), "log.jsonl" | "report.html") {
        return Err(Failed::Removed(
            "The log and the report of this run were removed: only the newest runs keep theirs",
        ));
    }
    let (path, kind) = match file.as_str() {
        "results.json" => (folder.results(), "application/json"),
        "log.jsonl" => (folder.log(), "application/jsonl; charset=utf-8"),
        "report.html" => (folder.report(), "text/html; charset=utf-8"),
        _ => return Err(Failed::NoSuch("such file")),
    };
    let Ok(opened) = tokio::fs::File::open(path).await else {
        return Err(Failed::NoSuch("such file of this run (yet)"));
    };
    let mut response = ([(header::CONTENT_TYPE, kind)], Body::from_stream(ReaderStream::new(opened))).into_response();
    if file == "report.html" {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
    }
    Ok(response)
}
