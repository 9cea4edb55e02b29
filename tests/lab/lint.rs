//! Lint in a run: only what is new since the base turns it red.

use cc_ci::domain::finding::FindingKind;
use cc_ci::domain::results::Severity;
use cc_ci::domain::stage::{RungState, Stage};

use crate::support::{Recipe, edited, lab};

#[test]
fn s13_a_config_that_changed_without_its_version_is_red_before_anything_is_deployed() {
    let lab = lab();
    let recipe = Recipe::copy_of("notes");
    recipe.publish("1.0.0+1.0.0");
    let compose = recipe.read("compose.yml");
    recipe.write("compose.yml", &edited(&compose, &[("1.0.0+1.0.0", "1.1.0+1.0.0")]));
    recipe.write("app.conf.tmpl", &format!("{}# changed\n", recipe.read("app.conf.tmpl")));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let results = finished.results();
    assert_eq!(results.findings.len(), 1, "{:?}", results.findings);
    assert_eq!((results.findings[0].kind, results.findings[0].stage), (FindingKind::LintError, Stage::Lint));
    assert_eq!(
        results.sentence,
        "abra.sh:1: `app.conf.tmpl`, the file of config `app_conf`, has changed since 1.0.0+1.0.0, but `APP_CONF_VERSION` in `abra.sh` is still `v1`"
    );
    assert_eq!(results.recipe.base.as_ref().and_then(|base| base.version.as_deref()), Some("1.0.0+1.0.0"));
    assert_eq!((results.deploys.fresh, results.deploys.upgrade), (0, 0));
    lab.assert_untouched();
}

#[test]
fn s14_an_error_that_the_base_has_is_listed_and_turns_nothing_red() {
    let lab = lab();
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    // Docker fills it in before it looks at it; abra does not.
    let old = edited(&compose, &[("start_period: 30s", "start_period: ${START_PERIOD:-30s}")]);
    recipe.write("compose.yml", &old);
    recipe.publish("1.0.0+1.0.0");
    recipe.write("compose.yml", &edited(&old, &[("1.0.0+1.0.0", "1.0.1+1.0.0")]));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let results = finished.results();
    let errors: Vec<_> = results.lint.iter().filter(|line| line.severity == Severity::Error).collect();
    assert!(matches!(errors.as_slice(), [one] if !one.new && one.rule == "C007"), "{errors:?}");
    assert_eq!(results.rungs.lint.state, RungState::Pass);
    assert_eq!(results.rungs.lint.reason, "27 rules, 1 error was there already, 0 hints");
    lab.assert_untouched();
}
