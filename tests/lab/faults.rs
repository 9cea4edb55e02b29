//! What goes wrong around a run that is none of the recipe's fault.

use std::time::{Duration, Instant};

use cc_ci::domain::finding::FindingKind;
use cc_ci::domain::results::Results;
use cc_ci::domain::stage::{Rung, Stage};
use cc_ci::domain::verdict::Verdict;

use crate::support::forge::{Organisation, SCOPES};
use crate::support::{Lab, Recipe, figure, lab, said, until};

/// Cuts the target off its network, or lets it back.
fn cut(lab: &Lab, cut: bool) {
    let verb = if cut { "--insert" } else { "--delete" };
    said(&mut lab.back_door(&[], &["iptables", verb, "INPUT", "--protocol", "tcp", "--dport", "22", "--jump", "DROP"]));
}

#[test]
fn s30_a_target_that_is_gone_for_a_while_changes_nothing_and_for_longer_is_not_judged() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let config = organisation.config_file("TARGET_SILENCE_SECONDS=20\n");
    let serving = organisation.serve_with(&lab, &SCOPES, &["--config", &config]);
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme");
    pull.wait_for("running, install", 1);
    cut(&lab, true);
    std::thread::sleep(Duration::from_secs(8));
    cut(&lab, false);
    pull.wait_for("### ✓ good", 1);

    pull.say("maintainer", "!testme");
    pull.wait_for("running, install", 1);
    cut(&lab, true);
    let begun = Instant::now();
    until("the run that is not judged", || {
        let (_, text) = organisation.page(&serving, "/runs/2/results.json");
        (text.contains("\"not_judged\"") && text.contains("target_unreachable")).then_some(())
    });
    assert!(begun.elapsed() > Duration::from_secs(20), "only after the limit");
    cut(&lab, false);
    // Tried again by itself, once, in the same comment.
    let answers = pull.wait_for("This was the second try", 1);
    let verdict = answers.iter().find(|answer| answer.contains("This was the second try")).unwrap();
    assert!(verdict.contains("### ✓ good"), "{verdict}");
    assert!(answers.iter().all(|answer| !answer.contains("✕")), "never red: {answers:#?}");
    assert_eq!(organisation.page(&serving, "/runs/4").0, 404);
    lab.assert_untouched();
}

/// A target that stands still: its connections stay open, and nobody answers. It goes on when this is dropped.
struct Frozen<'a>(&'a Lab);

impl<'a> Frozen<'a> {
    fn now(lab: &'a Lab) -> Self {
        lab.freeze(true);
        Self(lab)
    }
}

impl Drop for Frozen<'_> {
    fn drop(&mut self) {
        self.0.freeze(false);
    }
}

#[test]
fn s30_a_target_that_stands_still_for_a_while_changes_nothing_and_for_longer_is_not_judged() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let config = organisation.config_file("TARGET_SILENCE_SECONDS=20\n");
    let serving = organisation.serve_with(&lab, &SCOPES, &["--config", &config]);
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme");
    pull.wait_for("running, install", 1);
    let frozen = Frozen::now(&lab);
    std::thread::sleep(Duration::from_secs(8));
    drop(frozen);
    until("a word of the app after the thaw", || {
        let said = |log: &String| log.contains("converged:") || log.contains("waiting: app: it has run");
        lab.run_logs().iter().any(said).then_some(())
    });

    let (frozen, begun) = (Frozen::now(&lab), Instant::now());
    until("the run that is not judged", || {
        let (_, text) = organisation.page(&serving, "/runs/1/results.json");
        (text.contains("\"not_judged\"") && text.contains("has not answered for 20 s")).then_some(())
    });
    let took = begun.elapsed();
    figure("s30 frozen target", "from the freeze to the end of the run, with a limit of 20 s", took.as_secs_f64(), "s");
    assert!(took > Duration::from_secs(20), "only after the limit");
    drop(frozen);
    let answers = pull.wait_for("This was the second try", 1);
    let verdict = answers.iter().find(|answer| answer.contains("This was the second try")).unwrap();
    assert!(verdict.contains("### ✓ good"), "{verdict}");
    assert!(answers.iter().all(|answer| !answer.contains("✕")), "never red: {answers:#?}");
    lab.assert_untouched();
}

#[test]
fn s29_the_total_limit_passes_while_the_gate_is_down() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let serving = organisation.serve_with(&lab, &SCOPES, &["--run-limit", "1"]);
    organisation.wait_for_first_poll(&serving);
    let begun = Instant::now();
    pull.say("maintainer", "!testme");
    pull.wait_for("running, install", 1);
    until("the app", || {
        (!lab.docker(&["stack", "ls", "--format", "{{.Name}}"]).lines().all(|it| it.starts_with("traefik")))
            .then_some(())
    });
    serving.kill();
    // Nobody looks; the runner alone removes the app when the limit has passed.
    until("the end of the app", || {
        lab.docker(&["stack", "ls", "--format", "{{.Name}}"]).lines().all(|it| it.starts_with("traefik")).then_some(())
    });
    assert!(begun.elapsed() > Duration::from_secs(55), "not before the limit");
    let serving = organisation.serve_with(&lab, &SCOPES, &["--run-limit", "1"]);
    until("the report", || {
        let (_, text) = organisation.page(&serving, "/runs/1/results.json");
        text.contains("\"deadline\"").then_some(())
    });
    let answers = pull.wait_for("total limit", 1);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    lab.assert_untouched();
}

/// 4 MB a second, from an app whose healthcheck never passes: its output is progress for ever.
const ENDLESS: &str = r#"
services:
  app:
    image: lab/web:1.0.0
    command:
      - sh
      - -c
      - "line=$$(head -c 4000 /dev/zero | tr '\\0' x); i=0; while :; do i=$$((i+1)); echo $$i $$line; [ $$((i%200)) = 0 ] && sleep 0.2; done"
    healthcheck:
      test: ["CMD", "false"]
      interval: 5s
      start_period: 10m
"#;
/// The largest log, and what the gate itself may say beyond it.
const LARGEST_LOG: u64 = (64 << 20) + (1 << 20);

#[test]
fn s28_endless_output_fills_no_disk_slows_no_page_and_ends_at_the_limit() {
    let recipe = Recipe::of("endless", ENDLESS);
    recipe.write("README.md", "Writes for ever.\n");
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request_of("endless", &recipe.path());
    let serving = organisation.serve_with(&lab, &SCOPES, &["--run-limit", "1"]);
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme");
    let log = || -> u64 {
        let runs = std::fs::read_dir(lab.state().join("runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| std::fs::metadata(run.path().join("log.jsonl")).ok()).map(|file| file.len()).sum()
    };
    until("the largest log", || (log() > 64 << 20).then_some(()));
    for path in ["/runs/1", "/runs/1/log", "/runs/1/log?from=end"] {
        let page = || {
            let begun = Instant::now();
            let (status, text) = organisation.page(&serving, path);
            assert_eq!(status, 200, "{path}");
            assert!(text.len() <= 60 << 10, "{path}: {} bytes", text.len());
            begun.elapsed()
        };
        // Told only: an unoptimised program on a machine that other tests use says little. `cargo xtask bench` holds it to a limit.
        let best = (0..3).map(|_| page()).min().unwrap();
        figure("s28 endless output", &format!("{path} while the log grows"), best.as_secs_f64(), "s");
    }
    let results = until("the results", || {
        let (status, text) = organisation.page(&serving, "/runs/1/results.json");
        (status == 200).then_some(text)
    });
    let results: Results = serde_json::from_str(&results).unwrap();
    let deadline = results.findings.iter().find(|finding| finding.kind == FindingKind::Deadline);
    let deadline = deadline.unwrap_or_else(|| panic!("{:#?}", results.findings));
    assert_eq!(deadline.sentence, "the run's total limit of 1 min has passed");
    assert_eq!((deadline.stage, deadline.rung), (Stage::Install, Some(Rung::Install)));
    let late = deadline.at.duration_since(results.started).as_secs_f64() - 60.0;
    figure("s28 endless output", "deadline: finding.at minus the total limit", late, "s");
    assert!((0.0..5.0).contains(&late), "{late}");
    let starved = results.host.iter().any(|load| load.starved.is_some());
    assert_eq!(results.verdict, if starved { Verdict::NotJudged } else { Verdict::Red }, "{:#?}", results.host);
    assert!(log() <= LARGEST_LOG, "{} bytes", log());
    // What is not judged is tried once more.
    if starved {
        until("the second try", || (organisation.page(&serving, "/runs/2/results.json").0 == 200).then_some(()));
    }
    lab.assert_untouched();
}
