//! The list as text.

use std::fmt::Write as _;

use super::{Check, Outcome};

/// The list for a terminal, by the gate and by each target; why and what to do where something is not as it should be.
#[must_use]
pub fn told(checks: &[Check]) -> String {
    let mut text = String::new();
    let mut of: Option<&Option<String>> = None;
    for check in checks {
        if of != Some(&check.target) {
            let blank = if of.is_some() { "\n" } else { "" };
            let title = check.target.as_ref().map_or_else(|| "the gate".to_owned(), |name| format!("target {name}"));
            // Writing to a String cannot fail.
            let _written = writeln!(text, "{blank}{title}");
            of = Some(&check.target);
        }
        let _written = writeln!(text, "  {} {:21} {}", check.outcome.sign(), check.matter.name(), check.said);
        if check.outcome != Outcome::Good {
            let _written = writeln!(text, "      why: {}", check.why);
            if let Some(mend) = &check.mend {
                let _written = writeln!(text, "      do:  {mend}");
            }
        }
    }
    let count = |outcome| checks.iter().filter(|check| check.outcome == outcome).count();
    let (good, bad, open) = (count(Outcome::Good), count(Outcome::Bad), count(Outcome::Open));
    let _written = writeln!(text, "\n{good} ✓, {bad} ✕, {open} ○ (not needed, or not looked at)");
    text
}
