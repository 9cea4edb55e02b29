//! The JSON Schema of `results.json`, made from its types for tests: the committed one is compared with it, and what runs write is
//! held against the committed one.

use std::path::PathBuf;

use schemars::generate::SchemaSettings;
use schemars::{JsonSchema, Schema, SchemaGenerator, json_schema};
use serde_json::Value;

use super::{Results, conclude, samples};

/// An instant in RFC 3339.
pub(crate) struct Instant;

impl JsonSchema for Instant {
    fn schema_name() -> std::borrow::Cow<'static, str> {
        "Instant".into()
    }

    fn inline_schema() -> bool {
        true
    }

    fn json_schema(_: &mut SchemaGenerator) -> Schema {
        json_schema!({ "type": "string", "format": "date-time" })
    }
}

fn made() -> String {
    let mut schema = SchemaSettings::draft2020_12().for_serialize().into_generator().into_root_schema_for::<Results>();
    schema.insert("title".into(), "results.json of cc-ci".into());
    let mut text = serde_json::to_string_pretty(&schema).unwrap();
    text.push('\n');
    text
}

fn file() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR")).join("docs/results.schema.json")
}

/// What is wrong with a `results.json`, by the committed schema.
fn wrong(results: &Value) -> Vec<String> {
    let schema: Value = serde_json::from_str(&std::fs::read_to_string(file()).unwrap()).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let wrong = validator.validate(results).err();
    wrong.into_iter().flatten().map(|error| format!("{}: {error}", error.instance_path)).collect()
}

/// `UPDATE_DOCS=1 cargo test --lib schema` writes it anew.
#[test]
fn the_committed_schema_is_that_of_the_code() {
    if std::env::var_os("UPDATE_DOCS").is_some() {
        std::fs::write(file(), made()).unwrap();
    }
    let committed = std::fs::read_to_string(file()).unwrap();
    assert!(
        committed == made(),
        "docs/results.schema.json is behind the code; hint: UPDATE_DOCS=1 cargo test --lib schema"
    );
}

#[test]
fn what_runs_write_is_valid() {
    for facts in [samples::good(), samples::crash_loop(), samples::target_lost()] {
        let results = serde_json::to_value(conclude(facts)).unwrap();
        assert_eq!(wrong(&results), Vec::<String>::new());
    }
}

#[test]
fn what_no_run_writes_is_not_valid() {
    let good = serde_json::to_value(conclude(samples::crash_loop())).unwrap();
    let told = |change: &dyn Fn(&mut Value)| {
        let mut results = good.clone();
        change(&mut results);
        wrong(&results).len()
    };
    assert_eq!(told(&|_| {}), 0);
    assert_eq!(told(&|results| results["verdict"] = "purple".into()), 1);
    assert_eq!(told(&|results| results["findings"][0]["kind"] = "bad_luck".into()), 1);
    assert_eq!(told(&|results| results["started"] = "yesterday".into()), 1);
    assert_eq!(told(&|results| results["rungs"]["lint"]["state"] = Value::Null), 1);
    assert_eq!(told(&|results| results["level"] = (-1).into()), 1);
    assert!(told(&|results| drop(results.as_object_mut().unwrap().remove("sentence"))) > 0);
}
