//! Where the tests file of a recipe comes from: the tests repository, else the recipe's own default branch. Never from what is
//! under test.

use super::Service;
use crate::adapters::git;
use crate::domain::forge::RepoName;
use crate::domain::ids::RecipeName;
use crate::domain::tests_file::{FILE, Frozen, LARGEST, OWN_FILE, Origin};
use crate::engine::EngineError;

impl Service {
    /// The tests file of a recipe, as it is now at the tip of its branch; `None`: there is none.
    pub(super) async fn tests_of(
        &self,
        repository: &RepoName,
        recipe: &RecipeName,
    ) -> Result<Option<Frozen>, EngineError> {
        if let Some(tests) = &self.shared.watched.tests_repository
            && let Some(found) = self.frozen(tests, &format!("tests/{recipe}/{FILE}")).await?
        {
            return Ok(Some(found));
        }
        self.frozen(repository, OWN_FILE).await
    }

    /// A file at the tip of a repository's default branch, with that commit.
    async fn frozen(&self, repository: &RepoName, path: &str) -> Result<Option<Frozen>, EngineError> {
        let forge = &self.shared.forge;
        let branch = forge.repository(repository).await?.default_branch;
        let commit = forge.branch(repository, &branch).await?;
        let Some(bytes) = forge.file_at(repository, path, &commit).await? else { return Ok(None) };
        // One byte more than is allowed, so that the reader can tell.
        let text = String::from_utf8_lossy(&bytes[..bytes.len().min(LARGEST + 1)]).into_owned();
        let origin = Origin { source: format!("{repository}/{path}"), commit: Some(commit.clone()) };
        let frozen = Frozen::new(origin, text);
        if !frozen.needs_files() {
            return Ok(Some(frozen));
        }
        let folder = path.strip_suffix(FILE).unwrap_or_default();
        let files = git::folder_at(&forge.git_url(repository), &commit, folder).await?;
        Ok(Some(frozen.with_files_of(&files, folder)))
    }
}
