//! The state folder: database, gate id, and one folder per run with its recipe, log and results.

use std::fs::{self, File, OpenOptions, TryLockError};
use std::io::{ErrorKind, Write as _};
use std::os::unix::fs::{DirBuilderExt as _, OpenOptionsExt as _};
use std::path::{Path, PathBuf};

use super::EngineError;
use crate::domain::ids::{GateId, RunId};

/// The runner image in the state folder, as `docker save` writes it.
pub const RUNNER_IMAGE: &str = "runner.tar";

/// The state folder.
#[derive(Debug, Clone)]
pub struct StateFolder {
    root: PathBuf,
}

impl StateFolder {
    /// Uses this folder; it is made where there is none, for its owner alone.
    ///
    /// # Errors
    /// When it cannot be made.
    pub fn at(root: &Path) -> Result<Self, EngineError> {
        private_folder(&root.join("runs"))?;
        Ok(Self { root: root.to_owned() })
    }

    /// The folder itself.
    #[must_use]
    pub fn root(&self) -> &Path {
        &self.root
    }

    /// Where `cargo xtask lab up` leaves the runner image.
    #[must_use]
    pub fn runner_image(&self) -> PathBuf {
        self.root.join("runner.tar")
    }

    /// The gate's id, drawn once from `random`.
    ///
    /// # Errors
    /// When it can be neither read nor made.
    pub fn gate_id(&self, random: [u8; 16]) -> Result<GateId, EngineError> {
        let path = self.root.join("gate-id");
        let drawn = GateId::from_random(random);
        match OpenOptions::new().create_new(true).write(true).mode(0o600).open(&path) {
            Ok(mut file) => {
                file.write_all(drawn.as_str().as_bytes()).map_err(EngineError::file(&path))?;
                Ok(drawn)
            }
            Err(error) if error.kind() == ErrorKind::AlreadyExists => {
                let text = fs::read_to_string(&path).map_err(EngineError::file(&path))?;
                Ok(GateId::parse(text.trim())?)
            }
            Err(error) => Err(EngineError::File { path, source: error }),
        }
    }

    /// The keys that sign results: `id_ed25519`, and the public halves of those that did before.
    #[must_use]
    pub fn signing(&self) -> PathBuf {
        self.root.join("signing")
    }

    /// A run's folder.
    #[must_use]
    pub fn run(&self, run: &RunId) -> RunFolder {
        RunFolder { root: self.root.join("runs").join(run.as_str()) }
    }

    /// Whether a living process holds this run.
    #[must_use]
    pub fn is_alive(&self, run: &RunId) -> bool {
        let lock = self.run(run).root.join("lock");
        match File::open(lock).map(|file| file.try_lock()) {
            Ok(Err(TryLockError::WouldBlock)) => true,
            Ok(Ok(()) | Err(TryLockError::Error(_))) | Err(_) => false,
        }
    }
}

/// A file of a run that people and programs may have.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RunFile {
    /// The results, for programs.
    Results,
    /// The signature of the results.
    Signature,
    /// The results as JUnit XML.
    Junit,
    /// The results, for people.
    Report,
    /// The log.
    Log,
    /// What was seen of the app before it was removed.
    Evidence,
}

impl RunFile {
    /// All files, the first ones first on every list.
    pub const ALL: [Self; 6] = [Self::Results, Self::Signature, Self::Junit, Self::Report, Self::Log, Self::Evidence];

    /// Its name, in the run's folder and everywhere else.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Results => "results.json",
            Self::Signature => "results.json.sig",
            Self::Junit => "junit.xml",
            Self::Report => "report.html",
            Self::Log => "log.jsonl",
            Self::Evidence => "evidence.tar.gz",
        }
    }

    /// The file of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|file| file.name() == name)
    }

    /// Whether only the newest runs keep it: it is large.
    #[must_use]
    pub const fn goes(self) -> bool {
        match self {
            Self::Results | Self::Signature | Self::Junit => false,
            Self::Report | Self::Log | Self::Evidence => true,
        }
    }
}

/// The folder of one run.
#[derive(Debug, Clone)]
pub struct RunFolder {
    root: PathBuf,
}

impl RunFolder {
    /// This folder, which is a run's, or one with copies of a run's files.
    #[must_use]
    pub fn at(root: &Path) -> Self {
        Self { root: root.to_owned() }
    }

    /// Makes the folder and takes the run's lock, which ends with this process, however that ends.
    ///
    /// # Errors
    /// [`EngineError::Alive`] when another process has it.
    pub fn hold(&self, run: &RunId) -> Result<Lock, EngineError> {
        private_folder(&self.root)?;
        let path = self.root.join("lock");
        let file = OpenOptions::new()
            .create(true)
            .truncate(false)
            .write(true)
            .open(&path)
            .map_err(EngineError::file(&path))?;
        match file.try_lock() {
            Ok(()) => Ok(Lock { _file: file }),
            Err(TryLockError::WouldBlock) => Err(EngineError::Alive(run.clone())),
            Err(TryLockError::Error(source)) => Err(EngineError::File { path, source }),
        }
    }

    /// The recipe's files as they were when the run was made.
    #[must_use]
    pub fn recipe(&self) -> PathBuf {
        self.root.join("recipe.tar")
    }

    /// The tests file as it was when the run was made, if there was one.
    #[must_use]
    pub fn tests(&self) -> PathBuf {
        self.root.join("tests.json")
    }

    /// The files of the base, where there is one.
    #[must_use]
    pub fn base(&self) -> PathBuf {
        self.root.join("base.tar")
    }

    /// The files of the next candidate, for a base that does not deploy.
    #[must_use]
    pub fn next_base(&self) -> PathBuf {
        self.root.join("next-base.tar")
    }

    /// What was seen of the app, until it is packed with the rest of the evidence.
    #[must_use]
    pub fn seen(&self) -> PathBuf {
        self.root.join("seen.json")
    }

    /// Where a file of the run is.
    #[must_use]
    pub fn file(&self, file: RunFile) -> PathBuf {
        self.root.join(file.name())
    }

    /// The log.
    #[must_use]
    pub fn log(&self) -> PathBuf {
        self.file(RunFile::Log)
    }

    /// The results for programs.
    #[must_use]
    pub fn results(&self) -> PathBuf {
        self.file(RunFile::Results)
    }

    /// The results for people.
    #[must_use]
    pub fn report(&self) -> PathBuf {
        self.file(RunFile::Report)
    }

    /// Removes what only the newest runs keep: log, report, evidence, recipe, base and tests file. The results stay.
    ///
    /// # Errors
    /// When one cannot be removed; one that is not there is removed.
    pub fn thin_out(&self) -> Result<(), EngineError> {
        let go = RunFile::ALL.into_iter().filter(|file| file.goes()).map(|file| self.file(file));
        for path in go.chain([self.recipe(), self.base(), self.tests(), self.seen()]) {
            match fs::remove_file(&path) {
                Err(source) if source.kind() != ErrorKind::NotFound => {
                    return Err(EngineError::File { path, source });
                }
                Ok(()) | Err(_) => {}
            }
        }
        Ok(())
    }
}

/// A held run; dropping it lets it go.
#[derive(Debug)]
pub struct Lock {
    _file: File,
}

fn private_folder(path: &Path) -> Result<(), EngineError> {
    fs::DirBuilder::new().recursive(true).mode(0o700).create(path).map_err(EngineError::file(path))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_gate_keeps_its_id() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path()).unwrap();
        let first = state.gate_id([1; 16]).unwrap();
        assert_eq!(state.gate_id([2; 16]).unwrap(), first);
    }

    #[test]
    fn a_run_is_alive_while_somebody_holds_it() {
        let folder = tempfile::tempdir().unwrap();
        let state = StateFolder::at(folder.path()).unwrap();
        let run = RunId::from_random([3; 12]);
        assert!(!state.is_alive(&run));
        let lock = state.run(&run).hold(&run).unwrap();
        assert!(state.is_alive(&run));
        assert!(matches!(state.run(&run).hold(&run), Err(EngineError::Alive(_))));
        drop(lock);
        assert!(!state.is_alive(&run));
    }
}
