//! What `cc-ci lint-tests` says: for a person and for a program.

use serde::Serialize;

use super::clean;
use super::text::Pen;
use crate::domain::ids::RecipeName;
use crate::domain::results::{count, duration};
use crate::domain::tests_file::{TestsError, TestsFile};

/// A tests file that was looked at.
#[derive(Debug)]
pub struct Looked {
    /// Where it is, as a person would name it.
    pub file: String,
    /// What it says, where it can be read.
    pub tests: Option<TestsFile>,
    /// The recipe that it was compared with.
    pub recipe: Option<RecipeName>,
    /// What is wrong.
    pub errors: Vec<TestsError>,
}

/// For a program: one object.
///
/// # Errors
/// None that is known: every value can be written.
pub fn json(looked: &Looked) -> serde_json::Result<String> {
    #[derive(Serialize)]
    struct Object<'a> {
        ok: bool,
        file: &'a str,
        errors: &'a [TestsError],
    }
    let object = Object { ok: looked.errors.is_empty(), file: &looked.file, errors: &looked.errors };
    serde_json::to_string_pretty(&object).map(|text| text + "\n")
}

/// For a person: each error with its line and what to write, else what the file declares.
#[must_use]
pub fn text(looked: &Looked, colour: bool) -> String {
    let pen = Pen { colour };
    let file = clean::line(&looked.file);
    if !looked.errors.is_empty() {
        let told = |error: &TestsError| {
            let place = error.line.map_or_else(|| file.clone(), |line| format!("{file}:{line}"));
            format!("{}: {}\n{}", pen.bold(&place), clean::line(&error.what), pen.hint(&error.advice))
        };
        let lines: Vec<String> = looked.errors.iter().map(told).collect();
        return format!("{}\n{}\n", lines.concat(), count(looked.errors.len(), "error", "errors"));
    }
    let declares = looked.tests.as_ref().map(declares).unwrap_or_default();
    let compared = match &looked.recipe {
        Some(recipe) => format!("  all that it names is in the recipe {recipe}\n"),
        None => pen.hint("with --recipe DIR it is also compared with the recipe"),
    };
    format!("{} {}: {declares}\n{compared}", pen.in_class("pass", "✓"), pen.bold(&file))
}

/// What a file declares: `2 seeds, 3 checks, weight 2`.
fn declares(tests: &TestsFile) -> String {
    let TestsFile { host_power, settle, env, secrets, ready, weight, not_applicable, seeds, checks, extras } = tests;
    let counted = [
        (seeds.len(), "seed", "seeds"),
        (checks.len(), "check", "checks"),
        (extras.len(), "extra check", "extra checks"),
        (ready.len(), "ready probe", "ready probes"),
        (env.len(), "variable", "variables"),
        (secrets.len(), "secret", "secrets"),
    ];
    let counted = counted.into_iter().filter(|(n, ..)| *n > 0).map(|(n, one, many)| count(n, one, many));
    let settle = settle.map(|time| format!("settles for {}", duration(time.as_secs() * 1000)));
    let weight = weight.map(|units| format!("weight {units}"));
    let power = host_power.as_ref().map(|_| "host power".to_owned());
    let not_applicable = not_applicable.keys().map(|rung| format!("{} not applicable", rung.name()));
    let said: Vec<String> = counted.chain(weight).chain(settle).chain(power).chain(not_applicable).collect();
    if said.is_empty() { "it says nothing, and a run is as without it".to_owned() } else { said.join(", ") }
}
