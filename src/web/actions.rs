//! What people may do by web. Each asks for a login, comes from a page of this gate, and is noted with who did it.

use axum::Extension;
use axum::body::{Body, to_bytes};
use axum::extract::{Path, State};
use axum::response::{IntoResponse, Redirect, Response};

use super::error::Failed;
use super::visitor::Visitor;
use super::{Here, run_number};
use crate::adapters::store::May;
use crate::engine::service::control;

/// No form of ours is larger.
const LARGEST_FORM: usize = 4 << 10;

impl Visitor {
    /// The login of somebody who may do this.
    pub(super) fn allowed(&self, least: May, what: &'static str) -> Result<&str, Failed> {
        match &self.person {
            Some(person) if person.may >= least => Ok(&person.login),
            Some(_) | None => Err(Failed::NotAllowed(what)),
        }
    }
}

pub(super) async fn cancel(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failed> {
    let who = visitor.allowed(May::Member, "cancel runs")?;
    let number = run_number(&site, &number).await?;
    control::cancel(site.service.store(), number, who).await?;
    site.service.wake();
    Ok(Redirect::to(&format!("/runs/{number}")).into_response())
}

pub(super) async fn retry(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(number): Path<String>,
) -> Result<Response, Failed> {
    let who = visitor.allowed(May::Member, "ask for runs")?;
    let number = run_number(&site, &number).await?;
    let retried = control::retry(site.service.store(), number, who).await?;
    site.service.wake();
    Ok(Redirect::to(&format!("/runs/{}", retried.number())).into_response())
}

pub(super) async fn gate(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(verb): Path<String>,
    body: Body,
) -> Result<Response, Failed> {
    let who = visitor.allowed(May::Operator, "pause, drain or resume this gate")?;
    let store = site.service.store();
    match verb.as_str() {
        "pause" => control::pause(store, who, &field(body, "why").await?).await?,
        "drain" => control::drain(store, who).await?,
        "resume" => control::resume(store, who).await?,
        _ => return Err(Failed::NoSuch("such action")),
    }
    Ok(Redirect::to("/targets").into_response())
}

/// One field of a form; empty when it is not there.
async fn field(body: Body, name: &str) -> Result<String, Failed> {
    let form = to_bytes(body, LARGEST_FORM).await.map_err(|_| Failed::Bad("That form is too large".to_owned()))?;
    let mut pairs = url::form_urlencoded::parse(&form);
    Ok(pairs.find(|(key, _)| key == name).map_or_else(String::new, |(_, value)| value.into_owned()))
}
