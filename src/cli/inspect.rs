//! `cc-ci plan` and `cc-ci lint`: what can be said without touching anything.

use std::io::Write as _;

use clap::Args;

use super::{Exit, Places};
use crate::adapters::git;
use crate::config;
use crate::domain::ids::{DomainName, RunId, TargetName};
use crate::domain::lint::{RULES, Severity, lint as lint_files};
use crate::domain::recipe::files::RecipeFiles;
use crate::domain::results::count;
use crate::domain::target::{Endpoint, Role, Target};
use crate::domain::tests_file::TestsFile;
use crate::engine::plan::{Limits, Plan};

#[derive(Debug, Args)]
pub(super) struct PlanArguments {
    /// The recipe: a directory, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
    /// Show the names that a run on this target would have
    #[arg(long)]
    target: Option<String>,
    #[command(flatten)]
    places: Places,
}

#[derive(Debug, Args)]
pub(super) struct LintArguments {
    /// The recipe: a directory, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
}

pub(super) async fn plan(arguments: PlanArguments) -> anyhow::Result<Exit> {
    let source = git::read(&arguments.recipe).await?;
    let target = match &arguments.target {
        Some(word) => config::target(word, &arguments.places.targets())?,
        None => nowhere()?,
    };
    let run = RunId::from_random(*b"\0\0\0\0\0\0\0\0\0\0\0\0");
    let plan = Plan::new(run, &source, &target, None, Limits::default(), None)?;
    let deployment = plan.deployment(&source.files, &target, &TestsFile::default())?;
    let mut out = std::io::stdout().lock();
    let version = deployment.version.as_ref().map_or_else(|| "no version label".to_owned(), ToString::to_string);
    writeln!(out, "{} {version} ({})", source.name, source.chaos_version)?;
    writeln!(out, "base: none; upgrade, backup and checks are not in this version")?;
    writeln!(out, "\ndeploy  {} as https://{}", plan.stack, plan.domain)?;
    writeln!(out, "  files    {}", deployment.compose_files.join(", "))?;
    for service in &deployment.services {
        let after = if service.depends_on.is_empty() {
            String::new()
        } else {
            format!("  (after {})", service.depends_on.join(", "))
        };
        writeln!(out, "  service  {}  {}{after}", service.name, service.image)?;
    }
    for secret in &deployment.secrets {
        let how = if secret.generate {
            format!("{} characters", secret.length)
        } else {
            "inserted by hand: a random one in tests".to_owned()
        };
        writeln!(out, "  secret   {}  {how}", secret.full_name)?;
    }
    for network in &deployment.networks_external {
        writeln!(out, "  network  {network}  (must be there)")?;
    }
    for host in &deployment.hosts {
        writeln!(out, "  ask      https://{host}/")?;
    }
    for power in &deployment.host_power {
        writeln!(out, "  power    {power}: refused, unless the tests file allows it")?;
    }
    for note in &deployment.notes {
        writeln!(out, "  note     {note}")?;
    }
    writeln!(out, "\nstages: prepare, lint, install (deploy, converge, floor), teardown (undeploy, compare)")?;
    Ok(Exit::Fine)
}

/// A stand-in for `plan` without `--target`: names as they would be on any target.
fn nowhere() -> anyhow::Result<Target> {
    Ok(Target {
        name: TargetName::parse("any")?,
        endpoint: Endpoint::Unix("/nonexistent".into()),
        domain: DomainName::parse("test.example.org")?,
        ca_path: None,
        role: Role::Gate,
        env: [("LETS_ENCRYPT_ENV".to_owned(), String::new())].into(),
    })
}

pub(super) async fn lint(arguments: LintArguments) -> anyhow::Result<Exit> {
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
