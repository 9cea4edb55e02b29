//! Destroy: the app goes with its data, so that what comes next comes from nothing, or from a backup.

use super::install::{step_env, step_name};
use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::protocol::Step;
use crate::domain::results::By;
use crate::domain::stage::Stage;
use crate::engine::EngineError;

const LIMIT_SECONDS: u64 = 600;

impl Run {
    /// Removes the app and its volumes; its secrets stay until teardown.
    pub(super) async fn destroy(&self, live: &mut Live) -> Result<(), Stop> {
        self.end_watch(live).await?;
        let argv = ["/usr/local/bin/cc-ci", "runner", "destroy", self.plan.stack.as_str()];
        let step = Step {
            name: step_name("destroy")?,
            argv: argv.map(str::to_owned).to_vec(),
            env: step_env(),
            folder: "/".to_owned(),
            limit_seconds: LIMIT_SECONDS,
            stops_others: false,
        };
        let ended = self.phase("destroy", By::Docker, self.step(live, Stage::Destroy, &step)).await?;
        if ended.end.succeeded() {
            return Ok(());
        }
        let told = format!("the app could not be destroyed: {}: {}", ended.end.how, ended.output.trim());
        Err(EngineError::Target(told).into())
    }
}
