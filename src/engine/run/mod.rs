//! One run, from its frozen inputs to its one verdict.
//!
//! [`Run::drive`] is the same for a run that begins, one that is resumed after its process was killed, and later one that
//! the service took from its queue: each stage looks at what is there and goes on.

mod conclude;
mod evidence;
mod files;
mod floor;
mod host;
mod images;
mod install;
mod keep;
mod lint;
mod memory;
mod power;
mod prepare;
mod ready;
mod step;
mod teardown;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

use self::host::Witness;
pub(super) use self::keep::KEEP_UNTIL;
pub(super) use self::power::HOST_POWER;
pub(super) use self::prepare::BEFORE;
use self::prepare::Live;
use super::EngineError;
use super::plan::{Plan, load_files, load_tests, save_files, save_tests};
use super::state::{Lock, RunFile, RunFolder, StateFolder};
use crate::adapters::docker::runner::ImageSource;
use crate::adapters::git::Source;
use crate::adapters::logfile::LogFile;
use crate::adapters::own_hash::OwnHash;
use crate::adapters::store::{NewRun, StageState, Store};
use crate::domain::finding::{Finding, FindingKind, sentences};
use crate::domain::ids::GateId;
use crate::domain::log::Record;
use crate::domain::protocol::PROTOCOL;
use crate::domain::recipe::files::RecipeFiles;
use crate::domain::recipe::selected::Selected;
use crate::domain::results::{By, Results};
use crate::domain::stage::Stage;
use crate::domain::target::Target;
use crate::domain::tests_file::{Frozen, TestsError, TestsFile};

/// What every run of this gate shares.
#[derive(Debug, Clone)]
pub struct Gate {
    /// The state folder.
    pub state: StateFolder,
    /// The database.
    pub store: Store,
    /// The gate's id.
    pub id: GateId,
    /// Where the runner image comes from.
    pub image: ImageSource,
    /// This program: what the runner image must hold.
    pub binary: OwnHash,
}

/// A run that this process holds.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    target: Target,
    files: RecipeFiles,
    tests: Result<TestsFile, TestsError>,
    base: Option<RecipeFiles>,
    gate: Gate,
    folder: RunFolder,
    log: Arc<LogFile>,
    created: Timestamp,
    cancel: CancellationToken,
    _lock: Lock,
}

/// Why a stage does not go on.
#[derive(Debug)]
pub(super) enum Stop {
    /// Causes were found; the first is the headline.
    Failed(Vec<Finding>),
    /// Something that is not the recipe's.
    Engine(EngineError),
}

impl<E: Into<EngineError>> From<E> for Stop {
    fn from(error: E) -> Self {
        Self::Engine(error.into())
    }
}

/// Values of the tests file are hidden like those that are drawn.
fn hide_dummies(log: &LogFile, tests: &Result<TestsFile, TestsError>) {
    tests.iter().flat_map(|tests| tests.secrets.values()).for_each(|secret| log.hide(secret));
}

/// How often a run looks whether somebody cancelled it in the database.
const HEED: Duration = Duration::from_secs(1);

/// Who hears the log live.
pub type Listener = tokio::sync::mpsc::UnboundedSender<Record>;

impl Run {
    /// Makes a new run: its inputs are stored before anything else happens.
    ///
    /// # Errors
    /// When the state folder or the database cannot be used.
    pub async fn begin(
        gate: Gate,
        plan: Plan,
        source: &Source,
        base: Option<&RecipeFiles>,
        tests: Option<Frozen>,
        target: Target,
        listener: Option<Listener>,
    ) -> Result<Self, EngineError> {
        let folder = gate.state.run(&plan.run);
        let lock = folder.hold(&plan.run)?;
        save_files(&source.files, &folder.recipe())?;
        save_tests(tests.as_ref(), &folder.tests())?;
        if let Some(base) = base {
            save_files(base, &folder.base())?;
        }
        let json = serde_json::to_string(&plan).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        let created = Timestamp::now();
        let row = NewRun {
            id: &plan.run,
            recipe: plan.recipe.as_str(),
            target: plan.target.as_str(),
            stack: plan.stack.as_str(),
            plan: &json,
            protocol: PROTOCOL,
            at: created,
        };
        gate.store.add_run(row).await?;
        let log = Arc::new(LogFile::open(&folder.log(), listener).map_err(EngineError::file(folder.log()))?);
        log.say(format!("run {}: {} {} on {}", plan.run, plan.recipe, plan.head.label(), plan.target));
        let tests = tests.map_or_else(|| Ok(TestsFile::default()), |tests| TestsFile::read(&tests.text));
        hide_dummies(&log, &tests);
        Ok(Self {
            files: source.files.clone(),
            tests,
            base: base.cloned(),
            plan,
            target,
            gate,
            folder,
            log,
            created,
            cancel: CancellationToken::new(),
            _lock: lock,
        })
    }

    /// Takes up a run whose process was killed.
    ///
    /// # Errors
    /// When there is no such run, it has its verdict, another process holds it, or another version made it.
    pub async fn resume(
        gate: Gate,
        plan: Plan,
        target: Target,
        listener: Option<Listener>,
    ) -> Result<Self, EngineError> {
        let run = Self::open(gate, plan, target, listener).await?;
        run.log.say(format!("run {} goes on in a new process", run.plan.run));
        Ok(run)
    }

    /// Takes up a run whose inputs are stored: from the queue, or after its process was killed.
    ///
    /// # Errors
    /// As [`Run::resume`].
    pub async fn open(gate: Gate, plan: Plan, target: Target, listener: Option<Listener>) -> Result<Self, EngineError> {
        let row = gate.store.run(&plan.run).await?.ok_or_else(|| EngineError::NoSuchRun(plan.run.clone()))?;
        let folder = gate.state.run(&plan.run);
        if row.done {
            let results = folder.results();
            return Err(if row.has_results {
                EngineError::Done(plan.run, results)
            } else {
                EngineError::Swept(plan.run)
            });
        }
        if row.protocol != PROTOCOL {
            return Err(EngineError::OtherProtocol { run: plan.run, theirs: row.protocol, ours: PROTOCOL });
        }
        let lock = folder.hold(&plan.run)?;
        let files = load_files(&folder.recipe())?;
        let tests = load_tests(&folder.tests())?;
        let tests = tests.map_or_else(|| Ok(TestsFile::default()), |tests| TestsFile::read(&tests.text));
        let base = plan.base.as_ref().and_then(|found| found.base.as_ref());
        let base = base.map(|_| load_files(&folder.base())).transpose()?;
        let log = Arc::new(LogFile::open(&folder.log(), listener).map_err(EngineError::file(folder.log()))?);
        hide_dummies(&log, &tests);
        let cancel = CancellationToken::new();
        if row.cancelled.is_some() {
            cancel.cancel();
        }
        Ok(Self { plan, target, files, base, tests, gate, folder, log, created: row.created_at, cancel, _lock: lock })
    }

    /// The inputs of a stored run, to look up its target before [`Run::resume`].
    ///
    /// # Errors
    /// When there is no such run or its inputs cannot be read.
    pub async fn stored_plan(store: &Store, run: &crate::domain::ids::RunId) -> Result<Plan, EngineError> {
        let row = store.run(run).await?.ok_or_else(|| EngineError::NoSuchRun(run.clone()))?;
        serde_json::from_str(&row.plan).map_err(|error| EngineError::Unreadable(error.to_string()))
    }

    /// The frozen inputs.
    #[must_use]
    pub const fn plan(&self) -> &Plan {
        &self.plan
    }

    /// The images of the base's selected compose files; none without a base.
    pub(super) fn base_images(&self) -> BTreeSet<String> {
        self.base.as_ref().map(|files| Selected::read(files, &self.target.env).images()).unwrap_or_default()
    }

    /// Cancelling this ends the run: what was deployed is removed, and the verdict is *not judged*.
    #[must_use]
    pub fn cancel(&self) -> CancellationToken {
        self.cancel.clone()
    }

    /// The files that it has left so far.
    #[must_use]
    pub fn outputs(&self) -> Vec<PathBuf> {
        let files = RunFile::ALL.into_iter().map(|file| self.folder.file(file));
        files.filter(|path| path.exists()).collect()
    }

    /// Drives the run to its verdict.
    ///
    /// # Errors
    /// Only what keeps the verdict from being stored; everything else is in the results.
    pub async fn drive(&self) -> Result<Results, EngineError> {
        tokio::select! {
            biased;
            results = Box::pin(self.drive_all()) => results,
            never = self.heed_its_row() => never,
        }
    }

    /// Ends the run when somebody cancels it in the database: another process may do that, as `cc-ci cancel` does.
    async fn heed_its_row(&self) -> Result<Results, EngineError> {
        while !self.cancel.is_cancelled() {
            tokio::time::sleep(HEED).await;
            // A database that cannot be read now is asked again.
            if self.gate.store.is_cancelled(&self.plan.run).await.unwrap_or(false) {
                self.log.say("cancelled from outside");
                self.cancel.cancel();
            }
        }
        std::future::pending().await
    }

    async fn drive_all(&self) -> Result<Results, EngineError> {
        if let Some(mut live) = self.reached().await? {
            self.work(&mut live).await?;
            self.stage(Stage::Teardown, None, Box::pin(self.teardown(live))).await?;
        }
        self.conclude().await
    }

    /// Reaches and claims the target. Not cut off by a cancellation: a claim that was taken must be known, to be released.
    async fn reached(&self) -> Result<Option<Live>, EngineError> {
        self.gate.store.begin_stage(&self.plan.run, Stage::Prepare, Timestamp::now()).await?;
        let findings = match self.phase("connect", By::CcCi, self.reach()).await {
            Ok(live) => return Ok(Some(live)),
            Err(Stop::Failed(findings)) => findings,
            Err(Stop::Engine(EngineError::Store(error))) => return Err(error.into()),
            Err(Stop::Engine(error)) => vec![self.not_the_recipes(Stage::Prepare, &error)],
        };
        self.failed(Stage::Prepare, &findings).await?;
        Ok(None)
    }

    /// Everything between the claim and teardown.
    async fn work(&self, live: &mut Live) -> Result<(), EngineError> {
        if !self.stage(Stage::Prepare, None, Box::pin(self.prepare(live))).await? {
            return Ok(());
        }
        if !self.stage(Stage::Lint, None, Box::pin(self.lint(live))).await? {
            return self.skip(Stage::Install, "a lint error provably stops the deploy").await;
        }
        let witness = live.witness();
        let host = Some(&witness);
        let installed = self.stage(Stage::Install, host, Box::pin(self.install(live))).await?;
        self.collect(live).await?;
        if let Some(seconds) = self.plan.keep_seconds {
            let up = live.watch.is_some() || installed;
            if up && !self.was_cancelled().await? {
                self.stage(Stage::Keep, host, Box::pin(self.keep(live, seconds))).await?;
            } else {
                self.skip(Stage::Keep, "nothing is up to be kept").await?;
            }
        }
        Ok(())
    }

    /// Runs a stage unless it has ended in an earlier process; prepare is gone through in each, since what it opens lives
    /// only there. Returns whether it ended well, now or then. `host` tells how the target's host was meanwhile.
    /// Stages come boxed: one in the other, they are too large for the stack of a worker thread.
    async fn stage(
        &self,
        stage: Stage,
        host: Option<&Witness>,
        work: impl Future<Output = Result<(), Stop>>,
    ) -> Result<bool, EngineError> {
        let store = &self.gate.store;
        let known = store.stages(&self.plan.run).await?.into_iter().find(|row| row.stage == stage).map(|row| row.state);
        match known {
            None | Some(StageState::Running) => {}
            Some(_) if stage == Stage::Prepare => {}
            Some(StageState::Done) => return Ok(true),
            Some(StageState::Failed | StageState::Skipped | StageState::Interrupted) => return Ok(false),
        }
        store.begin_stage(&self.plan.run, stage, Timestamp::now()).await?;
        let mut ended = self.bounded(stage, work).await?;
        if let (Some(host), Some(ended)) = (host, &mut ended) {
            let findings = ended.as_mut().err().map(std::mem::take).unwrap_or_default();
            let left = Box::pin(self.heed_the_host(host, stage, findings)).await?;
            if let Err(findings) = ended {
                *findings = left;
            }
        }
        match ended {
            Some(Ok(())) => {
                store.end_stage(&self.plan.run, stage, StageState::Done, None, Timestamp::now()).await?;
                Ok(true)
            }
            Some(Err(findings)) => {
                self.failed(stage, &findings).await?;
                Ok(false)
            }
            None => {
                self.log.say(format!("cancelled during {}", stage.name()));
                store
                    .end_stage(&self.plan.run, stage, StageState::Interrupted, Some("cancelled"), Timestamp::now())
                    .await?;
                store.cancel(&self.plan.run, "cancelled by the person who started it").await?;
                Ok(false)
            }
        }
    }

    async fn failed(&self, stage: Stage, findings: &[Finding]) -> Result<(), EngineError> {
        for finding in findings {
            self.log.say(format!("{}: {} ({})", finding.kind.name(), finding.sentence, stage.name()));
            self.gate.store.add_finding(&self.plan.run, &self.masked(finding)).await?;
        }
        self.gate.store.end_stage(&self.plan.run, stage, StageState::Failed, None, Timestamp::now()).await?;
        Ok(())
    }

    /// The stage's work within the total limit; `None`: cancelled. Teardown and keep end in their own time.
    async fn bounded(
        &self,
        stage: Stage,
        work: impl Future<Output = Result<(), Stop>>,
    ) -> Result<Option<Result<(), Vec<Finding>>>, EngineError> {
        let own_time = matches!(stage, Stage::Teardown | Stage::Keep);
        let limit = async {
            if own_time {
                std::future::pending::<()>().await;
            }
            tokio::time::sleep(self.time_left()).await;
        };
        let cancelled = async {
            if own_time {
                std::future::pending::<()>().await;
            }
            self.cancel.cancelled().await;
        };
        tokio::select! {
            biased;
            () = cancelled => Ok(None),
            () = limit => Ok(Some(Err(vec![self.total_limit(stage)]))),
            ended = work => match ended {
                Ok(()) => Ok(Some(Ok(()))),
                Err(Stop::Failed(findings)) => Ok(Some(Err(findings))),
                Err(Stop::Engine(EngineError::Store(error))) => Err(error.into()),
                Err(Stop::Engine(error)) => Ok(Some(Err(vec![self.not_the_recipes(stage, &error)]))),
            },
        }
    }

    fn time_left(&self) -> Duration {
        let end = self.created + Duration::from_secs(self.plan.limit_seconds);
        Duration::try_from(end.duration_since(Timestamp::now())).unwrap_or_default()
    }

    fn total_limit(&self, stage: Stage) -> Finding {
        let limit = Duration::from_secs(self.plan.limit_seconds);
        Finding::new(FindingKind::Deadline, stage, Timestamp::now(), sentences::total_limit(limit))
    }

    /// An error of the engine as a finding: whatever it is, it is not the recipe's fault.
    fn not_the_recipes(&self, stage: Stage, error: &EngineError) -> Finding {
        let text = error.to_string();
        let (sentence, hint) = text.split_once("\nhint: ").unwrap_or((&text, ""));
        let mut finding = Finding::new(FindingKind::TargetUnreachable, stage, Timestamp::now(), sentence);
        if !hint.is_empty() {
            finding.advice = format!("{}.", hint.trim_end_matches('.'));
        }
        finding
    }

    /// Findings quote logs, and logs may hold secrets.
    fn masked(&self, finding: &Finding) -> Finding {
        let mut finding = finding.clone();
        finding.sentence = self.log.masked(&finding.sentence);
        for evidence in &mut finding.evidence {
            evidence.text = self.log.masked(&evidence.text);
        }
        finding
    }

    async fn skip(&self, stage: Stage, why: &str) -> Result<(), EngineError> {
        let known = self.gate.store.stages(&self.plan.run).await?;
        if known.iter().all(|row| row.stage != stage) {
            self.gate.store.end_stage(&self.plan.run, stage, StageState::Skipped, Some(why), Timestamp::now()).await?;
        }
        Ok(())
    }

    async fn was_cancelled(&self) -> Result<bool, EngineError> {
        Ok(self.gate.store.run(&self.plan.run).await?.is_some_and(|row| row.cancelled.is_some()))
    }

    /// A part of a stage whose time is told apart.
    async fn phase<T, E: From<EngineError>>(
        &self,
        name: &str,
        by: By,
        work: impl Future<Output = Result<T, E>>,
    ) -> Result<T, E> {
        let by = match by {
            By::CcCi => "cc-ci",
            By::Docker => "docker",
            By::App => "app",
        };
        let stored = |result: Result<(), crate::adapters::store::StoreError>| {
            result.map_err(|error| E::from(EngineError::from(error)))
        };
        stored(self.gate.store.begin_phase(&self.plan.run, name, by, Timestamp::now()).await)?;
        let result = work.await;
        stored(self.gate.store.end_phase(&self.plan.run, name, Timestamp::now()).await)?;
        result
    }
}
