//! s46: the forge is wrong, busy, silent or away, and clocks jump. Nothing is lost, nothing doubled, and one can see it.

use std::time::Duration;

use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::fake::{Fault, Wrong};
use crate::scene::{SMALLEST, Scene};

fn says(status: u16, headers: &[(&'static str, &str)]) -> Wrong {
    let headers = headers.iter().map(|(name, value)| (*name, (*value).to_owned())).collect();
    Wrong::Say { status, headers, body: String::new() }
}

fn on(method: &'static str, path: &'static str, times: u32, what: Wrong) -> Fault {
    Fault { method: Some(method), path, times, what }
}

const COMMENTS: &str = "/issues/1/comments";

/// A comment that is heard and decided on, and whose answer is not posted yet.
async fn decided() -> (Scene, i64) {
    let scene = Scene::begin().await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    (scene, asked)
}

#[tokio::test]
async fn s46_an_error_of_the_forge_loses_and_doubles_nothing() {
    for what in
        [says(500, &[]), says(503, &[]), Wrong::CutBefore, Wrong::CutAfter, Wrong::Late(Duration::from_secs(20))]
    {
        let (scene, asked) = decided().await;
        scene.forge.inject(on("POST", COMMENTS, 1, what.clone()));
        scene.quiet().await;
        scene.pass(60);
        scene.quiet().await;
        scene.answer_to(asked);
        assert_eq!(scene.answers().len(), 1, "{what:?}");
    }
}

#[tokio::test]
async fn s46_a_forge_that_asks_for_patience_is_left_alone_and_that_can_be_seen() {
    let (scene, asked) = decided().await;
    scene.forge.inject(on("POST", COMMENTS, 1, says(429, &[("retry-after", "600")])));
    scene.round(Round::Answer).await;
    let before = scene.forge.requests().len();
    assert!(!scene.round(Round::Poll).await);
    let trouble = scene.gate().heard().trouble.unwrap();
    assert!(trouble.contains("fewer requests (429)") && trouble.contains("left alone until"), "{trouble}");
    for _ in 0..59 {
        scene.pass(10);
        scene.round(Round::Poll).await;
        scene.round(Round::Answer).await;
    }
    assert_eq!(scene.requests_since(before), Vec::<String>::new(), "nothing is asked for ten minutes");
    scene.pass(11);
    scene.quiet().await;
    assert_eq!(scene.gate().heard().trouble, None);
    scene.answer_to(asked);
}

#[tokio::test]
async fn s46_a_post_that_took_too_long_is_found_and_not_repeated() {
    let mut scene = Scene::set().await;
    scene.timeout = Duration::from_millis(200);
    scene.start().await;
    scene.round(Round::Poll).await;
    let asked = scene.say("maintainer", "!testme");
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    scene.forge.inject(on("POST", COMMENTS, 1, Wrong::Slow(Duration::from_secs(60))));
    scene.round(Round::Answer).await;
    scene.quiet().await;
    scene.answer_to(asked);
    let posts = scene.forge.requests().iter().filter(|it| it.starts_with("POST") && it.ends_with(COMMENTS)).count();
    assert_eq!(posts, 1);
}

#[tokio::test]
async fn s46_a_comment_that_was_found_and_could_not_be_edited_is_not_posted_again() {
    let (scene, asked) = decided().await;
    scene.forge.inject(on("POST", COMMENTS, 1, Wrong::CutAfter));
    scene.round(Round::Answer).await;
    // It is found, but the edit is put off: the forge is busy, or the token is being changed.
    scene.forge.inject(on("PATCH", "", 1, says(429, &[])));
    scene.quiet().await;
    scene.answer_to(asked);
    assert_eq!(scene.answers().len(), 1);
}

#[tokio::test]
async fn s46_an_outage_of_an_hour_loses_nothing() {
    let mut scene = Scene::begin().await;
    let before = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.forge.down().await;
    for _ in 0..60 {
        scene.pass(60);
        assert!(!scene.round(Round::Poll).await);
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
    let heard = scene.gate().heard();
    assert!(heard.trouble.is_some(), "one can see it");
    assert!(scene.clock.now().duration_since(heard.polled_at.unwrap()).as_secs() >= 3600);
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.round(Round::Work).await;
    scene.forge.up().await;
    let after = scene.say("maintainer", "!testme");
    scene.quiet().await;
    // The verdict is there, and folded by the request that came after it.
    assert!(scene.answer_to(before).contains("Newer"), "{}", scene.answer_to(before));
    assert!(scene.answer_to(after).contains("waiting"));
    assert_eq!(scene.answers().len(), 2);
}

#[tokio::test]
async fn s46_while_the_forge_is_away_it_is_asked_less_and_less() {
    let mut scene = Scene::begin().await;
    scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.forge.inject(Fault { method: None, path: "", times: u32::MAX, what: says(503, &[]) });
    let before = scene.forge.requests().len();
    for _ in 0..240 {
        scene.pass(15);
        scene.round(Round::Poll).await;
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
    let asked = scene.requests_since(before).len();
    assert!((10..60).contains(&asked), "{asked} requests in an hour");
    scene.forge.heal();
    scene.restart().await;
    scene.quiet().await;
}

#[tokio::test]
async fn s46_a_clock_that_jumps_ahead_does_not_double_a_post_that_is_under_way() {
    let (scene, asked) = decided().await;
    scene.forge.inject(on("POST", COMMENTS, 1, Wrong::Late(Duration::from_secs(20))));
    scene.round(Round::Answer).await;
    scene.jump(86_400);
    scene.quiet().await;
    scene.pass(60);
    scene.quiet().await;
    scene.answer_to(asked);
}

#[tokio::test]
async fn s46_a_clock_that_jumps_back_does_not_make_anybody_wait_or_double() {
    let (scene, asked) = decided().await;
    scene.forge.inject(on("POST", COMMENTS, 1, Wrong::Late(Duration::from_secs(20))));
    scene.round(Round::Answer).await;
    scene.jump(-86_400);
    scene.quiet().await;
    scene.pass(60);
    scene.quiet().await;
    scene.answer_to(asked);
    // And one that was put off by an error just before the jump.
    let next = scene.say("maintainer", "!testme help");
    scene.forge.inject(on("POST", COMMENTS, 1, says(500, &[])));
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    scene.round(Round::Answer).await;
    scene.jump(-86_400);
    for _ in 0..400 {
        scene.pass(1);
        scene.round(Round::Answer).await;
    }
    scene.answer_to(next);
}

#[tokio::test]
async fn s46_a_token_that_is_refused_for_a_while_loses_nothing() {
    let mut scene = Scene::begin().await;
    let good = scene.token.clone();
    scene.forge.act(|world| world.tokens.remove(&good));
    let asked = scene.say("maintainer", "!testme");
    for _ in 0..20 {
        scene.pass(15);
        scene.round(Round::Poll).await;
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
    let trouble = scene.gate().heard().trouble.unwrap();
    assert!(trouble.contains("401") || trouble.contains("token"), "{trouble}");
    scene.token = scene.forge.act(|world| world.token("bot", &SMALLEST));
    scene.restart().await;
    scene.quiet().await;
    scene.answer_to(asked);
}
