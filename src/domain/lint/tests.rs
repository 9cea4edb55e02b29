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
        - "traefik.enable=true"
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

const README: &str = "# x\n<!-- metadata -->\n<!-- endmetadata -->\n";

fn recipe(sample: &str, shell: &str, compose: &str) -> RecipeFiles {
    let rest = [("app.conf", "a"), ("README.md", README)];
    files(&[&[(".env.sample", sample), ("abra.sh", shell), ("compose.yml", compose)][..], &rest].concat())
}

/// Hits of a recipe with one text replaced, as `rule severity file:line text`.
fn broken(from: &str, to: &str) -> Vec<String> {
    let change = |text: &str| text.replace(from, to);
    told(&recipe(&change(SAMPLE), &change(SHELL), &change(COMPOSE)))
}

fn told(files: &RecipeFiles) -> Vec<String> {
    told_of(&lint(files, &Around::default()))
}

fn told_of(hits: &[Hit]) -> Vec<String> {
    let line = |hit: &Hit| hit.line.map_or("-".to_owned(), |line| line.to_string());
    hits.iter()
        .map(|hit| format!("{} {:?} {}:{} {}", hit.rule.id, hit.severity, hit.file, line(hit), hit.text))
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
    assert!(hits[0].starts_with("C001 Error compose.yml:20 this is no compose file: "), "{hits:?}");
    assert_eq!(hits.len(), 1, "nothing else can be said of it: {hits:?}");
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
    assert_eq!(broken("1.0.0+1.0.0", ""), ["C006 Hint compose.yml:15 the version label is empty"]);
    assert_eq!(broken("version=1.0.0+1.0.0", "version=${V:-1.0.0+1.0.0}"), [""; 0], "filled in");
    let legacy = broken("}.version=1.0.0+1.0.0", "}.app.version=1.0-abcdef");
    assert!(legacy[0].contains("is of the form of 2021"), "{legacy:?}");
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
        ["C010 Error compose.yml:23 config `conf` comes from `./other.conf`, which is no file of the recipe"]
    );
}

#[test]
fn s14_a_config_version_that_is_not_exported() {
    let hits = broken("export CONF_VERSION=v1\n", "");
    assert_eq!(
        hits,
        ["C011 Error compose.yml:22 `CONF_VERSION`, the version of config `conf`, is not exported in `abra.sh`"]
    );
}

#[test]
fn s14_a_secret_without_version() {
    let hits = broken("SECRET_KEY_VERSION=v1\n", "");
    assert_eq!(
        hits,
        ["C012 Error compose.yml:27 `SECRET_KEY_VERSION`, the version of secret `key`, is not in `.env.sample`"]
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
    let hits = broken(
        "services:\n",
        "services:\n  db: {image: \"db:1\", healthcheck: {disable: true}, deploy: {labels: [backupbot.backup=true]}}\n",
    );
    assert_eq!(hits, ["C014 Hint compose.yml:4 several services have the label `backupbot.backup=true`: app, db"]);
    let stateless = COMPOSE.replace("        - \"backupbot.backup=true\"\n", "").replace("volumes:\n  data:\n", "");
    assert_eq!(told(&recipe(SAMPLE, SHELL, &stateless)), [""; 0]);
}

#[test]
fn s14_different_versions_of_compose_files() {
    let sample = format!("{SAMPLE}COMPOSE_FILE=compose.yml:compose.b.yml\n");
    let mut files = recipe(&sample, SHELL, COMPOSE);
    files.add("compose.b.yml", b"version: '3.9'\nservices: {}\n".to_vec(), false).unwrap();
    assert_eq!(
        told(&files),
        [
            "C015 Error compose.b.yml:1 `version` is 3.9 here and 3.8 in `compose.yml`",
            "C016 Hint compose.b.yml:1 `version` is 3.9, not 3.8",
        ]
    );
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
fn s14_what_abra_asks_for_besides() {
    assert_eq!(broken("version: \"3.8\"", "version: \"3.6\""), ["C016 Hint compose.yml:1 `version` is 3.6, not 3.8"]);
    assert_eq!(
        broken("web:1.0.0", "web:stable"),
        ["C017 Hint compose.yml:4 the tag of the image `lab/web:stable` of service `app` is no version"]
    );
    let mut files = recipe(SAMPLE, SHELL, COMPOSE);
    files.add("README.md", b"# x\n".to_vec(), false).unwrap();
    assert_eq!(
        told(&files),
        ["C018 Hint README.md:1 there is no block between `<!-- metadata -->` and `<!-- endmetadata -->`"]
    );
    assert_eq!(
        broken("traefik.enable=true", "traefik.http.routers.x.rule=Host(`x`)"),
        ["C020 Hint compose.yml:3 service `app` has Traefik routers, but not `traefik.enable=true`"]
    );
    assert_eq!(broken("traefik.enable=true", "x=y"), ["C020 Hint compose.yml:3 no service is routed by Traefik"]);
    assert_eq!(broken("    image: lab/web:1.0.0\n", ""), ["C021 Error compose.yml:3 service `app` has no image"]);
    let long = COMPOSE.replace("key", "a_secret_with_a_long_name");
    let hits = told(&recipe(
        &SAMPLE.replace("KEY", "A_SECRET_WITH_A_LONG_NAME"),
        SHELL,
        &long.replace("SECRET_KEY", "SECRET_A_SECRET_WITH_A_LONG_NAME"),
    ));
    assert_eq!(
        hits,
        [
            "C023 Hint compose.yml:27 the name of secret `a_secret_with_a_long_name` has up to 74 characters; Swarm allows 64"
        ]
    );
}

#[test]
fn s14_no_env_sample() {
    let no_sample = COMPOSE.replace("${TITLE}", "x").replace("_${SECRET_KEY_VERSION}", "_v1");
    let recipe = files(&[("compose.yml", &no_sample), ("abra.sh", SHELL), ("app.conf", "a"), ("README.md", README)]);
    assert_eq!(told(&recipe), ["C019 Error .env.sample:- there is no `.env.sample`"]);
}

#[test]
fn s14_lightweight_tags() {
    let lightweight = ["0.9.0+1".to_owned(), "1.0.0+1".to_owned()];
    let around = Around { lightweight: &lightweight, ..Around::default() };
    let hits = lint(&recipe(SAMPLE, SHELL, COMPOSE), &around);
    assert_eq!(told_of(&hits), ["C022 Hint refs/tags:- 2 tags are lightweight, not annotated: `0.9.0+1` and 1 more"]);
    assert!(hits[0].rule.advice.contains("git tag -a"));
}

#[test]
fn s14_a_plaintext_credential() {
    let hits = broken("TITLE=${TITLE}", "DB_PASSWORD=hunter2");
    assert_eq!(hits, ["C025 Hint compose.yml:6 service `app` has a password written out in `DB_PASSWORD`"]);
    let hits = broken("TITLE=${TITLE}", "DATABASE_URL=postgres://app:hunter2@db/app");
    assert_eq!(hits, ["C025 Hint compose.yml:6 service `app` has a password written out in `DATABASE_URL`"]);
    let hits = broken("TITLE=x\n", "TITLE=x\nAPI_TOKEN=hunter2\n");
    assert_eq!(hits, ["C025 Hint .env.sample:3 a token is written out in `API_TOKEN`"]);
    assert!(hits.iter().all(|hit| !hit.contains("hunter2")), "the value is not repeated");
}

#[test]
fn s14_what_only_the_deploy_itself_refuses() {
    let hits = broken(
        "traefik.enable=true\"\n",
        "traefik.enable=true\"\n        - \"coop-cloud.${STACK_NAME}.chaos=false\"\n",
    );
    assert_eq!(hits.len(), 1);
    assert!(hits[0].starts_with("C027 Error compose.yml:- service `app` sets the label"), "{hits:?}");
}

/// A head compared with the recipe without a fault.
fn since(head: &RecipeFiles) -> Vec<Hit> {
    since_base(head, &recipe(SAMPLE, SHELL, COMPOSE))
}

fn since_base(head: &RecipeFiles, base: &RecipeFiles) -> Vec<Hit> {
    lint(head, &Around { base: Some(base), base_name: "1.0.0+1.0.0", lightweight: &[] })
}

fn with(mut files: RecipeFiles, path: &str, text: &str) -> RecipeFiles {
    files.add(path, text.as_bytes().to_vec(), false).unwrap();
    files
}

#[test]
fn s13_a_config_file_that_changed_without_its_version() {
    let head = with(recipe(SAMPLE, "# versions\nexport CONF_VERSION=v1\n", COMPOSE), "app.conf", "b");
    let hits = since(&head);
    assert_eq!(
        told_of(&hits),
        [
            "C024 Error abra.sh:2 `app.conf`, the file of config `conf`, has changed since 1.0.0+1.0.0, but `CONF_VERSION` in `abra.sh` is still `v1`"
        ]
    );
    assert!(
        hits[0].new && hits[0].rule.advice.contains("v2") && hits[0].rule.why.contains("Swarm cannot change a config")
    );

    let raised = with(recipe(SAMPLE, "export CONF_VERSION=v2\n", COMPOSE), "app.conf", "b");
    assert_eq!(told_of(&since(&raised)), [""; 0], "raised");
    assert_eq!(told_of(&since(&recipe(SAMPLE, SHELL, COMPOSE))), [""; 0], "unchanged");
    assert_eq!(told(&head), [""; 0], "without a base nobody can tell");
}

#[test]
fn s13_a_config_whose_version_is_elsewhere_or_missing() {
    let unversioned = COMPOSE.replace("conf_${CONF_VERSION}", "conf");
    let base = recipe(SAMPLE, SHELL, &unversioned);
    assert_eq!(
        told_of(&since_base(&with(base.clone(), "app.conf", "b"), &base)),
        [
            "C024 Error compose.yml:22 `app.conf`, the file of config `conf`, has changed since 1.0.0+1.0.0, and the config's name holds no version"
        ]
    );
    let defaulted = COMPOSE.replace("${CONF_VERSION}", "${CONF_VERSION:-v1}");
    let base = recipe(SAMPLE, "", &defaulted);
    assert_eq!(
        told_of(&since_base(&with(base.clone(), "app.conf", "b"), &base)),
        [
            "C024 Error compose.yml:22 `app.conf`, the file of config `conf`, has changed since 1.0.0+1.0.0, but `CONF_VERSION` in `compose.yml` is still"
        ]
    );
    let sampled = format!("{SAMPLE}CONF_VERSION=v7\n");
    let base = recipe(&sampled, "", COMPOSE);
    let hits = told_of(&since_base(&with(base.clone(), "app.conf", "b"), &base));
    assert!(hits[0].starts_with("C024 Error .env.sample:4 ") && hits[0].ends_with("is still `v7`"), "{hits:?}");
}

#[test]
fn s13_what_is_no_change_of_a_config() {
    let base = recipe(SAMPLE, SHELL, COMPOSE);
    let renamed = with(recipe(SAMPLE, SHELL, &COMPOSE.replace("_conf_", "_config_")), "app.conf", "b");
    assert_eq!(told_of(&since_base(&renamed, &base)), [""; 0], "another name is another config");
    let moved =
        with(recipe(SAMPLE, SHELL, &COMPOSE.replace("file: app.conf", "file: conf/app.conf")), "conf/app.conf", "a");
    assert_eq!(told_of(&since_base(&moved, &base)), [""; 0], "the same content from another file");
    let computed = with(recipe(SAMPLE, "export CONF_VERSION=$(date)\n", COMPOSE), "app.conf", "b");
    assert!(since_base(&computed, &base).iter().all(|hit| hit.rule.id != "C024"), "a shell computes the version");
    let template =
        recipe(SAMPLE, SHELL, &COMPOSE.replace("file: app.conf", "file: app.conf\n    template_driver: golang"));
    assert!(told_of(&since_base(&template, &base))[0].contains("has another template driver"));
}

#[test]
fn s13_a_config_that_the_base_did_not_select_stops_nobody() {
    let more = "version: \"3.8\"\nconfigs:\n  more:\n    name: ${STACK_NAME}_more_v1\n    file: more.conf\n";
    let base = with(with(recipe(SAMPLE, SHELL, COMPOSE), "compose.more.yml", more), "more.conf", "a");
    let selected = format!("{SAMPLE}COMPOSE_FILE=compose.yml:compose.more.yml\n");
    let head = with(with(with(base.clone(), "more.conf", "b"), ".env.sample", &selected), "abra.sh", SHELL);
    let told = told_of(&since_base(&head, &base));
    assert!(told[0].starts_with("C024 Hint compose.more.yml:4 "), "{told:?}");
}

#[test]
fn s19_a_secret_that_is_added_without_a_release_note() {
    let added = COMPOSE.replace(
        "secrets:\n  key:",
        "secrets:\n  token:\n    external: true\n    name: ${STACK_NAME}_token_${SECRET_TOKEN_VERSION}\n  key:",
    );
    let head = recipe(&format!("{SAMPLE}SECRET_TOKEN_VERSION=v1\n"), SHELL, &added);
    assert_eq!(
        told_of(&since(&head)),
        ["C026 Hint compose.yml:25 secret `token` is new since 1.0.0+1.0.0, and no file in `release/` says so"]
    );
    assert_eq!(told_of(&since(&with(head.clone(), "release/next", "make the token"))), [""; 0]);
    let old_note = with(recipe(SAMPLE, SHELL, COMPOSE), "release/0.9.0+1", "old");
    assert_eq!(
        told_of(&since_base(&with(head, "release/0.9.0+1", "old"), &old_note)).len(),
        1,
        "an old note says nothing"
    );
}

#[test]
fn s14_only_what_is_new_since_the_base_is_new() {
    let variable = COMPOSE.replace("start_period: 30s", "start_period: ${TITLE}");
    let base = recipe(SAMPLE, SHELL, &variable);
    // The same fault on another line, and a second one.
    let head = format!("# a comment\n{variable}")
        .replace("    secrets: [key]\n", "    secrets: [key]\n    stop_grace_period: ${TITLE}\n");
    let hits = since_base(&recipe(SAMPLE, SHELL, &head), &base);
    let new: Vec<_> = hits.iter().map(|hit| (hit.rule.id, hit.line, hit.about.as_str(), hit.new)).collect();
    assert_eq!(
        new,
        [
            ("C007", Some(10), "services.app.healthcheck.start_period", false),
            ("C007", Some(12), "services.app.stop_grace_period", true),
        ]
    );
    assert!(lint(&base, &Around::default()).iter().all(|hit| hit.new), "without a base all is new");
}

#[test]
fn s14_an_error_in_a_file_that_is_selected_only_now_is_new() {
    let more = "version: \"3.8\"\nconfigs: {c: {file: nope}}\n";
    let base = with(recipe(SAMPLE, SHELL, COMPOSE), "compose.more.yml", more);
    let selected = format!("{SAMPLE}COMPOSE_FILE=compose.yml:compose.more.yml\n");
    let hits = since_base(&with(base.clone(), ".env.sample", &selected), &base);
    assert_eq!(
        hits.iter().map(|hit| (hit.rule.id, hit.severity, hit.new)).collect::<Vec<_>>(),
        [("C010", Severity::Error, true)]
    );
    let hits = since_base(&base, &base);
    assert_eq!(hits.iter().map(|hit| (hit.severity, hit.new)).collect::<Vec<_>>(), [(Severity::Hint, false)]);
}

#[test]
fn a_broken_file_does_not_make_others_miss_what_is_in_it() {
    let sample = format!("{SAMPLE}COMPOSE_FILE=compose.yml:compose.more.yml\n");
    let more = "version: \"3.8\"\nservices: {db: {image: db:1, healthcheck: {disable: true}}}\n";
    let broken = with(recipe(&sample, SHELL, "not: [closed\n"), "compose.more.yml", more);
    let told = told(&broken);
    assert_eq!(told.len(), 1, "not that there is no `app`: {told:?}");
}

#[test]
fn very_many_hits_are_counted_and_keep_the_new_error() {
    let services: String =
        (0..300).map(|n| format!("  s{n}:\n    image: web\n    stop_grace_period: ${{TITLE}}\n")).collect();
    let many = COMPOSE.replace("services:\n", &format!("services:\n{services}"));
    let base = recipe(SAMPLE, SHELL, &many);
    let head = recipe(SAMPLE, SHELL, &many.replace("start_period: 30s", "start_period: ${TITLE}"));
    let hits = since_base(&head, &base);
    let durations: Vec<&Hit> = hits.iter().filter(|hit| hit.rule.id == "C007").collect();
    assert_eq!(durations.len(), MOST + 1);
    assert!(durations.iter().any(|hit| hit.new && hit.about.contains("app")), "{:?}", durations.last());
    assert!(durations[MOST].text.ends_with("more like it"), "{}", durations[MOST].text);
}

#[test]
fn rules_are_told_in_whole_sentences_and_have_their_own_ids() {
    for (rule, number) in RULES.iter().zip(1..) {
        assert_eq!(rule.id, format!("C{number:03}"));
        assert!(rule.abra.is_none_or(|id| id.starts_with('R')), "{}", rule.id);
        for sentence in [rule.what, rule.why, rule.advice] {
            assert!(sentence.ends_with('.'), "{}: {sentence}", rule.id);
        }
    }
}

#[test]
fn an_empty_folder_is_told_too() {
    assert_eq!(
        told(&RecipeFiles::new()),
        [
            "C002 Error compose.yml:- the compose file `compose.yml` does not exist",
            "C018 Hint README.md:- there is no `README.md` with metadata",
            "C019 Error .env.sample:- there is no `.env.sample`",
        ]
    );
}

/// Pieces of which broken recipes are made.
fn compose() -> impl Strategy<Value = String> {
    let piece = prop::sample::select(vec![
        "services:\n",
        "  app:\n",
        "  db:\n",
        "    image: web\n",
        "    image: ${X}\n",
        "    healthcheck:\n",
        "      start_period: ${X:-1s}\n",
        "    environment:\n",
        "      - A_PASSWORD=x\n",
        "      - B=${Y:+z}\n",
        "    deploy:\n",
        "      labels:\n",
        "        - \"backupbot.backup=true\"\n",
        "configs:\n",
        "  c:\n",
        "    file: c\n",
        "    name: ${STACK_NAME}_c_${C_VERSION}\n",
        "secrets:\n",
        "    external: true\n",
        "volumes:\n",
        "version: '3.8'\n",
        "é: [\n",
    ]);
    prop_oneof![3 => prop::collection::vec(piece, 0..20).prop_map(|pieces| pieces.concat()), 1 => "(?s).{0,60}".prop_map(String::from)]
}

proptest! {
    #[test]
    fn any_recipe_is_linted_against_any_base(
        sample in "(?s).{0,60}|COMPOSE_FILE=compose.yml(:a.yml)?", shell in "(?s).{0,30}|export C_VERSION=v[12]",
        head in compose(), base in compose(), name in "(?s).{0,20}",
    ) {
        let (head, base) = (recipe(&sample, &shell, &head), recipe(&sample, "", &base));
        let hits = lint(&head, &Around { base: Some(&base), base_name: &name, lightweight: std::slice::from_ref(&name) });
        let alone = lint(&head, &Around::default());
        prop_assert!(alone.iter().all(|hit| hit.new));
        for hit in &hits {
            prop_assert!(!hit.text.contains('\n') && hit.line != Some(0));
        }
        // Compared with itself, nothing is new.
        let same = lint(&head, &Around { base: Some(&head), base_name: "x", lightweight: &[] });
        prop_assert!(same.iter().all(|hit| !hit.new), "{:?}", same.iter().find(|hit| hit.new));
    }
}
