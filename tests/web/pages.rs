//! What pages say.

use cc_ci::adapters::sign::{Allowed, Refused, verify};

use super::Site;
use super::seed::{self, HARM};

/// Every page of the seeded gate.
pub(super) fn all(numbers: &seed::Numbers) -> Vec<String> {
    let mut all: Vec<String> = [
        "/",
        "/runs",
        "/runs?before=20",
        "/recipes",
        "/recipes/notes",
        "/recipes/plausible",
        "/targets",
        "/flakes",
        "/help",
    ]
    .map(str::to_owned)
    .into();
    let seed::Numbers { green, red, heavy, lost, never, harm, running, waiting } = *numbers;
    all.extend([green, red, heavy, lost, never, harm, running, waiting].map(|number| format!("/runs/{number}")));
    all.extend([red, heavy, harm, running, waiting].map(|number| format!("/runs/{number}/log")));
    all.push(format!("/runs/{red}/compare"));
    let pairs = [(red, green), (harm, heavy), (heavy, harm), (green, lost), (red, red)];
    all.extend(pairs.map(|(this, other)| format!("/runs/{this}/compare/{other}")));
    all
}

#[tokio::test]
async fn every_page_is_light_whole_and_asks_nobody() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let style = site.page("/style.css").await.len() + site.page("/live.js").await.len();
    for path in all(&numbers) {
        let page = site.page(&path).await;
        assert!(page.len() + style <= 60_000, "{path}: {} + {style} bytes", page.len());
        assert!(page.contains("<h1") && page.contains("<main id=\"main\">") && page.ends_with("</html>"), "{path}");
        for inline in ["<style", " style=", " onload=", " onclick=", "javascript:"] {
            assert!(!page.contains(inline), "{path}: {inline}");
        }
        let scripts: Vec<_> = page.match_indices("<script").collect();
        assert_eq!(scripts.len(), 1, "{path}");
        for (at, _) in page.match_indices(" src=\"") {
            assert!(page[at + 6..].starts_with('/'), "{path}: {}", &page[at..at + 60]);
        }
    }
}

#[tokio::test]
async fn links_within_the_gate_lead_somewhere() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let mut seen = std::collections::BTreeSet::new();
    for path in all(&numbers) {
        let page = site.page(&path).await;
        for (at, _) in page.match_indices("href=\"") {
            let link = page[at + 6..].split('"').next().unwrap().replace("&#38;", "&");
            if let Some(id) = link.strip_prefix('#') {
                assert!(page.contains(&format!("id=\"{id}\"")), "{path}: #{id}");
            } else if link.starts_with('/') && link != "/readyz" && seen.insert(link.clone()) {
                assert_eq!(site.get(&link).await.status(), 200, "{path} links to {link}");
            }
        }
    }
    assert!(seen.len() > 40, "{seen:?}");
}

#[tokio::test]
async fn s45_nothing_from_outside_is_rendered_anywhere() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    site.service
        .store()
        .switch_on(cc_ci::adapters::store::Switch::Banner, HARM, HARM, jiff::Timestamp::now())
        .await
        .unwrap();
    let mut shown = 0;
    for path in all(&numbers).into_iter().chain(["/nothing".to_owned(), format!("/recipes/{HARM}")]) {
        let page = site.get(&path).await.text().await.unwrap();
        for acts in ["<script>", "<img src=x", "onerror=alert(2)>", "\u{1b}", "\u{7}", "\u{202e}"] {
            assert!(!page.contains(acts), "{path}: {acts:?}");
        }
        shown += page.matches("&#60;script&#62;alert(1)").count();
    }
    assert!(shown > 20, "the text is shown {shown} times");
}

#[tokio::test]
async fn the_verdict_comes_first_then_fault_advice_and_what_to_do_next() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let page = site.page(&format!("/runs/{}", numbers.red)).await;
    let order = [
        "✕ red",
        "exits with code 1 again and again",
        "The recipe&#39;s fault.",
        "dump and a restore",
        "<b>Lint</b>",
        "cc-ci run https://git.example.org/recipes/notes.git@9f31c0e2",
        "!testme retry",
        "What the sentence above rests on",
        "Where the time went",
        "Verified",
        "Log around the cause",
        "Ran on",
    ];
    let mut at = 0;
    for piece in order {
        let found = page[at..].find(piece).unwrap_or_else(|| panic!("{piece} is not behind what comes before it"));
        at += found;
    }
    let green = site.page(&format!("/runs/{}", numbers.green)).await;
    assert!(green.contains("✓ green") && !green.contains("id=\"evidence\""));
    let never = site.page(&format!("/runs/{}", numbers.never)).await;
    assert!(never.contains("superseded by run 51") && never.contains("it never began"));
}

#[tokio::test]
async fn s50_the_pages_say_why_each_run_waits_and_when_it_starts() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let now = site.page("/").await;
    let said = format!("behind run {} (immich, install, 3 min ", numbers.running);
    assert!(now.contains(&said), "{said}: {now}");
    assert!(now.contains("since runs of one recipe go one after the other"));
    let one = site.page(&format!("/runs/{}", numbers.waiting)).await;
    assert!(
        one.contains("○ waiting</span> number ") && one.contains("a new push will not change what is tested"),
        "{one}"
    );
}

#[tokio::test]
async fn lists_come_page_by_page() {
    let site = Site::new().await;
    seed::seed(&site.service).await;
    let (mut path, mut numbers, mut pages) = ("/runs".to_owned(), Vec::new(), 0);
    loop {
        let page = site.page(&path).await;
        let rows = page.split("<tbody>").nth(1).unwrap().split("</tbody>").next().unwrap();
        numbers.extend(
            rows.split("<tr><td><a href=\"/runs/")
                .skip(1)
                .map(|row| row.split('"').next().unwrap().parse::<i64>().unwrap()),
        );
        pages += 1;
        match page.split("rel=\"next\" href=\"").nth(1) {
            Some(rest) => path = rest.split('"').next().unwrap().to_owned(),
            None => break,
        }
    }
    let mut once = numbers.clone();
    once.sort_unstable();
    once.dedup();
    assert_eq!((pages, numbers.len(), once.len()), (2, 54, 54));
}

#[tokio::test]
async fn an_empty_gate_teaches() {
    let site = Site::new().await;
    for path in ["/", "/recipes", "/runs"] {
        let page = site.page(path).await;
        assert!(page.contains("!testme") || page.contains("How to ask for one"), "{path}");
    }
    let help = site.page("/help").await;
    let commands = cc_ci::domain::answer::commands();
    assert!(commands.len() > 5);
    for (written, _) in commands {
        assert!(help.contains(&format!("<code>{written}</code>")), "{written}");
    }
}

#[tokio::test]
async fn what_is_not_there_is_a_page_with_ways_out() {
    let site = Site::new().await;
    seed::seed(&site.service).await;
    for path in [
        "/nothing",
        "/runs/999",
        "/runs/abc",
        "/runs/-1",
        "/runs/1/nothing",
        "/runs/../../etc/passwd",
        "/recipes/nobody",
        "/recipes/a%20b",
        "/runs/999/log",
        "/runs/999/live",
        "/runs/1/log?from=x",
        "/runs/999/compare",
        "/runs/1/compare/999",
        "/runs/1/compare/abc",
        "/runs/1/compare/../2",
    ] {
        let response = site.get(path).await;
        assert_eq!(response.status(), 404, "{path}");
        let page = response.text().await.unwrap();
        assert!(
            page.contains("<h1>There is no") && page.contains("href=\"/\"") && page.contains("href=\"/help\""),
            "{path}: {page}"
        );
    }
    let post =
        site.client.post(format!("{}/help", site.url)).header("sec-fetch-site", "same-origin").send().await.unwrap();
    assert_eq!((post.status().as_u16(), post.headers()["allow"].to_str().unwrap()), (405, "GET,HEAD"));
    assert!(post.text().await.unwrap().contains("href=\"/help\""));
    let head = site.client.head(&site.url).send().await.unwrap();
    assert_eq!(head.status(), 200);
}

#[tokio::test]
async fn a_run_is_found_by_its_id_too() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let id = site.service.store().show_run(numbers.red).await.unwrap().unwrap().id;
    let response = site.get(&format!("/runs/{id}")).await;
    assert_eq!(
        (response.status().as_u16(), response.headers()["location"].to_str().unwrap()),
        (303, &*format!("/runs/{}", numbers.red))
    );
}

#[tokio::test]
async fn badges_say_the_last_verdict() {
    let site = Site::new().await;
    seed::seed(&site.service).await;
    for (recipe, says) in [("hedgedoc", "✓ green · level 2"), ("plausible", "✕ red"), ("never-seen", "no verdict yet")]
    {
        let response = site.get(&format!("/recipes/{recipe}/badge.svg")).await;
        assert_eq!(response.headers()["content-type"], "image/svg+xml; charset=utf-8");
        let svg = response.text().await.unwrap();
        assert!(svg.starts_with("<svg ") && svg.contains(says), "{recipe}: {svg}");
    }
}

#[tokio::test]
async fn the_header_and_probes_say_when_something_is_wrong() {
    let site = Site::new().await;
    assert_eq!(site.get("/healthz").await.status(), 200);
    assert!(site.page("/").await.contains("alive gone"));
    let ready = site.get("/readyz").await;
    assert_eq!(ready.status(), 503);
    let said = ready.text().await.unwrap();
    assert!(said.contains("ok   database") && said.contains("FAIL runs") && said.contains("FAIL forge"), "{said}");
    seed::alive(&site.service);
    assert!(site.page("/").await.contains("alive fresh"));
    site.service.hears(cc_ci::engine::service::Heard { polled_at: None, trouble: Some("502 bad gateway".into()) });
    let page = site.page("/").await;
    assert!(page.contains("alive stale") && page.contains("502 bad gateway"));
}

#[tokio::test]
async fn targets_show_their_state_and_why() {
    let site = Site::new().await;
    seed::seed(&site.service).await;
    let page = site.page("/targets").await;
    for says in
        ["✕ quarantined", "it was not there before run 17", "cc-ci target trust swarm-c", "▸ leased", "run of immich"]
    {
        assert!(page.contains(says), "{says}");
    }
}

#[tokio::test]
async fn programs_get_numbers_and_states() {
    let site = Site::new().await;
    seed::seed(&site.service).await;
    let metrics = site.page("/metrics").await;
    for line in [
        "cc_ci_queue_length 5",
        "cc_ci_runs_running 2",
        "cc_ci_target_state{target=\"swarm-c\",state=\"quarantined\"} 1",
        "cc_ci_runs_total{verdict=\"green\"}",
    ] {
        assert!(metrics.contains(line), "{line}: {metrics}");
    }
    let status: serde_json::Value = serde_json::from_str(&site.page("/status.json").await).unwrap();
    assert_eq!((status["open"].as_array().unwrap().len(), status["ended"].as_array().unwrap().len()), (7, 20));
    assert_eq!(status["paused"], serde_json::Value::Null);
}

#[tokio::test]
async fn a_run_whose_log_was_removed_says_so() {
    let site = Site::new().await;
    let red = seed::seed(&site.service).await.red;
    let with_log = site.page(&format!("/runs/{red}")).await;
    assert!(with_log.contains("Whole log") && with_log.contains("Database directory appears"));
    let id = site.service.store().show_run(red).await.unwrap().unwrap().id;
    site.service.state().run(&id).thin_out().unwrap();
    site.service.store().files_removed(&id, jiff::Timestamp::now()).await.unwrap();
    let page = site.page(&format!("/runs/{red}")).await;
    assert!(page.contains("The log was removed: only the newest runs keep theirs."));
    assert!(page.contains("again and again") && page.contains("last log lines of db"), "cause and evidence are kept");
    for gone in ["log.jsonl", "report.html", "log"] {
        assert!(!page.contains(&format!("href=\"/runs/{red}/{gone}\"")), "the page links to {gone}");
    }
    assert!(site.page(&format!("/runs/{red}/log")).await.contains("This log was removed"));
    for (file, status) in [
        ("log.jsonl", 410),
        ("report.html", 410),
        ("evidence.tar.gz", 410),
        ("results.json", 200),
        ("results.json.sig", 200),
        ("junit.xml", 200),
    ] {
        assert_eq!(site.get(&format!("/runs/{red}/{file}")).await.status(), status, "{file}");
    }
    assert!(site.get(&format!("/runs/{red}/live")).await.text().await.unwrap().contains("event: done"));
}

#[tokio::test]
async fn s63_results_are_served_as_they_were_signed_also_from_the_database_alone() {
    let site = Site::new().await;
    let red = seed::seed(&site.service).await.red;
    let id = site.service.store().show_run(red).await.unwrap().unwrap().id;
    let check = async || {
        let results = site.page(&format!("/runs/{red}/results.json")).await;
        let signature = site.page(&format!("/runs/{red}/results.json.sig")).await;
        let signers = site.page("/.well-known/cc-ci/allowed_signers").await;
        verify(results.as_bytes(), signature.as_bytes(), &Allowed::parse(&signers)).unwrap();
        let wrong = verify(b"{}", signature.as_bytes(), &Allowed::parse(&signers));
        assert_eq!(wrong, Err(Refused::Changed));
        assert!(site.page(&format!("/runs/{red}/junit.xml")).await.contains("<failure "));
    };
    check().await;
    let page = site.page(&format!("/runs/{red}")).await;
    assert!(page.contains(&format!("href=\"/runs/{red}/results.json.sig\"")));
    assert!(page.contains("/.well-known/cc-ci/allowed_signers</code>"));
    // As after `db restore` on a new machine: the keys were brought along, the folders of runs were not.
    std::fs::remove_dir_all(site.service.state().run(&id).log().parent().unwrap()).unwrap();
    check().await;
}
