//! Two runs side by side, on the page and on the command line; and where the time of all of them went.

use std::collections::BTreeMap;
use std::process::{Command, Output};

use cc_ci::domain::recipe::RecipeFiles;
use cc_ci::domain::tests_file::{Frozen, Origin};
use cc_ci::engine::plan::{save_files, save_tests};
use jiff::Timestamp;
use serde_json::Value;

use super::Site;
use super::seed::{self, HARM};

/// Runs `cc-ci` on the gate's state folder.
fn cc_ci(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
    command.args(arguments).arg("--state").arg(site.service.state().root()).output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

/// Keeps the files of a run's head, with a secret in its env and one in its tests file.
async fn keep(site: &Site, number: i64, title: &str, version: &str) {
    let id = site.service.store().show_run(number).await.unwrap().unwrap().id;
    let folder = site.service.state().run(&id);
    let mut files = RecipeFiles::new();
    let env = format!("TITLE='{title}'\nSMTP_PASSWORD=hunter-{version}\nSAME=1\n");
    files.add(".env.sample", env.into_bytes(), false).unwrap();
    files.add("abra.sh", format!("export APP_CONF_VERSION={version}\n").into_bytes(), false).unwrap();
    save_files(&files, &folder.recipe()).unwrap();
    let origin = Origin { source: "recipes/tests".into(), commit: None };
    let text = format!("[env]\nMODE = 'hunter-{version}'\n");
    save_tests(Some(&Frozen::new(origin, text)), &folder.tests()).unwrap();
}

/// The number of the last green run of `notes` before the red one, by the page.
fn other(page: &str) -> i64 {
    page.split("compared with run ").nth(1).unwrap().split(' ').next().unwrap().parse().unwrap()
}

#[tokio::test]
async fn a_red_run_is_compared_with_the_last_green_one_by_a_link_of_its_page() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let red = numbers.red;
    let page = site.page(&format!("/runs/{red}")).await;
    assert!(page.contains(&format!("href=\"/runs/{red}/compare\">Compare with the last green run</a>")));
    let plain = site.page(&format!("/runs/{red}/compare")).await;
    let green = other(&plain);
    assert!(green < red && site.service.store().show_run(green).await.unwrap().unwrap().recipe == "notes");
    keep(&site, red, "new <b>", "v2").await;
    keep(&site, green, "old", "v1").await;
    let page = site.page(&format!("/runs/{red}/compare")).await;
    assert_eq!(page, site.page(&format!("/runs/{red}/compare/{green}")).await, "the same page");
    for says in [
        "crash_loop in install, service db",
        "<th scope=\"row\">rung install</th>",
        "new &#60;b&#62;",
        "APP_CONF_VERSION",
        "set, not shown",
        "−13 s",
        "FATAL:  database files are incompatible with server<u>  × 3</u>",
        &format!("href=\"/runs/{red}/log?from="),
    ] {
        assert!(page.contains(says), "{says}: {page}");
    }
    assert!(!page.contains("hunter"), "a secret is shown");
    assert!(plain.contains("Not compared: the recipe&#39;s files of one of the runs were not kept"));
}

#[tokio::test]
async fn other_runs_lead_to_the_run_before_and_ids_to_numbers() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let page = site.page(&format!("/runs/{}", numbers.green)).await;
    assert!(page.contains("compare with the run before</a>") && !page.contains("Compare with the last green run"));
    let harm = site.page(&format!("/runs/{}", numbers.harm)).await;
    assert!(!harm.contains("/compare"), "it is the first of its recipe");
    let none = site.get(&format!("/runs/{}/compare", numbers.harm)).await;
    assert_eq!(none.status(), 404);
    assert!(none.text().await.unwrap().contains("There is no green run of this recipe before that run"));
    for open in [numbers.never, numbers.running] {
        let response = site.get(&format!("/runs/{}/compare/{open}", numbers.red)).await;
        assert_eq!(response.status(), 404);
        assert!(response.text().await.unwrap().contains("has no results (yet)"));
    }
    let id = site.service.store().show_run(numbers.red).await.unwrap().unwrap().id;
    let to = async |path: String| site.get(&path).await.headers()["location"].to_str().unwrap().to_owned();
    assert_eq!(to(format!("/runs/{id}/compare")).await, format!("/runs/{}/compare", numbers.red));
    let last = format!("/runs/{}/compare/{}", numbers.green, numbers.red);
    assert_eq!(to(format!("/runs/{}/compare/{id}", numbers.green)).await, last);
}

#[tokio::test]
async fn what_means_harm_is_compared_as_text() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    keep(&site, numbers.harm, HARM, "v1").await;
    keep(&site, numbers.green, "x", "v1").await;
    let page = site.page(&format!("/runs/{}/compare/{}", numbers.harm, numbers.green)).await;
    assert!(page.matches("&#60;script&#62;alert(1)").count() > 4, "{page}");
    assert!(
        !page.contains("<script>") && !page.contains("<img") && !page.contains('\u{1b}') && !page.contains('\u{202e}')
    );
}

#[tokio::test(flavor = "multi_thread")]
async fn the_command_line_compares_runs_and_folders() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let (red, green) = (numbers.red.to_string(), numbers.green.to_string());
    let text = said(&cc_ci(&site, &["compare", &red, &green]));
    assert!(text.starts_with(&format!("run {red} of notes: ✕ red")), "{text}");
    assert!(text.contains(&format!("+ only in run {red}, − only in run {green}")), "{text}");
    let id = site.service.store().show_run(numbers.red).await.unwrap().unwrap().id;
    let folder = site.service.state().run(&id).log().parent().unwrap().to_owned();
    let (folder, file) = (folder.display().to_string(), folder.join("results.json").display().to_string());
    for same in [id.as_str(), &folder, &file] {
        let json: Value = serde_json::from_str(&said(&cc_ci(&site, &["compare", same, &green, "--json"]))).unwrap();
        assert_eq!(
            (&json["runs"]["this"]["run"], &json["runs"]["this"]["verdict"]),
            (&id.as_str().into(), &"red".into())
        );
        assert!(json["log"]["sources"].as_array().unwrap().len() > 1, "{json}");
    }
    let alone = said(&cc_ci(&site, &["compare", &red]));
    assert!(alone.lines().nth(1).unwrap().contains("of notes: ✓ green"), "{alone}");
    for (wrong, told) in [
        (vec!["compare", "9999", green.as_str()], "there is no run 9999"),
        (vec!["compare", "/nonexistent", green.as_str()], "neither a run's number or id nor a folder"),
        (vec!["compare", folder.as_str()], "name the run to compare it with"),
        (vec!["compare", env!("CARGO_MANIFEST_DIR"), green.as_str()], "results.json"),
    ] {
        let output = cc_ci(&site, &wrong);
        let error = String::from_utf8_lossy(&output.stderr);
        assert!(output.status.code() == Some(2) && error.contains(told), "{wrong:?}: {output:?}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn s83_the_pareto_over_many_runs_is_that_of_the_stored_results() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let json = |arguments: &[&str]| -> Value {
        let arguments: Vec<&str> = ["timings"].iter().chain(arguments).chain(&["--json"]).copied().collect();
        serde_json::from_str(&said(&cc_ci(&site, &arguments))).unwrap()
    };
    let all = json(&[]);
    // Every seeded run that has results pulled its image.
    assert_eq!((&all["runs"], &all["cold"]["runs"], &all["warm"]["runs"]), (&53.into(), &53.into(), &0.into()));
    assert_eq!(json(&["--last", "7"])["runs"], 7);
    let mut of: BTreeMap<&str, Value> = BTreeMap::new();
    for recipe in ["notes", "hedgedoc", "nobody"] {
        of.insert(recipe, json(&["--recipe", recipe])["runs"].clone());
    }
    assert_eq!((&of["notes"], &of["hedgedoc"], &of["nobody"]), (&11.into(), &11.into(), &0.into()));
    let text = said(&cc_ci(&site, &["timings", "--recipe", "notes"]));
    assert!(
        text.contains("11 runs of notes")
            && text.contains("converge")
            && text.contains("! attributed 39.1 %, less than 98.0 %"),
        "{text}"
    );
    let one = said(&cc_ci(&site, &["timings", &numbers.red.to_string()]));
    assert!(
        one.contains("of notes: 24 s, cold") && one.contains("in no phase: 0.4 s between connect and runner"),
        "{one}"
    );
    assert_eq!(cc_ci(&site, &["timings", "9999"]).status.code(), Some(2));
    assert_eq!(cc_ci(&site, &["timings", "--last", "0"]).status.code(), Some(2));
    // It reads what is stored, so that a folder of a run may be gone.
    let id = site.service.store().show_run(numbers.red).await.unwrap().unwrap().id;
    site.service.state().run(&id).thin_out().unwrap();
    site.service.store().files_removed(&id, Timestamp::now()).await.unwrap();
    assert_eq!(json(&[])["runs"], 53);
}
