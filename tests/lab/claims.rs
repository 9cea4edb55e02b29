//! Who may use a target.

use crate::support::{Running, lab, said};

#[test]
fn a_target_serves_one_run_and_one_gate_at_a_time() {
    let lab = lab();
    let mut first = lab.run("good", &["--keep", "10m"]);
    first.wait_for("stays up until");

    let mine = lab.run("good", &[]).finish();
    mine.assert(3, "not_judged");
    assert!(mine.results().sentence.contains("of this gate uses the target"), "{}", mine.results().sentence);

    let other = tempfile::tempdir().unwrap();
    let mut command = lab.cc_ci_of(other.path(), &["run", concat!(env!("CARGO_MANIFEST_DIR"), "/tests/recipes/good")]);
    command.args(["--target", lab.name]).arg("--runner-image").arg(lab.image());
    let theirs = Running::start(command, other.path(), None).finish();
    theirs.assert(3, "not_judged");
    assert!(theirs.results().sentence.contains("claimed by another gate"), "{}", theirs.results().sentence);

    // A sweep by either removes nothing of a living run.
    for state in [other.path().to_owned(), lab.state()] {
        let swept = said(&mut lab.cc_ci_of(&state, &["sweep", "--target", lab.name]));
        assert!(swept.contains("nothing to sweep"), "{swept}");
    }
    first.interrupt();
    first.finish().assert(0, "green");
    lab.assert_untouched();
}

#[test]
fn an_ended_claim_of_another_gate_is_taken_over_and_that_is_said() {
    let lab = lab();
    let labels = ["gate=aaaaaaaaaaaaaaaa", "run=bbbbbbbbbbbb", "until=2020-01-01T00:00:00Z"];
    let create = labels.iter().flat_map(|label| ["--label", label]).collect::<Vec<_>>();
    lab.docker(&[&["config", "create"], create.as_slice(), &["cc-ci-claim", "/etc/hostname"]].concat());
    let run = lab.run("good", &[]).finish();
    run.assert(0, "green");
    let said = "the claim of another gate (aaaaaaaaaaaaaaaa, run bbbbbbbbbbbb) ended at 2020-01-01T00:00:00Z; it is taken over";
    assert!(run.log.iter().any(|record| record.text == said));
    lab.assert_untouched();
}
