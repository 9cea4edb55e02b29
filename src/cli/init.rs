//! `cc-ci init`: a first tests file for a recipe.

use std::fs::{self, File};
use std::io::{self, Write as _};
use std::path::{Path, PathBuf};

use clap::Args;

use super::lint_tests::{PlaceError, recipe};
use super::{Exit, plan};
use crate::domain::tests_file::{OWN_FILE, TestsFile, propose};

const AFTER_HELP: &str = "\
It is made from the compose files that the recipe selects: a page of each host, a port of each database, and examples to adapt.
A recipe without tests file is tested, too: the file adds what cc-ci cannot know.

  cc-ci init path/to/recipe                               writes tests/cc-ci.toml in it
  cc-ci init path/to/recipe --print                       shows it only
  cc-ci init recipe --print > tests/recipe/cc-ci.toml     for a tests repository

Exit codes: 0 written or shown, 2 wrong usage: there is one already, or the folder is no recipe that can be deployed.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The recipe's folder
    #[arg(value_name = "DIR")]
    recipe: PathBuf,
    /// Write to standard output, and to no file
    #[arg(long)]
    print: bool,
}

pub(super) async fn init(arguments: Arguments) -> anyhow::Result<Exit> {
    let text = proposed(&arguments.recipe).await?;
    let mut out = io::stdout().lock();
    if arguments.print {
        out.write_all(text.as_bytes())?;
    } else {
        let path = written(&arguments.recipe, &text)?;
        writeln!(out, "wrote {}\nnext: cc-ci lint-tests {}", path.display(), arguments.recipe.display())?;
    }
    Ok(Exit::Fine)
}

async fn proposed(folder: &Path) -> anyhow::Result<String> {
    let source = recipe(folder).await?;
    let (deployment, domain) = plan::nowhere_planned(&source, &TestsFile::default())?;
    Ok(propose(&source.name, &deployment, &domain))
}

/// Writes the file where there is none.
fn written(recipe: &Path, text: &str) -> Result<PathBuf, PlaceError> {
    let path = recipe.join(OWN_FILE);
    let failed = |source| PlaceError::File { path: path.clone(), source };
    if let Some(folder) = path.parent() {
        fs::create_dir_all(folder).map_err(failed)?;
    }
    let mut file = match File::create_new(&path) {
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => return Err(PlaceError::Exists(path)),
        made => made.map_err(failed)?,
    };
    file.write_all(text.as_bytes()).map_err(failed)?;
    Ok(path)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn it_is_written_once() {
        let folder = tempfile::tempdir().unwrap();
        let good = folder.path().join("good");
        fs::create_dir(&good).unwrap();
        let error = proposed(&good).await.unwrap_err();
        assert_eq!((super::super::complain(&error), error.to_string().contains("no recipe")), (Exit::Usage, true));
        let shipped = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/good");
        for name in ["compose.yml", ".env.sample"] {
            fs::copy(shipped.join(name), good.join(name)).unwrap();
        }
        let text = proposed(&good).await.unwrap();
        assert_eq!(TestsFile::read(&text).unwrap().checks.len(), 1);
        let path = written(&good, &text).unwrap();
        let error = written(&good, "another").unwrap_err();
        assert!(error.to_string().contains("left as it is"), "{error}");
        assert_eq!(fs::read_to_string(path).unwrap(), text);
        assert_eq!(super::super::complain(&error.into()), Exit::Usage);
    }
}
