//! s43: what the token may not do is found out at the start, said once, and the rest works.

use cc_ci::adapters::forge::{Ability, HookScope, Outcome};
use cc_ci::domain::doctor::{self, Check, is_fine};
use cc_ci::domain::enrolment::Enrolment;
use cc_ci::engine;

use crate::fake::{Fault, Member, Right, Wrong};
use crate::{SMALLEST, client, login, number, repo, seeded};

#[tokio::test]
async fn s43_the_smallest_token_comments_and_lacks_are_said_in_a_line_each() {
    let (fake, forge) = seeded().await;
    let (notes, organisation) = (repo("recipes/notes"), login("recipes"));
    let scope = HookScope::Organisation(organisation.clone());
    let found = forge.probe(&notes, &organisation, Some(&scope)).await.unwrap();
    assert_eq!((&found.comment, found.login.as_ref()), (&Ability::Yes, Some(&login("bot"))));
    assert_eq!(
        found.missing(),
        [
            "no commit statuses; the comment has the verdict: the bot's account may not write to the repository",
            "the hook is not set up; comments are found by polling: the token lacks write:organization: make one that has it",
            "concealed members are not recognised; who may write to the repository is: the bot's account is not a member of recipes: make it one",
        ]
    );
    assert!(!found.status.is_worth_trying());
    let posted = forge.post_comment(&notes, number(1), "x").await;
    assert!(matches!(posted, Outcome::Done(_)), "comments still work");
    assert_eq!(fake.act(|world| world.conversation("recipes/notes", 1).len()), 1, "the probe itself wrote nothing");
}

#[tokio::test]
async fn s43_without_a_scope_for_the_organisation() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("bot", &["write:issue", "read:repository"]));
    let forge = client(&fake, &token);
    let found = forge.probe(&repo("recipes/notes"), &login("recipes"), None).await.unwrap();
    assert_eq!(found.comment, Ability::Yes);
    let why = "the token lacks read:organization: make one that has it".to_owned();
    assert_eq!((found.members, found.hooks), (Ability::No(why), None));
    fake.act(|world| {
        world.repo("recipes/other");
        world.repo("recipes-of-others/notes");
    });
    let names = forge.repositories(&login("recipes")).await.unwrap().items.into_iter().map(|it| it.name);
    assert_eq!(names.collect::<Vec<_>>(), [repo("recipes/notes"), repo("recipes/other")], "found by the search");
}

#[tokio::test]
async fn s43_a_reader_is_told_that_it_cannot_answer() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("bot", &["read:issue", "read:repository", "read:organization"]));
    let found = client(&fake, &token).probe(&repo("recipes/notes"), &login("recipes"), None).await.unwrap();
    assert_eq!(
        found.missing()[0],
        "no comments, so no answers at all: the token lacks write:issue: make one that has it"
    );
}

#[tokio::test]
async fn everything_is_there_and_nothing_is_said() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| {
        world.member("recipes", "bot", Member { right: Right::Admin, public: false });
        world.token("bot", &["write:issue", "write:repository", "write:organization", "read:user"])
    });
    let scope = HookScope::Repository(repo("recipes/notes"));
    let found = client(&fake, &token).probe(&repo("recipes/notes"), &login("recipes"), Some(&scope)).await.unwrap();
    assert_eq!(found.missing(), Vec::<String>::new());
    assert_eq!(fake.act(|world| world.of("recipes/notes").statuses.len() + world.of("recipes/notes").hooks.len()), 0);
}

#[tokio::test]
async fn s43_a_status_needs_the_scope_and_the_right() {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| {
        world.member("recipes", "bot", Member { right: Right::Write, public: false });
        world.token("bot", &SMALLEST)
    });
    let forge = client(&fake, &token);
    let found = forge.probe(&repo("recipes/notes"), &login("recipes"), None).await.unwrap();
    assert_eq!(found.status, Ability::No("the token lacks write:repository: make one that has it".to_owned()));
    let what = Wrong::Say { status: 500, headers: Vec::new(), body: String::new() };
    fake.inject(Fault { method: Some("PATCH"), path: "", times: 1, what });
    let found = forge.probe(&repo("recipes/notes"), &login("recipes"), None).await.unwrap();
    assert!(found.comment.is_worth_trying() && found.missing()[0].starts_with("not known whether it works"));
}

/// What doctor says of a token with these scopes, a line each.
async fn examined(scopes: &[&str]) -> (bool, String) {
    let (fake, _forge) = seeded().await;
    let token = fake.act(|world| world.token("bot", scopes));
    let enrolled = Enrolment::of(Vec::new());
    let checks: Vec<Check> = engine::doctor::forge(&client(&fake, &token), &login("recipes"), &enrolled, false).await;
    assert_eq!(fake.act(|world| world.conversation("recipes/notes", 1).len()), 0, "looking wrote nothing");
    (is_fine(&checks), doctor::told(&checks))
}

#[tokio::test]
async fn s43_doctor_fails_only_for_what_has_no_other_way() {
    let (fine, told) = examined(&SMALLEST).await;
    assert!(fine && told.contains("✓ forge ") && told.contains("○ forge_rights          no commit statuses"), "{told}");
    let (fine, told) = examined(&["read:issue", "read:repository", "read:organization"]).await;
    assert!(!fine && told.contains("✕ forge_rights          no comments, so no answers at all"), "{told}");
}
