//! Rules about the repository as a whole.

use std::collections::BTreeMap;

use super::seen::{Place, Seen};
use crate::domain::deployment::{Facts, plan};
use crate::domain::ids::{DomainName, RecipeName, StackName};
use crate::domain::recipe::ENV_SAMPLE;
use crate::domain::results::count;

const README: &str = "README.md";
/// Where the tags of a repository are.
const TAGS: &str = "refs/tags";

pub(super) fn metadata(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let Ok(text) = seen.files.text(README) else {
        places.push(Place::of(README, "", "there is no `README.md` with metadata".to_owned()));
        return;
    };
    let block = text.split_once("<!-- metadata -->").and_then(|(_, behind)| behind.split_once("<!-- endmetadata -->"));
    if block.is_none() {
        let text = "there is no block between `<!-- metadata -->` and `<!-- endmetadata -->`";
        places.push(Place::of(README, "", text.to_owned()).on(Some(1)));
    }
}

pub(super) fn env_sample(seen: &Seen<'_>, places: &mut Vec<Place>) {
    if !seen.files.contains(ENV_SAMPLE) {
        places.push(Place::of(ENV_SAMPLE, "", "there is no `.env.sample`".to_owned()));
    }
}

pub(super) fn annotated_tags(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let Some(first) = seen.lightweight.first() else { return };
    let (number, more) = (count(seen.lightweight.len(), "tag is", "tags are"), seen.lightweight.len() - 1);
    let others = if more == 0 { String::new() } else { format!(" and {more} more") };
    let text = format!("{number} lightweight, not annotated: `{first}`{others}");
    places.push(Place::of(TAGS, "", text));
}

/// The rule that asks only when no other found an error.
pub(super) const DEPLOYABLE: &str = "C027";

pub(super) fn deployable(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let named = DomainName::parse("app.example.com").and_then(|domain| {
        let (stack, recipe) = (StackName::of_domain(&domain)?, RecipeName::parse("recipe")?);
        let (forced, overrides) = (BTreeMap::new(), BTreeMap::new());
        Ok(Facts { stack, domain, recipe, commit: "00000000".to_owned(), forced, overrides })
    });
    let Ok(facts) = named else { return };
    if let Err(error) = plan(seen.files, &facts) {
        let file = error.file.as_deref().or(seen.selected.first().map(String::as_str)).unwrap_or_default();
        places.push(Place::of(file, &error.what, format!("{}; {}", error.what, error.advice)).on(error.line));
    }
}
