//! One image: what its registry and the target's store say of it, and its pull, told and watched.
//!
//! What the target's store holds counts, even where the registry says no.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use jiff::{SignedDuration, Timestamp};
use tokio::time::{Instant, MissedTickBehavior};

use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::DockerError;
use crate::adapters::docker::images::{self, ImageError, Refused};
use crate::adapters::logfile::LogFile;
use crate::domain::convergence::Rules;
use crate::domain::finding::Finding;
use crate::domain::registry::{ImageName, Pulling, Quiet, Refusal, judge, quiet, unknown_name};
use crate::domain::results::{Pull, Store as Kept, duration, size};
use crate::domain::stage::Stage;

/// Between two tries to reach the target.
const PAUSE: Duration = Duration::from_secs(1);
/// A pull that takes longer is told of.
const TOLD_AFTER: Duration = Duration::from_secs(1);
/// And then as often as this, while it moves.
const TOLD_EVERY: Duration = Duration::from_secs(10);

/// What pulls images onto the target.
pub(super) struct Puller {
    docker: Docker,
    pub log: Arc<LogFile>,
    clock_offset: SignedDuration,
    rules: Rules,
    silence: Duration,
    /// The images of the base: one of them that is denied was not always so.
    pub base: BTreeSet<String>,
}

/// An image that is needed.
pub(super) struct Wanted {
    image: ImageName,
    services: Vec<String>,
    begun: Instant,
}

/// How the target came to have an image, and what should be known of that.
pub(super) type Had = (Pull, Option<String>);

/// What a first look at an image gave.
pub(super) enum Look {
    There(Had),
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
    pub(super) fn puller(&self, live: &Live) -> Puller {
        Puller {
            docker: live.docker.clone(),
            log: Arc::clone(&self.log),
            clock_offset: live.engine.clock_offset,
            rules: self.plan.rules(self.tests()),
            silence: Duration::from_secs(self.plan.silence_seconds),
            base: self.base_images(),
        }
    }
}

impl Puller {
    /// Has an image on the target that no service of head uses.
    ///
    /// # Errors
    /// Why it does not come.
    pub(super) async fn have(&self, image: String) -> Result<Result<(), Finding>, Stop> {
        let wanted = match self.look(image, Vec::new()).await? {
            Look::There(_) => return Ok(Ok(())),
            Look::Refused(finding) => return Ok(Err(finding)),
            Look::ToPull(wanted) => wanted,
        };
        Ok(self.fetch(wanted).await?.map(drop))
    }

    /// Asks the registry, and the store whether it holds just that.
    pub(super) async fn look(&self, image: String, services: Vec<String>) -> Result<Look, Stop> {
        let image = match ImageName::parse(&image) {
            Ok(image) => image,
            Err(error) => return Ok(Look::Refused(about(unknown_name(&error, Stage::Install, self.now()), &services))),
        };
        let wanted = Wanted { image, services, begun: Instant::now() };
        match self.patiently(|| images::resolve(&self.docker, &wanted.image)).await? {
            Ok(digest) => {
                let known = self.stored(&wanted.image.at(&digest)).await?.is_some();
                Ok(if known { Look::There((wanted.warm(Some(digest)), None)) } else { Look::ToPull(wanted) })
            }
            Err(refused) => match refused.means(&wanted.image) {
                // Nothing was said about the image: a pull may fare better, and gives the last word.
                Refusal::Trouble(_) => Ok(Look::ToPull(wanted)),
                Refusal::Missing | Refusal::Unusable | Refusal::BadName | Refusal::Denied | Refusal::Limit => {
                    let had = self.had_anyway(&wanted, &refused).await?;
                    Ok(had.map_or_else(|| Look::Refused(self.finding(&wanted, &refused)), Look::There))
                }
            },
        }
    }

    /// Pulls an image, telling how far it is.
    ///
    /// # Errors
    /// Why it does not come.
    pub(super) async fn fetch(&self, wanted: Wanted) -> Result<Result<Had, Finding>, Stop> {
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
        Ok(match (ended, self.stored(wanted.image.as_str()).await?) {
            (Ok(()), Some(kept)) => Ok((self.told(&wanted, &pulling, kept), None)),
            (Ok(()), None) => {
                let message = "the pull ended, and the image is not there".to_owned();
                Err(self.finding(&wanted, &Refused { status: None, message }))
            }
            (Err(refused), _) => match self.had_anyway(&wanted, &refused).await? {
                Some(had) => Ok(had),
                None => Err(self.finding(&wanted, &refused)),
            },
        })
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
    async fn had_anyway(&self, wanted: &Wanted, refused: &Refused) -> Result<Option<Had>, Stop> {
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
