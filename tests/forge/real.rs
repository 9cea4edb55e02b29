//! The same client against a real forge, seeded as in the lab. Not run by itself: it needs one.
//! `CC_CI_FORGE_SEED=…/seed.json cargo test --test forge -- --ignored`

use cc_ci::adapters::forge::{
    Ability, CommitStatus, Forge, HookAction, HookScope, Membership, Outcome, Reason, StatusState, WantedHook,
    reconcile,
};
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::{OTHER_SHA, config, login, number, reason, repo};

/// A client with the token of one of the seeded accounts.
fn real(who: &str) -> Forge {
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let path = std::env::var("CC_CI_FORGE_SEED").unwrap();
    let seed: Value = serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap();
    Forge::new(config(seed["url"].as_str().unwrap(), seed["tokens"][who]["token"].as_str().unwrap())).unwrap()
}

#[tokio::test]
#[ignore = "needs a real forge"]
async fn s40_a_real_forge_is_read_and_written() {
    let (bot, notes, organisation) = (real("bot"), repo("recipes/notes"), login("recipes"));
    let since = bot.comments_since(&notes, Timestamp::UNIX_EPOCH).await.unwrap().items.last().unwrap().updated_at;
    let marker = format!("<!-- cc-ci:{since} -->\nrunning");
    let posted = bot.post_comment(&notes, number(1), &marker).await.done().unwrap();
    assert!(posted.body == marker && posted.pull == Some(number(1)) && posted.author == login("bot"));
    let changed = bot.changed_pulls(&organisation, posted.created_at).await.unwrap().items;
    assert!(changed.iter().any(|it| it.repo == notes && it.number == number(1)));
    let found = bot.comments_of(&notes, number(1), Some(posted.created_at)).await.unwrap().items;
    assert!(found.iter().any(|comment| comment.id == posted.id));
    assert_eq!(bot.edit_comment(&notes, posted.id, "done").await.done().unwrap().body, "done");
    for _ in 0..2 {
        assert_eq!(bot.react(&notes, posted.id, "eyes").await, Outcome::Done(()));
    }
    for _ in 0..2 {
        assert_eq!(bot.delete_comment(&notes, posted.id).await, Outcome::Done(()));
    }
    assert_eq!(bot.get_comment(&notes, posted.id).await, Ok(None));

    let pull = bot.pull(&notes, number(1)).await.unwrap();
    assert!(bot.has_commit(&notes, &pull.head.sha).await.unwrap());
    assert!(!bot.pushes(&notes, number(1), Timestamp::UNIX_EPOCH).await.unwrap().items.is_empty());
    assert_eq!(bot.tags(&notes).await.unwrap().items.iter().filter(|tag| tag.annotated).count(), 2);
    assert!(
        bot.branch(&notes, "main").await.is_ok() && bot.branch(&notes, "no/such").await.unwrap_err().is_not_found()
    );
    assert_eq!(bot.member(&organisation, &login("maintainer")).await, Ok(Membership::Unseen));
    assert_eq!(real("maintainer").collaborator(&notes, &login("collaborator")).await, Ok(true));
    assert!(bot.assignees(&notes).await.unwrap().items.contains(&login("maintainer")));
}

#[tokio::test]
#[ignore = "needs a real forge"]
async fn s43_a_real_forge_says_what_may_be_done() {
    let (notes, organisation) = (repo("recipes/notes"), login("recipes"));
    let scope = HookScope::Repository(notes.clone());
    let found = real("bot").probe(&notes, &organisation, Some(&scope)).await.unwrap();
    assert_eq!((&found.comment, found.status.is_worth_trying(), found.missing().len()), (&Ability::Yes, false, 3));
    let found = real("botwrite").probe(&notes, &organisation, None).await.unwrap();
    assert_eq!(found.status, Ability::Yes);
    let found = real("bot-read").probe(&notes, &organisation, None).await.unwrap();
    assert!(!found.comment.is_worth_trying());

    let status = CommitStatus {
        state: StatusState::Success,
        context: "cc-ci".to_owned(),
        description: "verified".to_owned(),
        target_url: None,
    };
    let head = real("bot").pull(&notes, number(1)).await.unwrap().head.sha;
    assert_eq!(real("botwrite").set_status(&notes, &head, &status).await, Outcome::Done(()));
    let gone = OTHER_SHA.replace('4', "5").parse().unwrap();
    assert_eq!(reason(real("botwrite").set_status(&notes, &gone, &status).await), Reason::NoSuchCommit);
}

#[tokio::test]
#[ignore = "needs a real forge"]
async fn s47_a_real_forge_keeps_the_hook_as_wanted() {
    let (forge, scope) = (real("admin-hooks"), HookScope::Repository(repo("recipes/tests")));
    let wanted = WantedHook { url: "http://127.0.0.1:9/hooks/forge".to_owned(), secret: SecretString::from("s") };
    let mut remembered = std::collections::BTreeMap::new();
    let made = forge.create_hook(&scope, &wanted).await.done().unwrap();
    assert!(forge.create_hook(&scope, &wanted).await.done().is_some(), "twice");
    for action in reconcile(&forge.hooks(&scope).await.unwrap().items, &wanted, &remembered) {
        match action {
            HookAction::Create => panic!("there are two"),
            HookAction::Update(id) => {
                remembered.insert(id, wanted.fingerprint());
                assert!(forge.update_hook(&scope, id, &wanted).await.done().is_some());
            }
            HookAction::Remove(id) => assert_eq!(forge.delete_hook(&scope, id).await, Outcome::Done(())),
        }
    }
    assert_eq!(reconcile(&forge.hooks(&scope).await.unwrap().items, &wanted, &remembered), []);
    for id in remembered.keys().chain([&made.id]) {
        assert_eq!(forge.delete_hook(&scope, *id).await, Outcome::Done(()));
    }
}
