//! The summary on a terminal: readable without colour, one screen for an ordinary run.

use crate::domain::finding::Finding;
use crate::domain::results::Results;
use crate::domain::stage::Rung;
use crate::domain::verdict::deciding;

use super::clean;
use super::words::{self, Shown};

/// Of one piece of evidence at most so many lines are printed, the last ones; the report has more.
const EVIDENCE_LINES: usize = 12;

/// The end of a run in words: verdict and sentence, whose fault, what to do, the rungs, what was and was not verified,
/// every finding with its evidence. Ends with a line end. The caller says where the files are and whether `colour` fits.
#[must_use]
pub fn summary(results: &Results, colour: bool) -> String {
    let pen = Pen { colour };
    let shown = words::verdict(results.verdict);
    let state = pen.in_class(shown.class, &format!("{} {}", shown.glyph, shown.word));
    let mut out = format!("{state}: {}\n", clean::line(words::bare_sentence(results)));
    let cause = deciding(&results.findings);
    if let Some(finding) = cause {
        out.push_str(&format!("  {}\n", words::fault(finding.class)));
        out.push_str(&pen.hint(&finding.advice));
    }
    out.push_str(&format!("\n  {}\n", rungs(results, pen)));
    out.push_str(&format!("  base: {}\n", clean::line(&words::base(results))));
    if let Some(images) = words::images(results) {
        out.push_str(&format!("  images: {images}\n"));
    }
    list(&mut out, "Verified", &results.verified, words::verdict(crate::domain::verdict::Verdict::Green), pen);
    let open = words::rung(crate::domain::stage::RungState::NotVerified);
    list(&mut out, "Not verified", &results.not_verified, open, pen);
    list(&mut out, "Warnings", &results.warnings, words::verdict(crate::domain::verdict::Verdict::NotJudged), pen);
    for finding in &results.findings {
        finding_said(&mut out, finding, cause == Some(finding), pen);
    }
    out
}

fn rungs(results: &Results, pen: Pen) -> String {
    let said = Rung::ALL.into_iter().map(|rung| {
        let shown = words::rung(results.rungs.of(rung).state);
        format!("{} {}", rung.name(), pen.in_class(shown.class, &format!("{} {}", shown.glyph, shown.word)))
    });
    format!("{}  (level {} of {})", said.collect::<Vec<_>>().join("  "), results.level, Rung::ALL.len())
}

fn list(out: &mut String, heading: &str, lines: &[String], shown: Shown, pen: Pen) {
    if lines.is_empty() {
        return;
    }
    out.push_str(&format!("\n  {}\n", pen.bold(heading)));
    for line in lines {
        out.push_str(&format!("    {} {}\n", pen.in_class(shown.class, shown.glyph), clean::line(line)));
    }
}

/// The deciding finding's sentence and advice stand at the top already: here its evidence follows.
fn finding_said(out: &mut String, finding: &Finding, decides: bool, pen: Pen) {
    let service =
        finding.service.as_deref().map_or_else(String::new, |name| format!(", service {}", clean::line(name)));
    let what = format!("{} in {}{service}", finding.kind.name(), finding.stage.name());
    if decides {
        out.push_str(&format!("\n  {}\n", pen.bold(&format!("Evidence: {what}"))));
    } else {
        out.push_str(&format!("\n  {}\n", pen.bold(&format!("Also found: {what}"))));
        out.push_str(&format!("    {}\n    {}\n  ", clean::line(&finding.sentence), words::fault(finding.class)));
        out.push_str(&pen.hint(&finding.advice));
    }
    for evidence in &finding.evidence {
        out.push_str(&format!("    {}:\n", clean::line(&evidence.what)));
        let (lines, left_out) = clean::lines(&evidence.text, EVIDENCE_LINES);
        if left_out > 0 {
            out.push_str(&format!("      … {left_out} earlier lines are in the report\n"));
        }
        lines.iter().for_each(|line| out.push_str(&format!("      | {line}\n")));
    }
}

/// Writes with colour or without.
#[derive(Clone, Copy)]
pub(super) struct Pen {
    pub(super) colour: bool,
}

impl Pen {
    fn sgr(self, code: &str, text: &str) -> String {
        if self.colour { format!("\u{1b}[{code}m{text}\u{1b}[0m") } else { text.to_owned() }
    }

    pub(super) fn in_class(self, class: &str, text: &str) -> String {
        let code = match class {
            "pass" => "1;32",
            "fail" => "1;31",
            "infra" => "1;33",
            _ => "2",
        };
        self.sgr(code, text)
    }

    pub(super) fn bold(self, text: &str) -> String {
        self.sgr("1", text)
    }

    pub(super) fn hint(self, advice: &str) -> String {
        format!("  {} {}\n", self.sgr("36", "hint:"), clean::line(advice))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{conclude, samples};

    #[test]
    fn green_red_and_not_judged_read_without_colour() {
        insta::assert_snapshot!("green", summary(&conclude(samples::good()), false));
        insta::assert_snapshot!("red", summary(&conclude(samples::crash_loop()), false));
        insta::assert_snapshot!("not_judged", summary(&conclude(samples::target_lost()), false));
    }

    #[test]
    fn colour_changes_no_character() {
        let results = conclude(samples::crash_loop());
        let coloured = summary(&results, true);
        assert!(coloured.starts_with("\u{1b}[1;31m✕ red\u{1b}[0m: "));
        assert_eq!(strip_ansi_escapes::strip_str(&coloured), summary(&results, false));
    }

    #[test]
    fn outside_text_cannot_write_to_the_terminal() {
        let mut facts = samples::crash_loop();
        facts.findings[0].evidence[0].text = "\u{1b}]0;owned\u{7}\u{1b}[2Jx".repeat(3);
        facts.findings[0].advice = "\u{1b}[8mhidden".into();
        facts.warnings.push("\u{9b}31m\u{202e}".into());
        let said = summary(&conclude(facts), false);
        assert!(!said.contains(|c: char| c.is_control() && c != '\n'), "{said:?}");
    }
}
