//! What `cc-ci timings` says: where the time of runs went, the most first, for a person and for a program.

use serde::Serialize;

use super::text::Pen;
use super::{clean, words};
use crate::domain::results::{Results, count, duration, ms_between};
use crate::domain::timings::{ATTRIBUTED, Collected, Gap, Group, Pareto, Phase, gaps, is_cold};

/// Characters of a phase's name in the table.
const NAME: usize = 26;

/// What was looked at.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct Looked {
    /// How many runs.
    pub runs: usize,
    /// The recipe, where only its runs were asked for.
    pub recipe: Option<String>,
    /// Runs whose results this version does not read.
    pub unreadable: usize,
    /// Where their time went.
    #[serde(flatten)]
    pub pareto: Pareto,
}

/// One run.
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub struct One {
    /// The run.
    pub run: String,
    /// Its recipe.
    pub recipe: String,
    /// Whether an image was pulled.
    pub cold: bool,
    /// Its phases.
    #[serde(flatten)]
    pub group: Group,
    /// Time of the run that no phase has, the longest gaps first.
    pub gaps: Vec<Gap>,
}

impl One {
    /// Where the time of this run went.
    #[must_use]
    pub fn of(results: &Results) -> Self {
        let mut collected = Collected::default();
        collected.add(results);
        let (cold, pareto) = (is_cold(results), collected.pareto());
        Self {
            run: results.run.to_string(),
            recipe: results.recipe.name.to_string(),
            cold,
            group: if cold { pareto.cold } else { pareto.warm },
            gaps: gaps(results),
        }
    }
}

/// For a program: one object.
///
/// # Errors
/// None that is known: every value can be written.
pub fn json(said: &impl Serialize) -> serde_json::Result<String> {
    serde_json::to_string_pretty(said).map(|text| text + "\n")
}

/// Many runs, for a person.
#[must_use]
pub fn many(looked: &Looked, colour: bool) -> String {
    let pen = Pen { colour };
    let of = looked.recipe.as_deref().map_or_else(String::new, |recipe| format!(" of {}", clean::line(recipe)));
    let runs = count(looked.runs, "run", "runs");
    if looked.runs == 0 {
        return format!("there are no results of runs{of} to look at\n");
    }
    let Pareto { cold, warm } = &looked.pareto;
    let mut out = format!("{runs}{of}, the newest: {} cold (an image was pulled), {} warm\n", cold.runs, warm.runs);
    if looked.unreadable > 0 {
        let left_out = count(looked.unreadable, "run has", "runs have");
        out.push_str(&format!("{left_out} results of a form that this version does not read\n"));
    }
    for (name, group) in [("cold", cold), ("warm", warm)].into_iter().filter(|(_, group)| group.runs > 0) {
        let heading = format!("{name}: {}, {}", count(group.runs, "run", "runs"), duration(group.wall_ms));
        out.push_str(&format!("\n{}, {}\n", pen.bold(&heading), attributed(group, pen)));
        let columns = ["phase", "whose", "runs", "total", "share", "up to here", "median", "p95"];
        out.push_str(&table(&columns, group.phases.iter().map(|it| row(it, true)).collect(), pen));
    }
    out
}

/// One run, for a person.
#[must_use]
pub fn one(run: &One, results: &Results, colour: bool) -> String {
    let pen = Pen { colour };
    let store = if run.cold { "cold (an image was pulled)" } else { "warm" };
    let wall = duration(ms_between(results.started, results.finished));
    let heading = format!("{} of {}: {wall}, {store}", run.run, run.recipe);
    let mut out = format!("{}, {}\n", pen.bold(&heading), attributed(&run.group, pen));
    let columns = ["phase", "whose", "total", "share", "up to here"];
    out.push_str(&table(&columns, run.group.phases.iter().map(|it| row(it, false)).collect(), pen));
    for gap in &run.gaps {
        out.push_str(&format!("  in no phase: {} {}\n", duration(gap.ms), between(gap)));
    }
    out
}

/// `attributed 99.1 %`; less than [`ATTRIBUTED`] is a warning.
fn attributed(group: &Group, pen: Pen) -> String {
    let said = format!("attributed {}", group.attributed);
    if !group.is_unexplained() {
        return said;
    }
    let missing = duration(group.wall_ms - group.attributed_ms);
    pen.in_class("infra", &format!("! {said}, less than {ATTRIBUTED}: {missing} are in no phase"))
}

fn between(gap: &Gap) -> String {
    let name = |phase: &Option<String>| phase.as_deref().map(clean::line);
    match (name(&gap.after), name(&gap.before)) {
        (Some(after), Some(before)) => format!("between {after} and {before}"),
        (None, Some(before)) => format!("before {before}"),
        (Some(after), None) => format!("after {after}"),
        (None, None) => "in the whole run".to_owned(),
    }
}

fn row(phase: &Phase, many: bool) -> Vec<String> {
    let name = clean::line(&phase.phase);
    let name = if name.chars().count() <= NAME { name } else { name.chars().take(NAME - 1).chain(['…']).collect() };
    let mut row = vec![name, words::whose(phase.by).to_owned()];
    row.extend(many.then(|| phase.runs.to_string()));
    row.extend([duration(phase.total_ms), phase.share.to_string(), phase.cumulated.to_string()]);
    row.extend([phase.median_ms, phase.p95_ms].into_iter().filter(|_| many).map(duration));
    row
}

/// The first two columns begin at the left, the others end at the right.
fn table(columns: &[&str], rows: Vec<Vec<String>>, pen: Pen) -> String {
    let heading: Vec<String> = columns.iter().map(|name| (*name).to_owned()).collect();
    let all: Vec<Vec<String>> = [heading].into_iter().chain(rows).collect();
    let width = |column: usize| all.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let widths: Vec<usize> = (0..columns.len()).map(width).collect();
    let mut out = String::new();
    for (nth, row) in all.iter().enumerate() {
        let cells = row.iter().zip(&widths).enumerate().map(|(column, (cell, width))| {
            if column < 2 { format!("{cell:<width$}") } else { format!("{cell:>width$}") }
        });
        let line = cells.collect::<Vec<_>>().join("  ");
        let line = line.trim_end();
        out.push_str(&format!("  {}\n", if nth == 0 { pen.in_class("none", line) } else { line.to_owned() }));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{Store, conclude, samples};

    fn looked(runs: &[Results]) -> Looked {
        let mut collected = Collected::default();
        runs.iter().for_each(|run| collected.add(run));
        Looked { runs: runs.len(), recipe: Some("good".into()), unreadable: 1, pareto: collected.pareto() }
    }

    fn runs() -> Vec<Results> {
        let cold = conclude(samples::good());
        let mut warm = cold.clone();
        warm.pulls[0].store = Store::Warm;
        warm.timings.retain(|timing| timing.phase != "converge");
        vec![cold.clone(), warm, cold]
    }

    #[test]
    fn s83_cold_and_warm_stand_apart() {
        insta::assert_snapshot!("many", many(&looked(&runs()), false));
        assert_eq!(many(&looked(&[]), false), "there are no results of runs of good to look at\n");
    }

    #[test]
    fn of_one_run_the_gaps_are_told_too() {
        let said: Vec<_> = runs()[..2].iter().map(|run| one(&One::of(run), run, false)).collect();
        insta::assert_snapshot!("one", said.join("---\n"));
    }

    #[test]
    fn colour_changes_no_character() {
        let looked = looked(&runs());
        assert_eq!(strip_ansi_escapes::strip_str(many(&looked, true)), many(&looked, false));
    }

    #[test]
    fn a_program_gets_one_object() {
        let value: serde_json::Value = serde_json::from_str(&json(&looked(&runs())).unwrap()).unwrap();
        assert_eq!((&value["runs"], &value["cold"]["runs"], &value["warm"]["runs"]), (&3.into(), &2.into(), &1.into()));
        assert_eq!(value["cold"]["phases"][0]["phase"], "converge");
        assert_eq!(value["cold"]["phases"][0]["by"], "app");
        let value: serde_json::Value = serde_json::from_str(&json(&One::of(&runs()[1])).unwrap()).unwrap();
        assert_eq!((&value["cold"], &value["gaps"][0]["after"]), (&false.into(), &"deploy call".into()));
    }
}
