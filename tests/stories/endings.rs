//! s49: what a run is about goes away while it waits or runs. The run ends properly, and the outbox does not loop.

use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::fake::{Member, Right};
use crate::scene::{NOTES, SMALLEST, Scene, sha};

/// A run that waits, whose answer is there.
async fn waiting() -> (Scene, i64) {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    (scene, asked)
}

/// The run ends, and after that the forge is asked for no more than polls need.
async fn ends_in_peace(scene: &Scene) {
    scene.pass(200);
    for run in scene.store().open_runs().await.unwrap() {
        scene.end(&run, Ends::Green).await;
    }
    scene.quiet().await;
    let before = scene.forge.requests().len();
    for _ in 0..50 {
        scene.pass(15);
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
    assert_eq!(scene.requests_since(before), Vec::<String>::new(), "the outbox does not loop");
    assert!(scene.store().unanswered().await.unwrap().is_empty());
}

#[tokio::test]
async fn s49_the_gates_own_comment_is_deleted() {
    let (scene, asked) = waiting().await;
    scene.forge.act(|world| {
        let own = *world.comments.iter().find(|(_, comment)| comment.author == "bot").unwrap().0;
        world.delete(own, "maintainer");
    });
    ends_in_peace(&scene).await;
    assert!(scene.answer_to(asked).contains("verified"), "the verdict of a long run is posted anew");
}

#[tokio::test]
async fn s49_the_comment_that_asked_is_deleted() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    scene.forge.act(|world| world.delete(asked, "maintainer"));
    scene.quiet().await;
    ends_in_peace(&scene).await;
    assert_eq!(scene.answers_to(asked).len(), 1, "it was accepted, and its answer counts");
}

#[tokio::test]
async fn s49_the_pull_request_is_closed() {
    let (scene, asked) = waiting().await;
    scene.forge.act(|world| world.set_open(NOTES, 1, "maintainer", false));
    ends_in_peace(&scene).await;
    assert!(scene.answer_to(asked).contains("verified"), "a closed one still takes comments");
    let late = scene.say("maintainer", "!testme");
    scene.quiet().await;
    assert!(scene.answer_to(late).contains("This pull request is closed"), "{}", scene.answer_to(late));
}

#[tokio::test]
async fn s49_the_conversation_is_locked() {
    let (scene, asked) = waiting().await;
    scene.forge.act(|world| world.pull_mut(NOTES, 1).locked = true);
    ends_in_peace(&scene).await;
    // A new comment is refused; the one that waited says it.
    assert!(scene.answer_to(asked).contains("verified"));
}

#[tokio::test]
async fn s49_the_repository_is_archived() {
    let (scene, asked) = waiting().await;
    scene.forge.act(|world| world.of(NOTES).archived = true);
    ends_in_peace(&scene).await;
    assert_eq!(scene.answers_to(asked).len(), 1);
}

#[tokio::test]
async fn s49_the_repository_goes() {
    let (scene, _) = waiting().await;
    scene.forge.act(|world| world.of(NOTES).private = true);
    scene.forge.act(|world| world.organisations.get_mut("recipes").unwrap().members.remove("bot"));
    ends_in_peace(&scene).await;
}

#[tokio::test]
async fn s49_the_repository_is_renamed_while_its_run_waits() {
    let (scene, asked) = waiting().await;
    scene.forge.act(|world| world.rename(NOTES, "recipes/jotter"));
    ends_in_peace(&scene).await;
    assert!(scene.answer_to(asked).contains("verified"));
}

#[tokio::test]
async fn s49_the_repository_is_renamed_between_a_comment_and_its_answer() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.forge.act(|world| world.rename(NOTES, "recipes/jotter"));
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("jotter: waiting"), "{}", scene.answer_to(asked));
    ends_in_peace(&scene).await;
}

#[tokio::test]
async fn s49_the_status_of_a_commit_that_is_gone_is_given_up_and_those_of_others_are_not() {
    let mut scene = Scene::set().await;
    scene.token = scene.forge.act(|world| {
        world.member("recipes", "bot", Member { right: Right::Write, public: false });
        world.token("bot", &["write:issue", "write:repository", "read:organization"])
    });
    scene.start().await;
    scene.round(Round::Poll).await;
    scene.pass(1);
    scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.forge.act(|world| world.of(NOTES).commits.remove(&sha(1)));
    ends_in_peace(&scene).await;
    scene.forge.act(|world| world.push(NOTES, 1, "maintainer", &sha(2), true));
    scene.pass(30);
    scene.say("maintainer", "!testme");
    scene.quiet().await;
    let last = scene.forge.act(|world| world.of(NOTES).statuses.last().map(|it| (it.sha.clone(), it.state.clone())));
    assert_eq!(last, Some((sha(2), "pending".to_owned())));
}

#[tokio::test]
async fn s49_a_token_without_the_scope_for_comments_waits_for_a_better_one() {
    let mut scene = Scene::set().await;
    let small = scene.forge.act(|world| world.token("bot", &["read:issue", "read:repository", "read:organization"]));
    scene.token = small;
    scene.start().await;
    scene.round(Round::Poll).await;
    scene.pass(1);
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    let before = scene.forge.requests().len();
    for _ in 0..240 {
        scene.pass(15);
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
    let writes = scene.requests_since(before).into_iter().filter(|it| it.starts_with("POST")).count();
    assert!(writes < 40, "{writes} in an hour");
    scene.token = scene.forge.act(|world| world.token("bot", &SMALLEST));
    scene.restart().await;
    scene.quiet().await;
    scene.answer_to(asked);
}
