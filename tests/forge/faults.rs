//! s46 and s49: the forge is slow, wrong, away, or says no; nothing is lost, nothing doubled, and one can see it.

use std::time::Duration;

use cc_ci::adapters::forge::{
    CommentId, CommitStatus, Forge, ForgeConfig, ForgeError, Outcome, Pace, Reason, StatusState,
};
use cc_ci::domain::ids::CommitSha;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use secrecy::SecretString;

use crate::fake::{Fault, Wrong};
use crate::{OTHER_SHA, SHA, login, number, reason, repo, seeded};

fn says(status: u16, headers: &[(&'static str, &str)]) -> Wrong {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Wrong::Say { status, headers, body: String::new() }
}

fn fault(method: &'static str, times: u32, what: Wrong) -> Fault {
    Fault { method: Some(method), path: "", times, what }
}

#[tokio::test]
async fn s46_a_read_survives_two_errors_and_shows_the_third() {
    let (fake, forge) = seeded().await;
    fake.inject(fault("GET", 2, says(500, &[])));
    assert!(forge.version().await.is_ok());
    assert_eq!(forge.health().failing_since, None);
    fake.inject(fault("GET", 3, says(500, &[])));
    let error = forge.version().await.unwrap_err().to_string();
    assert_eq!(error, "ask for the forge's version: the forge answered 500");
    let health = forge.health();
    assert_eq!(health.why.as_deref(), Some("the forge has an error of its own (500)"));
    assert!(health.last_ok.is_some() && health.failing_since.is_some() && health.next_try.is_some());
    assert!(forge.version().await.is_ok(), "one bad answer does not keep it from asking for something else");
    assert_eq!(forge.health().failing_since, None);
    fake.inject(fault("GET", 1, Wrong::CutBefore));
    assert!(forge.version().await.is_ok());
}

#[tokio::test]
async fn s46_a_forge_that_asks_for_patience_gets_it() {
    let (fake, forge) = seeded().await;
    fake.inject(fault("GET", 1, says(429, &[("retry-after", "600")])));
    let error = forge.version().await.unwrap_err();
    assert!(matches!(error, ForgeError::Busy { .. }), "{error}");
    let asked = fake.requests().len();
    assert!(matches!(forge.user().await, Err(ForgeError::Busy { .. })));
    let outcome = forge.post_comment(&repo("recipes/notes"), number(1), "x").await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    assert_eq!(fake.requests().len(), asked, "nothing is sent in the meantime");
    let health = forge.health();
    let wait = health.next_try.unwrap().duration_since(health.failing_since.unwrap()).as_secs();
    assert!((595..=600).contains(&wait), "{wait}");
}

#[tokio::test]
async fn s46_a_refused_write_is_certainly_not_done() {
    let (fake, forge) = seeded().await;
    fake.inject(fault("POST", 1, says(429, &[])));
    let outcome = forge.post_comment(&repo("recipes/notes"), number(1), "x").await;
    assert!(matches!(&outcome, Outcome::Later(why) if why.contains("429")), "{outcome:?}");
    assert_eq!(fake.act(|world| world.conversation("recipes/notes", 1)), []);
}

#[tokio::test]
async fn s46_a_post_whose_answer_is_lost_is_not_repeated() {
    let notes = repo("recipes/notes");
    for (what, done) in [(Wrong::CutAfter, 1), (Wrong::CutBefore, 0), (says(500, &[]), 0), (says(503, &[]), 0)] {
        let (fake, forge) = seeded().await;
        fake.inject(fault("POST", 1, what.clone()));
        let outcome = forge.post_comment(&notes, number(1), "<!-- cc-ci:7 -->").await;
        assert!(matches!(outcome, Outcome::Unknown(_)), "{what:?}: {outcome:?}");
        assert_eq!(fake.requests().len(), 1, "{what:?}: sent once");
        fake.heal();
        let found = loop {
            match forge.comments_of(&notes, number(1), None).await {
                Ok(found) => break found.items,
                Err(ForgeError::Busy { .. }) => tokio::task::yield_now().await,
                Err(error) => panic!("{error}"),
            }
        };
        assert_eq!(found.iter().filter(|comment| comment.body.contains("cc-ci:7")).count(), done, "{what:?}");
    }
}

/// What an outbox does with an unknown outcome: looks for its marker first.
async fn post_until_it_sticks(forge: &Forge, marker: &str) {
    let (notes, pull) = (repo("recipes/notes"), number(1));
    let mut unknown = false;
    loop {
        if unknown {
            let Ok(found) = forge.comments_of(&notes, pull, None).await else {
                tokio::task::yield_now().await;
                continue;
            };
            if found.items.iter().any(|comment| comment.body == marker) {
                return;
            }
        }
        match forge.post_comment(&notes, pull, marker).await {
            Outcome::Done(_) => return,
            Outcome::Later(_) => tokio::task::yield_now().await,
            Outcome::Unknown(_) => unknown = true,
            Outcome::Refused(refusal) => panic!("{refusal}"),
        }
    }
}

#[tokio::test]
async fn s46_with_a_marker_nothing_is_lost_and_nothing_doubled() {
    let (fake, forge) = seeded().await;
    for seed in 0..60 {
        let mut random = StdRng::seed_from_u64(seed);
        for _ in 0..random.random_range(1..4) {
            let what = match random.random_range(0..6) {
                0 => says(500, &[]),
                1 => says(429, &[("retry-after", "0")]),
                2 => says(502, &[]),
                3 => Wrong::CutBefore,
                4 => Wrong::CutAfter,
                _ => Wrong::Slow(Duration::from_millis(1)),
            };
            let method = [None, Some("POST"), Some("GET")][random.random_range(0..3)];
            fake.inject(Fault { method, path: "", times: random.random_range(1..4), what });
        }
        let marker = format!("<!-- cc-ci:{seed} -->");
        post_until_it_sticks(&forge, &marker).await;
        fake.heal();
        let all = fake.act(|world| world.conversation("recipes/notes", 1));
        assert_eq!(all.iter().filter(|(_, body)| *body == marker).count(), 1, "seed {seed}");
    }
}

#[tokio::test]
async fn s46_a_post_that_takes_too_long_is_unknown() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("bot", &crate::SMALLEST));
    let pace = Pace { timeout: Duration::from_millis(200), ..Pace::default() };
    let (url, token) = (fake.url(), SecretString::from(token));
    let forge = Forge::new(ForgeConfig { url, token, bot_login: None, ca_path: None, pace }).unwrap();
    fake.inject(fault("POST", 1, Wrong::Slow(Duration::from_secs(60))));
    let outcome = forge.post_comment(&repo("recipes/notes"), number(1), "x").await;
    assert!(matches!(&outcome, Outcome::Unknown(why) if why.ends_with("it took too long")), "{outcome:?}");
    assert_eq!(fake.act(|world| world.conversation("recipes/notes", 1).len()), 1, "it was done");
}

#[tokio::test]
async fn s46_a_forge_that_is_down_is_found_again() {
    let (mut fake, forge) = seeded().await;
    assert!(forge.version().await.is_ok());
    fake.down().await;
    let error = forge.version().await.unwrap_err();
    assert!(matches!(error, ForgeError::Silent { .. }), "{error}");
    let outcome = forge.post_comment(&repo("recipes/notes"), number(1), "x").await;
    assert!(matches!(outcome, Outcome::Later(_)), "{outcome:?}");
    assert!(forge.health().failing_since.is_some());
    fake.up().await;
    while forge.version().await.is_err() {
        tokio::task::yield_now().await;
    }
    assert_eq!(forge.health().failing_since, None);
    assert_eq!(fake.act(|world| world.conversation("recipes/notes", 1)), [], "what was not sent was not done");
}

#[tokio::test]
async fn s49_the_forge_says_no_and_why() {
    let (fake, forge) = seeded().await;
    let (notes, pull) = (repo("recipes/notes"), number(1));
    let mine = forge.post_comment(&notes, pull, "waiting").await.done().unwrap().id;
    let post = async || reason(forge.post_comment(&notes, pull, "x").await);

    fake.act(|world| world.set_open("recipes/notes", 1, "maintainer", false));
    assert!(forge.edit_comment(&notes, mine, "closed").await.done().is_some(), "a closed one still takes comments");
    fake.act(|world| world.pull_mut("recipes/notes", 1).locked = true);
    assert_eq!(post().await, Reason::Locked);
    assert_eq!(reason(forge.react(&notes, mine, "eyes").await), Reason::Forbidden, "it does not say why here");
    assert!(forge.edit_comment(&notes, mine, "locked").await.done().is_some(), "its own may still be edited");
    fake.act(|world| world.of("recipes/notes").archived = true);
    assert_eq!(post().await, Reason::Archived);
    fake.act(|world| world.of("recipes/notes").archived = false);

    assert_eq!(forge.delete_comment(&notes, mine).await, Outcome::Done(()));
    assert_eq!(forge.delete_comment(&notes, mine).await, Outcome::Done(()), "gone is gone");
    assert_eq!(reason(forge.edit_comment(&notes, mine, "x").await), Reason::NotFound);

    fake.act(|world| world.rename("recipes/notes", "recipes/jotter"));
    let to = Reason::Renamed { to: Some(repo("recipes/jotter")) };
    assert_eq!(post().await, to);
    let error = forge.pull(&notes, pull).await.unwrap_err();
    assert_eq!(error.renamed_to(), Some(&repo("recipes/jotter")));
    fake.act(|world| world.of("recipes/jotter").private = true);
    assert!(forge.pull(&repo("recipes/jotter"), pull).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn s49_a_status_for_a_commit_that_is_gone_is_given_up() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("maintainer", &["write:repository"]));
    let forge = crate::client(&fake, &token);
    let status = CommitStatus {
        state: StatusState::Success,
        context: "cc-ci".to_owned(),
        description: "verified".to_owned(),
        target_url: Some("https://ci.example.org/runs/1".to_owned()),
    };
    let set = async |sha| forge.set_status(&repo("recipes/notes"), &CommitSha::parse(sha).unwrap(), &status).await;
    assert_eq!(set(SHA).await, Outcome::Done(()));
    assert_eq!(reason(set(OTHER_SHA).await), Reason::NoSuchCommit);
    fake.inject(fault("POST", 1, says(500, &[])));
    assert!(matches!(set(SHA).await, Outcome::Unknown(_)), "a 500 for a commit that is there");
    let stored = fake.act(|world| world.of("recipes/notes").statuses.clone());
    assert_eq!(stored.iter().map(|it| (it.sha.as_str(), it.state.as_str())).collect::<Vec<_>>(), [(SHA, "success")]);
    assert_eq!(stored[0].context, "cc-ci");
}

#[tokio::test]
async fn the_token_is_in_no_error_and_no_debug_text() {
    let (fake, forge) = seeded().await;
    let token = fake.act(|world| world.token("bot", &crate::SMALLEST));
    let forge_of_token = crate::client(&fake, &token);
    let body = format!(r#"{{"message":"what is {token}\n\u001b[31m?"}}"#);
    let what = Wrong::Say { status: 403, headers: Vec::new(), body };
    fake.inject(Fault { method: None, path: "", times: 1, what });
    let error = forge_of_token.version().await.unwrap_err().to_string();
    assert!(error.contains("what is •••  [31m?"), "{error:?}");
    assert!(!format!("{forge_of_token:?} {forge:?}").contains("token-"));
    let gone = forge.get_comment(&repo("recipes/notes"), CommentId::new(77).unwrap()).await;
    assert_eq!(gone, Ok(None));
    assert!(forge.collaborator(&repo("recipes/notes"), &login("nobody")).await.is_ok_and(|it| !it));
}

#[test]
fn an_address_that_is_none_is_told() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    for url in
        ["forge.example.org", "ssh://forge.example.org", "https://me:pw@forge.example.org", "https://f.example/?x"]
    {
        let (url, token) = (url.to_owned(), SecretString::from("x"));
        let error = Forge::new(ForgeConfig { url, token, bot_login: None, ca_path: None, pace: Pace::default() });
        let said = error.unwrap_err().to_string();
        assert!(said.contains("is not the address of a forge") && !said.contains("pw"), "{said}");
    }
}

#[test]
fn a_forge_may_live_below_a_path() {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    for url in ["https://example.org/git", "https://example.org/git/"] {
        let forge = Forge::new(crate::config(url, "x")).unwrap();
        assert_eq!(forge.git_url(&repo("recipes/notes")), "https://example.org/git/recipes/notes.git");
        assert_eq!(forge.pull_url(&repo("recipes/notes"), number(1)), "https://example.org/git/recipes/notes/pulls/1");
    }
}
