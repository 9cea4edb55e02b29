//! The verdict: what a maintainer on a phone needs in five seconds, and below it what that rests on.

use super::escape::{block, code, link, plain, sentence, text};
use super::words::{commits, fault, run, run_first, rung, verdict};
use super::{RunLink, Subject};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::guilt::Guilt;
use crate::domain::results::{LintLine, Results, duration};
use crate::domain::stage::Rung;
use crate::domain::verdict::{Verdict, deciding};

/// Characters of a sentence.
const SENTENCE: usize = 400;
/// Characters of a headline.
const HEADLINE: usize = 200;
/// Characters of a line in a list.
const LINE: usize = 240;

/// A run with results.
#[derive(Debug, Clone, PartialEq)]
pub struct Judged {
    /// What it was about.
    pub subject: Subject,
    /// Its results.
    pub results: Results,
    /// The address of the log line that shows the cause.
    pub cause_url: Option<String>,
    /// How far the head is behind the branch that it wants to go to.
    pub behind: Option<Behind>,
    /// The first try, when this is the second.
    pub first_try: Option<RunLink>,
    /// Whether a run that was not judged is tried once more by itself.
    pub again: bool,
}

/// How far a head is behind a branch.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Behind {
    /// Commits of the branch that the head does not have.
    pub commits: u32,
    /// The branch, untrusted.
    pub branch: String,
}

pub(super) fn said(judged: &Judged, details: bool) -> String {
    let results = &judged.results;
    let (head, rest) = headline(judged);
    let mut said = format!("{head}\n");
    let paragraph = [rest, judged_by(judged)].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>().join(" ");
    if !paragraph.is_empty() {
        said.push_str(&format!("\n{paragraph}\n"));
    }
    said.push_str(&table(results));
    if details {
        said.push_str(&lists(results));
        said.push_str(&evidence(results));
    }
    for note in notes(judged) {
        said.push_str(&format!("\n{note}\n"));
    }
    said.push_str(&format!("\n{}\n", links(judged)));
    said
}

/// `### ✕ notes 2.1.0 is red: what happened`, and the rest of the sentence for the paragraph below it.
fn headline(judged: &Judged) -> (String, String) {
    let results = &judged.results;
    let (glyph, word) = verdict(results.verdict);
    let label = results.recipe.head.label();
    let subject = format!("{} {label} ", results.recipe.name);
    let bare = results.sentence.strip_prefix("not judged: ").unwrap_or(&results.sentence);
    // A green sentence names its subject itself.
    let (short, rest) = split(bare.strip_prefix(&subject).unwrap_or(bare));
    let short = if bare.starts_with(&subject) { format!("it {short}") } else { short };
    let flake = results.findings.iter().any(|finding| finding.kind == FindingKind::Flake);
    let tries = if flake && results.verdict == Verdict::Green { " on the second try" } else { "" };
    let options = code(&judged.subject.options.to_string(), 200);
    let options = if options.is_empty() { options } else { format!(" ({options})") };
    let cause = if short.is_empty() { String::new() } else { format!(": {}", sentence(&short, HEADLINE)) };
    let recipe = text(results.recipe.name.as_str(), 64);
    let power = if results.host_power.is_some() { " with host power" } else { "" };
    let head = format!("### {glyph} {recipe} {}{options}{power} is {word}{tries}{cause}", code(&label, 80));
    // What did not fit stands below as a whole.
    let rest = if short.chars().count() > HEADLINE { bare.to_owned() } else { rest };
    let said = sentence(&capital(rest.trim_end_matches('.')), SENTENCE);
    let shown = judged.cause_url.as_ref().map(|url| format!("({})", link("log line", url)));
    let rest = [said, shown.unwrap_or_default()].into_iter().filter(|part| !part.is_empty()).collect::<Vec<_>>();
    (head, if rest.is_empty() { String::new() } else { format!("{}.", rest.join(" ")) })
}

/// A sentence up to its first colon outside backticks, and what comes after it.
fn split(sentence: &str) -> (String, String) {
    let line = plain(sentence, SENTENCE);
    let mut in_code = false;
    for (at, c) in line.char_indices() {
        in_code ^= c == '`';
        if c == ':' && !in_code && line[at..].starts_with(": ") {
            return (line[..at].to_owned(), line[at + 2..].to_owned());
        }
    }
    (line, String::new())
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    chars.next().map_or_else(String::new, |first| format!("{}{}", first.to_uppercase(), chars.as_str()))
}

/// Whose fault it is, and what to do.
fn judged_by(judged: &Judged) -> String {
    let cause = deciding(&judged.results.findings).map(|finding| {
        let advice = sentence(&finding.advice, SENTENCE);
        let advice = if advice.is_empty() { advice } else { format!(" *{advice}*") };
        let guilt = match judged.results.guilt {
            Some(Guilt::ThisChange) => " It is this change: the base passed the same.",
            Some(Guilt::NotThisChange) => " It is not this change: the base fails the same way.",
            None => "",
        };
        format!("{}{guilt}{advice}", fault(finding.class))
    });
    let next = match (judged.results.verdict, judged.again) {
        (Verdict::NotJudged, true) => "It is tried once more by itself.",
        (Verdict::NotJudged, false) => "`!testme retry` tries it again.",
        (Verdict::Green | Verdict::Red, _) => "",
    };
    cause.into_iter().chain((!next.is_empty()).then(|| next.to_owned())).collect::<Vec<_>>().join(" ")
}

fn table(results: &Results) -> String {
    let names = Rung::ALL.map(Rung::name).join(" | ");
    let states = Rung::ALL.map(|of| rung(results.rungs.of(of).state)).join(" | ");
    format!("\n| {names} |\n|{}\n| {states} |\n", ":-:|".repeat(Rung::ALL.len()))
}

fn lists(results: &Results) -> String {
    let mut said = "\n<details><summary>Verified and not verified</summary>\n".to_owned();
    said.push_str(&list("Verified", results.verified.iter().map(String::as_str), 12));
    said.push_str(&list("Not verified", results.not_verified.iter().map(String::as_str), 12));
    let cause = deciding(&results.findings);
    let others = results.findings.iter().filter(|finding| Some(*finding) != cause);
    said.push_str(&list("Also found", others.map(|finding| finding.sentence.as_str()), 4));
    said.push_str(&lint(results));
    said.push_str(&list("Warnings", results.warnings.iter().map(String::as_str), 4));
    said.push_str("\n</details>\n");
    said
}

/// What lint says, but what is a finding: what is new, then what was there already.
fn lint(results: &Results) -> String {
    let line = |line: &LintLine| format!("`{}`: {}", line.place().replace('`', ""), line.text);
    let of =
        |new: bool| results.lint.iter().filter(move |line| line.new == new && !line.turns_red()).map(line).collect();
    let (new, old): (Vec<String>, Vec<String>) = (of(true), of(false));
    let since = results.recipe.base.as_ref().map(|base| format!(", new since {}", code(&base.label(), 80)));
    let mut said = list(&format!("Lint{}", since.unwrap_or_default()), new.iter().map(String::as_str), 6);
    said.push_str(&list("Lint, there already", old.iter().map(String::as_str), 3));
    said
}

fn list<'a>(heading: &str, lines: impl Iterator<Item = &'a str>, most: usize) -> String {
    let lines: Vec<_> = lines.collect();
    if lines.is_empty() {
        return String::new();
    }
    let mut said = format!("\n{heading}:\n");
    lines.iter().take(most).for_each(|line| said.push_str(&format!("- {}\n", sentence(line, LINE))));
    if lines.len() > most {
        said.push_str(&format!("- and {} more on the run's page\n", lines.len() - most));
    }
    said
}

/// The last lines that the cause rests on.
fn evidence(results: &Results) -> String {
    let of = |finding: &Finding| {
        let shown = finding.evidence.iter().filter(|evidence| !evidence.text.trim().is_empty()).take(2);
        shown.map(|it| format!("\n{}:\n{}", text(&it.what, 100), block(&it.text, 6, 200))).collect::<String>()
    };
    let shown = deciding(&results.findings).map(of).unwrap_or_default();
    if shown.is_empty() {
        return shown;
    }
    format!("<details><summary>What the cause rests on</summary>\n{shown}\n</details>\n")
}

fn notes(judged: &Judged) -> Vec<String> {
    let Judged { subject, results: _, cause_url: _, behind, first_try, again: _ } = judged;
    let mut notes = Vec::new();
    if let Some(now) = &subject.moved_to {
        notes.push(format!(
            "The head of the pull request is `{}` by now; this is about `{}`. `!testme` tests the new one.",
            now.short(),
            subject.head.short()
        ));
    }
    if subject.vouched {
        notes.push(format!("The request vouched for `{}` only.", subject.head.short()));
    }
    if let Some(Behind { commits: number @ 1.., branch }) = behind {
        let (number, branch) = (commits(*number), code(branch, 100));
        notes.push(format!("The head is {number} behind {branch}: the head was tested, not the merge."));
    }
    if let Some(first) = first_try {
        notes.push(format!("This was the second try; {} was not judged.", run(first)));
    }
    notes
}

fn links(judged: &Judged) -> String {
    let Judged { subject, results, .. } = judged;
    let took = u64::try_from(results.finished.duration_since(results.started).as_millis()).unwrap_or(0);
    let mut parts = vec![run_first(&subject.run), format!("head `{}`", subject.head.short())];
    parts.push(format!("{} on `{}`", duration(took), results.target.name));
    if let Some(base) = &results.recipe.base {
        let how = if results.deploys.upgrade > 0 { "upgraded from" } else { "compared with" };
        parts.push(format!("{how} {}", code(&base.label(), 80)));
    }
    if let Some(command) = command(results) {
        parts.push(format!("`{command}` runs the same on your machine"));
    }
    parts.join(" · ")
}

/// The same run on one's own machine, where that can be written without quoting anything.
fn command(results: &Results) -> Option<String> {
    let head = &results.recipe.head;
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-~".contains(c);
    let fits = head.source.starts_with("https://") && head.source.len() <= 300 && head.source.chars().all(plain);
    head.commit.as_ref().filter(|_| fits).map(|commit| format!("cc-ci run {}@{commit} --target T", head.source))
}
