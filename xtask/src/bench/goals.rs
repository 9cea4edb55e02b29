//! The figures with a goal: what was wanted, what came of it, and beside what.

use std::fmt::Write as _;

use clap::ValueEnum;
use serde_json::{Map, Value, json};

/// A figure with a goal, or all that the gate needs.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, ValueEnum)]
pub(crate) enum Part {
    /// A crash loop: from the exit that decides to the verdict
    #[value(name = "P1")]
    CrashLoop,
    /// A run of a good recipe, beside the same Docker calls in a shell script
    #[value(name = "P2")]
    Plain,
    /// A whole run of a recipe with a database, beside the same Docker calls in a shell script
    #[value(name = "P4")]
    Ladder,
    /// From the end of a run to the next one's runner
    #[value(name = "P3")]
    NextRun,
    /// Pages with 100,000 runs in the database
    #[value(name = "P6")]
    Pages,
    /// A log of 100 MB
    #[value(name = "P7")]
    Logs,
    /// A decision when 10,000 runs wait
    #[value(name = "P8")]
    Decisions,
    /// The start with 100,000 runs in the database
    #[value(name = "P9")]
    Start,
    /// Memory, image and start, beside Gitea's
    #[value(name = "needs")]
    Needs,
}

impl Part {
    pub(super) const fn name(self) -> &'static str {
        match self {
            Self::CrashLoop => "P1",
            Self::Plain => "P2",
            Self::Ladder => "P4",
            Self::NextRun => "P3",
            Self::Pages => "P6",
            Self::Logs => "P7",
            Self::Decisions => "P8",
            Self::Start => "P9",
            Self::Needs => "needs",
        }
    }

    /// What is measured, its unit, and no more of it than this is wanted.
    const fn goal(self) -> (&'static str, &'static str, f64) {
        match self {
            Self::CrashLoop => ("crash loop: from the deciding exit to the verdict", "s", 2.0),
            Self::Plain => ("a good recipe: `cc-ci run` / `plain.sh`", "ratio", 1.05),
            Self::Ladder => ("every rung, with a database: `cc-ci run` / `ladder.sh`", "ratio", 1.05),
            Self::NextRun => ("from the end of a run to the next one's runner", "s", 0.3),
            Self::Pages => ("a page with 100,000 runs, 50 readers, p99", "ms", 10.0),
            Self::Logs => ("a byte of a log of 100 MB / of 10 MB", "ratio", 1.2),
            Self::Decisions => ("a decision when 10,000 runs wait", "ms", 10.0),
            Self::Start => ("start to ready with 100,000 runs", "s", 0.3),
            Self::Needs => ("", "", f64::INFINITY),
        }
    }
}

/// The figures of one run of the bench.
#[derive(Debug, Default)]
pub(super) struct Goals(Vec<(Part, Value)>);

impl Goals {
    /// Adds a figure; `told` has at least its `value`, and perhaps a `baseline` and a `beside` that says what that is.
    pub(super) fn add(&mut self, part: Part, mut told: Value) {
        let (_, unit, goal) = part.goal();
        told["unit"] = json!(unit);
        told["goal"] = json!(goal);
        told["met"] = json!(is_met(part, &told));
        self.0.push((part, told));
        self.0.sort_by_key(|(part, _)| *part);
    }

    /// By their names.
    pub(super) fn json(&self) -> Map<String, Value> {
        self.0.iter().map(|(part, told)| (part.name().to_owned(), told.clone())).collect()
    }

    /// A table, and a sentence for what is missed.
    pub(super) fn table(&self) -> String {
        let mut table = "| | | goal | | beside |\n|---|---|---|---|---|\n".to_owned();
        for (part, told) in &self.0 {
            let (what, unit, goal) = part.goal();
            let met = if is_met(*part, told) { "met" } else { "**missed**" };
            let beside = told["beside"].as_str().unwrap_or_default();
            let _infallible = writeln!(
                table,
                "| {} | {what} | ≤ {} | {}, {met} | {beside} |",
                part.name(),
                with_unit(goal, unit),
                with_unit(told["value"].as_f64().unwrap_or(f64::NAN), unit),
            );
        }
        table
    }
}

/// P6 has a second goal: a page is light.
fn is_met(part: Part, told: &Value) -> bool {
    let light = part != Part::Pages || told["bytes"].as_u64().is_none_or(|bytes| bytes <= 60_000);
    light && told["value"].as_f64().is_some_and(|value| value <= part.goal().2)
}

fn with_unit(value: f64, unit: &str) -> String {
    match unit {
        "s" => format!("{value:.2} s"),
        "ms" => format!("{value:.1} ms"),
        _ => format!("{value:.2}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goal_is_met_or_missed_beside_its_baseline() {
        let mut goals = Goals::default();
        goals.add(Part::Pages, json!({ "value": 4.2, "bytes": 70_000 }));
        goals.add(Part::CrashLoop, json!({ "value": 1.4, "beside": "two loopers 1.50 s" }));
        goals.add(Part::Plain, json!({ "value": 1.2 }));
        let table = goals.table();
        assert!(table.contains("| P1 | crash loop: from the deciding exit to the verdict | ≤ 2.00 s | 1.40 s, met | two loopers 1.50 s |"), "{table}");
        assert!(table.contains("| ≤ 1.05 | 1.20, **missed** |"), "{table}");
        assert!(table.contains("| ≤ 10.0 ms | 4.2 ms, **missed** |"), "a heavy page: {table}");
        let json = goals.json();
        assert_eq!(
            (&json["P1"]["value"], &json["P1"]["unit"], &json["P1"]["met"]),
            (&json!(1.4), &json!("s"), &json!(true))
        );
    }
}
