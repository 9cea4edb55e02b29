//! The secrets of an app that stays up for a person: for members who are logged in, and in no cache.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, State};
use axum::http::{HeaderValue, header};
use axum::response::Response;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::error::Failed;
use super::frame::Frame;
use super::view::Instant;
use super::visitor::Visitor;
use super::{Here, rendered, run_number};
use crate::adapters::store::May;

#[derive(Template)]
#[template(path = "kept.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    number: i64,
    url: String,
    until: Instant,
    secrets: Vec<(String, String)>,
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failed> {
    let who = visitor.allowed(May::Member, "see the secrets of an app")?.to_owned();
    let number = run_number(&site, &number).await?;
    let (service, store) = (&site.service, site.service.store());
    let run = store.show_run(number).await?.ok_or(Failed::NoSuch("run of that number"))?;
    let up = service.kept(&run.id).await?.ok_or(Failed::NoSuch("app of this run that is up for anybody"))?;
    let secrets = service.secrets_of_kept(&run.id).await?;
    store.note_action(&who, &format!("look at the secrets of run {number}"), Timestamp::now()).await?;
    let mut page = rendered(&Page {
        frame: Frame::new(&site, visitor, "runs").await?,
        number,
        url: up.url,
        until: Instant::new(up.until),
        secrets: secrets.into_iter().map(|(name, value)| (name, value.expose_secret().to_owned())).collect(),
    })?;
    page.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    Ok(page)
}
