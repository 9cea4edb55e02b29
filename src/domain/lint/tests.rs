//! Stories of linting: one broken recipe per rule, and the good ones without a word.

use proptest::prelude::*;

use super::*;
use crate::domain::recipe::fixtures::{crash_loop, files, good, notes};

/// A recipe without a fault, as texts to break.
const COMPOSE: &str = r#"version: "3.8"
services:
  app:
    image: lab/web:1.0.0
    environment:
      - TITLE=${TITLE}
    healthcheck:
      test: ["CMD", "web", "healthcheck"]
      start_period: 30s
    secrets: [key]
    volumes:
      - data:/data
    deploy:
      labels:
        - "coop-cloud.${STACK_NAME}.version=1.0.0+1.0.0"
        - "backupbot.backup=true"
volumes:
  data:
configs:
  conf:
    name: ${STACK_NAME}_conf_${CONF_VERSION}
    file: app.conf
secrets:
  key:
    external: true
    name: ${STACK_NAME}_key_${SECRET_KEY_VERSION}
"#;
const SAMPLE: &str = "DOMAIN=x.example.com\nTITLE=x\nSECRET_KEY_VERSION=v1\n";
const SHELL: &str = "export CONF_VERSION=v1\n";

fn recipe(sample: &str, shell: &str, compose: &str) -> RecipeFiles {
    files(&[(".env.sample", sample), ("abra.sh", shell), ("compose.yml", compose), ("app.conf", "")])
}

/// Hits of a recipe with one text replaced, as `rule severity file:line text`.
fn broken(from: &str, to: &str) -> Vec<String> {
    let change = |text: &str| text.replace(from, to);
    told(&recipe(&change(SAMPLE), &change(SHELL), &change(COMPOSE)))
}

fn told(files: &RecipeFiles) -> Vec<String> {
    let line = |hit: &Hit| hit.line.map_or("-".to_owned(), |line| line.to_string());
    lint(files)
        .iter()
        .map(|hit| format!("{} {:?} {}:{} {}", hit.rule, hit.severity, hit.file, line(hit), hit.text))
        .collect()
}

#[test]
fn good_recipes_have_no_hits() {
    assert_eq!(told(&recipe(SAMPLE, SHELL, COMPOSE)), [""; 0]);
    assert_eq!(told(&good()), [""; 0]);
    assert_eq!(
        told(&notes()),
        ["C014 Hint compose.yml:5 several services have the label `backupbot.backup=true`: app, db"]
    );
    assert_eq!(told(&crash_loop()), [""; 0]);
}

#[test]
fn s14_a_compose_file_that_does_not_parse() {
    let hits = broken("volumes:\n  data:\n", "volumes:\n  data:\nvolumes:\n");
    assert!(hits[0].starts_with("C001 Error compose.yml:19 this is no compose file: "), "{hits:?}");
    assert_eq!(hits.len(), 1, "nothing else can be said of it");
}

#[test]
fn s14_a_compose_file_that_is_missing() {
    let hits = broken("TITLE=x\n", "TITLE=x\nCOMPOSE_FILE=compose.yml:compose.nope.yml\n");
    assert_eq!(hits, ["C002 Error .env.sample:3 the compose file `compose.nope.yml` does not exist"]);
}

#[test]
fn s14_no_service_app() {
    let hits = broken("  app:\n", "  web:\n");
    assert_eq!(hits, ["C003 Error compose.yml:- no service is called `app`"]);
}

#[test]
fn s14_an_untagged_image() {
    assert_eq!(broken("web:1.0.0", "web"), ["C004 Hint compose.yml:4 the image `lab/web` of service `app` has no tag"]);
    for fine in ["scratch", "lab/web@sha256:00", "registry.lab:5000/web:1", "lab/web:${TITLE}", "${TITLE}"] {
        assert_eq!(broken("lab/web:1.0.0", fine), [""; 0], "{fine}");
    }
    assert_eq!(broken("lab/web:1.0.0", "registry.lab:5000/web").len(), 1, "a port is no tag");
}

#[test]
fn s14_the_tag_latest() {
    assert_eq!(
        broken("web:1.0.0", "web:latest"),
        ["C005 Hint compose.yml:4 the image `lab/web:latest` of service `app` has the tag `latest`"]
    );
    assert_eq!(broken("web:1.0.0", "web:${TAG:-latest}").len(), 1);
}

#[test]
fn s14_a_missing_or_bad_version_label() {
    let hits = broken("        - \"coop-cloud.${STACK_NAME}.version=1.0.0+1.0.0\"\n", "");
    assert_eq!(hits, ["C006 Hint compose.yml:3 service `app` has no label `coop-cloud.${STACK_NAME}.version`"]);
    let hits = broken("1.0.0+1.0.0", "1.0.0");
    assert_eq!(
        hits,
        ["C006 Hint compose.yml:15 `1.0.0` is not a recipe version: `+` and the app's version are missing"]
    );
}

#[test]
fn s14_a_variable_in_a_duration() {
    let hits = broken("start_period: 30s", "start_period: ${TITLE:-30s}");
    assert_eq!(
        hits,
        ["C007 Error compose.yml:9 the duration `start_period` of service `app` is the variable `${TITLE:-30s}`"]
    );
    let hits = broken("    secrets: [key]", "    stop_grace_period: ${TITLE}\n    secrets: [key]");
    assert_eq!(
        hits,
        ["C007 Error compose.yml:10 the duration `stop_grace_period` of service `app` is the variable `${TITLE}`"]
    );
    let hits = broken("      labels:", "      update_config:\n        monitor: ${TITLE}\n      labels:");
    assert_eq!(hits, ["C007 Error compose.yml:15 the duration `monitor` of service `app` is the variable `${TITLE}`"]);
}

#[test]
fn s14_a_used_variable_that_env_sample_does_not_have() {
    let hits = broken("TITLE=x\n", "");
    assert_eq!(
        hits,
        ["C008 Hint compose.yml:6 `TITLE` has no default and is neither in `.env.sample` nor in `abra.sh`"]
    );
    assert_eq!(broken("TITLE=x\n", "#TITLE=x\n"), [""; 0], "commented out: optional, and an operator sees it");
    assert_eq!(broken("${TITLE}", "${OTHER:-x}"), [""; 0]);
}

#[test]
fn s14_variables_that_docker_refuses() {
    let hits = broken("=${TITLE}", "=${TITLE:+yes}");
    assert_eq!(
        hits,
        ["C009 Error compose.yml:6 `${TITLE:+yes}` is not a variable that docker reads; write `$$` for a dollar sign"]
    );
    assert_eq!(
        broken("=${TITLE}", "=${MUST:?say}"),
        ["C009 Error compose.yml:6 the required variable `MUST` is not set"]
    );
    assert_eq!(broken("=${TITLE}", "=${TITLE:?say}"), [""; 0]);
}

#[test]
fn s14_a_config_file_that_is_missing() {
    let hits = broken("file: app.conf", "file: ./other.conf");
    assert_eq!(
        hits,
        ["C010 Error compose.yml:22 config `conf` comes from `./other.conf`, which is no file of the recipe"]
    );
}

#[test]
fn s14_a_config_version_that_is_not_exported() {
    let hits = broken("export CONF_VERSION=v1\n", "");
    assert_eq!(
        hits,
        ["C011 Error compose.yml:21 `CONF_VERSION`, the version of config `conf`, is not exported in `abra.sh`"]
    );
}

#[test]
fn s14_a_secret_without_version() {
    let hits = broken("SECRET_KEY_VERSION=v1\n", "");
    assert_eq!(
        hits,
        ["C012 Error compose.yml:26 `SECRET_KEY_VERSION`, the version of secret `key`, is not in `.env.sample`"]
    );
}

#[test]
fn s14_no_healthcheck() {
    let hits = broken("    secrets: [key]\n", "    secrets: [key]\n  db:\n    image: db:1\n");
    assert!(hits.contains(&"C013 Hint compose.yml:11 service `db` has no healthcheck".to_owned()), "{hits:?}");
}

#[test]
fn s14_backup_labels_on_none_or_several_services() {
    let hits = broken("        - \"backupbot.backup=true\"\n", "");
    assert_eq!(
        hits,
        ["C014 Hint compose.yml:3 there are volumes, but no service has the label `backupbot.backup=true`"]
    );
    let stateless = COMPOSE.replace("        - \"backupbot.backup=true\"\n", "").replace("volumes:\n  data:\n", "");
    assert_eq!(told(&recipe(SAMPLE, SHELL, &stateless)), [""; 0]);
}

#[test]
fn s14_different_versions_of_compose_files() {
    let sample = format!("{SAMPLE}COMPOSE_FILE=compose.yml:compose.b.yml\n");
    let mut files = recipe(&sample, SHELL, COMPOSE);
    files.add("compose.b.yml", b"version: '3.9'\nservices: {}\n".to_vec(), false).unwrap();
    assert_eq!(told(&files), ["C015 Error compose.b.yml:1 `version` is 3.9 here and 3.8 in `compose.yml`"]);
}

#[test]
fn errors_of_a_file_that_is_not_selected_are_hints() {
    let mut files = recipe(SAMPLE, SHELL, COMPOSE);
    files.add("compose.more.yml", b"version: '3.8'\nconfigs: {c: {file: nope}}\n".to_vec(), false).unwrap();
    assert_eq!(
        told(&files),
        ["C010 Hint compose.more.yml:2 config `c` comes from `nope`, which is no file of the recipe"]
    );
}

#[test]
fn rules_are_told_in_whole_sentences_and_have_their_own_ids() {
    for (rule, number) in RULES.iter().zip(1..) {
        assert_eq!(rule.id, format!("C{number:03}"));
        for sentence in [rule.what, rule.why, rule.advice] {
            assert!(sentence.ends_with('.'), "{}: {sentence}", rule.id);
        }
    }
}

#[test]
fn an_empty_folder_is_told_too() {
    assert_eq!(told(&RecipeFiles::new()), ["C002 Error compose.yml:- the compose file `compose.yml` does not exist"]);
}

proptest! {
    #[test]
    fn any_recipe_is_linted(sample in "(?s).{0,60}", compose in "(?s).{0,60}|services: \\{app: \\{[a-z]{1,8}: .{0,20}\\}\\}") {
        let _ = lint(&recipe(&sample, "", &compose));
    }
}
