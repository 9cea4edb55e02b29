//! The tables in the docs are those of the code. `UPDATE_DOCS=1 cargo test --test docs` writes them anew.

#![expect(clippy::unwrap_used, reason = "a document that cannot be read fails its test")]

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

use cc_ci::config::keys;
use cc_ci::domain::finding::{Class, FindingKind};
use cc_ci::domain::lint::{RULES, Severity};

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
