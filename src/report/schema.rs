//! Results against their schema: the committed one is that of the code, and what runs write is valid by it.

use std::path::PathBuf;

use serde_json::Value;

use crate::domain::results::schema::made;
use crate::domain::results::{conclude, samples};

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
