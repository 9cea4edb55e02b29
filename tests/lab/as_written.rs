//! A deploy by cc-ci is the deploy that `docker stack deploy` makes of the same files, but for what is listed here.

use std::collections::{BTreeMap, BTreeSet};

use cc_ci::domain::convergence::same_spec;
use serde_json::Value;

use crate::support::{Lab, Recipe, edited, lab, said, until};

/// Fields of `docker service inspect` that may differ; everything else is equal.
const ALLOWED: [(&str, How, &str); 9] = [
    ("ID", How::Differs, "Swarm draws it"),
    ("Version.Index", How::Differs, "Swarm counts all its changes"),
    ("CreatedAt", How::Differs, "it is made at another time"),
    ("UpdatedAt", How::Differs, "it is made at another time"),
    ("Endpoint.VirtualIPs[].Addr", How::Differs, "Swarm gives the next free address"),
    ("Spec.Labels.coop-cloud.STACK.recipe", How::OnlyOurs, "abra sets it"),
    ("Spec.Labels.coop-cloud.STACK.chaos", How::OnlyOurs, "abra sets it"),
    ("Spec.Labels.coop-cloud.STACK.chaos-version", How::OnlyOurs, "abra sets it; it proves which commit runs"),
    ("Spec.TaskTemplate.ContainerSpec.Env.*", How::OnlyOurs, "as abra, each service sees the app's variables"),
];

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum How {
    /// Both have it, with different values.
    Differs,
    /// A plain `docker stack deploy` does not make it.
    OnlyOurs,
}

/// `notes` with its database and mail, a secret of another length and charset, and one that operators would insert.
fn notes() -> Recipe {
    let recipe = Recipe::copy_of("notes");
    let env = edited(
        &recipe.read(".env.sample"),
        &[
            ("SECRET_DB_PASSWORD_VERSION=v1 # length=32", "SECRET_DB_PASSWORD_VERSION=v2 # length=20 charset=hex"),
            ("#COMPOSE_FILE=\"$COMPOSE_FILE:compose.smtp.yml\"", "COMPOSE_FILE=\"$COMPOSE_FILE:compose.smtp.yml\""),
            ("#SECRET_SMTP_PASSWORD_VERSION=v1", "SECRET_SMTP_PASSWORD_VERSION=v1"),
        ],
    );
    recipe.write(".env.sample", &env);
    recipe
}

/// The variables that an operator's `.env` and `abra.sh` give to `docker stack deploy`, written by hand.
fn variables(domain: &str, stack: &str) -> Vec<(&'static str, String)> {
    vec![
        ("STACK_NAME", stack.to_owned()),
        ("DOMAIN", domain.to_owned()),
        ("LETS_ENCRYPT_ENV", String::new()),
        ("TIMEOUT", "120".to_owned()),
        ("TITLE", "Lab notes".to_owned()),
        ("SECRET_DB_PASSWORD_VERSION", "v2".to_owned()),
        ("SECRET_SMTP_PASSWORD_VERSION", "v1".to_owned()),
        ("APP_CONF_VERSION", "v1".to_owned()),
        ("PG_BACKUP_VERSION", "v1".to_owned()),
    ]
}

const SERVICES: [&str; 2] = ["app", "db"];
const FILES: [&str; 3] = ["compose.yml", "compose.postgres.yml", "compose.smtp.yml"];
const SECRETS: [(&str, &str); 2] = [("db_password_v2", "0123456789abcdef0123"), ("smtp_password_v1", "by-hand")];

#[test]
fn s16_deploys_exactly_as_written() {
    let recipe = notes();
    let lab = lab();
    let mut run = lab.run_in(&recipe.path(), &["--keep", "10m"]);
    run.wait_for("stays up until");
    let stack = stack(&lab);
    let domain = stack.replace('_', ".");
    let ours = services(&lab, &stack);
    assert_running_tasks_have_the_spec(&lab, &stack);
    assert_secrets_and_config(&lab, &stack, &domain);
    run.interrupt();
    run.finish().assert(0, "green");
    lab.assert_untouched();

    let by_hand = ByHand::deploy(&lab, &recipe, &stack, &variables(&domain, &stack));
    let theirs = services(&lab, &stack);
    assert_running_tasks_have_the_spec(&lab, &stack);
    drop(by_hand);
    lab.assert_untouched();

    let found: BTreeSet<(String, How)> =
        ours.iter().zip(&theirs).flat_map(|(ours, theirs)| differences(ours, theirs)).collect();
    let pattern = |path: &str| path.replace("STACK", &stack);
    let allows = |(path, how): &(String, How), allowed: &(&str, How, &str)| {
        let pattern = pattern(allowed.0);
        let fits = pattern.strip_suffix('*').map_or(*path == pattern, |start| path.starts_with(start));
        fits && *how == allowed.1
    };
    let not_allowed: Vec<_> = found.iter().filter(|one| !ALLOWED.iter().any(|allowed| allows(one, allowed))).collect();
    assert!(not_allowed.is_empty(), "not as written: {not_allowed:#?}");
    // The list holds nothing that is not needed.
    let unused: Vec<_> = ALLOWED.iter().filter(|allowed| !found.iter().any(|one| allows(one, allowed))).collect();
    assert!(unused.is_empty(), "equal although the list allows a difference: {unused:#?}");
}

/// The stack of the only run on the target.
fn stack(lab: &Lab) -> String {
    let names = lab.docker(&["stack", "ls", "--format", "{{.Name}}"]);
    let ours: Vec<&str> = names.lines().filter(|name| name.starts_with("cc")).collect();
    assert_eq!(ours.len(), 1, "{names}");
    ours[0].to_owned()
}

fn json(text: &str) -> Value {
    serde_json::from_str(text).unwrap_or_else(|error| panic!("{error}: {text}"))
}

/// Both services as flat fields.
fn services(lab: &Lab, stack: &str) -> Vec<BTreeMap<String, Value>> {
    let names = names(lab);
    let fields = |service: &&str| {
        let told = json(&lab.docker(&["service", "inspect", &format!("{stack}_{service}")]));
        let mut flat = BTreeMap::new();
        flatten("", &told[0], &names, &mut flat);
        flat
    };
    SERVICES.iter().map(fields).collect()
}

/// The names behind ids that are drawn anew with each deploy.
fn names(lab: &Lab) -> BTreeMap<String, String> {
    let lists: [(&str, &[&str]); 3] = [("network", &["--no-trunc"]), ("secret", &[]), ("config", &[])];
    let mut names = BTreeMap::new();
    for (kind, more) in lists {
        let listed = lab.docker(&[&[kind, "ls", "--format", "{{.ID}} {{.Name}}"], more].concat());
        let pairs = listed.lines().filter_map(|line| line.split_once(' '));
        names.extend(pairs.map(|(id, name)| (id.to_owned(), format!("the id of {kind} {name}"))));
    }
    names
}

/// Every field by its path. Environment variables are fields by their names; ids are the names behind them.
fn flatten(path: &str, value: &Value, names: &BTreeMap<String, String>, flat: &mut BTreeMap<String, Value>) {
    match value {
        Value::Object(map) => {
            for (key, value) in map {
                let path = if path.is_empty() { key.clone() } else { format!("{path}.{key}") };
                flatten(&path, value, names, flat);
            }
        }
        Value::Array(entries) if path.ends_with(".Env") => {
            for entry in entries.iter().filter_map(Value::as_str) {
                let (name, value) = entry.split_once('=').unwrap_or((entry, ""));
                flat.insert(format!("{path}.{name}"), value.into());
            }
        }
        Value::Array(entries) => {
            for (index, value) in entries.iter().enumerate() {
                flatten(&format!("{path}[{index}]"), value, names, flat);
            }
        }
        Value::String(text) => {
            flat.insert(path.to_owned(), names.get(text).unwrap_or(text).as_str().into());
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {
            flat.insert(path.to_owned(), value.clone());
        }
    }
}

/// What differs, without indices; a field that only the plain deploy makes is always an error.
fn differences(ours: &BTreeMap<String, Value>, theirs: &BTreeMap<String, Value>) -> Vec<(String, How)> {
    let lost: Vec<_> = theirs.iter().filter(|(path, _)| !ours.contains_key(*path)).collect();
    assert!(lost.is_empty(), "cc-ci's deploy lacks {lost:#?}");
    let differs = |(path, value): (&String, &Value)| {
        let how = match theirs.get(path) {
            None => How::OnlyOurs,
            Some(other) if other != value => How::Differs,
            Some(_) => return None,
        };
        Some((without_indices(path), how))
    };
    ours.iter().filter_map(differs).collect()
}

fn without_indices(path: &str) -> String {
    let mut kept = String::new();
    for piece in path.split('[') {
        let (inside, rest) = piece.split_once(']').unwrap_or(("", piece));
        if !kept.is_empty() || !inside.is_empty() {
            kept.push_str("[]");
        }
        kept.push_str(rest);
    }
    kept
}

/// Swarm tells a service's spec and its tasks' in two ways; the convergence fold must take them for the same, and the
/// specs of two services for different ones. Seen as the gate sees them.
fn assert_running_tasks_have_the_spec(lab: &Lab, stack: &str) {
    let snapshot = lab.snapshot(stack);
    assert_eq!(snapshot.services.len(), SERVICES.len());
    for service in &snapshot.services {
        let tasks = snapshot.tasks.iter().filter(|task| task.service_id == service.id);
        assert!(tasks.clone().next().is_some(), "{} has no task", service.name);
        for task in tasks {
            let (template, spec) = (&service.template, &task.spec);
            assert!(same_spec(template, spec), "{}: {template:#}\n{spec:#}", service.name);
            let others = snapshot.services.iter().filter(|other| other.id != service.id);
            others
                .for_each(|other| assert!(!same_spec(&other.template, spec), "{} is not {}", other.name, service.name));
        }
    }
}

/// As the app itself sees them.
fn assert_secrets_and_config(lab: &Lab, stack: &str, domain: &str) {
    let service = format!("label=com.docker.swarm.service.name={stack}_app");
    let container = lab.docker(&["ps", "-q", "--filter", &service]);
    let read = |file: &str| lab.docker(&["exec", &container, "cat", file]);
    let password = read("/run/secrets/db_password");
    let hex = password.chars().all(|c| matches!(c, '0'..='9' | 'a'..='f'));
    assert!(password.len() == 20 && hex, "20 hex digits were asked for: {password}");
    let mail = read("/run/secrets/smtp_password");
    assert!(!mail.is_empty(), "nobody inserts this one, so it must have been made up");
    let conf = read("/etc/notes/app.conf");
    let filled = format!("url = https://{domain}\ntitle = Lab notes\ndatabase = postgres://notes:{password}@db/notes");
    assert!(conf.ends_with(&filled), "{conf}\nshould end with\n{filled}");
}

/// The same app by plain `docker stack deploy` on the target.
struct ByHand<'a> {
    lab: &'a Lab,
    stack: &'a str,
    folder: String,
}

impl<'a> ByHand<'a> {
    fn deploy(lab: &'a Lab, recipe: &Recipe, stack: &'a str, variables: &[(&str, String)]) -> Self {
        for (secret, value) in SECRETS {
            recipe.write(secret, value);
        }
        let by_hand = Self { lab, stack, folder: format!("/tmp/by-hand-{stack}") };
        lab.copy_there(&recipe.path(), &by_hand.folder);
        for (secret, _) in SECRETS {
            let file = format!("{}/{secret}", by_hand.folder);
            lab.docker(&["secret", "create", &format!("{stack}_{secret}"), &file]);
        }
        let mut options = vec!["--workdir".to_owned(), by_hand.folder.clone()];
        for (name, value) in variables {
            options.extend(["--env".to_owned(), format!("{name}={value}")]);
        }
        let options: Vec<&str> = options.iter().map(String::as_str).collect();
        let mut argv = vec!["docker", "stack", "deploy", "--detach=true"];
        FILES.iter().for_each(|file| argv.extend(["--compose-file", file]));
        argv.push(stack);
        said(&mut lab.back_door(&options, &argv));
        by_hand
    }

    fn is_gone(&self, kind: &[&str]) -> bool {
        let filter = format!("label=com.docker.stack.namespace={}", self.stack);
        self.lab.docker(&[kind, &["--quiet", "--filter", &filter]].concat()).is_empty()
    }
}

impl Drop for ByHand<'_> {
    fn drop(&mut self) {
        said(&mut self.lab.back_door(&[], &["docker", "stack", "rm", "--detach=true", self.stack]));
        until("the end of the stack", || {
            (self.is_gone(&["ps", "--all"]) && self.is_gone(&["network", "ls"])).then_some(())
        });
        for volume in ["app_data", "db_data"] {
            self.lab.docker(&["volume", "rm", &format!("{}_{volume}", self.stack)]);
        }
        for (secret, _) in SECRETS {
            self.lab.docker(&["secret", "rm", &format!("{}_{secret}", self.stack)]);
        }
        said(&mut self.lab.back_door(&[], &["rm", "-r", &self.folder]));
    }
}
