//! The service against a real forge: from `!testme` to the verdict on the pull request.

use std::time::{Duration, Instant};

use crate::support::forge::{Organisation, POLL};
use crate::support::{figure, lab};

#[test]
fn s40_a_members_comment_becomes_one_comment_with_the_verdict() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let serving = organisation.serve(&lab);
    let asked = Instant::now();
    pull.say("maintainer", "!testme");
    pull.wait_for(&pull.head[..8], 1);
    let seconds = asked.elapsed().as_secs_f64();
    figure("s40 poll", "comment to acknowledgement", seconds, "s");
    assert!(seconds <= (POLL + 2) as f64, "acknowledged after {seconds} s");

    // The same commit again while it is tested: merged, and said.
    pull.say("maintainer", "!testme");
    pull.wait_for("is tested already", 1);

    let answers = pull.wait_for("### ✓ good", 1);
    assert_eq!(answers.len(), 2, "{answers:#?}");
    let verdict = answers.iter().find(|answer| answer.starts_with("### ✓")).unwrap();
    assert!(verdict.contains("| ✓ | ✓ | ○ | ○ | ○ |") && verdict.contains("[Run 1]("), "{verdict}");

    let (status, now) = organisation.page(&serving, "/");
    assert_eq!(status, 200);
    assert!(now.contains("✓ green") && now.contains("PR 1"), "{now}");
    let (status, report) = organisation.page(&serving, "/runs/1");
    assert!(status == 200 && report.contains("A good recipe"));
    let (status, results) = organisation.page(&serving, "/runs/1/results.json");
    assert!(status == 200 && results.contains(&pull.head));
    assert_eq!(organisation.page(&serving, "/runs/2").0, 404);
    assert_eq!(organisation.page(&serving, "/runs/1/..%2f..%2fgate-id").0, 404);

    // s41: seen again after a restart, it is still one run.
    serving.kill();
    let serving = organisation.serve(&lab);
    std::thread::sleep(Duration::from_secs(2 * POLL + 1));
    assert_eq!(pull.answers().len(), 2);
    assert!(!serving.told().contains("ERROR"), "{}", serving.told());
    lab.assert_untouched();
}

#[test]
fn s54_killed_in_the_middle_the_gate_gives_exactly_one_verdict() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("crash-loop");
    let serving = organisation.serve(&lab);
    pull.say("maintainer", "!testme");
    pull.wait_for("running", 1);
    serving.kill();
    let _serving = organisation.serve(&lab);
    let answers = pull.wait_for("### ✕ crash-loop", 1);
    assert_eq!(answers.len(), 1, "{answers:#?}");
    assert!(answers[0].contains("app exits with code 1"), "{}", answers[0]);
    lab.assert_untouched();
}

#[test]
fn s44_who_and_what_is_not_for_us_gets_the_documented_reaction() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let head = pull.head.clone();
    let serving = organisation.serve(&lab);
    for (who, text) in [
        ("maintainer", "> !testme"),
        ("maintainer", "`!testme`"),
        ("maintainer", "!testmenot"),
        ("maintainer", "please !testme"),
        ("bot", "!testme"),
        ("outsider", "!testme"),
        ("outsider", "!testme"),
        ("maintainer", "!testme --extra"),
        ("outsider", "!testme help"),
    ] {
        pull.say(who, text);
    }
    pull.wait_for("a maintainer has to ask for it", 1);
    pull.wait_for("is not in this version", 1);
    // Help stands by itself, and under the answer to the wrong flag.
    let answers = pull.wait_for("!testme status", 2);
    let with = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
    assert_eq!(with("a maintainer has to ask for it"), 1, "an outsider is told once: {answers:#?}");
    assert_eq!(with("is not in this version"), 1, "{answers:#?}");
    assert!(answers.iter().all(|answer| !answer.contains(&head[..8])), "nothing was run: {answers:#?}");
    assert_eq!(organisation.page(&serving, "/runs/1").0, 404);
    lab.assert_untouched();
}
