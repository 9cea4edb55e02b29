//! Images: what a registry says decides whose fault it is, before anything is deployed; what it gives slowly is waited for.

use std::process::Command;
use std::time::{Duration, Instant};

use cc_ci::domain::finding::{Class, Finding, FindingKind as Kind};
use cc_ci::domain::results::{Pull, Store};
use cc_ci::domain::stage::Rung;

use crate::support::registry::Repository;
use crate::support::{Finished, Lab, Recipe, figure, lab, said, until};

/// From the question to the finding, at most.
const SECONDS: f64 = 5.0;

/// A recipe with a service for each image. Nothing listens for the proxy.
fn recipe(images: &[(&str, &str)]) -> Recipe {
    let services = images.iter().map(|(name, image)| format!("  {name}:\n    image: {image}\n")).collect::<String>();
    Recipe::of("images", &format!("services:\n{services}"))
}

fn run_with(image: &str) -> Finished {
    let (lab, recipe) = (lab(), recipe(&[("app", image)]));
    let run = lab.run_in(&recipe.path(), &[]).finish();
    lab.assert_untouched();
    run
}

/// The one finding: in time, about `app`, and before any deploy.
fn decided<'a>(case: &str, run: &'a Finished) -> &'a Finding {
    let results = run.results();
    let [found] = results.findings.as_slice() else { panic!("{}", run.told()) };
    let asked =
        results.timings.iter().find(|timing| timing.phase == "pull").unwrap_or_else(|| panic!("{}", run.told()));
    // Two clocks, one of them corrected by the other: a moment may be less than nothing.
    let seconds = found.at.duration_since(asked.start).as_secs_f64().max(0.0);
    figure(&format!("s23 {case}"), "from the question to the finding", seconds, "s");
    assert!(seconds < SECONDS, "{}", run.told());
    assert_eq!((found.service.as_deref(), found.rung), (Some("app"), Some(Rung::Install)), "{}", run.told());
    assert_eq!(results.deploys.fresh, 0, "{}", run.told());
    assert!(!run.log.iter().any(|record| record.text.starts_with("docker stack deploy")), "{}", run.told());
    found
}

fn assert_is(case: &str, run: &Finished, kind: Kind, class: Class, said: &str) {
    match class {
        Class::Recipe | Class::Unknown => run.assert(1, "red"),
        Class::Infra | Class::Tests => run.assert(3, "not_judged"),
    };
    let found = decided(case, run);
    assert_eq!((found.kind, found.class), (kind, class), "{}", run.told());
    assert!(found.sentence.contains(said), "{}", found.sentence);
}

#[test]
fn s23_an_image_that_does_not_exist_is_the_recipes_fault() {
    let run = run_with("registry.lab:5000/lab/absent:1");
    assert_is("missing", &run, Kind::ImageMissing, Class::Recipe, "registry.lab:5000/lab/absent:1 does not exist");
}

#[test]
fn s23_a_used_up_pull_limit_is_nobodys_fault() {
    let run = run_with("registry.lab:5000/limited/x:1");
    assert_is(
        "limit",
        &run,
        Kind::RegistryLimit,
        Class::Infra,
        "pull limit is reached for registry.lab:5000/limited/x:1",
    );
}

#[test]
fn s23_an_unknown_or_private_image_is_the_recipes_fault() {
    let run = run_with("registry.lab:5000/private/x:1");
    assert_is("private", &run, Kind::ImageDenied, Class::Recipe, "is an unknown or private image");
    let run = run_with("registry.lab:5000/denied/x:1");
    assert_is("denied", &run, Kind::ImageDenied, Class::Recipe, "is an unknown or private image");
}

#[test]
fn s23_an_image_that_is_denied_although_the_base_uses_it_is_nobodys_fault() {
    let recipe = recipe(&[("app", "registry.lab:5000/denied/x:1")]);
    for arguments in [&["init", "--quiet"][..], &["add", "."], &["commit", "--quiet", "--message", "the base"]] {
        let who = ["-c", "user.name=someone", "-c", "user.email=someone@example.org"];
        said(Command::new("git").arg("-C").arg(recipe.path()).args(who).args(arguments));
    }
    recipe.write("compose.yml", &recipe.read("compose.yml").replace("denied/x:1", "denied/x:2"));
    let lab = lab();
    let run = lab.run_in(&recipe.path(), &["--base", "HEAD"]).finish();
    lab.assert_untouched();
    let said = "refuses registry.lab:5000/denied/x:2 to the target, although the base uses it too";
    assert_is("denied, base too", &run, Kind::RegistryDenied, Class::Infra, said);
}

#[test]
fn s23_a_registry_that_is_out_of_order_is_nobodys_fault() {
    for (case, image, said) in [
        ("503", "registry.lab:5000/broken/x:1", "the registry registry.lab:5000 is out of order"),
        ("name", "registry.invalid/x:1", "does not find the registry registry.invalid by its name"),
    ] {
        assert_is(case, &run_with(image), Kind::RegistryDenied, Class::Infra, said);
    }
}

#[test]
fn s23_a_missing_image_does_not_wait_for_the_pull_of_another() {
    let large = Repository::push("slow/beside-a-missing-one", 60 << 20);
    let (lab, recipe) = (lab(), recipe(&[("a", &large.image()), ("app", "registry.lab:5000/lab/absent:1")]));
    let run = lab.run_in(&recipe.path(), &[]).finish();
    lab.assert_untouched();
    assert_is("beside a pull", &run, Kind::ImageMissing, Class::Recipe, "does not exist");
}

/// A good recipe with another image.
fn good_with(image: &str) -> Recipe {
    let recipe = Recipe::copy_of("good");
    let compose = recipe.read("compose.yml");
    recipe.write("compose.yml", &compose.replace("image: lab/web:1.0.0", &format!("image: {image}")));
    recipe
}

fn pull_of<'a>(run: &'a Finished, image: &str) -> &'a Pull {
    let pull = run.results().pulls.iter().find(|pull| pull.image == image);
    pull.unwrap_or_else(|| panic!("{:#?}\n{}", run.results().pulls, run.told()))
}

#[test]
fn s23_s83_a_slow_pull_is_no_stall_and_is_told_apart_from_a_warm_image() {
    let slow = Repository::push("slow/told-apart", 4 << 20);
    let (lab, recipe) = (lab(), good_with(&slow.image()));
    slow.forget(&lab);
    let cold = lab.run_in(&recipe.path(), &[]).finish();
    cold.assert(0, "green");
    let pull = pull_of(&cold, &slow.image());
    assert_eq!((pull.store, pull.services.as_slice()), (Store::Cold, &["app".to_owned()][..]));
    assert!(pull.bytes >= 4 << 20 && pull.ms >= 2_000, "{pull:?}");
    figure("s83 cold", "pull of 4 MiB at 1 MB/s", pull.ms as f64 / 1e3, "s");
    let said = |text: &str| cold.log.iter().filter(|record| record.text.contains(text)).count();
    assert!(said("pulling registry.lab:5000/slow/told-apart:1: ") >= 1, "{}", cold.told());
    assert_eq!(said("pulled registry.lab:5000/slow/told-apart:1: "), 1, "{}", cold.told());
    let ran = &cold.results().images[0];
    assert_eq!((ran.digest.as_ref(), ran.digest.is_some()), (pull.digest.as_ref(), true));

    let warm = lab.run_in(&recipe.path(), &[]).finish();
    warm.assert(0, "green");
    let again = pull_of(&warm, &slow.image());
    assert_eq!((again.store, again.bytes, &again.digest), (Store::Warm, 0, &pull.digest));
    figure("s83 warm", "the same once more", again.ms as f64 / 1e3, "s");
    assert!(again.ms < pull.ms / 2, "{again:?}");

    // What the target has counts, whatever the registry says now.
    let fault = slow.fails("limited");
    let kept = lab.run_in(&recipe.path(), &[]).finish();
    drop(fault);
    kept.assert(0, "green");
    assert_eq!(pull_of(&kept, &slow.image()).store, Store::Warm);
    let warned = kept.results().warnings.iter().any(|warning| warning.contains("pull limit is reached"));
    assert!(warned, "{:?}", kept.results().warnings);
    slow.forget(&lab);
    lab.assert_untouched();
}

/// Connections of the target to port 5000, wherever.
fn connections(lab: &Lab) -> usize {
    let table = String::from_utf8(lab.back_door(&[], &["cat", "/proc/net/tcp"]).output().unwrap().stdout).unwrap();
    table.lines().filter(|line| line.contains(":1388 01 ")).count()
}

#[test]
fn s53_a_cancelled_run_ends_its_pull_on_the_target() {
    let large = Repository::push("slow/cancelled", 60 << 20);
    let (lab, recipe) = (lab(), good_with(&large.image()));
    large.forget(&lab);
    let mut run = lab.run_in(&recipe.path(), &[]);
    run.wait_for("pulling registry.lab:5000/slow/cancelled:1: ");
    let cancelled = Instant::now();
    run.interrupt();
    let run = run.finish();
    run.assert(3, "not_judged");
    let seconds = cancelled.elapsed().as_secs_f64();
    figure("s53 pull", "from the signal to the end of the run", seconds, "s");
    assert!(seconds < 10.0, "{}", run.told());
    until("the end of the pull on the target", || (connections(&lab) == 0).then_some(()));
    assert!(cancelled.elapsed() < Duration::from_secs(30), "the pull went on");
    lab.assert_untouched();
}
