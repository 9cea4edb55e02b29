//! `report.html`: one file that needs nothing else, works without JavaScript and from a disk.
//!
//! The page forbids itself every script and every request (Content-Security-Policy in its head), so that even a mistake
//! in escaping could not act.

use askama::Template;

use super::body::{self, Body, Excerpt, Files, Limits, utc};
use super::clean;
use super::words::{self, Shown};
use crate::domain::log::Record;
use crate::domain::results::Results;

/// The page.
#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Page<'a> {
    results: &'a Results,
    verdict: Shown,
    label: String,
    started: String,
    head: String,
    evidence: String,
    version: &'static str,
}

/// The report of a run as one self-contained HTML file. It lies beside `results.json` and `log.jsonl` and links to them.
///
/// # Errors
/// When the template cannot be rendered, which would be a mistake in it.
pub fn html(results: &Results, log: &[Record]) -> Result<String, askama::Error> {
    let files = Files::beside();
    let Body { head, evidence } = body::body(results, &Excerpt::whole(log), Limits::FILE, &files)?;
    let page = Page {
        results,
        verdict: words::verdict(results.verdict),
        label: results.recipe.head.label(),
        started: utc(results.started),
        head,
        evidence,
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(clean::page(page.render()?))
}

#[cfg(test)]
mod tests;
