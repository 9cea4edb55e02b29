//! The load of the target's host during a stage: the runner's readings, and what they leave of the stage's findings.

use std::time::Duration;

use bollard::Docker;
use jiff::{SignedDuration, Timestamp};

use super::Run;
use super::prepare::Live;
use crate::adapters::docker::runner;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::host::{HostLoad, Reading, excuse, warning};
use crate::domain::protocol::HOST;
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with the load of each stage.
pub(super) const LOADS: &str = "host";
/// Readings are a help, not a need: they are not waited for longer.
const PATIENCE: Duration = Duration::from_secs(10);

/// What is needed to ask for readings while a stage has everything else.
pub(super) struct Witness {
    docker: Docker,
    clock_offset: SignedDuration,
}

impl Live {
    /// Somebody who can ask the runner how its host is.
    pub(super) fn witness(&self) -> Witness {
        Witness { docker: self.docker.clone(), clock_offset: self.engine.clock_offset }
    }
}

impl Run {
    /// Stores how the host was since the stage began, and gives the findings that are left.
    pub(super) async fn heed_the_host(
        &self,
        witness: &Witness,
        stage: Stage,
        findings: Vec<Finding>,
    ) -> Result<Vec<Finding>, EngineError> {
        // A target that is gone answers no more.
        if findings.iter().any(|finding| finding.kind == FindingKind::TargetUnreachable) {
            return Ok(findings);
        }
        let rows = self.gate.store.stages(&self.plan.run).await?;
        let Some(begun) = rows.iter().find(|row| row.stage == stage).map(|row| row.started_at) else {
            return Ok(findings);
        };
        let readings = tokio::time::timeout(PATIENCE, self.readings(witness)).await.unwrap_or_default();
        let now = Timestamp::now() + witness.clock_offset;
        let Some(load) = HostLoad::during(stage, &readings, begun + witness.clock_offset, now) else {
            return Ok(findings);
        };
        let mut loads: Vec<HostLoad> = self.gate.store.fact(&self.plan.run, LOADS).await?.unwrap_or_default();
        loads.retain(|known| known.stage != stage);
        loads.push(load.clone());
        self.gate.store.put_fact(&self.plan.run, LOADS, &loads).await?;
        warning(&load).iter().for_each(|warning| self.log.say(format!("warning: {warning}")));
        // In a drill the clock alone is to decide.
        let drill = self.plan.only_deadline_seconds.is_some();
        Ok(if drill { findings } else { excuse(findings, &load) })
    }

    /// All readings that can be had; a line that is not whole is none.
    async fn readings(&self, witness: &Witness) -> Vec<Reading> {
        let Ok(Some(runner)) = runner::find(&witness.docker, &self.plan.run).await else { return Vec::new() };
        let Ok(Some(files)) = runner::download(&witness.docker, &runner.id, HOST).await else { return Vec::new() };
        let lines = files.values().flat_map(|file| file.split(|byte| *byte == b'\n'));
        lines.filter_map(|line| serde_json::from_slice(line).ok()).collect()
    }
}
