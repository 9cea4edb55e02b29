//! What becomes of an answer: from waiting to the verdict, posted anew after a long run, folded by the next request, tried once
//! again when nobody is to blame.

use cc_ci::domain::answer::marker;
use cc_ci::domain::registry::{Refusal, Trouble};
use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::fake::{Fault, Wrong};
use crate::scene::{NOTES, Scene, sha};

#[tokio::test]
async fn s40_a_short_run_edits_its_comment_to_the_verdict() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.pass(60);
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.quiet().await;
    let answer = scene.answer_to(asked);
    assert!(answer.contains("verified"), "{answer}");
    assert_eq!(marker(&answer).unwrap().post, 1);
    assert_eq!(scene.answers().len(), 1);
}

#[tokio::test]
async fn s40_the_verdict_of_a_long_run_is_posted_anew_and_the_waiting_one_goes() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("waiting"));
    scene.pass(180);
    scene.end(&scene.runs().await[0], Ends::Red).await;
    scene.quiet().await;
    let answer = scene.answer_to(asked);
    assert!(answer.contains("app exits with 1"), "{answer}");
    assert_eq!(marker(&answer).unwrap().post, 2);
}

#[tokio::test]
async fn s46_the_waiting_one_goes_also_when_the_answer_to_its_post_was_lost() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    scene.forge.inject(Fault { method: Some("POST"), path: "/issues/1/comments", times: 1, what: Wrong::CutAfter });
    scene.round(Round::Answer).await;
    assert_eq!(scene.answers_to(asked).len(), 1, "it is there, and the gate does not know");
    // The run ends before the gate finds out.
    scene.clock.pass(std::time::Duration::from_secs(200));
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("verified"));
}

#[tokio::test]
async fn s46_a_waiting_one_that_was_never_posted_is_not_posted_beside_the_verdict() {
    let mut scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    scene.forge.down().await;
    scene.round(Round::Answer).await;
    scene.pass(400);
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.round(Round::Work).await;
    scene.forge.up().await;
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("verified"));
    let posted = scene.forge.requests().iter().filter(|it| it.starts_with("POST") && it.ends_with("/comments")).count();
    assert_eq!(posted, 1, "what nobody waits for any more is not posted");
}

#[tokio::test]
async fn s42_the_next_request_folds_the_answer_of_the_one_before() {
    let scene = Scene::begin().await;
    let first = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.end(&scene.runs().await[0], Ends::Red).await;
    scene.quiet().await;
    scene.forge.act(|world| world.push(NOTES, 1, "maintainer", &sha(2), false));
    scene.pass(30);
    let second = scene.say("maintainer", "!testme");
    scene.quiet().await;
    let folded = scene.answer_to(first);
    assert!(folded.contains("Newer: run 2") || folded.contains("Newer: [run 2"), "{folded}");
    assert_eq!(
        folded.trim().lines().filter(|line| !line.trim().is_empty()).count(),
        2,
        "a line and its marker: {folded}"
    );
    let answer = scene.answer_to(second);
    assert!(answer.contains("waiting") && answer.contains("Earlier: run 1 ✕ red"), "{answer}");
    scene.end(&scene.runs().await[1], Ends::Green).await;
    scene.quiet().await;
    assert!(scene.answer_to(second).contains("verified"));
}

#[tokio::test]
async fn s30_a_run_that_was_not_judged_is_tried_once_more_under_the_same_answer() {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.end(&scene.runs().await[0], Ends::Infra).await;
    scene.quiet().await;
    let runs = scene.runs().await;
    assert_eq!(runs.iter().map(|run| run.attempt).collect::<Vec<_>>(), [1, 2]);
    assert_eq!(runs[1].first_try.as_ref(), Some(&runs[0].id));
    assert!(scene.answer_to(asked).contains("It is tried once more by itself"), "{}", scene.answer_to(asked));
    scene.round(Round::Work).await;
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("waiting"), "{}", scene.answer_to(asked));
    // A second time it is not.
    scene.end(&runs[1], Ends::Infra).await;
    scene.quiet().await;
    assert_eq!(scene.runs().await.len(), 2);
    let answer = scene.answer_to(asked);
    assert!(answer.contains("not judged") && answer.contains("the target was silent"), "{answer}");
}

#[tokio::test]
async fn s23_what_a_registry_is_to_blame_for_is_tried_once_more_and_what_the_recipe_is_to_blame_for_is_not() {
    let nobodys = [
        Refusal::Limit,
        Refusal::Denied,
        Refusal::Trouble(Trouble::ServerError),
        Refusal::Trouble(Trouble::UnknownHost),
    ];
    for (refusal, tries) in nobodys.map(|refusal| (refusal, 2)).into_iter().chain([(Refusal::Missing, 1)]) {
        let scene = Scene::begin().await;
        let asked = scene.say("maintainer", "!testme");
        scene.quiet().await;
        for nth in 0..tries {
            scene.end(&scene.runs().await[nth], Ends::NoImage(refusal)).await;
            scene.quiet().await;
            let again = scene.answer_to(asked).contains("It is tried once more by itself");
            assert_eq!(again, nth + 1 < tries, "{refusal:?}: {}", scene.answer_to(asked));
            scene.round(Round::Work).await;
            scene.quiet().await;
        }
        assert_eq!(scene.runs().await.len(), tries, "{refusal:?}");
        assert!(scene.answer_to(asked).contains("registry.example.org/notes:2"), "{}", scene.answer_to(asked));
    }
}

#[tokio::test]
async fn s30_green_on_the_second_try_is_the_verdict() {
    let mut scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.end(&scene.runs().await[0], Ends::Infra).await;
    // The gate is killed between the first try's end and the second try.
    scene.restart().await;
    scene.quiet().await;
    scene.restart().await;
    scene.end(&scene.runs().await[1], Ends::Green).await;
    scene.quiet().await;
    assert_eq!(scene.runs().await.len(), 2);
    assert!(scene.answer_to(asked).contains("verified"));
}

#[tokio::test]
async fn s41_a_verdict_is_not_overwritten_when_its_comment_is_settled_again() {
    let mut scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.quiet().await;
    // The gate was killed before it noted that the comment is settled, and came back much later.
    scene.sql("UPDATE inbox SET state = 'new', outcome = NULL, run = NULL").await;
    scene.forge.act(|world| world.push(NOTES, 1, "maintainer", &sha(2), false));
    scene.restart().await;
    scene.pass(60);
    scene.quiet().await;
    assert!(scene.answer_to(asked).contains("verified"), "{}", scene.answer_to(asked));
    assert_eq!(scene.runs().await.len(), 1);
}
