use std::collections::BTreeMap;

use super::*;
use crate::domain::compare::{Log, Settings, Side, compare};
use crate::domain::log::{Record, Source};
use crate::domain::recipe::fixtures::files;
use crate::domain::results::{Results, conclude, samples};
use crate::report::samples::{crash_loop_log, good_log};

fn numbered(log: Vec<Record>) -> Vec<(usize, Record)> {
    (1..).zip(log).collect()
}

fn names() -> Pair<String> {
    Pair { this: "run 52".into(), other: "run 47".into() }
}

fn said(this: &Results, other: &Results, kept: bool) -> Comparison {
    let logs = Pair { this: numbered(crash_loop_log()), other: numbered(good_log()) };
    let settings = |title: &str, version: &str| {
        let env = format!("TITLE={title}\nSMTP_PASSWORD={title}\n");
        let abra_sh = format!("export APP_CONF_VERSION={version}\n");
        Settings::of(&files(&[(".env.sample", &env), ("abra.sh", &abra_sh)]), &BTreeMap::new())
    };
    let settings = Pair { this: settings("new", "v2"), other: settings("old", "v1") };
    let results = Pair { this, other };
    let side = |of: Of| {
        let lines = logs.of(of);
        Side {
            results: results.of(of),
            settings: kept.then(|| settings.of(of)),
            log: kept.then_some(Log { lines, all: lines.len() }),
        }
    };
    compare(&Pair { this: side(Of::This), other: side(Of::Other) })
}

#[test]
fn red_and_green_side_by_side() {
    let (red, mut green) = (conclude(samples::crash_loop()), conclude(samples::good()));
    green.images[0].digest = Some(format!("sha256:{}", "0c77a1e5".repeat(8)));
    insta::assert_snapshot!("red_green", text(&said(&red, &green, true), &names(), false));
    insta::assert_snapshot!("nothing_kept", text(&said(&green, &green, false), &names(), false));
}

#[test]
fn colour_changes_no_character() {
    let found = said(&conclude(samples::crash_loop()), &conclude(samples::good()), true);
    assert_eq!(strip_ansi_escapes::strip_str(text(&found, &names(), true)), text(&found, &names(), false));
}

#[test]
fn a_program_gets_one_object() {
    let found = said(&conclude(samples::crash_loop()), &conclude(samples::good()), true);
    let value: serde_json::Value = serde_json::from_str(&json(&found).unwrap()).unwrap();
    assert_eq!(
        (&value["runs"]["this"]["verdict"], &value["runs"]["other"]["verdict"]),
        (&"red".into(), &"green".into())
    );
    assert_eq!(value["settings"]["differ"][0]["values"]["this"], "hidden");
    assert_eq!(value["settings"]["differ"][1]["values"]["this"]["value"], "new");
    assert_eq!(value["times"]["phases"][0]["difference_ms"], 6_990);
    assert_eq!(value["log"]["sources"][0]["source"], "app.1");
}

#[test]
fn outside_text_cannot_write_to_the_terminal() {
    let harm = "\u{1b}]0;owned\u{7}\u{1b}[2J\u{202e}\r\nx";
    let mut this = conclude(samples::crash_loop());
    this.sentence = harm.into();
    this.findings[0].sentence = harm.into();
    this.findings[0].service = Some(harm.into());
    this.images[0].service = harm.into();
    this.images[0].image = harm.into();
    this.images[0].digest = Some(harm.into());
    this.recipe.head.version = Some(harm.into());
    this.recipe.head.source = harm.into();
    this.timings[0].phase = harm.into();
    this.timings[0].ms = 90_000;
    let log = |text: &str| {
        let source = Source::Service { task: harm.into(), container: "4f0c2d11a9b3".into() };
        numbered(vec![Record { at: samples::at(0), source, position: None, text: text.into() }])
    };
    let other = conclude(samples::good());
    let (mine, theirs) = (log(harm), log("other"));
    let side = |results, lines| Side { results, settings: None, log: Some(Log { lines, all: 1 }) };
    let found = compare(&Pair { this: side(&this, &mine), other: side(&other, &theirs) });
    let said = text(&found, &Pair { this: harm.into(), other: "run 47".into() }, false);
    assert!(!said.contains(|c: char| (c.is_control() && c != '\n') || c == '\u{202e}'), "{said:?}");
}
