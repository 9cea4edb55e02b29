//! Starts what may start, drives it, and keeps its comment up to date.

use std::sync::PoisonError;

use jiff::Timestamp;

use super::Service;
use crate::adapters::store::{End, Kind, Open, Switches};
use crate::domain::answer;
use crate::domain::command::Options;
use crate::domain::ids::RecipeName;
use crate::domain::protocol::PROTOCOL;
use crate::domain::results::{Results, Revision, one_line};
use crate::domain::target::Target;
use crate::domain::verdict::Verdict;
use crate::engine::EngineError;
use crate::engine::plan::{Plan, TOTAL_LIMIT_SECONDS};
use crate::engine::run::Run;

impl Service {
    /// Takes up the runs that an earlier process was driving.
    pub(super) async fn take_up(&self) -> Result<(), EngineError> {
        for run in self
            .shared
            .gate
            .store
            .open_runs()
            .await?
            .into_iter()
            .filter(|run| run.state == "running" && run.pull.is_some())
        {
            self.drive(run);
        }
        Ok(())
    }

    /// Starts each waiting run for which a target is free; one that must wait does not hold up those behind it.
    pub(super) async fn schedule(&self) -> Result<(), EngineError> {
        let open = self.shared.gate.store.open_runs().await?;
        let busy = |target: &Target| {
            open.iter().any(|run| run.state == "running" && run.target.as_deref() == Some(target.name.as_str()))
        };
        let mut free: Vec<&Target> = self.shared.targets.iter().filter(|target| !busy(target)).collect();
        let mut recipes: Vec<&str> =
            open.iter().filter(|run| run.state == "running").map(|run| run.recipe.as_str()).collect();
        let switches = self.shared.gate.store.switches().await?;
        let mut place = 0;
        for run in open.iter().filter(|run| run.state != "running") {
            // Two runs of one recipe may hold the same host ports and the same names; one after the other.
            let may_start = switches.held().is_none()
                && run.state == "queued"
                && !free.is_empty()
                && !recipes.contains(&run.recipe.as_str());
            if may_start {
                let target = free.remove(0);
                recipes.push(&run.recipe);
                self.start(run, target).await?;
            } else {
                place += 1;
                self.tell_waiting(run, place, &open, &switches).await?;
            }
        }
        Ok(())
    }

    async fn start(&self, run: &Open, target: &Target) -> Result<(), EngineError> {
        let Some(head) = &run.head else { return Ok(()) };
        let options: Options = serde_json::from_str(&run.options).unwrap_or_default();
        let domain = run.id.app_domain(&target.domain)?;
        let keep = options.keep_seconds;
        let plan = Plan {
            run: run.id.clone(),
            recipe: RecipeName::parse(&run.recipe)?,
            head: Revision {
                commit: Some(head.clone()),
                version: None,
                dirty: false,
                source: self.shared.forge.git_url(&run.repository),
            },
            chaos_version: head.short().to_owned(),
            target: target.name.clone(),
            target_word: None,
            stack: crate::domain::ids::StackName::of_domain(&domain)?,
            domain,
            keep_seconds: keep,
            limit_seconds: TOTAL_LIMIT_SECONDS + keep.unwrap_or(0),
        };
        let json = serde_json::to_string(&plan).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        let store = &self.shared.gate.store;
        if store.start(&run.id, target.name.as_str(), plan.stack.as_str(), &json, PROTOCOL, Timestamp::now()).await? {
            let url = self.run_url(run.number);
            self.tell(run, &answer::running(&run.recipe, head, target.name.as_str(), &url)).await?;
            self.status(run, "pending", "running").await?;
            self.drive(run.clone());
        }
        Ok(())
    }

    /// Drives a run in a task of its own.
    fn drive(&self, run: Open) {
        let service = self.clone();
        self.shared.tasks.spawn(async move {
            if let Err(error) = service.drive_to_its_end(&run).await {
                tracing::error!(%error, run = run.number, "a run could not be driven to its end; it is taken up at the next start");
            }
            service.shared.driven.lock().unwrap_or_else(PoisonError::into_inner).remove(&run.id);
            service.shared.wake.notify_waiters();
        });
    }

    async fn drive_to_its_end(&self, row: &Open) -> Result<(), EngineError> {
        let gate = self.shared.gate.clone();
        let plan = Run::stored_plan(&gate.store, &row.id).await?;
        let Some(target) = self.shared.targets.iter().find(|target| target.name == plan.target).cloned() else {
            return self.end_early(row, &format!("its target {} is not configured any more", plan.target)).await;
        };
        let run = Run::open(gate, plan, target, None).await?;
        self.shared.driven.lock().unwrap_or_else(PoisonError::into_inner).insert(row.id.clone(), run.cancel());
        let results = run.drive().await?;
        drop(run);
        self.tell_verdict(row, &results).await
    }

    /// Ends a run: one that is driven is told to, one that waits has its verdict at once.
    pub(super) async fn cancel(&self, run: &Open, why: &str) -> Result<(), EngineError> {
        let driven = self.shared.driven.lock().unwrap_or_else(PoisonError::into_inner).get(&run.id).cloned();
        match driven {
            Some(cancel) => {
                self.shared.gate.store.cancel(&run.id, why).await?;
                cancel.cancel();
                Ok(())
            }
            None => self.end_early(run, why).await,
        }
    }

    /// Tells a run that this process drives to end.
    pub(super) fn end_driven(&self, id: &crate::domain::ids::RunId) {
        if let Some(cancel) = self.shared.driven.lock().unwrap_or_else(PoisonError::into_inner).get(id) {
            cancel.cancel();
        }
    }

    /// A run that never began gets its verdict: not judged.
    pub(super) async fn end_early(&self, run: &Open, why: &str) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        store.cancel(&run.id, why).await?;
        let sentence = format!("not judged: {why}");
        let end = End { verdict: Verdict::NotJudged, sentence: &sentence, level: 0, results: "null" };
        if store.finish(&run.id, &end, Timestamp::now()).await?
            && let Some(head) = &run.head
        {
            self.tell(run, &answer::ended(&run.recipe, head, why)).await?;
            self.status(run, "error", &sentence).await?;
        }
        Ok(())
    }

    async fn tell_waiting(
        &self,
        run: &Open,
        place: usize,
        open: &[Open],
        switches: &Switches,
    ) -> Result<(), EngineError> {
        let Some(head) = &run.head else { return Ok(()) };
        if let Some(on) = switches.held() {
            let pause = format!("a pause: {}", super::held(on, switches.drain.is_some()));
            return self.tell(run, &answer::waiting(&run.recipe, head, place, Some(&pause))).await;
        }
        let ahead = open.iter().find(|other| other.state == "running");
        let behind = ahead.map(|ahead| format!("run {} ({})", ahead.number, ahead.recipe));
        self.tell(run, &answer::waiting(&run.recipe, head, place, behind.as_deref())).await
    }

    async fn tell_verdict(&self, run: &Open, results: &Results) -> Result<(), EngineError> {
        self.tell(run, &answer::verdict(results, run.number, &self.run_url(run.number))).await?;
        let state = match results.verdict {
            Verdict::Green => "success",
            Verdict::Red => "failure",
            Verdict::NotJudged => "error",
        };
        self.status(run, state, &results.sentence).await
    }

    /// The run's one comment on its pull request.
    async fn tell(&self, run: &Open, text: &str) -> Result<(), EngineError> {
        let Some(pull) = run.pull else { return Ok(()) };
        let body = format!("{text}\n{}", answer::marker(&self.shared.gate.id, &run.id));
        let key = format!("comment/{}", run.id);
        Ok(self.shared.gate.store.want(&key, Kind::Comment, &run.repository, pull, &body).await?)
    }

    /// The commit's status, where the token may set it.
    async fn status(&self, run: &Open, state: &str, description: &str) -> Result<(), EngineError> {
        let (Some(pull), Some(head)) = (run.pull, &run.head) else { return Ok(()) };
        let content = format!("{state}\n{}\n{}", one_line(description, 140), self.run_url(run.number));
        let key = format!("status/{}/{head}", run.id);
        Ok(self.shared.gate.store.want(&key, Kind::Status, &run.repository, pull, &content).await?)
    }
}
