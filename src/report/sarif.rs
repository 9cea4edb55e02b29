//! Lint as SARIF 2.1.0 (OASIS): the properties that the standard requires, and those that viewers use.

use serde::Serialize;

use super::lint::Linted;
use crate::domain::lint::RULES;
use crate::domain::results::{LintLine, Severity};

#[derive(Serialize)]
struct Log<'a> {
    #[serde(rename = "$schema")]
    schema: &'static str,
    version: &'static str,
    runs: [Run<'a>; 1],
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Run<'a> {
    tool: Tool,
    column_kind: &'static str,
    results: Vec<Found<'a>>,
}

#[derive(Serialize)]
struct Tool {
    driver: Driver,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Driver {
    name: &'static str,
    semantic_version: &'static str,
    rules: Vec<Descriptor>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Descriptor {
    id: &'static str,
    short_description: Message<&'static str>,
    full_description: Message<&'static str>,
    help: Message<&'static str>,
    default_configuration: Configuration,
}

#[derive(Serialize)]
struct Configuration {
    level: &'static str,
}

#[derive(Serialize)]
struct Message<T> {
    text: T,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Found<'a> {
    rule_id: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    rule_index: Option<usize>,
    level: &'static str,
    message: Message<String>,
    locations: [Location; 1],
    /// Only where there is a base.
    #[serde(skip_serializing_if = "Option::is_none")]
    baseline_state: Option<&'static str>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Location {
    physical_location: Physical,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Physical {
    artifact_location: Artifact,
    #[serde(skip_serializing_if = "Option::is_none")]
    region: Option<Region>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Artifact {
    uri: String,
    uri_base_id: &'static str,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Region {
    start_line: u32,
}

/// The log of one run of the linter.
///
/// # Errors
/// None that is known: every value can be written.
pub fn sarif(linted: &Linted) -> serde_json::Result<String> {
    let rules = RULES.iter().map(|rule| Descriptor {
        id: rule.id,
        short_description: Message { text: rule.what },
        full_description: Message { text: rule.why },
        help: Message { text: rule.advice },
        default_configuration: Configuration { level: level(rule.severity) },
    });
    let driver = Driver { name: "cc-ci lint", semantic_version: env!("CARGO_PKG_VERSION"), rules: rules.collect() };
    let has_base = linted.recipe.base.is_some();
    let results = linted.lint.iter().map(|line| found(line, has_base)).collect();
    let log = Log {
        schema: "https://json.schemastore.org/sarif-2.1.0.json",
        version: "2.1.0",
        runs: [Run { tool: Tool { driver }, column_kind: "unicodeCodePoints", results }],
    };
    serde_json::to_string_pretty(&log).map(|text| text + "\n")
}

const fn level(severity: Severity) -> &'static str {
    match severity {
        Severity::Error => "error",
        Severity::Hint => "note",
    }
}

fn found(line: &LintLine, has_base: bool) -> Found<'_> {
    let state = if line.new { "new" } else { "unchanged" };
    Found {
        rule_id: &line.rule,
        rule_index: RULES.iter().position(|rule| rule.id == line.rule),
        level: level(line.severity),
        message: Message { text: format!("{}. {}", line.text, line.advice) },
        locations: [Location {
            physical_location: Physical {
                artifact_location: Artifact { uri: uri(&line.file), uri_base_id: "SRCROOT" },
                region: line.line.map(|start_line| Region { start_line }),
            },
        }],
        baseline_state: has_base.then_some(state),
    }
}

/// A path as a relative URI reference.
fn uri(path: &str) -> String {
    let of = |byte: u8| match byte {
        b'A'..=b'Z' | b'a'..=b'z' | b'0'..=b'9' | b'-' | b'.' | b'_' | b'~' | b'/' | b'+' => {
            char::from(byte).to_string()
        }
        other => format!("%{other:02X}"),
    };
    path.bytes().map(of).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use serde_json::Value;

    use super::*;
    use crate::domain::results::{conclude, samples};

    fn linted(lines: Vec<LintLine>) -> Linted {
        Linted::new(conclude(samples::good()).recipe, RULES.len(), lines)
    }

    fn line(rule: &str, file: &str, line: Option<u32>, new: bool) -> LintLine {
        LintLine { rule: rule.into(), file: file.into(), line, new, ..samples::good().lint.remove(0) }
    }

    /// What the public schema of SARIF 2.1.0 asks for of the objects that we write: required properties, value sets, ranges.
    fn check(log: &Value) {
        assert_eq!(log["version"], "2.1.0");
        let runs = log["runs"].as_array().unwrap();
        for run in runs {
            let driver = &run["tool"]["driver"];
            assert!(driver["name"].is_string());
            assert!(["utf16CodeUnits", "unicodeCodePoints"].contains(&run["columnKind"].as_str().unwrap()));
            let rules = driver["rules"].as_array().unwrap();
            let levels = ["none", "note", "warning", "error"];
            let mut ids: Vec<&str> = rules.iter().map(|rule| rule["id"].as_str().unwrap()).collect();
            for rule in rules {
                for text in ["shortDescription", "fullDescription", "help"] {
                    assert!(rule[text]["text"].is_string());
                }
                assert!(levels.contains(&rule["defaultConfiguration"]["level"].as_str().unwrap()));
            }
            for result in run["results"].as_array().unwrap() {
                assert!(result["message"]["text"].is_string(), "message is required");
                assert!(levels.contains(&result["level"].as_str().unwrap()));
                if let Some(index) = result.get("ruleIndex") {
                    assert_eq!(rules[usize::try_from(index.as_u64().unwrap()).unwrap()]["id"], result["ruleId"]);
                }
                if let Some(state) = result.get("baselineState") {
                    assert!(["new", "unchanged", "updated", "absent"].contains(&state.as_str().unwrap()));
                }
                let place = &result["locations"][0]["physicalLocation"];
                let uri = place["artifactLocation"]["uri"].as_str().unwrap();
                assert!(!uri.starts_with('/') && uri.bytes().all(|byte| byte.is_ascii_graphic()), "{uri}");
                if let Some(region) = place.get("region") {
                    assert!(region["startLine"].as_u64().unwrap() >= 1);
                }
            }
            ids.sort_unstable();
            ids.dedup();
            assert_eq!(ids.len(), rules.len(), "rules are unique");
        }
    }

    #[test]
    fn a_log_has_what_the_standard_requires() {
        let lines = vec![line("C007", "compose.yml", Some(9), true), line("C022", "refs/tags", None, false)];
        let log: Value = serde_json::from_str(&sarif(&linted(lines)).unwrap()).unwrap();
        check(&log);
        insta::assert_json_snapshot!(log["runs"][0]["results"]);
    }

    proptest! {
        #[test]
        fn any_line_can_be_written(rule in ".{0,8}", file in ".{0,20}[^/]", number in prop::option::of(1_u32..), new in any::<bool>()) {
            let file = file.trim_start_matches('/');
            let log: Value = serde_json::from_str(&sarif(&linted(vec![line(&rule, file, number, new)])).unwrap()).unwrap();
            check(&log);
        }
    }
}
