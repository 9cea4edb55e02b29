//! Between forge and gate: who is heard, what is said, what cannot be done. Each by poll and by webhook.

use std::collections::BTreeSet;
use std::process::Command;
use std::time::Duration;

use reqwest::Method;
use serde_json::json;

use crate::support::forge::{HOOK_SECRET, Organisation, POLL, SCOPES};
use crate::support::relay::Relay;
use crate::support::{Lab, lab, said, until};

/// A service that only polls, and one that only webhooks wake.
fn both(lab: &Lab, organisation: &Organisation, story: impl Fn(&crate::support::forge::Serving)) {
    let serving = organisation.serve(lab);
    story(&serving);
    serving.kill();
    let relay = Relay::new();
    let serving = organisation.serve_hooked(lab, &relay);
    story(&serving);
    assert!(!serving.told().contains("ERROR"), "{}", serving.told());
}

#[test]
fn s44_who_and_what_is_not_for_us_gets_the_documented_reaction() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    let branches = std::cell::Cell::new(0);
    both(&lab, &organisation, |serving| {
        branches.set(branches.get() + 1);
        let pull = organisation.change("good", &format!("change-{}", branches.get()), "A change");
        let old = pull.say("maintainer", "looks good");
        for (who, text) in [
            ("maintainer", "> !testme"),
            ("maintainer", "`!testme`"),
            ("maintainer", "```\n!testme\n```"),
            ("maintainer", "!testmenot"),
            ("maintainer", "please !testme"),
            ("bot", "!testme"),
            ("outsider", "!testme"),
            ("outsider", "!testme"),
            ("maintainer", "!testme --only everything"),
            ("maintainer", "!testme --kepe 30m"),
            ("outsider", "!testme help"),
        ] {
            pull.say(who, text);
        }
        pull.review("maintainer", "!testme");
        pull.edit("maintainer", old, "!testme");
        pull.say("maintainer", "!testme help");
        pull.wait_for("What can be written", 1);
        let answers = pull.wait_for("`--only`", 1);
        let with = |text: &str| answers.iter().filter(|answer| answer.contains(text)).count();
        assert_eq!(with("Thank you for asking!"), 1, "an outsider is told once: {answers:#?}");
        assert_eq!(with("did you mean `--keep`?"), 1, "{answers:#?}");
        assert_eq!(answers.len(), 5, "one is the bot's own request: {answers:#?}");
        assert!(answers.iter().all(|answer| !answer.contains(&pull.head[..8])), "nothing was run: {answers:#?}");
        assert_eq!(organisation.page(serving, &format!("/runs/{}", branches.get())).0, 404);
    });
    lab.assert_untouched();
}

#[test]
fn s44_an_automated_account_that_is_a_member_is_heard_like_a_person() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("good");
    // Renovate and its like are accounts of the organisation.
    organisation.make_owner("outsider");
    let _serving = organisation.serve(&lab);
    pull.say("outsider", "!testme");
    pull.wait_for(&pull.head[..8], 1);
    pull.say("outsider", "!testme cancel");
    pull.wait_for("was cancelled by", 1);
    lab.assert_untouched();
}

#[test]
fn s43_a_token_that_may_less_still_answers_and_says_once_what_it_lacks() {
    let (lab, organisation, relay) = (lab(), Organisation::new(), Relay::new());
    let pull = organisation.pull_request("good");
    // Neither code write nor read:organization: a maintainer is known by the repository's own list.
    let scopes = ["write:issue", "read:repository"];
    organisation.make_hook(&relay.url());
    for hooked in [false, true] {
        let poll = if hooked { "3600" } else { "2" };
        let secret = organisation.hook_secret_file();
        let more = ["--poll", poll, "--webhook-secret-file", &secret];
        let serving = organisation.serve_with(&lab, &scopes, &more);
        organisation.wait_for_first_poll(&serving);
        if hooked {
            relay.lead_to(serving.page_url());
        }
        pull.say("maintainer", "!testme");
        pull.wait_for(&pull.head[..8], 1);
        pull.say("maintainer", "!testme cancel");
        pull.wait_for("Cancelled: [run ", if hooked { 2 } else { 1 });
        pull.say("outsider", "!testme status");
        until("a second round", || serving.told().contains("no commit statuses").then_some(()));
        std::thread::sleep(Duration::from_secs(3));
        let told = serving.told();
        for line in ["no commit statuses", "concealed members are not recognised"] {
            assert_eq!(told.matches(line).count(), 1, "said once: {line}\n{told}");
        }
        assert!(!told.contains("ERROR") && told.lines().count() < 8, "no error loop:\n{told}");
        serving.kill();
    }
    assert!(pull.statuses().is_empty());
    lab.assert_untouched();
}

#[test]
fn s40_a_token_that_may_write_code_sets_the_commit_status() {
    let (lab, organisation) = (lab(), Organisation::new());
    let pull = organisation.pull_request("crash-loop");
    organisation.make_owner("bot");
    let scopes = ["write:issue", "write:repository", "read:organization"];
    let serving = organisation.serve_with(&lab, &scopes, &[]);
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme");
    until("a pending status", || pull.statuses().contains(&"pending".to_owned()).then_some(()));
    pull.wait_for("### ✕ crash-loop", 1);
    until("the failure", || (pull.statuses().first().map(String::as_str) == Some("failure")).then_some(()));
    lab.assert_untouched();
}

#[test]
fn s92_a_member_vouches_for_the_head_of_an_outsider_and_for_no_other() {
    let (lab, organisation, relay) = (lab(), Organisation::new(), Relay::new());
    organisation.recipe("good");
    let pull = organisation.change_by_outsider("good");
    let serving = organisation.serve(&lab);
    pull.say("outsider", "!testme");
    pull.wait_for("Thank you for asking!", 1);
    pull.say("maintainer", "!testme");
    let answers = pull.wait_for(&pull.head[..8], 1);
    assert!(answers.iter().any(|answer| answer.contains("vouche")), "{answers:#?}");
    // What is pushed after that is not tested by this run, and the run goes on with what was vouched for.
    let pushed = pull.push_to_fork();
    pull.wait_for_head(&pushed);
    let answers = pull.wait_for("### ✓ good", 1);
    let verdict = answers.iter().find(|answer| answer.contains("### ✓ good")).unwrap();
    let (tested, pushed) = (&pull.head[..8], &pushed[..8]);
    assert!(verdict.contains(&format!(" · head `{tested}` · ")), "{verdict}");
    let said = format!("The head of the pull request is `{pushed}` by now; this is about `{tested}`");
    assert!(verdict.contains(&said) && !verdict.contains(&format!("head `{pushed}`")), "{verdict}");
    serving.kill();

    // A head that is pushed between the comment and the gate's look: by webhook the delivery tells, by poll the timeline.
    for hooked in [false, true] {
        let before = pull.answers().iter().filter(|answer| answer.contains("please ask again")).count();
        let old = if hooked {
            relay.lead_to("http://127.0.0.1:9");
            organisation.make_hook(&relay.url());
            pull.say("maintainer", "!testme");
            Some(relay.wait_for("!testme"))
        } else {
            let serving = organisation.serve(&lab);
            serving.kill();
            pull.say("maintainer", "!testme");
            None
        };
        // The timeline has whole seconds, and lags behind.
        std::thread::sleep(Duration::from_secs(7));
        let pushed = pull.push_to_fork();
        pull.wait_for_head(&pushed);
        let serving = if let Some(delivery) = old {
            let secret = organisation.hook_secret_file();
            let more = ["--poll", "3600", "--webhook-secret-file", &secret];
            let serving = organisation.serve_with(&lab, &SCOPES, &more);
            relay.lead_to(serving.page_url());
            assert_eq!(relay.hand_on(&delivery.request), 202);
            serving
        } else {
            organisation.serve(&lab)
        };
        let answers = pull.wait_for("please ask again", before + 1);
        assert!(answers.iter().any(|answer| answer.contains(&pushed[..8])), "{answers:#?}");
        serving.kill();
    }
    lab.assert_untouched();
}

#[test]
fn s42_the_same_is_merged_a_newer_request_supersedes_what_waits() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    organisation.recipe("crash-loop");
    let ahead = organisation.change("crash-loop", "change", "Ahead");
    let pull = organisation.change("good", "change", "A change");
    let serving = organisation.serve(&lab);
    ahead.say("maintainer", "!testme");
    ahead.wait_for("running", 1);
    pull.say("maintainer", "!testme");
    let answers = pull.wait_for("waiting, number 1", 1);
    assert!(answers[0].contains("Behind [run 1](") && answers[0].contains("crash-loop"), "s50: {answers:#?}");
    pull.say("maintainer", "!testme");
    pull.wait_for("The same was asked for before: [run 2](", 1);
    let second = pull.push();
    pull.wait_for_head(&second);
    pull.say("maintainer", "!testme");
    pull.wait_for(&second[..8], 1);
    let answers = pull.wait_for("### ✓ good", 1);
    let verdict = answers.iter().find(|answer| answer.contains("### ✓ good")).unwrap();
    assert!(verdict.contains(&format!("head `{}`", &second[..8])), "{verdict}");
    assert!(
        answers.iter().any(|answer| answer.contains("superseded") || answer.contains("Newer: [run 3](")),
        "{answers:#?}"
    );
    assert_eq!(organisation.page(&serving, "/runs/4").0, 404);
    lab.assert_untouched();
}

#[test]
fn s45_hostile_names_and_titles_are_shown_and_do_nothing() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    let branch = "$(touch${IFS}/tmp/canary);--upload-pack=touch${IFS}/tmp/canary";
    let title = "<img src=x onerror=alert(1)> [x](javascript:alert(1)) `$(touch /tmp/canary)` \u{202e}";
    let pull = organisation.change("good", branch, title);
    let serving = organisation.serve(&lab);
    pull.say("maintainer", "!testme");
    let answers = pull.wait_for("### ✓ good", 1);
    assert!(
        answers.iter().all(|answer| !answer.contains("onerror") && !answer.contains("javascript:")),
        "{answers:#?}"
    );
    for page in ["/", "/runs/1"] {
        let (status, text) = organisation.page(&serving, page);
        assert!(status == 200 && !text.contains("<img src=x") && !text.contains("javascript:"), "{page}");
    }
    assert!(!std::path::Path::new("/tmp/canary").exists(), "something was executed here");
    // Nothing but what the committed list names (checked when the service ends), and that is really looked at.
    assert!(serving.started().contains("git"), "{:?}", serving.started());
    said(&mut lab.back_door(&[], &["test", "!", "-e", "/tmp/canary"]));
    lab.assert_untouched();
}

#[test]
fn s47_the_hook_is_kept_as_it_should_be_and_nothing_more() {
    let (lab, organisation, relay) = (lab(), Organisation::new(), Relay::new());
    let pull = organisation.pull_request("good");
    let secret = organisation.hook_secret_file();
    let url = relay.url();
    let config = organisation.config_file("WEBHOOK_AUTOREGISTER=1\n");
    let more = ["--poll", "3600", "--webhook-secret-file", &secret, "--webhook-url", &url, "--config", &config];

    // Without rights: one clear line, and polling goes on.
    let mut polling = more;
    polling[1] = "2";
    let serving = organisation.serve_with(&lab, &SCOPES, &polling);
    until("the line", || serving.told().contains("the hook cannot be set up").then_some(()));
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme help");
    pull.wait_for("What can be written", 1);
    assert_eq!(serving.told().matches("the hook cannot be set up").count(), 1);
    serving.kill();
    assert!(organisation.hooks().is_empty());

    // With them: whatever is wrong is set right, and then left alone.
    organisation.make_owner("bot");
    let scopes = ["write:issue", "write:repository", "write:organization"];
    let wrong_url = json!({"config": {"url": "http://127.0.0.1:9/old", "content_type": "json"}, "events": ["push"], "active": true});
    let wrong_events = json!({"config": {"url": url, "content_type": "json"}, "events": ["push"], "active": true});
    let changes = [
        ("missing", None),
        ("wrong address", Some(wrong_url)),
        ("wrong events", Some(wrong_events)),
        ("switched off", Some(json!({"active": false, "events": ["push"]}))),
    ];
    for (what, change) in changes {
        if let Some(change) = &change {
            let id = organisation.hooks()[0]["id"].as_u64();
            organisation.set_hook(id, change);
        }
        let serving = organisation.serve_with(&lab, &scopes, &more);
        let done = if change.is_none() { "the hook was made" } else { "the hook was set right" };
        until(what, || serving.told().contains(done).then_some(()));
        serving.kill();
        let hooks = organisation.hooks();
        assert_eq!(hooks.len(), 1, "{what}: {hooks:#?}");
        assert!(hooks[0]["config"]["url"] == url.as_str() && hooks[0]["active"] == true, "{what}: {hooks:#?}");
    }
    // One too many, and a neighbour's.
    organisation.make_hook(&url);
    let neighbour = organisation.set_hook(None, &json!({"type": "gitea", "active": true, "events": ["push"], "config": {"url": "http://127.0.0.1:9/neighbour", "content_type": "json"}}));
    let serving = organisation.serve_with(&lab, &scopes, &more);
    until("the one too many", || serving.told().contains("a hook too many was removed").then_some(()));
    serving.kill();
    let hooks = organisation.hooks();
    assert!(hooks.len() == 2 && hooks.iter().any(|hook| hook["id"] == neighbour), "{hooks:#?}");

    // A rotated secret is set; the old one is still taken from the forge for as long as it is listed. A second pass changes nothing.
    std::fs::write(&secret, format!("a-new-secret-of-the-lab\n{HOOK_SECRET}\n")).unwrap();
    let serving = organisation.serve_with(&lab, &scopes, &more);
    until("the rotation", || serving.told().contains("the hook was set right").then_some(()));
    relay.lead_to(serving.page_url());
    organisation.wait_for_first_poll(&serving);
    pull.say("maintainer", "!testme status");
    assert_eq!(relay.wait_for("!testme status").status, 202);
    pull.wait_for("Nothing of this pull request waits, runs or was tested", 1);
    serving.kill();
    let before = organisation.hooks();
    let serving = organisation.serve_with(&lab, &scopes, &more);
    organisation.wait_for_first_poll(&serving);
    std::thread::sleep(Duration::from_secs(2));
    assert!(!serving.told().contains("the hook was"), "a second pass changes nothing: {}", serving.told());
    // A delivery changes the hook's time, and the order of its events means nothing.
    let plain = |hooks: &[serde_json::Value]| {
        let event = |event: &serde_json::Value| event.as_str().unwrap().to_owned();
        let events =
            |hook: &serde_json::Value| hook["events"].as_array().unwrap().iter().map(event).collect::<BTreeSet<_>>();
        hooks
            .iter()
            .map(|hook| (hook["id"].as_u64(), hook["config"].clone().to_string(), events(hook)))
            .collect::<BTreeSet<_>>()
    };
    assert_eq!(plain(&before), plain(&organisation.hooks()));
    lab.assert_untouched();
}

#[test]
fn s48_what_nobody_signed_is_not_taken() {
    let (lab, organisation, relay) = (lab(), Organisation::new(), Relay::new());
    let pull = organisation.pull_request("good");
    let serving = organisation.serve_hooked(&lab, &relay);
    let url = format!("{}/hooks/forge", serving.page_url());
    let folder = tempfile::tempdir().unwrap();
    let large = folder.path().join("large");
    std::fs::write(&large, vec![b' '; 20 << 20]).unwrap();
    let answer = |arguments: &[&str]| {
        let base = ["--silent", "--output", "/dev/null", "--write-out", "%{http_code}", "--request", "POST"];
        said(
            Command::new("curl")
                .args(base)
                .args(["--header", "Content-Type: application/json"])
                .args(arguments)
                .arg(&url),
        )
    };
    let body = "{\"action\":\"created\"}";
    assert_eq!(answer(&["--data", body]), "401");
    assert_eq!(answer(&["--data", body, "--header", &format!("X-Gitea-Signature: {}", "0".repeat(64))]), "401");
    assert_eq!(answer(&["--data-binary", &format!("@{}", large.display())]), "413");
    assert!(pull.answers().is_empty());
    assert_eq!(organisation.page(&serving, "/runs/1").0, 404);
    lab.assert_untouched();
}

#[test]
fn s49_what_goes_away_in_the_middle_ends_the_run_properly() {
    let (lab, organisation) = (lab(), Organisation::new());
    organisation.recipe("good");
    let serving = organisation.serve(&lab);
    let fates = ["comment deleted", "closed", "locked", "renamed", "archived"];
    for (number, fate) in (1..).zip(fates) {
        let pull = organisation.change("good", &format!("change-{number}"), fate);
        let asked = pull.say("maintainer", "!testme");
        pull.wait_for("running", 1);
        let path = |end: &str| format!("good/{end}");
        match fate {
            "comment deleted" => {
                drop(organisation.repository(Method::DELETE, &path(&format!("issues/comments/{asked}")), &json!({})));
            }
            "closed" => drop(organisation.repository(
                Method::PATCH,
                &path(&format!("pulls/{}", pull.number)),
                &json!({"state": "closed"}),
            )),
            "locked" => drop(organisation.repository(
                Method::PUT,
                &path(&format!("issues/{}/lock", pull.number)),
                &json!({"lock_reason": "spam"}),
            )),
            "renamed" => drop(organisation.repository(Method::PATCH, "good", &json!({"name": "renamed"}))),
            _ => drop(organisation.repository(Method::PATCH, "good", &json!({"archived": true}))),
        }
        let results = format!("/runs/{number}/results.json");
        until("the end of the run", || (organisation.page(&serving, &results).0 == 200).then_some(()));
        let (_, text) = organisation.page(&serving, &results);
        assert!(text.contains("\"green\""), "{fate}: {text}");
        if fate != "archived" {
            pull.wait_for("### ✓ good", 1);
        }
        if fate == "renamed" {
            // The name leads on; the rest of this test goes on with the old one.
            organisation.repository(Method::PATCH, "renamed", &json!({"name": "good"}));
        }
    }
    std::thread::sleep(Duration::from_secs(3 * POLL));
    assert_eq!(organisation.page(&serving, "/runs/6").0, 404);
    let told = serving.told();
    assert!(told.lines().count() < 12 && !told.contains("ERROR"), "the outbox does not loop:\n{told}");
    lab.assert_untouched();
}
