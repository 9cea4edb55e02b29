//! What runs, what will never run, and how soon that is told: on the real thing.

use cc_ci::domain::finding::{Class, Finding, FindingKind};
use jiff::Timestamp;

use crate::support::figures::figure;
use crate::support::recipe::{HEALTHY, Recipe, slow_database, web};
use crate::support::{Deaths, Finished, lab};

/// The finding that decides, with its text as JSON for the message of an assertion.
fn deciding(finished: &Finished) -> &Finding {
    finished.results().findings.first().unwrap_or_else(|| panic!("no finding\n{}", finished.stderr))
}

fn evidence<'a>(finding: &'a Finding, what: &str) -> &'a str {
    let found = finding.evidence.iter().find(|evidence| evidence.what.starts_with(what));
    let Some(found) = found else { panic!("no evidence `{what}` in {finding:#?}") };
    &found.text
}

/// The finding was told within two seconds of the exit that decides it, by Docker's own time of that exit.
fn told_in_time(case: &str, deaths: Deaths, finding: &Finding) {
    let exit: Timestamp = evidence(finding, "deciding exit").parse().unwrap();
    let seen = deaths.end();
    let by_docker = seen.iter().min_by_key(|death| death.duration_since(exit).as_millis().abs()).unwrap();
    assert!(by_docker.duration_since(exit).as_millis().abs() < 500, "the deciding exit {exit} is none of {seen:?}");
    let seconds = finding.at.duration_since(*by_docker).as_secs_f64();
    figure(case, "finding.at minus the deciding exit", seconds, "s");
    assert!((-0.5..=2.0).contains(&seconds), "{case}: told {seconds} s after the deciding exit");
}

fn assert_crash_loop(finished: &Finished, service: &str) {
    finished.assert(1, "red");
    let finding = deciding(finished);
    assert_eq!(
        (finding.kind, finding.class, finding.service.as_deref()),
        (FindingKind::CrashLoop, Class::Recipe, Some(service)),
        "{finding:#?}"
    );
    assert!(finding.sentence.contains("code 1") && finding.sentence.contains(" every "), "{}", finding.sentence);
    assert!(evidence(finding, "last log lines of").contains("fatal: configured to exit with 1"));
}

#[test]
fn s20_crash_loop_of_one_service() {
    let lab = lab();
    let deaths = Deaths::watch(&lab);
    let finished = lab.run("crash-loop", &[]).finish();
    assert_crash_loop(&finished, "app");
    told_in_time("s20 one service", deaths, deciding(&finished));
    lab.assert_untouched();
}

#[test]
fn s20_crash_loop_of_two_services_together() {
    let lab = lab();
    let exits = ["LAB_EXIT_CODE=1", "LAB_EXIT_AFTER=1s"];
    let recipe = Recipe::new("two-loops", &(web("app", &exits, HEALTHY) + &web("worker", &exits, HEALTHY)));
    let deaths = Deaths::watch(&lab);
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    let finding = deciding(&finished);
    assert_eq!(finding.kind, FindingKind::CrashLoop);
    let services: Vec<&str> =
        finished.results().findings.iter().filter_map(|finding| finding.service.as_deref()).collect();
    let told = format!("{services:?} {finding:#?}");
    assert!(told.contains("app") && told.contains("worker"), "both are named: {told}");
    told_in_time("s20 two services", deaths, finding);
    lab.assert_untouched();
}

#[test]
fn s21_exits_until_its_slow_database_with_healthcheck_is_up() {
    waits_for_its_database(
        "{test: [\"CMD\", \"pg_isready\", \"-q\", \"-h\", \"127.0.0.1\"], interval: 2s, timeout: 5s, retries: 3, start_period: 90s}",
    );
}

#[test]
fn s21_exits_until_its_slow_database_without_healthcheck_is_up() {
    waits_for_its_database("{disable: true}");
}

fn waits_for_its_database(healthcheck: &str) {
    let lab = lab();
    let environment = ["DATABASE_HOST=db", "DATABASE_PASSWORD_FILE=/run/secrets/db_password"];
    let app = web("app", &environment, &format!("    secrets: [db_password]\n{HEALTHY}"));
    let recipe = Recipe::new("slow-database", &(app + &slow_database(40, healthcheck)));
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    let exits = finished.results().marks.iter().filter(|mark| mark.what == "app exits with 1").count();
    assert!(exits >= 4, "the app was meant to exit until the database is up, and did so {exits} times");
    lab.assert_untouched();
}

#[test]
fn s34_exits_every_six_seconds_but_looks_good_in_between() {
    let lab = lab();
    let app = web(
        "app",
        &["LAB_EXIT_CODE=1", "LAB_EXIT_AFTER=6s"],
        &format!("{HEALTHY}    deploy: {{restart_policy: {{condition: any, delay: 0s}}}}\n"),
    );
    let recipe = Recipe::new("good-for-six-seconds", &app);
    let deaths = Deaths::watch(&lab);
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    assert_crash_loop(&finished, "app");
    assert!(
        finished.results().marks.iter().any(|mark| mark.what.contains("healthy"))
            || finished.log.iter().any(|record| record.text.contains("it has run for")),
        "it looked good in between"
    );
    told_in_time("s34 six good seconds", deaths, deciding(&finished));
    lab.assert_untouched();
}

#[test]
fn s15_one_shots_scale_zero_replicas_and_global_converge() {
    let lab = lab();
    let shot = |name: &str, command: &str, condition: &str, more: &str| {
        format!(
            "  {name}:\n    image: lab/web:1.0.0\n    command: {command}\n    healthcheck: {{disable: true}}\n{more}    deploy: {{restart_policy: {{condition: {condition}, delay: 1s}}}}\n"
        )
    };
    let services = [
        web("app", &[], &format!("{HEALTHY}    deploy: {{replicas: 2, update_config: {{order: start-first}}}}\n")),
        web("everywhere", &[], &format!("{HEALTHY}    deploy: {{mode: global}}\n")),
        web("idle", &[], "    deploy: {replicas: 0}\n"),
        shot("migrate", "[\"true\"]", "on-failure", ""),
        shot("once", "[\"true\"]", "none", ""),
        shot(
            "second-try",
            "[\"sh\", \"-c\", \"test -e /data/tried || { touch /data/tried; exit 1; }\"]",
            "on-failure",
            "    volumes: [\"data:/data\"]\n",
        ),
    ];
    let recipe = Recipe::new("all-kinds", &services.concat());
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(0, "green");
    assert!(
        finished.results().verified.iter().any(|line| line.contains("6 services")),
        "{:?}",
        finished.results().verified
    );
    let failed_once = finished.results().marks.iter().filter(|mark| mark.what == "second-try exits with 1").count();
    assert_eq!(failed_once, 1);
    lab.assert_untouched();
}

#[test]
fn s15_exit_zero_for_ever_under_any_is_told() {
    let lab = lab();
    let recipe = Recipe::new(
        "returns",
        "  app:\n    image: lab/web:1.0.0\n    command: [\"true\"]\n    healthcheck: {disable: true}\n",
    );
    let deaths = Deaths::watch(&lab);
    let finished = lab.run_in(&recipe.path(), &[]).finish();
    finished.assert(1, "red");
    assert_eq!(deciding(&finished).kind, FindingKind::ExitsAtOnce);
    told_in_time("s15 exits at once", deaths, deciding(&finished));
    lab.assert_untouched();
}

#[test]
fn s23_an_image_that_is_missing_and_one_that_is_limited() {
    let lab = lab();
    let image = |image: &str| format!("  app:\n    image: {image}\n");
    let missing = lab.run_in(&Recipe::new("missing", &image("registry.lab:5000/lab/absent:1")).path(), &[]).finish();
    missing.assert(1, "red");
    assert_eq!((deciding(&missing).kind, deciding(&missing).class), (FindingKind::ImageMissing, Class::Recipe));
    assert!(deciding(&missing).sentence.contains("registry.lab:5000/lab/absent:1"), "{}", deciding(&missing).sentence);

    let limited = lab.run_in(&Recipe::new("limited", &image("registry.lab:5000/limited/x:1")).path(), &[]).finish();
    limited.assert(3, "not_judged");
    assert_eq!((deciding(&limited).kind, deciding(&limited).class), (FindingKind::RegistryLimit, Class::Infra));

    let private = lab.run_in(&Recipe::new("private", &image("registry.lab:5000/private/x:1")).path(), &[]).finish();
    private.assert(1, "red");
    assert_eq!(deciding(&private).kind, FindingKind::ImageDenied);
    lab.assert_untouched();
}
