//! The queue on real targets: who waits for whom, who may pass, what people can do about it; and runs that nobody asked for.

use std::time::{Duration, Instant};

use cc_ci::domain::results::Results;

use crate::support::forge::{Organisation, PullRequest};
use crate::support::relay::Relay;
use crate::support::{figure, lab, until};

#[test]
fn s50_a_wedged_run_is_stopped_and_those_behind_it_know_why_they_wait() {
    let (lab, organisation) = (lab(), Organisation::new());
    for recipe in ["crash-loop", "good", "notes"] {
        organisation.recipe(recipe);
    }
    let serving = organisation.serve(&lab);
    let wedged = organisation.change("crash-loop", "change", "A");
    let (second, third) = (organisation.change("good", "change", "B"), organisation.change("notes", "change", "C"));
    wedged.say("maintainer", "!testme");
    wedged.wait_for("running", 1);
    second.say("maintainer", "!testme");
    second.wait_for("waiting, number 1", 1);
    third.say("maintainer", "!testme");
    for (pull, place) in [(&second, 1), (&third, 2)] {
        let answers = pull.wait_for(&format!("waiting, number {place}"), 1);
        assert!(answers[0].contains("Behind [run 1](") && answers[0].contains("(crash-loop, "), "{answers:#?}");
    }
    let begun = Instant::now();
    wedged.wait_for("### ✕ crash-loop", 1);
    figure("s50", "the wedged run was stopped after", begun.elapsed().as_secs_f64(), "s");
    second.wait_for("### ✓ good", 1);
    third.wait_for("### ✓ notes", 1);
    assert!(!serving.told().contains("ERROR"), "{}", serving.told());
    lab.assert_untouched();
}

#[test]
fn s52_two_runs_of_one_recipe_go_one_after_the_other_and_others_pass() {
    let (lab, organisation) = (lab(), Organisation::new());
    let [first, second, other] = two_of_one_recipe(&organisation);
    let _serving = organisation.serve(&lab);
    first.say("maintainer", "!testme");
    first.wait_for("running", 1);
    second.say("maintainer", "!testme");
    let answers = second.wait_for("is of the same recipe and has to end first", 1);
    assert!(answers[0].contains("[Run 1]("), "{answers:#?}");
    other.say("maintainer", "!testme");
    other.wait_for("waiting", 1);
    all_are_green(&[first, second, other]);
    lab.assert_untouched();
}

/// Two pull requests of one recipe, and one of another.
fn two_of_one_recipe(organisation: &Organisation) -> [PullRequest<'_>; 3] {
    organisation.recipe("good");
    organisation.recipe("notes");
    [("good", "one", "One"), ("good", "two", "Two"), ("notes", "change", "Other")]
        .map(|(recipe, branch, title)| organisation.change(recipe, branch, title))
}

/// Each of them is green in the end.
fn all_are_green(pulls: &[PullRequest<'_>; 3]) {
    for (pull, recipe) in pulls.iter().zip(["good", "good", "notes"]) {
        pull.wait_for(&format!("### ✓ {recipe}"), 1);
    }
}

/// The two incidents of an earlier CI: runs of two recipes that were in each other's way, and two of one recipe that took each other's app
/// for their own.
#[test]
fn s52_two_recipes_share_a_target_with_room_and_two_runs_of_one_recipe_do_not() {
    let (lab, organisation) = (lab().with_room(2), Organisation::new());
    let [first, second, other] = two_of_one_recipe(&organisation);
    let serving = organisation.serve(&lab);
    first.say("maintainer", "!testme");
    first.wait_for("running", 1);
    second.say("maintainer", "!testme");
    second.wait_for("is of the same recipe and has to end first", 1);
    other.say("maintainer", "!testme");
    all_are_green(&[first, second, other]);
    let results = |number: u32| -> Results {
        let (status, text) = organisation.page(&serving, &format!("/runs/{number}/results.json"));
        assert_eq!(status, 200);
        serde_json::from_str(&text).unwrap()
    };
    let [good, again, notes] = [1, 2, 3].map(results);
    assert_eq!([&good, &again, &notes].map(|run| run.recipe.name.as_str()), ["good", "good", "notes"]);
    assert!(notes.started < good.finished, "they run at once: {} is not before {}", notes.started, good.finished);
    assert!(good.finished <= again.started, "one after the other: {} is after {}", good.finished, again.started);
    for run in [&good, &again, &notes] {
        assert!(run.findings.is_empty() && run.warnings.iter().all(|line| !line.contains("left")), "{run:#?}");
        assert!(run.verified.iter().any(|line| line.contains("nothing left behind")), "{:#?}", run.verified);
    }
    assert!(!serving.told().contains("ERROR"), "{}", serving.told());
    lab.assert_untouched();
}

#[test]
fn s53_cancel_and_retry_by_comment_free_the_slot_and_leave_nothing() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    organisation.recipe("notes");
    let (running, waiting) = (organisation.change("good", "change", "R"), organisation.change("notes", "change", "W"));
    let _serving = organisation.serve(&lab);
    running.say("maintainer", "!testme --keep 30m");
    running.wait_for("running, keep", 1);
    waiting.say("maintainer", "!testme");
    waiting.wait_for("waiting, number 1", 1);
    let begun = Instant::now();
    running.say("maintainer", "!testme cancel");
    waiting.wait_for("running", 1);
    let seconds = begun.elapsed().as_secs_f64();
    figure("s53", "cancel to the next start, with a poll of 2 s", seconds, "s");
    assert!(seconds < 12.0, "the slot was freed after {seconds} s");
    running.wait_for("was cancelled by", 1);
    waiting.say("maintainer", "!testme cancel");
    waiting.wait_for("was cancelled by", 1);
    running.say("maintainer", "!testme retry");
    // Asked for with the same options: cancelled again, or it would stay up.
    running.wait_for("Asked with `--keep 30m`", 1);
    running.say("maintainer", "!testme cancel");
    let answers = running.wait_for("[Run 3](", 1);
    until("the end of the retry", || {
        let ended = |answer: &String| answer.contains("[Run 3](") && answer.contains("was cancelled by");
        running.answers().iter().any(ended).then_some(())
    });
    assert!(answers.iter().any(|answer| answer.contains("Newer: [run 3](")), "the first one folds: {answers:#?}");
    lab.assert_untouched();
}

#[test]
fn s94_pushes_and_tags_are_tested_by_themselves() {
    let (lab, organisation, relay) = (lab(), Organisation::new(), Relay::new());
    organisation.recipe("good");
    let serving = organisation.serve_hooked(&lab, &relay);
    // What was there before is nothing new.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(organisation.page(&serving, "/runs/1").0, 404);
    let tip = organisation.push_to_main("good");
    until("a run of the new tip", || {
        let (status, text) = organisation.page(&serving, "/runs/1/results.json");
        (status == 200 && text.contains(&tip)).then_some(())
    });
    organisation.tag("good", "1.0.0+1.0.0");
    relay.wait_for("refs/tags/1.0.0+1.0.0");
    // The same commit, but a push and a tag are two reasons: it is tested once more only if it is not tested already.
    std::thread::sleep(Duration::from_secs(2));
    assert_eq!(organisation.page(&serving, "/runs/2").0, 404, "this very commit was tested");
    lab.assert_untouched();
}
