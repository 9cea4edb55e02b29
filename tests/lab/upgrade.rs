//! Head over an older version: what its operators will do.

use cc_ci::domain::finding::FindingKind;
use cc_ci::domain::stage::{RungState, Stage};

use crate::support::{Recipe, edited, lab};

/// A published good recipe whose next version is being written.
fn published() -> (Recipe, String) {
    let recipe = Recipe::copy_of("good");
    recipe.publish("1.0.0+1.0.0");
    let compose =
        edited(&recipe.read("compose.yml"), &[("1.0.0+1.0.0", "1.1.0+1.1.0"), ("lab/web:1.0.0", "lab/web:1.1.0")]);
    recipe.write("compose.yml", &compose);
    (recipe, compose)
}

#[test]
fn s01_head_is_deployed_over_the_base_and_then_onto_nothing() {
    let lab = lab();
    let (recipe, _) = published();
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.rungs.upgrade.state, RungState::Pass, "{:?}", results.rungs.upgrade);
    assert!(
        results.sentence.contains("1.1.0+1.1.0 +U upgrades from 1.0.0+1.0.0, installs and comes back from its backup"),
        "{}",
        results.sentence
    );
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1));
    assert!(results.findings.is_empty(), "{:?}", results.findings);
    lab.assert_untouched();
}

#[test]
fn s03_nothing_older_is_no_upgrade_to_show() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    recipe.publish("1.0.0+1.0.0");
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.rungs.upgrade.state, RungState::NotApplicable);
    assert_eq!(results.rungs.upgrade.reason, "no published version is older than this one");
    // The second is for the backup to come back into.
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 0));
    assert_eq!(results.rungs.backup.state, RungState::Pass, "{:?}", results.rungs.backup);
    lab.assert_untouched();
}

#[test]
fn s04_a_base_that_does_not_deploy_any_more_turns_nothing_red() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    recipe.write("compose.yml", &edited(&compose, &[("lab/web:1.0.0", "lab/gone:1.0.0")]));
    recipe.publish("1.0.0+1.0.0");
    recipe.write("compose.yml", &edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    let upgrade = &results.rungs.upgrade;
    assert_eq!(upgrade.state, RungState::NotVerified);
    assert!(upgrade.reason.starts_with("base 1.0.0+1.0.0 does not deploy: "), "{}", upgrade.reason);
    assert_eq!(results.findings[0].stage, Stage::Base);
    assert_eq!(results.findings[0].kind, FindingKind::ImageMissing);
    lab.assert_untouched();
}

#[test]
fn s04_the_next_older_version_is_the_base_when_the_first_choice_does_not_deploy() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    recipe.publish("1.0.0+1.0.0");
    let gone = edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0"), ("lab/web:1.0.0", "lab/gone:1.0.0")]);
    recipe.write("compose.yml", &gone);
    recipe.publish("1.1.0+1.0.0");
    recipe.write("compose.yml", &edited(&compose, &[("1.0.0+1.0.0", "1.2.0+1.0.0")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.rungs.upgrade.state, RungState::Pass, "{:?}", results.rungs.upgrade);
    assert_eq!(results.recipe.base.as_ref().unwrap().version.as_deref(), Some("1.0.0+1.0.0"));
    let why = &results.recipe.base_why;
    assert!(why.starts_with("the next older one, since 1.1.0+1.0.0 does not deploy: "), "{why}");
    assert!(why.contains("lab/gone:1.0.0"), "{why}");
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (3, 1));
    assert!(results.findings.is_empty(), "{:?}", results.findings);
    lab.assert_untouched();
}

#[test]
fn s05_a_head_of_the_version_that_is_published_already_steps_back_to_the_one_before() {
    let lab = lab();
    let (recipe, compose) = published();
    recipe.publish("1.1.0+1.1.0");
    // Something else changes, and the version stays.
    recipe.write("compose.yml", &edited(&compose, &[("WEB_TITLE=${TITLE}", "WEB_TITLE=${TITLE} once more")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.recipe.base.as_ref().unwrap().version.as_deref(), Some("1.0.0+1.0.0"));
    assert_eq!(results.recipe.base_why, "the newest published version older than this one");
    assert_eq!(results.rungs.upgrade.state, RungState::Pass);
    lab.assert_untouched();
}

#[test]
fn s07_an_upgrade_that_swarm_rolls_back_is_red_with_the_new_tasks_failure() {
    let lab = lab();
    let (recipe, compose) = published();
    // The old task is healthy and goes on; the new one exits at once.
    let exits = "WEB_TITLE=${TITLE}\n      - LAB_EXIT_CODE=7\n      - LAB_EXIT_AFTER=1s";
    let broken = edited(&compose, &[("WEB_TITLE=${TITLE}", exits)]);
    recipe.write("compose.yml", &broken);
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.rungs.upgrade.state, RungState::Fail, "{:?}", results.rungs.upgrade);
    assert_eq!(results.findings[0].stage, Stage::Upgrade);
    println!("s07: {:?}: {}", results.findings[0].kind, results.findings[0].sentence);
    assert!(results.findings.iter().any(|finding| finding.stage == Stage::Install), "it does not install either");
    lab.assert_untouched();
}

#[test]
fn s18_a_variable_that_every_operator_must_set_turns_the_upgrade_red_and_not_the_install() {
    let lab = lab();
    let (recipe, compose) = published();
    recipe.write("compose.yml", &edited(&compose, &[("WEB_TITLE=${TITLE}", "WEB_TITLE=${TITLE} ${MOTTO}")]));
    recipe.write(".env.sample", &format!("{}MOTTO=calm\nSMTP_HOST=\n", recipe.read(".env.sample")));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.findings.len(), 1, "{:?}", results.findings);
    assert_eq!(results.findings[0].kind, FindingKind::VariableMissing);
    assert!(results.sentence.contains("must set MOTTO before they upgrade"), "{}", results.sentence);
    assert_eq!(results.rungs.upgrade.state, RungState::Fail);
    assert_eq!(results.rungs.install.state, RungState::Pass);
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 0), "it was not deployed");
    lab.assert_untouched();
}

#[test]
fn s19_a_secret_that_head_adds_is_made_and_named_as_a_step_by_hand() {
    let lab = lab();
    let (recipe, compose) = published();
    let with_secret = edited(
        &compose,
        &[(
            "    networks:\n      - proxy\n    volumes",
            "    networks:\n      - proxy\n    secrets:\n      - token\n    volumes",
        )],
    );
    let secret = "\nsecrets:\n  token:\n    external: true\n    name: ${STACK_NAME}_token_${SECRET_TOKEN_VERSION}\n";
    recipe.write("compose.yml", &format!("{with_secret}{secret}"));
    recipe.write(".env.sample", &format!("{}SECRET_TOKEN_VERSION=v1 # length=20\n", recipe.read(".env.sample")));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    assert_eq!(results.rungs.upgrade.state, RungState::Pass);
    let by_hand = "upgrade from 1.0.0+1.0.0: by hand, set SECRET_TOKEN_VERSION and generate the secrets";
    assert!(results.warnings.iter().any(|warning| warning == by_hand), "{:?}", results.warnings);
    lab.assert_untouched();
}

#[test]
fn s29_killed_in_base_upgrade_and_destroy_a_run_goes_on() {
    let lab = lab();
    let (recipe, _) = published();
    for moment in ["docker stack deploy", "upgrade in place", "destroyed stack"] {
        let mut running = lab.run_in(&recipe.path(), &[]);
        running.wait_for(moment);
        let id = running.id();
        assert!(running.kill(), "it was killed after {moment}");
        let finished = lab.resume(&id).finish();
        finished.assert(0, "green");
        let results = finished.results();
        assert_eq!((results.deploys.fresh, results.deploys.upgrade), (2, 1), "after {moment}");
        assert_eq!(results.rungs.upgrade.state, RungState::Pass, "after {moment}");
        lab.assert_untouched();
    }
}
