//! What pages say of the gate itself, and why each run waits.

use std::collections::BTreeMap;
use std::sync::atomic::Ordering;
use std::time::Duration;

use jiff::Timestamp;

use super::{Heard, Round, Service, held};
use crate::domain::forge::{PullNumber, RepoName};
use crate::domain::ids::{RecipeName, RunId};
use crate::domain::queue::Why;
use crate::domain::target::Target;
use crate::engine::EngineError;

impl Service {
    /// The configured targets.
    #[must_use]
    pub fn targets(&self) -> &[Target] {
        &self.shared.targets
    }

    /// Notes that a loop begins a round.
    pub fn beat(&self, round: Round) {
        held(&self.shared.beats).insert(round, Timestamp::now());
    }

    /// Notes how the forge is doing.
    pub fn hears(&self, heard: Heard) {
        *held(&self.shared.heard) = heard;
    }

    /// When the loop that starts and ends runs began its last round; `None` before [`Service::serve`].
    #[must_use]
    pub fn last_beat(&self) -> Option<Timestamp> {
        held(&self.shared.beats).get(&Round::Work).copied()
    }

    /// Whether the runs of an earlier process were taken up.
    #[must_use]
    pub fn took_up(&self) -> bool {
        self.shared.took_up.load(Ordering::Relaxed)
    }

    /// The page of a pull request on the forge.
    #[must_use]
    pub fn pull_page(&self, repository: &str, pull: i64) -> Option<String> {
        let (repository, pull) = (RepoName::parse(repository).ok()?, PullNumber::new(pull).ok()?);
        Some(self.shared.forge.pull_url(&repository, pull))
    }

    /// How long a run of this recipe usually takes.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn usual(&self, recipe: &str) -> Result<Option<Duration>, EngineError> {
        let Ok(recipe) = RecipeName::parse(recipe) else { return Ok(None) };
        Ok(self.history().await?.usual(&recipe))
    }

    /// Why each run that waits does, by the queue's own policy, and the numbers of all that are open.
    ///
    /// # Errors
    /// When the database cannot be used.
    pub async fn whys(&self) -> Result<(BTreeMap<RunId, Why>, BTreeMap<RunId, i64>), EngineError> {
        let open = self.store().open_runs().await?;
        let numbers = open.iter().map(|run| (run.id.clone(), run.number)).collect();
        Ok((self.situation(&open).await?.explained(), numbers))
    }
}
