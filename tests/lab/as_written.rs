//! s16: what runs is what the recipe says: the same as a hand-written `docker stack deploy` makes of it.

use std::collections::{BTreeMap, BTreeSet};
use std::io::Write as _;
use std::path::Path;
use std::process::Stdio;

use cc_ci::domain::convergence::same_spec;
use serde_json::Value;

use crate::support::{Lab, lab, said, until};

/// The fields in which the two may differ, each with its reason.
const MAY_DIFFER: [(&str, &str); 8] = [
    ("ID", "Swarm draws it"),
    ("CreatedAt", "a time"),
    ("UpdatedAt", "a time"),
    ("Version.Index", "Swarm counts"),
    ("Endpoint.VirtualIPs", "Swarm gives out addresses"),
    ("Spec.TaskTemplate.ContainerSpec.Env", "abra exposes every app variable to each service, and so do we"),
    ("Spec.Labels", "abra adds the labels recipe, chaos and chaos-version, and so do we"),
    ("Spec.TaskTemplate", "ids of networks, secrets and configs that were made anew"),
];

const SERVICES: [&str; 2] = ["app", "db"];

#[test]
fn s16_deploys_exactly_as_written() {
    let lab = lab();
    let mut run = lab.run("notes", &["--keep", "10m"]);
    run.wait_for("stays up until");
    let stack = format!("cc{}_ci_lab_test", &run.id()[..4]);
    let ours: BTreeMap<&str, Value> =
        SERVICES.iter().map(|service| (*service, inspect(&lab, &stack, service))).collect();
    check_secret_and_config(&lab, &stack);
    check_same_spec(&lab, &stack);
    run.interrupt();
    run.finish().assert(0, "green");
    lab.assert_untouched();

    deploy_by_hand(&lab, &stack);
    let theirs: BTreeMap<&str, Value> =
        SERVICES.iter().map(|service| (*service, inspect(&lab, &stack, service))).collect();
    remove_by_hand(&lab, &stack);
    lab.assert_untouched();
    for service in SERVICES {
        compare(service, &ours[service], &theirs[service]);
    }
}

fn inspect(lab: &Lab, stack: &str, service: &str) -> Value {
    let text = lab.docker(&["service", "inspect", &format!("{stack}_{service}")]);
    serde_json::from_str::<Value>(&text).unwrap()[0].take()
}

/// The secret has the length and the characters that `.env.sample` asks for; the config is filled from env and secret.
fn check_secret_and_config(lab: &Lab, stack: &str) {
    let app = container(lab, stack, "app");
    let secret = lab.docker(&["exec", &app, "cat", "/run/secrets/db_password"]);
    assert_eq!(secret.len(), 32);
    assert!(secret.bytes().all(|byte| byte.is_ascii_alphanumeric()), "letters and digits alone");
    let config = lab.docker(&["exec", &app, "cat", "/etc/notes/app.conf"]);
    let domain = stack.replace('_', ".");
    assert!(config.contains(&format!("url = https://{domain}")) && config.contains("title = Lab notes"), "{config}");
    assert!(config.contains(&format!("postgres://notes:{secret}@db/notes")), "the template is filled with the secret");
}

fn container(lab: &Lab, stack: &str, service: &str) -> String {
    let ids = lab.docker(&["ps", "-q", "--filter", &format!("label=com.docker.swarm.service.name={stack}_{service}")]);
    ids.lines().next().unwrap_or_default().to_owned()
}

/// The rule that a task is current, on what a real Swarm says of service and task.
fn check_same_spec(lab: &Lab, stack: &str) {
    let template = &inspect(lab, stack, "db")["Spec"]["TaskTemplate"];
    let tasks =
        lab.docker(&["service", "ps", "-q", "--no-trunc", "--filter", "desired-state=running", &format!("{stack}_db")]);
    let task: Value = serde_json::from_str(&lab.docker(&["inspect", "--type", "task", &tasks])).unwrap();
    assert!(same_spec(template, &task[0]["Spec"]), "{template:#}\n{:#}", task[0]["Spec"]);
    let mut other = template.clone();
    other["ContainerSpec"]["Image"] = "lab/postgres:16".into();
    assert!(!same_spec(&other, &task[0]["Spec"]));
}

/// What an operator would type with the same inputs.
fn deploy_by_hand(lab: &Lab, stack: &str) {
    let place = format!("/tmp/by-hand-{stack}");
    lab.copy_there(&Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes/notes"), &place);
    let secret = format!("{stack}_db_password_v1");
    let mut create = lab.back_door(&["-i"], &["docker", "secret", "create", &secret, "-"]);
    let mut child = create.stdin(Stdio::piped()).stdout(Stdio::null()).spawn().unwrap();
    child.stdin.take().unwrap().write_all(&[b'x'; 32]).unwrap();
    assert!(child.wait().unwrap().success());

    let domain = stack.replace('_', ".");
    let env = [
        ("STACK_NAME", stack),
        ("DOMAIN", domain.as_str()),
        ("TITLE", "Lab notes"),
        ("TIMEOUT", "120"),
        ("LETS_ENCRYPT_ENV", ""),
        ("EXTRA_DOMAINS", ""),
        ("SECRET_DB_PASSWORD_VERSION", "v1"),
        ("APP_CONF_VERSION", "v1"),
        ("PG_BACKUP_VERSION", "v1"),
    ];
    let env: Vec<String> = env.iter().map(|(name, value)| format!("{name}={value}")).collect();
    let mut options = vec!["--workdir", &place];
    options.extend(env.iter().flat_map(|pair| ["--env", pair]));
    let argv = ["docker", "stack", "deploy", "--detach=true", "-c", "compose.yml", "-c", "compose.postgres.yml", stack];
    said(&mut lab.back_door(&options, &argv));
}

fn remove_by_hand(lab: &Lab, stack: &str) {
    lab.docker(&["stack", "rm", "--detach=true", stack]);
    let label = format!("label=com.docker.stack.namespace={stack}");
    let gone = |arguments: &[&str]| lab.docker(arguments).is_empty();
    until("the end of the stack made by hand", || {
        (gone(&["ps", "-aq", "--filter", &label]) && gone(&["network", "ls", "-q", "--filter", &label])).then_some(())
    });
    for volume in ["app_data", "db_data"] {
        lab.docker(&["volume", "rm", &format!("{stack}_{volume}")]);
    }
    lab.docker(&["secret", "rm", &format!("{stack}_db_password_v1")]);
    said(&mut lab.back_door(&[], &["rm", "-r", &format!("/tmp/by-hand-{stack}")]));
}

fn compare(service: &str, ours: &Value, theirs: &Value) {
    let (ours, theirs) = (flat(ours), flat(theirs));
    let paths: BTreeSet<&String> = ours.keys().chain(theirs.keys()).collect();
    let different: BTreeSet<&String> = paths.into_iter().filter(|path| ours.get(*path) != theirs.get(*path)).collect();
    let allowed = |path: &str| match path {
        // Ids of objects that were made anew stand deep in the template.
        _ if path.ends_with("NetworkID")
            || path.ends_with("SecretID")
            || path.ends_with("ConfigID")
            || path.ends_with(".Target") =>
        {
            true
        }
        _ => MAY_DIFFER.iter().any(|(field, _)| {
            *field != "Spec.TaskTemplate" && (path == *field || path.starts_with(&format!("{field}.")))
        }),
    };
    let unexpected: Vec<&&String> = different.iter().filter(|path| !allowed(path)).collect();
    println!("{service}: differs in {different:?}");
    assert!(unexpected.is_empty(), "{service}: {unexpected:?}");
    let labels: Vec<&&String> = different.iter().filter(|path| path.starts_with("Spec.Labels.")).collect();
    assert!(labels.iter().all(|path| path.contains("recipe") || path.contains("chaos")), "{labels:?}");
}

/// Every leaf by its path; a list of texts is a set, a list of objects goes by its names.
fn flat(value: &Value) -> BTreeMap<String, Value> {
    fn walk(path: &str, value: &Value, into: &mut BTreeMap<String, Value>) {
        let below = |name: &str| if path.is_empty() { name.to_owned() } else { format!("{path}.{name}") };
        match value {
            Value::Object(fields) => fields.iter().for_each(|(name, value)| walk(&below(name), value, into)),
            Value::Array(items) if items.iter().any(Value::is_object) => {
                let mut items: Vec<&Value> = items.iter().collect();
                items.sort_by_key(|item| {
                    ["SecretName", "ConfigName", "Source", "Target"]
                        .iter()
                        .find_map(|key| item[key].as_str())
                        .unwrap_or_default()
                        .to_owned()
                });
                items.iter().enumerate().for_each(|(at, item)| walk(&below(&at.to_string()), item, into));
            }
            Value::Array(items) => {
                let mut items = items.clone();
                items.sort_by_key(Value::to_string);
                into.insert(path.to_owned(), Value::Array(items));
            }
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {
                into.insert(path.to_owned(), value.clone());
            }
        }
    }
    let mut into = BTreeMap::new();
    walk("", value, &mut into);
    into
}
