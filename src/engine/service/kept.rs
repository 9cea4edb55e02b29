//! An app that stays up for a person (`--keep`): where it is, until when, and with which secrets.

use jiff::Timestamp;
use secrecy::SecretString;

use super::Service;
use crate::adapters::docker::runner;
use crate::domain::ids::{RunId, StackName};
use crate::domain::protocol::SECRETS;
use crate::engine::EngineError;
use crate::engine::run::{KEEP_UNTIL, Run};

/// An app that is up for a person.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Up {
    /// Its address.
    pub url: String,
    /// When it goes.
    pub until: Timestamp,
    stack: StackName,
}

impl Service {
    /// The app of a run that is being kept; `None`: nothing is up for anybody.
    ///
    /// # Errors
    /// When the database cannot be read.
    pub async fn kept(&self, run: &RunId) -> Result<Option<Up>, EngineError> {
        let store = &self.shared.gate.store;
        let Some(until) = store.fact::<Timestamp>(run, KEEP_UNTIL).await? else { return Ok(None) };
        if until <= self.now() || store.run(run).await?.is_none_or(|row| row.done) {
            return Ok(None);
        }
        let plan = Run::stored_plan(store, run).await?;
        Ok(Some(Up { url: format!("https://{}", plan.domain), until, stack: plan.stack }))
    }

    /// The secrets of an app that is being kept, by their names, read from its runner: nothing of this gate keeps them.
    ///
    /// # Errors
    /// When the target does not answer.
    pub async fn secrets_of_kept(&self, run: &RunId) -> Result<Vec<(String, SecretString)>, EngineError> {
        let Some(up) = self.kept(run).await? else { return Ok(Vec::new()) };
        let plan = Run::stored_plan(&self.shared.gate.store, run).await?;
        let Some(target) = self.shared.targets.iter().find(|target| target.name == plan.target) else {
            return Ok(Vec::new());
        };
        let docker = self.shared.sessions.docker(target).await?;
        let Some(found) = runner::find(&docker, run).await? else { return Ok(Vec::new()) };
        let files = runner::download(&docker, &found.id, SECRETS).await?.unwrap_or_default();
        let prefix = format!("{}_", up.stack);
        let named = |(path, value): (String, Vec<u8>)| {
            let name = path.rsplit('/').next().unwrap_or_default();
            let name = name.strip_prefix(&prefix).unwrap_or(name).to_owned();
            (name, SecretString::from(String::from_utf8_lossy(&value).into_owned()))
        };
        Ok(files.into_iter().map(named).collect())
    }
}
