//! What cannot be shown or done, as a page with ways out.

use askama::Template;
use axum::http::{StatusCode, header};
use axum::response::{IntoResponse, Redirect, Response};

use super::frame::Frame;
use super::visitor::Visitor;
use super::{Site, html};
use crate::adapters::store::StoreError;
use crate::engine::EngineError;
use crate::engine::service::control::ControlError;

/// Why there is no such answer.
#[derive(Debug)]
pub(super) enum Failed {
    /// There is no such thing.
    NoSuch(&'static str),
    /// It was there once.
    Removed(&'static str),
    /// It is elsewhere.
    Elsewhere(String),
    /// The path is there, but not for this method.
    Method,
    /// Pages are for members alone.
    Closed,
    /// A form of another site.
    OtherOrigin,
    /// Not with the rights of who asks.
    NotAllowed(&'static str),
    /// What was sent cannot be used.
    Bad(String),
    /// It cannot be done as things are.
    Conflict(String),
    /// Too many ask at once.
    Busy(&'static str),
    /// The forge did not do its part of a login.
    Forge(String),
    /// Ours: the log says more.
    Broken(String),
}

impl From<StoreError> for Failed {
    fn from(error: StoreError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<EngineError> for Failed {
    fn from(error: EngineError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<askama::Error> for Failed {
    fn from(error: askama::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<std::io::Error> for Failed {
    fn from(error: std::io::Error) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<tokio::task::JoinError> for Failed {
    fn from(error: tokio::task::JoinError) -> Self {
        Self::Broken(error.to_string())
    }
}

impl From<ControlError> for Failed {
    fn from(error: ControlError) -> Self {
        match error {
            ControlError::NoSuchRun(_) => Self::NoSuch("run of that number"),
            ControlError::NoSuchTarget(_) => Self::NoSuch("target of that name"),
            ControlError::Done(_) | ControlError::FromTheCommandLine { .. } => Self::Conflict(error.to_string()),
            ControlError::Store(error) => error.into(),
        }
    }
}

/// What went wrong, kept with the answer until the page around it is made.
#[derive(Debug, Clone)]
struct Told {
    what: String,
    advice: &'static str,
    /// Logging in may help.
    login: bool,
}

impl IntoResponse for Failed {
    fn into_response(self) -> Response {
        let (status, what, advice, login) = match self {
            Self::Elsewhere(path) => return Redirect::to(&path).into_response(),
            Self::NoSuch(what) => (
                StatusCode::NOT_FOUND,
                format!("There is no {what}"),
                "It may have been removed, or the address has a slip in it.",
                false,
            ),
            Self::Removed(what) => (
                StatusCode::GONE,
                what.to_owned(),
                "What came of it is on the page of the run and in its results.json.",
                false,
            ),
            Self::Method => (
                StatusCode::METHOD_NOT_ALLOWED,
                "This address cannot be used like that".to_owned(),
                "What acts is asked for with a button of a page.",
                false,
            ),
            Self::Closed => (
                StatusCode::UNAUTHORIZED,
                "These pages are for members".to_owned(),
                "Log in through the forge with an account of the organisation.",
                true,
            ),
            Self::OtherOrigin => (
                StatusCode::FORBIDDEN,
                "That did not come from a page of this gate".to_owned(),
                "Nothing was done. Go to the page here and use its button.",
                false,
            ),
            Self::NotAllowed(what) => (StatusCode::FORBIDDEN, format!("You may not {what}"), "Nothing was done.", true),
            Self::Bad(what) => (StatusCode::BAD_REQUEST, what, "Nothing was done.", false),
            Self::Conflict(what) => (StatusCode::CONFLICT, what, "Nothing was done.", false),
            Self::Busy(what) => (StatusCode::SERVICE_UNAVAILABLE, what.to_owned(), "Try again in a moment.", false),
            Self::Forge(what) => (StatusCode::BAD_GATEWAY, what, "You are not logged in. Try again.", true),
            Self::Broken(error) => {
                tracing::error!(error, "a page could not be made");
                (
                    StatusCode::INTERNAL_SERVER_ERROR,
                    "This page could not be made".to_owned(),
                    "That is a fault of the gate; its log says more.",
                    false,
                )
            }
        };
        let mut response = (status, format!("{what}.\n")).into_response();
        response.extensions_mut().insert(Told { what, advice, login });
        response
    }
}

#[derive(Template)]
#[template(path = "error.html")]
struct Page {
    frame: Frame,
    code: u16,
    told: Told,
}

/// Makes a page of what went wrong, unless there is one already.
pub(super) async fn dressed(response: Response, site: &Site, visitor: Visitor) -> Response {
    let Some(told) = response.extensions().get::<Told>().cloned() else { return response };
    let status = response.status();
    let allow = response.headers().get(header::ALLOW).cloned();
    let Ok(frame) = Frame::new(site, visitor, "").await else { return response };
    let Ok(page) = (Page { frame, code: status.as_u16(), told }).render() else { return response };
    let mut dressed = html(status, page);
    if let Some(allow) = allow {
        dressed.headers_mut().insert(header::ALLOW, allow);
    }
    dressed
}

pub(super) async fn no_such_page() -> Failed {
    Failed::NoSuch("such page")
}

pub(super) async fn no_such_method() -> Failed {
    Failed::Method
}
