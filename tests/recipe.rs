//! cc-ci is a recipe itself: what lies in the root of the repository fits the program, and what a recipe must be.

#![expect(clippy::unwrap_used, reason = "a test may panic")]

use std::collections::BTreeSet;
use std::path::Path;
use std::process::Command;

use cc_ci::config::keys::{self, KEYS};
use cc_ci::config::{Layers, Settings};
use cc_ci::domain::recipe::env::EnvFile;

/// Variables of the recipe that are no settings of the program.
const OF_THE_RECIPE: [&str; 7] =
    ["TYPE", "DOMAIN", "EXTRA_DOMAINS", "LETS_ENCRYPT_ENV", "TIMEOUT", "ENABLE_BACKUPS", "COMPOSE_FILE"];

fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}

fn read(name: &str) -> String {
    std::fs::read_to_string(root().join(name)).unwrap()
}

fn sample() -> EnvFile {
    EnvFile::parse(&read(".env.sample"))
}

/// All names in `.env.sample`, commented out or not.
fn names_in_sample() -> BTreeSet<String> {
    let sample = sample();
    assert_eq!(sample.unreadable, [0; 0]);
    sample.assignments.into_iter().map(|it| it.name).chain(sample.documented).collect()
}

fn compose_files() -> Vec<String> {
    let files = std::fs::read_dir(root()).unwrap().flatten();
    let names = files.map(|file| file.file_name().to_string_lossy().into_owned());
    names.filter(|name| name.starts_with("compose.") && name.ends_with(".yml")).collect()
}

/// The names in the `environment` lists of all compose files: `- NAME` or `- NAME=value`.
fn names_in_compose() -> BTreeSet<String> {
    let is_name = |text: &str| text.bytes().all(|byte| byte.is_ascii_uppercase() || byte == b'_') && !text.is_empty();
    let mut names = BTreeSet::new();
    for file in compose_files() {
        for line in read(&file).lines().filter_map(|line| line.trim().strip_prefix("- ")) {
            names.extend(line.split('=').next().filter(|name| is_name(name)).map(str::to_owned));
        }
    }
    names
}

#[test]
fn lint_has_nothing_to_say() {
    let output = Command::new(env!("CARGO_BIN_EXE_cc-ci")).args(["lint", "."]).current_dir(root()).output().unwrap();
    let said = String::from_utf8_lossy(&output.stdout);
    assert!(
        output.status.success()
            && (said.ends_with(" rules: 0 errors, 0 hints\n")
                || said.contains("new: 0 errors, 0 hints; there already: 0 errors, 0 hints")),
        "{said}"
    );
}

#[test]
fn every_variable_is_a_setting_and_every_setting_is_a_variable() {
    let (in_sample, in_compose) = (names_in_sample(), names_in_compose());
    for name in in_sample.iter().filter(|name| !OF_THE_RECIPE.contains(&name.as_str())) {
        let of_secret = name.starts_with("SECRET_") && name.ends_with("_VERSION");
        assert!(of_secret || name == "IMAGE_REPOSITORY" || keys::key(name).is_some(), ".env.sample: {name}");
    }
    for name in in_compose.iter().filter(|name| *name != "CC_CI_STATE") {
        assert!(keys::key(name).is_some(), "a compose file: {name}");
    }
    for key in KEYS {
        let names = [Some(key.name.to_owned()), key.file_name()];
        let has = |all: &BTreeSet<String>| names.iter().flatten().any(|name| all.contains(name));
        assert!(has(&in_compose), "no compose file hands on {}", key.name);
        // What a compose file sets itself is not the operator's to set.
        let is_set = compose_files()
            .iter()
            .any(|file| names.iter().flatten().any(|name| read(file).contains(&format!("- {name}="))));
        assert!(has(&in_sample) != is_set, "{} must be in .env.sample or be set by a compose file", key.name);
    }
}

#[test]
fn the_sample_is_a_whole_configuration() {
    let sample = sample().expand(&Default::default());
    let token = ("FORGE_TOKEN".to_owned(), "x".repeat(40));
    let layers = Layers::default().with(".env.sample", sample.into_iter().chain([token]));
    let settings = Settings::read(&layers, "/data".into()).unwrap();
    assert!(settings.uses_own_key);
}

#[test]
fn every_overlay_can_be_switched_on_and_every_secret_has_its_version() {
    let text = read(".env.sample");
    for file in compose_files().iter().filter(|file| *file != "compose.yml") {
        assert!(text.contains(&format!("$COMPOSE_FILE:{file}\"")), ".env.sample does not name {file}");
    }
    let versions: BTreeSet<_> = names_in_sample().into_iter().filter(|name| name.starts_with("SECRET_")).collect();
    let used: BTreeSet<_> = compose_files()
        .iter()
        .flat_map(|file| {
            read(file).split("${").skip(1).map(|rest| rest.split('}').next().unwrap().to_owned()).collect::<Vec<_>>()
        })
        .filter(|name| name.starts_with("SECRET_"))
        .collect();
    assert_eq!(versions, used);
}

#[test]
fn both_dockerfiles_assemble_the_same_image() {
    let steps = |text: &str| -> Vec<String> {
        let stage = text[text.rfind("\nFROM ").unwrap()..].to_owned();
        let lines = stage.lines().filter(|line| {
            !["", "FROM", "ARG", "COPY", "LABEL", "#"].contains(&line.split(' ').next().unwrap_or_default())
        });
        lines.map(str::to_owned).collect()
    };
    assert_eq!(steps(&read("Dockerfile")), steps(&read("Dockerfile.release")));
}

#[test]
fn versions_agree() {
    let version = env!("CARGO_PKG_VERSION");
    let compose = read("compose.yml");
    assert!(compose.contains(&format!("cc-ci/cc-ci}}:{version}\n")), "the image's tag");
    let label = compose.split("coop-cloud.${STACK_NAME}.version=").nth(1).unwrap().split('"').next().unwrap();
    assert!(label.ends_with(&format!("+{version}")), "{label}");
    assert!(root().join("release").join(label).is_file(), "there are no release notes for {label}");
}
