//! Runs that are named on the command line: by number or id in the state folder, or by a folder or file with their results.

use std::path::{Path, PathBuf};

use super::{Places, verify};
use crate::adapters::store::{Shown, Store, StoreError};
use crate::domain::ids::RunId;
use crate::domain::results::Results;
use crate::engine::state::{RunFile, RunFolder, StateFolder};

/// What was named is no run with results.
#[derive(Debug, thiserror::Error)]
pub(super) enum RunError {
    #[error("`{0}` is neither a run's number or id nor a folder or file\nhint: `cc-ci run --out DIR` leaves a folder")]
    NoRun(String),
    #[error("there is no run {0} in this state folder\nhint: --state names another one")]
    NotHere(String),
    #[error("run {0} has no results: it ended before it had any, or has not ended")]
    NoResults(i64),
    #[error("the results {place} cannot be read: {source}")]
    NotResults { place: String, source: serde_json::Error },
    #[error("{0} is not a run of a state folder, so there is none before it\nhint: name the run to compare it with")]
    NoneBefore(String),
    #[error("no run of {recipe} before run {number} was green\nhint: name the run to compare it with")]
    NoGreen { recipe: String, number: i64 },
}

/// A run that was found.
#[derive(Debug)]
pub(super) struct Found {
    /// As a person would name it.
    pub(super) name: String,
    /// Its results.
    pub(super) results: Results,
    /// Where its files are.
    pub(super) folder: RunFolder,
    /// Its row, when it is one of the state folder.
    row: Option<Shown>,
}

/// Looks for runs; the database is opened when it is needed.
pub(super) struct Runs<'a> {
    places: &'a Places,
    opened: Option<(StateFolder, Store)>,
}

impl<'a> Runs<'a> {
    pub(super) const fn new(places: &'a Places) -> Self {
        Self { places, opened: None }
    }

    pub(super) async fn store(&mut self) -> anyhow::Result<&(StateFolder, Store)> {
        if self.opened.is_none() {
            let state = StateFolder::at(&self.places.state())?;
            let store = Store::open(state.root()).await?;
            self.opened = Some((state, store));
        }
        self.opened.as_ref().ok_or_else(|| anyhow::anyhow!("the database was not opened"))
    }

    /// The run that a word names. A number is always one of the state folder.
    pub(super) async fn find(&mut self, word: &str) -> anyhow::Result<Found> {
        if let Ok(number) = word.parse::<u32>() {
            return self.numbered(i64::from(number)).await;
        }
        let path = Path::new(word);
        if path.exists() {
            return beside(path);
        }
        let id: RunId = word.parse().map_err(|_| RunError::NoRun(word.to_owned()))?;
        let (_, store) = self.store().await?;
        match store.number_of(&id).await? {
            Some(number) => self.numbered(number).await,
            None => Err(RunError::NotHere(word.to_owned()).into()),
        }
    }

    /// The last green run of the same recipe before that one.
    pub(super) async fn green_before(&mut self, run: &Found) -> anyhow::Result<Found> {
        let row = run.row.as_ref().ok_or_else(|| RunError::NoneBefore(run.name.clone()))?;
        let (_, store) = self.store().await?;
        match store.show_green_before(&row.recipe, row.number).await? {
            Some(green) => self.numbered(green.number).await,
            None => Err(RunError::NoGreen { recipe: row.recipe.clone(), number: row.number }.into()),
        }
    }

    async fn numbered(&mut self, number: i64) -> anyhow::Result<Found> {
        let (state, store) = self.store().await?;
        let row = store.show_run(number).await?.ok_or_else(|| RunError::NotHere(number.to_string()))?;
        let json = store.results_of(number).await?.ok_or(RunError::NoResults(number))?;
        let results = parsed(json.as_bytes(), || format!("of run {number}"))?;
        Ok(Found { name: format!("run {number}"), results, folder: state.run(&row.id), row: Some(row) })
    }
}

/// The results in a folder, or that file.
fn beside(path: &Path) -> anyhow::Result<Found> {
    let file = if path.is_dir() { path.join(RunFile::Results.name()) } else { path.to_owned() };
    let content = verify::read(&file, verify::LARGEST_RESULTS)?;
    let results = parsed(&content, || format!("in {}", file.display()))?;
    let folder = file.parent().map_or_else(PathBuf::new, Path::to_owned);
    Ok(Found { name: path.display().to_string(), results, folder: RunFolder::at(&folder), row: None })
}

fn parsed(json: &[u8], place: impl Fn() -> String) -> Result<Results, RunError> {
    serde_json::from_slice(json).map_err(|source| RunError::NotResults { place: place(), source })
}

/// Runs that have ended, the newest first, of one recipe or of all: so many with results are asked for, one after the other.
///
/// # Errors
/// What SQLite says.
pub(super) async fn newest(
    store: &Store,
    recipe: Option<&str>,
    most: usize,
    mut each: impl FnMut(&str),
) -> Result<(), StoreError> {
    const PAGE: i64 = 100;
    let (mut before, mut left) = (None, most);
    while left > 0 {
        let page = match recipe {
            Some(recipe) => store.show_runs_of(recipe, before, PAGE).await?,
            None => store.show_ended(before, PAGE).await?,
        };
        let Some(last) = page.last() else { return Ok(()) };
        before = Some(last.number);
        for run in page.iter().filter(|run| run.verdict.is_some()) {
            let Some(json) = store.results_of(run.number).await? else { continue };
            each(&json);
            left -= 1;
            if left == 0 {
                break;
            }
        }
    }
    Ok(())
}
