//! What the forge sends: checked, read, and the same as what is found by asking.

use cc_ci::adapters::forge::webhook::{
    CommentAction, Delivery, DeliveryError, LARGEST_DELIVERY, PullAction, is_authentic, read, verify,
};
use cc_ci::adapters::forge::{HookScope, WantedHook};
use reqwest::header::{HeaderMap, HeaderName, HeaderValue};
use secrecy::SecretString;
use serde_json::Value;

use crate::fake::Sent;
use crate::recorded::alike;
use crate::{OTHER_SHA, client, login, number, repo, seeded};

fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/forge/fixtures/deliveries/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

fn headers<'a>(pairs: impl IntoIterator<Item = (&'a str, &'a str)>) -> HeaderMap {
    let pair =
        |(name, value): (&str, &str)| (HeaderName::try_from(name).unwrap(), HeaderValue::try_from(value).unwrap());
    pairs.into_iter().map(pair).collect()
}

fn read_recorded(name: &str) -> Delivery {
    let found = recorded(name);
    let pairs =
        found["headers"].as_object().unwrap().iter().map(|(name, value)| (name.as_str(), value.as_str().unwrap()));
    read(&headers(pairs), found["body"].to_string().as_bytes()).unwrap()
}

fn of(sent: &Sent) -> HeaderMap {
    headers(sent.headers.iter().map(|(name, value)| (*name, value.as_str())))
}

fn secrets(texts: &[&str]) -> Vec<SecretString> {
    texts.iter().map(|text| SecretString::from(*text)).collect()
}

#[test]
fn s48_the_recorded_signature_is_right_and_a_forged_one_is_not() {
    let vector = recorded("signature-vector");
    let text = |name: &str| vector[name].as_str().unwrap();
    let (body, signature) = (text("body").as_bytes(), text("x-gitea-signature"));
    assert!(verify(&secrets(&[text("secret")]), body, signature));
    assert!(verify(&secrets(&["the new one", text("secret")]), body, &format!("sha256={signature}")), "rotation");
    assert!(!verify(&secrets(&["another"]), body, signature));
    assert!(!verify(&[], body, signature));
    assert!(!verify(&secrets(&[text("secret")]), &body[1..], signature));
    for bad in ["", "sha256=", "zz", &signature[2..], &signature[..2], &signature[..32], "sha1=f5f8"] {
        assert!(!verify(&secrets(&[text("secret"), ""]), body, bad), "{bad:?}");
    }
    for name in ["X-Gitea-Signature", "X-Forgejo-Signature", "X-Hub-Signature-256"] {
        assert!(is_authentic(&secrets(&[text("secret")]), &headers([(name, signature)]), body), "{name}");
    }
    let forged = "0".repeat(64);
    let forged = headers([("X-Gitea-Signature", forged.as_str())]);
    assert!(!is_authentic(&secrets(&[text("secret")]), &forged, body), "forged");
    assert!(!is_authentic(&secrets(&[text("secret")]), &HeaderMap::new(), body), "unsigned");
    // HMAC with an empty key can be computed by anybody.
    let of_nothing = "b613679a0814d9ec772f95d778c35fc5ff1697c493715653c6c712144292c5ad";
    assert!(!verify(&secrets(&[""]), b"", of_nothing));
}

#[test]
fn recorded_comments_are_read() {
    for (name, action) in [
        ("comment-created", CommentAction::Created),
        ("comment-edited", CommentAction::Edited),
        ("comment-deleted", CommentAction::Deleted),
    ] {
        let Delivery::Comment(found) = read_recorded(name) else { panic!("{name}") };
        assert_eq!((found.action, found.repo, found.pull), (action, repo("recipes/recorded"), number(2)), "{name}");
        assert_eq!(found.head.unwrap().as_str(), "d79a7411189ffe9d576b0db96b3e5c9522ce01aa", "{name}");
        assert_eq!((found.comment.pull, found.comment.author), (Some(number(2)), login("maintainer")), "{name}");
    }
    assert_eq!(read_recorded("issue-comment-created"), Delivery::Other("a comment on an issue".to_owned()));
}

#[test]
fn recorded_events_are_read() {
    for (name, wanted) in [
        ("pull-opened", PullAction::Opened),
        ("pull-synchronized", PullAction::Synchronized),
        ("pull-closed", PullAction::Closed),
        ("pull-reopened", PullAction::Reopened),
    ] {
        let Delivery::Pull { action, number: found, .. } = read_recorded(name) else { panic!("{name}") };
        assert_eq!((action, found), (wanted, number(2)), "{name}");
    }
    let Delivery::Push { branch, is_default, after, .. } = read_recorded("push-branch") else { panic!() };
    assert_eq!((branch.as_str(), is_default, after.is_some()), ("change", false, true));
    let tag = Delivery::Tag { repo: repo("recipes/recorded"), name: "1.0.0+1.0.0".to_owned() };
    assert_eq!((read_recorded("push-tag"), read_recorded("create-tag")), (tag.clone(), tag), "it comes twice");
}

#[test]
fn s48_what_is_not_taken() {
    let form = headers([("content-type", "application/x-www-form-urlencoded"), ("x-gitea-event", "push")]);
    let error = read(&form, b"payload={}").unwrap_err();
    assert!(matches!(&error, DeliveryError::NotJson(kind) if kind.ends_with("urlencoded")), "{error}");
    let json = |event| headers([("content-type", "application/json; charset=utf-8"), ("x-forgejo-event", event)]);
    assert_eq!(read(&json("push"), &vec![b' '; LARGEST_DELIVERY + 1]), Err(DeliveryError::TooLarge));
    assert!(matches!(read(&json("push"), b"{}"), Err(DeliveryError::Unreadable(_))));
    assert_eq!(
        read(&json("pull_request_comment"), b"{}"),
        Ok(Delivery::Other("pull_request_comment".to_owned())),
        "a review"
    );
    let removed = format!(
        r#"{{"ref":"refs/heads/x","after":"{}","repository":{{"name":"notes","owner":{{"login":"recipes"}}}}}}"#,
        "0".repeat(40)
    );
    let Ok(Delivery::Push { after: None, .. }) = read(&json("push"), removed.as_bytes()) else { panic!() };
}

#[tokio::test]
async fn s41_one_comment_by_poll_by_hook_and_by_hook_again_has_one_id() {
    let (fake, forge) = seeded().await;
    let token = fake.act(|world| world.token("admin", &["write:organization"]));
    let wanted = WantedHook { url: "http://127.0.0.1:9/".to_owned(), secret: SecretString::from("s") };
    let scope = HookScope::Organisation(login("recipes"));
    assert!(client(&fake, &token).create_hook(&scope, &wanted).await.done().is_some());
    let since = fake.act(|world| {
        world.comment("recipes/notes", 1, "maintainer", "!testme");
        world.now
    });
    fake.replay(&fake.sent()[0]);
    let polled = forge.comments_since(&repo("recipes/notes"), since).await.unwrap().items;
    let sent = fake.sent();
    assert_eq!((sent.len(), polled.len()), (2, 1));
    assert_ne!(sent[0].delivery(), sent[1].delivery(), "a delivery's id does not tell the same one");
    for sent in &sent {
        assert!(is_authentic(std::slice::from_ref(&wanted.secret), &of(sent), sent.body.as_bytes()));
        let Ok(Delivery::Comment(found)) = read(&of(sent), sent.body.as_bytes()) else { panic!() };
        assert_eq!(found.comment, polled[0]);
    }
}

#[tokio::test]
async fn the_fake_sends_like_the_real_one() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("admin", &["write:organization"]));
    let wanted = WantedHook { url: "http://127.0.0.1:9/".to_owned(), secret: SecretString::from("s") };
    let scope = HookScope::Organisation(login("recipes"));
    assert!(client(&fake, &token).create_hook(&scope, &wanted).await.done().is_some());
    fake.act(|world| {
        let id = world.comment("recipes/notes", 1, "maintainer", "hello");
        world.edit(id, "admin", "!testme");
        world.delete(id, "admin");
        let issue = world.issue("recipes/notes");
        world.comment("recipes/notes", issue, "maintainer", "!testme");
        world.pull("recipes/notes", "outsider", OTHER_SHA, "outsider/notes");
        world.push("recipes/notes", 3, "outsider", OTHER_SHA, false);
        world.tag("recipes/notes", "1.0.0+1.0.0", "admin", false);
        world.push_branch("recipes/notes", "main", "admin", OTHER_SHA);
        world.pull_mut("recipes/notes", 3).head_repo = None;
        world.set_open("recipes/notes", 3, "outsider", false);
    });
    let told: Vec<Delivery> = fake.sent().iter().map(|sent| read(&of(sent), sent.body.as_bytes()).unwrap()).collect();
    let kinds: Vec<String> = told
        .iter()
        .map(|delivery| match delivery {
            Delivery::Comment(it) => format!("{:?} by {}", it.action, it.sender),
            Delivery::Pull { action, .. } => format!("{action:?}"),
            Delivery::Push { is_default, .. } => format!("push {is_default}"),
            Delivery::Tag { name, .. } => format!("tag {name}"),
            Delivery::Other(what) => what.clone(),
        })
        .collect();
    assert_eq!(
        kinds,
        [
            "Created by maintainer",
            "Edited by admin",
            "Deleted by admin",
            "a comment on an issue",
            "Opened",
            "Synchronized",
            "tag 1.0.0+1.0.0",
            "tag 1.0.0+1.0.0",
            "push true",
            "Closed",
        ]
    );
    let names = [
        "comment-created",
        "comment-edited",
        "comment-deleted",
        "issue-comment-created",
        "pull-opened",
        "pull-synchronized",
        "create-tag",
        "push-tag",
        "push-branch",
        "pull-closed",
    ];
    for (sent, name) in fake.sent().iter().zip(names) {
        let real = recorded(name);
        alike(&serde_json::from_str(&sent.body).unwrap(), &real["body"], name);
        for (header, value) in of(sent).iter().filter(|(header, _)| !header.as_str().contains("signature")) {
            let found =
                real["headers"].as_object().unwrap().iter().find(|(key, _)| key.eq_ignore_ascii_case(header.as_str()));
            assert_eq!(found.unwrap().1, value.to_str().unwrap(), "{name}: {header}");
        }
    }
}
