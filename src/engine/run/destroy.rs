//! Destroy: the app goes with its data, so that what comes next comes from nothing, or from a backup.

use super::prepare::Live;
use super::step::own_step;
use super::{Run, Stop};
use crate::domain::results::By;
use crate::domain::stage::Stage;

const LIMIT_SECONDS: u64 = 600;

impl Run {
    /// Removes the app and its volumes; its secrets stay until teardown.
    pub(super) async fn destroy(&self, live: &mut Live) -> Result<(), Stop> {
        // Afterwards nothing is left of a failure to look at.
        if self.gate.store.findings(&self.plan.run).await?.iter().any(|finding| finding.stage != Stage::Base) {
            self.collect(live).await?;
        }
        self.remove(live, Stage::Destroy, "destroy").await
    }

    /// The same in any stage; `name` is the step's.
    pub(super) async fn remove(&self, live: &mut Live, stage: Stage, name: &str) -> Result<(), Stop> {
        end_watch(live).await;
        let step = own_step(name, &["destroy", self.plan.stack.as_str()], LIMIT_SECONDS)?;
        let destroyed = self.must(live, stage, &step, "the app could not be destroyed");
        self.phase(name, By::Docker, destroyed).await
    }
}

/// What runs is going to be replaced: its last lines are taken, and nothing that happens to it counts any more.
pub(super) async fn end_watch(live: &mut Live) {
    if let Some(watch) = live.watch.take() {
        watch.end().await;
    }
}
