//! From the forge to the inbox, and from the inbox to requests.

use std::sync::PoisonError;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::Service;
use crate::adapters::forge::{Changed, Pull};
use crate::adapters::store::{BroughtBy, Cause, Heard, Kind, NewRequest, Open};
use crate::domain::answer;
use crate::domain::command::{Command, Options};
use crate::domain::ids::RunId;
use crate::domain::intake::{Decision, Facts, Reply, decide};
use crate::engine::EngineError;

/// The cursor over what the forge was asked last.
const SEEN_UNTIL: &str = "polled";
/// The cursor with the instant at which this gate first looked: older comments are noted, and not acted on.
const BEGAN: &str = "began";
/// The forge may ask to be left alone for so many seconds.
const LONGEST_WAIT: u64 = 300;
/// Times are whole seconds on the forge, and clocks differ: look a little further back than the last time.
const OVERLAP: SignedDuration = SignedDuration::from_secs(30);

impl Service {
    /// One poll: pull requests that changed, and the comments of those alone.
    pub(super) async fn poll(&self) -> Result<(), EngineError> {
        let polled = self.poll_once().await;
        self.note_poll(polled.as_ref().err());
        if let Err(EngineError::Forge(error)) = &polled
            && let Some(seconds) = error.retry_after()
        {
            // As long as it asks, but not so long that nobody knows whether the gate is alive.
            tokio::time::sleep(Duration::from_secs(seconds.min(LONGEST_WAIT))).await;
        }
        polled
    }

    /// For the pages: when the forge last answered, or why it does not.
    fn note_poll(&self, trouble: Option<&EngineError>) {
        let mut heard = self.shared.heard.lock().unwrap_or_else(PoisonError::into_inner);
        heard.trouble = trouble.map(ToString::to_string);
        if trouble.is_none() {
            heard.polled_at = Some(Timestamp::now());
        }
    }

    async fn poll_once(&self) -> Result<(), EngineError> {
        let (store, forge) = (&self.shared.gate.store, &self.shared.forge);
        let now = Timestamp::now();
        let began = self.instant(BEGAN, now).await?;
        let since = self.instant(SEEN_UNTIL, now).await? - OVERLAP;
        let mut unanswered = None;
        for changed in forge.changed_pulls(&self.shared.watched.organisation, since).await? {
            if !self.is_enrolled(&changed.repository) {
                continue;
            }
            match self.hear_pull(&changed, since, began).await {
                Ok(()) => {}
                // Gone, or more than anybody reads (a comment of many megabytes): it must not keep the others from being heard.
                Err(EngineError::Forge(error)) if error.is_final() || error.is_unreadable() => {
                    tracing::warn!(%error, repository = changed.repository, pull = changed.pull, "a pull request is passed over");
                }
                Err(error) => unanswered = Some(error),
            }
        }
        if let Some(error) = unanswered {
            // The cursor stays: what was not heard is asked for again.
            return Err(error);
        }
        store.move_cursor(SEEN_UNTIL, &now.to_string()).await?;
        Ok(())
    }

    async fn hear_pull(&self, changed: &Changed, since: Timestamp, began: Timestamp) -> Result<(), EngineError> {
        let (store, forge) = (&self.shared.gate.store, &self.shared.forge);
        let pull = forge.pull(&changed.repository, changed.pull).await?;
        store.see_head(&changed.repository, changed.pull, &pull.head, Timestamp::now()).await?;
        for comment in forge.comments(&changed.repository, changed.pull, since).await? {
            let heard = Heard {
                comment: comment.id,
                repository: changed.repository.clone(),
                pull: changed.pull,
                author: comment.author,
                body: comment.body,
                written_at: comment.created_at,
                updated_at: comment.updated_at,
                head: None,
            };
            let by = if comment.created_at < began - OVERLAP { BroughtBy::Before } else { BroughtBy::Poll };
            if store.hear(&heard, by, Timestamp::now()).await? {
                self.shared.wake.notify_waiters();
            }
        }
        Ok(())
    }

    /// A cursor that is an instant; where there is none, `now` is kept as it.
    async fn instant(&self, name: &str, now: Timestamp) -> Result<Timestamp, EngineError> {
        let store = &self.shared.gate.store;
        match store.cursor(name).await?.and_then(|value| value.parse().ok()) {
            Some(instant) => Ok(instant),
            None => {
                store.move_cursor(name, &now.to_string()).await?;
                Ok(now)
            }
        }
    }

    fn is_enrolled(&self, repository: &str) -> bool {
        let Some((owner, name)) = repository.split_once('/') else { return false };
        let watched = &self.shared.watched;
        owner == watched.organisation && (watched.recipes.is_empty() || watched.recipes.contains(name))
    }

    /// Decides about each comment that nothing was decided about.
    pub(super) async fn settle(&self) -> Result<(), EngineError> {
        for heard in self.shared.gate.store.unsettled().await? {
            match self.settle_one(&heard).await {
                Ok(()) => {}
                Err(EngineError::Forge(error)) if error.is_final() && !error.is_missing_scope() => {
                    let outcome = format!("the pull request is gone or closed to us: {error}");
                    self.shared.gate.store.settle(heard.comment, &outcome, None).await?;
                }
                // One that cannot be decided now (the forge does not answer) does not hold up the others.
                Err(error) => tracing::warn!(%error, comment = heard.comment, "a comment could not be settled yet"),
            }
        }
        Ok(())
    }

    async fn settle_one(&self, heard: &Heard) -> Result<(), EngineError> {
        let (store, forge) = (&self.shared.gate.store, &self.shared.forge);
        if !heard.body.contains(crate::domain::command::WORD) {
            return Ok(store.settle(heard.comment, "not for us", None).await?);
        }
        let pull = forge.pull(&heard.repository, heard.pull).await?;
        let member = forge.is_member(&heard.repository, &heard.author).await?;
        let pull_by_member =
            pull.author == heard.author && member || forge.is_member(&heard.repository, &pull.author).await?;
        let facts = Facts {
            body: &heard.body,
            author: &heard.author,
            written_at: heard.written_at,
            own_account: forge.account(),
            enrolled: self.is_enrolled(&heard.repository),
            open: pull.open,
            member,
            pull_by_member,
            head: &pull.head,
            head_seen: store.head_seen(&heard.repository, heard.pull, &pull.head).await?,
            head_then: heard.head.as_ref(),
        };
        match decide(&facts) {
            Decision::Ignore(why) => store.settle(heard.comment, why, None).await?,
            Decision::Say(reply) => self.say(heard, &reply).await?,
            Decision::Accept(command) => self.accept(heard, &pull, command).await?,
        }
        Ok(())
    }

    async fn say(&self, heard: &Heard, reply: &Reply) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let outcome = match reply {
            Reply::Outsider => "refused: no rights",
            Reply::AskAgain => "refused: the head changed",
            Reply::Wrong(_) => "refused: not understood",
        };
        // An outsider is told once per pull request; asking again changes nothing.
        let told = matches!(reply, Reply::Outsider)
            && store.settled_before(&heard.repository, heard.pull, &heard.author, outcome).await?;
        if !told {
            self.answer(heard, &answer::reply(reply)).await?;
        }
        Ok(store.settle(heard.comment, outcome, None).await?)
    }

    /// An answer to one comment that makes no run.
    async fn answer(&self, heard: &Heard, text: &str) -> Result<(), EngineError> {
        let body = format!("{text}\n{}", answer::reply_marker(&self.shared.gate.id, heard.comment));
        let key = format!("reply/{}", heard.comment);
        Ok(self.shared.gate.store.want(&key, Kind::Comment, &heard.repository, heard.pull, &body).await?)
    }

    async fn accept(&self, heard: &Heard, pull: &Pull, command: Command) -> Result<(), EngineError> {
        match command {
            Command::Test(options) => self.request(heard, pull, &options).await,
            Command::Retry => self.request(heard, pull, &Options::default()).await,
            Command::Help => self.answered(heard, &answer::help(), "helped").await,
            Command::Status => {
                let mine = self.open_of(heard).await?;
                let lines: String = mine
                    .iter()
                    .map(|open| format!("- [run {}]({}): {}\n", open.number, self.run_url(open.number), open.state))
                    .collect();
                let text = if lines.is_empty() { "No run of this pull request is open.\n".to_owned() } else { lines };
                self.answered(heard, &text, "told").await
            }
            Command::Cancel => {
                for open in self.open_of(heard).await? {
                    self.cancel(&open, &format!("cancelled by {}", heard.author)).await?;
                }
                self.answered(heard, "The runs of this pull request are being ended.\n", "cancelled").await
            }
        }
    }

    async fn answered(&self, heard: &Heard, text: &str, outcome: &str) -> Result<(), EngineError> {
        self.answer(heard, text).await?;
        Ok(self.shared.gate.store.settle(heard.comment, outcome, None).await?)
    }

    async fn open_of(&self, heard: &Heard) -> Result<Vec<Open>, EngineError> {
        let open = self.shared.gate.store.open_runs().await?;
        Ok(open.into_iter().filter(|run| run.repository == heard.repository && run.pull == Some(heard.pull)).collect())
    }

    /// A request: merged into an open run of the same commit and options, else a new run, which supersedes the waiting
    /// ones of this pull request.
    async fn request(&self, heard: &Heard, pull: &Pull, options: &Options) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        let json = serde_json::to_string(options).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        let id = run_of_comment(self.shared.gate.id.as_str(), heard.comment);
        let open = self.open_of(heard).await?;
        if let Some(same) =
            open.iter().find(|run| run.id != id && run.head.as_ref() == Some(&pull.head) && run.options == json)
        {
            self.answer(heard, &answer::merged(same.number, &self.run_url(same.number))).await?;
            return Ok(store.settle(heard.comment, "merged", Some(&same.id)).await?);
        }
        if open.iter().all(|run| run.id != id) {
            let recipe = heard.repository.split('/').next_back().unwrap_or_default();
            let request = NewRequest {
                id: &id,
                cause: Cause::PullRequest,
                recipe,
                repository: &heard.repository,
                pull: Some(heard.pull),
                head: &pull.head,
                asked_by: &heard.author,
                options: &json,
                attempt: 1,
                at: Timestamp::now(),
            };
            let number = store.add_request(&request).await?;
            for older in open.iter().filter(|run| run.state != "running") {
                self.cancel(older, &format!("superseded by run {number}")).await?;
            }
        }
        store
            .want(&format!("reaction/{}", heard.comment), Kind::Reaction, &heard.repository, heard.pull, "eyes")
            .await?;
        Ok(store.settle(heard.comment, "accepted", Some(&id)).await?)
    }
}

/// The run that a comment asks for: always the same one, so that a gate that was killed in between makes no second.
fn run_of_comment(gate: &str, comment: u64) -> RunId {
    let hash = Sha256::digest(format!("{gate}/{comment}"));
    let mut random = [0; 12];
    random.copy_from_slice(&hash[..12]);
    RunId::from_random(random)
}
