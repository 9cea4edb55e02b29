//! What is kept of a run beside its results: its log, and what its head gives the app. Both may be gone, since only the newest
//! runs keep theirs.

use std::sync::Mutex;

use super::EngineError;
use super::plan::{load_files, load_tests};
use super::state::RunFolder;
use crate::adapters::logread::{self, Index};
use crate::domain::compare::{Log, Settings, Side};
use crate::domain::log::Record;
use crate::domain::results::Results;
use crate::domain::tests_file::TestsFile;

/// What is kept of a run.
#[derive(Debug, Clone, Default)]
pub struct Beside {
    settings: Option<Settings>,
    log: Option<(Vec<(usize, Record)>, usize)>,
}

impl Beside {
    /// Reads what is there: of a log larger than `most` bytes its beginning and its end.
    ///
    /// # Errors
    /// What the file system says of a log that is there.
    pub fn read(folder: &RunFolder, index: &Mutex<Index>, most: u64) -> Result<Self, EngineError> {
        let path = folder.log();
        let log = if path.exists() {
            Some(logread::ends(&path, index, most).map_err(EngineError::file(&path))?)
        } else {
            None
        };
        Ok(Self { settings: settings(folder), log })
    }

    /// The run with its results, as it is compared.
    #[must_use]
    pub fn side<'a>(&'a self, results: &'a Results) -> Side<'a> {
        let log = self.log.as_ref().map(|(lines, all)| Log { lines, all: *all });
        Side { results, settings: self.settings.as_ref(), log }
    }
}

/// What cannot be read is not compared: the results are what counts.
fn settings(folder: &RunFolder) -> Option<Settings> {
    let files = load_files(&folder.recipe()).ok()?;
    let tests = load_tests(&folder.tests()).ok()?.and_then(|tests| TestsFile::read(&tests.text).ok());
    Some(Settings::of(&files, &tests.unwrap_or_default().env))
}
