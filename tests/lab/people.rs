//! What people do by web and on the machine, with a real forge and a real target.

use std::time::Instant;

use crate::support::browser::{Browser, Page};
use crate::support::forge::{Organisation, SCOPES, Serving};
use crate::support::{figure, lab, said, until};

/// Logs in on the gate with what the forge says of who sits at this browser. Returns the page that the login leads to.
fn log_in(browser: &mut Browser, gate: &str) -> Page {
    let to_forge = browser.get(&format!("{gate}/login?back=%2Ftargets")).to.unwrap();
    let asked = browser.get(&to_forge);
    // The forge asks the first time alone.
    let back = match &asked.to {
        Some(back) => back.clone(),
        None => browser.agree(&to_forge, &asked),
    };
    let led = browser.get(&back);
    assert_eq!((led.status, led.to.as_deref()), (303, Some(&*format!("{gate}/targets"))), "{}", led.text);
    browser.get(&format!("{gate}/targets"))
}

#[test]
fn people_log_in_through_the_forge_and_may_do_what_it_says_of_them() {
    let (lab, organisation) = (lab(), Organisation::new());
    let free = std::net::TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let gate = format!("http://{free}");
    let (id, secret) = organisation.application(&gate);
    let config = organisation
        .config_file(&format!("PAGES=login\nPUBLIC_URL={gate}\nOAUTH_CLIENT_ID={id}\nOAUTH_CLIENT_SECRET={secret}\n"));
    let _serving = organisation.serve_with(&lab, &SCOPES, &["--config", &config, "--listen", &free.to_string()]);

    let stranger = Browser::new().get(&gate);
    assert!(stranger.status == 401 && stranger.text.contains("/login?back="), "{}", stranger.text);
    let mut outsider = organisation.browser("outsider");
    assert_eq!(log_in(&mut outsider, &gate).status, 401, "an account of the forge is not a member");

    // The maintainer conceals the membership, as is the default.
    let mut maintainer = organisation.browser("maintainer");
    let page = log_in(&mut maintainer, &gate);
    assert!(page.status == 200 && page.text.contains(&organisation.login("maintainer")), "{}", page.text);
    assert!(!page.text.contains("/gate/pause"), "a member is no operator");
    assert_eq!(maintainer.post(&format!("{gate}/gate/pause"), &[("why", "x".into())]).status, 403);

    organisation.make_owner("maintainer");
    let page = log_in(&mut maintainer, &gate);
    assert!(page.text.contains("/gate/pause"), "rights are those of the login: {}", page.text);
    assert_eq!(maintainer.post(&format!("{gate}/gate/pause"), &[("why", "new disks".into())]).status, 303);
    let paused = maintainer.get(&gate).text;
    assert!(paused.contains(&format!("Paused by {}: new disks", organisation.login("maintainer"))), "{paused}");
    assert_eq!(maintainer.post(&format!("{gate}/logout"), &[]).status, 303);
    assert_eq!(maintainer.get(&gate).status, 401);
}

/// A run of `/status.json`, by its number.
fn run(organisation: &Organisation, serving: &Serving, number: u64) -> serde_json::Value {
    let (_, text) = organisation.page(serving, "/status.json");
    let status: serde_json::Value = serde_json::from_str(&text).unwrap();
    let runs = status["open"].as_array().unwrap().iter().chain(status["ended"].as_array().unwrap());
    runs.into_iter().find(|run| run["number"] == number).cloned().unwrap_or_default()
}

#[test]
fn s53_cancel_on_the_machine_frees_the_slot_at_once() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    organisation.recipe("notes");
    let (first, second) = (organisation.change("good", "change", "R"), organisation.change("notes", "change", "W"));
    let serving = organisation.serve(&lab);
    let state = |number: u64| run(&organisation, &serving, number)["state"].as_str().unwrap_or_default().to_owned();
    first.say("maintainer", "!testme --keep 30m");
    first.wait_for("running, keep", 1);
    second.say("maintainer", "!testme");
    until("the second to wait", || (state(2) == "queued").then_some(()));
    let why = run(&organisation, &serving, 2)["why_it_waits"].as_str().unwrap().to_owned();
    assert!(why.starts_with("behind run 1 (good, keep, "), "{why}");

    said(&mut lab.cc_ci(&["cancel", "1"]));
    let begun = Instant::now();
    until("the second to start", || (state(2) == "running").then_some(()));
    let seconds = begun.elapsed().as_secs_f64();
    figure("s53", "cc-ci cancel to the next start", seconds, "s");
    assert!(seconds <= 5.0, "the slot was freed after {seconds} s");
    first.wait_for("was cancelled by", 1);
    second.wait_for("### ✓ notes", 1);

    said(&mut lab.cc_ci(&["pause", "--why", "new disks"]));
    said(&mut lab.cc_ci(&["retry", "2"]));
    second.wait_for("new disks", 1);
    until("the retry to be fetched", || (state(3) == "queued").then_some(()));
    assert_eq!(said(&mut lab.cc_ci(&["drain"])), "drained: nothing runs any more, the gate may be stopped");
    said(&mut lab.cc_ci(&["resume"]));
    second.wait_for("### ✓ notes", 2);
    lab.assert_untouched();
}

#[test]
fn s53_a_run_of_one_terminal_is_cancelled_from_another() {
    let lab = lab();
    let mut run = lab.run("good", &["--keep", "10m"]);
    run.wait_for("stays up until");
    said(&mut lab.cc_ci(&["cancel", "1"]));
    let begun = Instant::now();
    run.finish().assert(3, "not_judged");
    figure("s53", "cc-ci cancel to the end of cc-ci run", begun.elapsed().as_secs_f64(), "s");
    let again = lab.cc_ci(&["retry", "1"]).output().unwrap();
    let told = String::from_utf8_lossy(&again.stderr).into_owned();
    assert!(again.status.code() == Some(2) && told.contains("cc-ci run good --target"), "{told}");
    lab.assert_untouched();
}
