//! Images: resolved and pulled on the target while lint runs, those of the base first, so that head's come while the base is deployed.
//!
//! First every registry is asked what it has of head's, which takes a moment, so that a missing image is red before anything is deployed
//! and before another's gigabytes come. What the target's store holds counts, even where the registry says no. An image of the base that
//! does not come is no finding here: its deploy will tell.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::{StreamExt as _, TryStreamExt as _, stream};
use jiff::Timestamp;
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;

use super::prepare::Live;
use super::pull::{Had, Look, Puller, Wanted};
use super::{Run, Stop};
use crate::adapters::store::Store;
use crate::domain::deployment::Deployment;
use crate::domain::ids::RunId;
use crate::domain::registry::needed;
use crate::domain::results::{Pull, Store as Kept, count, size};
use crate::engine::EngineError;

/// The fact with how the target came to have the images.
pub(super) const PULLS: &str = "pulls";
/// The fact with what should be known of them.
pub(super) const PULL_WARNINGS: &str = "pull_warnings";
/// Registries are asked about so many images at once.
const ASKED_AT_ONCE: usize = 8;
/// So many images are pulled at once; the engine itself takes three layers at a time.
const PULLED_AT_ONCE: usize = 3;

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

/// The work: what pulls, and where its course is noted.
struct Work {
    puller: Puller,
    run: RunId,
    store: Store,
    base_may_come: watch::Sender<bool>,
}

impl Run {
    /// Begins to pull what head and its base need; dropping it ends that.
    pub(super) fn begin_pulling(&self, live: &Live, head: &Deployment) -> Images {
        let (sender, base_may_come) = watch::channel(false);
        let work = Work {
            puller: self.puller(live),
            run: self.plan.run.clone(),
            store: self.gate.store.clone(),
            base_may_come: sender,
        };
        let pulling = AbortOnDropHandle::new(tokio::spawn(work.go(needed(&head.services))));
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

impl Work {
    async fn go(self, needed: BTreeMap<String, Vec<String>>) -> Result<Pulled, Stop> {
        self.store.begin_phase(&self.run, "pull", "docker", Timestamp::now()).await.map_err(EngineError::from)?;
        let pulled = self.all(needed).await;
        self.store.end_phase(&self.run, "pull", Timestamp::now()).await.map_err(EngineError::from)?;
        pulled
    }

    async fn all(&self, needed: BTreeMap<String, Vec<String>>) -> Result<Pulled, Stop> {
        let needed_by_head: BTreeSet<String> = needed.keys().cloned().collect();
        let looks = stream::iter(needed).map(|(image, services)| self.puller.look(image, services));
        let looks: Vec<Look> = looks.buffered(ASKED_AT_ONCE).try_collect().await?;
        let (mut had, mut to_pull, mut findings) = (Vec::new(), Vec::new(), Vec::new());
        for look in looks {
            match look {
                Look::There(there) => had.push(there),
                Look::ToPull(wanted) => to_pull.push(wanted),
                Look::Refused(finding) => findings.push(finding),
            }
        }
        if !findings.is_empty() {
            return Err(Stop::Failed(findings));
        }
        let (heads, ()) = tokio::try_join!(self.heads(to_pull), self.bases(&needed_by_head))?;
        had.extend(heads);
        let mut pulled = Pulled::default();
        for (pull, warning) in had {
            pulled.pulls.push(pull);
            pulled.warnings.extend(warning);
        }
        pulled.pulls.sort_by(|a, b| a.image.cmp(&b.image));
        Ok(pulled)
    }

    async fn heads(&self, to_pull: Vec<Wanted>) -> Result<Vec<Had>, Stop> {
        let pulls = stream::iter(to_pull)
            .map(|wanted| async { self.puller.fetch(wanted).await?.map_err(|finding| Stop::Failed(vec![finding])) });
        // The first that fails ends the others.
        pulls.buffer_unordered(PULLED_AT_ONCE).try_collect().await
    }

    /// What the base needs beside head's images.
    async fn bases(&self, needed_by_head: &BTreeSet<String>) -> Result<(), Stop> {
        let only_the_bases = self.puller.base.difference(needed_by_head).cloned();
        let pulls = stream::iter(only_the_bases).map(|image| async {
            if let Err(finding) = self.puller.have(image).await? {
                self.puller.log.say(format!("an image of the base does not come: {}", finding.sentence));
            }
            Ok(())
        });
        let all: Result<Vec<()>, Stop> = pulls.buffer_unordered(PULLED_AT_ONCE).try_collect().await;
        self.base_may_come.send_replace(true);
        all.map(drop)
    }
}
