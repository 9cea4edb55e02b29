//! Which tasks are of the wanted spec.

use serde_json::{Map, Value};

/// The parts of a `TaskTemplate` that say what runs. Placement is left out, since the scheduler and the client fill it in;
/// `Runtime` too, since it is always a container.
const PARTS: [&str; 5] = ["ContainerSpec", "Resources", "RestartPolicy", "LogDriver", "ForceUpdate"];

/// Maps whose keys are the recipe's own: an empty value is a value there.
const FREE_MAPS: [&str; 4] = ["Labels", "Sysctls", "Options", "DriverOpts"];

/// Swarm's defaults that the API writes out in one place and leaves out in another.
const DEFAULTS: [(&str, &str); 2] = [("Condition", "any"), ("Isolation", "default")];

/// Swarm's default restart delay, in nanoseconds.
const DEFAULT_DELAY: i64 = 5_000_000_000;
/// Seen only where a client asked for defaults to be filled in, as `docker service inspect` does.
const DEFAULT_GRACE: i64 = 10_000_000_000;

/// Whether a task's `Spec` is this `TaskTemplate`, placement aside and absent taken as default.
#[must_use]
pub fn same_spec(template: &Value, task_spec: &Value) -> bool {
    Template::of(template).is_that_of(task_spec)
}

/// A template in normal form.
#[derive(PartialEq)]
pub(super) struct Template {
    parts: Vec<Option<Value>>,
    /// The networks' ids, sorted; `None` when the API gave none.
    networks: Option<Vec<String>>,
}

impl Template {
    pub(super) fn of(template: &Value) -> Self {
        let parts = PARTS.iter().map(|part| template.get(*part).and_then(|value| normal(part, value))).collect();
        Self { parts, networks: networks(template) }
    }

    pub(super) fn is_that_of(&self, task_spec: &Value) -> bool {
        let other = Self::of(task_spec);
        let same_networks = match (&self.networks, &other.networks) {
            (Some(ours), Some(theirs)) => ours == theirs,
            // Older specs keep their networks beside the template.
            (None, _) | (_, None) => true,
        };
        self.parts == other.parts && same_networks
    }
}

fn networks(template: &Value) -> Option<Vec<String>> {
    let networks = template.get("Networks")?.as_array()?;
    let mut targets: Vec<String> =
        networks.iter().filter_map(|network| network["Target"].as_str()).map(str::to_owned).collect();
    targets.sort();
    (!targets.is_empty()).then_some(targets)
}

/// The value without what equals absence; `None` when nothing is left.
fn normal(key: &str, value: &Value) -> Option<Value> {
    match value {
        Value::Null => None,
        Value::Bool(value) => value.then_some(Value::Bool(true)),
        Value::Number(number) => {
            let default = number.as_f64() == Some(0.0)
                || (key == "Delay" && number.as_i64() == Some(DEFAULT_DELAY))
                || (key == "StopGracePeriod" && number.as_i64() == Some(DEFAULT_GRACE));
            (!default).then(|| value.clone())
        }
        Value::String(text) => {
            let default = text.is_empty() || DEFAULTS.contains(&(key, text.as_str()));
            (!default).then(|| value.clone())
        }
        // Entries keep their places: an empty argument is an argument.
        Value::Array(entries) => {
            (!entries.is_empty()).then(|| entries.iter().map(|entry| normal(key, entry).unwrap_or_default()).collect())
        }
        Value::Object(map) if FREE_MAPS.contains(&key) => (!map.is_empty()).then(|| value.clone()),
        Value::Object(map) => {
            let map: Map<String, Value> =
                map.iter().filter_map(|(key, value)| Some((key.clone(), normal(key, value)?))).collect();
            (!map.is_empty()).then_some(Value::Object(map))
        }
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn template() -> Value {
        json!({
            "ContainerSpec": { "Image": "app:1", "Env": ["A=", "B=1"], "Labels": { "x": "" }, "Isolation": "default" },
            "Resources": { "Limits": {}, "Reservations": {} },
            "RestartPolicy": { "Condition": "any", "Delay": 5_000_000_000_i64, "MaxAttempts": 0 },
            "Placement": { "Platforms": [{ "Architecture": "amd64", "OS": "linux" }] },
            "Networks": [{ "Target": "n2", "Aliases": ["app"] }, { "Target": "n1" }],
            "ForceUpdate": 0,
            "Runtime": "container",
        })
    }

    #[test]
    fn placement_and_written_out_defaults_make_no_difference() {
        let task = json!({
            "ContainerSpec": { "Image": "app:1", "Env": ["A=", "B=1"], "Labels": { "x": "" }, "Init": null, "Hosts": [] },
            "RestartPolicy": {},
            "Networks": [{ "Target": "n1" }, { "Target": "n2" }],
        });
        assert!(same_spec(&template(), &task));
        assert!(same_spec(&task, &template()));
    }

    #[test]
    fn what_runs_makes_a_difference() {
        let changes: [(&str, Value); 7] = [
            ("/ContainerSpec/Image", json!("app:2")),
            ("/ContainerSpec/Env/0", json!("A=1")),
            ("/ContainerSpec/Labels", json!({})),
            ("/Resources/Limits", json!({ "MemoryBytes": 1 })),
            ("/RestartPolicy/Condition", json!("none")),
            ("/ForceUpdate", json!(1)),
            ("/Networks/0/Target", json!("n3")),
        ];
        for (place, value) in changes {
            let mut task = template();
            *task.pointer_mut(place).unwrap() = value;
            assert!(!same_spec(&template(), &task), "{place}");
        }
    }

    #[test]
    fn nonsense_is_compared_without_panic() {
        assert!(same_spec(&Value::Null, &json!({})));
        assert!(!same_spec(&json!("x"), &template()));
    }
}
