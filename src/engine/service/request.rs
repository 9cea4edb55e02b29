//! Requests: from somebody's comment, from a push, from a sweep, from the gate itself after an infra finding.

use sha2::{Digest as _, Sha256};

use super::Service;
use crate::adapters::store::{Asked, Cause, Heard, NewRequest, RunState};
use crate::domain::answer::{RunLink, Says};
use crate::domain::cancellation::Cancellation;
use crate::domain::command::Options;
use crate::domain::forge::RepoName;
use crate::domain::ids::{CommitSha, RecipeName, RunId};
use crate::domain::intake::Request;
use crate::domain::queue::{Admission, admit};
use crate::engine::EngineError;

impl Service {
    /// A request on a pull request: merged into an open run of the same commit and options, else a new run, which
    /// supersedes the waiting ones of this pull request.
    pub(super) async fn request(
        &self,
        heard: &Heard,
        request: &Request,
        head: &CommitSha,
        options: &Options,
        vouched: bool,
    ) -> Result<(), EngineError> {
        let id = run_of(self.shared.gate.id.as_str(), &heard.comment.to_string());
        let new = NewRequest {
            id: &id,
            cause: Cause::PullRequest,
            recipe: &request.recipe,
            repository: &heard.repository,
            pull: Some(heard.pull),
            head,
            asked_by: &request.by,
            options,
            attempt: 1,
            comment: Some(heard.comment),
            post: 1,
            vouched,
            first_try: None,
            sweep: None,
            queued_at: self.now(),
        };
        let store = &self.shared.gate.store;
        match self.admitted(&new).await? {
            Some(same) => {
                let into = RunLink { number: same.number, url: self.run_url(same.number) };
                self.reply(heard, Says::Merged { into, head: head.clone() }).await?;
                self.acknowledge(heard).await?;
                Ok(store.settle(heard.comment, "merged", Some(&same.id)).await?)
            }
            None => self.accepted(heard, &id).await,
        }
    }

    /// Whether this comment has been accepted, by a process that was killed before it could note that. Its run keeps its commit,
    /// whatever was pushed since.
    pub(super) async fn goes_on(&self, heard: &Heard) -> Result<bool, EngineError> {
        let id = run_of(self.shared.gate.id.as_str(), &heard.comment.to_string());
        if self.shared.gate.store.asked_run(&id).await?.is_none() {
            return Ok(false);
        }
        self.accepted(heard, &id).await?;
        Ok(true)
    }

    async fn accepted(&self, heard: &Heard, run: &RunId) -> Result<(), EngineError> {
        self.fold_older(heard, run).await?;
        self.acknowledge(heard).await?;
        Ok(self.shared.gate.store.settle(heard.comment, "accepted", Some(run)).await?)
    }

    /// The commit of the pull request's last run again, as it was asked for then.
    pub(super) async fn retry(&self, heard: &Heard, request: &Request) -> Result<(), EngineError> {
        let own = run_of(self.shared.gate.id.as_str(), &heard.comment.to_string());
        let last = self.runs_of(heard).await?.into_iter().find(|run| run.id != own && run.head.is_some());
        let Some((last, head)) = last.and_then(|run| Some((run.clone(), run.head?))) else {
            self.reply(heard, Says::NothingToRetry).await?;
            self.acknowledge(heard).await?;
            return Ok(self.shared.gate.store.settle(heard.comment, "nothing to retry", None).await?);
        };
        self.request(heard, request, &head, &last.options, last.vouched).await
    }

    /// Puts a request into the queue, unless a run that waits or runs serves it: that one is returned. A second call for the
    /// same request changes nothing.
    pub(super) async fn admitted(&self, new: &NewRequest<'_>) -> Result<Option<Asked>, EngineError> {
        let store = &self.shared.gate.store;
        let open = store.open_runs().await?;
        if open.iter().any(|run| run.id == *new.id) {
            return Ok(None);
        }
        let situation = self.situation(&open).await?;
        let waiting: Vec<_> = situation.waiting.iter().chain(&situation.fetching).cloned().collect();
        let admission =
            admit(&waiting, &situation.running, &Self::as_waiting(new, self.shared.watched.limits.total_seconds));
        match admission {
            Admission::MergedInto(run) | Admission::SupersededBy(run) => {
                Ok(open.into_iter().find(|open| open.id == run))
            }
            Admission::New => self.added(new, &[]).await,
            Admission::Supersedes(older) => self.added(new, &older).await,
        }
    }

    async fn added(&self, new: &NewRequest<'_>, older: &[RunId]) -> Result<Option<Asked>, EngineError> {
        let number = self.shared.gate.store.add_request(new).await?;
        for older in older {
            self.cancel(older, &Cancellation::Superseded(number)).await?;
        }
        self.shared.wake.fetch.notify_one();
        self.shared.wake.work.notify_one();
        Ok(None)
    }

    /// A run that nobody asked for on a pull request.
    pub(super) async fn request_of_itself(
        &self,
        cause: Cause,
        repository: &RepoName,
        head: &CommitSha,
        sweep: Option<i64>,
    ) -> Result<(), EngineError> {
        let recipe = RecipeName::parse(repository.name())?;
        let why = match sweep {
            Some(sweep) => format!("sweep {sweep} {repository}"),
            None => format!("{} {repository} {head}", cause.name()),
        };
        let id = run_of(self.shared.gate.id.as_str(), &why);
        if self.shared.gate.store.asked_run(&id).await?.is_some() {
            return Ok(());
        }
        let new = NewRequest {
            id: &id,
            cause,
            recipe: &recipe,
            repository,
            pull: None,
            head,
            asked_by: "",
            options: &Options::default(),
            attempt: 1,
            comment: None,
            post: 1,
            vouched: false,
            first_try: None,
            sweep,
            queued_at: self.now(),
        };
        self.admitted(&new).await.map(drop)
    }

    /// The one repetition of a run that was not judged because of the infrastructure. It has waited since the first was
    /// asked for, and goes on with its comment.
    pub(super) async fn try_again(&self, run: &Asked) -> Result<bool, EngineError> {
        let (Some(repository), Some(head)) = (&run.repository, &run.head) else { return Ok(false) };
        let id = run_of(self.shared.gate.id.as_str(), &format!("again {}", run.id));
        let new = NewRequest {
            id: &id,
            cause: run.cause,
            recipe: &run.recipe,
            repository,
            pull: run.pull,
            head,
            asked_by: &run.asked_by,
            options: &run.options,
            attempt: 2,
            comment: run.comment,
            post: run.post,
            vouched: run.vouched,
            first_try: Some(&run.id),
            sweep: run.sweep,
            queued_at: run.queued_at,
        };
        if self.shared.gate.store.asked_run(&id).await?.is_some() {
            return Ok(true);
        }
        // One that was asked for since serves as well.
        Ok(self.admitted(&new).await?.is_none())
    }

    /// Ends a run; the work loop sees to it.
    pub(super) async fn cancel(&self, run: &RunId, why: &Cancellation) -> Result<(), EngineError> {
        self.shared.gate.store.cancel(run, &why.to_string()).await?;
        self.shared.wake.work.notify_one();
        Ok(())
    }
}

impl Asked {
    /// Whether it waits or runs.
    pub(super) fn is_open(&self) -> bool {
        self.state != RunState::Done
    }
}

/// The run that something asks for: always the same one, so that a gate that was killed in between makes no second.
fn run_of(gate: &str, asked: &str) -> RunId {
    let hash = Sha256::digest(format!("{gate}/{asked}"));
    let mut random = [0; 12];
    random.copy_from_slice(&hash[..12]);
    RunId::from_random(random)
}
