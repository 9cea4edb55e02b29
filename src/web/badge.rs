//! A recipe's badge, for its README.

use axum::extract::{Path, State};
use axum::http::header;
use axum::response::{IntoResponse, Response};

use super::Here;
use super::error::Failed;
use super::view::State as RunState;
use crate::domain::ids::RecipeName;

/// Also for a recipe that has no run: a badge that is not there would be a broken picture.
pub(super) async fn badge(State(site): Here, Path(recipe): Path<String>) -> Result<Response, Failed> {
    let name = RecipeName::parse(&recipe).map_err(|_| Failed::NoSuch("recipe of that name"))?;
    let judged = site.service.store().show_last_judged(name.as_str()).await?;
    let (words, colour) = match &judged {
        Some(run) => {
            let state = RunState::of(run);
            let colour = if state.class == "pass" { "#1a7f4b" } else { "#b93527" };
            (format!("{} {} · level {}", state.glyph, state.word, run.level), colour)
        }
        None => ("○ no verdict yet".to_owned(), "#5d636d"),
    };
    let kind = (header::CONTENT_TYPE, "image/svg+xml; charset=utf-8");
    Ok(([kind, (header::CACHE_CONTROL, "public, max-age=60")], svg(&words, colour)).into_response())
}

/// All text is ours; widths are set, so that no font changes them.
fn svg(words: &str, colour: &str) -> String {
    let right = 14 + 7 * u32::try_from(words.chars().count()).unwrap_or(0);
    let (left, text) = (44, right - 14);
    let whole = left + right;
    format!(
        r##"<svg xmlns="http://www.w3.org/2000/svg" width="{whole}" height="20" role="img" aria-label="cc-ci: {words}"><title>cc-ci: {words}</title><clipPath id="r"><rect width="{whole}" height="20" rx="4"/></clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="#1d2025"/><rect x="{left}" width="{right}" height="20" fill="{colour}"/></g><g fill="#fff" font-family="Verdana,DejaVu Sans,sans-serif" font-size="11"><text x="8" y="14" textLength="28" lengthAdjust="spacingAndGlyphs">cc-ci</text><text x="{}" y="14" textLength="{text}" lengthAdjust="spacingAndGlyphs">{words}</text></g></svg>"##,
        left + 7
    )
}
