use std::path::Path;

use super::*;
use crate::domain::log::Source;
use crate::domain::results::{conclude, samples};
use crate::report::parts;
use crate::report::samples::{crash_loop_log, good_log};

fn pages() -> [(&'static str, String); 3] {
    let page = |facts, log: &[Record]| html(&conclude(facts), log).unwrap();
    [
        ("green", page(samples::good(), &good_log())),
        ("red", page(samples::crash_loop(), &crash_loop_log())),
        ("not-judged", page(samples::target_lost(), &good_log()[..6])),
    ]
}

/// Also leaves the pages in `target/report-samples/`, for people to look at.
#[test]
fn pages_are_light_and_ask_nobody() {
    let samples = Path::new(env!("CARGO_MANIFEST_DIR")).join("target/report-samples");
    std::fs::create_dir_all(&samples).unwrap();
    for (name, page) in pages() {
        std::fs::write(samples.join(name).with_extension("html"), &page).unwrap();
        assert!(page.len() <= 60_000, "{name}: {} bytes", page.len());
        for asks in ["<script", " src=", "@import", "url(http", "<iframe", "<img"] {
            assert!(!page.contains(asks), "{name}: {asks}");
        }
        let links =
            page.match_indices("href=\"").map(|(at, _)| &page[at + 6..at + 7 + page[at + 7..].find('"').unwrap()]);
        for link in links {
            let beside = ["results.json", "results.json.sig", "junit.xml", "log.jsonl", "evidence.tar.gz", "data:,"];
            assert!(link.starts_with('#') || beside.contains(&link), "{name}: {link}");
        }
    }
}

#[test]
fn links_within_the_page_lead_somewhere() {
    for (name, page) in pages() {
        for (at, _) in page.match_indices("href=\"#") {
            let id = page[at + 7..].split('"').next().unwrap();
            assert_eq!(page.matches(&format!("id=\"{id}\"")).count(), 1, "{name}: #{id}");
        }
    }
}

#[test]
fn the_red_page_begins_with_verdict_fault_and_advice() {
    let (_, page) = &pages()[1];
    let body = &page[page.find("<main").unwrap()..];
    let body = body.split("<ol class").next().unwrap();
    insta::assert_snapshot!(body);
}

#[test]
fn headings_are_in_order() {
    for (name, page) in pages() {
        let mut levels = page.match_indices("<h").filter_map(|(at, _)| page[at + 2..].chars().next()?.to_digit(10));
        assert_eq!(levels.next(), Some(1), "{name}");
        let mut before = 1;
        for level in levels {
            assert!(level > 1 && level <= before + 1, "{name}: h{level} after h{before}");
            before = level;
        }
    }
}

#[test]
fn every_line_of_the_log_has_its_anchor() {
    let log = crash_loop_log();
    let (_, page) = &pages()[1];
    for number in 1..=log.len() {
        assert_eq!(page.matches(&format!("id=\"L{number}\"")).count(), 1, "L{number}");
    }
}

#[test]
fn hostile_text_is_only_text() {
    let hostile = "</title></style><script>alert(1)</script>\u{1b}[31m\u{202e}evil\u{0}\" onload=\"x";
    let mut facts = samples::crash_loop();
    let finding = &mut facts.findings[0];
    finding.sentence = hostile.into();
    finding.advice = format!("`{hostile}");
    finding.service = Some(hostile.into());
    finding.evidence[0].what = hostile.into();
    finding.evidence[1].text = hostile.repeat(20_000);
    facts.head.version = Some(hostile.into());
    facts.head.source = hostile.into();
    facts.warnings = vec![hostile.into()];
    facts.marks[0].what = hostile.into();
    facts.timings[0].phase = hostile.into();
    facts.images[0].image = hostile.into();
    facts.target.engine = Some(hostile.into());
    facts.driver.version = hostile.into();
    facts.lint[0].file = hostile.into();
    facts.lint[0].text = hostile.into();
    let mut log = crash_loop_log();
    log[3].text = "x".repeat(1_000_000);
    log[4].text = hostile.into();
    log[5].source = Source::Service { task: hostile.into(), container: hostile.into() };
    let page = html(&conclude(facts), &log).unwrap();
    assert!(!page.contains("<script") && !page.contains("\" onload"));
    assert_eq!(page.matches("</style>").count(), 1);
    assert!(
        !page.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'),
        "control characters in the page"
    );
    assert!(page.len() < 300_000, "{} bytes", page.len());
}

#[test]
fn text_between_backticks_is_code() {
    let split = |text| parts(text).into_iter().map(|part| (part.code, part.text)).collect::<Vec<_>>();
    assert_eq!(split("`a` is b"), [(true, "a".to_owned()), (false, " is b".to_owned())]);
    assert_eq!(split("a ` b"), [(false, "a ` b".to_owned())]);
}
