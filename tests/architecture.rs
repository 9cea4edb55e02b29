//! The arrows between the layers, as `src/lib.rs` tells them: every `use` and every path of `src/` is looked at, and one that a
//! layer may not have fails the test. What macros hide is not seen.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::fs;
use std::path::{Path, PathBuf};

use syn::spanned::Spanned as _;
use syn::visit::{self, Visit};

/// Our layers; a file's layer is its first folder, or its name.
const LAYERS: [&str; 8] = ["adapters", "cli", "config", "domain", "engine", "report", "runner", "web"];

/// Which layers a layer may use, beside itself. `cli` and `main` may use all.
const ARROWS: [(&str, &[&str]); 7] = [
    ("domain", &[]),
    ("config", &["domain"]),
    ("report", &["domain"]),
    ("adapters", &["domain"]),
    ("engine", &["adapters", "domain", "report"]),
    ("runner", &["adapters", "domain"]),
    ("web", &["adapters", "domain", "engine", "report"]),
];

/// What the domain may not use: async, clocks, input and output.
const IMPURE: [&str; 16] = [
    "tokio",
    "tokio_util",
    "sqlx",
    "reqwest",
    "hyper",
    "bollard",
    "russh",
    "axum",
    "std::fs",
    "std::net",
    "std::process",
    "std::env",
    "std::time::SystemTime",
    "std::time::Instant",
    "jiff::Timestamp::now",
    "jiff::Zoned::now",
];

/// A path that a file may not have.
#[derive(Debug, PartialEq, Eq)]
struct Wrong {
    line: usize,
    path: String,
}

#[test]
fn arrows_point_one_way() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut said = Vec::new();
    for file in rust_files(&root) {
        let name = file.strip_prefix(&root).unwrap();
        let text = fs::read_to_string(&file).unwrap();
        said.extend(
            wrong_paths(name, &text).iter().map(|it| format!("src/{}:{}: {}", name.display(), it.line, it.path)),
        );
    }
    assert!(said.is_empty(), "these layers may not use these paths:\n{}", said.join("\n"));
}

#[test]
fn wrong_uses_are_caught_in_each_layer() {
    let wrong = [
        ("domain/a.rs", "use std::{collections::BTreeMap, fs::File};", "std::fs::File"),
        ("domain/a.rs", "fn a() { let _ = jiff::Timestamp::now(); }", "jiff::Timestamp::now"),
        ("domain/a.rs", "use jiff::Timestamp; fn a() { let _ = Timestamp::now(); }", "jiff::Timestamp::now"),
        ("domain/a.rs", "use std::time::Instant as Clock;", "std::time::Instant"),
        ("domain/a.rs", "use std::time; fn a() { time::SystemTime::now(); }", "std::time::SystemTime::now"),
        ("domain/a.rs", "async fn a() { tokio::task::yield_now().await }", "tokio::task::yield_now"),
        ("domain/a.rs", "use super::super::engine::plan;", "crate::engine::plan"),
        ("domain/a/b.rs", "fn a(_: super::super::super::cli::X) {}", "crate::cli::X"),
        ("domain/a/mod.rs", "use super::super::adapters::*;", "crate::adapters::*"),
        ("domain/a.rs", "mod tests { use super::super::super::runner; }", "crate::runner"),
        ("domain/mod.rs", "use super::config::X;", "crate::config::X"),
        ("domain/a.rs", "use ::sqlx::Row;", "sqlx::Row"),
        ("config.rs", "use crate::adapters::git;", "crate::adapters::git"),
        ("report/a.rs", "use crate::{domain::x, engine::y};", "crate::engine::y"),
        ("adapters/docker/a.rs", "use crate::config::X;", "crate::config::X"),
        ("engine/run/a.rs", "use crate::cli::X;", "crate::cli::X"),
        ("engine/a.rs", "use crate::runner;", "crate::runner"),
        ("runner/a.rs", "fn a() { crate::engine::b() }", "crate::engine::b"),
    ];
    for (file, text, path) in wrong {
        let found = wrong_paths(Path::new(file), text);
        assert!(found.iter().any(|it| it.line == 1 && it.path == path), "{file}: {text}: {found:?}");
    }
}

#[test]
fn right_uses_are_let_through() {
    let right = [
        ("domain/a.rs", "use super::b::C; use jiff::Timestamp; use std::time::Duration; mod fs {} use self::fs::X;"),
        ("domain/a.rs", "fn a(now: jiff::Timestamp) { crate::domain::b::c(now); tokio_like::x(); }"),
        ("config.rs", "use std::fs; use crate::domain::target::Target;"),
        ("engine/run/a.rs", "use super::super::plan::Plan; use crate::adapters::git; use crate::report;"),
        ("runner/a.rs", "use crate::domain::protocol::X; use tokio::fs;"),
        ("cli/a.rs", "use crate::engine::plan; use crate::runner; use crate::config;"),
        ("main.rs", "fn main() { cc_ci::cli::main() }"),
    ];
    for (file, text) in right {
        assert_eq!(wrong_paths(Path::new(file), text), [], "{file}: {text}");
    }
}

/// The paths in a file that its layer may not have. `file` is relative to `src`.
fn wrong_paths(file: &Path, text: &str) -> Vec<Wrong> {
    let module = module_of(file);
    let Some(layer) = module.first().cloned() else {
        return Vec::new();
    };
    let syntax = syn::parse_file(text).unwrap_or_else(|error| panic!("{}: {error}", file.display()));
    let mut paths = Paths { module, imported: Vec::new(), found: Vec::new() };
    paths.visit_file(&syntax);
    paths.found.into_iter().filter(|found| is_wrong(&layer, &found.path)).collect()
}

fn is_wrong(layer: &str, path: &str) -> bool {
    let Some((_, allowed)) = ARROWS.iter().find(|(name, _)| *name == layer) else {
        return false;
    };
    let wrong_layer = path
        .strip_prefix("crate::")
        .and_then(|rest| rest.split("::").next())
        .is_some_and(|used| LAYERS.contains(&used) && used != layer && !allowed.contains(&used));
    let impure = || IMPURE.iter().any(|it| path == *it || path.starts_with(&format!("{it}::")));
    wrong_layer || (layer == "domain" && impure())
}

/// `domain/a.rs` and `domain/a/mod.rs` are the module `domain::a`; `lib.rs` and `main.rs` are the crate.
fn module_of(file: &Path) -> Vec<String> {
    let words = file.with_extension("");
    let words = words.iter().map(|word| word.to_string_lossy().into_owned());
    words.filter(|word| !["mod", "lib", "main"].contains(&word.as_str())).collect()
}

/// Collects every path, resolved: relative ones to the crate, and those that begin with an imported name to what was imported.
struct Paths {
    module: Vec<String>,
    imported: Vec<(String, String)>,
    found: Vec<Wrong>,
}

impl Paths {
    fn add(&mut self, line: usize, path: &[String]) {
        let path = self.resolved(path);
        self.found.push(Wrong { line, path });
    }

    fn resolved(&self, path: &[String]) -> String {
        let ups = path.iter().take_while(|word| *word == "super").count();
        let rest = match path.first().map(String::as_str) {
            Some("self") => &path[1..],
            Some("super") => &path[ups..],
            Some(first) => {
                let imported = self.imported.iter().find(|(name, _)| name == first);
                let first = imported.map_or(first, |(_, whole)| whole);
                return [&[first.to_owned()], &path[1..]].concat().join("::");
            }
            None => return String::new(),
        };
        let own = self.module.iter().take(self.module.len().saturating_sub(ups)).cloned();
        let whole: Vec<String> = std::iter::once("crate".to_owned()).chain(own).chain(rest.iter().cloned()).collect();
        whole.join("::")
    }

    fn walk(&mut self, before: &[String], tree: &syn::UseTree) {
        let with = |word: String| [before, &[word]].concat();
        match tree {
            syn::UseTree::Path(path) => self.walk(&with(path.ident.to_string()), &path.tree),
            syn::UseTree::Name(name) if name.ident == "self" => self.import(before, None, name.span().start().line),
            syn::UseTree::Name(name) => self.import(&with(name.ident.to_string()), None, name.span().start().line),
            syn::UseTree::Rename(it) => {
                self.import(&with(it.ident.to_string()), Some(it.rename.to_string()), it.span().start().line);
            }
            syn::UseTree::Glob(star) => self.add(star.span().start().line, &with("*".to_owned())),
            syn::UseTree::Group(group) => group.items.iter().for_each(|item| self.walk(before, item)),
        }
    }

    fn import(&mut self, path: &[String], name: Option<String>, line: usize) {
        self.add(line, path);
        let name = name.or_else(|| path.last().cloned()).unwrap_or_default();
        let whole = self.resolved(path);
        self.imported.push((name, whole));
    }
}

impl<'a> Visit<'a> for Paths {
    fn visit_item_use(&mut self, item: &'a syn::ItemUse) {
        self.walk(&[], &item.tree);
    }

    fn visit_path(&mut self, path: &'a syn::Path) {
        let words: Vec<String> = path.segments.iter().map(|segment| segment.ident.to_string()).collect();
        self.add(path.span().start().line, &words);
        visit::visit_path(self, path);
    }

    fn visit_item_mod(&mut self, module: &'a syn::ItemMod) {
        self.module.push(module.ident.to_string());
        // What is imported outside is not a name inside.
        let outside = std::mem::take(&mut self.imported);
        visit::visit_item_mod(self, module);
        self.imported = outside;
        self.module.pop();
    }
}

fn rust_files(folder: &Path) -> Vec<PathBuf> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            files.extend(rust_files(&path));
        } else if path.extension().is_some_and(|it| it == "rs") {
            files.push(path);
        }
    }
    files
}
