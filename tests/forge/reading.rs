//! Lists that end, cursors that overlap, and answers that no forge should give.

use cc_ci::adapters::forge::{ForgeError, Membership};
use jiff::{SignedDuration, Timestamp};

use crate::fake::{Fault, Member, Right, Wrong};
use crate::{OTHER_SHA, SHA, client, login, number, repo, seeded};

#[tokio::test]
async fn a_list_is_read_to_its_end_and_once() {
    let (fake, forge) = seeded().await;
    fake.act(|world| {
        for n in 0..120 {
            world.comment("recipes/notes", 1, "maintainer", &n.to_string());
        }
    });
    let all = forge.comments_since(&repo("recipes/notes"), Timestamp::UNIX_EPOCH).await.unwrap();
    let bodies: Vec<String> = all.items.iter().map(|comment| comment.body.clone()).collect();
    assert_eq!(bodies, (0..120).map(|n| n.to_string()).collect::<Vec<_>>());
    assert!(all.complete);
    let asked = fake.requests().into_iter().filter(|it| it.contains("page=")).count();
    assert_eq!(asked, 4, "three pages and an empty one, whatever the forge says of their number");
}

#[tokio::test]
async fn a_forge_that_repeats_a_page_for_ever_is_left() {
    let (fake, forge) = seeded().await;
    let tag = format!(r#"[{{"name":"1.0.0+1.0.0","id":"x","commit":{{"sha":"{SHA}"}}}}, {{"name": 7}}]"#);
    let what = Wrong::Say { status: 200, headers: Vec::new(), body: tag };
    fake.inject(Fault { method: None, path: "/tags", times: 1_000, what });
    let tags = forge.tags(&repo("recipes/notes")).await.unwrap();
    assert_eq!((tags.items.len(), tags.unreadable.len(), tags.complete), (1, 1, true));
    assert_eq!(fake.requests().len(), 2);
}

#[tokio::test]
async fn large_comments_do_not_blind_the_gate() {
    let (fake, forge) = seeded().await;
    fake.act(|world| {
        for _ in 0..9 {
            world.comment("recipes/notes", 1, "outsider", &"x".repeat(1 << 20));
        }
        world.comment("recipes/notes", 1, "maintainer", "!testme");
    });
    let all = forge.comments_of(&repo("recipes/notes"), number(1), None).await.unwrap();
    assert_eq!((all.items.len(), all.complete), (10, true));
    assert_eq!(all.items[9].body, "!testme");
    assert_eq!(all.items[0].body.len(), 64 << 10);
}

#[tokio::test]
async fn one_monstrous_comment_is_passed_over() {
    let (fake, forge) = seeded().await;
    fake.act(|world| {
        world.comment("recipes/notes", 1, "maintainer", "before");
        world.comment("recipes/notes", 1, "outsider", &"<".repeat(9 << 20));
        world.comment("recipes/notes", 1, "maintainer", "!testme");
    });
    let all = forge.comments_of(&repo("recipes/notes"), number(1), None).await.unwrap();
    let bodies: Vec<&str> = all.items.iter().map(|comment| comment.body.as_str()).collect();
    assert_eq!((bodies, all.complete), (vec!["before", "!testme"], true));
    assert_eq!(all.unreadable, ["one is larger than 8388608 bytes"]);
}

#[tokio::test]
async fn one_search_finds_what_changed_in_the_organisation() {
    let (fake, forge) = seeded().await;
    let since = fake.act(|world| {
        world.repo("recipes/other");
        world.pull("recipes/other", "maintainer", OTHER_SHA, "recipes/other");
        world.tick(60);
        world.comment("recipes/notes", 1, "maintainer", "!testme");
        world.now
    });
    let found = forge.changed_pulls(&login("recipes"), since).await.unwrap().items;
    assert_eq!(
        found.iter().map(|it| (it.repo.clone(), it.number)).collect::<Vec<_>>(),
        [(repo("recipes/notes"), number(1))]
    );
    let later = since + SignedDuration::from_secs(1);
    assert_eq!(forge.changed_pulls(&login("recipes"), later).await.unwrap().items, []);
    fake.act(|world| {
        world.tick(1);
        world.set_open("recipes/other", 1, "maintainer", false);
    });
    let found = forge.changed_pulls(&login("recipes"), later).await.unwrap().items;
    assert!(!found[0].open, "closed ones are found too");
    fake.act(|world| {
        world.tick(1);
        world.set_open("recipes/other", 1, "maintainer", true);
    });
    assert!(forge.changed_pulls(&login("recipes"), later).await.unwrap().items[0].open);
}

#[tokio::test]
async fn an_edit_comes_back_and_shows() {
    let (fake, forge) = seeded().await;
    let since = fake.act(|world| {
        let id = world.comment("recipes/notes", 1, "maintainer", "hello");
        world.tick(60);
        world.edit(id, "maintainer", "!testme");
        world.now
    });
    let found = forge.comments_since(&repo("recipes/notes"), since).await.unwrap().items;
    assert!(found.len() == 1 && found[0].is_edited());
}

#[tokio::test]
async fn pushes_after_a_comment_are_seen() {
    let (fake, forge) = seeded().await;
    let asked = fake.act(|world| {
        world.push("recipes/notes", 1, "maintainer", SHA, false);
        world.tick(60);
        world.comment("recipes/notes", 1, "maintainer", "!testme");
        let asked = world.now;
        world.tick(5);
        world.push("recipes/notes", 1, "outsider", OTHER_SHA, true);
        asked
    });
    let pushes = forge.pushes(&repo("recipes/notes"), number(1), asked).await.unwrap().items;
    assert_eq!(pushes.iter().map(|push| push.forced).collect::<Vec<_>>(), [false, true]);
    assert!(
        pushes.iter().all(|push| push.by == login("outsider") && push.commits.last().unwrap().as_str() == OTHER_SHA)
    );
    assert_eq!(forge.pull(&repo("recipes/notes"), number(1)).await.unwrap().head.sha.as_str(), OTHER_SHA);
}

#[tokio::test]
async fn branches_keep_their_slashes_and_lead_nowhere_else() {
    let (fake, forge) = seeded().await;
    fake.act(|world| world.push_branch("recipes/notes", "fix/a", "maintainer", OTHER_SHA));
    assert_eq!(forge.branch(&repo("recipes/notes"), "fix/a").await.unwrap().as_str(), OTHER_SHA);
    let before = fake.requests().len();
    let error = forge.branch(&repo("recipes/notes"), "../../../user").await.unwrap_err();
    assert!(matches!(error, ForgeError::Unreadable { .. }), "{error}");
    assert_eq!(fake.requests().len(), before, "nothing was asked");
}

#[tokio::test]
async fn membership_is_seen_by_members() {
    let (fake, forge) = seeded().await;
    let (organisation, maintainer) = (login("recipes"), login("maintainer"));
    assert_eq!(forge.member(&organisation, &maintainer).await.unwrap(), Membership::Unseen);
    fake.act(|world| world.member("recipes", "open", Member { right: Right::Read, public: true }));
    assert_eq!(forge.member(&organisation, &login("open")).await.unwrap(), Membership::Member);
    let token = fake.act(|world| {
        world.member("recipes", "bot", Member { right: Right::Read, public: false });
        world.token("bot", &crate::SMALLEST)
    });
    let forge = client(&fake, &token);
    assert_eq!(forge.member(&organisation, &maintainer).await.unwrap(), Membership::Member);
    assert_eq!(forge.member(&organisation, &login("outsider")).await.unwrap(), Membership::NotMember);
}

#[tokio::test]
async fn what_is_no_forge_says_so() {
    let (fake, forge) = seeded().await;
    let what = Wrong::Say { status: 200, headers: Vec::new(), body: "<html>welcome</html>".to_owned() };
    fake.inject(Fault { method: None, path: "", times: 1, what });
    let error = forge.version().await.unwrap_err().to_string();
    assert!(error.ends_with("hint: is the address that of a Gitea or Forgejo?"), "{error}");
}
