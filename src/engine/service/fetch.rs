//! Fetches the files of each requested commit, so that what is tested is frozen before it waits.

use std::time::Duration;

use jiff::Timestamp;

use super::Service;
use crate::adapters::git;
use crate::adapters::store::{Needs, Open};
use crate::domain::ids::RecipeName;
use crate::engine::EngineError;
use crate::engine::plan::{Plan, TOTAL_LIMIT_SECONDS, save_files};

/// A commit that cannot be fetched for so long is given up.
const PATIENCE: Duration = Duration::from_secs(600);

impl Service {
    pub(super) async fn fetch(&self) -> Result<(), EngineError> {
        let open = self.shared.gate.store.open_runs().await?;
        for run in open.into_iter().filter(|run| run.state == "fetching") {
            if let Err(error) = self.fetch_one(&run).await {
                let waited = Timestamp::now().duration_since(run.queued_at);
                if Duration::try_from(waited).unwrap_or_default() > PATIENCE {
                    self.end_early(&run, &format!("its commit could not be fetched: {error}")).await?;
                } else {
                    tracing::warn!(%error, run = run.number, "a commit could not be fetched yet");
                }
            }
        }
        Ok(())
    }

    async fn fetch_one(&self, run: &Open) -> Result<(), EngineError> {
        let Some(head) = &run.head else { return self.end_early(run, "it names no commit").await };
        let name = RecipeName::parse(&run.recipe)?;
        let source = git::read_commit(&self.shared.forge.git_url(&run.repository), &name, head).await?;
        let folder = self.shared.gate.state.run(&run.id);
        // The lock is let go at once: whoever drives the run takes it again.
        drop(folder.hold(&run.id)?);
        save_files(&source.files, &folder.recipe())?;
        let (ports, images) = self.needs(run, &source);
        let needs = Needs { weight: 1, ports: &ports, images: &images };
        self.shared.gate.store.fetched(&run.id, &needs).await?;
        self.shared.wake.notify_waiters();
        Ok(())
    }

    /// Host ports and images, as JSON. A recipe that cannot be read has none: its lint will say why.
    fn needs(&self, run: &Open, source: &git::Source) -> (String, String) {
        let nothing = || ("[]".to_owned(), "[]".to_owned());
        let Some(target) = self.shared.targets.first() else { return nothing() };
        let plan = Plan::new(run.id.clone(), source, target, None, TOTAL_LIMIT_SECONDS);
        let Ok(deployment) = plan.and_then(|plan| Ok(plan.deployment(&source.files, target)?)) else {
            return nothing();
        };
        let ports: Vec<String> = deployment
            .services
            .iter()
            .flat_map(|service| service.ports.iter().filter_map(|port| port.published.clone()))
            .collect();
        let images: Vec<&str> = deployment.services.iter().map(|service| service.image.as_str()).collect();
        (serde_json::to_string(&ports).unwrap_or_default(), serde_json::to_string(&images).unwrap_or_default())
    }
}
