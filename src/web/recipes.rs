//! The recipes that are watched, and one recipe: where it stands, its pull requests, its history.

use std::time::Duration;

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Row, State as RunState, paged, query_number, query_value};
use super::visitor::Visitor;
use super::{Here, rendered, why};
use crate::adapters::store::{Overview, Shown};
use crate::domain::ids::RecipeName;
use crate::domain::results::duration;

const RECIPES: usize = 30;
const HISTORY: usize = 25;
/// Pull requests on the page of a recipe, and in the list.
const PULLS: i64 = 8;
const LISTED_PULLS: i64 = 3;
/// Verdicts in a row of glyphs.
const GLYPHS: i64 = 10;

#[derive(Template)]
#[template(path = "recipes.html", whitespace = "minimize")]
struct List {
    frame: Frame,
    organisation: String,
    recipes: Vec<Line>,
    after: Option<String>,
    first: bool,
}

/// A recipe in the list.
struct Line {
    name: String,
    judged: Option<Row>,
    green: String,
    pulls: Vec<Row>,
    glyphs: Vec<RunState>,
    usually: Option<String>,
}

#[derive(Template)]
#[template(path = "recipe.html", whitespace = "minimize")]
struct Page {
    frame: Frame,
    name: String,
    judged: Option<Row>,
    green: Option<Row>,
    green_label: String,
    usually: Option<String>,
    pulls: Vec<Row>,
    history: Vec<Row>,
    first: bool,
    older: Option<i64>,
    /// The badge's address as others see it.
    public_url: String,
}

pub(super) async fn list(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let after = query_value(query.as_deref(), "after").unwrap_or_default();
    let (names, more) = paged(site.service.store().recipe_names(&after, RECIPES as i64 + 1).await?, RECIPES);
    let overviews = site.service.store().overviews(&names, LISTED_PULLS, GLYPHS).await?;
    let mut recipes = Vec::new();
    for (name, overview) in names.iter().zip(overviews) {
        recipes.push(Line::of(name, overview, site.service.usual(name).await?));
    }
    rendered(&List {
        frame: Frame::new(&site, visitor, "recipes").await?,
        organisation: site.options.organisation.clone(),
        recipes,
        after: names.last().filter(|_| more).cloned(),
        first: after.is_empty(),
    })
}

impl Line {
    fn of(name: &str, overview: Overview, usual: Option<Duration>) -> Self {
        let Overview { judged, green, pulls, verdicts } = overview;
        Self {
            name: name.to_owned(),
            judged: judged.map(Row::from),
            green: green.as_ref().map(label).unwrap_or_default(),
            pulls: pulls.into_iter().map(Row::from).collect(),
            glyphs: verdicts.iter().rev().map(|verdict| RunState::of_verdict(verdict)).collect(),
            usually: usual.map(|usual| duration(why::ms(usual))),
        }
    }
}

pub(super) async fn page(
    State(site): Here,
    Extension(visitor): Extension<Visitor>,
    Path(recipe): Path<String>,
    RawQuery(query): RawQuery,
) -> Result<Response, Failed> {
    let name = RecipeName::parse(&recipe).map_err(|_| Failed::NoSuch("recipe of that name"))?;
    let (store, name) = (site.service.store(), name.as_str());
    let before = query_number(query.as_deref(), "before");
    let (history, more) = paged(store.show_runs_of(name, before, HISTORY as i64 + 1).await?, HISTORY);
    if history.is_empty() && before.is_none() && !store.knows_recipe(name).await? {
        return Err(Failed::NoSuch("recipe of that name here"));
    }
    let Overview { judged, green, pulls, .. } =
        store.overviews(&[name.to_owned()], PULLS, 0).await?.pop().unwrap_or_default();
    rendered(&Page {
        frame: Frame::new(&site, visitor, "recipes").await?,
        name: name.to_owned(),
        judged: judged.map(Row::from),
        green_label: green.as_ref().map(label).unwrap_or_default(),
        green: green.map(Row::from),
        usually: site.service.usual(name).await?.map(|usual| duration(why::ms(usual))),
        pulls: pulls.into_iter().map(Row::from).collect(),
        first: before.is_none(),
        older: history.last().filter(|_| more).map(|run| run.number),
        history: history.into_iter().map(Row::from).collect(),
        public_url: site.options.public_url.clone(),
    })
}

/// The version, else the short commit.
pub(super) fn label(run: &Shown) -> String {
    if run.version.is_empty() {
        run.head.as_ref().map_or_else(|| format!("run {}", run.number), |head| head.short().to_owned())
    } else {
        run.version.clone()
    }
}
