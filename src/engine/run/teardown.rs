//! Teardown: the last lines of every log, then nothing of this run stays, and the target is what it was before.

use super::install::{step_env, step_name};
use super::prepare::{BEFORE, Live};
use super::{Run, Stop};
use crate::adapters::docker::undeploy::undeploy;
use crate::adapters::docker::{inventory, runner};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::inventory::{Inventory, Object};
use crate::domain::protocol::Step;
use crate::domain::results::By;
use crate::domain::stage::Stage;

/// The fact with the target's inventory after the run.
pub(super) const AFTER: &str = "after";
/// The fact with the outcome of the comparison.
pub(super) const NOTHING_LEFT: &str = "nothing_left";
const UNDEPLOY_LIMIT_SECONDS: u64 = 600;

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
                watch.end().await;
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
            runner::remove(&live.docker, id).await?;
        }
        let compared = self.phase("compare", By::Docker, self.compare(&live)).await;
        live.claimant.release().await?;
        compared
    }

    /// By the runner; where that is gone, by the gate itself.
    async fn undeploy(&self, live: &Live) -> Result<(), Stop> {
        let step = Step {
            name: step_name("undeploy")?,
            argv: ["/usr/local/bin/cc-ci", "runner", "undeploy", self.plan.stack.as_str()].map(str::to_owned).to_vec(),
            env: step_env(),
            folder: "/".to_owned(),
            limit_seconds: UNDEPLOY_LIMIT_SECONDS,
            stops_others: true,
        };
        let by_runner = if live.runner.is_some() { Some(self.step(live, Stage::Teardown, &step).await) } else { None };
        match by_runner {
            None => {}
            Some(Ok(ended)) if ended.end.succeeded() => return Ok(()),
            Some(Ok(ended)) => {
                self.log.say(format!("the runner could not remove the app ({}); the gate does it", ended.end.how));
            }
            Some(Err(_)) => self.log.say("the runner does not answer; the gate removes the app"),
        }
        undeploy(&live.docker, &self.plan.stack, |line| self.log.say(line)).await?;
        Ok(())
    }

    async fn compare(&self, live: &Live) -> Result<(), Stop> {
        // Without an inventory nothing was deployed either.
        let Some(before) = self.stored::<Inventory>(BEFORE).await? else { return Ok(()) };
        let after = inventory::inventory(&live.docker).await?;
        self.store(AFTER, &after).await?;
        let (left, missing) = (after.since(&before), before.since(&after));
        self.store(NOTHING_LEFT, &(left.is_empty() && missing.is_empty())).await?;
        if left.is_empty() && missing.is_empty() {
            self.log.say("the target is what it was before: nothing left behind, nothing else touched");
            return Ok(());
        }
        let mut said = Vec::new();
        if !left.is_empty() {
            said.push(format!("left behind: {}", named(&left)));
        }
        if !missing.is_empty() {
            said.push(format!("gone since before the run: {}", named(&missing)));
        }
        let finding = Finding::new(FindingKind::Leftovers, Stage::Teardown, live.now(), said.join("; "));
        Err(Stop::Failed(vec![
            finding.with("inventory before", before.to_string()).with("inventory after", after.to_string()),
        ]))
    }
}

fn named(objects: &[Object]) -> String {
    let first: Vec<String> = objects.iter().take(8).map(ToString::to_string).collect();
    let more = objects.len().saturating_sub(first.len());
    if more > 0 { format!("{} and {more} more", first.join(", ")) } else { first.join(", ") }
}
