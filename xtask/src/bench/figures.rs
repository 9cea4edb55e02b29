//! The figures, as a table and as JSON.

use std::fmt;

use serde::Serialize;

/// Everything that was measured in one run.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figures {
    /// The builds of the gate, in the order of each figure's values.
    pub(super) builds: Vec<String>,
    pub(super) figures: Vec<Figure>,
}

/// One thing that was measured of the gate, and of Gitea.
#[derive(Clone, Debug, PartialEq, Serialize)]
pub(super) struct Figure {
    pub(super) what: String,
    pub(super) unit: &'static str,
    /// No more than this is wanted.
    pub(super) goal: Option<f64>,
    pub(super) gate: Vec<f64>,
    pub(super) gitea: Option<f64>,
    /// For each build, why it misses the goal; empty where it does not.
    pub(super) causes: Vec<String>,
}

impl Figure {
    fn met(&self, build: usize) -> Option<bool> {
        Some(*self.gate.get(build)? <= self.goal?)
    }

    fn value(&self, value: f64) -> String {
        if self.unit == "s" { format!("{value:.2} s") } else { format!("{value:.0} {}", self.unit) }
    }
}

impl fmt::Display for Figures {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let gates: Vec<String> = self.builds.iter().map(|build| format!("cc-ci, {build}")).collect();
        writeln!(f, "| | goal | {} | Gitea |", gates.join(" | "))?;
        writeln!(f, "|---|---|{}---|", "---|".repeat(gates.len()))?;
        for figure in &self.figures {
            let goal = figure.goal.map_or_else(String::new, |goal| format!("≤ {}", goal_text(goal, figure.unit)));
            write!(f, "| {} | {goal} |", figure.what)?;
            for (build, value) in figure.gate.iter().enumerate() {
                let met = match figure.met(build) {
                    Some(true) => ", met",
                    Some(false) => ", **missed**",
                    None => "",
                };
                write!(f, " {}{met} |", figure.value(*value))?;
            }
            writeln!(f, " {} |", figure.gitea.map_or_else(String::new, |value| figure.value(value)))?;
        }
        let missed = self.figures.iter().flat_map(|figure| {
            let told = figure.causes.iter().zip(&self.builds).filter(|(cause, _)| !cause.is_empty());
            told.map(|(cause, build)| format!("- {}, {build}: {cause}", figure.what))
        });
        let missed: Vec<String> = missed.collect();
        if !missed.is_empty() {
            writeln!(f, "\nMissed, since:\n\n{}", missed.join("\n"))?;
        }
        Ok(())
    }
}

fn goal_text(goal: f64, unit: &str) -> String {
    if unit == "s" { format!("{goal:.1} s") } else { format!("{goal:.0} {unit}") }
}

/// The middle one; the later of two.
pub(super) fn median(mut values: Vec<f64>) -> f64 {
    values.sort_by(f64::total_cmp);
    values.get(values.len() / 2).copied().unwrap_or(f64::NAN)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_goal_is_met_or_missed_with_its_cause() {
        let figure = |what: &str, unit, goal, gate: [f64; 2], gitea, cause: &str| Figure {
            what: what.to_owned(),
            unit,
            goal,
            gate: gate.to_vec(),
            gitea,
            causes: vec![cause.to_owned(), String::new()],
        };
        let figures = vec![
            figure("memory", "MB", Some(30.0), [41.4, 30.0], Some(150.0), "it is large"),
            figure("start", "s", Some(0.3), [0.123, 0.05], None, ""),
            figure("of it", "MB", None, [10.0, 9.0], Some(100.0), ""),
        ];
        let told = Figures { builds: vec!["dev".to_owned(), "release".to_owned()], figures }.to_string();
        assert!(told.contains("| memory | ≤ 30 MB | 41 MB, **missed** | 30 MB, met | 150 MB |\n"), "{told}");
        assert!(told.contains("| start | ≤ 0.3 s | 0.12 s, met | 0.05 s, met |  |\n"), "{told}");
        assert!(told.contains("| of it |  | 10 MB | 9 MB | 100 MB |\n"), "{told}");
        assert!(told.ends_with("- memory, dev: it is large\n"), "{told}");
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert!((median(vec![3.0, 1.0, 2.0]) - 2.0).abs() < f64::EPSILON);
    }
}
