//! The operators' verbs: pause, drain, resume, cancel, retry. Each only writes to the database; whoever is concerned finds it
//! there. So the command line, the API and the web mean the same, and nothing is lost when the gate is not running.

use jiff::Timestamp;

use crate::adapters::store::{Asked, NewRequest, Store, StoreError, Switch};
use crate::domain::ids::RunId;
use crate::domain::queue::TargetState;
use crate::domain::results::one_line;

/// The longest reason that is kept.
const LONGEST_REASON: usize = 200;

/// Why a verb cannot be done.
#[derive(Debug, thiserror::Error)]
pub enum ControlError {
    /// There is no such run.
    #[error("there is no run {0}\nhint: `--state` names another state folder")]
    NoSuchRun(i64),
    /// The service has never had such a target.
    #[error("the service knows no target `{0}`\nhint: `--state` names another state folder")]
    NoSuchTarget(String),
    /// It is over.
    #[error("run {0} has its verdict already")]
    Done(i64),
    /// It did not come from the forge.
    #[error("run {number} was started with `cc-ci run`; start it there again: cc-ci run {recipe} --target {target}")]
    FromTheCommandLine {
        /// The run.
        number: i64,
        /// Its recipe.
        recipe: String,
        /// Where it ran.
        target: String,
    },
    /// The database cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
}

impl ControlError {
    /// Whether who asked can put it right.
    #[must_use]
    pub const fn is_usage(&self) -> bool {
        match self {
            Self::NoSuchRun(_) | Self::NoSuchTarget(_) | Self::Done(_) | Self::FromTheCommandLine { .. } => true,
            Self::Store(_) => false,
        }
    }
}

/// What a retry came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Retried {
    /// A new run of that number.
    New(i64),
    /// The same commit waits or runs already, as the run of that number.
    Already(i64),
}

impl Retried {
    /// The number of the run that tests the commit now.
    #[must_use]
    pub const fn number(self) -> i64 {
        match self {
            Self::New(number) | Self::Already(number) => number,
        }
    }
}

/// From now on nothing is started; what runs goes on.
///
/// # Errors
/// When the database cannot be used.
pub async fn pause(store: &Store, who: &str, why: &str) -> Result<(), ControlError> {
    Ok(store.switch_on(Switch::Pause, &one_line(why, LONGEST_REASON), who, Timestamp::now()).await?)
}

/// As [`pause`], and pages say when nothing runs any more.
///
/// # Errors
/// When the database cannot be used.
pub async fn drain(store: &Store, who: &str) -> Result<(), ControlError> {
    Ok(store.switch_on(Switch::Drain, "", who, Timestamp::now()).await?)
}

/// Runs are started again.
///
/// # Errors
/// When the database cannot be used.
pub async fn resume(store: &Store, who: &str) -> Result<(), ControlError> {
    Ok(store.resume(who, Timestamp::now()).await?)
}

/// A target was set up anew by hand: it is looked at, and used again.
///
/// # Errors
/// [`ControlError::NoSuchTarget`].
pub async fn trust(store: &Store, name: &str, who: &str) -> Result<(), ControlError> {
    let now = Timestamp::now();
    let known = store.targets().await?.into_iter().find(|target| target.name.as_str() == name);
    let target = known.ok_or_else(|| ControlError::NoSuchTarget(name.to_owned()))?.name;
    super::targets::set_up_anew(store, &target).await?;
    store.set_target(&target, TargetState::Unknown, &format!("set up anew, says {who}"), now).await?;
    Ok(store.note_action(who, &format!("trust target {target}"), now).await?)
}

/// Asks for the end of a run: what was deployed is removed, and the verdict is *not judged*.
///
/// # Errors
/// [`ControlError::NoSuchRun`], [`ControlError::Done`].
pub async fn cancel(store: &Store, number: i64, who: &str) -> Result<(), ControlError> {
    if store.ask_to_cancel(number, who, Timestamp::now()).await? {
        return Ok(());
    }
    Err(match store.show_run(number).await? {
        Some(_) => ControlError::Done(number),
        None => ControlError::NoSuchRun(number),
    })
}

/// Asks for a new run of the same commit with the same options, in the name of who asks. Its answer is a new posting under the
/// comment that asked first, where there was one.
///
/// # Errors
/// [`ControlError::NoSuchRun`], [`ControlError::FromTheCommandLine`].
pub async fn retry(store: &Store, number: i64, who: &str) -> Result<Retried, ControlError> {
    let run = store.numbered(number).await?.ok_or(ControlError::NoSuchRun(number))?;
    let (Some(head), Some(repository)) = (&run.head, &run.repository) else {
        let target = run.target.map_or_else(|| "T".to_owned(), |target| target.to_string());
        return Err(ControlError::FromTheCommandLine { number, recipe: run.recipe.to_string(), target });
    };
    let open = store.open_runs().await?;
    let same = |other: &&Asked| {
        other.repository.as_ref() == Some(repository)
            && other.pull == run.pull
            && other.head.as_ref() == Some(head)
            && other.options == run.options
            && other.cancelled.is_none()
    };
    if let Some(same) = open.iter().find(same) {
        return Ok(Retried::Already(same.number));
    }
    let now = Timestamp::now();
    let new = NewRequest {
        id: &RunId::from_random(rand::random()),
        cause: run.cause,
        recipe: &run.recipe,
        repository,
        pull: run.pull,
        head,
        asked_by: who,
        options: &run.options,
        attempt: 1,
        comment: run.comment,
        // The first run may have used two postings.
        post: run.post + 2,
        vouched: run.vouched,
        first_try: None,
        sweep: None,
        queued_at: now,
    };
    let made = store.add_request(&new).await?;
    store.note_action(who, &format!("retry run {number} as run {made}"), now).await?;
    Ok(Retried::New(made))
}
