//! Which recipes are watched, and what the gate's account may do there.

use super::{Service, held};
use crate::adapters::forge::{HookScope, Repository};
use crate::domain::enrolment::Enrolment;
use crate::domain::forge::RepoName;
use crate::engine::EngineError;

/// The file in the tests repository that says which recipes are watched.
const FILE: &str = "recipes.toml";

impl Service {
    /// Whether a repository holds a recipe that is watched.
    pub(super) fn is_enrolled(&self, repository: &RepoName) -> bool {
        let watched = &self.shared.watched;
        *repository.owner() == watched.organisation
            && Some(repository) != watched.tests_repository.as_ref()
            && held(&self.shared.enrolment).holds(repository.name())
    }

    /// All repositories of the organisation that are watched; archived ones are not.
    pub(super) async fn enrolled_repositories(&self) -> Result<Vec<Repository>, EngineError> {
        let all = self.shared.forge.repositories(&self.shared.watched.organisation).await?;
        if !all.complete {
            return Err(EngineError::Target("the forge's list of repositories was cut short".to_owned()));
        }
        Ok(all.items.into_iter().filter(|it| !it.archived && self.is_enrolled(&it.name)).collect())
    }

    /// Reads the tests repository's list. One that cannot be read leaves the last one in force, and is told.
    pub(super) async fn read_enrolment(&self) -> Result<(), EngineError> {
        let Some(repository) = &self.shared.watched.tests_repository else { return Ok(()) };
        let Some(bytes) = self.shared.forge.file(repository, FILE).await? else {
            tracing::warn!(%repository, "there is no {FILE}; the configured recipes are watched");
            return Ok(());
        };
        match Enrolment::read(&String::from_utf8_lossy(&bytes)) {
            Ok(read) => *held(&self.shared.enrolment) = read,
            Err(why) => tracing::error!(%repository, why, "{FILE} cannot be used; what was watched before still is"),
        }
        Ok(())
    }

    /// Finds out once what the account may do, and says what it may not.
    pub(super) async fn probe_once(&self) -> Result<(), EngineError> {
        if held(&self.shared.capabilities).is_some() {
            return Ok(());
        }
        let (forge, watched) = (&self.shared.forge, &self.shared.watched);
        forge.version().await?;
        let Some(sample) = self.enrolled_repositories().await?.into_iter().next() else { return Ok(()) };
        let scope = HookScope::Organisation(watched.organisation.clone());
        let scope = watched.hook.is_some().then_some(&scope);
        let found = forge.probe(&sample.name, &watched.organisation, scope).await?;
        tracing::info!(version = found.version.text, "the forge answers");
        for line in found.missing() {
            tracing::warn!("{line}");
        }
        *held(&self.shared.capabilities) = Some(found);
        Ok(())
    }
}
