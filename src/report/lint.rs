//! What `cc-ci lint` says: for a person, for a program, and as SARIF for editors and forges.

use serde::Serialize;

use super::text::Pen;
use super::{clean, words};
use crate::domain::results::{LintLine, Recipe, Severity, count};

pub use super::sarif::sarif;

/// The number of the shape of `cc-ci lint --json`; it grows when a field changes its meaning or goes.
pub const SCHEMA: u32 = 1;

/// A recipe that was linted.
#[derive(Debug, Clone, PartialEq, Serialize)]
pub struct Linted {
    /// [`SCHEMA`].
    pub schema: u32,
    /// The recipe, its head, and the base that it was compared with.
    pub recipe: Recipe,
    /// How many rules were evaluated.
    pub rules: usize,
    /// How many errors are new; without one the exit code is 0.
    pub new_errors: usize,
    /// What they say.
    pub lint: Vec<LintLine>,
}

impl Linted {
    /// Counts what is new.
    #[must_use]
    pub fn new(recipe: Recipe, rules: usize, lint: Vec<LintLine>) -> Self {
        let new_errors = lint.iter().filter(|line| line.turns_red()).count();
        Self { schema: SCHEMA, recipe, rules, new_errors, lint }
    }
}

/// For a program: see `docs/lint.md`.
///
/// # Errors
/// None that is known: every value can be written.
pub fn json(linted: &Linted) -> serde_json::Result<String> {
    serde_json::to_string_pretty(linted).map(|text| text + "\n")
}

/// For a person: by file, what is new first; what was there already follows in short.
#[must_use]
pub fn text(linted: &Linted, colour: bool) -> String {
    let pen = Pen { colour };
    let recipe = &linted.recipe;
    let mut said = format!("{} {}\n", recipe.name, clean::line(&recipe.head.label()));
    said.push_str(&format!("base: {}\n", clean::line(&words::base_of(recipe, ""))));
    for file in files(&linted.lint) {
        said.push_str(&format!("\n{}\n", pen.bold(&clean::line(file))));
        let mut lines: Vec<&LintLine> = linted.lint.iter().filter(|line| line.new && line.file == file).collect();
        lines.sort_by_key(|line| (line.line, line.severity));
        lines.iter().for_each(|line| said.push_str(&told(line, pen)));
    }
    let mut old: Vec<&LintLine> = linted.lint.iter().filter(|line| !line.new).collect();
    old.sort_by_key(|line| (line.severity, line.file.clone(), line.line));
    if let (false, Some(base)) = (old.is_empty(), &recipe.base) {
        let heading = format!("There already in {}", clean::line(&base.label()));
        said.push_str(&format!("\n{}\n", pen.bold(&heading)));
        for line in old {
            let (place, text) = (clean::line(&line.place()), clean::line(&line.text));
            said.push_str(&format!("  {} {}  {place}: {text}\n", weight(line, pen), line.rule));
        }
    }
    said.push_str(&format!("\n{}\n", sum(linted)));
    said
}

/// The files with new hits, sorted.
fn files(lines: &[LintLine]) -> Vec<&str> {
    let mut files: Vec<&str> = lines.iter().filter(|line| line.new).map(|line| line.file.as_str()).collect();
    files.sort_unstable();
    files.dedup();
    files
}

fn told(line: &LintLine, pen: Pen) -> String {
    let number = line.line.map(|number| number.to_string()).unwrap_or_default();
    let more = [&line.advice, &line.why].map(|text| format!("{:20}{}\n", "", clean::line(text)));
    format!("  {number:>4}  {} {}  {}\n{}", weight(line, pen), line.rule, clean::line(&line.text), more.concat())
}

fn weight(line: &LintLine, pen: Pen) -> String {
    match line.severity {
        Severity::Error => pen.in_class("fail", "error"),
        Severity::Hint => pen.in_class("none", "hint "),
    }
}

fn sum(linted: &Linted) -> String {
    let of = |new: bool| {
        let of = |severity| linted.lint.iter().filter(|line| line.new == new && line.severity == severity).count();
        format!("{}, {}", count(of(Severity::Error), "error", "errors"), count(of(Severity::Hint), "hint", "hints"))
    };
    let rules = count(linted.rules, "rule", "rules");
    match &linted.recipe.base {
        None => format!("{rules}: {}", of(true)),
        Some(_) => format!("{rules}: new: {}; there already: {}", of(true), of(false)),
    }
}
