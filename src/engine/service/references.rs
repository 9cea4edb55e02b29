//! Runs that nobody asks for: after a push to a default branch, for a new tag, and the periodic sweep over all recipes.

use std::time::Duration;

use super::{Service, held};
use crate::adapters::forge::Repository;
use crate::adapters::store::{Asked, Cause, OpenSweep};
use crate::domain::ids::{CommitSha, RecipeName};
use crate::domain::sweep::{outcome, turn};
use crate::domain::verdict::Verdict;
use crate::engine::EngineError;

/// Between two looks at all repositories; a webhook makes it look at once.
pub(super) const PAUSE: Duration = Duration::from_secs(300);

impl Service {
    /// Looks at the default branch and the tags of every recipe, and goes on with the sweep.
    pub(super) async fn look_at_references(&self) -> Result<(), EngineError> {
        self.read_enrolment().await?;
        let repositories = self.enrolled_repositories().await?;
        for repository in &repositories {
            // One repository that cannot be read does not keep the others from being looked at.
            if let Err(error) = self.look_at(repository).await {
                tracing::warn!(%error, repository = %repository.name, "its branches and tags could not be read");
            }
        }
        self.sweep_on(&repositories).await
    }

    async fn look_at(&self, repository: &Repository) -> Result<(), EngineError> {
        let (store, forge, name) = (&self.shared.gate.store, &self.shared.forge, &repository.name);
        let known = store.references(name).await?;
        let tip = forge.branch(name, &repository.default_branch).await?;
        let tags = forge.tags(name).await?;
        let branch = (format!("refs/heads/{}", repository.default_branch), tip);
        let tags = tags.items.into_iter().map(|tag| (format!("refs/tags/{}", tag.name), tag.commit));
        let found: Vec<_> = std::iter::once(branch).chain(tags).collect();
        // A repository that was never looked at has nothing new; a tag that was moved is a push like another.
        if known.is_empty() {
            return Ok(store.see_references(name, &found, self.now()).await?);
        }
        for new in &found {
            let (reference, sha) = new;
            if known.get(reference).map(String::as_str) != Some(sha.as_str()) {
                self.request_of_itself(Cause::PostMerge, name, sha, None).await?;
                store.see_references(name, std::slice::from_ref(new), self.now()).await?;
            }
        }
        Ok(())
    }

    async fn sweep_on(&self, repositories: &[Repository]) -> Result<(), EngineError> {
        let Some(period) = self.shared.watched.sweep_period else { return Ok(()) };
        let (store, now) = (&self.shared.gate.store, self.now());
        let Some(sweep) = store.open_sweep().await? else {
            store.begin_sweep(now, now + period).await?;
            return Ok(());
        };
        let swept = |repository: &&Repository| {
            RecipeName::parse(repository.name.name()).is_ok_and(|name| held(&self.shared.enrolment).sweeps(&name))
        };
        let period = Duration::try_from(sweep.ends_at.duration_since(sweep.begun_at)).unwrap_or(period);
        for repository in repositories.iter().filter(swept) {
            let Ok(name) = RecipeName::parse(repository.name.name()) else { continue };
            if turn(&name, sweep.begun_at, period) <= now {
                let tip: CommitSha = self.shared.forge.branch(&repository.name, &repository.default_branch).await?;
                self.request_of_itself(Cause::Sweep, &repository.name, &tip, Some(sweep.id)).await?;
            }
        }
        if sweep.ends_at <= now { self.end_sweep(&sweep).await } else { Ok(()) }
    }

    /// When its time is over and its runs have ended.
    async fn end_sweep(&self, sweep: &OpenSweep) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let runs = store.runs_of_sweep(sweep.id).await?;
        if runs.iter().any(Asked::is_open) {
            return Ok(());
        }
        // Of two tries the second counts.
        let tried_again = |run: &Asked| runs.iter().any(|it| it.first_try.as_ref() == Some(&run.id));
        let verdicts: Vec<Verdict> =
            runs.iter().filter(|run| !tried_again(run)).filter_map(|run| run.verdict).collect();
        let (failed, said) = outcome(&verdicts);
        if failed {
            tracing::error!(sweep = sweep.id, "{said}");
        } else {
            tracing::info!(sweep = sweep.id, "{said}");
        }
        store.end_sweep(sweep.id, failed, &said).await?;
        Ok(())
    }
}
