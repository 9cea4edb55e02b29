//! Lint: what can be said without deploying anything.

use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::deployment::{Deployment, PlanError};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::lint::{RULES, Severity, lint};
use crate::domain::results::{By, LintLine, Severity as LineSeverity, count};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with the lint lines.
pub(super) const LINT: &str = "lint";

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
        let lines: Vec<LintLine> = lint(&self.files).into_iter().map(line).collect();
        self.gate.store.put_fact(&self.plan.run, LINT, &lines).await.map_err(EngineError::from)?;
        let (errors, hints): (Vec<&LintLine>, Vec<&LintLine>) =
            lines.iter().partition(|line| line.severity == LineSeverity::Error);
        let (wrong, said) = (count(errors.len(), "error", "errors"), count(hints.len(), "hint", "hints"));
        self.log.say(format!("lint: {} rules, {wrong}, {said}", RULES.len()));
        if !errors.is_empty() {
            return Err(Stop::Failed(errors.into_iter().map(|line| self.lint_error(live, line)).collect()));
        }
        match planned {
            None => Ok(()),
            Some(Ok(deployment)) => {
                live.deployment = Some(deployment);
                Ok(())
            }
            Some(Err(error)) => {
                let mut finding = Finding::new(FindingKind::LintError, Stage::Lint, live.now(), error.to_string());
                finding.advice = sentence(&error.advice);
                Err(Stop::Failed(vec![finding]))
            }
        }
    }

    fn lint_error(&self, live: &Live, line: &LintLine) -> Finding {
        let place = line.line.map_or_else(|| line.file.clone(), |number| format!("{}:{number}", line.file));
        let mut finding =
            Finding::new(FindingKind::LintError, Stage::Lint, live.now(), format!("{place}: {}", line.text));
        finding.advice = sentence(&line.advice);
        finding.with("rule", line.rule.clone())
    }
}

fn line(hit: crate::domain::lint::Hit) -> LintLine {
    LintLine {
        rule: hit.rule.to_owned(),
        severity: match hit.severity {
            Severity::Error => LineSeverity::Error,
            Severity::Hint => LineSeverity::Hint,
        },
        file: hit.file,
        line: hit.line.and_then(|line| u32::try_from(line).ok()),
        text: hit.text,
        advice: hit.advice.to_owned(),
    }
}

/// Advice as a sentence: a capital first, a full stop last.
fn sentence(text: &str) -> String {
    let text = text.trim_end_matches('.');
    let mut characters = text.chars();
    let first = characters.next().map(|first| first.to_uppercase().to_string()).unwrap_or_default();
    format!("{first}{}.", characters.as_str())
}
