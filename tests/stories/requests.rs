//! s42 and s53: several requests on one pull request, pushes around them, and what else can be asked for.

use cc_ci::adapters::store::RunState;
use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::scene::{NOTES, Scene, sha};

fn push(scene: &Scene, head: u32) {
    scene.forge.act(|world| world.push(NOTES, 1, "maintainer", &sha(head), false));
}

#[tokio::test]
async fn s42_the_same_asked_for_twice_is_one_run_and_that_is_said() {
    let scene = Scene::begin().await;
    let first = scene.say("maintainer", "!testme");
    scene.quiet().await;
    let second = scene.say("maintainer", "!testme");
    scene.quiet().await;
    assert_eq!(scene.runs().await.len(), 1);
    assert!(scene.answer_to(first).contains("waiting, number 1"));
    let merged = scene.answer_to(second);
    assert!(merged.contains("The same was asked for before: [run 1]"), "{merged}");
    // With other options it is another one, and takes the place of the one that waits.
    let third = scene.say("maintainer", "!testme --keep 30m");
    scene.quiet().await;
    assert!(scene.answer_to(first).contains("superseded"), "{}", scene.answer_to(first));
    assert!(scene.answer_to(third).contains("waiting, number 1"));
}

#[tokio::test]
async fn s42_a_request_for_a_newer_head_supersedes_the_one_that_waits() {
    let scene = Scene::begin().await;
    let first = scene.say("maintainer", "!testme");
    scene.quiet().await;
    push(&scene, 2);
    scene.pass(30);
    let second = scene.say("maintainer", "!testme");
    scene.quiet().await;
    let runs = scene.runs().await;
    assert_eq!(runs.iter().map(|run| run.state).collect::<Vec<_>>(), [RunState::Done, RunState::Fetching]);
    let superseded = scene.answer_to(first);
    assert!(superseded.contains("superseded") && superseded.contains("[run 2]"), "{superseded}");
    assert!(scene.answer_to(second).contains(&sha(2)[..8]));
}

#[tokio::test]
async fn s42_a_push_after_the_acknowledgement_changes_nothing_and_that_is_said() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    push(&scene, 2);
    scene.round(Round::Poll).await;
    scene.pass(61);
    scene.quiet().await;
    scene.round(Round::Work).await;
    scene.quiet().await;
    let answer = scene.answer_to(asked);
    let said = format!("Head `{}`, as it was asked for; `{}` was pushed since", &sha(1)[..8], &sha(2)[..8]);
    assert!(answer.contains(&said), "{answer}");
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.quiet().await;
    assert_eq!(scene.runs().await[0].head.as_ref().unwrap().to_string(), sha(1));
    let verdict = scene.answer_to(asked);
    assert!(verdict.contains(&sha(1)[..8]) && verdict.contains(&sha(2)[..8]), "{verdict}");
}

#[tokio::test]
async fn s42_a_push_between_the_comment_and_the_poll_is_not_run_unseen() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.pass(9);
    push(&scene, 2);
    scene.quiet().await;
    assert!(scene.runs().await.is_empty());
    let answer = scene.answer_to(asked);
    assert!(answer.contains("please ask again") && answer.contains(&sha(2)[..8]), "{answer}");
}

#[tokio::test]
async fn s42_a_push_between_the_webhook_and_the_acknowledgement_is_not_run_unseen() {
    let scene = Scene::begin().await;
    scene.forge.hold_deliveries();
    scene.hook_by_hand("https://ci.example.org/hooks/forge");
    let asked = scene.forge.act(|world| world.comment(NOTES, 1, "maintainer", "!testme"));
    // Within the same second: only the body of the delivery tells the two heads apart.
    push(&scene, 2);
    scene.deliver(&scene.forge.sent()[0]).await;
    scene.round(Round::Work).await;
    scene.quiet().await;
    assert!(scene.runs().await.is_empty());
    let answer = scene.answer_to(asked);
    assert!(answer.contains(&format!("When the comment was written it was `{}`", &sha(1)[..8])), "{answer}");
}

#[tokio::test]
async fn s53_help_status_cancel_and_retry() {
    let scene = Scene::begin().await;
    let help = scene.say("maintainer", "!testme help");
    let nothing = scene.say("maintainer", "!testme retry");
    scene.quiet().await;
    assert!(scene.answer_to(help).contains("!testme cancel"));
    assert!(scene.answer_to(nothing).contains("nothing to test again"));
    let asked = scene.say("maintainer", "!testme");
    let status = scene.say("maintainer", "!testme status");
    scene.quiet().await;
    assert!(scene.answer_to(status).contains("waiting, number 1"));
    let cancel = scene.say("maintainer", "!testme cancel");
    scene.quiet().await;
    assert!(scene.answer_to(cancel).contains("un 1"), "{}", scene.answer_to(cancel));
    let cancelled = scene.answer_to(asked);
    assert!(cancelled.contains("cancelled by `maintainer` before it had started"), "{cancelled}");
    push(&scene, 2);
    scene.pass(30);
    let retry = scene.say("maintainer", "!testme retry");
    scene.quiet().await;
    let runs = scene.runs().await;
    assert_eq!(runs.last().unwrap().head.as_ref().unwrap().to_string(), sha(1), "the commit of the last run");
    assert!(scene.answer_to(retry).contains("waiting"));
    for comment in [help, nothing, asked, status, cancel, retry] {
        assert_eq!(scene.reactions(comment), ["eyes"]);
    }
}
