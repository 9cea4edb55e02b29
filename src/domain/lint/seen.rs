//! What the rules look at: the recipe's files, read once.

use std::collections::{BTreeMap, BTreeSet};

use crate::domain::recipe::abra_sh::AbraSh;
use crate::domain::recipe::compose::{Compose, Service};
use crate::domain::recipe::env::EnvFile;
use crate::domain::recipe::yaml::{self, YamlError};
use crate::domain::recipe::{ABRA_SH, ENV_SAMPLE, RecipeFiles, compose_files};

/// What a rule's function finds.
pub(super) struct Place {
    pub(super) file: String,
    pub(super) at: At,
    /// What tells it from others of the same rule in the same file, over versions.
    pub(super) about: String,
    pub(super) text: String,
    /// The compose file that decides how much it weighs, where that is another one.
    pub(super) weighs_as: Option<String>,
}

/// Where in its file a place is; looked for only when it is told.
pub(super) enum At {
    Key(Vec<String>),
    Words(Vec<String>),
    Line(usize),
    Nowhere,
}

impl Place {
    /// A place somewhere in a file.
    pub(super) fn of(file: &str, about: &str, text: String) -> Self {
        Self { file: file.to_owned(), at: At::Nowhere, about: about.to_owned(), text, weighs_as: None }
    }

    /// The same on that line.
    pub(super) fn on(self, line: Option<usize>) -> Self {
        Self { at: line.map_or(At::Nowhere, At::Line), ..self }
    }

    /// The line, from 1.
    pub(super) fn line(&self, files: &RecipeFiles) -> Option<usize> {
        match &self.at {
            At::Key(path) => yaml::line_of(files.text(&self.file).ok()?, &borrowed(path)),
            At::Words(all) => yaml::line_with(files.text(&self.file).ok()?, &borrowed(all)),
            At::Line(line) => Some(*line),
            At::Nowhere => None,
        }
    }
}

/// One compose file.
pub(super) struct Source {
    pub(super) path: String,
    pub(super) read: Result<(serde_json::Value, Compose), YamlError>,
}

impl Source {
    /// The file, if it can be read.
    pub(super) fn compose(&self) -> Option<&Compose> {
        self.read.as_ref().ok().map(|(_, compose)| compose)
    }

    /// A place at the key of that path.
    pub(super) fn at(&self, path: &[&str], text: String) -> Place {
        let at = At::Key(owned(path));
        Place { at, ..Place::of(&self.path, &path.join("."), text) }
    }

    /// A place at the line with these words.
    pub(super) fn with(&self, words: &[&str], text: String) -> Place {
        let at = At::Words(owned(words));
        Place { at, ..Place::of(&self.path, &words.join(""), text) }
    }
}

fn owned(words: &[&str]) -> Vec<String> {
    words.iter().map(|word| (*word).to_owned()).collect()
}

fn borrowed(words: &[String]) -> Vec<&str> {
    words.iter().map(String::as_str).collect()
}

/// A recipe as the rules see it: as written, nothing interpolated.
pub(super) struct Seen<'a> {
    pub(super) files: &'a RecipeFiles,
    /// Files that `COMPOSE_FILE` selects.
    pub(super) selected: Vec<String>,
    /// All `compose*.yml` files and the selected ones that exist.
    pub(super) sources: Vec<Source>,
    /// The selected ones as one.
    pub(super) merged: Compose,
    /// What is set by `.env.sample`, `abra.sh` or the deploy itself.
    pub(super) variables: BTreeMap<String, String>,
    /// What `.env.sample` documents in comments, and what `abra.sh` computes.
    pub(super) documented: BTreeSet<String>,
    pub(super) sample: EnvFile,
    pub(super) exports: AbraSh,
    /// Tags that are not annotated.
    pub(super) lightweight: &'a [String],
    /// The base and its name; for the base itself there is none.
    pub(super) base: Option<(&'a Seen<'a>, &'a str)>,
}

impl<'a> Seen<'a> {
    pub(super) fn new(files: &'a RecipeFiles, lightweight: &'a [String]) -> Self {
        let sample = EnvFile::parse(files.text_or_empty(ENV_SAMPLE).unwrap_or_default());
        let exports = AbraSh::parse(files.text_or_empty(ABRA_SH).unwrap_or_default());
        let stack = BTreeMap::from([("STACK_NAME".to_owned(), "app_example_com".to_owned())]);
        let mut variables = sample.expand(&stack);
        variables.extend(exports.values());
        let mut documented = sample.documented.clone();
        documented.extend(exports.unreadable.iter().map(|export| export.name.clone()));
        let selected = compose_files(variables.get("COMPOSE_FILE").map(String::as_str));
        let sources: Vec<Source> = paths(files, &selected).into_iter().map(|path| source(files, path)).collect();
        let mut merged = Compose::default();
        for path in &selected {
            if let Some(compose) = sources.iter().find(|source| &source.path == path).and_then(Source::compose) {
                merged.merge(compose.clone());
            }
        }
        Self { files, selected, sources, merged, variables, documented, sample, exports, lightweight, base: None }
    }

    /// Whether a deploy as `.env.sample` stands reads the file.
    pub(super) fn counts(&self, path: &str) -> bool {
        self.selected.iter().any(|selected| selected == path) || matches!(path, ENV_SAMPLE | ABRA_SH)
    }

    /// Whether every selected file can be read, so that what is not there is missing.
    pub(super) fn is_whole(&self) -> bool {
        let readable = |path: &String| self.sources.iter().any(|source| source.path == *path && source.read.is_ok());
        self.selected.iter().all(readable)
    }

    /// The selected files that can be read.
    pub(super) fn selected(&self) -> impl Iterator<Item = (&Source, &Compose)> {
        self.composes().filter(|(source, _)| self.counts(&source.path))
    }

    /// All files that can be read.
    pub(super) fn composes(&self) -> impl Iterator<Item = (&Source, &Compose)> {
        self.sources.iter().filter_map(|source| Some((source, source.compose()?)))
    }

    /// All services of all files.
    pub(super) fn services(&self) -> impl Iterator<Item = (&Source, &String, &Service)> {
        self.composes()
            .flat_map(|(source, compose)| compose.services.iter().map(move |(name, service)| (source, name, service)))
    }

    /// A place in the first selected file that has the service, else in the first selected file.
    pub(super) fn at_service(&self, name: &str, text: String) -> Place {
        let holder = self.selected().find(|(_, compose)| compose.services.contains_key(name));
        match holder {
            Some((source, _)) => source.at(&["services", name], text),
            None => {
                let file = self.selected.first().map_or("", String::as_str);
                Place::of(file, &format!("services.{name}"), text)
            }
        }
    }
}

fn paths(files: &RecipeFiles, selected: &[String]) -> Vec<String> {
    let mut paths: Vec<String> = selected.iter().filter(|path| files.contains(path)).cloned().collect();
    let compose = |path: &str| {
        path.starts_with("compose") && (path.ends_with(".yml") || path.ends_with(".yaml")) && !path.contains('/')
    };
    paths
        .extend(files.iter().map(|(path, _)| path.to_owned()).filter(|path| compose(path) && !selected.contains(path)));
    paths
}

fn source(files: &RecipeFiles, path: String) -> Source {
    let read = match files.text(&path) {
        Ok(text) => yaml::parse(text).and_then(|tree| Compose::read(&tree).map(|compose| (tree, compose))),
        Err(error) => Err(YamlError { line: None, message: error.to_string() }),
    };
    Source { path, read }
}
