//! The tables in the docs are those of the code. `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails its test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use cc_ci::config::keys;
use cc_ci::domain::finding::{Class, FindingKind};
use cc_ci::domain::lint::{RULES, Severity};
use cc_ci::domain::tests_file::TestsFile;
use serde_json::Value;

/// Everything behind this line of a document is generated.
const GENERATED: &str = "<!-- generated: see tests/docs.rs -->\n";

fn holds(document: &str, table: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs").join(document);
    let text = std::fs::read_to_string(&path).unwrap();
    let by_hand = text.split(GENERATED).next().unwrap_or_default();
    let wanted = format!("{by_hand}{GENERATED}\n{table}");
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(&path, &wanted).unwrap();
    }
    let found = std::fs::read_to_string(&path).unwrap();
    assert!(found == wanted, "{document} is behind the code; hint: UPDATE_DOCS=1 cargo test --test docs");
}

#[test]
fn every_finding_is_documented() {
    let examples = examples();
    let mut table = String::from(
        "| kind | what it means | what it looks like | usually the fault of | what to do |\n|---|---|---|---|---|\n",
    );
    for kind in FindingKind::ALL {
        let class = match kind.class() {
            Class::Recipe => "the recipe",
            Class::Infra => "the infrastructure",
            Class::Tests => "the tests file",
            Class::Unknown => "not known from one run",
        };
        let looks = examples.get(kind.name()).map(|sentence| sentence.replace('|', "\\|")).unwrap_or_default();
        writeln!(table, "| `{}` | {} | {looks} | {class} | {} |", kind.name(), kind.meaning(), kind.advice()).unwrap();
    }
    holds("findings.md", &table);
}

/// The first sentence of each kind in the snapshot of all of them.
fn examples() -> BTreeMap<String, String> {
    let place = "src/domain/convergence/tests/snapshots/cc_ci__domain__convergence__tests__catalogue__catalogue.snap";
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join(place)).unwrap();
    let catalogue = text.splitn(3, "---\n").nth(2).unwrap();
    let (mut found, mut kind) = (BTreeMap::new(), "");
    for line in catalogue.lines() {
        match line.strip_prefix("    ") {
            None => kind = line,
            Some(sentence) => {
                found.entry(kind.to_owned()).or_insert_with(|| sentence.to_owned());
            }
        }
    }
    found
}

#[test]
fn every_lint_rule_is_documented() {
    let mut table = String::from("| rule | abra's | asks for | why | what to do |\n|---|---|---|---|---|\n");
    for rule in RULES {
        let severity = match rule.severity {
            Severity::Error => "error",
            Severity::Hint => "hint",
        };
        let abra = rule.abra.unwrap_or_default();
        writeln!(table, "| {} {severity} | {abra} | {} | {} | {} |", rule.id, rule.what, rule.why, rule.advice)
            .unwrap();
    }
    holds("lint.md", &table);
}

#[test]
fn every_setting_is_documented() {
    holds("configuration.md", &keys::table());
}

#[test]
fn every_dependency_is_documented() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let text = std::fs::read_to_string(root.join("docs/dependencies.md")).unwrap();
    let cells: Vec<&str> = text.lines().filter_map(|line| line.strip_prefix("| ")?.split(" | ").next()).collect();
    let documented: Vec<&str> = cells.iter().flat_map(|cell| cell.split(", ")).collect();
    for manifest in ["Cargo.toml", "xtask/Cargo.toml"] {
        let manifest: toml::Table = std::fs::read_to_string(root.join(manifest)).unwrap().parse().unwrap();
        for section in ["dependencies", "dev-dependencies"] {
            for name in manifest.get(section).and_then(toml::Value::as_table).into_iter().flat_map(|table| table.keys())
            {
                assert!(documented.contains(&name.as_str()), "docs/dependencies.md does not say what `{name}` is for");
            }
        }
    }
}

/// The schema that editors use, and whether a text is what it asks for.
fn tests_file_schema() -> (Value, impl Fn(&str) -> bool) {
    let text = std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/tests-file.schema.json"));
    let schema: Value = serde_json::from_str(&text.unwrap()).unwrap();
    let validator = jsonschema::validator_for(&schema).unwrap();
    (schema, move |text: &str| validator.is_valid(&toml::from_str::<Value>(text).unwrap()))
}

#[test]
fn the_documented_tests_file_can_be_read_and_is_what_editors_expect() {
    let document =
        std::fs::read_to_string(Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/recipe-maintainers.md")).unwrap();
    let examples: Vec<&str> =
        document.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    let (_, fits) = tests_file_schema();
    for example in &examples {
        let read = TestsFile::read(example);
        assert!(read.is_ok() && fits(example), "{read:?}\n{example}");
    }
    let file = TestsFile::read(examples[0]).unwrap();
    assert!([file.ready.len(), file.seeds.len(), file.checks.len(), file.extras.len()].iter().all(|n| *n > 0));
}

/// The reader names the keys it knows when there is one that it does not know.
#[test]
fn the_schema_of_the_tests_file_has_the_readers_keys() {
    let (schema, _) = tests_file_schema();
    let places = [
        ("", ""),
        ("[not_applicable]", "/properties/not_applicable"),
        ("[[ready]]", "/properties/ready/items"),
        ("[[ready]]\n[ready.http]", "/properties/ready/items/properties/http"),
        ("[[seed]]", "/properties/seed/items"),
        ("[[seed]]\n[seed.verify]", "/properties/seed/items/properties/verify"),
        ("[[seed]]\n[seed.verify.http]", "/definitions/http"),
        ("[[check]]", "/definitions/check"),
        ("[[extra]]", "/definitions/check"),
        ("[[check]]\n[check.http]", "/definitions/http"),
        ("[[check]]\n[check.tcp]", "/definitions/check/properties/tcp"),
        ("[[check]]\n[check.container]", "/definitions/check/properties/container"),
    ];
    for (place, pointer) in places {
        let said = TestsFile::read(&format!("{place}\nno_key = 1")).unwrap_err().what;
        let (_, known) = said.split_once("expected").unwrap();
        let mut known: Vec<&str> = known.split('`').skip(1).step_by(2).collect();
        known.sort_unstable();
        let object = schema.pointer(pointer).unwrap();
        let mut keys: Vec<&String> = object["properties"].as_object().unwrap().keys().collect();
        keys.sort_unstable();
        assert_eq!(keys, known, "{place}");
        assert_eq!(object["additionalProperties"], false, "{place}");
    }
}

#[test]
fn what_the_reader_refuses_editors_mark() {
    let (_, fits) = tests_file_schema();
    let check = |rest: &str| format!("[[check]]\nname = 'x'\n{rest}");
    let seed = |rest: &str| format!("[[seed]]\nname = 'x'\nservice = 'db'\n{rest}");
    let page = |rest: &str| check(&format!("http = {{ path = '/', {rest} }}"));
    let wrong = [
        "weight = 0".to_owned(),
        "settle = 'long'".to_owned(),
        "not_applicable = { backup = '' }".to_owned(),
        "env = { DOMAIN = 'x' }".to_owned(),
        "[[ready]]\nhttp = { path = '//x', status = 200 }".to_owned(),
        "[[ready]]\nhttp = { path = '/', status = 500 }".to_owned(),
        check(""),
        check("exec = ['a']"),
        check("service = 'db'\nexec = 'a'"),
        check("service = 'db'\ncmd = 'a \"b\"'"),
        check("service = 'db'\nhttp = { path = '/' }"),
        check("tcp = { service = 'db', port = 1 }\nhttp = { path = '/' }"),
        check("tcp = { service = 'db', port = 0 }"),
        check("container = { image = 'a:1', run = 'x y' }"),
        check("container = { image = 'a:1' }\nservice = 'db'"),
        check("container = { run = ['x'] }"),
        page("json = { a = 1 }"),
        page("json = { '/a' = [1] }"),
        page("headers = { a = 1 }"),
        page("status = 600"),
        page("subdomain = 'A'"),
        seed("exec = ['a']"),
        seed("exec = ['a']\ncmd = 'a'\nverify = { cmd = 'a' }"),
        seed("exec = ['a']\nverify = { http = { path = '/' }, service = 'db' }"),
        seed("exec = ['a']\nverify = { cmd = 'a', stdout_contains = '' }"),
    ];
    for text in wrong {
        assert!(TestsFile::read(&text).is_err(), "the reader takes {text}");
        assert!(!fits(&text), "the schema takes {text}");
    }
    let right = [
        check("container = { image = 'a:1', run = ['x'] }"),
        check("service = 'db'\ncmd = ' a b '"),
        seed("cmd = ['a', '\"']\nverify = { http = { path = '/' } }"),
    ];
    for text in right {
        assert!(TestsFile::read(&text).is_ok() && fits(&text), "{text}");
    }
}

#[test]
fn links_between_documents_lead_somewhere() {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let documents = std::fs::read_dir(root.join("docs")).unwrap().flatten().map(|entry| entry.path());
    for document in
        documents.chain([root.join("README.md")]).filter(|path| path.extension().is_some_and(|end| end == "md"))
    {
        let text = std::fs::read_to_string(&document).unwrap();
        for target in text.split("](").skip(1).filter_map(|rest| rest.split(')').next()) {
            if target.contains("://") || target.starts_with('#') {
                continue;
            }
            let place = document.parent().unwrap().join(target.split('#').next().unwrap());
            assert!(place.exists(), "{}: `{target}` leads nowhere", document.display());
        }
    }
}
