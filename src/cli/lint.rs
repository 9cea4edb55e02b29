//! `cc-ci lint`: what a recipe's files alone tell.

use std::io::Write as _;

use clap::Args;

use super::{Exit, colour};
use crate::adapters::git;
use crate::domain::lint::{Around, RULES, lint as lint_files};
use crate::domain::recipe::selected::Selected;
use crate::domain::results::Recipe;
use crate::engine::base;
use crate::report::lint::{Linted, json, sarif, text};

const AFTER_HELP: &str = "\
An error provably stops a deploy or an upgrade; everything else is a hint. Only errors that are new since the base make a
run red, and this command exit with 1: what was there before is listed apart. The base is the newest tag that is older than
the recipe's own version label; `cc-ci plan` tells how it was chosen. Without a base everything is new.

  cc-ci lint .                                          what is wrong here, and what to do about it
  cc-ci lint . --base main                              what this branch adds
  cc-ci lint https://forge.example/org/recipe@1.2.0+3.4
  cc-ci lint . --sarif > lint.sarif                     for editors and forges that show SARIF

docs/lint.md lists all rules with their reasons. Exit codes: 0 no new error, 1 new errors, 2 wrong usage.";

#[derive(Debug, Args)]
#[command(after_help = AFTER_HELP)]
pub(super) struct Arguments {
    /// The recipe: a directory as it is, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
    /// The older version to compare with, a tag, branch or commit [default: the newest tag older than the recipe's version]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// For programs: one JSON object, described in docs/lint.md
    #[arg(long, conflicts_with = "sarif")]
    json: bool,
    /// For editors and forges: SARIF 2.1.0
    #[arg(long)]
    sarif: bool,
}

pub(super) async fn lint(arguments: Arguments) -> anyhow::Result<Exit> {
    let linted = linted(&arguments).await?;
    let mut out = std::io::stdout().lock();
    let said = match (arguments.json, arguments.sarif) {
        (true, _) => json(&linted)?,
        (false, true) => sarif(&linted)?,
        (false, false) => text(&linted, colour()),
    };
    out.write_all(said.as_bytes())?;
    Ok(exit(&linted))
}

async fn linted(arguments: &Arguments) -> anyhow::Result<Linted> {
    let opened = git::open(&arguments.recipe).await?;
    let base = base::find(&opened, arguments.base.as_deref(), &[]).await?;
    let (found, source) = (&base.resolution, opened.source);
    let around = Around {
        base: base.files.as_ref(),
        base_name: found.base.as_ref().map_or("the base", |base| &base.name),
        lightweight: &found.lightweight,
    };
    let mut head = source.revision;
    head.version = Selected::read(&source.files, &[].into()).version().map(|version| version.to_string());
    let lines = lint_files(&source.files, &around).into_iter().map(Into::into).collect();
    Ok(Linted::new(Recipe::new(source.name, head, Some(found)), RULES.len(), lines))
}

const fn exit(linted: &Linted) -> Exit {
    if linted.new_errors > 0 { Exit::Red } else { Exit::Fine }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::git::fixture::Repository;

    /// The recipe `notes` of our tests with a fault that is published, and two more since.
    fn with_faults() -> Repository {
        let repository = Repository::new();
        let notes = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/notes");
        for file in std::fs::read_dir(notes).unwrap().flatten() {
            std::fs::copy(file.path(), repository.place().join(file.file_name())).unwrap();
        }
        let compose = std::fs::read_to_string(repository.place().join("compose.yml")).unwrap();
        let old = compose.replace("start_period: 30s", "start_period: ${TIMEOUT}s");
        repository.write("compose.yml", &old);
        repository.commit("first", "1.0.0+1.0.0");
        let head = old.replace("1.0.0+1.0.0", "1.1.0+1.0.0").replace("interval: 2s", "interval: ${TIMEOUT}s");
        repository.write("compose.yml", &head);
        let conf = std::fs::read_to_string(repository.place().join("app.conf.tmpl")).unwrap();
        repository.write("app.conf.tmpl", &format!("{conf}# changed\n"));
        repository.commit("second", "");
        repository
    }

    async fn of(repository: &Repository, base: Option<&str>) -> Linted {
        let recipe = repository.place().to_str().unwrap().to_owned();
        let mut linted =
            linted(&Arguments { recipe, base: base.map(str::to_owned), json: false, sarif: false }).await.unwrap();
        // Commits have another id each time.
        let commits = linted.recipe.base.iter_mut().map(|base| &mut base.commit);
        commits.for_each(|commit| *commit = crate::domain::ids::CommitSha::parse(&"61be90ab".repeat(5)).ok());
        linted
    }

    #[tokio::test]
    async fn s13_s14_new_errors_are_told_apart_and_only_they_count() {
        let repository = with_faults();
        let told = of(&repository, None).await;
        let red: Vec<_> =
            told.lint.iter().filter(|line| line.turns_red()).map(|line| (&*line.rule, line.place())).collect();
        assert_eq!(red, [("C007", "compose.yml:20".to_owned()), ("C024", "abra.sh:1".to_owned())]);
        assert_eq!(exit(&told), Exit::Red);
        insta::assert_snapshot!(text(&told, false));
        // The published fault alone is no reason to be red.
        repository.git(&["checkout", "-q", "1.0.0+1.0.0"]);
        let compose = std::fs::read_to_string(repository.place().join("compose.yml")).unwrap();
        repository.write("compose.yml", &format!("# a line more\n{}", compose.replace("1.0.0+1.0.0", "1.0.1+1.0.0")));
        let told = of(&repository, None).await;
        let errors: Vec<_> = told.lint.iter().filter(|line| line.advice.contains("start_period")).collect();
        assert!(matches!(errors.as_slice(), [one] if !one.new), "{errors:?}");
        assert_eq!(exit(&told), Exit::Fine);
        // Compared with nothing, it is.
        std::fs::remove_dir_all(repository.place().join(".git")).unwrap();
        assert_eq!(exit(&of(&repository, None).await), Exit::Red);
    }

    #[tokio::test]
    async fn programs_get_the_same_as_people() {
        let repository = with_faults();
        let told = of(&repository, Some("HEAD")).await;
        assert_eq!((told.new_errors, told.recipe.base_why.as_str()), (0, "asked for"));
        let told = of(&repository, None).await;
        let value: serde_json::Value = serde_json::from_str(&json(&told).unwrap()).unwrap();
        assert_eq!((value["schema"].as_u64(), value["new_errors"].as_u64()), (Some(1), Some(2)));
        assert_eq!(value["recipe"]["base"]["version"], "1.0.0+1.0.0");
        assert_eq!(value["lint"].as_array().unwrap().len(), told.lint.len());
        let log: serde_json::Value = serde_json::from_str(&sarif(&told).unwrap()).unwrap();
        let states = log["runs"][0]["results"].as_array().unwrap().iter().map(|result| &result["baselineState"]);
        assert_eq!(states.filter(|state| *state == "new").count(), told.lint.iter().filter(|line| line.new).count());
    }
}
