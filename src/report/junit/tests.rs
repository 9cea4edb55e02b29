use super::*;
use crate::domain::finding::FindingKind;
use crate::domain::results::{conclude, samples};
use crate::domain::stage::Stage;

/// As a program reads it: for each case its class and name, and what came of it.
fn read(text: &str) -> Vec<(String, Option<(String, String)>)> {
    let document = roxmltree::Document::parse(text).unwrap_or_else(|error| panic!("{error}\n{text}"));
    let suite = document.root_element().first_element_child().unwrap();
    assert_eq!((document.root_element().tag_name().name(), suite.tag_name().name()), ("testsuites", "testsuite"));
    let cases: Vec<_> = suite.children().filter(|node| node.has_tag_name("testcase")).collect();
    let attribute = |node: &roxmltree::Node<'_, '_>, name: &str| node.attribute(name).unwrap().to_owned();
    let read: Vec<_> = cases
        .iter()
        .map(|case| {
            let name = format!("{}/{}", attribute(case, "classname"), attribute(case, "name"));
            let outcome = case.first_element_child().filter(|node| !node.has_tag_name("system-out"));
            (name, outcome.map(|node| (node.tag_name().name().to_owned(), attribute(&node, "message"))))
        })
        .collect();
    for (kind, of) in [("failures", "failure"), ("errors", "error"), ("skipped", "skipped")] {
        let counted = read.iter().filter(|(_, outcome)| outcome.as_ref().is_some_and(|it| it.0 == of)).count();
        assert_eq!(attribute(&suite, kind), counted.to_string());
    }
    assert_eq!(attribute(&suite, "tests"), read.len().to_string());
    read
}

fn kinds(results: &Results) -> Vec<(String, Option<String>)> {
    read(&junit(results).unwrap()).into_iter().map(|(name, outcome)| (name, outcome.map(|it| it.0))).collect()
}

#[test]
fn green_red_and_not_judged_as_junit() {
    for (name, facts) in
        [("green", samples::good()), ("red", samples::crash_loop()), ("not_judged", samples::target_lost())]
    {
        let text = junit(&conclude(facts)).unwrap();
        read(&text);
        insta::assert_snapshot!(name, text);
    }
}

#[test]
fn it_fails_exactly_when_the_run_is_not_green() {
    let mut green = samples::good();
    green.findings.push(Finding::new(FindingKind::Leftovers, Stage::Teardown, samples::at(9), "left behind: volume x"));
    let mut cancelled = samples::good();
    cancelled.cancelled = true;
    for (facts, verdict) in [
        (samples::good(), Verdict::Green),
        (green, Verdict::Green),
        (samples::crash_loop(), Verdict::Red),
        (samples::target_lost(), Verdict::NotJudged),
        (cancelled, Verdict::NotJudged),
    ] {
        let results = conclude(facts);
        assert_eq!(results.verdict, verdict);
        let of = |kind: &str| kinds(&results).iter().any(|(_, outcome)| outcome.as_deref() == Some(kind));
        let (failed, broken) = (of("failure"), of("error"));
        match verdict {
            Verdict::Green => assert!(!failed && !broken),
            Verdict::Red => assert!(failed),
            Verdict::NotJudged => assert!(broken && !failed),
        }
    }
}

#[test]
fn hostile_text_stays_text() {
    let hostile = "]]></failure><testcase name=\"x\"/>&amp;\u{0}\u{b}\u{fffe}\u{1b}[31m\u{202e}\"'<!--";
    let mut facts = samples::crash_loop();
    facts.findings[0].sentence = hostile.into();
    facts.findings[0].service = Some(hostile.into());
    facts.findings[0].evidence[0].text = format!("{hostile}\n{hostile}");
    facts.head.version = Some(hostile.into());
    let results = conclude(facts);
    let usual = kinds(&conclude(samples::crash_loop()));
    let read = kinds(&results);
    assert_eq!(read.len(), usual.len());
    assert!(read.iter().zip(&usual).all(|(hostile, usual)| hostile.1 == usual.1));
}
