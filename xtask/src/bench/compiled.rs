//! The figures that need no lab: `cargo bench` compiles them, and the program, as they are deployed.

use std::fs;

use anyhow::{Context, Result, bail};
use serde_json::Value;

use super::goals::{Goals, Part};
use crate::children::start;
use crate::lab::Places;
use crate::process::cargo;
use crate::steps::say;

/// Which bench tells which figures.
const BENCHES: [(&str, &[Part]); 2] =
    [("queue", &[Part::Decisions]), ("service", &[Part::Pages, Part::Logs, Part::Start])];

/// Measures those of them that are wanted.
pub(super) fn measure(wants: impl Fn(Part) -> bool, places: &Places, goals: &mut Goals) -> Result<()> {
    for (bench, parts) in BENCHES {
        let wanted: Vec<Part> = parts.iter().copied().filter(|part| wants(*part)).collect();
        if wanted.is_empty() {
            continue;
        }
        let file = tempfile::NamedTempFile::new()?;
        let mut command = cargo();
        command.current_dir(&places.checkout).args(["bench", "--quiet", "--package", "cc-ci", "--bench", bench, "--"]);
        command.arg("--json").arg(file.path());
        if parts.len() > 1 {
            let names: Vec<&str> = wanted.iter().map(|part| part.name()).collect();
            command.args(["--only", &names.join(",")]);
        }
        say(format!("cargo bench --bench {bench}"));
        if !start(&mut command)?.wait()?.success() {
            bail!("`cargo bench --bench {bench}` failed");
        }
        let told: Value = serde_json::from_str(&fs::read_to_string(file.path())?)?;
        for part in wanted {
            let mut figure =
                told.get(part.name()).cloned().with_context(|| format!("{bench} did not tell {}", part.name()))?;
            figure["beside"] = beside(part, &figure).into();
            goals.add(part, figure);
        }
    }
    Ok(())
}

/// What the figure is held against, in a few words.
fn beside(part: Part, told: &Value) -> String {
    let number = |name: &str| told[name].as_f64().unwrap_or(f64::NAN);
    match part {
        Part::Pages => format!(
            "with 1,000 runs {:.1} ms, ratio {:.2}; median {:.1} ms; the largest {:.0} bytes",
            number("baseline"),
            number("ratio"),
            number("median"),
            number("bytes")
        ),
        Part::Start => format!("with 1,000 runs {:.2} s, ratio {:.2}", number("baseline"), number("ratio")),
        Part::Logs => format!("written {:.2}, followed {:.2}", number("ingest"), number("follow")),
        Part::Decisions => format!("the worst of all {:.1} ms", number("worst")),
        Part::CrashLoop | Part::Plain | Part::Ladder | Part::NextRun | Part::Needs => String::new(),
    }
}
