//! Earlier runs of a pull request, folded to one line.

use super::RunLink;
use super::escape::sentence;
use super::words::{run, run_first, verdict};
use crate::domain::ids::CommitSha;
use crate::domain::verdict::Verdict;

/// More runs than this are on the pages only.
const MOST: usize = 5;

/// A run that has ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Earlier {
    /// The run.
    pub run: RunLink,
    /// Its commit.
    pub head: CommitSha,
    /// Its verdict.
    pub verdict: Verdict,
    /// Its verdict in one sentence; outside text may be in it.
    pub sentence: String,
}

/// One line that opens; nothing when there was no earlier run. The line is HTML, where backticks mean nothing, and holds no
/// text from outside.
pub(super) fn folded(runs: &[Earlier]) -> String {
    if runs.is_empty() {
        return String::new();
    }
    let shown = &runs[..runs.len().min(MOST)];
    let short = |it: &Earlier| {
        let (glyph, word) = verdict(it.verdict);
        format!("run {} {glyph} {word} (<code>{}</code>)", it.run.number, it.head.short())
    };
    let summary = shown.iter().map(short).collect::<Vec<_>>().join(", ");
    let more = if runs.len() > MOST { format!(" and {} more", runs.len() - MOST) } else { String::new() };
    let lines: String = shown.iter().map(|it| format!("- {}\n", line(it))).collect();
    format!("\n<details><summary>Earlier: {summary}{more}</summary>\n\n{lines}\n</details>\n")
}

fn line(it: &Earlier) -> String {
    let (glyph, word) = verdict(it.verdict);
    let said = sentence(it.sentence.strip_prefix("not judged: ").unwrap_or(&it.sentence), 240);
    format!("{} of `{}`: {glyph} {word}: {said}", run_first(&it.run), it.head.short())
}

/// What stays of an older comment.
pub(super) fn replaced(it: &Earlier, newer: &RunLink) -> String {
    let (glyph, word) = verdict(it.verdict);
    format!("{} of `{}`: {glyph} {word}. Newer: {}.\n", run_first(&it.run), it.head.short(), run(newer))
}
