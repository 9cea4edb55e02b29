//! What `cc-ci compare` says: two runs side by side, for a person and for a program.

use super::text::Pen;
use super::{clean, words};
use crate::domain::compare::{
    Comparison, FoundOnly, ImageChange, ImagePair, Kind, LogDifference, Of, OnlyLine, Pair, PhasePair, Seen,
    SettingsDifference, SourceDifference, Told,
};
use crate::domain::results::{Image, count, duration};
use crate::domain::verdict::RungResult;

/// Characters of a value in a column; the page and `--json` have more of it.
const COLUMN: usize = 44;
/// Lines of one source of the log.
const LINES: usize = 40;
/// Characters of one of them.
const LINE: usize = 160;

/// For a program: one object.
///
/// # Errors
/// None that is known: every value can be written.
pub fn json(comparison: &Comparison) -> serde_json::Result<String> {
    serde_json::to_string_pretty(comparison).map(|text| text + "\n")
}

/// For a person: what differs, in columns under the names of the two runs; what is the same is named.
#[must_use]
pub fn text(comparison: &Comparison, names: &Pair<String>, colour: bool) -> String {
    let pen = Pen { colour };
    let names = names.map(|name| clean::line(name));
    let mut out = String::new();
    for of in [Of::This, Of::Other] {
        out.push_str(&verdict(comparison.runs.of(of), names.of(of), pen));
    }
    let mut table = Table::default();
    for fact in comparison.facts.iter().filter(|fact| !fact.same) {
        table.row(fact.name, &fact.values);
    }
    for it in &comparison.rungs {
        let state = |result: &RungResult| {
            let shown = words::rung(result.state);
            format!("{} {}", shown.glyph, shown.word)
        };
        table.row(&format!("rung {}", it.rung.name()), &it.results.map(state));
    }
    out.push_str(&table.said(&names, "differs", &[], pen));
    out.push_str(&same(comparison));
    found(&mut out, comparison, &names, pen);
    images(&mut out, &comparison.images, &names, pen);
    settings(&mut out, comparison.settings.as_ref(), &names, pen);
    times(&mut out, comparison, &names, pen);
    log(&mut out, comparison.log.as_ref(), &names, pen);
    out
}

fn verdict(run: &Told, name: &str, pen: Pen) -> String {
    let shown = words::verdict(run.verdict);
    let state = pen.in_class(shown.class, &format!("{} {}", shown.glyph, shown.word));
    let sentence = run.sentence.strip_prefix("not judged: ").unwrap_or(&run.sentence);
    format!("{} of {}: {state}, level {}: {}\n", pen.bold(name), run.recipe, run.level, clean::line(sentence))
}

/// The names of what does not differ.
fn same(comparison: &Comparison) -> String {
    let names: Vec<_> = comparison.facts.iter().filter(|fact| fact.same).map(|fact| fact.name).collect();
    if names.is_empty() { String::new() } else { format!("  the same: {}\n", names.join(", ")) }
}

/// Rows of a name and what each run has of it, with more behind that where there is more to say.
#[derive(Default)]
struct Table {
    rows: Vec<Vec<String>>,
}

impl Table {
    fn row(&mut self, name: &str, values: &Pair<String>) {
        self.rows.push(vec![short(name, COLUMN), short(&values.this, COLUMN), short(&values.other, COLUMN)]);
    }

    /// The rows under a heading; nothing where there is none.
    fn said(self, names: &Pair<String>, heading: &str, more: &[&str], pen: Pen) -> String {
        if self.rows.is_empty() {
            return String::new();
        }
        let columns = [heading, &names.this, &names.other].into_iter().chain(more.iter().copied());
        let mut rows = vec![columns.map(str::to_owned).collect::<Vec<_>>()];
        rows.extend(self.rows);
        let width = |column: usize| rows.iter().map(|row| length(&row[column])).max().unwrap_or(0);
        let widths: Vec<usize> = (0..rows[0].len()).map(width).collect();
        let mut out = String::from("\n");
        for (nth, row) in rows.iter().enumerate() {
            let cells: Vec<String> = row.iter().zip(&widths).map(|(cell, width)| padded(cell, *width)).collect();
            let line = cells.join("  ");
            let line = if nth == 0 { pen.bold(line.trim_end()) } else { line.trim_end().to_owned() };
            out.push_str(&format!("  {line}\n"));
        }
        out
    }
}

fn length(text: &str) -> usize {
    text.chars().count()
}

fn padded(text: &str, width: usize) -> String {
    format!("{text}{}", " ".repeat(width.saturating_sub(length(text))))
}

fn short(text: &str, most: usize) -> String {
    let text = clean::line(text);
    if length(&text) <= most { text } else { text.chars().take(most - 1).chain(['…']).collect() }
}

fn found(out: &mut String, comparison: &Comparison, names: &Pair<String>, pen: Pen) {
    for of in [Of::This, Of::Other] {
        let findings = comparison.findings.of(of);
        if findings.is_empty() {
            continue;
        }
        out.push_str(&format!("\n  {}\n", pen.bold(&format!("Found only in {}", names.of(of)))));
        for finding in findings {
            out.push_str(&format!("    {}: {}\n", finding_is(finding), clean::line(&finding.sentence)));
        }
    }
}

/// `crash_loop in install, service db`.
#[must_use]
pub fn finding_is(finding: &FoundOnly) -> String {
    let service =
        finding.service.as_deref().map_or_else(String::new, |name| format!(", service {}", clean::line(name)));
    format!("{} in {}{service}", finding.kind.name(), finding.stage.name())
}

/// How an image changed, in words.
#[must_use]
pub const fn image_is(change: ImageChange) -> &'static str {
    match change {
        ImageChange::Renamed => "another image",
        ImageChange::Moved => "the tag moved",
        ImageChange::Added => "added",
        ImageChange::Removed => "removed",
        ImageChange::Unknown => "digest not known",
        ImageChange::Same => "the same",
    }
}

/// An image with the beginning of its digest.
#[must_use]
pub fn image_said(image: Option<&Image>) -> String {
    let Some(image) = image else { return "–".to_owned() };
    let digest =
        image.digest.as_deref().map_or("not resolved", |digest| digest.strip_prefix("sha256:").unwrap_or(digest));
    format!("{} ({})", clean::line(&image.image), digest.chars().take(12).collect::<String>())
}

fn images(out: &mut String, images: &[ImagePair], names: &Pair<String>, pen: Pen) {
    let mut table = Table::default();
    for pair in images.iter().filter(|pair| pair.change != ImageChange::Same) {
        let name = format!("{} ({})", pair.service, image_is(pair.change));
        table.row(&name, &pair.images.map(|image| image_said(image.as_ref())));
    }
    out.push_str(&table.said(names, "images", &[], pen));
    out.push_str(&images_same(images).map_or_else(String::new, |said| format!("  the same: {said}\n")));
}

/// The services whose images are the same, where there are some.
#[must_use]
pub fn images_same(images: &[ImagePair]) -> Option<String> {
    let same = images.iter().filter(|pair| pair.change == ImageChange::Same);
    let same: Vec<_> = same.map(|pair| clean::line(&pair.service)).collect();
    (!same.is_empty()).then(|| format!("the image of {}", same.join(", ")))
}

/// A setting's value.
#[must_use]
pub fn seen(value: &Seen) -> String {
    match value {
        Seen::NotSet => "not set".to_owned(),
        Seen::Hidden => "set, not shown".to_owned(),
        Seen::Value(text) if text.is_empty() => "empty".to_owned(),
        Seen::Value(text) => clean::line(text),
    }
}

/// Where a setting stands.
#[must_use]
pub const fn kind(kind: Kind) -> &'static str {
    match kind {
        Kind::Env => "env",
        Kind::AbraSh => "abra.sh",
    }
}

/// What is said of the settings when none differs or they are not known.
#[must_use]
pub fn settings_said(settings: Option<&SettingsDifference>) -> Option<String> {
    match settings {
        None => Some("not compared: the recipe's files of one of the runs were not kept".to_owned()),
        Some(found) if found.differ.is_empty() => {
            Some(format!("{}, all the same", count(found.same, "variable and version", "variables and versions")))
        }
        Some(found) if found.left_out > 0 => Some(format!("{} more differ", found.left_out)),
        Some(_) => None,
    }
}

fn settings(out: &mut String, found: Option<&SettingsDifference>, names: &Pair<String>, pen: Pen) {
    let mut table = Table::default();
    for it in found.iter().flat_map(|found| &found.differ) {
        table.row(&format!("{} {}", kind(it.kind), it.name), &it.values.map(seen));
    }
    let is_empty = table.rows.is_empty();
    out.push_str(&table.said(names, "settings", &[], pen));
    below(out, "settings", is_empty, settings_said(found), pen);
}

/// What is said below a table, or instead of one under its heading.
fn below(out: &mut String, heading: &str, instead: bool, said: Option<String>, pen: Pen) {
    let Some(said) = said else { return };
    if instead {
        out.push_str(&format!("\n  {}\n", pen.bold(heading)));
    }
    out.push_str(&format!("  {said}\n"));
}

/// `+7.0 s`: this run took longer; `−0.7 s`: it took less.
#[must_use]
pub fn longer(ms: i64) -> String {
    let sign = if ms < 0 { '−' } else { '+' };
    format!("{sign}{}", duration(ms.unsigned_abs()))
}

/// A phase's length, where the run had it.
#[must_use]
pub fn length_of(ms: Option<u64>) -> String {
    ms.map_or_else(|| "–".to_owned(), duration)
}

/// What is said of the phases that are not told.
#[must_use]
pub fn folded(comparison: &Comparison) -> Option<String> {
    let times = &comparison.times;
    let together = longer(times.folded_ms);
    match (times.folded, times.phases.is_empty()) {
        (0, _) => None,
        (1, false) => Some(format!("1 more phase differs by less, {together}")),
        (folded, false) => Some(format!("{folded} more phases differ by less, {together} together")),
        (folded, true) => {
            let phases = count(folded, "phase differs", "phases differ");
            Some(format!("{phases} by less than 0.5 s each, {together} together"))
        }
    }
}

fn times(out: &mut String, comparison: &Comparison, names: &Pair<String>, pen: Pen) {
    let mut table = Table::default();
    for PhasePair { phase, ms, difference_ms, by } in &comparison.times.phases {
        let lengths = ms.map(|ms| length_of(*ms));
        let more = [longer(*difference_ms), words::whose(*by).to_owned()];
        table.rows.push([short(phase, COLUMN), lengths.this, lengths.other].into_iter().chain(more).collect());
    }
    let is_empty = table.rows.is_empty();
    out.push_str(&table.said(names, "phases", &["difference", "whose"], pen));
    below(out, "phases", is_empty, folded(comparison), pen);
}

/// What is said of the logs before their lines.
#[must_use]
pub fn log_said(found: Option<&LogDifference>) -> String {
    let Some(found) = found else {
        return "not compared: the log of one of the runs was not kept".to_owned();
    };
    let mut said = Vec::new();
    if found.sources.is_empty() {
        said.push("no line differs".to_owned());
    }
    if !found.same.is_empty() {
        let names: Vec<_> = found.same.iter().map(|name| clean::line(name)).collect();
        said.push(format!("the same in both: {}", names.join(", ")));
    }
    if found.sources_left_out > 0 {
        said.push(count(found.sources_left_out, "more source differs", "more sources differ"));
    }
    if !found.whole.this || !found.whole.other {
        said.push("of a large log only its beginning and its end were compared".to_owned());
    }
    said.push("instants, lengths of time, ids, addresses and ports do not count".to_owned());
    said.join("; ")
}

/// `21 lines in run 52, 2 in run 47`.
#[must_use]
pub fn lines_said(source: &SourceDifference, names: &Pair<String>) -> String {
    let lines = &source.lines;
    format!("{} in {}, {} in {}", count(lines.this, "line", "lines"), names.this, lines.other, names.other)
}

/// What is said behind the lines of a source.
#[must_use]
pub fn source_said(source: &SourceDifference, shown: usize) -> Option<String> {
    let left_out = source.left_out + source.only.len().saturating_sub(shown);
    let mut said = Vec::new();
    if left_out > 0 {
        said.push(count(left_out, "more line differs", "more lines differ"));
    }
    if !source.in_order {
        said.push("too many lines to compare their order".to_owned());
    }
    (!said.is_empty()).then(|| said.join("; "))
}

fn log(out: &mut String, found: Option<&LogDifference>, names: &Pair<String>, pen: Pen) {
    out.push_str(&format!("\n  {}\n  {}\n", pen.bold("log"), log_said(found)));
    let Some(found) = found else { return };
    if !found.sources.is_empty() {
        out.push_str(&format!("  + only in {}, − only in {}\n", names.this, names.other));
    }
    for source in &found.sources {
        let name = pen.bold(&clean::line(&source.source));
        out.push_str(&format!("\n    {name}: {}\n", lines_said(source, names)));
        source.only.iter().take(LINES).for_each(|line| out.push_str(&only(line, pen)));
        if let Some(said) = source_said(source, LINES) {
            out.push_str(&format!("      … {said}\n"));
        }
    }
}

fn only(line: &OnlyLine, pen: Pen) -> String {
    let (sign, class) = match line.of {
        Of::This => ('+', "fail"),
        Of::Other => ('−', "pass"),
    };
    let times = if line.times > 1 { format!("  × {}", line.times) } else { String::new() };
    format!("      {} {:>5}  {}{times}\n", pen.in_class(class, &sign.to_string()), line.number, short(&line.text, LINE))
}

#[cfg(test)]
mod tests;
