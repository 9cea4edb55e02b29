//! Why a run waits, in words.

use std::collections::BTreeMap;
use std::time::Duration;

use super::Site;
use super::error::Failed;
use super::view::rough;
use crate::adapters::store::{SwitchedOn, Switches};
use crate::domain::ids::RunId;
use crate::domain::queue::{Behind, Eta, Reason, Why};
use crate::domain::results::duration;

/// Why a run waits, as a page says it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Waits {
    /// Its place, from 1.
    pub(super) place: usize,
    /// Why, as a part of a sentence.
    pub(super) why: String,
    /// The run that it waits for.
    pub(super) behind: Option<i64>,
    /// `≈ 3 min`, `now`; `–` where nobody can tell.
    pub(super) starts: String,
    /// The same in milliseconds, for programs.
    pub(super) starts_in_ms: Option<u64>,
}

/// Why each run that waits does.
pub(super) async fn all(site: &Site) -> Result<BTreeMap<RunId, Waits>, Failed> {
    let (whys, numbers) = site.service.whys().await?;
    let switches = site.service.store().switches().await?;
    Ok(whys.into_iter().map(|(run, why)| (run, said(&why, &numbers, &switches))).collect())
}

/// A pause as a part of a sentence: `paused by ada: new disks`.
pub(super) fn held(on: &SwitchedOn, draining: bool) -> String {
    let verb = if draining { "drained" } else { "paused" };
    let why = if on.value.is_empty() { String::new() } else { format!(": {}", on.value) };
    format!("{verb} by {}{why}", on.by)
}

fn said(why: &Why, numbers: &BTreeMap<RunId, i64>, switches: &Switches) -> Waits {
    let named = |run: &RunId| match why.behind.as_ref().filter(|behind| behind.run == *run) {
        Some(behind) => running(behind, numbers),
        None => number(run, numbers),
    };
    let held =
        |otherwise: &str| switches.held().map_or_else(|| otherwise.to_owned(), |on| held(on, switches.drain.is_some()));
    let (sentence, other) = match &why.reason {
        Reason::Starts => ("it starts at the next look at the queue".to_owned(), None),
        Reason::Paused => (held("the gate is paused"), None),
        Reason::Draining => (held("the gate is about to be stopped"), None),
        Reason::NoTarget => ("no target can be used now".to_owned(), None),
        Reason::RecipeRuns(run) | Reason::RecipeWaits(run) => {
            (format!("behind {}, since runs of one recipe go one after the other", named(run)), Some(run))
        }
        Reason::PortTaken(run) => {
            (format!("behind {}, which publishes the same port of the host", named(run)), Some(run))
        }
        Reason::RoomKept(run) => (format!("room is kept for {}, which has waited long", named(run)), Some(run)),
        Reason::Full => match &why.behind {
            Some(behind) => (format!("behind {}", running(behind, numbers)), Some(&behind.run)),
            None => ("behind those before it: every target is in use".to_owned(), None),
        },
    };
    Waits {
        place: why.place,
        why: sentence,
        behind: other.and_then(|run| numbers.get(run)).copied(),
        starts: why.starts_in.map_or_else(|| "–".to_owned(), starts),
        starts_in_ms: why.starts_in.map(|eta| ms(eta.after)),
    }
}

/// `run 230 (immich, install, 3 min 10 s; usually 6 min)`.
fn running(behind: &Behind, numbers: &BTreeMap<RunId, i64>) -> String {
    let usual = behind.usual.map_or_else(String::new, |usual| format!("; usually {}", duration(ms(usual))));
    let (recipe, stage) = (&behind.recipe, behind.stage.name());
    format!("{} ({recipe}, {stage}, {}{usual})", number(&behind.run, numbers), rough(ms(behind.elapsed)))
}

fn number(run: &RunId, numbers: &BTreeMap<RunId, i64>) -> String {
    numbers.get(run).map_or_else(|| "another run".to_owned(), |number| format!("run {number}"))
}

fn starts(eta: Eta) -> String {
    let about = |ms: u64| match ms {
        0..5_000 => "now".to_owned(),
        5_000..90_000 => format!("≈ {}", rough(ms / 5_000 * 5_000)),
        _ => format!("≈ {} min", (ms + 30_000) / 60_000),
    };
    if eta.by_limit {
        format!("≤ {}", duration(ms(eta.after) / 60_000 * 60_000 + 60_000))
    } else {
        about(ms(eta.after))
    }
}

pub(super) fn ms(length: Duration) -> u64 {
    u64::try_from(length.as_millis()).unwrap_or(u64::MAX)
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::ids::RecipeName;
    use crate::domain::stage::Stage;

    fn told(reason: Reason, switches: &Switches) -> Waits {
        let run = RunId::from_random([1; 12]);
        let behind = Behind {
            run: run.clone(),
            recipe: RecipeName::parse("immich").unwrap(),
            stage: Stage::Install,
            elapsed: Duration::from_secs(190),
            usual: Some(Duration::from_secs(360)),
        };
        let starts_in = Some(Eta { after: Duration::from_secs(170), by_limit: false });
        said(&Why { place: 2, behind: Some(behind), reason, starts_in }, &BTreeMap::from([(run, 230)]), switches)
    }

    #[test]
    fn s50_each_reason_is_a_sentence() {
        let (first, other) = (RunId::from_random([1; 12]), RunId::from_random([2; 12]));
        let on = SwitchedOn { value: "new disks".into(), by: "ada".into(), at: Timestamp::UNIX_EPOCH };
        let paused = Switches { pause: Some(on), ..Switches::default() };
        let off = Switches::default();
        let whys = [
            told(Reason::Starts, &off),
            told(Reason::Paused, &paused),
            told(Reason::Draining, &off),
            told(Reason::NoTarget, &off),
            told(Reason::RecipeRuns(first.clone()), &off),
            told(Reason::PortTaken(first), &off),
            told(Reason::RoomKept(other), &off),
            told(Reason::Full, &off),
        ];
        let said: String = whys.iter().map(|waits| format!("{} ({:?})\n", waits.why, waits.behind)).collect();
        insta::assert_snapshot!(said);
        assert_eq!(whys[7].starts, "≈ 3 min");
    }

    #[test]
    fn what_only_a_limit_bounds_is_said_so() {
        assert_eq!(starts(Eta { after: Duration::from_secs(3_500), by_limit: true }), "≤ 59 min");
        assert_eq!(starts(Eta { after: Duration::from_secs(2), by_limit: false }), "now");
    }
}
