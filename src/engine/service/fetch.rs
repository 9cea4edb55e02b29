//! Fetches the files of each requested commit, so that what is tested is frozen before it waits.

use std::time::Duration;

use super::{Service, held};
use crate::adapters::git;
use crate::adapters::store::{Asked, Needs, RunState};
use crate::domain::base::Tag;
use crate::domain::cancellation::Cancellation;
use crate::domain::command::BaseVersion;
use crate::domain::forge::RepoName;
use crate::domain::queue::published;
use crate::domain::recipe::RecipeVersion;
use crate::domain::results::one_line;
use crate::domain::tests_file::{Frozen, OWN_FILE, Origin, TestsFile};
use crate::engine::EngineError;
use crate::engine::base::{self, BASE, Found};
use crate::engine::plan::{Plan, Requested, save_files, save_tests};

/// A commit that cannot be fetched for so long is given up.
const PATIENCE: Duration = Duration::from_secs(600);
/// Fetches at once.
const AT_ONCE: usize = 4;

impl Service {
    pub(super) async fn fetch(&self) -> Result<(), EngineError> {
        use futures_util::StreamExt as _;
        let open = self.shared.gate.store.open_runs().await?;
        let waiting = open.into_iter().filter(|run| run.state == RunState::Fetching && run.cancelled.is_none());
        let fetched: Vec<Result<(), EngineError>> = futures_util::stream::iter(waiting)
            .map(|run| self.fetch_or_wait(run))
            .buffer_unordered(AT_ONCE)
            .collect()
            .await;
        fetched.into_iter().collect()
    }

    async fn fetch_or_wait(&self, run: Asked) -> Result<(), EngineError> {
        let error = match self.fetch_one(&run).await {
            Ok(()) => return Ok(()),
            Err(error @ EngineError::Store(_)) => return Err(error),
            Err(error) => error,
        };
        let waited = self.now().duration_since(run.queued_at);
        if error.is_usage_of_files() || Duration::try_from(waited).unwrap_or_default() > PATIENCE {
            let why = Cancellation::Because(format!("its commit could not be fetched: {error}"));
            return self.cancel(&run.id, &why).await;
        }
        tracing::warn!(%error, run = run.number, "a commit could not be fetched yet");
        Ok(())
    }

    async fn fetch_one(&self, run: &Asked) -> Result<(), EngineError> {
        let (Some(head), Some(repository)) = (&run.head, &run.repository) else {
            return self.cancel(&run.id, &Cancellation::Because("it names no commit".to_owned())).await;
        };
        let opened = git::open_commit(&self.shared.forge.git_url(repository), &run.recipe, head).await?;
        let canonicals = self.shared.gate.store.canonicals(&run.recipe).await?;
        let asked = run.options.base.as_ref().map(BaseVersion::as_str);
        let published = if asked.is_some() { opened.tags().await?.unwrap_or_default() } else { Vec::new() };
        if let Some(why) = unknown_base(asked, &published) {
            return self.cancel(&run.id, &Cancellation::Because(why)).await;
        }
        let base = base::find(&opened, asked, &canonicals).await?;
        let source = opened.source;
        let folder = self.shared.gate.state.run(&run.id);
        // The lock is let go at once: whoever drives the run takes it again.
        drop(folder.hold(&run.id)?);
        save_files(&source.files, &folder.recipe())?;
        if let Some(files) = &base.files {
            save_files(files, &folder.base())?;
        }
        if let Some(files) = &base.next {
            save_files(files, &folder.next_base())?;
        }
        let tests = if run.options.with_tests {
            own_tests(&source, repository)
        } else {
            self.tests_of(repository, &run.recipe).await?
        };
        save_tests(tests.as_ref(), &folder.tests())?;
        self.shared.gate.store.put_fact(&run.id, BASE, &base.resolution).await?;
        self.shared.gate.store.fetched(&run.id, &self.needs(run, &source, &base, tests.as_ref())).await?;
        self.shared.wake.work.notify_one();
        Ok(())
    }

    /// What the recipe needs of a target. One that cannot be read needs nothing: its lint will say why.
    fn needs(&self, run: &Asked, source: &git::Source, base: &Found, tests: Option<&Frozen>) -> Needs {
        let read = tests.and_then(|tests| TestsFile::read(&tests.text).ok()).unwrap_or_default();
        let weight = read.weight.unwrap_or_else(|| held(&self.shared.enrolment).weight(&run.recipe));
        // Who rules the target is there alone.
        let weight = if read.host_power.is_some() { u32::MAX } else { weight };
        let plan = self.shared.targets.first().map(|target| {
            let plan = Plan::new(
                run.id.clone(),
                source,
                None,
                target,
                Requested::default(),
                self.shared.watched.limits,
                tests,
            )?;
            let of = |files| plan.deployment(files, target, &read);
            // The base publishes what it did, whatever becomes of that in head.
            let older = [&base.files, &base.next].into_iter().flatten().filter_map(|files| of(files).ok());
            Ok::<_, EngineError>((of(&source.files)?, older.collect::<Vec<_>>()))
        });
        let Some(Ok((deployment, older))) = plan else { return Needs { weight, ..Needs::default() } };
        let services = deployment.services.iter().chain(older.iter().flat_map(|older| &older.services));
        let ports = published(services.flat_map(|service| &service.ports));
        let images = deployment.services.iter().map(|service| service.image.clone()).collect();
        Needs { weight, ports, images }
    }
}

/// The tests file of the change itself: a maintainer asked for it.
fn own_tests(source: &git::Source, repository: &RepoName) -> Option<Frozen> {
    let origin = Origin {
        source: format!("{repository}/{OWN_FILE} of the change itself"),
        commit: source.revision.commit.clone(),
    };
    Frozen::own(origin, &source.files).ok()
}

/// Why there is no such base, with the versions there are.
fn unknown_base(asked: Option<&str>, tags: &[Tag]) -> Option<String> {
    /// So many are named.
    const NAMED: usize = 12;
    let asked = asked.filter(|asked| tags.iter().all(|tag| tag.name != *asked))?;
    let mut versions: Vec<RecipeVersion> = tags.iter().filter_map(|tag| RecipeVersion::parse(&tag.name).ok()).collect();
    versions.sort_by(|one, other| other.cmp(one));
    let names: Vec<String> = versions.iter().take(NAMED).map(ToString::to_string).collect();
    let there =
        if names.is_empty() { "none is published".to_owned() } else { format!("there are {}", names.join(", ")) };
    Some(format!("`--base {}` is no published version; {there}", one_line(asked, 64)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::CommitSha;

    #[test]
    fn s91_an_unknown_base_is_answered_with_the_choices() {
        let tag =
            |name: &str| Tag { name: name.into(), commit: CommitSha::parse(&"a".repeat(40)).unwrap(), annotated: true };
        let tags = ["1.0.0+1", "0.9.0+1", "1.10.0+1", "nightly"].map(tag);
        assert_eq!(unknown_base(None, &tags), None);
        assert_eq!(unknown_base(Some("0.9.0+1"), &tags), None);
        assert_eq!(
            unknown_base(Some("2.0.0"), &tags).unwrap(),
            "`--base 2.0.0` is no published version; there are 1.10.0+1, 1.0.0+1, 0.9.0+1"
        );
        assert_eq!(unknown_base(Some("x"), &[]).unwrap(), "`--base x` is no published version; none is published");
    }
}
