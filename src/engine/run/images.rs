//! Images: resolved and pulled on the target while lint runs, those of the base first, so that head's come while the base is deployed.
//!
//! First every registry is asked what it has of head's, which takes a moment, so that a missing image is red before anything is deployed
//! and before another's gigabytes come. What the target's store holds counts, even where the registry says no. An image of the base that
//! does not come is no finding here: its deploy will tell.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::time::{Instant, MissedTickBehavior};
use tokio_util::task::AbortOnDropHandle;

use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::DockerError;
use crate::adapters::docker::images::{self, ImageError, Refused};
use crate::adapters::logfile::LogFile;
use crate::adapters::store::Store;
use crate::domain::convergence::Rules;
use crate::domain::deployment::Deployment;
use crate::domain::finding::Finding;
use crate::domain::ids::RunId;
use crate::domain::registry::{ImageName, Pulling, Quiet, Refusal, judge, needed, quiet, unknown_name};
use crate::domain::results::{Pull, Store as Kept, count, duration, size};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with how the target came to have the images.
pub(super) const PULLS: &str = "pulls";
/// The fact with what should be known of them.
pub(super) const PULL_WARNINGS: &str = "pull_warnings";
/// Registries are asked about so many images at once.
const ASKED_AT_ONCE: usize = 8;
/// So many images are pulled at once; the engine itself takes three layers at a time.
const PULLED_AT_ONCE: usize = 3;
/// Between two tries to reach the target.
const PAUSE: Duration = Duration::from_secs(1);
/// A pull that takes longer is told of.
const TOLD_AFTER: Duration = Duration::from_secs(1);
/// And then as often as this, while it moves.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// The work of a task of its own, so that it goes on beside lint and the base.
pub(super) struct Images {
    pulling: AbortOnDropHandle<Result<Pulled, Stop>>,
    /// True once no registry has said that it lacks an image of head, and what comes of the base's has come.
    base_may_come: watch::Receiver<bool>,
}

/// What came of it.
#[derive(Debug, Default)]
pub(super) struct Pulled {
    pulls: Vec<Pull>,
    warnings: Vec<String>,
}

/// What the work needs.
struct Puller {
    docker: Docker,
    run: RunId,
    store: Store,
    log: Arc<LogFile>,
    clock_offset: SignedDuration,
    rules: Rules,
    silence: Duration,
    /// The images of the base.
    base: BTreeSet<String>,
    base_may_come: watch::Sender<bool>,
}

/// An image that the deploy needs.
struct Wanted {
    image: ImageName,
    services: Vec<String>,
    begun: Instant,
}

/// What a first look at an image gave.
enum Look {
    There(Pull, Option<String>),
    ToPull(Wanted),
    Refused(Finding),
}

/// A pull as it goes on.
struct Course {
    pulling: Pulling,
    moved: Instant,
    told: Option<(Instant, u64)>,
    warned: bool,
}

impl Run {
    /// Begins to pull what head and its base need; dropping it ends that.
    pub(super) fn begin_pulling(&self, live: &Live, head: &Deployment) -> Images {
        let (sender, base_may_come) = watch::channel(false);
        let puller = Puller {
            docker: live.docker.clone(),
            run: self.plan.run.clone(),
            store: self.gate.store.clone(),
            log: Arc::clone(&self.log),
            clock_offset: live.engine.clock_offset,
            rules: self.plan.rules(self.tests()),
            silence: Duration::from_secs(self.plan.silence_seconds),
            base: self.base_images(),
            base_may_come: sender,
        };
        let pulling = AbortOnDropHandle::new(tokio::spawn(puller.work(needed(&head.services))));
        Images { pulling, base_may_come }
    }

    /// Waits until the base may be deployed: no image of head is missing, and the base's have come or will not.
    pub(super) async fn base_may_come(&self, live: &mut Live, head: &Deployment) -> Result<(), Stop> {
        if self.stored::<Vec<Pull>>(PULLS).await?.is_some() {
            return Ok(());
        }
        let images = live.images.take().unwrap_or_else(|| self.begin_pulling(live, head));
        let mut may_come = images.base_may_come.clone();
        live.images = Some(images);
        if may_come.wait_for(|may| *may).await.is_ok() {
            return Ok(());
        }
        // It ended before: why, that tells.
        self.pulled(live, head).await
    }

    /// Waits until the target has every image of this deploy.
    pub(super) async fn pulled(&self, live: &mut Live, deployment: &Deployment) -> Result<(), Stop> {
        if self.stored::<Vec<Pull>>(PULLS).await?.is_some() {
            return Ok(());
        }
        let images = live.images.take().unwrap_or_else(|| self.begin_pulling(live, deployment));
        let pulled = match images.pulling.await {
            Ok(pulled) => pulled?,
            Err(error) => return Err(EngineError::Target(format!("the images could not be pulled: {error}")).into()),
        };
        let (cold, warm): (Vec<_>, Vec<_>) = pulled.pulls.iter().partition(|pull| pull.store == Kept::Cold);
        let (came, there) = (cold.iter().map(|pull| pull.bytes).sum(), count(warm.len(), "image", "images"));
        self.log.say(match cold.len() {
            0 => format!("{there} in the target's store, none to pull"),
            new => format!("{there} in the target's store, {new} pulled, {}", size(came)),
        });
        self.store(PULL_WARNINGS, &pulled.warnings).await?;
        self.store(PULLS, &pulled.pulls).await
    }
}

impl Puller {
    async fn work(self, needed: BTreeMap<String, Vec<String>>) -> Result<Pulled, Stop> {
        self.store.begin_phase(&self.run, "pull", "docker", Timestamp::now()).await.map_err(EngineError::from)?;
        let pulled = self.all(needed).await;
        self.store.end_phase(&self.run, "pull", Timestamp::now()).await.map_err(EngineError::from)?;
        pulled
    }

    async fn all(&self, needed: BTreeMap<String, Vec<String>>) -> Result<Pulled, Stop> {
        let needed_by_head: BTreeSet<String> = needed.keys().cloned().collect();
        let looks = stream::iter(needed).map(|(image, services)| self.look(image, services));
        let looks: Vec<Look> = looks.buffered(ASKED_AT_ONCE).try_collect().await?;
        let (mut pulled, mut to_pull, mut findings) = (Pulled::default(), Vec::new(), Vec::new());
        for look in looks {
            match look {
                Look::There(pull, warning) => {
                    pulled.pulls.push(pull);
                    pulled.warnings.extend(warning);
                }
                Look::ToPull(wanted) => to_pull.push(wanted),
                Look::Refused(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            return Err(Stop::Failed(findings));
        }
        let (heads, ()) = tokio::try_join!(self.heads(to_pull), self.bases(&needed_by_head))?;
        for (pull, warning) in heads {
            pulled.pulls.push(pull);
            pulled.warnings.extend(warning);
        }
        pulled.pulls.sort_by(|a, b| a.image.cmp(&b.image));
        Ok(pulled)
    }

    async fn heads(&self, to_pull: Vec<Wanted>) -> Result<Vec<(Pull, Option<String>)>, Stop> {
        let pulls = stream::iter(to_pull).map(|wanted| self.fetch(wanted));
        // The first that fails ends the others.
        pulls.buffer_unordered(PULLED_AT_ONCE).try_collect().await
    }

    /// What the base needs beside head's images.
    async fn bases(&self, needed_by_head: &BTreeSet<String>) -> Result<(), Stop> {
        let only_the_bases = self.base.difference(needed_by_head).cloned();
        let pulls = stream::iter(only_the_bases).map(|image| async {
            if let Look::ToPull(wanted) = self.look(image, Vec::new()).await? {
                let image = wanted.image.to_string();
                match self.fetch(wanted).await {
                    Ok(_) => {}
                    Err(Stop::Failed(_)) => self.log.say(format!("{image} of the base does not come")),
                    Err(stop @ Stop::Engine(_)) => return Err(stop),
                }
            }
            Ok(())
        });
        let all: Result<Vec<()>, Stop> = pulls.buffer_unordered(PULLED_AT_ONCE).try_collect().await;
        self.base_may_come.send_replace(true);
        all.map(drop)
    }

    /// Asks the registry, and the store whether it holds just that.
    async fn look(&self, image: String, services: Vec<String>) -> Result<Look, Stop> {
        let image = match ImageName::parse(&image) {
            Ok(image) => image,
            Err(error) => return Ok(Look::Refused(about(unknown_name(&error, Stage::Install, self.now()), &services))),
        };
        let wanted = Wanted { image, services, begun: Instant::now() };
        match self.patiently(|| images::resolve(&self.docker, &wanted.image)).await? {
            Ok(digest) => {
                let known = self.stored(&wanted.image.at(&digest)).await?.is_some();
                Ok(if known { Look::There(wanted.warm(Some(digest)), None) } else { Look::ToPull(wanted) })
            }
            Err(refused) => match refused.means(&wanted.image) {
                // Nothing was said about the image: a pull may fare better, and gives the last word.
                Refusal::Trouble(_) => Ok(Look::ToPull(wanted)),
                Refusal::Missing | Refusal::Unusable | Refusal::BadName | Refusal::Denied | Refusal::Limit => {
                    let had = self.had_anyway(&wanted, &refused).await?;
                    Ok(had.map_or_else(
                        || Look::Refused(self.finding(&wanted, &refused)),
                        |(pull, warning)| Look::There(pull, warning),
                    ))
                }
            },
        }
    }

    /// Pulls an image, telling how far it is.
    async fn fetch(&self, wanted: Wanted) -> Result<(Pull, Option<String>), Stop> {
        let course =
            Mutex::new(Course { pulling: Pulling::default(), moved: Instant::now(), told: None, warned: false });
        let ended = loop {
            let pull = images::pull(&self.docker, &wanted.image, |message| {
                let mut course = course.lock().unwrap_or_else(PoisonError::into_inner);
                if course.pulling.take(message) {
                    course.moved = Instant::now();
                }
            });
            match self.watched(pull, &wanted, &course).await {
                Err(ImageError::Lost(error)) => {
                    let moved = course.lock().unwrap_or_else(PoisonError::into_inner).moved;
                    if moved.elapsed() > self.silence {
                        return Err(error.into());
                    }
                    tracing::debug!(%error, "the pull is begun anew");
                    tokio::time::sleep(PAUSE).await;
                }
                Err(ImageError::Refused(refused)) => break Err(refused),
                Ok(()) => break Ok(()),
            }
        };
        let pulling = course.into_inner().unwrap_or_else(PoisonError::into_inner).pulling;
        match (ended, self.stored(wanted.image.as_str()).await?) {
            (Ok(()), Some(kept)) => Ok((self.told(&wanted, &pulling, kept), None)),
            (Ok(()), None) => {
                let message = "the pull ended, and the image is not there".to_owned();
                Err(Stop::Failed(vec![self.finding(&wanted, &Refused { status: None, message })]))
            }
            (Err(refused), _) => match self.had_anyway(&wanted, &refused).await? {
                Some(had) => Ok(had),
                None => Err(Stop::Failed(vec![self.finding(&wanted, &refused)])),
            },
        }
    }

    /// The pull, with a look at its course each second: the no-progress clock counts from the last byte that came.
    async fn watched(
        &self,
        pull: impl Future<Output = Result<(), ImageError>>,
        wanted: &Wanted,
        course: &Mutex<Course>,
    ) -> Result<(), ImageError> {
        tokio::pin!(pull);
        let mut tick = tokio::time::interval(TOLD_AFTER);
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tokio::select! {
                biased;
                ended = &mut pull => return ended,
                _ = tick.tick() => self.look_at(wanted, &mut course.lock().unwrap_or_else(PoisonError::into_inner))?,
            }
        }
    }

    fn look_at(&self, wanted: &Wanted, course: &mut Course) -> Result<(), ImageError> {
        let (done, whole, still) = (course.pulling.downloaded(), course.pulling.size(), course.moved.elapsed());
        match quiet(still, &self.rules) {
            Quiet::Moves => course.warned = false,
            Quiet::Warn if course.warned => {}
            Quiet::Warn => {
                course.warned = true;
                let minutes = still.as_secs() / 60;
                self.log.say(format!("warning: nothing came of {} for {minutes} min", wanted.image));
            }
            Quiet::Stalled => {
                let message = format!("timeout: nothing came for {} min", still.as_secs() / 60);
                return Err(ImageError::Refused(Refused { status: None, message }));
            }
        }
        let due = course.told.is_none_or(|(at, so_far)| at.elapsed() >= TOLD_EVERY && so_far != done);
        if due && wanted.begun.elapsed() >= TOLD_AFTER {
            course.told = Some((Instant::now(), done));
            self.log.say(format!("pulling {}: {} of {}", wanted.image, size(done), size(whole)));
        }
        Ok(())
    }

    fn told(&self, wanted: &Wanted, pulling: &Pulling, kept: Option<String>) -> Pull {
        let pull = Pull {
            image: wanted.image.to_string(),
            services: wanted.services.clone(),
            digest: pulling.digest().map(str::to_owned).or(kept),
            store: Kept::Cold,
            bytes: pulling.downloaded(),
            ms: wanted.ms(),
        };
        if wanted.begun.elapsed() >= TOLD_AFTER {
            self.log.say(format!("pulled {}: {} in {}", pull.image, size(pull.bytes), duration(pull.ms)));
        }
        pull
    }

    /// The image from the store, where it is under the same name, although the registry does not give it.
    async fn had_anyway(&self, wanted: &Wanted, refused: &Refused) -> Result<Option<(Pull, Option<String>)>, Stop> {
        let Some(digest) = self.stored(wanted.image.as_str()).await? else { return Ok(None) };
        let why = self.finding(wanted, refused).sentence;
        let warning = format!("{} comes from the target's store: {why}", wanted.image);
        self.log.say(format!("warning: {warning}"));
        Ok(Some((wanted.warm(digest), Some(warning))))
    }

    async fn stored(&self, name: &str) -> Result<Option<Option<String>>, Stop> {
        let asked = || async { images::stored(&self.docker, name).await.map_err(ImageError::Lost) };
        // Only silence is an error here, and it is not waited for endlessly.
        Ok(self.patiently(asked).await?.unwrap_or_default())
    }

    /// Asks again while the target is silent for less than its limit.
    async fn patiently<T, F>(&self, mut ask: impl FnMut() -> F) -> Result<Result<T, Refused>, Stop>
    where
        F: Future<Output = Result<T, ImageError>>,
    {
        let begun = Instant::now();
        loop {
            match ask().await {
                Ok(answer) => return Ok(Ok(answer)),
                Err(ImageError::Refused(refused)) => return Ok(Err(refused)),
                Err(ImageError::Lost(error)) if gives_up(&error, begun.elapsed(), self.silence) => {
                    return Err(error.into());
                }
                Err(ImageError::Lost(_)) => tokio::time::sleep(PAUSE).await,
            }
        }
    }

    fn finding(&self, wanted: &Wanted, refused: &Refused) -> Finding {
        let refusal = refused.means(&wanted.image);
        let finding = judge(refusal, &wanted.image, &refused.message, &self.base, Stage::Install, self.now());
        about(finding, &wanted.services)
    }

    /// The target's time.
    fn now(&self) -> Timestamp {
        Timestamp::now() + self.clock_offset
    }
}

impl Wanted {
    fn warm(&self, digest: Option<String>) -> Pull {
        Pull {
            image: self.image.to_string(),
            services: self.services.clone(),
            digest,
            store: Kept::Warm,
            bytes: 0,
            ms: self.ms(),
        }
    }

    fn ms(&self) -> u64 {
        u64::try_from(self.begun.elapsed().as_millis()).unwrap_or(u64::MAX)
    }
}

fn gives_up(error: &DockerError, silent: Duration, patience: Duration) -> bool {
    !error.is_silence() || silent > patience
}

/// The finding about the first service that uses the image; the others are named beside it.
fn about(finding: Finding, services: &[String]) -> Finding {
    let Some((first, others)) = services.split_first() else { return finding };
    let finding = finding.about(first);
    if others.is_empty() { finding } else { finding.with("other services with this image", others.join("\n")) }
}
