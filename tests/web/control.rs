//! s53 by command line, by web, and in the gate's own loops.

use std::process::{Command, Output};
use std::time::Duration;

use cc_ci::adapters::store::May;
use cc_ci::engine::service::Round;
use jiff::Timestamp;

use super::{Site, seed};

/// Runs `cc-ci` on the gate's state folder, while the gate is up.
fn cc_ci(site: &Site, arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
    command.args(arguments).arg("--state").arg(site.service.state().root()).env("USER", "root");
    command.output().unwrap()
}

fn said(output: &Output) -> String {
    assert!(output.status.success(), "{output:?}");
    String::from_utf8(output.stdout.clone()).unwrap()
}

#[tokio::test(flavor = "multi_thread")]
async fn s53_the_command_line_pauses_and_every_page_says_so() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    assert!(said(&cc_ci(&site, &["pause", "--why", "new <disks>"])).contains("nothing is started"));
    for path in ["/", "/help", &format!("/runs/{}", numbers.red)] {
        let page = site.page(path).await;
        assert!(page.contains("terminal: new &#60;disks&#62;. Requests are taken, nothing is started."), "{path}");
    }
    assert!(site.page(&format!("/runs/{}", numbers.waiting)).await.contains("Paused by "));
    said(&cc_ci(&site, &["resume"]));
    assert!(!site.page("/").await.contains("Paused by "));
    let drained = said(&cc_ci(&site, &["drain", "--no-wait"]));
    assert!(drained.contains("2 runs"), "{drained}");
    assert!(site.page("/").await.contains("2 runs have still to end."));
    let what: Vec<_> = site.service.store().actions(9).await.unwrap().into_iter().map(|it| it.what).collect();
    assert_eq!(what, ["drain", "resume", "pause: new <disks>"]);
    assert!(site.service.store().actions(1).await.unwrap()[0].who.ends_with("@terminal"));
}

#[tokio::test(flavor = "multi_thread")]
async fn s53_drain_says_when_nothing_runs_any_more() {
    let site = Site::new().await;
    assert!(said(&cc_ci(&site, &["drain"])).contains("nothing runs any more"));
    assert!(site.page("/").await.contains("Nothing runs any more: it may be stopped."));
}

#[tokio::test(flavor = "multi_thread")]
async fn s53_cancel_and_retry_by_command_line() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let run = numbers.running.to_string();
    assert!(said(&cc_ci(&site, &["cancel", &run])).contains("is being ended"));
    let cancelled = site.service.store().show_run(numbers.running).await.unwrap().unwrap().cancelled.unwrap();
    assert!(cancelled.starts_with("cancelled by "), "{cancelled}");
    let done = cc_ci(&site, &["cancel", &numbers.red.to_string()]);
    assert!(!done.status.success() && String::from_utf8_lossy(&done.stderr).contains("has its verdict already"));
    let gone = cc_ci(&site, &["cancel", "9999"]);
    assert_eq!(gone.status.code(), Some(2), "{gone:?}");
    let retried = said(&cc_ci(&site, &["retry", &numbers.red.to_string()]));
    let number: i64 = retried.split_whitespace().nth(1).unwrap().parse().unwrap();
    let (old, new) = (
        site.service.store().show_run(numbers.red).await.unwrap().unwrap(),
        site.service.store().show_run(number).await.unwrap().unwrap(),
    );
    assert_eq!((new.state.as_str(), new.head, new.pull), ("fetching", old.head, old.pull));
    assert!(new.asked_by.ends_with("@terminal") && new.number > numbers.waiting);
    assert!(
        said(&cc_ci(&site, &["retry", &numbers.red.to_string()])).contains(&format!("run {number} ")),
        "asked twice is one run"
    );
}

#[tokio::test]
async fn s53_cancel_and_retry_by_web_are_the_same() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    site.logged_in("ada", May::Member).await;
    let retried = site.press(&format!("/runs/{}/retry", numbers.green), "").await;
    let to = retried.headers()["location"].to_str().unwrap().to_owned();
    let page = site.page(&to).await;
    assert!(page.contains("asked by <b>ada</b>") && page.contains("○ waiting"), "{page}");
    assert_eq!(site.press(&format!("{to}/cancel"), "").await.status(), 303);
    assert_eq!(site.press(&format!("/runs/{}/cancel", numbers.red), "").await.status(), 409);
    assert_eq!(site.press("/runs/9999/cancel", "").await.status(), 404);
    assert_eq!(site.press("/gate/explode", "").await.status(), 403);
    let what: Vec<_> = site
        .service
        .store()
        .actions(9)
        .await
        .unwrap()
        .into_iter()
        .map(|it| format!("{}: {}", it.who, it.what))
        .collect();
    let number = to.rsplit('/').next().unwrap();
    assert_eq!(
        what,
        [format!("ada: cancel run {number}"), format!("ada: retry run {} as run {number}", numbers.green)]
    );
}

#[tokio::test]
async fn s53_the_work_starts_nothing_in_a_pause_and_end_what_was_cancelled() {
    let site = Site::new().await;
    let store = site.service.store();
    cc_ci::engine::service::control::pause(store, "ada", "new disks").await.unwrap();
    let (kept, cancelled) = (
        seed::ask(&site.service, "notes", Some(1), "bo", Timestamp::now()).await,
        seed::ask(&site.service, "ghost", Some(2), "bo", Timestamp::now()).await,
    );
    seed::queue(&site.service, &kept).await;
    seed::queue(&site.service, &cancelled).await;
    cc_ci::engine::service::control::cancel(store, cancelled.number, "cy").await.unwrap();
    // The forge cannot be asked here; what the gate decides itself needs none.
    site.service.round(Round::Work).await.unwrap();
    let row = store.show_run(cancelled.number).await.unwrap().unwrap();
    assert_eq!((row.state.as_str(), row.sentence.as_str()), ("done", "not judged: cancelled by cy"));
    assert_eq!(store.show_run(kept.number).await.unwrap().unwrap().state, "queued");
    let due = store.due(Timestamp::now(), Duration::from_secs(3_600)).await.unwrap();
    let of = |asked: &seed::Asked| -> Vec<&str> {
        let marker = format!("run={}", asked.id);
        due.iter().filter(|due| due.content.contains(&marker)).map(|due| due.content.as_str()).collect()
    };
    assert!(of(&kept).iter().any(|comment| comment.contains("new disks")), "a comment says why the run waits: {due:?}");
    assert!(of(&cancelled).iter().any(|comment| comment.contains("cy")), "a comment says who ended the run: {due:?}");
}
