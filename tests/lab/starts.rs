//! Deploys that look odd on their way and end well.

use cc_ci::domain::stage::RungState;

use crate::support::{Endings, Finished, Recipe, lab};

/// An app that exits with 1 until its database answers, which takes 40 s.
fn waits_for_its_database(name: &str, healthcheck: &str) -> Recipe {
    let compose = format!(
        r#"
services:
  app:
    image: lab/web:1.0.0
    environment:
      DATABASE_HOST: db
      DATABASE_PASSWORD_FILE: /run/secrets/db_password
    secrets: [db_password]
  db:
    image: lab/postgres:17
    environment:
      POSTGRES_USER: notes
      POSTGRES_DB: notes
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
      LAB_INIT_SECONDS: "40"
    secrets: [db_password]
    healthcheck:
      {healthcheck}
secrets:
  db_password:
    external: true
    name: ${{STACK_NAME}}_db_password_${{SECRET_DB_PASSWORD_VERSION}}
"#
    );
    Recipe::of(name, &compose).with_env("SECRET_DB_PASSWORD_VERSION=v1\n")
}

fn assert_green_after_exits(recipe: &Recipe) {
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    assert_green(&run);
    let converged = run.log.iter().find(|record| record.text.starts_with("converged:")).map(|record| record.at);
    let exits = endings.iter().filter(|ending| ending.service == "app" && Some(ending.at) < converged);
    let codes: Vec<i64> = exits.map(|ending| ending.code).collect();
    assert!(codes.len() >= 3 && codes.iter().all(|code| *code == 1), "no scenario: the app exited with {codes:?}");
    lab.assert_untouched();
}

fn assert_green(run: &Finished) {
    run.assert(0, "green");
    assert_eq!(run.results().rungs.install.state, RungState::Pass);
    assert!(run.results().findings.is_empty(), "{}", run.told());
}

#[test]
fn s21_exits_until_its_database_is_healthy() {
    let check = r#"test: ["CMD", "pg_isready", "-q", "-h", "127.0.0.1"]
      interval: 2s
      timeout: 5s
      retries: 3
      start_period: 60s"#;
    assert_green_after_exits(&waits_for_its_database("waits-for-health", check));
}

#[test]
fn s21_exits_until_its_database_runs_without_a_healthcheck() {
    assert_green_after_exits(&waits_for_its_database("waits-without-health", "disable: true"));
}

#[test]
fn s15_one_shots_scales_and_orders_converge() {
    let recipe = Recipe::of(
        "all-shapes",
        r#"
services:
  app:
    image: lab/web:1.0.0
    deploy:
      update_config:
        order: start-first
  never-again:
    image: lab/web:1.0.0
    command: ["true"]
    deploy:
      restart_policy:
        condition: none
  on-failure:
    image: lab/web:1.0.0
    command: ["true"]
    deploy:
      restart_policy:
        condition: on-failure
  second-try:
    image: lab/web:1.0.0
    command: ["sh", "-c", "test -e /data/tried || { touch /data/tried; exit 1; }"]
    volumes:
      - tried:/data
    deploy:
      restart_policy:
        condition: on-failure
        delay: 1s
  switched-off:
    image: lab/web:1.0.0
    deploy:
      replicas: 0
  twins:
    image: lab/web:1.0.0
    deploy:
      replicas: 2
  everywhere:
    image: lab/web:1.0.0
    deploy:
      mode: global
volumes:
  tried:
"#,
    );
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    assert_green(&run);
    let converged = run.log.iter().find(|record| record.text.starts_with("converged:"));
    let converged = converged.unwrap_or_else(|| panic!("{}", run.told()));
    assert!(converged.text.starts_with("converged: 7 services"), "{}", converged.text);
    let codes = |service: &str| -> Vec<i64> {
        let ours = endings.iter().filter(|ending| ending.service == service && ending.at <= converged.at);
        ours.map(|ending| ending.code).collect()
    };
    assert_eq!(codes("never-again"), [0]);
    assert_eq!(codes("on-failure"), [0]);
    assert_eq!(codes("second-try"), [1, 0]);
    assert_eq!((codes("twins"), codes("everywhere"), codes("switched-off")), (vec![], vec![], vec![]));
    lab.assert_untouched();
}
