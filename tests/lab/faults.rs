//! What goes wrong around a run that is none of the recipe's fault.

use std::time::{Duration, Instant};

use crate::support::forge::{Organisation, SCOPES};
use crate::support::{Lab, lab, said, until};

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
