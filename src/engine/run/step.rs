//! Steps of the runner, followed into the log; a connection that breaks is made anew and goes on at the same byte.

use std::collections::BTreeMap;
use std::time::Duration;

use tokio::time::Instant;

use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::falls_silent;
use crate::adapters::docker::runner::{self, RunnerError};
use crate::adapters::logfile::StepLines;
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::protocol::{LIMIT, Step, StepEnd, StepName};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// Between two tries to reach the runner.
const PAUSE: Duration = Duration::from_secs(1);
/// So much of a step's output is kept for a finding.
const KEPT: usize = 64 << 10;

/// A target that was silent through a whole stage is not waited for once more: the sweep cleans it when it is back.
const IN_TEARDOWN: Duration = Duration::from_secs(20);

/// The whole environment of a step, before the recipe's own variables.
const STEP_ENV: [(&str, &str); 3] =
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent"), ("LC_ALL", "C.UTF-8")];
/// This program in the runner.
const PROGRAM: &str = "/usr/local/bin/cc-ci";

/// A step that has ended, and what it said in this process.
pub(super) struct Ended {
    pub end: StepEnd,
    pub output: String,
}

impl Run {
    pub(super) fn patience(&self, stage: Stage) -> Duration {
        let silence = Duration::from_secs(self.plan.silence_seconds);
        if stage == Stage::Teardown { IN_TEARDOWN } else { silence }
    }

    /// Runs a step that must succeed; `undone` says what is not done when it does not, and that is no fault of the recipe.
    pub(super) async fn must(&self, live: &Live, stage: Stage, step: &Step, undone: &str) -> Result<(), Stop> {
        let ended = self.step(live, stage, step).await?;
        if ended.end.succeeded() {
            return Ok(());
        }
        Err(EngineError::Target(format!("{undone}: {}: {}", ended.end.how, ended.output.trim())).into())
    }

    /// Runs a step to its end, or finds it there and follows it.
    pub(super) async fn step(&self, live: &Live, stage: Stage, step: &Step) -> Result<Ended, Stop> {
        let Some(id) = &live.runner else {
            return Err(EngineError::Target("there is no runner container".to_owned()).into());
        };
        let mut lines = StepLines::resume(&self.log, step.name.as_str());
        let mut kept = Vec::new();
        let mut heard = Instant::now();
        loop {
            let offset = lines.offset();
            let followed = runner::run_step(&live.docker, id, step, offset, |piece| {
                lines.take(piece);
                kept.extend_from_slice(&piece[..piece.len().min(KEPT.saturating_sub(kept.len()))]);
            });
            let followed = async {
                tokio::select! {
                    ended = followed => ended,
                    silent = falls_silent(&live.docker, self.patience(stage)) => Err(silent.into()),
                }
            };
            match followed.await {
                Ok(end) => {
                    lines.end();
                    return Ok(Ended { end, output: String::from_utf8_lossy(&kept).into_owned() });
                }
                Err(error) => {
                    self.check_runner(live, stage).await?;
                    if lines.offset() > offset {
                        heard = Instant::now();
                    }
                    let error = EngineError::from(error);
                    if !error.is_silence() || heard.elapsed() >= self.patience(stage) {
                        return Err(error.into());
                    }
                    tracing::debug!(%error, "the runner's step is followed anew");
                    tokio::time::sleep(PAUSE).await;
                }
            }
        }
    }

    /// A runner that has ended will not answer: say why it ended.
    pub(super) async fn check_runner(&self, live: &Live, stage: Stage) -> Result<(), Stop> {
        // No answer says nothing about the runner.
        let Ok(found) = runner::find(&live.docker, &self.plan.run).await else { return Ok(()) };
        match found {
            Some(found) if found.running => Ok(()),
            Some(found) => {
                let limit = runner::download(&live.docker, &found.id, LIMIT).await;
                if matches!(limit, Ok(Some(_))) {
                    let mut finding = self.total_limit(stage);
                    finding.sentence.push_str(sentences::REMOVED_BY_THE_RUNNER);
                    return Err(Stop::Failed(vec![finding]));
                }
                Err(RunnerError::Ended(format!("its state is `{}`", found.state)).into())
            }
            None => Err(Stop::Failed(vec![Finding::new(
                FindingKind::TargetUnreachable,
                stage,
                live.now(),
                sentences::RUNNER_REMOVED,
            )])),
        }
    }
}

pub(super) fn step_env() -> BTreeMap<String, String> {
    STEP_ENV.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

/// A step's name has no spaces.
pub(super) fn step_name(name: &str) -> Result<StepName, Stop> {
    Ok(StepName::parse(&name.replace(' ', "-")).map_err(EngineError::Unreadable)?)
}

/// A step of this program itself: `cc-ci runner WORDS…`.
pub(super) fn own_step(name: &str, words: &[&str], limit_seconds: u64) -> Result<Step, Stop> {
    let argv = [PROGRAM, "runner"].iter().chain(words).map(|word| (*word).to_owned()).collect();
    let (env, folder) = (step_env(), "/".to_owned());
    Ok(Step { name: step_name(name)?, argv, env, folder, limit_seconds, stops_others: false })
}
