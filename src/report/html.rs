//! `report.html`: one file that needs nothing else, works without JavaScript and from a disk.
//!
//! The page forbids itself every script and every request (Content-Security-Policy in its head), so that even a mistake
//! in escaping could not act.

use askama::Template;
use jiff::Timestamp;

use super::clean;
use super::fold::{self, Log};
use super::timeline::{self, Timeline};
use super::words::{self, Shown};
use crate::domain::finding::Finding;
use crate::domain::log::Record;
use crate::domain::results::{Results, Severity, duration};
use crate::domain::stage::Rung;
use crate::domain::verdict::{Verdict, deciding};

/// Of one piece of evidence at most so many lines stand on the page, the last ones.
const EVIDENCE_LINES: usize = 200;
/// More lint lines than this are not shown.
const LINT_LINES: usize = 200;

/// The page.
#[derive(Template)]
#[template(path = "report.html", whitespace = "minimize")]
struct Page<'a> {
    results: &'a Results,
    verdict: Shown,
    label: String,
    sentence: &'a str,
    took: String,
    started: String,
    finished: String,
    cause: Option<&'a Finding>,
    fault: &'static str,
    no_cause: &'static str,
    rungs: Vec<RungShown<'a>>,
    command: String,
    findings: Vec<FindingShown<'a>>,
    timeline: Option<Timeline>,
    log: Log,
    open_source: &'static str,
    lint: Vec<LintShown>,
    images: Vec<ImageShown>,
    version: &'static str,
}

struct RungShown<'a> {
    name: &'static str,
    shown: Shown,
    reason: &'a str,
}

struct FindingShown<'a> {
    of: &'a Finding,
    sentence: String,
    decides: bool,
    fault: &'static str,
    at: String,
    evidence: Vec<EvidenceShown>,
}

struct EvidenceShown {
    what: String,
    text: String,
    left_out: usize,
}

struct LintShown {
    error: bool,
    place: String,
    rule: String,
    text: String,
    advice: String,
}

struct ImageShown {
    service: String,
    image: String,
    digest: Option<String>,
}

/// A piece of a sentence: what stands between backticks is code.
pub(super) struct Part {
    code: bool,
    text: String,
}

/// Splits a sentence at its backticks; one without a partner stays as it is.
pub(super) fn parts(sentence: &str) -> Vec<Part> {
    let clean = clean::line(sentence);
    let mut pieces: Vec<String> = clean.split('`').map(str::to_owned).collect();
    if pieces.len().is_multiple_of(2) {
        let last = pieces.pop().unwrap_or_default();
        if let Some(before) = pieces.last_mut() {
            before.push('`');
            before.push_str(&last);
        }
    }
    let parts = pieces.into_iter().enumerate().map(|(nth, text)| Part { code: nth % 2 == 1, text });
    parts.filter(|part| !part.text.is_empty()).collect()
}

/// The report of a run as one self-contained HTML file. It lies beside `results.json` and `log.jsonl` and links to them.
///
/// # Errors
/// When the template cannot be rendered, which would be a mistake in it.
pub fn html(results: &Results, log: &[Record]) -> Result<String, askama::Error> {
    let cause = deciding(&results.findings);
    let log = fold::fold(log, cause, results.started);
    // Where no line decides, what cc-ci itself said explains most.
    let open_source = if log.first_hit.is_none() && results.verdict != Verdict::Green { "cc-ci" } else { "" };
    let page = Page {
        results,
        verdict: words::verdict(results.verdict),
        label: results.recipe.head.label(),
        sentence: words::bare_sentence(results),
        took: duration(u64::try_from(results.finished.duration_since(results.started).as_millis()).unwrap_or(0)),
        started: utc(results.started),
        finished: utc(results.finished),
        cause,
        fault: cause.map_or("", |finding| words::fault(finding.class)),
        no_cause: words::no_cause(results.verdict),
        rungs: rungs(results),
        command: clean::line(&words::command(results)),
        findings: findings(results, cause),
        timeline: timeline::timeline(results),
        log,
        open_source,
        lint: lint(results),
        images: images(results),
        version: env!("CARGO_PKG_VERSION"),
    };
    Ok(clean::page(page.render()?))
}

/// An instant as it is read: no script can turn it into local time here, so it says that it is UTC.
fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

fn rungs(results: &Results) -> Vec<RungShown<'_>> {
    let shown = Rung::ALL.into_iter().map(|rung| {
        let result = results.rungs.of(rung);
        RungShown { name: words::heading(rung), shown: words::rung(result.state), reason: &result.reason }
    });
    shown.collect()
}

/// All findings, the deciding one first.
fn findings<'a>(results: &'a Results, cause: Option<&'a Finding>) -> Vec<FindingShown<'a>> {
    let mut first = true;
    let mut shown: Vec<_> = results
        .findings
        .iter()
        .map(|of| {
            let decides = first && cause == Some(of);
            first &= !decides;
            let evidence = of.evidence.iter().map(|evidence| {
                let (lines, left_out) = clean::lines(&evidence.text, EVIDENCE_LINES);
                EvidenceShown { what: clean::line(&evidence.what), text: lines.join("\n"), left_out }
            });
            let evidence = evidence.collect();
            let fault = words::fault(of.class);
            FindingShown { of, sentence: clean::line(&of.sentence), decides, fault, at: utc(of.at), evidence }
        })
        .collect();
    shown.sort_by_key(|finding| !finding.decides);
    shown
}

fn lint(results: &Results) -> Vec<LintShown> {
    let mut lines: Vec<_> = results.lint.iter().collect();
    lines.sort_by_key(|line| line.severity);
    let shown = lines.into_iter().take(LINT_LINES).map(|line| LintShown {
        error: line.severity == Severity::Error,
        place: clean::line(&line.line.map_or_else(|| line.file.clone(), |number| format!("{}:{number}", line.file))),
        rule: clean::line(&line.rule),
        text: line.text.clone(),
        advice: line.advice.clone(),
    });
    shown.collect()
}

fn images(results: &Results) -> Vec<ImageShown> {
    let shown = results.images.iter().map(|image| ImageShown {
        service: clean::line(&image.service),
        image: clean::line(&image.image),
        digest: image.digest.as_deref().map(clean::line),
    });
    shown.collect()
}

#[cfg(test)]
mod tests;
