//! Words and glyphs of states, and of time to come.

use super::escape::link;
use super::{Ahead, RunLink};
use crate::domain::finding::Class;
use crate::domain::results::{count, duration};
use crate::domain::stage::RungState;
use crate::domain::verdict::Verdict;

/// A verdict as glyph and word.
pub(super) const fn verdict(verdict: Verdict) -> (&'static str, &'static str) {
    match verdict {
        Verdict::Green => ("✓", "green"),
        Verdict::Red => ("✕", "red"),
        Verdict::NotJudged => ("!", "not judged"),
    }
}

/// A rung's state as a cell of the table.
pub(super) const fn rung(state: RungState) -> &'static str {
    match state {
        RungState::Pass => "✓ pass",
        RungState::Fail => "**✕ fail**",
        RungState::NotApplicable => "– not applicable",
        RungState::NotVerified => "○ not verified",
    }
}

/// Whose fault a cause is, as far as one run can tell.
pub(super) const fn fault(class: Class) -> &'static str {
    match class {
        Class::Recipe => "The cause is in the recipe.",
        Class::Infra => "Not the recipe's fault: the test infrastructure's.",
        Class::Tests => "Not the recipe's fault: the tests file's.",
        Class::Unknown => "One run cannot tell whose fault it is.",
    }
}

/// `run 230`, as a link.
pub(super) fn run(run: &RunLink) -> String {
    link(&format!("run {}", run.number), &run.url)
}

/// The same at the beginning of a sentence.
pub(super) fn run_first(run: &RunLink) -> String {
    link(&format!("Run {}", run.number), &run.url)
}

/// `immich, backup, 3 min 10 s; usually 6 min`.
pub(super) fn ahead(ahead: &Ahead) -> String {
    let mut said = ahead.recipe.to_string();
    if let Some(stage) = ahead.stage {
        said.push_str(&format!(", {}, {}", stage.name(), duration(ahead.elapsed_ms)));
    }
    if let Some(usual) = ahead.usually_ms {
        said.push_str(&format!("; usually {}", duration(rounded(usual))));
    }
    said
}

/// When something starts: never more exact than it is known.
pub(super) fn about(ms: u64) -> String {
    let minutes = ms.div_ceil(60_000);
    match minutes {
        0 | 1 => "in less than a minute".to_owned(),
        2..60 => format!("in about {minutes} min"),
        60..1440 => {
            let tens = minutes.div_ceil(10) * 10;
            let rest = if tens.is_multiple_of(60) { String::new() } else { format!(" {} min", tens % 60) };
            format!("in about {} h{rest}", tens / 60)
        }
        _ => "in more than a day".to_owned(),
    }
}

/// A usual length, to the minute once it is longer than one.
pub(super) const fn rounded(ms: u64) -> u64 {
    if ms < 60_000 { ms } else { ms.saturating_add(30_000) / 60_000 * 60_000 }
}

/// `3 commits behind`.
pub(super) fn commits(number: u32) -> String {
    count(usize::try_from(number).unwrap_or(usize::MAX), "commit", "commits")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn time_to_come_is_rounded() {
        let said = [0, 59_000, 61_000, 170_000, 3_500_000, 3_600_000, 3_660_000, 7_100_000, u64::MAX].map(about);
        let expected = [
            "in less than a minute",
            "in less than a minute",
            "in about 2 min",
            "in about 3 min",
            "in about 59 min",
            "in about 1 h",
            "in about 1 h 10 min",
            "in about 2 h",
            "in more than a day",
        ];
        assert_eq!(said, expected);
        assert_eq!(duration(rounded(374_000)), "6 min");
    }
}
