//! s50, s52 and s53: who waits for whom, as far as rows and policy go; s94 and runs that nobody asks for.

use std::time::Duration;

use cc_ci::adapters::store::{Asked, Cause, RunState};
use cc_ci::domain::finding::{Finding, FindingKind};
use cc_ci::domain::forge::CommentId;
use cc_ci::domain::queue::{HostPort, Protocol};
use cc_ci::domain::stage::Stage;
use cc_ci::engine::service::Round;

use crate::ends::Ends;
use crate::scene::{Scene, sha};

/// The maintainer asks for a run on a pull request of its own; its files are there at once.
async fn ask(scene: &Scene, recipe: &str, head: u32, ports: &[HostPort]) -> i64 {
    let full = format!("recipes/{recipe}");
    let comment = scene.forge.act(|world| {
        if !world.repos.contains_key(&full) {
            world.repo(&full);
        }
        let pull = world.pull(&full, "maintainer", &sha(head), &full);
        world.comment(&full, pull, "maintainer", "!testme")
    });
    scene.pass(1);
    scene.round(Round::Poll).await;
    scene.round(Round::Work).await;
    let run = run_for(scene, comment).await;
    scene.fetched(&run, ports).await;
    scene.pass(1);
    scene.round(Round::Work).await;
    scene.round(Round::Answer).await;
    comment
}

async fn run_for(scene: &Scene, comment: i64) -> Asked {
    let open = scene.store().open_runs().await.unwrap();
    open.into_iter().find(|run| run.comment.map(CommentId::get) == Some(comment)).unwrap()
}

async fn state(scene: &Scene, comment: i64) -> RunState {
    run_for(scene, comment).await.state
}

/// What is said to the comment, wherever it is.
fn said(scene: &Scene, comment: i64) -> String {
    let marked = format!("comment={comment} ");
    let found: Vec<String> = scene.forge.act(|world| {
        world
            .comments
            .values()
            .filter(|it| it.author == "bot" && it.body.contains(&marked))
            .map(|it| it.body.clone())
            .collect()
    });
    assert_eq!(found.len(), 1, "{found:#?}");
    found[0].clone()
}

/// Some time passes, in rounds.
async fn later(scene: &Scene, seconds: u32) {
    scene.pass(seconds);
    for _ in 0..2 {
        scene.round(Round::Work).await;
        scene.round(Round::Answer).await;
    }
}

#[tokio::test]
async fn s50_a_wedged_run_does_not_hold_up_those_behind_it_where_there_is_room() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a", "swarm-b"]).await;
    let wedged = ask(&scene, "wedged", 10, &[]).await;
    let second = ask(&scene, "second", 11, &[]).await;
    assert_eq!((state(&scene, wedged).await, state(&scene, second).await), (RunState::Running, RunState::Running));
    let targets: Vec<_> = scene.store().open_runs().await.unwrap().into_iter().filter_map(|run| run.target).collect();
    assert!(targets.len() == 2 && targets[0] != targets[1], "{targets:?}");
}

#[tokio::test]
async fn s50_where_there_is_none_they_say_behind_whom_they_wait_and_for_how_long() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a"]).await;
    // Runs of this recipe usually take six minutes.
    let before = ask(&scene, "wedged", 9, &[]).await;
    scene.pass(360);
    scene.end(&run_for(&scene, before).await, Ends::Green).await;
    scene.restart().await;
    later(&scene, 31).await;
    let wedged = ask(&scene, "wedged", 10, &[]).await;
    let second = ask(&scene, "second", 11, &[]).await;
    let third = ask(&scene, "third", 12, &[]).await;
    later(&scene, 61).await;
    let (second, third) = (said(&scene, second), said(&scene, third));
    assert!(second.contains("waiting, number 1") && third.contains("waiting, number 2"), "{second}\n{third}");
    for answer in [&second, &third] {
        assert!(answer.contains("Behind [run 2]") && answer.contains("(wedged, "), "{answer}");
    }
    assert!(second.contains("usually 6 min"), "{second}");
    // It is stopped: the next one starts at once.
    scene.end(&run_for(&scene, wedged).await, Ends::Red).await;
    later(&scene, 1).await;
    assert!(said(&scene, wedged).contains("app exits with 1"));
    assert_eq!(scene.store().open_runs().await.unwrap().iter().filter(|run| run.state == RunState::Running).count(), 1);
}

/// The verdict waits for the rest of the run; what is red does not.
#[tokio::test]
async fn s36_what_is_red_is_said_at_once_and_what_is_tried_again_too() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a"]).await;
    let asked = ask(&scene, "wedged", 10, &[]).await;
    let run = run_for(&scene, asked).await.id;
    let now = jiff::Timestamp::now();
    scene.store().begin_stage(&run, Stage::Install, now).await.unwrap();
    later(&scene, 1).await;
    assert!(!said(&scene, asked).contains("Red"), "{}", said(&scene, asked));
    scene.store().put_fact(&run, "first_try", &"app is still starting after 10 min").await.unwrap();
    later(&scene, 1).await;
    assert!(said(&scene, asked).contains("**Red at the first try**: app is still starting"), "{}", said(&scene, asked));
    // The second came up; later something else does not hold.
    scene.store().begin_stage(&run, Stage::Checks, now).await.unwrap();
    later(&scene, 1).await;
    assert!(!said(&scene, asked).contains("Red"), "{}", said(&scene, asked));
    let finding = Finding::new(FindingKind::CheckFailed, Stage::Checks, now, "the check “login” does not hold");
    scene.store().add_finding(&run, &finding).await.unwrap();
    later(&scene, 1).await;
    assert!(
        said(&scene, asked).contains("**Red so far**: the check “login” does not hold."),
        "{}",
        said(&scene, asked)
    );
}

#[tokio::test]
async fn s52_two_runs_of_one_recipe_go_one_after_the_other_and_another_recipe_passes() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a", "swarm-b"]).await;
    let first = ask(&scene, "good", 10, &[]).await;
    let second = ask(&scene, "good", 11, &[]).await;
    let other = ask(&scene, "other", 12, &[]).await;
    assert_eq!(state(&scene, first).await, RunState::Running);
    assert_eq!(state(&scene, second).await, RunState::Queued);
    assert!(said(&scene, second).contains("[Run 1](") && said(&scene, second).contains("is of the same recipe"));
    assert_eq!(state(&scene, other).await, RunState::Running);
}

#[tokio::test]
async fn s52_two_recipes_with_the_same_host_port_are_never_on_one_target() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a"]).await;
    let port = [HostPort { first: 8443, last: 8443, protocol: Protocol::Tcp }];
    let first = ask(&scene, "one", 10, &port).await;
    let second = ask(&scene, "two", 11, &port).await;
    assert_eq!((state(&scene, first).await, state(&scene, second).await), (RunState::Running, RunState::Queued));
    let answer = said(&scene, second);
    assert!(answer.contains("8443") || answer.contains("Behind [run 1]"), "{answer}");
}

#[tokio::test]
async fn s53_paused_nothing_starts_and_resumed_it_does() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a"]).await;
    scene
        .sql("INSERT INTO switch (name, value, set_by, set_at) VALUES ('pause', 'the disks are changed', 'ada', 0)")
        .await;
    let asked = ask(&scene, "good", 10, &[]).await;
    later(&scene, 60).await;
    assert_eq!(state(&scene, asked).await, RunState::Queued);
    assert!(said(&scene, asked).contains("cc-ci is paused: the disks are changed."), "{}", said(&scene, asked));
    scene.sql("DELETE FROM switch").await;
    later(&scene, 1).await;
    assert_eq!(state(&scene, asked).await, RunState::Running);
}

#[tokio::test]
async fn s53_draining_what_runs_goes_on_and_what_waits_is_kept() {
    let mut scene = Scene::begin().await;
    scene.wedging(&["swarm-a", "swarm-b"]).await;
    let runs = ask(&scene, "good", 10, &[]).await;
    scene.sql("INSERT INTO switch (name, value, set_by, set_at) VALUES ('drain', '', 'ada', 0)").await;
    let waits = ask(&scene, "other", 11, &[]).await;
    assert_eq!((state(&scene, runs).await, state(&scene, waits).await), (RunState::Running, RunState::Queued));
    assert!(said(&scene, waits).contains("about to be stopped"), "{}", said(&scene, waits));
}

#[tokio::test]
async fn s53_no_target_in_order_is_said_and_waited_for() {
    let mut scene = Scene::begin().await;
    let asked = ask(&scene, "good", 10, &[]).await;
    assert!(said(&scene, asked).contains("No test target is in order"), "{}", said(&scene, asked));
    scene.wedging(&["swarm-a"]).await;
    later(&scene, 1).await;
    assert_eq!(state(&scene, asked).await, RunState::Running);
}

async fn open_of(scene: &Scene, cause: Cause) -> Vec<Asked> {
    scene.store().open_runs().await.unwrap().into_iter().filter(|run| run.cause == cause).collect()
}

#[tokio::test]
async fn s93_a_push_to_the_default_branch_and_a_new_tag_are_run_once() {
    let mut scene = Scene::begin().await;
    assert!(scene.round(Round::References).await);
    assert!(open_of(&scene, Cause::PostMerge).await.is_empty(), "what was there before is not new");
    scene.forge.act(|world| world.push_branch(crate::scene::NOTES, "main", "maintainer", &sha(7)));
    for _ in 0..2 {
        scene.restart().await;
        assert!(scene.round(Round::References).await);
    }
    let runs = open_of(&scene, Cause::PostMerge).await;
    assert_eq!(runs.iter().map(|run| run.head.as_ref().unwrap().to_string()).collect::<Vec<_>>(), [sha(7)]);
    scene.end(&runs[0], Ends::Version("1.0.0+1.0.0")).await;
    scene.quiet().await;
    // From now on it is a base that is known to be good.
    let known = scene.store().canonicals(&runs[0].recipe).await.unwrap();
    assert_eq!(known.iter().map(|known| known.commit.to_string()).collect::<Vec<_>>(), [sha(7)]);
    scene.forge.act(|world| {
        world.push_branch(crate::scene::NOTES, "main", "maintainer", &sha(8));
        world.tag(crate::scene::NOTES, "1.0.0+1.0.0", "maintainer", true);
    });
    for _ in 0..2 {
        assert!(scene.round(Round::References).await);
    }
    assert_eq!(open_of(&scene, Cause::PostMerge).await.len(), 1, "branch and tag are the same commit");
    assert_eq!(scene.answers(), Vec::<String>::new());
}

#[tokio::test]
async fn s93_a_green_pull_request_makes_no_base_that_is_known_to_be_good() {
    let scene = Scene::begin().await;
    scene.say("maintainer", "!testme");
    scene.quiet().await;
    let run = scene.runs().await.pop().unwrap();
    scene.end(&run, Ends::Version("1.0.0+1.0.0")).await;
    scene.quiet().await;
    assert_eq!(scene.answers().len(), 1);
    assert!(scene.store().canonicals(&run.recipe).await.unwrap().is_empty());
}

#[tokio::test]
async fn s94_a_sweep_over_recipes_of_which_none_could_be_tested_is_an_error() {
    let mut scene = Scene::set().await;
    scene.watched.sweep_period = Some(Duration::from_secs(3600));
    scene.forge.act(|world| world.repo("recipes/immich"));
    scene.start().await;
    scene.round(Round::References).await;
    for _ in 0..13 {
        scene.pass(300);
        assert!(scene.round(Round::References).await);
        // The gate may be killed at any time: no recipe is swept twice.
        scene.restart().await;
        assert!(scene.round(Round::References).await);
    }
    let runs = open_of(&scene, Cause::Sweep).await;
    assert_eq!(runs.len(), 2, "each recipe once");
    assert_eq!(scene.store().ended_sweep().await.unwrap(), None, "its runs have not ended");
    // Both tries.
    for _ in 0..2 {
        for run in open_of(&scene, Cause::Sweep).await {
            scene.end(&run, Ends::Infra).await;
        }
        scene.quiet().await;
    }
    assert!(scene.round(Round::References).await);
    let ended = scene.store().ended_sweep().await.unwrap().unwrap();
    assert!(ended.failed);
    assert_eq!(ended.outcome, "the sweep tested nothing: none of 2 recipes could be judged");
    assert!(scene.forge.requests().iter().all(|it| !it.contains("/statuses/")), "a sweep shows nothing on commits");
}

#[tokio::test]
async fn s94_a_sweep_that_tested_something_is_none() {
    let mut scene = Scene::set().await;
    scene.watched.sweep_period = Some(Duration::from_secs(3600));
    scene.start().await;
    scene.round(Round::References).await;
    scene.pass(3601);
    scene.round(Round::References).await;
    for run in open_of(&scene, Cause::Sweep).await {
        scene.end(&run, Ends::Green).await;
    }
    scene.quiet().await;
    scene.round(Round::References).await;
    let ended = scene.store().ended_sweep().await.unwrap().unwrap();
    assert_eq!((ended.failed, ended.outcome.as_str()), (false, "1 recipes tested: 1 green, 0 red"));
}
