//! `junit.xml`: the run for programs that know nothing but JUnit. One suite; a case for the verdict, for each rung and for each
//! finding. It has a failure or an error exactly when the run is not green.

use askama::Template;

use super::clean;
use super::words;
use crate::domain::finding::{Class, Finding};
use crate::domain::results::{Results, ms_between};
use crate::domain::stage::{Rung, RungState};
use crate::domain::verdict::Verdict;

/// Lines of one piece of evidence, the last ones; `results.json` has all.
const EVIDENCE_LINES: usize = 200;
/// Findings; a run has few.
const FINDINGS: usize = 200;

#[derive(Template)]
#[template(path = "junit.xml")]
struct Suite<'a> {
    results: &'a Results,
    label: String,
    sentence: String,
    /// In UTC and without a zone, as readers of JUnit expect it.
    started: String,
    seconds: String,
    cases: Vec<Case>,
}

impl Suite<'_> {
    fn count(&self, kind: &str) -> usize {
        self.cases.iter().filter(|case| case.outcome.as_ref().is_some_and(|outcome| outcome.kind == kind)).count()
    }
}

struct Case {
    class: &'static str,
    name: String,
    seconds: Option<String>,
    /// `None`: it passed.
    outcome: Option<Outcome>,
    /// What was shown, or what a finding rests on.
    said: String,
}

struct Outcome {
    /// The element: `failure`, `error` or `skipped`.
    kind: &'static str,
    message: String,
    /// The type of a failure or error: the finding's kind.
    of: &'static str,
    text: String,
}

/// The run as JUnit XML.
///
/// # Errors
/// When the template cannot be rendered, which would be a mistake in it.
pub fn junit(results: &Results) -> Result<String, askama::Error> {
    let mut cases = vec![verdict(results)];
    cases.extend(Rung::ALL.into_iter().map(|rung| of_rung(results, rung)));
    cases.extend(results.findings.iter().take(FINDINGS).map(|finding| of_finding(results.verdict, finding)));
    let suite = Suite {
        results,
        label: clean::line(&results.recipe.head.label()),
        sentence: clean::line(words::bare_sentence(results)),
        started: results.started.strftime("%Y-%m-%dT%H:%M:%S").to_string(),
        seconds: seconds(results),
        cases,
    };
    let mut text = suite.render()?;
    text.push('\n');
    text.retain(is_of_xml);
    Ok(text)
}

/// What XML 1.0 allows; the rest cannot even be escaped.
const fn is_of_xml(c: char) -> bool {
    matches!(c, '\t' | '\n' | ' '..='\u{7e}' | '\u{a0}'..='\u{fffd}' | '\u{10000}'..='\u{10ffff}')
}

fn seconds(results: &Results) -> String {
    let ms = ms_between(results.started, results.finished);
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

fn verdict(results: &Results) -> Case {
    let outcome = |kind| Outcome {
        kind,
        message: clean::line(words::bare_sentence(results)),
        of: results.verdict.name(),
        text: String::new(),
    };
    Case {
        class: "verdict",
        name: "the run".to_owned(),
        seconds: Some(seconds(results)),
        outcome: match results.verdict {
            Verdict::Green => None,
            Verdict::Red => Some(outcome("failure")),
            Verdict::NotJudged => Some(outcome("error")),
        },
        said: clean::line(words::bare_sentence(results)),
    }
}

fn of_rung(results: &Results, rung: Rung) -> Case {
    let result = results.rungs.of(rung);
    let kind = match result.state {
        RungState::Pass => None,
        RungState::Fail => Some("failure"),
        RungState::NotApplicable | RungState::NotVerified => Some("skipped"),
    };
    let reason = clean::line(&result.reason);
    Case {
        class: "rung",
        name: rung.name().to_owned(),
        seconds: None,
        outcome: kind.map(|kind| Outcome {
            kind,
            message: format!("{}: {reason}", words::rung(result.state).word),
            of: "rung",
            text: String::new(),
        }),
        said: reason,
    }
}

/// What a finding of a green run says is worth knowing and fails nothing.
fn of_finding(verdict: Verdict, finding: &Finding) -> Case {
    let kind = match (verdict, finding.class) {
        (Verdict::Green, _) => None,
        (Verdict::Red | Verdict::NotJudged, Class::Infra | Class::Tests) => Some("error"),
        (Verdict::Red | Verdict::NotJudged, Class::Recipe | Class::Unknown) => Some("failure"),
    };
    let about = finding.service.as_deref().map_or_else(String::new, |service| format!(" ({})", clean::line(service)));
    let sentence = clean::line(&finding.sentence);
    let mut text = vec![sentence.clone(), words::fault(finding.class).to_owned(), clean::line(&finding.advice)];
    for evidence in &finding.evidence {
        let (lines, left_out) = clean::lines(&evidence.text, EVIDENCE_LINES);
        text.push(format!("\n{}:", clean::line(&evidence.what)));
        if left_out > 0 {
            text.push(format!("({left_out} earlier lines are in results.json)"));
        }
        text.extend(lines);
    }
    let text = text.join("\n");
    Case {
        class: "finding",
        name: format!("{} in {}{about}", finding.kind.name(), finding.stage.name()),
        seconds: None,
        outcome: kind.map(|kind| Outcome { kind, message: sentence, of: finding.kind.name(), text: text.clone() }),
        said: text,
    }
}

#[cfg(test)]
mod tests;
