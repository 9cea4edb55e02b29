//! s44, s45 and s92: who asks, how, and what is made of it.

use cc_ci::adapters::store::RunState;

use crate::fake::{Member, Right};
use crate::scene::{NOTES, Scene, sha};

/// What was said to this comment, and how many runs there are.
async fn told(scene: &Scene, comment: i64) -> (Vec<String>, usize) {
    scene.quiet().await;
    (scene.answers_to(comment), scene.runs().await.len())
}

#[tokio::test]
async fn s44_an_outsider_is_told_politely_and_once() {
    let scene = Scene::begin().await;
    let first = scene.say("outsider", "!testme");
    let (said, runs) = told(&scene, first).await;
    assert!(said[0].contains("Thank you for asking") && runs == 0, "{said:?}");
    let again = scene.say("outsider", "!testme please");
    assert_eq!(told(&scene, again).await, (Vec::new(), 0));
    assert_eq!(scene.reactions(again), Vec::<String>::new());
}

#[tokio::test]
async fn s44_what_is_no_request_is_passed_over_in_silence() {
    let scene = Scene::begin().await;
    for text in [
        "> !testme",
        "```\n!testme\n```",
        "    !testme",
        "`!testme` is what you write",
        "!testmenot",
        "please !testme",
        "<!-- !testme -->",
        "looks good",
        "",
    ] {
        let said = scene.say("maintainer", text);
        assert_eq!(told(&scene, said).await, (Vec::new(), 0), "{text:?}");
    }
    let before = scene.forge.requests().len();
    scene.quiet().await;
    let writes = scene.requests_since(before).into_iter().filter(|it| !it.starts_with("GET")).collect::<Vec<_>>();
    assert_eq!(writes, Vec::<String>::new());
}

#[tokio::test]
async fn s44_the_gate_does_not_hear_itself() {
    let scene = Scene::begin().await;
    let said = scene.say("bot", "!testme");
    assert_eq!(told(&scene, said).await, (Vec::new(), 0));
    // And not what was copied from it.
    let marked = "!testme\n\n<!-- cc-ci:run=- comment=812 gate=abcdefghijklmnop post=1 -->";
    let copied = scene.say("maintainer", marked);
    assert_eq!(told(&scene, copied).await, (Vec::new(), 0));
}

#[tokio::test]
async fn s44_an_edited_comment_never_asks() {
    let scene = Scene::begin().await;
    let said = scene.say("maintainer", "looks good");
    scene.quiet().await;
    scene.forge.act(|world| world.edit(said, "maintainer", "!testme"));
    assert_eq!(told(&scene, said).await, (Vec::new(), 0), "heard before");
    let unheard = scene.say("maintainer", "looks better");
    scene.forge.act(|world| world.edit(unheard, "maintainer", "!testme"));
    scene.pass(1);
    assert_eq!(told(&scene, unheard).await, (Vec::new(), 0), "edited before it was heard");
}

#[tokio::test]
async fn s44_comments_on_issues_and_on_other_repositories_are_none_of_its_business() {
    let scene = Scene::begin().await;
    let issue = scene.forge.act(|world| {
        let issue = world.issue(NOTES);
        world.repo("others/notes");
        world.pull("others/notes", "maintainer", &sha(9), "others/notes");
        world.comment("others/notes", 1, "maintainer", "!testme");
        world.comment(NOTES, issue, "maintainer", "!testme");
        issue
    });
    scene.quiet().await;
    scene.pass(1_900);
    scene.quiet().await;
    assert_eq!(scene.answers_on(issue), Vec::<String>::new());
    assert_eq!(scene.forge.act(|world| world.conversation("others/notes", 1).len()), 1);
    assert!(scene.store().open_runs().await.unwrap().is_empty());
}

#[tokio::test]
async fn s44_comments_that_were_there_before_the_gate_first_looked_ask_for_nothing() {
    let mut scene = Scene::set().await;
    let old = scene.say("maintainer", "!testme");
    scene.pass(5);
    scene.start().await;
    scene.quiet().await;
    scene.pass(60);
    assert_eq!(told(&scene, old).await, (Vec::new(), 0));
    let new = scene.say("maintainer", "!testme");
    assert_eq!(told(&scene, new).await.1, 1);
}

#[tokio::test]
async fn s44_an_unknown_flag_is_answered_with_the_nearest_and_no_html() {
    let scene = Scene::begin().await;
    let said = scene.say("maintainer", "!testme --exrta");
    let (answer, runs) = told(&scene, said).await;
    assert!(answer[0].contains("did you mean `--extra`?") && runs == 0, "{answer:?}");
    let hostile = scene.say("maintainer", "!testme <img/src=x/onerror=alert(1)>`</code>");
    let (answer, runs) = told(&scene, hostile).await;
    let outside_of_code: String = answer[0].split('`').step_by(2).collect();
    assert!(!outside_of_code.contains("<img") && runs == 0, "{answer:?}");
}

#[tokio::test]
async fn s44_an_automated_account_that_is_a_member_is_like_a_person() {
    let scene = Scene::begin().await;
    scene.forge.act(|world| world.member("recipes", "upgrader", Member { right: Right::Read, public: false }));
    let asked = scene.say("upgrader", "!testme");
    let (answer, runs) = told(&scene, asked).await;
    assert!(answer[0].contains("waiting, number 1") && runs == 1, "{answer:?}");
    assert_eq!(scene.runs().await[0].asked_by, "upgrader");
}

#[tokio::test]
async fn s44_a_collaborator_who_may_only_read_is_an_outsider() {
    let scene = Scene::begin().await;
    scene.forge.act(|world| {
        world.user("reader");
        world.of(NOTES).collaborators.insert("reader".to_owned(), Right::Read);
        world.user("writer");
        world.of(NOTES).collaborators.insert("writer".to_owned(), Right::Write);
    });
    let reader = scene.say("reader", "!testme");
    assert_eq!(told(&scene, reader).await.1, 0);
    let writer = scene.say("writer", "!testme");
    assert_eq!(told(&scene, writer).await.1, 1);
}

/// An outsider's pull request, from a fork.
async fn fork() -> Scene {
    let mut scene = Scene::set().await;
    scene.forge.act(|world| {
        let pull = world.pull_mut(NOTES, 1);
        (pull.author, pull.head_repo) = ("outsider".to_owned(), Some("outsider/notes".to_owned()));
        pull.branch = "$(touch /x);--upload-pack=x".to_owned();
        pull.title = "<script>alert(1)</script>".to_owned();
    });
    scene.start().await;
    scene.quiet().await;
    scene.pass(60);
    scene
}

#[tokio::test]
async fn s92_a_member_vouches_for_the_head_of_an_outsider_and_for_no_later_one() {
    let scene = fork().await;
    let outsider = scene.say("outsider", "!testme");
    assert_eq!(told(&scene, outsider).await.1, 0);
    let vouched = scene.say("maintainer", "!testme");
    let (answer, runs) = told(&scene, vouched).await;
    assert!(answer[0].contains("The request vouches for this commit only.") && runs == 1, "{answer:?}");
    assert!(scene.runs().await[0].vouched);
    scene.forge.act(|world| world.push(NOTES, 1, "outsider", &sha(2), false));
    scene.pass(30);
    scene.quiet().await;
    assert_eq!(scene.runs().await.len(), 1, "a push asks for nothing");
    // What the member sees now is another head: it needs another request.
    let again = scene.say("maintainer", "!testme");
    let (_, runs) = told(&scene, again).await;
    assert_eq!(runs, 2);
    assert_eq!(scene.runs().await[1].head.as_ref().unwrap().to_string(), sha(2));
}

#[tokio::test]
async fn s92_a_head_that_an_outsider_pushed_right_after_the_vouching_is_not_run() {
    for seconds in [1, 3, 20] {
        let scene = fork().await;
        let vouched = scene.say("maintainer", "!testme");
        scene.pass(seconds);
        scene.forge.act(|world| world.push(NOTES, 1, "outsider", &sha(2), true));
        let (answer, runs) = told(&scene, vouched).await;
        assert!(answer[0].contains("please ask again") && runs == 0, "{seconds}: {answer:?}");
    }
}

#[tokio::test]
async fn s92_a_clock_that_is_behind_lets_no_later_head_through() {
    let scene = fork().await;
    // The forge lost its timeline of pushes; what remains is what the gate saw, and when.
    scene.forge.act(|world| world.pull_mut(NOTES, 1).pushes.clear());
    let vouched = scene.say("maintainer", "!testme");
    scene.pass(10);
    scene.forge.act(|world| {
        world.push(NOTES, 1, "outsider", &sha(2), false);
        world.pull_mut(NOTES, 1).pushes.clear();
    });
    scene.jump(-7_200);
    let (answer, runs) = told(&scene, vouched).await;
    assert!(answer[0].contains("please ask again") && runs == 0, "{answer:?}");
}

#[tokio::test]
async fn s45_hostile_names_are_shown_to_nobody_and_run_by_nothing() {
    let scene = fork().await;
    let asked = scene.say("maintainer", "!testme");
    let (answer, _) = told(&scene, asked).await;
    let run = scene.runs().await.remove(0);
    assert_eq!(run.state, RunState::Fetching);
    for text in [&answer[0], &format!("{run:?}")] {
        assert!(!text.contains("<script>") && !text.contains("$(touch"), "{text}");
    }
}
