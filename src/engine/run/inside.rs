//! In the app's containers: what is done there and what is asked there, while the app is watched.

use std::time::Duration;

use tokio::time::Instant;

use super::prepare::Live;
use super::step::{step_env, step_name};
use super::{Run, Stop};
use crate::adapters::docker::DockerError;
use crate::adapters::docker::inside::{self, Running, Said};
use crate::domain::deployment::Deployment;
use crate::domain::protocol::Step;
use crate::domain::recipe::ABRA_SH;
use crate::domain::stage::Stage;
use crate::domain::tests_file::{Act, How};
use crate::engine::EngineError;

/// A task may just be replaced.
const MOMENT: Duration = Duration::from_secs(10);
const PAUSE: Duration = Duration::from_millis(500);
/// A service that dies takes a check with it; what killed it is seen within this time, and is the cause.
const CAUSE: Duration = Duration::from_secs(3);

/// Where something is looked at: in this stage, of what was deployed so.
#[derive(Clone, Copy)]
pub(super) struct Place<'a> {
    pub stage: Stage,
    pub deployment: &'a Deployment,
}

impl Run {
    /// From now on what happens to the app belongs to this stage.
    pub(super) async fn enter(&self, live: &mut Live, stage: Stage) -> Result<(), Stop> {
        if live.watch.is_none() {
            live.watch = self.watch_again(live).await?;
        }
        if let Some(watch) = &live.watch {
            watch.enter(stage);
        }
        Ok(())
    }

    /// Does something while the app is watched. Where the app itself fails, that is the cause, and what else failed follows.
    pub(super) async fn watched<T>(&self, live: &Live, work: impl Future<Output = Result<T, Stop>>) -> Result<T, Stop> {
        let Some(watch) = &live.watch else { return work.await };
        tokio::select! {
            biased;
            findings = watch.failed() => Err(Stop::Failed(findings)),
            done = work => match done {
                Err(Stop::Failed(mut found)) => {
                    let mut findings = tokio::time::timeout(CAUSE, watch.failed()).await.unwrap_or_default();
                    findings.append(&mut found);
                    Err(Stop::Failed(findings))
                }
                done @ (Ok(_) | Err(Stop::Engine(_))) => done,
            },
        }
    }

    /// Asks the target, and again while it is silent, for as long as a run waits for its target.
    pub(super) async fn patiently<T, F: Future<Output = Result<T, DockerError>>>(
        &self,
        stage: Stage,
        mut ask: impl FnMut() -> F,
    ) -> Result<T, DockerError> {
        let begun = Instant::now();
        loop {
            match ask().await {
                Err(error) if error.is_silence() && begun.elapsed() < self.patience(stage) => {
                    tracing::debug!(%error, "asked again");
                    tokio::time::sleep(PAUSE).await;
                }
                answered => return answered,
            }
        }
    }

    /// The container that runs for a service; none comes for one that is scaled to 0.
    pub(super) async fn container(&self, live: &Live, stage: Stage, service: &str) -> Result<Option<Running>, Stop> {
        let begun = Instant::now();
        loop {
            let found = self.patiently(stage, || inside::running(&live.docker, &self.plan.stack, service)).await?;
            if found.is_some() || begun.elapsed() > MOMENT {
                return Ok(found);
            }
            tokio::time::sleep(PAUSE).await;
        }
    }

    /// What is run in a container for an act; for a function, the recipe's `abra.sh` is put there first, as abra does.
    ///
    /// # Errors
    /// In plain words, why it cannot be run there.
    async fn argv(&self, live: &Live, stage: Stage, id: &str, how: &How) -> Result<Result<Vec<String>, String>, Stop> {
        let words = match how {
            How::Exec(argv) => return Ok(Ok(argv.clone())),
            How::Cmd(words) => words,
        };
        let Ok(text) = self.files.text(ABRA_SH) else { return Ok(Err("the recipe has no `abra.sh`".to_owned())) };
        let put = self.patiently(stage, || inside::put(&live.docker, id, "/tmp", ABRA_SH, text.as_bytes())).await;
        match put {
            Ok(()) => {}
            Err(error) if error.is_silence() => return Err(error.into()),
            Err(error) => return Ok(Err(format!("`abra.sh` cannot be put into the container: {}", error.message()))),
        }
        let shell = ["bash", "-c", ". /tmp/abra.sh; \"$@\"", "abra.sh"].map(str::to_owned);
        Ok(Ok(shell.into_iter().chain(words.iter().cloned()).collect()))
    }

    /// Asks something in a service's container; it changes nothing there, so that it may be asked again.
    ///
    /// # Errors
    /// In plain words, why it could not be asked.
    pub(super) async fn ask_inside(
        &self,
        live: &Live,
        stage: Stage,
        act: &Act,
        limit: Duration,
    ) -> Result<Result<Said, String>, Stop> {
        let Some(container) = self.container(live, stage, &act.service).await? else {
            return Ok(Err(format!("{} has no running container", act.service)));
        };
        let argv = match self.argv(live, stage, &container.id, &act.how).await? {
            Ok(argv) => argv,
            Err(why) => return Ok(Err(why)),
        };
        match self.patiently(stage, || inside::exec(&live.docker, &container.id, &argv, limit)).await {
            Ok(said) => Ok(Ok(said)),
            Err(error) if error.is_silence() => Err(error.into()),
            Err(error) => Ok(Err(error.message())),
        }
    }

    /// Does something in a service's container, once: a step of the runner. Returns what it said when it failed.
    pub(super) async fn act(
        &self,
        live: &Live,
        stage: Stage,
        name: &str,
        act: &Act,
        limit: Duration,
    ) -> Result<Result<(), Failed>, Stop> {
        let refused = |why: String| Ok(Err(Failed { how: why, output: String::new() }));
        let Some(container) = self.container(live, stage, &act.service).await? else {
            return refused(format!("{} has no running container", act.service));
        };
        let argv = match self.argv(live, stage, &container.id, &act.how).await? {
            Ok(argv) => argv,
            Err(why) => return refused(why),
        };
        let exec = ["docker", "exec"].map(str::to_owned).into_iter().chain([container.id]).chain(argv);
        let step = Step {
            name: step_name(name)?,
            argv: exec.collect(),
            env: step_env(),
            folder: "/".to_owned(),
            limit_seconds: limit.as_secs().max(1),
            stops_others: false,
        };
        let ended = self.step(live, stage, &step).await?;
        Ok(if ended.end.succeeded() {
            Ok(())
        } else {
            Err(Failed { how: ended.end.how.to_string(), output: ended.output })
        })
    }
}

/// Something that was done in a container and failed.
pub(super) struct Failed {
    pub how: String,
    pub output: String,
}

/// An error of the engine that is no silence is told as it is.
pub(super) fn told(error: DockerError) -> Result<String, Stop> {
    if error.is_silence() { Err(EngineError::from(error).into()) } else { Ok(error.message()) }
}
