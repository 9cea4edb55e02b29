//! `cc-ci lint-tests`: whether a tests file can be used, before a run says so.

use std::fs::File;
use std::io::{self, Read as _, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::{Exit, colour, plan};
use crate::adapters::git::{self, Source};
use crate::domain::deployment::PlanError;
use crate::domain::recipe::{ABRA_SH, COMPOSE_YML};
use crate::domain::tests_file::{FILE, LARGEST, OWN_FILE, TestsError, TestsFile, against};
use crate::report::lint_tests::{Looked, json, text};

const AFTER_HELP: &str = "\
A tests file with an error judges nobody: the run is not judged, and says which line. This tells it before. With a recipe it
also tells what the file names and the recipe does not have: services, functions of abra.sh, hosts, secrets.

  cc-ci lint-tests path/to/recipe                          its tests/cc-ci.toml, compared with the recipe
  cc-ci lint-tests tests/notes                             tests/notes/cc-ci.toml, as in a tests repository
  cc-ci lint-tests tests/notes --recipe path/to/recipe     the same, compared with the recipe
  cc-ci lint-tests . --json                                for programs: {ok, file, errors: [{line, what, advice}]}

docs/recipe-maintainers.md lists what can be written. Exit codes: 0 nothing is wrong, 1 something is, 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The file; or its folder: a recipe, or a folder with cc-ci.toml
    #[arg(value_name = "DIR|FILE")]
    place: PathBuf,
    /// The recipe to compare it with [default: DIR, where that is a recipe]
    #[arg(long, value_name = "DIR")]
    recipe: Option<PathBuf>,
    /// For programs: one JSON object
    #[arg(long)]
    json: bool,
}

/// What was given has no tests file, or is no recipe.
#[derive(Debug, thiserror::Error)]
pub(super) enum PlaceError {
    #[error("{path}: {source}")]
    File { path: PathBuf, source: io::Error },
    #[error("there is no {0}\nhint: `cc-ci init` proposes a first one for a recipe")]
    NoTests(PathBuf),
    #[error("{0} is no recipe: it has no {COMPOSE_YML}")]
    NoRecipe(PathBuf),
    #[error("{0} is there already, and was left as it is\nhint: --print shows a new one")]
    Exists(PathBuf),
}

pub(super) async fn lint_tests(arguments: Arguments) -> anyhow::Result<Exit> {
    let looked = looked(&arguments).await?;
    let mut out = io::stdout().lock();
    let said = if arguments.json { json(&looked)? } else { text(&looked, colour()) };
    out.write_all(said.as_bytes())?;
    Ok(if looked.errors.is_empty() { Exit::Fine } else { Exit::Red })
}

async fn looked(arguments: &Arguments) -> anyhow::Result<Looked> {
    let path = place(&arguments.place)?;
    let text = text_of(&path).map_err(|source| PlaceError::File { path: path.clone(), source })?;
    let own = is_recipe(&arguments.place).then_some(&arguments.place);
    let source = match arguments.recipe.as_ref().or(own) {
        Some(folder) => Some(recipe(folder).await?),
        None => None,
    };
    let (tests, errors) = match (TestsFile::read(&text), &source) {
        (Err(error), _) => (None, vec![error]),
        (Ok(tests), None) => (Some(tests), Vec::new()),
        (Ok(tests), Some(source)) => {
            let errors = compared(&tests, source)?;
            (Some(tests), errors)
        }
    };
    Ok(Looked { file: path.display().to_string(), tests, recipe: source.map(|source| source.name), errors })
}

fn compared(tests: &TestsFile, source: &Source) -> anyhow::Result<Vec<TestsError>> {
    let abra_sh = source.files.text_or_empty(ABRA_SH).unwrap_or_default();
    match plan::nowhere_planned(source, tests) {
        Ok((deployment, domain)) => Ok(against(tests, &deployment, &domain, abra_sh)),
        Err(error) => {
            // Perhaps by `[env]`, which selects compose files.
            let what = format!("the recipe cannot be deployed with it: {}", error.downcast::<PlanError>()?);
            let advice = "Mend the recipe, or `[env]` of the tests file.".to_owned();
            Ok(vec![TestsError { line: None, what, advice }])
        }
    }
}

/// The file that was meant.
fn place(given: &Path) -> Result<PathBuf, PlaceError> {
    let path = match (given.is_dir(), is_recipe(given)) {
        (true, true) => given.join(OWN_FILE),
        (true, false) => given.join(FILE),
        (false, _) => given.to_owned(),
    };
    if path.is_file() { Ok(path) } else { Err(PlaceError::NoTests(path)) }
}

fn is_recipe(folder: &Path) -> bool {
    folder.join(COMPOSE_YML).is_file()
}

/// The recipe in a folder, as it is.
pub(super) async fn recipe(folder: &Path) -> anyhow::Result<Source> {
    if !is_recipe(folder) {
        return Err(PlaceError::NoRecipe(folder.to_owned()).into());
    }
    Ok(git::read(&folder.to_string_lossy()).await?)
}

/// The text of a tests file: one byte more than is allowed, so that the reader can tell.
pub(super) fn text_of(path: &Path) -> io::Result<String> {
    let mut bytes = Vec::new();
    File::open(path)?.take(LARGEST as u64 + 1).read_to_end(&mut bytes)?;
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;

    fn arguments(place: PathBuf) -> Arguments {
        Arguments { place, recipe: None, json: false }
    }

    /// The recipe `notes` of our tests, with this tests file.
    fn notes(tests: &str) -> (tempfile::TempDir, PathBuf) {
        let folder = tempfile::tempdir().unwrap();
        let notes = folder.path().join("notes");
        fs::create_dir_all(notes.join("tests")).unwrap();
        for file in fs::read_dir(Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/notes")).unwrap().flatten() {
            fs::copy(file.path(), notes.join(file.file_name())).unwrap();
        }
        fs::write(notes.join(OWN_FILE), tests).unwrap();
        (folder, notes)
    }

    /// What is said of that file, with the folder left out.
    async fn said(tests: &str) -> String {
        let (folder, notes) = notes(tests);
        let looked = looked(&arguments(notes)).await.unwrap();
        text(&looked, false).replace(&format!("{}/", folder.path().display()), "")
    }

    #[tokio::test]
    async fn what_a_file_declares_and_what_is_wrong_with_it() {
        let whole = "weight = 2\nnot_applicable = { upgrade = 'new' }\n[env]\nTITLE = 'x'\n[[ready]]\nhttp = { path = '/' }\n\
                     [[check]]\nname = 'a'\nhttp = { path = '/' }\n[[check]]\nname = 'b'\ntcp = { service = 'db', port = 5432 }\n";
        let cases = [
            whole,
            "",
            "weight = 1\nready = 5",
            "[[check]]\nname = 'a'\ntcp = { service = 'cache', port = 6379 }",
            "env = { COMPOSE_FILE = 'compose.gone.yml' }",
        ];
        let mut all = Vec::new();
        for tests in cases {
            all.push(said(tests).await);
        }
        insta::assert_snapshot!(all.join("---\n"));
    }

    #[tokio::test]
    async fn a_folder_of_a_tests_repository_is_compared_only_when_asked() {
        let (folder, notes) = notes("");
        let file = folder.path().join(FILE);
        fs::write(&file, "[[check]]\nname = 'a'\ntcp = { service = 'cache', port = 6379 }").unwrap();
        for place in [folder.path().to_owned(), file] {
            let alone = arguments(place);
            assert!(looked(&alone).await.unwrap().errors.is_empty());
            let compared = Arguments { recipe: Some(notes.clone()), ..alone };
            let looked = looked(&compared).await.unwrap();
            let value: serde_json::Value = serde_json::from_str(&json(&looked).unwrap()).unwrap();
            assert_eq!((&value["ok"], &value["errors"][0]["line"]), (&false.into(), &serde_json::Value::Null));
            assert!(value["errors"][0]["advice"].as_str().unwrap().contains("db"), "{value}");
        }
    }

    #[tokio::test]
    async fn where_there_is_nothing_to_read_the_usage_is_wrong() {
        let folder = tempfile::tempdir().unwrap();
        for place in [folder.path().to_owned(), folder.path().join("x.toml")] {
            let error = looked(&arguments(place)).await.unwrap_err();
            assert_eq!(super::super::complain(&error), Exit::Usage);
        }
        fs::write(folder.path().join(FILE), "").unwrap();
        let no_recipe = Arguments { recipe: Some(folder.path().to_owned()), ..arguments(folder.path().to_owned()) };
        assert!(looked(&no_recipe).await.unwrap_err().to_string().contains("is no recipe"));
    }
}
