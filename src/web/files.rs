//! The files of a run. They are streamed: a log may have many megabytes.

use axum::body::Body;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::{IntoResponse, Response};
use tokio_util::io::ReaderStream;

use super::error::Failed;
use super::guard::REPORT_POLICY;
use super::run::results;
use super::{Here, Site, run_number};
use crate::adapters::sign;
use crate::engine::state::RunFile;

/// Where the keys are whose signatures of results hold.
pub(super) const SIGNERS: &str = "/.well-known/cc-ci/allowed_signers";

/// By a name from a fixed list: what comes from outside is never a path.
pub(super) async fn file(State(site): Here, Path((number, file)): Path<(String, String)>) -> Result<Response, Failed> {
    let number = match run_number(&site, &number).await {
        Err(Failed::Elsewhere(run)) => return Err(Failed::Elsewhere(format!("{run}/{file}"))),
        other => other?,
    };
    let run = site.service.store().show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let folder = site.service.state().run(&run.id);
    let file = RunFile::named(&file).ok_or(Failed::NoSuch("such file"))?;
    if !run.has_files && file.goes() {
        return Err(Failed::Removed(
            "The log, the report and the evidence of this run were removed: only the newest runs keep theirs",
        ));
    }
    let path = folder.file(file);
    let body = match tokio::fs::File::open(path).await {
        Ok(opened) => Body::from_stream(ReaderStream::new(opened)),
        Err(_) => Body::from(stored(&site, number, file).await?.ok_or(Failed::NoSuch("such file of this run (yet)"))?),
    };
    let mut response = ([(header::CONTENT_TYPE, kind(file))], body).into_response();
    if file == RunFile::Report {
        response.headers_mut().insert(header::CONTENT_SECURITY_POLICY, HeaderValue::from_static(REPORT_POLICY));
    }
    Ok(response)
}

/// What the database has as well, byte for byte, or can be made from that: after it was restored there may be no folders of runs.
async fn stored(site: &Site, number: i64, file: RunFile) -> Result<Option<String>, Failed> {
    let store = site.service.store();
    Ok(match file {
        RunFile::Results => store.results_of(number).await?,
        RunFile::Signature => store.signature_of(number).await?,
        RunFile::Junit => match store.results_of(number).await? {
            Some(json) => Some(crate::report::junit(&results(&json, number)?)?),
            None => None,
        },
        RunFile::Report | RunFile::Log | RunFile::Evidence => None,
    })
}

/// The keys whose signatures of results hold.
pub(super) async fn allowed_signers(State(site): Here) -> Result<Response, Failed> {
    let folder = site.service.state().signing();
    let text = tokio::task::spawn_blocking(move || sign::allowed_signers(&folder)).await??;
    Ok(([(header::CONTENT_TYPE, "text/plain; charset=utf-8")], text).into_response())
}

const fn kind(file: RunFile) -> &'static str {
    match file {
        RunFile::Results => "application/json",
        RunFile::Signature => "text/plain; charset=utf-8",
        RunFile::Junit => "application/xml",
        RunFile::Report => "text/html; charset=utf-8",
        RunFile::Log => "application/jsonl; charset=utf-8",
        RunFile::Evidence => "application/gzip",
    }
}
