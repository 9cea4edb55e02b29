//! `cc-ci lint`: what a recipe's files alone tell.

use std::io::Write as _;

use clap::Args;

use super::Exit;
use crate::adapters::git;
use crate::domain::lint::{RULES, Severity, lint as lint_files};
use crate::domain::recipe::files::RecipeFiles;
use crate::domain::results::count;

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recipe: a directory, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
}

pub(super) async fn lint(arguments: Arguments) -> anyhow::Result<Exit> {
    let source = git::read(&arguments.recipe).await?;
    let errors = say_hits(&source.files)?;
    Ok(if errors > 0 { Exit::Red } else { Exit::Fine })
}

fn say_hits(files: &RecipeFiles) -> anyhow::Result<usize> {
    let hits = lint_files(files);
    let mut out = std::io::stdout().lock();
    for hit in &hits {
        let place = hit.line.map_or_else(|| hit.file.clone(), |line| format!("{}:{line}", hit.file));
        let word = match hit.severity {
            Severity::Error => "error",
            Severity::Hint => "hint",
        };
        writeln!(out, "{place}: {word} {}: {}\n    {}", hit.rule, hit.text, hit.advice)?;
    }
    let errors = hits.iter().filter(|hit| hit.severity == Severity::Error).count();
    let (wrong, said) = (count(errors, "error", "errors"), count(hits.len() - errors, "hint", "hints"));
    writeln!(out, "{} rules, {wrong}, {said}", RULES.len())?;
    Ok(errors)
}
