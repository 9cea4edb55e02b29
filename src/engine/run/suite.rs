//! A check that is a test suite in a container of its own.

use std::collections::VecDeque;
use std::time::Duration;

use sha2::{Digest as _, Sha256};

use super::checks::{LINES, Look};
use super::inside::{Place, told};
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::DockerError;
use crate::adapters::docker::suite::{self, Course, Over, Started, SuiteOrder};
use crate::adapters::docker::undeploy::UndeployError;
use crate::adapters::logfile::StepLines;
use crate::domain::results::one_line;
use crate::domain::stage::Stage;
use crate::domain::suite::{REPORT, Suite, judge};
use crate::domain::tests_file::Container;
use crate::engine::EngineError;

/// So much of the end of what a suite says is kept.
const KEPT: usize = 64 << 10;
/// After its end, its last lines are waited for.
const LAST_LINES: Duration = Duration::from_secs(5);
/// Between two looks at its task.
const PAUSE: Duration = Duration::from_millis(300);
/// Characters of an image or an error in a sentence.
const SHOWN: usize = 160;

impl Run {
    /// Runs a suite once, for at most `limit`, and removes it.
    pub(super) async fn ask_suite(
        &self,
        live: &Live,
        place: Place<'_>,
        name: &str,
        container: &Container,
        limit: Duration,
    ) -> Result<Look, Stop> {
        let image = one_line(&container.image, SHOWN);
        // A pull is no part of the suite's own time.
        if let Err(finding) = self.puller(live).have(container.image.clone()).await? {
            return Ok(Look::not(format!("its image {image} cannot be had: {}", one_line(&finding.sentence, SHOWN))));
        }
        let hosts: Vec<String> = place.deployment.routes.iter().map(|route| route.host.to_string()).collect();
        let word = hex::encode(&Sha256::digest(name)[..4]);
        let order = SuiteOrder {
            stack: &self.plan.stack,
            run: &self.plan.run,
            gate: &self.gate.id,
            word: &word,
            image: &container.image,
            run_words: &container.run,
            env: vec![
                format!("CC_CI_URL=https://{}", self.plan.domain),
                format!("CC_CI_STACK={}", self.plan.stack),
                format!("CC_CI_JUNIT={REPORT}"),
            ],
            hosts,
            files: &self.beside,
        };
        let started = match self.patiently(place.stage, || spoken(suite::start(&live.docker, &order))).await {
            Ok(started) => started?,
            Err(error) => return Ok(Look::not(told(error)?)),
        };
        let mut heard = Heard::default();
        let followed =
            tokio::time::timeout(limit, self.follow_suite(live, place.stage, name, &started, &mut heard)).await;
        let look = match followed {
            // Its time is over: what it reported so far counts for nothing.
            Err(_over) => Ok(self.look_of(&image, None, None, &heard)),
            Ok(Err(stop)) => Err(stop),
            Ok(Ok(Over::Ended(id, code))) => {
                let report = match self.patiently(place.stage, || suite::report(&live.docker, &id)).await {
                    Ok(report) => report,
                    Err(error) => Some(Err(told(error)?)),
                };
                let report = match report {
                    Some(report) => Some(read(report).await),
                    None => None,
                };
                Ok(self.look_of(&image, Some(code), report, &heard))
            }
            Ok(Ok(Over::Never(said))) => Ok(Look::not(format!("{image} does not start: {}", one_line(&said, SHOWN)))),
        };
        self.patiently(place.stage, || spoken(suite::remove(&live.docker, &started))).await??;
        look
    }

    /// To its end; what it says goes into the log as it comes.
    async fn follow_suite(
        &self,
        live: &Live,
        stage: Stage,
        name: &str,
        started: &Started,
        heard: &mut Heard,
    ) -> Result<Over, Stop> {
        let begun = |course| match course {
            Course::Waits => None,
            Course::Runs(id) | Course::Over(Over::Ended(id, _)) => Some(Ok(id)),
            Course::Over(never @ Over::Never(_)) => Some(Err(never)),
        };
        let id = match self.course_until(live, stage, started, begun).await? {
            Ok(id) => id,
            Err(never) => return Ok(never),
        };
        let mut lines = StepLines::resume(&self.log, &format!("suite {}", one_line(name, 80)));
        let over = {
            let hear = suite::hear(&live.docker, &id, |piece| {
                lines.take(piece);
                heard.take(piece);
            });
            let over = |course| if let Course::Over(over) = course { Some(over) } else { None };
            let ended = || self.course_until(live, stage, started, over);
            let ended_and_heard = async {
                let ended = ended().await;
                // Its last lines come through another connection.
                tokio::time::sleep(LAST_LINES).await;
                ended
            };
            tokio::select! {
                // However that went: how it ended is asked for.
                said = hear => {
                    if let Err(error) = said {
                        self.log.say(format!("what “{}” says is not heard: {error}", one_line(name, 60)));
                    }
                    ended().await?
                }
                ended = ended_and_heard => ended?,
            }
        };
        lines.end();
        Ok(over)
    }

    /// Looks at the suite's task until it has come so far.
    async fn course_until<T>(
        &self,
        live: &Live,
        stage: Stage,
        started: &Started,
        is_there: impl Fn(Course) -> Option<T>,
    ) -> Result<T, Stop> {
        loop {
            let course = self.patiently(stage, || suite::course(&live.docker, started)).await?;
            if let Some(there) = is_there(course) {
                return Ok(there);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    fn look_of(&self, image: &str, code: Option<i64>, report: Option<Result<Suite, String>>, heard: &Heard) -> Look {
        let text = heard.text();
        let judged = judge(code, report.as_ref(), &text);
        let lines: Vec<&str> = text.lines().collect();
        let output = lines[lines.len().saturating_sub(LINES)..].join("\n");
        let suite = report.and_then(Result::ok);
        match judged {
            Ok(said) => Look { suite, ..Look::holds(format!("{image}: {said}")) },
            Err(why) => Look { holds: false, seen: format!("{image} {why}"), output, suite },
        }
    }
}

/// What is no answer of the engine apart from what is: the first may be asked again.
async fn spoken<T>(
    asked: impl Future<Output = Result<T, UndeployError>>,
) -> Result<Result<T, EngineError>, DockerError> {
    match asked.await {
        Ok(done) => Ok(Ok(done)),
        Err(UndeployError::Docker(error)) => Err(error),
        Err(error @ UndeployError::Remains { .. }) => Ok(Err(error.into())),
    }
}

/// Whatever is in a report, reading it is nobody else's time.
async fn read(report: Result<Vec<u8>, String>) -> Result<Suite, String> {
    let report = report?;
    let read = tokio::task::spawn_blocking(move || Suite::read(&report)).await;
    read.unwrap_or_else(|error| Err(error.to_string()))
}

/// The end of what a suite said.
#[derive(Default)]
struct Heard(VecDeque<u8>);

impl Heard {
    fn take(&mut self, piece: &[u8]) {
        self.0.extend(piece);
        let over = self.0.len().saturating_sub(KEPT);
        self.0.drain(..over);
    }

    fn text(&self) -> String {
        let (front, back) = self.0.as_slices();
        String::from_utf8_lossy(&[front, back].concat()).into_owned()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s28_of_endless_output_the_end_is_kept() {
        let mut heard = Heard::default();
        for n in 0..200_000 {
            heard.take(format!("{n}\n").as_bytes());
        }
        heard.take(&[0xff; 10]);
        let text = heard.text();
        assert!(text.len() <= KEPT * 3 && text.contains("199999\n"), "{}", text.len());
        assert_eq!(heard.0.len(), KEPT);
    }
}
