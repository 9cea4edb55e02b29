//! How long runs of a recipe usually take.

use std::collections::{BTreeMap, VecDeque};
use std::time::Duration;

use serde::{Deserialize, Serialize};

use crate::domain::ids::RecipeName;
use crate::domain::verdict::Verdict;

/// So many runs of a recipe are remembered.
pub const REMEMBERED: usize = 10;

/// How long the last judged runs of each recipe took, from start to end, without the time of `--keep`.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct History(BTreeMap<RecipeName, VecDeque<Duration>>);

impl History {
    /// Remembers a run that has ended. One that was not judged tells how long the infrastructure failed, and is left out.
    pub fn record(&mut self, recipe: &RecipeName, verdict: Verdict, took: Duration) {
        match verdict {
            Verdict::Green | Verdict::Red => {
                let runs = self.0.entry(recipe.clone()).or_default();
                runs.push_back(took);
                while runs.len() > REMEMBERED {
                    runs.pop_front();
                }
            }
            Verdict::NotJudged => {}
        }
    }

    /// How long a run of the recipe usually takes; `None` without history.
    #[must_use]
    pub fn usual(&self, recipe: &RecipeName) -> Option<Duration> {
        self.0.get(recipe).and_then(|runs| usual(runs.iter().rev().copied()))
    }
}

/// The median of the first [`REMEMBERED`] durations, the newest first: one wedged run does not move it.
#[must_use]
pub fn usual(newest_first: impl IntoIterator<Item = Duration>) -> Option<Duration> {
    let mut last: Vec<Duration> = newest_first.into_iter().take(REMEMBERED).collect();
    last.sort_unstable();
    let upper = *last.get(last.len() / 2)?;
    let lower = *last.get((last.len() - 1) / 2)?;
    Some(lower + (upper - lower) / 2)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seconds(all: &[u64]) -> Option<Duration> {
        usual(all.iter().map(|seconds| Duration::from_secs(*seconds)))
    }

    #[test]
    fn the_usual_time_is_the_median_and_needs_a_history() {
        assert_eq!(seconds(&[]), None);
        assert_eq!(seconds(&[60]), Some(Duration::from_secs(60)));
        assert_eq!(seconds(&[60, 3600, 70]), Some(Duration::from_secs(70)));
        assert_eq!(seconds(&[10, 20, 3600, 30]), Some(Duration::from_secs(25)));
        assert_eq!(usual([Duration::MAX, Duration::MAX]), Some(Duration::MAX));
    }

    #[test]
    fn only_the_last_judged_runs_count() {
        let recipe = RecipeName::parse("notes").unwrap();
        let mut history = History::default();
        history.record(&recipe, Verdict::NotJudged, Duration::from_secs(9));
        assert_eq!(history.usual(&recipe), None);
        for _ in 0..20 {
            history.record(&recipe, Verdict::Green, Duration::from_secs(600));
        }
        for _ in 0..REMEMBERED {
            history.record(&recipe, Verdict::Red, Duration::from_secs(60));
        }
        assert_eq!(history.usual(&recipe), Some(Duration::from_secs(60)));
    }
}
