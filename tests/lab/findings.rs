//! Each way in which a recipe does not come up, or goes down again: the cause is named within seconds of what proves it.

use std::time::Duration;

use cc_ci::domain::finding::FindingKind;
use cc_ci::domain::stage::Stage;
use cc_ci::domain::swarm::{Task, TaskState};
use jiff::Timestamp;

use crate::support::judged::{assert_soon, evidence, headline, of};
use crate::support::{Endings, Finished, Lab, Neighbour, Recipe, Running, Tests, figure, lab, until};

/// From an exit to the finding, at most.
const AFTER_EXIT: Duration = Duration::from_secs(2);
/// From any other state that proves it to the finding, at most.
const AFTER_STATE: Duration = Duration::from_secs(5);

/// When a task of the run was first seen in this state, by Swarm's own instant.
fn seen(lab: &Lab, run: &mut Running, is_it: impl Fn(&Task) -> bool) -> Timestamp {
    run.wait_for("docker stack deploy cc");
    let log = run.log();
    let told = log.iter().find_map(|record| record.text.strip_prefix("docker stack deploy "));
    let stack = told.and_then(|told| told.split(' ').next()).unwrap().to_owned();
    until("the state", || lab.snapshot(&stack).tasks.iter().find(|task| is_it(task)).map(|task| task.state_at))
}

/// When the deploy call said this.
fn said_at(run: &Finished, words: &str) -> Timestamp {
    let record =
        run.log.iter().find(|record| record.text.contains(words) && record.source.to_string().contains("deploy"));
    record.unwrap_or_else(|| panic!("`{words}` was not said: {}", run.told())).at
}

#[test]
fn s22_killed_by_its_healthcheck_while_it_initialises() {
    let recipe = Recipe::of(
        "slow-database",
        r#"
services:
  app:
    image: lab/web:1.0.0
  db:
    image: lab/postgres:17
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/db_password
      LAB_INIT_SECONDS: "60"
    secrets: [db_password]
    healthcheck:
      test: ["CMD", "pg_isready", "-q", "-h", "127.0.0.1"]
      interval: 1s
      timeout: 1s
      retries: 2
      start_period: 4s
    stop_grace_period: 1s
    deploy:
      restart_policy:
        delay: 1s
secrets:
  db_password:
    external: true
    name: ${STACK_NAME}_db_password_${SECRET_DB_PASSWORD_VERSION}
"#,
    )
    .with_env("SECRET_DB_PASSWORD_VERSION=v1\n");
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::KilledByHealthcheck, "db");
    let kills = of(&endings, "db", finding.at);
    assert_eq!(kills.len(), 2, "{kills:?}");
    assert_eq!(evidence(finding, "declared start_period"), "4 s");
    let observed = evidence(finding, "observed start time");
    assert!(observed.starts_with("not healthy ") && observed.ends_with("when it was killed"), "{observed}");
    let sentence = &finding.sentence;
    assert!(sentence.starts_with("db was killed twice by its own healthcheck while starting: not healthy after "));
    assert!(sentence.ends_with(" s, with a start_period of 4 s"), "{sentence}");
    assert_soon("s22 killed while starting", finding, "the second kill", kills[1].at, AFTER_EXIT);
    lab.assert_untouched();
}

#[test]
fn s24_out_of_memory_under_its_own_limit() {
    let recipe = Recipe::of(
        "eats-memory",
        r#"
services:
  app:
    image: lab/web:1.0.0
    environment:
      LAB_EAT_MEMORY: "40"
    deploy:
      resources:
        limits:
          memory: 64M
      restart_policy:
        delay: 1s
"#,
    );
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::OutOfMemory, "app");
    assert_eq!(finding.sentence, "app was killed because it went over its memory limit of 64 MiB, 2 times");
    let kills = of(&endings, "app", finding.at);
    assert!(kills.len() == 2 && kills.iter().all(|kill| kill.code == 137), "{kills:?}");
    assert_soon("s24 out of memory", finding, "the second kill", kills[1].at, AFTER_EXIT);
    lab.assert_untouched();
}

#[test]
fn s25_a_constraint_that_nobody_satisfies() {
    let recipe = Recipe::of(
        "nowhere",
        r#"
services:
  app:
    image: lab/web:1.0.0
    deploy:
      placement:
        constraints: [node.labels.disk == fast]
"#,
    );
    let lab = lab();
    let mut run = lab.run_in(&recipe.path(), &[]);
    let proof = seen(&lab, &mut run, |task| task.error.contains("no suitable node"));
    let run = run.finish();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::NoNode, "app");
    assert_eq!(finding.sentence, "no node can run app: scheduling constraints not satisfied on 1 node");
    assert_soon("s25 no node", finding, "Swarm's word", proof, AFTER_STATE);
    lab.assert_untouched();
}

#[test]
fn s25_a_published_port_that_a_neighbour_has() {
    let lab = lab();
    let neighbour = Neighbour::plant(&lab, &["--publish", "published=18080,target=8080"]);
    let by_mesh =
        Recipe::of("port-in-use", "\nservices:\n  app:\n    image: lab/web:1.0.0\n    ports: [\"18080:8080\"]\n");
    let run = lab.run_in(&by_mesh.path(), &[]).finish();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::PortInUse, "app");
    assert!(finding.sentence.starts_with("app publishes a port that is taken on the target: "), "{}", finding.sentence);
    assert!(finding.sentence.contains("18080"), "{}", finding.sentence);
    let proof = said_at(&run, "already in use by service");
    assert_soon("s25 port in use, by the mesh", finding, "Docker's refusal", proof, AFTER_STATE);
    drop(neighbour);

    let host = "mode=host,published=18081,target=8080";
    let neighbour = Neighbour::plant(&lab, &["--publish", host]);
    let on_the_host = Recipe::of(
        "host-port-in-use",
        r#"
services:
  app:
    image: lab/web:1.0.0
    ports:
      - {target: 8080, published: 18081, mode: host}
"#,
    );
    let mut run = lab.run_in(&on_the_host.path(), &[]);
    let proof = seen(&lab, &mut run, |task| task.error.contains("port already in use"));
    let run = run.finish();
    run.assert(1, "red");
    let finding = headline(&run, FindingKind::PortInUse, "app");
    // Swarm does not say which.
    let sentence = "app publishes a port that is taken on the target: host-mode port already in use on 1 node";
    assert_eq!(finding.sentence, sentence);
    assert_soon("s25 port in use, on the host", finding, "Swarm's word", proof, AFTER_STATE);
    drop(neighbour);
    lab.assert_untouched();
}

#[test]
fn s25_what_the_compose_file_calls_external_is_not_there() {
    let lab = lab();
    let cases = [
        ("secrets", FindingKind::MissingSecret, "app uses the secret nobody_made_it, which is not there", "not found"),
        ("configs", FindingKind::MissingConfig, "app uses the config nobody_made_it, which is not there", "not found"),
        (
            "networks",
            FindingKind::MissingNetwork,
            "app uses the network nobody_made_it, which is not there",
            "could not be found",
        ),
    ];
    for (section, kind, sentence, words) in cases {
        let compose = format!(
            "\nservices:\n  app:\n    image: lab/web:1.0.0\n    {section}: [it]\n{section}:\n  it:\n    external: true\n    name: nobody_made_it\n"
        );
        let run = lab.run_in(&Recipe::of("nobody-made-it", &compose).path(), &[]).finish();
        run.assert(1, "red");
        let finding = headline(&run, kind, "app");
        assert!(finding.sentence.starts_with(sentence), "{}", finding.sentence);
        let proof = said_at(&run, words);
        assert_soon(&format!("s25 missing, {section}"), finding, "Docker's refusal", proof, AFTER_STATE);
    }
    lab.assert_untouched();
}

#[test]
fn s25_a_path_of_the_host_that_does_not_exist() {
    let recipe = Recipe::of(
        "no-such-path",
        "\nservices:\n  app:\n    image: lab/web:1.0.0\n    volumes: [\"/srv/not/there:/data\"]\n",
    );
    // A path of the host is host power: without a tests file that allows it nothing would be started.
    let tests = Tests::of("host_power = 'it serves what is there'\n");
    let lab = lab();
    let mut run = lab.run_in(&recipe.path(), &["--tests", tests.path()]);
    let proof = seen(&lab, &mut run, |task| task.state == TaskState::Rejected);
    let run = run.finish();
    run.assert(1, "red");
    let finding = &run.results().findings[0];
    assert_eq!((finding.kind, finding.service.as_deref()), (FindingKind::BadMount, Some("app")), "{}", run.told());
    let sentence = "app cannot start: the path /srv/not/there that it mounts does not exist on the target";
    assert_eq!(finding.sentence, sentence);
    assert_soon("s25 bad mount", finding, "Swarm's refusal", proof, AFTER_STATE);
    lab.assert_untouched();
}

/// `app` names a port that nobody listens on: 502. The rule of `admin` does not match its front page: 404.
#[test]
fn s26_everything_runs_and_nothing_is_reachable() {
    let recipe = Recipe::of(
        "unreachable",
        r#"
services:
  app:
    image: lab/web:1.0.0
    networks: [proxy]
    deploy:
      labels:
        - "traefik.enable=true"
        - "traefik.swarm.network=proxy"
        - "traefik.http.services.${STACK_NAME}.loadbalancer.server.port=8081"
        - "traefik.http.routers.${STACK_NAME}.rule=Host(`${DOMAIN}`)"
        - "traefik.http.routers.${STACK_NAME}.entrypoints=web-secure"
        - "traefik.http.routers.${STACK_NAME}.tls.certresolver=${LETS_ENCRYPT_ENV}"
  admin:
    image: lab/web:1.0.0
    networks: [proxy]
    deploy:
      labels:
        - "traefik.enable=true"
        - "traefik.swarm.network=proxy"
        - "traefik.http.services.${STACK_NAME}-admin.loadbalancer.server.port=8080"
        - "traefik.http.routers.${STACK_NAME}-admin.rule=Host(`admin-${DOMAIN}`) && PathPrefix(`/admin`)"
        - "traefik.http.routers.${STACK_NAME}-admin.entrypoints=web-secure"
        - "traefik.http.routers.${STACK_NAME}-admin.tls.certresolver=${LETS_ENCRYPT_ENV}"
networks:
  proxy:
    external: true
"#,
    );
    let lab = lab();
    let run = lab.run_in(&recipe.path(), &[]).finish();
    run.assert(1, "red");
    let found = &run.results().findings;
    assert_eq!(found.len(), 2, "{}", run.told());
    let about = |service: &str| found.iter().find(|finding| finding.service.as_deref() == Some(service)).unwrap();
    assert!(found.iter().all(|finding| finding.kind == FindingKind::Unreachable && finding.rung.is_some()));
    let (app, admin) = (&about("app").sentence, &about("admin").sentence);
    assert!(app.starts_with("app runs, but is not reachable: the proxy answers https://"), "{app}");
    assert!(app.contains(" with 502: ") && app.contains("port 8081"), "{app}");
    assert!(admin.contains(" with 404, ") && admin.contains("PathPrefix(`/admin`)"), "{admin}");
    let host = &run.results().host;
    assert!(host.len() == 1 && host[0].stage == Stage::Install && host[0].seconds > 20.0, "{host:?}");
    assert!(host[0].cpus > 0 && host[0].load > 0.0, "{host:?}");
    let converged = run.log.iter().find(|record| record.text.starts_with("converged:")).unwrap().at;
    // The proxy has half a minute to hear of a new service.
    let patience = Duration::from_secs(30);
    assert_soon("s26 unreachable", &found[0], "the end of the proxy's 30 s", converged + patience, AFTER_STATE);
    lab.assert_untouched();
}

/// The proxy does not reach `app`, so that the floor asks for half a minute; meanwhile `worker` dies.
fn dies_while_pages_are_asked(name: &str, worker: &str) -> Recipe {
    let compose = format!(
        r#"
services:
  app:
    image: lab/web:1.0.0
    environment:
      LAB_STATUS: "502"
    networks: [proxy]
    deploy:
      labels:
        - "traefik.enable=true"
        - "traefik.swarm.network=proxy"
        - "traefik.http.services.${{STACK_NAME}}.loadbalancer.server.port=8080"
        - "traefik.http.routers.${{STACK_NAME}}.rule=Host(`${{DOMAIN}}`)"
        - "traefik.http.routers.${{STACK_NAME}}.entrypoints=web-secure"
        - "traefik.http.routers.${{STACK_NAME}}.tls.certresolver=${{LETS_ENCRYPT_ENV}}"
  worker:
    image: lab/web:1.0.0
{worker}
networks:
  proxy:
    external: true
"#
    );
    Recipe::of(name, &compose)
}

#[test]
fn s35_a_service_exits_while_pages_are_asked() {
    let worker = "    environment: {LAB_EXIT_AFTER: 20s, LAB_EXIT_CODE: \"3\"}";
    let recipe = dies_while_pages_are_asked("dies-later", worker);
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    assert!(run.log.iter().any(|record| record.text.starts_with("converged:")), "{}", run.told());
    let finding = headline(&run, FindingKind::CrashLoop, "worker");
    let expected =
        "worker exited with code 3 after everything had come up: “fatal: configured to exit with 3 after 20s”";
    assert!(finding.sentence.ends_with("fatal: configured to exit with 3 after 20s”"), "{}", finding.sentence);
    assert_eq!(finding.sentence.split(": “").next(), expected.split(": “").next());
    let exits = of(&endings, "worker", finding.at);
    assert_soon("s35 exits during the floor", finding, "its exit", exits[0].at, AFTER_EXIT);
    lab.assert_untouched();
}

#[test]
fn s35_a_service_runs_out_of_memory_while_pages_are_asked() {
    let worker = "    environment: {LAB_EAT_MEMORY: \"2\"}\n    deploy: {resources: {limits: {memory: 48M}}}";
    let recipe = dies_while_pages_are_asked("eats-memory-later", worker);
    let lab = lab();
    let listening = Endings::of(&lab);
    let run = lab.run_in(&recipe.path(), &[]).finish();
    let endings = listening.tell();
    run.assert(1, "red");
    assert!(run.log.iter().any(|record| record.text.starts_with("converged:")), "{}", run.told());
    let finding = headline(&run, FindingKind::OutOfMemory, "worker");
    assert!(finding.sentence.contains("its memory limit of 48 MiB"), "{}", finding.sentence);
    // The kernel's kill is seen even before the end of the container.
    let end = endings.iter().find(|ending| ending.service == "worker").unwrap();
    let late = finding.at.duration_since(end.at);
    figure("s35 out of memory during the floor", "out_of_memory: finding.at minus its exit", late.as_secs_f64(), "s");
    assert!(late.unsigned_abs() <= AFTER_EXIT, "{late:#}");
    lab.assert_untouched();
}
