//! Services that exit again and again: red at once, for that reason, and not a moment late.

use std::time::Duration;

use cc_ci::domain::finding::{Finding, FindingKind};

use crate::support::judged::{self, evidence, of};
use crate::support::{Ending, Endings, Finished, Recipe, figure, lab};

/// From the deciding exit to the verdict, at most.
const AT_MOST: Duration = Duration::from_secs(2);
/// From the verdict to a target that the next run may have, in seconds.
const FREE_WITHIN: f64 = 15.0;
/// Exits that make a loop.
const ENOUGH: usize = 3;

/// The finding that decided, before anything had converged.
fn headline<'a>(run: &'a Finished, kind: FindingKind, service: &str) -> &'a Finding {
    assert!(run.log.iter().all(|record| !record.text.starts_with("converged:")), "{}", run.told());
    judged::headline(run, kind, service)
}

/// Shows how long after this exit the verdict was there, and asserts that it was soon enough.
fn assert_soon(case: &str, finding: &Finding, deciding: &Ending, exits: usize) {
    let proof = format!("the end of exit {exits} of {}", deciding.service);
    judged::assert_soon(case, finding, &proof, deciding.at, AT_MOST);
}

/// The mean time from exit to exit, by Docker.
fn period(exits: &[&Ending]) -> f64 {
    let whole = exits[exits.len() - 1].at.duration_since(exits[0].at).as_secs_f64();
    whole / (exits.len() - 1) as f64
}

/// Asserts that the sentence's "every N s" is the period that Docker tells.
fn assert_period(finding: &Finding, exits: &[&Ending]) {
    let (_, rest) = finding.sentence.split_once(" every ").unwrap_or_else(|| panic!("{}", finding.sentence));
    let told: f64 = rest.split(' ').next().and_then(|number| number.parse().ok()).unwrap_or(f64::NAN);
    assert!((told - period(exits)).abs() <= 0.6, "{} but {:.1} s", finding.sentence, period(exits));
}

#[test]
fn s20_one_service_exits_every_six_seconds() {
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run("crash-loop", &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::CrashLoop, "app");
    let exits = of(&endings, "app", finding.at);
    assert!(exits.len() >= ENOUGH && exits.iter().all(|exit| exit.code == 1), "{exits:?}");
    let deciding = exits[exits.len() - 1];
    assert_eq!(evidence(finding, "deciding exit"), deciding.at.to_string());
    assert_soon("s20 one looper", finding, deciding, exits.len());
    assert!(finding.sentence.starts_with("app exits with code 1 every "), "{}", finding.sentence);
    assert_period(finding, &exits);
    assert_eq!(evidence(finding, "exits of app").lines().count(), exits.len(), "{finding:#?}");
    let lines = evidence(finding, "last log lines of app");
    assert!(lines.ends_with("fatal: configured to exit with 1 after 1s"), "{lines}");
    let freed = run.results().finished.duration_since(finding.at).as_secs_f64();
    figure("s20 one looper", "from the verdict to a free target", freed, "s");
    assert!(freed < FREE_WITHIN, "the target was free only {freed} s after the verdict");
    lab.assert_untouched();
}

/// `app` depends on `worker`, so that `worker` is named first; whichever comes third last decides.
#[test]
fn s20_two_services_loop_together() {
    let recipe = Recipe::of(
        "two-loopers",
        r#"
services:
  app:
    image: lab/web:1.0.0
    environment:
      LAB_EXIT_CODE: "1"
      LAB_EXIT_AFTER: 2s
    depends_on:
      - worker
  worker:
    image: lab/web:1.0.0
    environment:
      LAB_EXIT_CODE: "7"
      LAB_EXIT_AFTER: 1s
"#,
    );
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::CrashLoop, "worker");
    assert!(finding.sentence.starts_with("worker exits with code 7 every "), "{}", finding.sentence);
    let (app, worker) = (of(&endings, "app", finding.at), of(&endings, "worker", finding.at));
    assert!(app.len() >= ENOUGH && worker.len() >= ENOUGH, "{app:?}\n{worker:?}");
    assert!(app.iter().all(|exit| exit.code == 1) && worker.iter().all(|exit| exit.code == 7));
    assert_period(finding, &worker);
    let deciding = if app[ENOUGH - 1].at > worker[ENOUGH - 1].at { app[ENOUGH - 1] } else { worker[ENOUGH - 1] };
    assert_soon("s20 two loopers", finding, deciding, ENOUGH);
    assert_eq!(evidence(finding, "deciding exit"), deciding.at.to_string());
    assert_eq!(evidence(finding, "other services that exit"), format!("app: {} exits", app.len()));
    assert!(evidence(finding, "last log lines of worker").ends_with("fatal: configured to exit with 7 after 1s"));
    lab.assert_untouched();
}

/// Each life is long enough for three looks at a running, healthy task; none is long enough to be good.
#[test]
fn s34_exits_every_six_seconds_though_healthy_each_time() {
    let recipe = Recipe::of(
        "lives-six-seconds",
        r#"
services:
  app:
    image: lab/web:1.0.0
    environment:
      LAB_EXIT_AFTER: 6s
    healthcheck:
      test: ["CMD", "web", "healthcheck"]
      interval: 1s
      timeout: 2s
      retries: 3
    deploy:
      restart_policy:
        delay: 0s
"#,
    );
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::CrashLoop, "app");
    let exits = of(&endings, "app", finding.at);
    for exit in &exits {
        let healthy = exit.healthy.unwrap_or_else(|| panic!("was never healthy: {exit:?}"));
        // The gate looks every half second at least.
        assert!(exit.at.duration_since(healthy).as_secs_f64() >= 3.0, "healthy too late for the scenario: {exit:?}");
    }
    assert_eq!(exits.len(), ENOUGH, "{exits:?}");
    assert_eq!(evidence(finding, "deciding exit"), exits[ENOUGH - 1].at.to_string());
    assert_period(finding, &exits);
    assert_soon("s34 healthy in between", finding, exits[ENOUGH - 1], ENOUGH);
    lab.assert_untouched();
}

/// The peer is healthy within seconds, so that the third exit decides.
#[test]
fn s15_exit_0_for_ever_is_no_convergence() {
    let recipe = Recipe::of(
        "returns-at-once",
        r#"
services:
  app:
    image: lab/web:1.0.0
    healthcheck:
      test: ["CMD", "web", "healthcheck"]
      interval: 1s
  job:
    image: lab/web:1.0.0
    command: ["sh", "-c", "echo done"]
    deploy:
      restart_policy:
        condition: any
"#,
    );
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::ExitsAtOnce, "job");
    let exits = of(&endings, "job", finding.at);
    assert!(exits.iter().all(|exit| exit.code == 0), "{exits:?}");
    assert_eq!(exits.len(), ENOUGH, "{exits:?}");
    assert_soon("s15 exits with 0", finding, exits[ENOUGH - 1], ENOUGH);
    lab.assert_untouched();
}
