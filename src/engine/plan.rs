//! The frozen inputs of a run: what is decided before it begins and never looked up again.

use std::collections::BTreeSet;
use std::io::Read as _;
use std::path::Path;
use std::time::Duration;

use serde::{Deserialize, Serialize};

use super::EngineError;
use crate::adapters::git::Source;
use crate::domain::base::Resolution;
use crate::domain::convergence::Rules;
use crate::domain::deployment::{Deployment, Facts, PlanError};
use crate::domain::ids::{DomainName, RecipeName, RunId, StackName, TargetName};
use crate::domain::recipe::files::RecipeFiles;
use crate::domain::results::Revision;
use crate::domain::stage::Stage;
use crate::domain::target::{Endpoint, Target};
use crate::domain::tests_file::{Frozen, Origin, TestsFile};

/// The frozen inputs, stored with the run.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Plan {
    /// The run.
    pub run: RunId,
    /// The recipe.
    pub recipe: RecipeName,
    /// The revision under test.
    pub head: Revision,
    /// What is older than head: compared with it, and upgraded from. Nothing: it was not looked for, by an older cc-ci.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub base: Option<Resolution>,
    /// What the deploy is marked with.
    pub chaos_version: String,
    /// The target, a section of `targets.toml`.
    pub target: TargetName,
    /// `unix:///…`, where the target is not a section of `targets.toml`.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target_word: Option<String>,
    /// The app's domain.
    pub domain: DomainName,
    /// The app's stack.
    pub stack: StackName,
    /// The app stays up so many seconds before teardown.
    pub keep_seconds: Option<u64>,
    /// Whether the extra checks are asked for.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub extra: bool,
    /// Only these stages are asked for, with what they need; empty: everything.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub only: BTreeSet<Stage>,
    /// Whether the tests file is the change's own, because a maintainer said so.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub with_tests: bool,
    /// The run may take so many seconds in all.
    pub limit_seconds: u64,
    /// A target that is silent for longer is unreachable.
    #[serde(default = "silence_seconds")]
    pub silence_seconds: u64,
    /// Nothing but so many seconds ends a deploy that does not come up: a drill.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub only_deadline_seconds: Option<u64>,
    /// A deploy may take so many seconds; nothing: as the design has it, or twice the recipe's timeout label.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub deploy_limit_seconds: Option<u64>,
    /// Where the tests file comes from; its text is in the run's folder. None: there is none.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub tests: Option<Origin>,
}

/// What a person asked for besides.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Requested {
    /// The app stays up so many seconds before teardown.
    pub keep_seconds: Option<u64>,
    /// The extra checks too.
    pub extra: bool,
    /// Only these stages, with what they need; empty: everything.
    pub only: BTreeSet<Stage>,
    /// The tests file of the change itself.
    pub with_tests: bool,
}

/// How long a run and its target's silence may last.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// The run in all, without the time of `--keep`, in seconds.
    pub total_seconds: u64,
    /// The target's silence, in seconds.
    pub silence_seconds: u64,
    /// Nothing but so many seconds ends a deploy that does not come up: a drill.
    pub only_deadline_seconds: Option<u64>,
    /// A deploy may take so many seconds.
    pub deploy_seconds: Option<u64>,
}

impl Default for Limits {
    /// As the design has them (§4).
    fn default() -> Self {
        Self {
            total_seconds: 3600,
            silence_seconds: silence_seconds(),
            only_deadline_seconds: None,
            deploy_seconds: None,
        }
    }
}

const fn silence_seconds() -> u64 {
    300
}

impl Plan {
    /// Freezes the inputs of a new run.
    ///
    /// # Errors
    /// When the target's domain is too long for an app below it.
    pub fn new(
        run: RunId,
        source: &Source,
        base: Option<Resolution>,
        target: &Target,
        requested: Requested,
        limits: Limits,
        tests: Option<&Frozen>,
    ) -> Result<Self, EngineError> {
        let domain = run.app_domain(&target.domain)?;
        let target_word = match &target.endpoint {
            Endpoint::Unix(path) if target.name.as_str() == "local" => Some(format!("unix://{}", path.display())),
            Endpoint::Unix(_) | Endpoint::Ssh { .. } => None,
        };
        let mut plan = Self {
            stack: StackName::of_domain(&domain)?,
            recipe: source.name.clone(),
            head: source.revision.clone(),
            base,
            chaos_version: source.chaos_version.clone(),
            target: target.name.clone(),
            domain,
            keep_seconds: requested.keep_seconds,
            extra: requested.extra,
            only: requested.only,
            with_tests: requested.with_tests,
            // Looking at the app is not the run's own time.
            limit_seconds: limits.total_seconds + requested.keep_seconds.unwrap_or(0),
            silence_seconds: limits.silence_seconds,
            only_deadline_seconds: limits.only_deadline_seconds,
            deploy_limit_seconds: limits.deploy_seconds,
            tests: tests.map(|tests| tests.origin.clone()),
            target_word,
            run,
        };
        let read = tests.and_then(|tests| TestsFile::read(&tests.text).ok()).unwrap_or_default();
        let deployment = plan.deployment(&source.files, target, &read).ok();
        plan.head.version = deployment.and_then(|deployment| deployment.version).map(|version| version.to_string());
        Ok(plan)
    }

    /// What ends a deploy.
    #[must_use]
    pub fn rules(&self, tests: &TestsFile) -> Rules {
        let deadline = self.only_deadline_seconds.map(Duration::from_secs);
        let rules = deadline.map_or_else(Rules::default, Rules::only_deadline);
        let limit = self.deploy_limit_seconds.map(Duration::from_secs);
        rules.with_settle(tests.settle.unwrap_or_default()).within(limit)
    }

    /// What a deploy of these files is.
    ///
    /// # Errors
    /// When they are not those of a recipe that can be deployed.
    pub fn deployment(&self, files: &RecipeFiles, target: &Target, tests: &TestsFile) -> Result<Deployment, PlanError> {
        self.deployment_of(files, &self.chaos_version, target, tests)
    }

    /// The same for files of another revision, which the deploy is marked with.
    ///
    /// # Errors
    /// As [`Plan::deployment`].
    pub fn deployment_of(
        &self,
        files: &RecipeFiles,
        chaos_version: &str,
        target: &Target,
        tests: &TestsFile,
    ) -> Result<Deployment, PlanError> {
        let facts = Facts {
            stack: self.stack.clone(),
            domain: self.domain.clone(),
            recipe: self.recipe.clone(),
            commit: chaos_version.to_owned(),
            forced: target.env.clone(),
            overrides: tests.env.clone(),
        };
        crate::domain::deployment::plan(files, &facts)
    }
}

/// Keeps the recipe's files as one archive.
///
/// # Errors
/// When it cannot be written.
pub fn save_files(files: &RecipeFiles, path: &Path) -> Result<(), EngineError> {
    let write = || {
        let mut archive = tar::Builder::new(Vec::new());
        for (name, file) in files.iter() {
            let mut header = tar::Header::new_gnu();
            header.set_mode(if file.executable { 0o755 } else { 0o644 });
            header.set_size(file.bytes.len() as u64);
            archive.append_data(&mut header, name, file.bytes.as_slice())?;
        }
        std::fs::write(path, archive.into_inner()?)
    };
    write().map_err(EngineError::file(path))
}

/// Reads the files that [`save_files`] kept.
///
/// # Errors
/// When the archive cannot be read.
pub fn load_files(path: &Path) -> Result<RecipeFiles, EngineError> {
    let bytes = std::fs::read(path).map_err(EngineError::file(path))?;
    let mut files = RecipeFiles::new();
    let entries = || -> std::io::Result<Vec<(String, Vec<u8>, bool)>> {
        tar::Archive::new(bytes.as_slice())
            .entries()?
            .map(|entry| {
                let mut entry = entry?;
                let (name, mode) = (entry.path()?.to_string_lossy().into_owned(), entry.header().mode()?);
                let mut content = Vec::new();
                entry.read_to_end(&mut content)?;
                Ok((name, content, mode & 0o111 != 0))
            })
            .collect()
    };
    for (name, content, executable) in entries().map_err(EngineError::file(path))? {
        files.add(&name, content, executable).map_err(|error| EngineError::Unreadable(error.to_string()))?;
    }
    Ok(files)
}

/// Keeps the tests file of a run, or that it has none.
///
/// # Errors
/// When it cannot be written.
pub fn save_tests(tests: Option<&Frozen>, path: &Path) -> Result<(), EngineError> {
    let Some(tests) = tests else { return Ok(()) };
    let json = serde_json::to_vec(tests).map_err(|error| EngineError::Unreadable(error.to_string()))?;
    std::fs::write(path, json).map_err(EngineError::file(path))
}

/// Reads what [`save_tests`] kept.
///
/// # Errors
/// When it is there and cannot be read.
pub fn load_tests(path: &Path) -> Result<Option<Frozen>, EngineError> {
    match std::fs::read(path) {
        Ok(json) => serde_json::from_slice(&json).map(Some).map_err(|error| EngineError::Unreadable(error.to_string())),
        Err(error) if error.kind() == std::io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(EngineError::file(path)(error)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_plan_from_before_the_drill_has_the_usual_rules() {
        let mut stored = serde_json::json!({
            "run": "abcdefghijkl", "recipe": "good", "chaos_version": "0123abcd", "target": "lab",
            "head": {"commit": null, "dirty": false, "version": null, "source": "good"},
            "domain": "r0123.ci.example", "stack": "r0123_ci_example", "keep_seconds": null, "limit_seconds": 60,
        });
        let plan: Plan = serde_json::from_value(stored.clone()).unwrap();
        assert_eq!(plan.rules(&TestsFile::default()), Rules::default());
        stored["only_deadline_seconds"] = 120.into();
        let plan: Plan = serde_json::from_value(stored).unwrap();
        assert_eq!(plan.rules(&TestsFile::default()), Rules::only_deadline(Duration::from_secs(120)));
        let slow = TestsFile { settle: Some(Duration::from_secs(150)), ..TestsFile::default() };
        assert_eq!(plan.rules(&slow).settle, Duration::from_secs(150));
    }
}
