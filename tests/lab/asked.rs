//! What a comment asks for besides: other tests, one stage, another base.

use crate::support::forge::Organisation;
use crate::support::{edited, lab};

#[test]
fn s17_s91_tests_of_the_change_stages_and_base_are_used_when_asked_for_and_said() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    organisation.tag("good", "1.0.0+1.0.0");
    let compose = std::fs::read_to_string("tests/recipes/good/compose.yml").unwrap();
    let next = edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.1.0"), ("lab/web:1.0.0", "lab/web:1.1.0")]);
    let check = "[[check]]\nname = 'a page of the future'\nhttp = { path = '/nowhere' }\n";
    let files = [("compose.yml", next.as_str()), ("tests/cc-ci.toml", check)];
    let pull = organisation.change_files("good", "change", &files);
    let serving = organisation.serve(&lab);
    organisation.wait_for_first_poll(&serving);

    // What the change says of its own tests is ignored, and that is said.
    pull.say("maintainer", "!testme --only install,checks");
    let ignored = pull.wait_for("is green", 1).pop().unwrap();
    assert!(ignored.contains("`--only install,checks`"), "{ignored}");
    assert!(ignored.contains("the `tests/cc-ci.toml` under test says nothing about this run"), "{ignored}");
    assert!(ignored.contains("upgrade: not asked for (`--only`)"), "{ignored}");

    // Unless a maintainer asks for them: then the headline says so.
    pull.say("maintainer", "!testme --only checks --with-tests");
    let used = pull.wait_for("is red", 1).pop().unwrap();
    let headline = used.lines().next().unwrap();
    assert!(headline.contains("--with-tests"), "{headline}");
    assert!(used.contains("“a page of the future” does not hold"), "{used}");

    pull.say("maintainer", "!testme --base 9.9.9+1");
    pull.wait_for("is no published version; there are 1.0.0+1.0.0", 1);
    pull.say("maintainer", "!testme --base 1.0.0+1.0.0 --only upgrade");
    let upgraded = pull.wait_for("upgrades from 1.0.0+1.0.0", 1).pop().unwrap();
    assert!(upgraded.lines().next().unwrap().contains("--base 1.0.0+1.0.0"), "{upgraded}");
    lab.assert_untouched();
}
