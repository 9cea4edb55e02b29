//! One run, from its frozen inputs to its one verdict.
//!
//! [`Run::drive`] is the same for a run that begins, one that is resumed after its process was killed, and later one that
//! the service took from its queue: each stage looks at what is there and goes on.

mod backup;
mod bring_up;
mod checks;
mod conclude;
mod data;
mod deploy;
mod destroy;
mod drive;
mod evidence;
mod files;
mod floor;
mod host;
mod images;
mod inside;
mod install;
mod keep;
mod lint;
mod memory;
mod pages;
mod power;
mod prepare;
mod pull;
mod ready;
mod restore;
mod secrets;
mod seed;
mod shape;
mod step;
mod suite;
mod teardown;
mod upgrade;

use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

use jiff::Timestamp;
use tokio_util::sync::CancellationToken;

pub(super) use self::install::FIRST_TRY;
pub(super) use self::keep::KEEP_UNTIL;
pub(super) use self::power::HOST_POWER;
pub(super) use self::prepare::BEFORE;
use self::upgrade::SKIPPED;
use super::EngineError;
use super::base::Found;
use super::plan::{Plan, load_files, load_tests, save_files, save_tests};
use super::state::{Lock, RunFile, RunFolder, StateFolder};
use crate::adapters::docker::runner::ImageSource;
use crate::adapters::git::Source;
use crate::adapters::logfile::LogFile;
use crate::adapters::own_hash::OwnHash;
use crate::adapters::store::{NewRun, Store};
use crate::domain::finding::Finding;
use crate::domain::ids::GateId;
use crate::domain::log::Record;
use crate::domain::protocol::PROTOCOL;
use crate::domain::recipe::files::RecipeFiles;
use crate::domain::recipe::selected::Selected;
use crate::domain::target::Target;
use crate::domain::tests_file::{Frozen, SuiteFile, TestsError, TestsFile};

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
    /// Whether its runs may share a target that has room: those of the service, whose queue knows what each of them takes.
    pub shares: bool,
}

/// A run that this process holds.
#[derive(Debug)]
pub struct Run {
    plan: Plan,
    target: Target,
    files: RecipeFiles,
    tests: Result<TestsFile, TestsError>,
    /// What lies beside the tests file.
    beside: Vec<SuiteFile>,
    base: Option<RecipeFiles>,
    /// For a base that does not deploy.
    next_base: Option<RecipeFiles>,
    /// Why the next one is the base now.
    skipped: OnceLock<String>,
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

/// What a tests file says, and what lies beside it.
fn read_tests(tests: Option<Frozen>) -> (Result<TestsFile, TestsError>, Vec<SuiteFile>) {
    tests.map_or_else(|| (Ok(TestsFile::default()), Vec::new()), |tests| (tests.read(), tests.files))
}

/// Values of the tests file are hidden like those that are drawn.
fn hide_dummies(log: &LogFile, tests: &Result<TestsFile, TestsError>) {
    tests.iter().flat_map(|tests| tests.secrets.values()).for_each(|secret| log.hide(secret));
}

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
        base: &Found,
        tests: Option<Frozen>,
        target: Target,
        listener: Option<Listener>,
    ) -> Result<Self, EngineError> {
        let folder = gate.state.run(&plan.run);
        let lock = folder.hold(&plan.run)?;
        save_files(&source.files, &folder.recipe())?;
        save_tests(tests.as_ref(), &folder.tests())?;
        for (files, place) in [(&base.files, folder.base()), (&base.next, folder.next_base())] {
            if let Some(files) = files {
                save_files(files, &place)?;
            }
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
        let (tests, beside) = read_tests(tests);
        hide_dummies(&log, &tests);
        Ok(Self {
            beside,
            files: source.files.clone(),
            tests,
            base: base.files.clone(),
            next_base: base.next.clone(),
            skipped: OnceLock::new(),
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
        let (tests, beside) = read_tests(tests);
        let base = plan.base.as_ref().and_then(|found| found.base.as_ref());
        let base = base.map(|_| load_files(&folder.base())).transpose()?;
        let next = folder.next_base();
        let next_base = next.exists().then(|| load_files(&next)).transpose()?;
        let skipped = gate.store.fact::<String>(&plan.run, SKIPPED).await?.map_or_else(OnceLock::new, OnceLock::from);
        let log = Arc::new(LogFile::open(&folder.log(), listener).map_err(EngineError::file(folder.log()))?);
        hide_dummies(&log, &tests);
        let cancel = CancellationToken::new();
        if row.cancelled.is_some() {
            cancel.cancel();
        }
        Ok(Self {
            plan,
            target,
            files,
            base,
            next_base,
            skipped,
            tests,
            beside,
            gate,
            folder,
            log,
            created: row.created_at,
            cancel,
            _lock: lock,
        })
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
}
