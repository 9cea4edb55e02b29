//! s47 and s48: the gate's own webhook on the forge, and what comes to its own door.

use cc_ci::adapters::forge::{HOOK_EVENTS, WantedHook};
use cc_ci::engine::service::Round;
use cc_ci::web;
use secrecy::SecretString;
use tokio::net::TcpListener;

use crate::fake::world::FakeHook;
use crate::fake::{Member, Right, Sent};
use crate::scene::{NOTES, SECRET, SMALLEST, Scene, sha};

const HERE: &str = "https://ci.example.org/hooks/forge";
const SCOPES: [&str; 3] = ["write:issue", "write:repository", "write:organization"];

/// A gate that keeps its own hook, with an account of these rights.
async fn keeping(right: Right, scopes: &[&str]) -> Scene {
    let mut scene = Scene::set().await;
    scene.token = scene.forge.act(|world| {
        world.member("recipes", "bot", Member { right, public: false });
        world.token("bot", scopes)
    });
    scene.forge.hold_deliveries();
    scene.watched.hook = Some(WantedHook { url: HERE.to_owned(), secret: SecretString::from(SECRET) });
    scene.start().await;
    scene.round(Round::Poll).await;
    scene
}

fn hooks(scene: &Scene) -> Vec<FakeHook> {
    scene.forge.act(|world| world.organisations["recipes"].hooks.clone())
}

/// One pass over the hook. Returns what it changed on the forge.
async fn pass(scene: &Scene) -> Vec<String> {
    let before = scene.forge.requests().len();
    assert!(scene.round(Round::Hooks).await);
    scene.requests_since(before).into_iter().filter(|it| !it.starts_with("GET")).collect()
}

/// Somebody changes the hooks by hand.
type Change = fn(&mut Vec<FakeHook>);

fn is_as_wanted(hook: &FakeHook, secret: &str) -> bool {
    hook.url == HERE
        && hook.active
        && hook.content_type == "json"
        && hook.secret == secret
        && HOOK_EVENTS.iter().all(|event| hook.events.contains(*event))
}

#[tokio::test]
async fn s47_whatever_is_wrong_with_the_hook_is_set_right_once() {
    let scene = keeping(Right::Admin, &SCOPES).await;
    assert_eq!(pass(&scene).await.len(), 1, "missing: it is made");
    assert_eq!(pass(&scene).await, Vec::<String>::new());
    let changes: [(&str, Change); 5] = [
        ("wrong address", |hooks| hooks[0].url = "https://old.example.org/hooks/forge".to_owned()),
        ("wrong events", |hooks| hooks[0].events = ["push".to_owned()].into()),
        ("switched off", |hooks| hooks[0].active = false),
        ("twice", |hooks| {
            let twin = FakeHook { id: 901, ..hooks[0].clone() };
            hooks.push(twin);
        }),
        ("removed", Vec::clear),
    ];
    for (what, change) in changes {
        scene.forge.act(|world| change(&mut world.organisations.get_mut("recipes").unwrap().hooks));
        assert_eq!(pass(&scene).await.len(), 1, "{what}");
        let now = hooks(&scene);
        assert!(now.len() == 1 && is_as_wanted(&now[0], SECRET), "{what}: {now:?}");
        assert_eq!(pass(&scene).await, Vec::<String>::new(), "{what}: a second pass does nothing");
    }
}

#[tokio::test]
async fn s47_a_rotated_secret_is_set_once_and_both_are_taken_meanwhile() {
    let mut scene = keeping(Right::Admin, &SCOPES).await;
    pass(&scene).await;
    scene.say("maintainer", "the old secret signs this");
    scene.watched.webhook_secrets.insert(0, SecretString::from("the second secret"));
    scene.watched.hook = Some(WantedHook { url: HERE.to_owned(), secret: SecretString::from("the second secret") });
    scene.restart().await;
    let under_way = scene.forge.sent().pop().unwrap();
    assert!(matches!(scene.deliver(&under_way).await, cc_ci::engine::service::Delivered::Taken));
    assert_eq!(pass(&scene).await.len(), 1);
    assert!(is_as_wanted(&hooks(&scene)[0], "the second secret"));
    assert_eq!(pass(&scene).await, Vec::<String>::new());
    scene.say("maintainer", "the new one signs this");
    let signed_anew = scene.forge.sent().pop().unwrap();
    assert!(matches!(scene.deliver(&signed_anew).await, cc_ci::engine::service::Delivered::Taken));
}

#[tokio::test]
async fn s47_other_peoples_hooks_are_left_alone() {
    let scene = keeping(Right::Admin, &SCOPES).await;
    scene.hook_by_hand("https://else.example.org/");
    pass(&scene).await;
    let urls: Vec<String> = hooks(&scene).into_iter().map(|hook| hook.url).collect();
    assert_eq!(urls, ["https://else.example.org/", HERE]);
}

#[tokio::test]
async fn s47_an_admin_of_the_repository_alone_has_the_hook_there() {
    let scene = keeping(Right::Write, &SCOPES).await;
    scene.forge.act(|world| world.of(NOTES).collaborators.insert("bot".to_owned(), Right::Admin));
    pass(&scene).await;
    assert!(hooks(&scene).is_empty());
    let there = scene.forge.act(|world| world.of(NOTES).hooks.clone());
    assert!(there.len() == 1 && is_as_wanted(&there[0], SECRET), "{there:?}");
    assert_eq!(pass(&scene).await, Vec::<String>::new());
}

#[tokio::test]
async fn s47_without_rights_there_is_one_line_and_polling_goes_on() {
    let scene = keeping(Right::Read, &SMALLEST).await;
    let missing = scene.gate().capabilities().unwrap().missing();
    let lines: Vec<&String> = missing.iter().filter(|line| line.contains("hook")).collect();
    assert_eq!(lines.len(), 1, "{missing:?}");
    assert!(lines[0].starts_with("the hook is not set up; comments are found by polling"), "{lines:?}");
    for _ in 0..3 {
        assert_eq!(pass(&scene).await, Vec::<String>::new());
    }
    let asked = scene.say("maintainer", "!testme");
    scene.quiet().await;
    scene.answer_to(asked);
}

#[tokio::test]
async fn s47_off_by_default_no_hook_is_asked_for_at_all() {
    let scene = Scene::begin().await;
    for round in [Round::Poll, Round::Work, Round::Answer, Round::References, Round::Hooks] {
        assert!(scene.round(round).await);
    }
    let asked: Vec<String> = scene.forge.requests().into_iter().filter(|it| it.contains("hooks")).collect();
    assert_eq!(asked, Vec::<String>::new());
}

/// The real router, at its real address.
async fn open_door(scene: &Scene) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}/hooks/forge", listener.local_addr().unwrap());
    let options = web::Options {
        public_url: "https://ci.example.org".to_owned(),
        oauth: None,
        organisation: "recipes".to_owned(),
        operators: Vec::new(),
        closed: false,
    };
    tokio::spawn(web::serve(listener, scene.gate().clone(), options));
    url
}

async fn post(url: &str, sent: &Sent, but: &[(&'static str, &str)], body: Vec<u8>) -> u16 {
    let client = reqwest::Client::builder().no_proxy().build().unwrap();
    let mut request = client.post(url);
    for (name, value) in &sent.headers {
        let value = but.iter().find(|(other, _)| other == name).map_or(value.as_str(), |(_, value)| *value);
        if !value.is_empty() {
            request = request.header(*name, value);
        }
    }
    request.body(body).send().await.unwrap().status().as_u16()
}

#[tokio::test]
async fn s48_only_what_is_signed_is_taken() {
    let scene = Scene::begin().await;
    scene.forge.hold_deliveries();
    scene.hook_by_hand(HERE);
    let url = open_door(&scene).await;
    let asked = scene.say("maintainer", "!testme");
    let sent = scene.forge.sent().pop().unwrap();
    let body = sent.body.clone().into_bytes();
    let unsigned = [("x-gitea-signature", ""), ("x-hub-signature-256", "")];
    assert_eq!(post(&url, &sent, &unsigned, body.clone()).await, 401);
    let zeros = "0".repeat(64);
    assert_eq!(post(&url, &sent, &[("x-gitea-signature", &zeros)], body.clone()).await, 401);
    let forged = sent.body.replace("maintainer", "outsider");
    assert_eq!(post(&url, &sent, &[], forged.into_bytes()).await, 401);
    assert_eq!(post(&url, &sent, &[], vec![b'x'; 20 << 20]).await, 413);
    scene.round(Round::Work).await;
    assert!(scene.runs().await.is_empty(), "nothing was executed");
    assert_eq!(post(&url, &sent, &[], body).await, 202);
    scene.round(Round::Work).await;
    scene.round(Round::Answer).await;
    scene.answer_to(asked);
}

#[tokio::test]
async fn s48_a_delivery_that_is_sent_again_asks_for_nothing() {
    let mut scene = Scene::set().await;
    scene.forge.hold_deliveries();
    scene.hook_by_hand(HERE);
    // Asked of an earlier gate, long ago.
    scene.say("maintainer", "!testme");
    let ancient = scene.forge.sent().pop().unwrap();
    scene.pass(86_400);
    scene.start().await;
    scene.round(Round::Poll).await;
    scene.pass(1);
    let url = open_door(&scene).await;
    let asked = scene.say("maintainer", "!testme");
    let sent = scene.forge.sent().pop().unwrap();
    for _ in 0..3 {
        for it in [&sent, &ancient] {
            assert_eq!(post(&url, it, &[], it.body.clone().into_bytes()).await, 202);
        }
        scene.quiet().await;
    }
    scene.answer_to(asked);
    assert_eq!((scene.runs().await.len(), scene.answers().len()), (1, 1));
}

#[tokio::test]
async fn s40_a_webhook_brings_a_comment_without_a_poll() {
    let scene = Scene::begin().await;
    let url = open_door(&scene).await;
    scene.hook_by_hand(&url);
    scene.forge.act(|world| world.push(NOTES, 1, "maintainer", &sha(2), false));
    scene.pass(30);
    let asked = scene.say("maintainer", "!testme");
    // Until both deliveries were taken.
    while scene.forge.taken().len() < 2 {
        tokio::task::yield_now().await;
    }
    assert_eq!(scene.forge.taken(), [Some(202), Some(202)]);
    assert!(scene.round(Round::Work).await);
    assert!(scene.round(Round::Answer).await);
    assert!(scene.answer_to(asked).contains(&sha(2)[..8]));
}
