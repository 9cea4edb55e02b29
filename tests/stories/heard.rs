//! s40 and s41: a comment is heard, once, whoever brings it.

use cc_ci::engine::service::{Delivered, Round};

use crate::scene::{Scene, sha};

#[tokio::test]
async fn s40_a_comment_is_acknowledged_in_the_first_round_after_the_poll() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    assert!(scene.round(Round::Poll).await);
    assert!(scene.round(Round::Work).await);
    assert!(scene.round(Round::Answer).await);
    assert_eq!(scene.reactions(asked), ["eyes"]);
    let answer = scene.answer_to(asked);
    assert!(answer.contains("waiting, number 1"), "{answer}");
    let runs = scene.runs().await;
    assert_eq!(runs.iter().map(|run| run.head.as_ref().unwrap().to_string()).collect::<Vec<_>>(), [sha(1)]);
    scene.quiet().await;
    assert_eq!(scene.answers().len(), 1);
}

#[tokio::test]
async fn s41_poll_and_webhook_and_webhook_again_and_a_restart_make_one_run() {
    let mut scene = Scene::begin().await;
    scene.forge.hold_deliveries();
    scene.hook_by_hand("https://ci.example.org/hooks/forge");
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    let sent = scene.forge.sent().pop().unwrap();
    assert!(matches!(scene.deliver(&sent).await, Delivered::Taken));
    scene.round(Round::Work).await;
    assert!(matches!(scene.deliver(&sent).await, Delivered::Taken));
    scene.restart().await;
    scene.quiet().await;
    assert!(matches!(scene.deliver(&sent).await, Delivered::Taken));
    scene.quiet().await;
    assert_eq!(scene.runs().await.len(), 1);
    scene.answer_to(asked);
    assert_eq!(scene.answers().len(), 1);
}

#[tokio::test]
async fn s41_a_comment_that_was_settled_half_when_the_gate_was_killed_makes_one_run() {
    let mut scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    // The run is stored, and then the forge's next push and the kill come before the comment is settled.
    scene.round(Round::Work).await;
    scene.sql("UPDATE inbox SET state = 'new', outcome = NULL, run = NULL").await;
    scene.forge.act(|world| world.push(crate::scene::NOTES, 1, "maintainer", &sha(2), false));
    scene.restart().await;
    scene.quiet().await;
    let runs = scene.runs().await;
    assert_eq!(runs.len(), 1);
    assert_eq!(runs[0].head.as_ref().unwrap().to_string(), sha(1));
    assert!(scene.answer_to(asked).contains("waiting, number 1"), "the answer is that of its run");
}
