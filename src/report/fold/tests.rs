use super::*;
use crate::domain::results::samples::{at, crash_loop};
use crate::report::samples;

fn record(source: &str, text: &str) -> Record {
    Record {
        at: at(1_000),
        source: Source::try_from(source.to_owned()).unwrap(),
        position: None,
        text: text.to_owned(),
    }
}

fn folded(log: &[Record], cause: Option<&Finding>) -> Log {
    fold(&Excerpt::whole(log), cause, at(0), Limits::FILE)
}

fn drawn(log: &Log) -> String {
    let mut out = String::new();
    for source in &log.sources {
        out.push_str(&format!("{} ({} lines, {} deciding)\n", source.name, source.lines, source.hits));
        for chunk in &source.chunks {
            for row in &chunk.rows {
                let number = row.number.map_or_else(String::new, |number| number.to_string());
                let lit = if row.hit { "»" } else { " " };
                let folded = if chunk.folded { "▸" } else { " " };
                out.push_str(&format!(
                    "{folded}{lit}{number:>4} {:>7} {} ×{} {:?}\n",
                    row.at,
                    row.text,
                    row.times(),
                    row.also
                ));
            }
        }
    }
    out
}

#[test]
fn a_crash_loop_is_one_life_told_and_the_others_counted() {
    let facts = crash_loop();
    let log = folded(&samples::crash_loop_log(), facts.findings.first());
    insta::assert_snapshot!(drawn(&log));
}

#[test]
fn repeated_lines_are_counted_and_keep_their_links() {
    let log = folded(&[record("app.1@a", "x"), record("cc-ci", "y"), record("app.1@a", "x")], None);
    let row = &log.sources[0].chunks[0].rows[0];
    assert_eq!((row.number, row.times(), row.also.as_slice()), (Some(1), 2, [3].as_slice()));
}

#[test]
fn a_long_source_is_bounded_but_keeps_the_surroundings_of_the_cause() {
    let cause = crash_loop().findings.remove(0).with("last log lines", "line 100 of it");
    let lines: Vec<_> = (1..=9_000).map(|n| record("app.1@a", &format!("line {n} of it"))).collect();
    let log = folded(&lines, Some(&cause));
    let rows: Vec<_> = log.sources[0].chunks.iter().flat_map(|chunk| &chunk.rows).collect();
    let numbered = rows.iter().filter(|row| row.number.is_some()).count();
    assert_eq!(numbered, Limits::FILE.log_lines + 2 * Limits::FILE.around + 1);
    assert_eq!(log.first_hit, Some(100));
    let remarks: Vec<_> = rows.iter().filter(|row| row.number.is_none()).map(|row| row.text.as_str()).collect();
    assert_eq!(remarks, ["87 lines left out here", "6888 lines left out here"]);
}

#[test]
fn huge_lines_stay_within_the_budget() {
    let lines: Vec<_> =
        (0..5_000).map(|n| record(&format!("app.{}@a", n % 60), &format!("{n} {}", "x".repeat(3_000)))).collect();
    let log = folded(&lines, None);
    let shown = log.sources.iter().flat_map(|source| &source.chunks).flat_map(|chunk| &chunk.rows);
    assert!(shown.map(|row| row.text.len()).sum::<usize>() <= Limits::FILE.log_characters + 50 * 100);
    assert_eq!(log.sources_left_out, 10);
}

#[test]
fn only_lines_of_the_service_that_failed_are_lit() {
    let cause = crash_loop().findings.remove(0);
    let fatal = "FATAL:  database files are incompatible with server";
    let log = folded(&[record("db.1@b", fatal), record("app.1@a", fatal)], Some(&cause));
    assert_eq!(log.first_hit, Some(2));
}
