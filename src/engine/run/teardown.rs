//! Teardown: the last lines of every log, then nothing of this run stays, and the target is what it was before.

use std::time::Duration;

use futures_util::TryFutureExt as _;

use super::prepare::{BEFORE, Live};
use super::step::own_step;
use super::{Run, Stop};
use crate::adapters::docker::undeploy::{UndeployError, undeploy};
use crate::adapters::docker::{falls_silent, inventory, runner};
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::inventory::{Inventory, Object};
use crate::domain::protocol::Step;
use crate::domain::results::By;
use crate::domain::stage::Stage;

/// The fact with the target's inventory after the run.
pub(super) const AFTER: &str = "after";
/// The fact with the outcome of the comparison.
pub(super) const NOTHING_LEFT: &str = "nothing_left";
const UNDEPLOY_LIMIT_SECONDS: u64 = 600;
/// After the first.
const LOOKS_BESIDE_OTHERS: u32 = 8;
pub(super) const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

impl Run {
    /// Removes everything of this run and compares.
    pub(super) async fn teardown(&self, mut live: Live) -> Result<(), Stop> {
        // A pull that nobody waits for any more ends with its handle.
        drop(live.images.take());
        // Where install did not end in any process, nothing was collected behind it.
        self.collect(&live).await?;
        let watch = match live.watch.take() {
            Some(watch) => Some(watch),
            None => self.watch_again(&live).await?,
        };
        if let Some(watch) = watch {
            self.phase::<(), Stop>("capture logs", By::CcCi, async {
                tokio::select! {
                    () = watch.end() => {}
                    _silent = falls_silent(&live.docker, self.patience(Stage::Teardown)) => {
                        self.log.say("the target does not answer: the last lines of its services are missing");
                    }
                }
                Ok(())
            })
            .await?;
        }
        if live.runner.is_none() {
            // Cancelled while it was made: it may be there all the same.
            live.runner = runner::find(&live.docker, &self.plan.run).await?.map(|found| found.id);
        }
        self.phase("undeploy", By::Docker, self.undeploy(&live)).await?;
        if let Some(id) = &live.runner {
            self.phase("runner end", By::Docker, runner::remove(&live.docker, id).err_into::<Stop>()).await?;
        }
        let compared = self.phase("compare", By::Docker, self.compare(&live)).await;
        self.phase("release", By::Docker, live.claimant.release().err_into::<Stop>()).await?;
        compared
    }

    /// By the runner; where that is gone, by the gate itself.
    async fn undeploy(&self, live: &Live) -> Result<(), Stop> {
        let step = own_step("undeploy", &["undeploy", self.plan.stack.as_str()], UNDEPLOY_LIMIT_SECONDS)?;
        let step = Step { stops_others: true, ..step };
        let by_runner = if live.runner.is_some() { Some(self.step(live, Stage::Teardown, &step).await) } else { None };
        match by_runner {
            None => {}
            Some(Ok(ended)) if ended.end.succeeded() => return Ok(()),
            Some(Ok(ended)) => {
                self.log.say(format!("the runner could not remove the app ({}); the gate does it", ended.end.how));
            }
            Some(Err(_)) => self.log.say("the runner does not answer; the gate removes the app"),
        }
        let removed = tokio::select! {
            removed = undeploy(&live.docker, &self.plan.stack, |line| self.log.say(line)) => removed,
            silent = falls_silent(&live.docker, self.patience(Stage::Teardown)) => return Err(silent.into()),
        };
        match removed {
            Ok(()) => Ok(()),
            // What stays is named by the comparison: a target that cannot be cleaned is no target that cannot be reached.
            Err(error @ UndeployError::Remains { .. }) => {
                self.log.say(error.to_string());
                Ok(())
            }
            Err(error @ UndeployError::Docker(_)) => Err(error.into()),
        }
    }

    /// The inventory, what is new in it, and what has gone. Beside other runs one look may see half of what they do: only what every look
    /// shows counts.
    async fn what_is_left(
        &self,
        live: &Live,
        before: &Inventory,
    ) -> Result<(Inventory, Vec<Object>, Vec<Object>), Stop> {
        let more_looks = if self.neighbours().is_some() { LOOKS_BESIDE_OTHERS } else { 0 };
        let mut after = inventory::without(&live.docker, self.neighbours()).await?;
        let (mut left, mut missing) = (after.since(before), before.since(&after));
        for _ in 0..more_looks {
            if left.len() + missing.len() == 0 {
                break;
            }
            tokio::time::sleep(BETWEEN_LOOKS).await;
            after = inventory::without(&live.docker, self.neighbours()).await?;
            left.retain(|object| after.0.contains(object));
            missing.retain(|object| !after.0.contains(object));
        }
        Ok((after, left, missing))
    }

    async fn compare(&self, live: &Live) -> Result<(), Stop> {
        // Without an inventory nothing was deployed either.
        let Some(before) = self.stored::<Inventory>(BEFORE).await? else { return Ok(()) };
        let (after, left, missing) = self.what_is_left(live, &before).await?;
        self.store(AFTER, &after).await?;
        self.store(NOTHING_LEFT, &(left.is_empty() && missing.is_empty())).await?;
        if left.is_empty() && missing.is_empty() {
            self.log.say("the target is what it was before: nothing left behind, nothing else touched");
            return Ok(());
        }
        let finding =
            Finding::new(FindingKind::Leftovers, Stage::Teardown, live.now(), sentences::leftovers(&left, &missing));
        Err(Stop::Failed(vec![
            finding.with("inventory before", before.to_string()).with("inventory after", after.to_string()),
        ]))
    }
}
