use super::*;
use crate::domain::results::{Pull, Timing, conclude, samples};
use crate::domain::stage::RungState;

fn side(results: &Results) -> Side<'_> {
    Side { results, settings: None, log: None }
}

fn compared(this: &Results, other: &Results) -> Comparison {
    compare(&Pair { this: side(this), other: side(other) })
}

fn good() -> Results {
    conclude(samples::good())
}

#[test]
fn a_run_is_the_same_as_itself() {
    let run = good();
    let found = compared(&run, &run);
    assert!(found.facts.iter().all(|fact| fact.same) && found.rungs.is_empty());
    assert_eq!((found.findings.this.len(), found.times.phases.len(), found.times.folded_ms), (0, 0, 0));
    assert!(found.images.iter().all(|image| image.change == ImageChange::Same));
    assert_eq!((found.settings, found.log), (None, None), "they were not kept");
}

#[test]
fn what_differs_between_red_and_green_is_told() {
    let (red, green) = (conclude(samples::crash_loop()), good());
    let found = compared(&red, &green);
    let differ: Vec<_> = found.facts.iter().filter(|fact| !fact.same).map(|fact| fact.name).collect();
    assert_eq!(differ, ["recipe", "source", "head", "took"]);
    let rungs: Vec<_> = found.rungs.iter().map(|it| (it.rung, it.results.this.state)).collect();
    assert!(rungs.contains(&(Rung::Install, RungState::Fail)), "{rungs:?}");
    assert_eq!(found.findings.this[0].kind, FindingKind::CrashLoop);
    assert!(found.findings.other.is_empty());
    let times: Vec<_> = found.times.phases.iter().map(|it| (it.phase.as_str(), it.difference_ms)).collect();
    let told = [("converge", 6_990), ("teardown", -720), ("ready", -640), ("runner", -600)];
    assert_eq!(times, told);
    assert_eq!((found.times.folded, found.times.folded_ms), (6, -200 - 410 - 20));
    assert_eq!(found.times.phases[2].ms, Pair { this: None, other: Some(640) });
}

#[test]
fn images_differ_by_name_by_digest_or_by_being_there() {
    let mut this = good();
    let mut other = good();
    let image = |service: &str, image: &str, digest: Option<&str>| Image {
        service: service.into(),
        image: image.into(),
        digest: digest.map(str::to_owned),
    };
    this.images = vec![
        image("app", "notes:2", Some("sha256:a")),
        image("cache", "redis:7", Some("sha256:b")),
        image("db", "postgres:16", Some("sha256:c")),
        image("new", "worker:1", None),
        image("odd", "odd:1", None),
    ];
    other.images = vec![
        image("app", "notes:1", Some("sha256:a")),
        image("cache", "redis:7", Some("sha256:x")),
        image("db", "postgres:16", Some("sha256:c")),
        image("odd", "odd:1", Some("sha256:d")),
        image("old", "cron:1", Some("sha256:e")),
    ];
    let told: Vec<_> = compared(&this, &other).images.into_iter().map(|it| (it.service, it.change)).collect();
    let expected = [
        ("app", ImageChange::Renamed),
        ("cache", ImageChange::Moved),
        ("new", ImageChange::Added),
        ("old", ImageChange::Removed),
        ("odd", ImageChange::Unknown),
        ("db", ImageChange::Same),
    ];
    assert_eq!(told, expected.map(|(service, change)| (service.to_owned(), change)));
}

#[test]
fn before_a_deploy_the_images_that_it_needs_are_compared() {
    let mut this = good();
    this.images.clear();
    this.pulls[0] = Pull { digest: Some("sha256:moved".into()), ..this.pulls[0].clone() };
    let found = compared(&this, &good());
    assert_eq!(found.images.iter().map(|it| it.change).collect::<Vec<_>>(), [ImageChange::Moved]);
}

#[test]
fn a_flood_is_bounded() {
    let (mut this, other) = (conclude(samples::crash_loop()), good());
    let finding = this.findings[0].clone();
    this.findings = (0..500).map(|n| finding.clone().about(format!("s{n}"))).collect();
    this.images = (0..500).map(|n| Image { service: format!("s{n}"), ..other.images[0].clone() }).collect();
    let timing = |n: i64| Timing { phase: format!("p{n}"), start: samples::at(n), ms: 900, by: By::Docker };
    this.timings = (0..500).map(timing).collect();
    this.recipe.head.source = "x".repeat(10_000);
    let found = compared(&this, &other);
    assert_eq!((found.findings.this.len(), found.images.len(), found.times.phases.len()), (MOST, MOST, MOST));
    assert!(found.facts.iter().all(|fact| fact.values.this.len() <= LONGEST));
}
