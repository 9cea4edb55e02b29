//! Lint: what can be said without deploying anything.

use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::deployment::{Deployment, PlanError};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::lint::{Around, RULES, lint};
use crate::domain::results::{By, LintLine, Severity, count};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with the lint lines.
pub(super) const LINT: &str = "lint";
/// So many errors become findings; the report lists all of them.
const FINDINGS: usize = 20;

impl Run {
    /// Lints the recipe, and works out what its deploy is. The images that it needs are pulled meanwhile.
    pub(super) async fn lint(&self, live: &mut Live) -> Result<(), Stop> {
        // What is wrong with the tests file is told by install: the recipe's own files are judged all the same.
        let planned = self.tests.as_ref().ok().map(|tests| self.plan.deployment(&self.files, &self.target, tests));
        if let Some(Ok(deployment)) = &planned {
            live.images = Some(self.begin_pulling(live, deployment));
        }
        let judged = self.phase("lint", By::CcCi, self.judge_files(live, planned)).await;
        if judged.is_err() {
            live.images = None;
        }
        judged
    }

    async fn judge_files(&self, live: &mut Live, planned: Option<Result<Deployment, PlanError>>) -> Result<(), Stop> {
        let lines = self.lint_lines();
        self.gate.store.put_fact(&self.plan.run, LINT, &lines).await.map_err(EngineError::from)?;
        let new: Vec<&LintLine> = lines.iter().filter(|line| line.turns_red()).collect();
        let errors = lines.iter().filter(|line| line.severity == Severity::Error).count();
        let (wrong, said) = (count(new.len(), "error", "errors"), count(lines.len() - errors, "hint", "hints"));
        let old = match errors - new.len() {
            0 => String::new(),
            old => format!(", {} there already", count(old, "error was", "errors were")),
        };
        self.log.say(format!("lint: {} rules, {wrong}{old}, {said}", RULES.len()));
        if !new.is_empty() {
            return Err(Stop::Failed(new.into_iter().take(FINDINGS).map(|line| lint_error(live, line)).collect()));
        }
        match planned {
            None => {}
            Some(Ok(deployment)) => live.deployment = Some(deployment),
            Some(Err(error)) if self.base_has(&error) => {
                // Not this change's: lint holds, and the install will not.
                self.log.say(format!("lint: the recipe cannot be deployed, and neither could the base: {error}"));
            }
            Some(Err(error)) => return Err(Stop::Failed(vec![self.refused(live, Stage::Lint, &error)])),
        }
        Ok(())
    }

    fn lint_lines(&self) -> Vec<LintLine> {
        let found = self.plan.base.as_ref();
        let around = Around {
            base: self.base.as_ref(),
            base_name: found.and_then(|found| found.base.as_ref()).map_or("the base", |base| &base.name),
            lightweight: found.map_or(&[], |found| &found.lightweight),
        };
        lint(&self.files, &around).into_iter().map(LintLine::from).collect()
    }

    /// Whether the base is refused for the same.
    fn base_has(&self, error: &PlanError) -> bool {
        let base = self.base.as_ref().map(|files| self.plan.deployment(files, &self.target, self.tests()));
        base.is_some_and(|base| base.is_err_and(|before| before.what == error.what))
    }

    /// That the recipe cannot be deployed as it is.
    pub(super) fn refused(&self, live: &Live, stage: Stage, error: &PlanError) -> Finding {
        let place = match (&error.file, error.line) {
            (Some(file), Some(line)) => format!("{file}:{line}: "),
            (Some(file), None) => format!("{file}: "),
            (None, _) => String::new(),
        };
        let also = if self.base_has(error) { ", as it was in the base: not this change" } else { "" };
        let sentence = format!("{place}{}{also}", error.what);
        Finding {
            advice: as_sentence(&error.advice),
            ..Finding::new(FindingKind::LintError, stage, live.now(), sentence)
        }
    }
}

fn lint_error(live: &Live, line: &LintLine) -> Finding {
    let sentence = format!("{}: {}", line.place(), line.text);
    let finding = Finding::new(FindingKind::LintError, Stage::Lint, live.now(), sentence);
    Finding { advice: as_sentence(&line.advice), ..finding }
        .with(format!("why rule {} matters", line.rule), line.why.clone())
}

/// Advice as a sentence: a capital first, a full stop last.
fn as_sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
