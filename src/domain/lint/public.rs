//! What lint tells of recipes with the traits of public ones: hints, and an error only where a deploy really stops.

use super::*;
use crate::domain::recipe::fixtures::files;

/// The files of `tests/public/<name>`.
macro_rules! public {
    ($name:literal, $($path:literal)*) => {
        files(&[$(($path, include_str!(concat!("../../../tests/public/", $name, "/", $path)))),*])
    };
}

/// `rule severity file:line` of each hit.
fn told(files: &RecipeFiles) -> Vec<String> {
    let hits = lint(files, &Around::default());
    let line = |hit: &Hit| hit.line.map_or("-".to_owned(), |line| line.to_string());
    hits.iter().map(|hit| format!("{} {:?} {}:{}", hit.rule.id, hit.severity, hit.file, line(hit))).collect()
}

#[test]
fn rich_and_clean_recipes() {
    let bonfire = public!("bonfire", ".env.sample" "README.md" "abra.sh" "compose.yml" "compose.postgres.yml" "search/compose.meili.yml" "entrypoint.sh.tmpl" "pg_backup.sh");
    assert_eq!(told(&bonfire), ["C005 Hint compose.yml:13", "C014 Hint compose.yml:12", "C023 Hint compose.yml:66"]);
    let foodsharing = public!("foodsharing-cms", ".env.sample" "README.md" "compose.yml");
    assert_eq!(told(&foodsharing), [""; 0]);
}

#[test]
fn recipes_that_deploy_although_much_could_be_better() {
    let llamenos = public!("llamenos", ".env.sample" "compose.yml");
    assert_eq!(
        told(&llamenos),
        [
            "C005 Hint compose.yml:14",
            "C005 Hint compose.yml:30",
            "C006 Hint compose.yml:13",
            "C013 Hint compose.yml:13",
            "C013 Hint compose.yml:21",
            "C013 Hint compose.yml:29",
            "C014 Hint compose.yml:13",
            "C018 Hint README.md:-",
        ]
    );
    let bore = public!("bore", ".env.sample" "compose.yml");
    assert_eq!(
        told(&bore),
        ["C006 Hint compose.yml:13", "C013 Hint compose.yml:3", "C018 Hint README.md:-", "C020 Hint compose.yml:3"]
    );
    let gaseous = public!("gaseous", ".env.sample" "README.md" "compose.yml");
    assert_eq!(
        told(&gaseous),
        [
            "C004 Hint compose.yml:4",
            "C004 Hint compose.yml:19",
            "C013 Hint compose.yml:3",
            "C013 Hint compose.yml:18",
            "C014 Hint compose.yml:3",
            "C025 Hint compose.yml:9",
            "C025 Hint compose.yml:22",
        ]
    );
    let agora = public!("agora", ".env.sample" "README.md" "compose.yml");
    assert_eq!(
        told(&agora),
        [
            "C006 Hint compose.yml:12",
            "C013 Hint compose.yml:3",
            "C013 Hint compose.yml:13",
            "C017 Hint compose.yml:4",
            "C017 Hint compose.yml:14",
        ]
    );
    let nodex = public!("nodex-next", ".env.sample" "compose.yml");
    assert_eq!(told(&nodex), ["C018 Hint README.md:-"]);
}

#[test]
fn recipes_of_the_old_form() {
    let lemp = public!("lemp", ".env.sample" "abra.sh" "compose.yml" "nginx.conf.tmpl" "uploads.ini");
    let hits = lint(&lemp, &Around::default());
    assert!(hits.iter().all(|hit| hit.severity == Severity::Hint), "{hits:?}");
    assert!(hits[0].text.contains("is of the form of 2021"), "{}", hits[0].text);
    let room = public!("go-ssb-room", ".env.sample" "compose.yml");
    assert_eq!(told(&room), ["C013 Hint compose.yml:3", "C018 Hint README.md:-"]);
}

#[test]
fn what_is_no_recipe() {
    let docs = public!("docs", ".env.sample" "compose.yml");
    assert_eq!(told(&docs), ["C006 Hint compose.yml:3", "C013 Hint compose.yml:3", "C018 Hint README.md:-"]);
    let abramon = public!("abramon", ".env.sample" "abra.sh");
    assert_eq!(told(&abramon), ["C002 Error compose.yml:-", "C018 Hint README.md:-"]);
}
