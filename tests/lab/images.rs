//! Images that a registry does not give: the registry's own answer decides whose fault that is.

use cc_ci::domain::finding::{Class, Finding, FindingKind};

use crate::support::{Finished, Recipe, lab};

/// From the start of the deploy to the finding, at most.
const SECONDS: i64 = 10;

fn run_with(image: &str) -> Finished {
    let recipe = Recipe::of("no-image", &format!("services:\n  app:\n    image: {image}\n"));
    let lab = lab();
    let run = lab.run_in(&recipe.path(), &[]).finish();
    lab.assert_untouched();
    run
}

fn decided(run: &Finished) -> &Finding {
    let found = run.results().findings.first().unwrap_or_else(|| panic!("no finding: {}", run.told()));
    let deploy = run.log.iter().find(|record| record.text.starts_with("docker stack deploy"));
    let deploy = deploy.unwrap_or_else(|| panic!("no deploy: {}", run.told()));
    assert!(found.at.duration_since(deploy.at).as_secs() < SECONDS, "{}", run.told());
    assert_eq!(found.service.as_deref(), Some("app"));
    found
}

#[test]
fn s23_an_image_that_does_not_exist_is_the_recipes_fault() {
    let run = run_with("registry.lab:5000/lab/absent:1");
    run.assert(1, "red");
    let found = decided(&run);
    assert_eq!((found.kind, found.class), (FindingKind::ImageMissing, Class::Recipe), "{}", run.told());
    assert!(found.sentence.contains("registry.lab:5000/lab/absent:1"), "{}", found.sentence);
}

#[test]
fn s23_a_used_up_pull_limit_is_nobodys_fault() {
    let run = run_with("registry.lab:5000/limited/x:1");
    run.assert(3, "not_judged");
    let found = decided(&run);
    assert_eq!((found.kind, found.class), (FindingKind::RegistryLimit, Class::Infra), "{}", run.told());
    assert!(found.sentence.contains("registry.lab:5000/limited/x:1"), "{}", found.sentence);
}

#[test]
fn s23_a_private_image_is_the_recipes_fault() {
    let run = run_with("registry.lab:5000/private/x:1");
    run.assert(1, "red");
    let found = decided(&run);
    assert_eq!((found.kind, found.class), (FindingKind::ImageDenied, Class::Recipe), "{}", run.told());
}
