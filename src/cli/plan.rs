//! `cc-ci plan`: what a run would do, without touching anything.

use std::io::Write as _;

use clap::Args;

use super::{Exit, Places};
use crate::adapters::git::{self, Source};
use crate::config;
use crate::domain::base::{Considered, Resolution, Standing};
use crate::domain::deployment::Deployment;
use crate::domain::ids::{DomainName, RunId, TargetName};
use crate::domain::target::{Endpoint, Role, Target};
use crate::domain::tests_file::TestsFile;
use crate::engine::base;
use crate::engine::plan::{Limits, Plan, Requested};

#[derive(Debug, Args)]
pub(super) struct Arguments {
    /// The recipe: a directory, or a git URL with an optional @REF
    #[arg(value_name = "DIR|GIT-URL[@REF]")]
    recipe: String,
    /// The older version to compare with, a tag, branch or commit [default: the newest tag older than the recipe's version]
    #[arg(long, value_name = "REF")]
    base: Option<String>,
    /// Show the names that a run on this target would have
    #[arg(long)]
    target: Option<String>,
    #[command(flatten)]
    places: Places,
}

pub(super) async fn plan(arguments: Arguments) -> anyhow::Result<Exit> {
    let opened = git::open(&arguments.recipe).await?;
    let base = base::find(&opened, arguments.base.as_deref(), &[]).await?.resolution;
    let source = opened.source;
    let target = match &arguments.target {
        Some(word) => config::target(word, &arguments.places.targets())?,
        None => nowhere()?,
    };
    let plan =
        Plan::new(nobody(), &source, Some(base.clone()), &target, Requested::default(), Limits::default(), None)?;
    let deployment = plan.deployment(&source.files, &target, &TestsFile::default())?;
    let mut out = std::io::stdout().lock();
    let version = deployment.version.as_ref().map_or_else(|| "no version label".to_owned(), ToString::to_string);
    writeln!(out, "{} {version} ({})", source.name, source.chaos_version)?;
    write!(out, "{}", base_said(&base))?;
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
    for host in deployment.routes.iter().map(|route| &route.host) {
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
        capacity: std::num::NonZeroU32::MIN,
        env: [("LETS_ENCRYPT_ENV".to_owned(), String::new())].into(),
    })
}

/// What a run without base would deploy, and as an app of which domain.
pub(super) fn nowhere_planned(source: &Source, tests: &TestsFile) -> anyhow::Result<(Deployment, DomainName)> {
    let target = nowhere()?;
    let plan = Plan::new(nobody(), source, None, &target, Requested::default(), Limits::default(), None)?;
    Ok((plan.deployment(&source.files, &target, tests)?, plan.domain))
}

/// The number of a run that is only planned.
fn nobody() -> RunId {
    RunId::from_random(*b"\0\0\0\0\0\0\0\0\0\0\0\0")
}

/// The base, why, and what else was looked at.
fn base_said(found: &Resolution) -> String {
    let mut said = match &found.base {
        Some(base) => format!("base: {} ({}): {}\n", base.name, base.commit.short(), found.why),
        None => format!("base: none: {}\n", found.why),
    };
    for Considered { candidate, standing } in &found.considered {
        let is_it = found.base.as_ref().is_some_and(|base| base.commit == candidate.commit);
        let how = match standing {
            Standing::Fits if is_it => "the base",
            Standing::Fits => "older",
            Standing::SameAsHead => "the same version: no base",
            Standing::NewerThanHead => "newer: no base",
        };
        said.push_str(&format!("  candidate  {}  {}  {how}\n", candidate.version, candidate.commit.short()));
    }
    for skipped in &found.skipped {
        said.push_str(&format!("  skipped    {}  {}\n", skipped.tag, skipped.why));
    }
    said
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::base::{Tag, resolve};
    use crate::domain::ids::CommitSha;
    use crate::domain::recipe::RecipeVersion;

    #[test]
    fn candidates_the_choice_and_why_are_told() {
        let tag = |(name, number): (&&str, u32)| Tag {
            name: (*name).to_owned(),
            commit: CommitSha::parse(&format!("{number:08x}").repeat(5)).unwrap(),
            annotated: true,
        };
        let head = RecipeVersion::parse("1.1.0+2.0").ok();
        let names = ["1.2.0+2.1", "1.1.0+2.0", "1.0.0+1.9", "0.9.0+1.8", "v0.1", "latest"];
        let tags: Vec<Tag> = names.iter().zip(1..).map(tag).collect();
        let told = [&tags[..], &tags[..2], &tags[4..], &[]].map(|tags| base_said(&resolve(head.as_ref(), &[], tags)));
        insta::assert_snapshot!(told.join("\n"));
    }
}
