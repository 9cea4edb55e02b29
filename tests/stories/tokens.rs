//! s43: what the token may not do is left out, and the rest works.

use cc_ci::adapters::forge::Ability;
use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::fake::{Member, Right};
use crate::scene::{NOTES, Scene};

async fn with(scopes: &[&str], right: Right) -> Scene {
    let mut scene = Scene::set().await;
    scene.token = scene.forge.act(|world| {
        world.member("recipes", "bot", Member { right, public: false });
        world.token("bot", scopes)
    });
    scene.start().await;
    scene.round(Round::Poll).await;
    scene.pass(1);
    scene
}

fn asked(requests: &[String], what: &str) -> usize {
    requests.iter().filter(|it| it.contains(what)).count()
}

/// Asks, and sees the run through to its verdict.
async fn seen_through(scene: &Scene) {
    let comment = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.end(&scene.runs().await[0], Ends::Green).await;
    scene.quiet().await;
    assert!(scene.answer_to(comment).contains("verified"));
}

#[tokio::test]
async fn s43_without_the_right_to_write_code_there_are_no_statuses_and_all_else_works() {
    let scene = with(&["write:issue", "read:repository", "read:organization"], Right::Read).await;
    seen_through(&scene).await;
    assert_eq!(asked(&scene.forge.requests(), "/statuses/"), 0, "it is known before, and not tried");
    let missing = scene.gate().capabilities().unwrap().missing();
    assert_eq!(missing.len(), 1, "{missing:?}");
    assert!(missing[0].contains("no commit statuses"), "{missing:?}");
}

#[tokio::test]
async fn s43_a_scope_that_is_taken_away_later_is_said_once_and_not_tried_again() {
    let scene = with(&["write:issue", "write:repository", "read:organization"], Right::Write).await;
    let token = scene.token.clone();
    scene.forge.act(|world| world.tokens.get_mut(&token).unwrap().scopes.retain(|scope| scope != "write:repository"));
    scene.forge.act(|world| world.tokens.get_mut(&token).unwrap().scopes.push("read:repository".to_owned()));
    let before = scene.forge.requests().len();
    seen_through(&scene).await;
    scene.pass(600);
    scene.quiet().await;
    assert_eq!(asked(&scene.requests_since(before), "/statuses/"), 1);
}

#[tokio::test]
async fn s43_with_the_right_the_commit_has_the_verdict() {
    let scene = with(&["write:issue", "write:repository", "read:organization"], Right::Write).await;
    seen_through(&scene).await;
    let states =
        scene.forge.act(|world| world.of(NOTES).statuses.iter().map(|it| it.state.clone()).collect::<Vec<_>>());
    assert_eq!(states, ["pending", "success"]);
}

#[tokio::test]
async fn s43_without_read_organization_who_may_write_is_known_and_who_is_a_member_is_not() {
    let scene = with(&["write:issue", "read:repository"], Right::Read).await;
    assert_eq!(scene.gate().heard().trouble, None);
    seen_through(&scene).await;
    scene.forge.act(|world| world.member("recipes", "concealed", Member { right: Right::Read, public: false }));
    let member = scene.say("concealed", "!testme");
    scene.quiet().await;
    let answer = scene.answer_to(member);
    assert!(answer.contains("If you are a member of the organisation: cc-ci cannot see that"), "{answer}");
    let capabilities = scene.gate().capabilities().unwrap();
    assert!(matches!(capabilities.members, Ability::No(_)));
    for round in [Round::Poll, Round::Work, Round::Answer, Round::References, Round::Hooks] {
        assert!(scene.round(round).await, "{round:?}");
    }
    let before = scene.forge.requests().len();
    scene.pass(15);
    scene.round(Round::Poll).await;
    assert_eq!(asked(&scene.requests_since(before), "/orgs/"), 0, "what is refused is not asked for in a loop");
}
