//! What came of the canaries, as a table: every verdict against what it should have been, and the same for the naive way beside it.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use serde::{Serialize, Serializer};

use super::{Sort, Told};
use crate::domain::finding::FindingKind;
use crate::domain::results::{duration, one_line};
use crate::domain::stage::Rung;
use crate::domain::verdict::Verdict;

/// A canary and what a run said of it. As JSON, one element of `--json`.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Judged {
    /// The canary.
    pub name: String,
    /// Its part of the corpus.
    #[serde(skip)]
    pub sort: Sort,
    /// Which time, from 1.
    pub round: u32,
    /// What the run said.
    #[serde(flatten)]
    pub told: Told,
    /// What it should have said.
    pub expected: Told,
    /// Its headline, or why there is no verdict; untrusted.
    pub sentence: String,
    /// The run's id; nothing where none began.
    pub run: Option<String>,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// What the naive way says; nothing where it was not asked.
    #[serde(serialize_with = "naive")]
    pub naive: Option<Naive>,
}

/// What the naive way says: it knows two verdicts and no cause.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Naive {
    /// Green or red.
    pub green: bool,
    /// Why, in a few words; untrusted.
    pub why: String,
    /// How long it took, in milliseconds.
    pub ms: u64,
}

impl Naive {
    const fn verdict(&self) -> Verdict {
        if self.green { Verdict::Green } else { Verdict::Red }
    }
}

fn naive<S: Serializer>(naive: &Option<Naive>, serializer: S) -> Result<S::Ok, S::Error> {
    naive.as_ref().map(Naive::verdict).serialize(serializer)
}

impl Judged {
    /// Whether verdict, kind, service and rung are as declared.
    #[must_use]
    pub fn is_as_declared(&self) -> bool {
        self.told == self.expected
    }

    /// One line for whoever waits.
    #[must_use]
    pub fn line(&self) -> String {
        let (mark, name, told) = (if self.is_as_declared() { '✓' } else { '✕' }, &self.name, &self.told);
        let mut line = format!("{mark} {name}: {told}, {}", duration(self.ms));
        if !self.is_as_declared() {
            let _ = write!(line, "; declared {}; {}", self.expected, one_line(&self.sentence, 200));
        }
        if let Some(naive) = &self.naive {
            let _ = write!(line, "; the naive way: {} ({})", naive.verdict().name(), one_line(&naive.why, 100));
        }
        line
    }
}

/// The table: verdicts, causes, and what is not as declared.
#[must_use]
pub fn table(all: &[Judged]) -> String {
    let mut table = verdicts(all);
    table.push('\n');
    table.push_str(&causes(all));
    let wrong: Vec<&Judged> = all.iter().filter(|judged| !judged.is_as_declared()).collect();
    if !wrong.is_empty() {
        table.push_str("\nNot as declared:\n");
        for judged in wrong {
            let run = judged.run.as_deref().unwrap_or("none");
            let _ = writeln!(
                table,
                "  {} (run {run})\n    declared  {}\n    came      {}\n    {}",
                judged.name,
                judged.expected,
                judged.told,
                one_line(&judged.sentence, 300)
            );
        }
    }
    table.push('\n');
    table.push_str(&sums(all));
    table
}

const VERDICTS: [Verdict; 3] = [Verdict::Green, Verdict::Red, Verdict::NotJudged];

/// Rows: what a canary is. Columns: what was said of it.
fn verdicts(all: &[Judged]) -> String {
    let with_naive = all.iter().any(|judged| judged.naive.is_some());
    let (beside, naive) = if with_naive { ("                    the naive way", "    green    red") } else { ("", "") };
    let mut table =
        format!("                    cc-ci says{beside}\nit is        in all  green    red  not judged{naive}\n");
    for verdict in VERDICTS {
        let these: Vec<&Judged> = all.iter().filter(|judged| judged.expected.verdict == verdict).collect();
        if these.is_empty() {
            continue;
        }
        let said = VERDICTS.map(|said| these.iter().filter(|judged| judged.told.verdict == said).count());
        let _ = write!(
            table,
            "{:12} {:6} {:6} {:6} {:11}",
            verdict.name().replace('_', " "),
            these.len(),
            said[0],
            said[1],
            said[2]
        );
        if with_naive {
            let of = |green| {
                these.iter().filter(|judged| judged.naive.as_ref().is_some_and(|naive| naive.green == green)).count()
            };
            let _ = write!(table, "   {:6} {:6}", of(true), of(false));
        }
        table.push('\n');
    }
    table
}

/// Rows: what the fault is and which rung it fails.
fn causes(all: &[Judged]) -> String {
    let mut rows: BTreeMap<(Rung, FindingKind), Vec<&Judged>> = BTreeMap::new();
    for judged in all {
        if let (Some(rung), Some(kind)) = (judged.expected.rung, judged.expected.kind) {
            rows.entry((rung, kind)).or_default().push(judged);
        }
    }
    if rows.is_empty() {
        return String::new();
    }
    let mut table = "cause                    rung     in all  kind  service  rung  all right\n".to_owned();
    for ((rung, kind), these) in rows {
        let count = |holds: fn(&Judged) -> bool| these.iter().filter(|judged| holds(judged)).count();
        let _ = writeln!(
            table,
            "{:24} {:8} {:6} {:5} {:8} {:5} {:10}",
            kind.name(),
            rung.name(),
            these.len(),
            count(|it| it.told.kind == it.expected.kind),
            count(|it| it.told.service == it.expected.service),
            count(|it| it.told.rung == it.expected.rung),
            count(Judged::is_as_declared),
        );
    }
    table
}

fn sums(all: &[Judged]) -> String {
    let right = all.iter().filter(|judged| judged.is_as_declared()).count();
    let good: Vec<&Judged> = all.iter().filter(|judged| judged.expected.verdict == Verdict::Green).collect();
    let bad: Vec<&Judged> = all.iter().filter(|judged| judged.expected.verdict == Verdict::Red).collect();
    let mut sums = format!("{right} of {} as declared", all.len());
    for (sort, name) in [(Sort::Mutant, "mutants"), (Sort::Good, "good ones"), (Sort::Replay, "replays of incidents")] {
        let these: Vec<&Judged> = all.iter().filter(|judged| judged.sort == sort).collect();
        if !these.is_empty() {
            let right = these.iter().filter(|judged| judged.is_as_declared()).count();
            let _ = write!(sums, "; {name}: {right} of {}", these.len());
        }
    }
    sums.push('\n');
    let mut way = |who: &str, says: &dyn Fn(&Judged) -> Option<Verdict>| {
        let red = good.iter().filter(|judged| says(judged).is_some_and(|verdict| verdict == Verdict::Red)).count();
        let missed = bad.iter().filter(|judged| says(judged).is_some_and(|verdict| verdict == Verdict::Green)).count();
        let _ = writeln!(
            sums,
            "{who}: false reds in 100 good runs: {}; faults that it calls green: {missed} of {}",
            in_100(red, good.len()),
            bad.len()
        );
    };
    way("cc-ci", &|judged| Some(judged.told.verdict));
    if all.iter().any(|judged| judged.naive.is_some()) {
        way("the naive way", &|judged| judged.naive.as_ref().map(Naive::verdict));
    }
    sums
}

fn in_100(some: usize, of: usize) -> String {
    // In tenths, rounded; of nothing, nothing is known.
    let tenths = (1000 * some + of / 2).checked_div(of);
    tenths.map_or_else(|| "–".to_owned(), |tenths| format!("{}.{} ({some} of {of})", tenths / 10, tenths % 10))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(verdict: Verdict, cause: Option<(FindingKind, &str, Rung)>) -> Told {
        Told {
            verdict,
            kind: cause.map(|(kind, _, _)| kind),
            service: cause.map(|(_, service, _)| service.to_owned()),
            rung: cause.map(|(_, _, rung)| rung),
        }
    }

    fn judged(name: &str, sort: Sort, expected: Told, told: Told, naive_green: bool) -> Judged {
        Judged {
            name: name.to_owned(),
            sort,
            round: 1,
            told,
            expected,
            sentence: "a sentence".to_owned(),
            run: Some("abcd".to_owned()),
            ms: 21_000,
            naive: Some(Naive { green: naive_green, why: "1/1 replicas".to_owned(), ms: 9_000 }),
        }
    }

    fn some() -> Vec<Judged> {
        let loops = || told(Verdict::Red, Some((FindingKind::CrashLoop, "app", Rung::Install)));
        let lost = || told(Verdict::Red, Some((FindingKind::DataLost, "app", Rung::Upgrade)));
        let green = || told(Verdict::Green, None);
        vec![
            judged("loops", Sort::Mutant, loops(), loops(), false),
            judged("loses", Sort::Replay, lost(), green(), true),
            judged("names-another", Sort::Mutant, lost(), loops(), true),
            judged("slow", Sort::Good, green(), green(), false),
            judged("odd", Sort::Good, green(), loops(), true),
        ]
    }

    #[test]
    fn the_table_in_words() {
        insta::assert_snapshot!(table(&some()));
        let without: Vec<Judged> = some().into_iter().take(1).map(|judged| Judged { naive: None, ..judged }).collect();
        insta::assert_snapshot!("without_the_naive_way", table(&without));
        let lines: Vec<String> = some().iter().map(Judged::line).collect();
        insta::assert_snapshot!("lines", lines.join("\n"));
    }

    #[test]
    fn as_json_null_is_where_there_is_none() {
        insta::assert_json_snapshot!([&some()[1], &some()[2]]);
    }

    proptest::proptest! {
        #[test]
        fn every_run_is_in_one_cell(greens in 0_usize..9, reds in 0_usize..9) {
            let of = |verdict| told(verdict, (verdict == Verdict::Red).then_some((FindingKind::CrashLoop, "app", Rung::Install)));
            let make = |verdict, n| (0..n).map(move |_| judged("a", Sort::Good, of(verdict), of(verdict), true));
            let all: Vec<Judged> = make(Verdict::Green, greens).chain(make(Verdict::Red, reds)).collect();
            let table = table(&all);
            let expected = format!("{0} of {0} as declared", greens + reds);
            proptest::prop_assert!(table.contains(&expected), "{}", table);
        }
    }
}
