//! Where the time of many runs went: a Pareto over their phases, cold runs apart from warm ones, and how much of the wall time the
//! phases explain at all. Time that no phase has is nobody's: when it grows, an instrument is missing.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Serialize, Serializer};

use super::results::{By, Results, Store, Timing, ms_between};

/// Below this share of the wall time the phases do not explain it.
pub const ATTRIBUTED: Percent = Percent(980);
/// More names of phases than any cc-ci ever had; what is beyond is one phase.
const MOST_PHASES: usize = 200;
const OTHERS: &str = "other phases";
/// Gaps of one run that are told, the longest ones; shorter ones say nothing.
const MOST_GAPS: usize = 5;
const SHORTEST_GAP: u64 = 50;

/// A share in tenths of a percent, rounded down, so that 100 % is said only of everything.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Percent(u64);

impl Percent {
    /// That of a part; of nothing it is everything.
    #[must_use]
    pub fn of(part: u64, whole: u64) -> Self {
        Self(part.saturating_mul(1_000).checked_div(whole).unwrap_or(1_000))
    }
}

impl fmt::Display for Percent {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}.{} %", self.0 / 10, self.0 % 10)
    }
}

impl Serialize for Percent {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        // Of what overlaps the share may be more than everything, but never that much.
        serializer.serialize_f64(f64::from(u32::try_from(self.0).unwrap_or(u32::MAX)) / 10.0)
    }
}

/// How long the union of these parts is, each with its begin and end: what overlaps counts once.
#[must_use]
pub fn covered(mut parts: Vec<(u64, u64)>) -> u64 {
    parts.sort_unstable();
    let (mut covered, mut upto) = (0_u64, 0_u64);
    for (begin, end) in parts {
        covered = covered.saturating_add(end.saturating_sub(begin.max(upto)));
        upto = upto.max(end);
    }
    covered
}

/// The phases of some runs.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Group {
    /// How many runs.
    pub runs: usize,
    /// From start to end, all runs together, in milliseconds.
    pub wall_ms: u64,
    /// Of that, what lies within a phase.
    pub attributed_ms: u64,
    /// The same as a share of the wall time, in percent.
    pub attributed: Percent,
    /// The phases, those that took most first.
    pub phases: Vec<Phase>,
}

impl Group {
    /// Whether so much lies within no phase that the table does not say where the time went.
    #[must_use]
    pub fn is_unexplained(&self) -> bool {
        self.attributed < ATTRIBUTED
    }
}

/// One phase over some runs. Phases may overlap, so that their sum may be more than the wall time.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Phase {
    /// Its name.
    pub phase: String,
    /// Whose time it is, in the newest run.
    pub by: By,
    /// How many runs had it.
    pub runs: usize,
    /// All of them together, in milliseconds.
    pub total_ms: u64,
    /// That as a share of all phases' time, in percent.
    pub share: Percent,
    /// The share of this phase and those above it.
    pub cumulated: Percent,
    /// Half of the runs that had it took no longer.
    pub median_ms: u64,
    /// 95 of 100 runs that had it took no longer.
    pub p95_ms: u64,
}

/// Runs in which an image was pulled, and those in which the target had them all.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Pareto {
    /// With a pull.
    pub cold: Group,
    /// Without.
    pub warm: Group,
}

/// Collects runs, one after the other: of each only the lengths of its phases are kept.
#[derive(Debug, Clone, Default)]
pub struct Collected {
    cold: Sum,
    warm: Sum,
}

#[derive(Debug, Clone, Default)]
struct Sum {
    runs: usize,
    wall_ms: u64,
    attributed_ms: u64,
    phases: BTreeMap<String, Lengths>,
}

#[derive(Debug, Clone)]
struct Lengths {
    by: By,
    /// One for each run that had the phase.
    ms: Vec<u64>,
}

impl Collected {
    /// Takes the next run; the newest comes first.
    pub fn add(&mut self, results: &Results) {
        if is_cold(results) { self.cold.add(results) } else { self.warm.add(results) }
    }

    /// How many runs there are.
    #[must_use]
    pub const fn runs(&self) -> usize {
        self.cold.runs + self.warm.runs
    }

    /// The Pareto over them.
    #[must_use]
    pub fn pareto(self) -> Pareto {
        Pareto { cold: self.cold.group(), warm: self.warm.group() }
    }
}

impl Sum {
    fn add(&mut self, results: &Results) {
        self.runs += 1;
        self.wall_ms += ms_between(results.started, results.finished);
        self.attributed_ms += covered(parts(results).map(|part| (part.begin, part.end)).collect());
        for (phase, (by, ms)) in lengths(results) {
            let name = if self.phases.contains_key(phase) || self.phases.len() < MOST_PHASES { phase } else { OTHERS };
            self.phases.entry(name.to_owned()).or_insert_with(|| Lengths { by, ms: Vec::new() }).ms.push(ms);
        }
    }

    fn group(self) -> Group {
        let all: u64 = self.phases.values().flat_map(|lengths| &lengths.ms).sum();
        let mut phases: Vec<Phase> =
            self.phases.into_iter().map(|(phase, lengths)| lengths.phase(phase, all)).collect();
        phases.sort_by_key(|phase| std::cmp::Reverse(phase.total_ms));
        let mut upto = 0;
        for phase in &mut phases {
            upto += phase.total_ms;
            phase.cumulated = Percent::of(upto, all);
        }
        let (wall_ms, attributed_ms) = (self.wall_ms, self.attributed_ms);
        Group { runs: self.runs, wall_ms, attributed_ms, attributed: Percent::of(attributed_ms, wall_ms), phases }
    }
}

impl Lengths {
    fn phase(mut self, phase: String, all: u64) -> Phase {
        self.ms.sort_unstable();
        // The nearest rank: a length that one of the runs had.
        let rank = |percent: usize| self.ms[(self.ms.len() * percent).div_ceil(100).max(1) - 1];
        let (median_ms, p95_ms) = (rank(50), rank(95));
        let total_ms = self.ms.iter().sum();
        let share = Percent::of(total_ms, all);
        Phase { phase, by: self.by, runs: self.ms.len(), total_ms, share, cumulated: share, median_ms, p95_ms }
    }
}

/// Whether an image was pulled.
#[must_use]
pub fn is_cold(results: &Results) -> bool {
    results.pulls.iter().any(|pull| pull.store == Store::Cold)
}

/// How long each phase of a run took, and whose time it was; the same name more than once is one phase, and what overlaps in it
/// counts once.
#[must_use]
pub fn lengths(results: &Results) -> BTreeMap<&str, (By, u64)> {
    type Parts = Vec<(u64, u64)>;
    let mut all: BTreeMap<&str, (By, Parts)> = BTreeMap::new();
    for Timing { phase, start, ms, by } in &results.timings {
        // A phase may begin before what is taken as the run's start: its own length counts, whatever lies around it.
        let begin = since(results.started, *start);
        all.entry(phase).or_insert_with(|| (*by, Vec::new())).1.push((begin, begin.saturating_add(*ms)));
    }
    all.into_iter().map(|(phase, (by, parts))| (phase, (by, covered(parts)))).collect()
}

/// A phase's part of the run's wall time.
struct Part<'a> {
    phase: &'a str,
    begin: u64,
    end: u64,
}

/// The parts of phases that lie within the run.
fn parts(results: &Results) -> impl Iterator<Item = Part<'_>> {
    let wall = ms_between(results.started, results.finished);
    results.timings.iter().map(move |timing| {
        let begin = since(results.started, timing.start);
        Part { phase: &timing.phase, begin: begin.min(wall), end: begin.saturating_add(timing.ms).min(wall) }
    })
}

fn since(started: Timestamp, at: Timestamp) -> u64 {
    ms_between(started, at)
}

/// Time of a run that no phase has.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Gap {
    /// The phase that ended before it; `null`: it is the run's beginning.
    pub after: Option<String>,
    /// The phase that began behind it; `null`: it is the run's end.
    pub before: Option<String>,
    /// Its length in milliseconds.
    pub ms: u64,
}

/// The longest gaps of a run, the longest first.
#[must_use]
pub fn gaps(results: &Results) -> Vec<Gap> {
    let wall = ms_between(results.started, results.finished);
    let mut parts: Vec<Part<'_>> = parts(results).collect();
    parts.sort_by_key(|part| (part.begin, part.end));
    let (mut upto, mut after, mut gaps) = (0, None, Vec::new());
    for part in parts.iter().map(Some).chain([None]) {
        let begin = part.map_or(wall, |part| part.begin);
        if begin.saturating_sub(upto) >= SHORTEST_GAP {
            let before = part.map(|part| part.phase.to_owned());
            gaps.push(Gap { after: after.map(str::to_owned), before, ms: begin - upto });
        }
        if let Some(part) = part.filter(|part| part.end >= upto) {
            (upto, after) = (part.end, Some(part.phase));
        }
    }
    gaps.sort_by_key(|gap| std::cmp::Reverse(gap.ms));
    gaps.truncate(MOST_GAPS);
    gaps
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{conclude, samples};

    /// A run with these phases: name, begin, length; so long, cold or warm.
    fn run(phases: &[(&str, i64, u64)], wall: i64, store: Store) -> Results {
        let mut results = conclude(samples::good());
        let timing = |(phase, start, ms): &(&str, i64, u64)| Timing {
            phase: (*phase).to_owned(),
            start: samples::at(*start),
            ms: *ms,
            by: By::Docker,
        };
        results.timings = phases.iter().map(timing).collect();
        results.finished = samples::at(wall);
        results.pulls[0].store = store;
        results
    }

    fn pareto(runs: &[Results]) -> Pareto {
        let mut collected = Collected::default();
        runs.iter().for_each(|run| collected.add(run));
        assert_eq!(collected.runs(), runs.len());
        collected.pareto()
    }

    #[test]
    fn s83_the_difference_between_cold_and_warm_is_attributed() {
        let cold = run(&[("connect", 0, 100), ("pull", 100, 6_000), ("converge", 6_100, 3_850)], 10_000, Store::Cold);
        let warm = run(&[("connect", 0, 100), ("pull", 100, 40), ("converge", 140, 3_850)], 4_000, Store::Warm);
        let Pareto { cold, warm } = pareto(&[cold.clone(), warm, cold]);
        assert_eq!((cold.runs, warm.runs), (2, 1));
        let told = |group: &Group| group.phases.iter().map(|it| (it.phase.clone(), it.total_ms)).collect::<Vec<_>>();
        let named = |all: &[(&str, u64)]| all.iter().map(|(name, ms)| ((*name).to_owned(), *ms)).collect::<Vec<_>>();
        assert_eq!(told(&cold), named(&[("pull", 12_000), ("converge", 7_700), ("connect", 200)]));
        assert_eq!(told(&warm), named(&[("converge", 3_850), ("connect", 100), ("pull", 40)]));
        assert_eq!((cold.attributed.to_string(), cold.is_unexplained()), ("99.5 %".to_owned(), false));
        let shares: Vec<_> = cold.phases.iter().map(|it| format!("{} {}", it.share, it.cumulated)).collect();
        assert_eq!(shares, ["60.3 % 60.3 %", "38.6 % 98.9 %", "1.0 % 100.0 %"]);
    }

    #[test]
    fn median_and_p95_are_lengths_that_a_run_had() {
        let runs: Vec<_> = (1..=20).map(|n| run(&[("pull", 0, n * 100)], 2_000, Store::Warm)).collect();
        let group = pareto(&runs).warm;
        let pull = &group.phases[0];
        assert_eq!((pull.runs, pull.median_ms, pull.p95_ms, pull.total_ms), (20, 1_000, 1_900, 21_000));
        assert!(group.is_unexplained(), "half of the time is nobody's: {}", group.attributed);
    }

    #[test]
    fn what_overlaps_is_attributed_once_and_what_lies_outside_not_at_all() {
        let phases = [("a", 0, 600), ("b", 400, 400), ("b", 700, 200), ("late", 950, 5_000), ("early", -500, 100)];
        let group = pareto(&[run(&phases, 1_000, Store::Warm)]).warm;
        // 0 to 900 and 950 to 1,000; what began before the run counts from its start.
        assert_eq!((group.wall_ms, group.attributed_ms), (1_000, 950));
        let of = |name: &str| group.phases.iter().find(|it| it.phase == name).unwrap().total_ms;
        assert_eq!((of("b"), of("late"), of("early")), (500, 5_000, 100));
        assert_eq!(covered(vec![(0, 10), (5, 15), (20, 30), (22, 23)]), 25);
    }

    #[test]
    fn gaps_are_named_by_what_lies_around_them() {
        let phases = [("connect", 200, 300), ("pull", 400, 100), ("converge", 900, 50), ("floor", 960, 10)];
        let gap = |after: Option<&str>, before: Option<&str>, ms| Gap {
            after: after.map(str::to_owned),
            before: before.map(str::to_owned),
            ms,
        };
        assert_eq!(
            gaps(&run(&phases, 1_500, Store::Warm)),
            [gap(Some("floor"), None, 530), gap(Some("pull"), Some("converge"), 400), gap(None, Some("connect"), 200)]
        );
        assert_eq!(gaps(&run(&[], 500, Store::Warm)), [gap(None, None, 500)]);
    }

    #[test]
    fn runs_without_time_are_no_division_by_zero() {
        let group = pareto(&[run(&[], 0, Store::Warm)]).warm;
        assert_eq!((group.attributed.to_string(), group.phases.len()), ("100.0 %".to_owned(), 0));
        assert_eq!(pareto(&[]).cold.runs, 0);
    }

    #[test]
    fn names_of_phases_are_bounded() {
        let phases: Vec<(String, i64, u64)> = (0..500).map(|n| (format!("phase {n}"), n * 10, 5)).collect();
        let phases: Vec<_> = phases.iter().map(|(name, start, ms)| (name.as_str(), *start, *ms)).collect();
        let group = pareto(&[run(&phases, 5_000, Store::Warm)]).warm;
        assert_eq!((group.phases.len(), group.phases[0].phase.as_str()), (MOST_PHASES + 1, OTHERS));
        assert_eq!(group.phases.iter().map(|it| it.total_ms).sum::<u64>(), 2_500);
    }
}
