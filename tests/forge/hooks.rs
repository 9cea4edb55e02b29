//! s47: the hook on the forge is made as it should be, and left alone when it is.

use std::collections::BTreeMap;

use cc_ci::adapters::forge::{
    Forge, HOOK_EVENTS, HookAction, HookId, HookScope, Outcome, Reason, WantedHook, reconcile,
};
use secrecy::SecretString;

use crate::fake::FakeForge;
use crate::{client, repo, seeded};

type Spoil = fn(&mut crate::fake::World);
type Remembered = BTreeMap<HookId, String>;

fn wanted(secret: &str) -> WantedHook {
    // Nobody listens there.
    WantedHook { url: "http://127.0.0.1:9/hooks/forge".to_owned(), secret: SecretString::from(secret) }
}

/// One pass; how much there was to do.
async fn pass(forge: &Forge, scope: &HookScope, wanted: &WantedHook, remembered: &mut Remembered) -> usize {
    let existing = forge.hooks(scope).await.unwrap().items;
    let actions = reconcile(&existing, wanted, remembered);
    for action in &actions {
        match action {
            HookAction::Create => {
                let id = forge.create_hook(scope, wanted).await.done().unwrap().id;
                remembered.insert(id, wanted.fingerprint());
            }
            HookAction::Update(id) => {
                assert!(forge.update_hook(scope, *id, wanted).await.done().is_some());
                remembered.insert(*id, wanted.fingerprint());
            }
            HookAction::Remove(id) => {
                assert_eq!(forge.delete_hook(scope, *id).await, Outcome::Done(()));
                assert_eq!(forge.delete_hook(scope, *id).await, Outcome::Done(()), "gone is gone");
                remembered.remove(id);
            }
        }
    }
    actions.len()
}

fn admin(fake: &FakeForge) -> Forge {
    let token = fake.act(|world| world.token("admin", &["write:repository", "write:organization"]));
    client(fake, &token)
}

#[tokio::test]
async fn s47_the_hook_of_a_repository_is_set_right_and_then_left_alone() {
    let (fake, _forge) = seeded().await;
    let (forge, scope) = (admin(&fake), HookScope::Repository(repo("recipes/notes")));
    let (mut remembered, first) = (Remembered::new(), wanted("first"));
    assert_eq!(pass(&forge, &scope, &first, &mut remembered).await, 1, "missing");
    assert_eq!(pass(&forge, &scope, &first, &mut remembered).await, 0, "more events are stored than were asked for");

    let spoil: [(&str, Spoil); 3] = [
        ("wrong address", |world| world.of("recipes/notes").hooks[0].url = "http://127.0.0.1:9/old".to_owned()),
        ("wrong events", |world| world.of("recipes/notes").hooks[0].events.retain(|it| it != "push")),
        ("switched off", |world| world.of("recipes/notes").hooks[0].active = false),
    ];
    for (what, spoil) in spoil {
        fake.act(spoil);
        assert_eq!(pass(&forge, &scope, &first, &mut remembered).await, 1, "{what}");
        assert_eq!(pass(&forge, &scope, &first, &mut remembered).await, 0, "{what}");
    }
    let second = wanted("second");
    assert_eq!(pass(&forge, &scope, &second, &mut remembered).await, 1, "rotated secret");
    assert_eq!(fake.act(|world| world.of("recipes/notes").hooks[0].secret.clone()), "second");
    assert!(forge.create_hook(&scope, &second).await.done().is_some(), "the forge takes it twice");
    assert_eq!(pass(&forge, &scope, &second, &mut remembered).await, 1, "duplicate");
    assert_eq!(pass(&forge, &scope, &second, &mut remembered).await, 0);
    let hooks = fake.act(|world| world.of("recipes/notes").hooks.clone());
    assert_eq!(hooks.len(), 1);
    assert!(HOOK_EVENTS.iter().all(|event| hooks[0].events.contains(*event)));
}

#[tokio::test]
async fn s47_one_hook_serves_an_organisation() {
    let (fake, _forge) = seeded().await;
    let (forge, mut remembered) = (admin(&fake), Remembered::new());
    let scope = HookScope::Organisation(crate::login("recipes"));
    assert_eq!(pass(&forge, &scope, &wanted("s"), &mut remembered).await, 1);
    assert_eq!(pass(&forge, &scope, &wanted("s"), &mut remembered).await, 0);
    fake.act(|world| world.comment("recipes/notes", 1, "maintainer", "!testme"));
    assert_eq!(fake.sent().len(), 1);
}

#[tokio::test]
async fn s47_without_admin_there_is_one_clear_line() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("maintainer", &["write:repository"]));
    let scope = HookScope::Repository(repo("recipes/notes"));
    let Outcome::Refused(refusal) = client(&fake, &token).create_hook(&scope, &wanted("s")).await else { panic!() };
    assert_eq!(refusal.reason, Reason::Forbidden);
    assert_eq!(
        refusal.to_string(),
        "make a hook for recipes/notes: the forge answered 403: user should be an owner or a collaborator with admin \
         write of a repository\nhint: the bot's account lacks the right to do this"
    );
}

#[tokio::test]
async fn s47_off_means_no_hook_call_at_all() {
    let (fake, forge) = seeded().await;
    forge.probe(&repo("recipes/notes"), &crate::login("recipes"), None).await.unwrap();
    assert!(!fake.requests().iter().any(|request| request.contains("hooks")));
}
