//! However a run ends, the target is what it was before, and what somebody else has there is untouched.

use crate::support::{Neighbour, lab, said};

#[test]
fn s64_five_endings_leave_nothing_and_touch_no_neighbour() {
    let lab = lab();
    let neighbour = Neighbour::plant(&lab, &[]);
    let container = neighbour.container();
    let before = lab.inventory();
    let unchanged = |ending: &str| {
        assert_eq!(lab.inventory(), before, "after {ending}");
        neighbour.assert_untouched(&container);
    };

    lab.run("good", &[]).finish().assert(0, "green");
    unchanged("green");

    lab.run("crash-loop", &[]).finish().assert(1, "red");
    unchanged("red");

    let mut run = lab.run("notes", &[]);
    run.wait_for("Creating service");
    run.interrupt();
    let cancelled = run.finish();
    cancelled.assert(3, "not_judged");
    assert!(cancelled.results().sentence.contains("cancelled during install"), "{}", cancelled.results().sentence);
    unchanged("Ctrl-C");

    let kept = lab.run("good", &["--keep", "3s"]).finish();
    kept.assert(0, "green");
    assert!(kept.log.iter().any(|record| record.text == "its time is over"));
    unchanged("--keep run out");

    let mut run = lab.run("notes", &[]);
    run.wait_for("Creating service");
    let id = run.id();
    assert!(run.kill());
    assert_ne!(lab.inventory(), before, "a killed run leaves its app behind");
    let swept = said(&mut lab.cc_ci(&["sweep", "--target", lab.name]));
    assert!(swept.contains(&id), "{swept}");
    unchanged("kill -9 and sweep");

    drop(neighbour);
    lab.assert_untouched();
}

#[test]
fn cancelled_at_any_moment_a_run_cleans_up() {
    let lab = lab();
    for moment in [
        "run ",
        "answers on",
        "before this run",
        "runner container",
        "lint:",
        "docker stack deploy",
        "waiting:",
        "converged:",
    ] {
        let mut run = lab.run("notes", &[]);
        run.wait_for(moment);
        run.interrupt();
        run.finish().assert(3, "not_judged");
        lab.assert_untouched();
    }
}

#[test]
fn ctrl_c_ends_keep_and_the_verdict_stays() {
    let lab = lab();
    let mut run = lab.run("good", &["--keep", "10m"]);
    run.wait_for("stays up until");
    run.interrupt();
    let finished = run.finish();
    finished.assert(0, "green");
    assert!(finished.log.iter().any(|record| record.text == "ended by the person who asked for it"));
    lab.assert_untouched();
}

#[test]
fn s65_a_new_run_sweeps_what_a_dead_one_left() {
    let lab = lab();
    let mut run = lab.run("notes", &[]);
    run.wait_for("Creating service");
    let dead = run.id();
    assert!(run.kill());
    let next = lab.run("good", &[]).finish();
    next.assert(0, "green");
    assert!(next.log.iter().any(|record| record.text.contains(&format!("swept run {dead}"))));
    lab.assert_untouched();
}
