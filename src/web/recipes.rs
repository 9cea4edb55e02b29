//! The recipes that are watched, and one recipe: where it stands, its pull requests, its history.

use askama::Template;
use axum::Extension;
use axum::extract::{Path, RawQuery, State};
use axum::response::Response;

use super::error::Failed;
use super::frame::Frame;
use super::view::{Row, State as RunState, paged, query_number, query_value};
use super::visitor::Visitor;
use super::{Here, Site, rendered, why};
use crate::adapters::store::Shown;
use crate::domain::ids::RecipeName;
use crate::domain::results::duration;

const RECIPES: usize = 30;
const HISTORY: usize = 25;
const PULLS: i64 = 8;
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
    let mut recipes = Vec::new();
    for name in &names {
        recipes.push(line(&site, name).await?);
    }
    rendered(&List {
        frame: Frame::new(&site, visitor, "recipes").await?,
        organisation: site.options.organisation.clone(),
        recipes,
        after: names.last().filter(|_| more).cloned(),
        first: after.is_empty(),
    })
}

async fn line(site: &Site, name: &str) -> Result<Line, Failed> {
    let store = site.service.store();
    let recent = store.show_runs_of(name, None, GLYPHS).await?;
    Ok(Line {
        name: name.to_owned(),
        judged: store.show_last_judged(name).await?.map(Row::from),
        green: store.show_last_green(name).await?.as_ref().map(label).unwrap_or_default(),
        pulls: store.show_pulls_of(name, 3).await?.into_iter().map(Row::from).collect(),
        glyphs: recent.iter().rev().filter(|run| run.verdict.is_some()).map(RunState::of).collect(),
        usually: site.service.usual(name).await?.map(|usual| duration(why::ms(usual))),
    })
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
    let green = store.show_last_green(name).await?;
    rendered(&Page {
        frame: Frame::new(&site, visitor, "recipes").await?,
        name: name.to_owned(),
        judged: store.show_last_judged(name).await?.map(Row::from),
        green_label: green.as_ref().map(label).unwrap_or_default(),
        green: green.map(Row::from),
        usually: site.service.usual(name).await?.map(|usual| duration(why::ms(usual))),
        pulls: store.show_pulls_of(name, PULLS).await?.into_iter().map(Row::from).collect(),
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
