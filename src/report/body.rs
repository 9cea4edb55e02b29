//! The body of a report in two pieces, for `report.html` and for the service's page of a run: first what a person must know, then
//! what it rests on. Bounded, so that a page stays light whatever a run found; what is left out is said.

use askama::Template;
use jiff::Timestamp;

use super::clean;
use super::fold::{self, Log};
use super::timeline;
use super::words::{self, Shown};
use crate::domain::finding::Finding;
use crate::domain::log::Record;
use crate::domain::results::{LintLine, Results, Severity, duration, ms_between, size};
use crate::domain::stage::Rung;
use crate::domain::verdict::{Verdict, deciding};

/// How much is shown.
#[derive(Debug, Clone, Copy)]
pub struct Limits {
    /// Lines of one piece of evidence, the last ones.
    pub evidence_lines: usize,
    /// Characters of one piece of evidence.
    pub evidence_characters: usize,
    /// Findings.
    pub findings: usize,
    /// Lint lines.
    pub lint: usize,
    /// Claims, warnings and images, of each.
    pub lines: usize,
    /// Characters of one sentence.
    pub sentence: usize,
    /// Rows of the picture of time.
    pub phases: usize,
    /// Of one source of the log, the last lines.
    pub log_lines: usize,
    /// Characters of the log.
    pub log_characters: usize,
    /// Sources of the log; those with deciding lines are shown in any case.
    pub log_sources: usize,
    /// Characters of one line of the log.
    pub log_line: usize,
    /// Lines shown around a deciding line, where the rest is folded.
    pub around: usize,
    /// Deciding lines whose surroundings are shown: so many from the first and so many from the last.
    pub deciding: usize,
}

impl Limits {
    /// A file that somebody opens from a disk.
    pub const FILE: Self = Self {
        evidence_lines: 200,
        evidence_characters: 200_000,
        findings: 100,
        lint: 200,
        lines: 500,
        sentence: 1_000,
        phases: 40,
        log_lines: 2_000,
        log_characters: 3_000_000,
        log_sources: 50,
        log_line: 1_100,
        around: 12,
        deciding: 10,
    };
    /// A page that is light.
    pub const PAGE: Self = Self {
        evidence_lines: 40,
        evidence_characters: 3_000,
        findings: 6,
        lint: 12,
        lines: 20,
        sentence: 400,
        phases: 24,
        log_lines: 60,
        log_characters: 9_000,
        log_sources: 8,
        log_line: 300,
        around: 8,
        deciding: 2,
    };
    /// A page that would have been too heavy with more.
    pub const SCANT: Self = Self {
        evidence_lines: 8,
        evidence_characters: 400,
        findings: 2,
        lint: 2,
        lines: 5,
        sentence: 140,
        phases: 8,
        log_lines: 0,
        log_characters: 0,
        log_sources: 2,
        log_line: 100,
        around: 1,
        deciding: 1,
    };
}

/// Where the files of the run are, as links.
#[derive(Debug, Clone)]
pub struct Files {
    /// What stands before each file's name: nothing, or a path that ends with a slash.
    pub folder: String,
    /// The whole log.
    pub log: String,
    /// What that is called.
    pub log_is: &'static str,
    /// Whether the log, the report and the evidence are still there.
    pub are_kept: bool,
    /// Whether the results are signed; those of older versions are not.
    pub are_signed: bool,
    /// Where the keys are that sign results; `None`: it is not known here.
    pub signers: Option<String>,
}

impl Files {
    /// Beside each other in a folder.
    #[must_use]
    pub fn beside() -> Self {
        Self {
            folder: String::new(),
            log: "log.jsonl".into(),
            log_is: "log.jsonl",
            are_kept: true,
            are_signed: true,
            signers: None,
        }
    }

    /// The link to `results.json`.
    #[must_use]
    pub fn results(&self) -> String {
        format!("{}results.json", self.folder)
    }
}

/// A log, or what was read of it: each line with its number in `log.jsonl`.
#[derive(Debug, Clone, Default)]
pub struct Excerpt {
    /// Lines with their numbers, from 1.
    pub lines: Vec<(usize, Record)>,
    /// Lines in the whole log.
    pub all: usize,
}

impl Excerpt {
    /// A log that is small enough to be shown from a copy.
    #[must_use]
    pub fn whole(log: &[Record]) -> Self {
        Self { all: log.len(), lines: log.iter().enumerate().map(|(at, record)| (at + 1, record.clone())).collect() }
    }
}

/// The body in two pieces of HTML.
#[derive(Debug, Clone)]
pub struct Body {
    /// The verdict, whose fault, what to do, the rungs, and how to do the same at home.
    pub head: String,
    /// What that rests on.
    pub evidence: String,
}

#[derive(Template)]
#[template(path = "report_head.html", whitespace = "minimize")]
struct Head<'a> {
    results: &'a Results,
    verdict: Shown,
    sentence: String,
    took: String,
    finished: String,
    cause: Option<&'a Finding>,
    fault: &'static str,
    no_cause: &'static str,
    rungs: Vec<RungShown>,
    command: String,
    first_hit: Option<usize>,
}

#[derive(Template)]
#[template(path = "report_evidence.html", whitespace = "minimize")]
struct Evidence<'a> {
    results: &'a Results,
    limits: Limits,
    files: &'a Files,
    findings: Vec<FindingShown<'a>>,
    findings_left_out: usize,
    picture: Option<String>,
    log: Log,
    open_source: &'static str,
    lint: Vec<LintGroup>,
    images: Vec<ImageShown>,
    /// The bytes of all images.
    images_take: Option<String>,
    kept: Vec<FileShown>,
    check: String,
    base: String,
}

impl Evidence<'_> {
    /// Sentences, bounded.
    fn some(&self, all: &[String]) -> Vec<String> {
        let mut some: Vec<_> =
            all.iter().take(self.limits.lines).map(|line| short(line, self.limits.sentence)).collect();
        if all.len() > some.len() {
            some.push(format!("and {} more", all.len() - some.len()));
        }
        some
    }

    fn lint_left_out(&self) -> usize {
        self.results.lint.len() - self.lint.iter().map(|group| group.lines.len()).sum::<usize>()
    }
}

struct RungShown {
    name: &'static str,
    shown: Shown,
    reason: String,
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

/// Lint lines that belong together: what is new, what was there already.
struct LintGroup {
    heading: String,
    lines: Vec<LintShown>,
}

struct LintShown {
    error: bool,
    place: String,
    rule: String,
    text: String,
    advice: String,
    why: String,
}

struct ImageShown {
    service: String,
    image: String,
    digest: Option<String>,
    pulled: Option<String>,
    /// Peak memory, and the limit where there is one.
    memory: Option<String>,
}

/// A file that `results.json` vouches for.
struct FileShown {
    name: String,
    size: String,
    sha256: String,
    is: &'static str,
}

/// A piece of a sentence: what stands between backticks is code.
#[derive(Debug, Clone)]
pub struct Part {
    /// Whether it is code.
    pub code: bool,
    /// The text.
    pub text: String,
}

/// Splits a sentence at its backticks; one without a partner stays as it is.
#[must_use]
pub fn parts(sentence: &str) -> Vec<Part> {
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

/// The body of a run's report.
///
/// # Errors
/// When a template cannot be rendered, which would be a mistake in it.
pub fn body(results: &Results, log: &Excerpt, limits: Limits, files: &Files) -> Result<Body, askama::Error> {
    let cause = deciding(&results.findings);
    let log = fold::fold(log, cause, results.started, limits);
    let head = Head {
        results,
        verdict: words::verdict(results.verdict),
        sentence: short(words::bare_sentence(results), limits.sentence),
        took: duration(ms_between(results.started, results.finished)),
        finished: utc(results.finished),
        cause,
        fault: cause.map_or("", |finding| words::fault(finding.class)),
        no_cause: words::no_cause(results.verdict),
        rungs: rungs(results, limits),
        command: clean::line(&words::command(results)),
        first_hit: log.first_hit,
    };
    let findings = findings(results, cause, limits);
    let evidence = Evidence {
        results,
        limits,
        files,
        findings_left_out: results.findings.len() - findings.len(),
        findings,
        picture: timeline::timeline(&timeline::Times::of(results), limits.phases)
            .map(|picture| timeline::drawn(&picture, &files.results()))
            .transpose()?,
        // Where no line decides, what cc-ci itself said explains most.
        open_source: if log.first_hit.is_none() && results.verdict != Verdict::Green { "cc-ci" } else { "" },
        log,
        lint: lint(results, limits),
        images: images(results, limits),
        images_take: results.resources.image_bytes.map(size),
        kept: kept(results),
        check: check(files),
        base: short(&clean::line(&words::base(results)), limits.sentence),
    };
    Ok(Body { head: head.render()?, evidence: evidence.render()? })
}

/// An instant as it is read without a script, which could turn it into local time: it says that it is UTC.
pub(super) fn utc(at: Timestamp) -> String {
    at.strftime("%Y-%m-%d %H:%M:%S UTC").to_string()
}

pub(super) fn short(text: &str, most: usize) -> String {
    if text.chars().count() <= most { text.to_owned() } else { text.chars().take(most).chain(['…']).collect() }
}

fn rungs(results: &Results, limits: Limits) -> Vec<RungShown> {
    let shown = Rung::ALL.into_iter().map(|rung| {
        let result = results.rungs.of(rung);
        RungShown {
            name: words::heading(rung),
            shown: words::rung(result.state),
            reason: short(&result.reason, limits.sentence),
        }
    });
    shown.collect()
}

/// All findings, the deciding one first.
fn findings<'a>(results: &'a Results, cause: Option<&'a Finding>, limits: Limits) -> Vec<FindingShown<'a>> {
    let mut first = true;
    let mut shown: Vec<_> = results
        .findings
        .iter()
        .map(|of| {
            let decides = first && cause == Some(of);
            first &= !decides;
            let evidence = of.evidence.iter().map(|evidence| {
                let (text, left_out) = bounded(&evidence.text, limits);
                EvidenceShown { what: short(&clean::line(&evidence.what), 120), text, left_out }
            });
            let evidence = evidence.collect();
            let fault = words::fault(of.class);
            FindingShown {
                of,
                sentence: short(&of.sentence, limits.sentence),
                decides,
                fault,
                at: utc(of.at),
                evidence,
            }
        })
        .collect();
    shown.sort_by_key(|finding| !finding.decides);
    shown.truncate(limits.findings);
    shown
}

/// The end of a piece of evidence; the second value is how many lines were left out before it.
fn bounded(text: &str, limits: Limits) -> (String, usize) {
    let (lines, before) = clean::lines(text, limits.evidence_lines);
    let mut left = limits.evidence_characters;
    let fits = lines.iter().rev().take_while(|line| {
        let fits = line.len() <= left;
        left = left.saturating_sub(line.len());
        fits
    });
    // The last line is shown in any case.
    let shown = fits.count().max(1).min(lines.len());
    (lines[lines.len() - shown..].join("\n"), before + lines.len() - shown)
}

/// New ones first; without a base everything is new and needs no heading.
fn lint(results: &Results, limits: Limits) -> Vec<LintGroup> {
    let shown = |line: &LintLine| LintShown {
        error: line.severity == Severity::Error,
        place: clean::line(&line.place()),
        rule: clean::line(&line.rule),
        text: short(&line.text, limits.sentence),
        advice: short(&line.advice, limits.sentence),
        why: short(&line.why, limits.sentence),
    };
    let base = results.recipe.base.as_ref().map(|base| clean::line(&base.label()));
    let mut left = limits.lint;
    let groups = [true, false].map(|new| {
        let mut lines: Vec<_> = results.lint.iter().filter(|line| line.new == new).collect();
        lines.sort_by_key(|line| line.severity);
        lines.truncate(left);
        left -= lines.len();
        let heading = match (&base, new) {
            (Some(base), true) => format!("New since {base}"),
            (Some(base), false) => format!("There already in {base}: they turn nothing red"),
            (None, _) => String::new(),
        };
        LintGroup { heading, lines: lines.into_iter().map(shown).collect() }
    });
    groups.into_iter().filter(|group| !group.lines.is_empty()).collect()
}

/// The images that ran; before a deploy those that it needed.
fn images(results: &Results, limits: Limits) -> Vec<ImageShown> {
    let pull_of = |service: &str| results.pulls.iter().find(|pull| pull.services.iter().any(|name| name == service));
    let ran = results.images.iter().map(|image| ImageShown {
        service: clean::line(&image.service),
        image: clean::line(&image.image),
        digest: image.digest.as_deref().map(clean::line),
        pulled: pull_of(&image.service).map(words::pulled),
        memory: memory(results, &image.service),
    });
    let needed = results.pulls.iter().map(|pull| ImageShown {
        service: clean::line(&pull.services.join(", ")),
        image: clean::line(&pull.image),
        digest: pull.digest.as_deref().map(clean::line),
        pulled: Some(words::pulled(pull)),
        memory: None,
    });
    let needed = needed.take(if results.images.is_empty() { limits.lines } else { 0 });
    ran.take(limits.lines).chain(needed).collect()
}

fn memory(results: &Results, service: &str) -> Option<String> {
    let measured = results.resources.memory.iter().find(|measured| measured.service == service)?;
    let peak = size(measured.peak_bytes);
    Some(match measured.limit_bytes {
        Some(limit) => format!("{peak} of {}", size(limit)),
        None => peak,
    })
}

/// There are few; a name that is none of ours is shown as what it is.
fn kept(results: &Results) -> Vec<FileShown> {
    let shown = results.artefacts.iter().take(20).map(|file| FileShown {
        name: clean::line(&file.name),
        size: size(file.bytes),
        sha256: file.sha256.chars().take(64).collect(),
        is: match file.name.as_str() {
            "log.jsonl" => "every line, whole",
            "evidence.tar.gz" => "tasks, inspects, last log lines, HTTP transcript, inventory before and after",
            _ => "",
        },
    });
    shown.collect()
}

/// The command that checks the signature.
fn check(files: &Files) -> String {
    let signers = files.signers.as_deref().unwrap_or("https://GATE/.well-known/cc-ci/allowed_signers");
    format!("cc-ci verify results.json --allowed-signers {signers}")
}
