//! What is left on a target: swept by ownership, else the target is quarantined and shown.

use crate::support::forge::Organisation;
use crate::support::{lab, said, until};

#[test]
fn s65_objects_of_another_gate_are_never_touched() {
    let lab = lab();
    let labels = [
        "--label",
        "cc-ci.gate=aaaaaaaaaaaaaaaa",
        "--label",
        "cc-ci.run=bbbbbbbbbbbb",
        "--label",
        "cc-ci.stack=other_app",
    ];
    let theirs = ["create", "--name", "theirs", "--network", "none"];
    let stack = ["--label", "com.docker.stack.namespace=other_app"];
    lab.docker(&[&theirs[..], &labels, &["lab/web:1.0.0"]].concat());
    lab.docker(&[&["volume", "create"], &stack[..], &["other_app_data"]].concat());
    let before = lab.inventory();
    let swept = said(&mut lab.cc_ci(&["sweep", "--target", lab.name]));
    assert!(swept.contains("nothing to sweep"), "{swept}");
    lab.run("good", &[]).finish().assert(0, "green");
    assert_eq!(lab.inventory(), before);
    lab.docker(&["rm", "--volumes", "theirs"]);
    lab.docker(&["volume", "rm", "other_app_data"]);
    lab.assert_untouched();
}

#[test]
fn s65_what_nobody_knows_or_cannot_be_removed_quarantines_the_target_until_it_is_gone() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    let serving = organisation.serve(&lab);
    pull.say("maintainer", "!testme --only install");
    // Somebody takes hold of the app's volume: it cannot be removed, and the holder is unknown.
    let volume = until("the app's volume", || {
        let names = lab.docker(&["volume", "ls", "--quiet"]);
        names.lines().find(|name| name.ends_with("_data")).map(str::to_owned)
    });
    lab.docker(&["create", "--name", "holder", "--volume", &format!("{volume}:/held"), "lab/web:1.0.0"]);
    let answer = pull.wait_for("### ✓ good", 1).pop().unwrap();
    assert!(answer.contains("left behind: container holder, volume "), "{answer}");
    let targets = |text: &str| {
        until(text, || Some(organisation.page(&serving, "/targets").1).filter(|page| page.contains(text)));
    };
    targets("quarantined");
    targets("left behind: container holder");

    // Nothing starts there meanwhile; when the holder is gone the rest is swept, by whose it is.
    pull.say("maintainer", "!testme --only install");
    pull.wait_for("No test target is in order", 1);
    lab.docker(&["rm", "--volumes", "holder"]);
    // The second verdict folds the first.
    let answer = pull.wait_for("nothing left behind", 1).pop().unwrap();
    assert!(answer.contains("### ✓ good") && answer.contains("Earlier: run 1 ✓ green"), "{answer}");
    lab.assert_untouched();
}
