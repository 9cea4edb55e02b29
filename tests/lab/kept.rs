//! An app that stays up for a person, and the secrets of a run: seen by who may see them, and nowhere else.

use std::path::Path;

use base64::Engine as _;

use crate::support::browser::Browser;
use crate::support::forge::{Organisation, SCOPES, Serving};
use crate::support::{Recipe, edited, lab, until};

/// Tells its secrets in every way that an app might.
const TELLER: &str = r#"#!/bin/bash
generated=$(cat /run/secrets/db_password); given=$(cat /run/secrets/api_key)
for secret in "$generated" "$given"; do
  echo "plain $secret" >&2
  echo "postgres://notes:$secret@db/notes?password=$secret"
  echo "{\"password\": \"$secret\"}"
  echo "basic $(printf 'user:%s' "$secret" | base64 -w0) $(printf 'us:%s' "$secret" | base64 -w0) $(printf '%s' "$secret" | base64 -w0)"
  # Docker cuts lines at 16 KB, and the log at about as much.
  printf 'long %*s%s behind\n' 16365 '' "$secret"
done
export WEB_TITLE="Title $generated"
echo "all was told"
exec web
"#;

fn teller() -> Recipe {
    let recipe = Recipe::copy_of("good");
    let secret = |name: &str, variable: &str| {
        format!("  {name}: {{external: true, name: '${{STACK_NAME}}_{name}_${{{variable}}}'}}\n")
    };
    let more = format!(
        "volumes:\n  data:\nconfigs:\n  teller: {{file: teller.sh, name: '${{STACK_NAME}}_teller_v1'}}\nsecrets:\n{}{}",
        secret("db_password", "SECRET_DB_PASSWORD_VERSION"),
        secret("api_key", "SECRET_API_KEY_VERSION"),
    );
    let entry = "    image: lab/web:1.0.0\n    entrypoint: [bash, /teller.sh]\n    secrets: [db_password, api_key]\n    configs: [{source: teller, target: /teller.sh}]\n";
    let edits = [("    image: lab/web:1.0.0\n", entry), ("volumes:\n  data:\n", more.as_str())];
    recipe.write("compose.yml", &edited(&recipe.read("compose.yml"), &edits));
    recipe.write("teller.sh", TELLER);
    recipe.with_env("SECRET_DB_PASSWORD_VERSION=v1 # length=32\nSECRET_API_KEY_VERSION=v1 # generate=false\n")
}

/// Logs in; who may see what follows from the forge.
fn log_in(organisation: &Organisation, who: &str, gate: &str) -> Browser {
    let mut browser = organisation.browser(who);
    let to_forge = browser.get(&format!("{gate}/login?back=%2F")).to.unwrap();
    let asked = browser.get(&to_forge);
    let back = match &asked.to {
        Some(back) => back.clone(),
        None => browser.agree(&to_forge, &asked),
    };
    assert_eq!(browser.get(&back).status, 303);
    browser
}

/// Everything that shows or keeps anything of a run, by name.
fn everything(organisation: &Organisation, serving: &Serving, state: &Path, run: &str) -> Vec<(String, Vec<u8>)> {
    let mut all = Vec::new();
    let of_run =
        ["", "/log", "/live", "/results.json", "/log.jsonl", "/report.html"].map(|end| format!("/runs/1{end}"));
    let paths = ["/", "/runs", "/recipes", "/recipes/teller", "/targets", "/status.json", "/metrics", "/readyz"]
        .map(str::to_owned);
    for path in paths.into_iter().chain(of_run).filter(|path| !path.ends_with("/live") || run == "ended") {
        all.push((path.clone(), organisation.page(serving, &path).1.into_bytes()));
    }
    let mut folders = vec![state.to_owned()];
    while let Some(folder) = folders.pop() {
        for entry in std::fs::read_dir(folder).unwrap().flatten() {
            let path = entry.path();
            if path.is_dir() {
                folders.push(path);
            } else if path.file_name().is_some_and(|name| name != "tests.json") {
                all.push((path.display().to_string(), std::fs::read(&path).unwrap_or_default()));
            }
        }
    }
    all.push(("the gate's own log".to_owned(), serving.told().into_bytes()));
    all
}

fn holds(text: &[u8], part: &str) -> bool {
    text.windows(part.len()).any(|window| window == part.as_bytes())
}

#[test]
fn s67_s90_a_kept_app_shows_its_secrets_to_members_alone_and_then_goes_without_trace() {
    let (lab, organisation) = (lab(), Organisation::new());
    let recipe = teller();
    organisation.recipe_from("teller", &recipe.path());
    let given = "made-up+key/of the tests";
    let tests = tempfile::tempdir().unwrap();
    std::fs::create_dir_all(tests.path().join("tests/teller")).unwrap();
    std::fs::write(tests.path().join("README.md"), "tests\n").unwrap();
    std::fs::write(tests.path().join("recipes.toml"), "enrolled = [\"teller\"]\n").unwrap();
    std::fs::write(tests.path().join("tests/teller/cc-ci.toml"), format!("[secrets]\napi_key = \"{given}\"\n"))
        .unwrap();
    organisation.recipe_from("all-tests", tests.path());
    let pull = organisation.change("teller", "change", "A change");
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gate = format!("http://{free}");
    let (id, secret) = organisation.application(&gate);
    let config = organisation.config_file(&format!(
        "TESTS_REPOSITORY=all-tests\nPUBLIC_URL={gate}\nOAUTH_CLIENT_ID={id}\nOAUTH_CLIENT_SECRET={secret}\n"
    ));
    let serving = organisation.serve_with(&lab, &SCOPES, &["--config", &config, "--listen", &free.to_string()]);
    organisation.wait_for_first_poll(&serving);

    pull.say("maintainer", "!testme --keep 1m");
    let answer = pull.wait_for("stays up for", 1).pop().unwrap();
    assert!(answer.contains("Its credentials are on the run's page, after login"), "{answer}");
    let app = lab.docker(&["ps", "--quiet", "--filter", "label=com.docker.swarm.task.name"]);
    let app = app
        .lines()
        .find(|id| lab.docker(&["inspect", id, "--format", "{{.Args}}"]).contains("teller"))
        .unwrap()
        .to_owned();
    let generated = lab.docker(&["exec", &app, "cat", "/run/secrets/db_password"]);
    assert_eq!(generated.len(), 32);
    assert_eq!(lab.docker(&["exec", &app, "cat", "/run/secrets/api_key"]), given, "the tests file's dummy");

    let page = format!("{gate}/runs/1/secrets");
    let stranger = Browser::new().get(&page);
    assert!(stranger.status >= 400 && !stranger.text.contains(&generated), "{}", stranger.status);
    let outsider = log_in(&organisation, "outsider", &gate).get(&page);
    assert!(outsider.status >= 400 && !outsider.text.contains(&generated), "{}", outsider.status);
    let mut member = log_in(&organisation, "maintainer", &gate);
    let shown = member.get(&page);
    assert!(
        shown.status == 200 && shown.text.contains(&generated) && shown.text.contains("db_password_v1"),
        "{}",
        shown.text
    );
    assert!(member.get(&format!("{gate}/runs/1")).text.contains("/runs/1/secrets"));

    let encode = |text: &str| base64::engine::general_purpose::STANDARD.encode(text);
    let urlencoded: String = url::form_urlencoded::byte_serialize(given.as_bytes()).collect();
    let looked_for: Vec<String> = [generated.as_str(), given]
        .into_iter()
        .flat_map(|secret| {
            let half = &secret[..secret.len() / 2];
            let inner = |text: String| text[8..text.len() - 6].to_owned();
            [
                secret.to_owned(),
                half.to_owned(),
                inner(encode(&format!("user:{secret}"))),
                inner(encode(&format!("us:{secret}"))),
                inner(encode(secret)),
            ]
        })
        .chain([urlencoded])
        .collect();
    let search = |when: &str| {
        for (name, text) in everything(&organisation, &serving, &lab.state(), when) {
            for secret in &looked_for {
                assert!(!holds(&text, secret), "{name} holds `{secret}` while the run is {when}");
            }
        }
        for (at, answer) in pull.answers().iter().enumerate() {
            assert!(looked_for.iter().all(|secret| !answer.contains(secret.as_str())), "comment {at}: {answer}");
        }
    };
    search("kept");

    pull.wait_for("### ✓ teller", 1);
    lab.assert_untouched();
    let gone = member.get(&page);
    assert!(gone.status == 404 && !gone.text.contains(&generated), "{}", gone.status);
    until("the log to have told all", || {
        organisation.page(&serving, "/runs/1/log.jsonl").1.contains("all was told").then_some(())
    });
    search("ended");
    let results = organisation.page(&serving, "/runs/1/results.json").1;
    assert!(results.contains("all-tests/tests/teller/cc-ci.toml"), "{results}");
    let log = organisation.page(&serving, "/runs/1/log.jsonl").1;
    assert!(log.matches("•••").count() >= 14, "{log}");
}
