//! All runs that have ended, page by page.

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Row, paged, query_number};
use super::visitor::Visitor;
use super::{Here, rendered};

const ROWS: usize = 40;

#[derive(Template)]
#[template(path = "runs.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    rows: Vec<Row>,
    first: bool,
    older: Option<i64>,
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let before = query_number(query.as_deref(), "before");
    let found = site.service.store().show_ended(before, ROWS as i64 + 1).await?;
    let (rows, more) = paged(found, ROWS);
    rendered(&Page {
        frame: Frame::new(&site, visitor, "runs").await?,
        first: before.is_none(),
        older: rows.last().filter(|_| more).map(|run| run.number),
        rows: rows.into_iter().map(Row::from).collect(),
    })
}
