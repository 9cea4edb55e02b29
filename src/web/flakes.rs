//! The flake ledger: what passed on a second try, and which recipes do that most.

use askama::Template;
use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::response::Response;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Instant, paged, query_number};
use super::visitor::Visitor;
use super::{Here, rendered};
use crate::adapters::store::{Flake, Flaky};
use crate::domain::results::one_line;

const ROWS: usize = 40;
const RECIPES: i64 = 20;
/// Characters of what flaked.
const SHOWN: usize = 300;

#[derive(Template)]
#[template(path = "flakes.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    rows: Vec<(Flake, Instant)>,
    recipes: Vec<Flaky>,
    first: bool,
    older: Option<i64>,
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let before = query_number(query.as_deref(), "before");
    let store = site.service.store();
    let (rows, more) = paged(store.flakes(before, ROWS as i64 + 1).await?, ROWS);
    rendered(&Page {
        frame: Frame::new(&site, visitor, "recipes").await?,
        recipes: store.flaky_recipes(RECIPES).await?,
        first: before.is_none(),
        older: rows.last().filter(|_| more).map(|flake| flake.number),
        rows: rows
            .into_iter()
            .map(|flake| {
                let at = Instant::new(flake.at);
                (Flake { what: one_line(&flake.what, SHOWN), ..flake }, at)
            })
            .collect(),
    })
}
