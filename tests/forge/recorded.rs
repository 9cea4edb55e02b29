//! Every answer that was recorded from a real forge is read as what it is, and the fake answers like it.

use cc_ci::adapters::forge::{
    CommentId, CommitStatus, Forge, HookScope, Membership, Outcome, Reason, StatusState, WantedHook,
};
use cc_ci::domain::ids::CommitSha;
use jiff::Timestamp;
use secrecy::SecretString;
use serde_json::Value;

use crate::fake::{FakeForge, Fault, Wrong};
use crate::{SHA, client, login, number, reason, repo, seeded};

/// A recorded answer, from `fixtures/api`.
fn recorded(name: &str) -> Value {
    let path = format!("{}/tests/forge/fixtures/api/{name}.json", env!("CARGO_MANIFEST_DIR"));
    serde_json::from_str(&std::fs::read_to_string(path).unwrap()).unwrap()
}

/// A client of a forge that answers as recorded, and with empty pages after that.
async fn answering(name: &str) -> (FakeForge, Forge) {
    let fake = FakeForge::start().await;
    let token = fake.act(|world| world.token("bot", &[]));
    let found = recorded(name);
    let body = found["body"].as_str().map_or_else(|| found["body"].to_string(), str::to_owned);
    let headers = found["headers"]["Location"].as_str().map(|it| ("location", it.to_owned())).into_iter().collect();
    let status = u16::try_from(found["status"].as_u64().unwrap()).unwrap();
    fake.inject(Fault { method: None, path: "", times: 1, what: Wrong::Say { status, headers, body } });
    let empty = Wrong::Say { status: 200, headers: Vec::new(), body: "[]".to_owned() };
    fake.inject(Fault { method: None, path: "page=2", times: 1, what: empty });
    let forge = client(&fake, &token);
    (fake, forge)
}

#[tokio::test]
async fn comments_are_read() {
    let (_fake, forge) = answering("comments-repo-wide").await;
    let all = forge.comments_since(&repo("recipes/notes"), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((all.items.len(), all.complete, all.unreadable.len()), (10, true, 0));
    assert_eq!(all.items.iter().filter(|comment| comment.pull.is_none()).count(), 1, "one is on an issue");
    assert_eq!(all.items.iter().filter(|comment| comment.is_edited()).count(), 1);
    let first = &all.items[0];
    assert_eq!((first.id.get(), first.pull, first.author.as_str()), (3, Some(number(1)), "maintainer"));
    assert_eq!((first.body.as_str(), first.created_at.to_string()), ("!testme", "2026-11-24T06:44:06Z".to_owned()));
    assert_eq!(first.url, "http://forge.test/recipes/notes/pulls/1#issuecomment-3");

    let (_fake, forge) = answering("comments-of-one-pull").await;
    assert_eq!(forge.comments_of(&repo("recipes/notes"), number(1), None).await.unwrap().items.len(), 7);
    let (_fake, forge) = answering("comments-past-the-end").await;
    assert_eq!(forge.comments_of(&repo("recipes/notes"), number(1), None).await.unwrap().items, []);
    let (_fake, forge) = answering("comment").await;
    let comment = forge.get_comment(&repo("recipes/notes"), CommentId::new(3).unwrap()).await.unwrap();
    assert_eq!(comment.unwrap().body, "!testme");
    let (_fake, forge) = answering("error-comment-404").await;
    assert_eq!(forge.get_comment(&repo("recipes/notes"), CommentId::new(3).unwrap()).await.unwrap(), None);
    let (_fake, forge) = answering("error-since-422").await;
    let error = forge.comments_since(&repo("recipes/notes"), Timestamp::UNIX_EPOCH).await.unwrap_err().to_string();
    assert!(error.starts_with("list the comments of recipes/notes: the forge answered 422: parsing time"), "{error}");
}

#[tokio::test]
async fn pull_requests_are_read() {
    let (_fake, forge) = answering("issues-search").await;
    let found = forge.changed_pulls(&login("recipes"), Timestamp::UNIX_EPOCH).await.unwrap();
    assert_eq!((found.items.len(), found.items[0].repo.to_string()), (1, "recipes/recorded".to_owned()));
    assert!(found.items[0].open && found.items[0].number == number(2));

    let (_fake, forge) = answering("issues-search-all").await;
    let found = forge.changed_pulls(&login("recipes"), Timestamp::UNIX_EPOCH).await.unwrap().items;
    assert_eq!(found.iter().map(|it| it.open).collect::<Vec<_>>(), [false, true], "a closed one, newest first");
    let (_fake, forge) = answering("search-unknown-owner").await;
    let error = forge.changed_pulls(&login("nobody"), Timestamp::UNIX_EPOCH).await.unwrap_err().to_string();
    assert!(error.ends_with("answered 400: user does not exist [uid: 0, name: nobody]"), "{error}");
    let (_fake, forge) = answering("timeline").await;
    let pushes = forge.pushes(&repo("recipes/notes"), number(1), Timestamp::UNIX_EPOCH).await.unwrap().items;
    assert_eq!(pushes.iter().map(|push| push.forced).collect::<Vec<_>>(), [false, false, true]);
    assert_eq!((pushes[0].commits[0].as_str(), pushes[2].commits.len()), (SHA, 2));
    let (_fake, forge) = answering("timeline-past-the-end").await;
    assert_eq!(forge.pushes(&repo("recipes/notes"), number(1), Timestamp::UNIX_EPOCH).await.unwrap().items, []);

    let (_fake, forge) = answering("pull-branch").await;
    let pull = forge.pull(&repo("recipes/notes"), number(1)).await.unwrap();
    assert_eq!((pull.head.sha.as_str(), pull.head.branch.as_str()), (SHA, "upgrade-1.2.0"));
    assert_eq!((pull.open, pull.merged, pull.locked, pull.draft), (true, false, false, false));
    assert_eq!(pull.head.repo, pull.base.repo);
    assert_eq!(pull.merge_base.unwrap(), pull.base.sha);

    let (_fake, forge) = answering("pull-fork").await;
    let pull = forge.pull(&repo("recipes/notes"), number(2)).await.unwrap();
    assert_eq!((pull.head.repo.unwrap(), pull.author), (repo("outsider/notes"), login("outsider")));
    for gone in ["pull-fork-deleted", "pull-branch-deleted"] {
        let (_fake, forge) = answering(gone).await;
        let pull = forge.pull(&repo("recipes/recorded"), number(3)).await.unwrap();
        assert!(!pull.open && pull.head.branch.starts_with("refs/pull/"), "{pull:?}");
        assert_eq!(pull.head.repo.is_none(), gone == "pull-fork-deleted");
    }
    let (_fake, forge) = answering("pulls").await;
    assert_eq!(forge.open_pulls(&repo("recipes/notes")).await.unwrap().items.len(), 2);
    let (_fake, forge) = answering("error-pull-404").await;
    assert!(forge.pull(&repo("recipes/notes"), number(9999)).await.unwrap_err().is_not_found());
}

#[tokio::test]
async fn repositories_and_accounts_are_read() {
    let notes = repo("recipes/notes");
    let (_fake, forge) = answering("version").await;
    let version = forge.version().await.unwrap();
    assert_eq!((version.text.as_str(), version.forgejo), ("1.26.0", false));
    let (_fake, forge) = answering("repo").await;
    let found = forge.repository(&notes).await.unwrap();
    assert_eq!((found.default_branch.as_str(), found.archived, found.may_push), ("main", false, false));
    let (_fake, forge) = answering("branch-main").await;
    assert_eq!(forge.branch(&notes, "main").await.unwrap().short(), "2a2030ee");
    let (_fake, forge) = answering("tags").await;
    let tags = forge.tags(&notes).await.unwrap().items;
    let seen: Vec<_> = tags.iter().map(|tag| (tag.name.as_str(), tag.annotated)).collect();
    assert_eq!(seen, [("1.1.0+1.1.0", true), ("1.0.0+1.0.0", true), ("0.9.0+0.9.0", false)]);
    let (_fake, forge) = answering("user").await;
    assert_eq!(forge.user().await.unwrap(), login("bot"));
    let (_fake, forge) = answering("assignees").await;
    assert_eq!(forge.assignees(&notes).await.unwrap().items, ["admin", "botwrite", "maintainer"].map(login));
    for (name, wanted) in
        [("collaborator-collaborator", true), ("collaborator-maintainer", false), ("collaborator-nobody", false)]
    {
        let (_fake, forge) = answering(name).await;
        assert_eq!(forge.collaborator(&notes, &login("ada")).await.unwrap(), wanted, "{name}");
    }
    for (name, wanted) in [
        ("member-204", Membership::Member),
        ("member-404", Membership::NotMember),
        ("member-no-user-404", Membership::NotMember),
    ] {
        let (_fake, forge) = answering(name).await;
        assert_eq!(forge.member(&login("recipes"), &login("ada")).await.unwrap(), wanted, "{name}");
    }
    for (then, wanted) in [("public-member-204", Membership::Member), ("public-member-404", Membership::Unseen)] {
        let (fake, forge) = answering("member-concealed-303").await;
        let status = u16::try_from(recorded(then)["status"].as_u64().unwrap()).unwrap();
        let what = Wrong::Say { status, headers: Vec::new(), body: String::new() };
        fake.inject(Fault { method: None, path: "public_members", times: 1, what });
        assert_eq!(forge.member(&login("recipes"), &login("maintainer")).await.unwrap(), wanted, "{then}");
    }
}

#[tokio::test]
async fn what_was_written_is_read() {
    let (notes, comment) = (repo("recipes/notes"), CommentId::new(3).unwrap());
    let (_fake, forge) = answering("comment-created").await;
    assert_eq!(forge.post_comment(&notes, number(1), "x").await.done().unwrap().id.get(), 323);
    let (_fake, forge) = answering("comment-edited").await;
    assert!(forge.edit_comment(&notes, comment, "x").await.done().unwrap().body.ends_with("running: done"));
    for name in ["reaction-created", "reaction-again"] {
        let (_fake, forge) = answering(name).await;
        assert_eq!(forge.react(&notes, comment, "eyes").await, Outcome::Done(()), "{name}");
    }
    let (_fake, forge) = answering("status-created").await;
    assert_eq!(forge.set_status(&notes, &CommitSha::parse(SHA).unwrap(), &status()).await, Outcome::Done(()));
    let (_fake, forge) = answering("hooks").await;
    let scope = HookScope::Repository(notes);
    let hooks = forge.hooks(&scope).await.unwrap().items;
    assert_eq!((hooks.len(), hooks[0].url.as_str()), (2, "http://gate.test/hooks/forge"));
    let wanted = WantedHook { url: String::new(), secret: SecretString::from("x") };
    for (name, events) in [("hook-created", 12), ("hook-org-created", 1)] {
        let (_fake, forge) = answering(name).await;
        let hook = forge.create_hook(&scope, &wanted).await.done().unwrap();
        assert_eq!((hook.content_type.as_str(), hook.events.len(), hook.active), ("json", events, true), "{name}");
    }
    let (_fake, forge) = answering("hook-patched").await;
    let hook = forge.update_hook(&scope, hooks[0].id, &wanted).await.done().unwrap();
    assert_eq!(hook.events.into_iter().collect::<Vec<_>>(), ["push"]);
}

fn status() -> CommitStatus {
    let (context, description) = ("cc-ci".to_owned(), "run 1".to_owned());
    CommitStatus { state: StatusState::Pending, context, description, target_url: None }
}

#[tokio::test]
async fn every_no_says_what_to_do() {
    let (notes, comment) = (repo("recipes/notes"), CommentId::new(3).unwrap());
    let scope = |scope: &str| Reason::MissingScope { needed: vec![scope.to_owned()] };
    for (name, wanted) in [
        ("error-archived-423", Reason::Archived),
        ("error-locked-403", Reason::Locked),
        ("error-locked-reaction", Reason::Forbidden),
        ("error-edit-foreign-403", Reason::Forbidden),
        ("error-comment-404", Reason::NotFound),
        ("error-repo-404", Reason::NotFound),
        ("error-bad-token-401", Reason::BadToken),
        ("error-scope-403", scope("write:issue")),
        ("error-reaction-unknown", Reason::Forbidden),
        ("status-refused-no-write", Reason::Forbidden),
        ("status-refused-scope", scope("write:repository")),
        ("hook-create-refused", Reason::Forbidden),
        ("hooks-refused-bot", Reason::Forbidden),
        ("user-refused", scope("read:user")),
        ("error-renamed", Reason::Renamed { to: Some(repo("recipes/renamed")) }),
    ] {
        let (_fake, forge) = answering(name).await;
        let outcome = forge.edit_comment(&notes, comment, "x").await;
        if let Outcome::Refused(refusal) = &outcome {
            assert!(refusal.to_string().contains("\nhint: "), "{refusal}");
        }
        assert_eq!(reason(outcome), wanted, "{name}");
    }
}

/// What the fake says has the keys and the kinds of values that the real forge's answer has.
pub(crate) fn alike(fake: &Value, real: &Value, path: &str) {
    match (fake, real) {
        (Value::Object(fake), Value::Object(real)) => {
            for (key, value) in fake {
                let found = real.get(key).unwrap_or_else(|| panic!("{path}.{key} is an invention"));
                alike(value, found, &format!("{path}.{key}"));
            }
        }
        (Value::Array(fake), Value::Array(real)) => {
            if let (Some(fake), Some(real)) = (fake.first(), real.first()) {
                alike(fake, real, &format!("{path}[]"));
            }
        }
        (Value::Null, _) | (_, Value::Null) => {}
        (fake, real) => assert_eq!(std::mem::discriminant(fake), std::mem::discriminant(real), "{path}"),
    }
}

#[tokio::test]
async fn the_fake_answers_like_the_real_one() {
    let (fake, _forge) = seeded().await;
    let (comment, tokens) = fake.act(|world| {
        world.user("collaborator");
        world.of("recipes/notes").collaborators.insert("collaborator".to_owned(), crate::Right::Read);
        world.tag("recipes/notes", "1.0.0+1.0.0", "admin", true);
        world.issue("recipes/notes");
        let write = world.token("maintainer", &["write:repository", "write:issue", "read:user", "read:organization"]);
        let admin = world.token("admin", &["write:repository", "write:organization"]);
        let bot = world.token("bot", &crate::SMALLEST);
        let reader = world.token("bot", &["read:issue", "read:repository"]);
        (world.comment("recipes/notes", 1, "maintainer", "!testme"), [write, admin, bot, reader])
    });
    let [write, admin, bot, reader] = &tokens;
    let notes = "repos/recipes/notes";
    let hook = r#"{"active":true,"events":["issue_comment","pull_request"],"config":{"url":"http://gate.test/","content_type":"json"}}"#;
    let status = r#"{"state":"pending","context":"cc-ci"}"#;
    let here = format!("{notes}/issues/comments/{comment}");
    let head = format!("{notes}/statuses/{SHA}");
    let unknown = format!("{notes}/statuses/{}", "5".repeat(40));
    for (name, token, method, path, body) in [
        ("version", bot, "GET", "version", ""),
        ("user", write, "GET", "user", ""),
        ("user-refused", bot, "GET", "user", ""),
        ("error-bad-token-401", &"nonsense".to_owned(), "GET", "version", ""),
        ("repo", bot, "GET", notes, ""),
        ("error-repo-404", bot, "GET", "repos/recipes/nothing", ""),
        (
            "issues-search",
            bot,
            "GET",
            "repos/issues/search?type=pulls&owner=recipes&since=2020-01-01T00%3A00%3A00Z",
            "",
        ),
        ("comments-repo-wide", bot, "GET", &format!("{notes}/issues/comments?limit=50"), ""),
        ("error-since-422", bot, "GET", &format!("{notes}/issues/comments?since=2020-01-01T00:00:00+00:00"), ""),
        ("comments-of-one-pull", bot, "GET", &format!("{notes}/issues/1/comments"), ""),
        ("comment", bot, "GET", &here, ""),
        ("pull-branch", bot, "GET", &format!("{notes}/pulls/1"), ""),
        ("pulls", bot, "GET", &format!("{notes}/pulls"), ""),
        ("error-pull-404", bot, "GET", &format!("{notes}/pulls/9999"), ""),
        ("collaborator-collaborator", bot, "GET", &format!("{notes}/collaborators/collaborator"), ""),
        ("collaborator-maintainer", bot, "GET", &format!("{notes}/collaborators/maintainer"), ""),
        ("collaborator-nobody", bot, "GET", &format!("{notes}/collaborators/nobody"), ""),
        ("assignees", bot, "GET", &format!("{notes}/assignees"), ""),
        ("tags", bot, "GET", &format!("{notes}/tags"), ""),
        ("branch-main", bot, "GET", &format!("{notes}/branches/main"), ""),
        ("member-204", write, "GET", "orgs/recipes/members/maintainer", ""),
        ("member-404", write, "GET", "orgs/recipes/members/bot", ""),
        ("member-concealed-303", bot, "GET", "orgs/recipes/members/maintainer", ""),
        ("public-member-404", bot, "GET", "orgs/recipes/public_members/maintainer", ""),
        ("comment-created", bot, "POST", &format!("{notes}/issues/1/comments"), r#"{"body":"x"}"#),
        ("comment-edited", write, "PATCH", &here, r#"{"body":"y"}"#),
        ("error-edit-foreign-403", bot, "PATCH", &here, r#"{"body":"y"}"#),
        ("error-comment-404", bot, "PATCH", &format!("{notes}/issues/comments/999999"), r#"{"body":"y"}"#),
        ("reaction-created", bot, "POST", &format!("{here}/reactions"), r#"{"content":"eyes"}"#),
        ("reaction-again", bot, "POST", &format!("{here}/reactions"), r#"{"content":"eyes"}"#),
        ("error-reaction-unknown", bot, "POST", &format!("{here}/reactions"), r#"{"content":"frog"}"#),
        ("error-scope-403", reader, "POST", &format!("{here}/reactions"), r#"{"content":"eyes"}"#),
        ("status-created", write, "POST", &head, status),
        ("status-refused-scope", bot, "POST", &head, status),
        ("error-status-unknown-sha", write, "POST", &unknown, status),
        ("commit-404", bot, "GET", &format!("{notes}/git/commits/{}", "5".repeat(40)), ""),
        ("timeline", bot, "GET", &format!("{notes}/issues/1/timeline"), ""),
        ("timeline-past-the-end", bot, "GET", &format!("{notes}/issues/1/timeline?page=9"), ""),
        ("search-unknown-owner", bot, "GET", "repos/issues/search?owner=nobody", ""),
        ("issues-search-all", bot, "GET", "repos/issues/search?owner=recipes&state=all", ""),
        ("probe-comment-yes", bot, "PATCH", &format!("{notes}/issues/comments/9007199254740991"), r#"{"body":"x"}"#),
        ("probe-comment-scope", reader, "PATCH", &format!("{notes}/issues/comments/9"), r#"{"body":"x"}"#),
        ("probe-status-yes", write, "POST", &format!("{notes}/statuses/{}", "0".repeat(40)), status),
        ("probe-hook-yes", admin, "PATCH", &format!("{notes}/hooks/9007199254740991"), "{}"),
        ("probe-hook-scope", bot, "PATCH", &format!("{notes}/hooks/9007199254740991"), "{}"),
        ("hooks-refused-bot", bot, "GET", &format!("{notes}/hooks"), ""),
        ("hook-create-refused", write, "POST", &format!("{notes}/hooks"), hook),
        ("hook-created", admin, "POST", &format!("{notes}/hooks"), hook),
        ("hooks", admin, "GET", &format!("{notes}/hooks"), ""),
        ("hook-org-created", admin, "POST", "orgs/recipes/hooks", hook),
    ] {
        let said = ask(&fake, token, method, path, body).await;
        let real = recorded(name);
        assert_eq!(u64::from(said.0), real["status"].as_u64().unwrap(), "{name}: {}", said.1);
        if let Ok(body) = serde_json::from_str::<Value>(&said.1) {
            alike(&body, &real["body"], name);
            let words = |body: &Value| {
                body["message"].as_str().map(|it| it.split([',', '[']).next().unwrap_or_default().to_owned())
            };
            if name != "error-since-422" {
                assert_eq!(words(&body), words(&real["body"]), "{name}");
            }
        }
    }
}

async fn ask(fake: &FakeForge, token: &str, method: &str, path: &str, body: &str) -> (u16, String) {
    let client = reqwest::Client::builder().no_proxy().redirect(reqwest::redirect::Policy::none()).build().unwrap();
    let request = client
        .request(method.parse().unwrap(), format!("{}/api/v1/{path}", fake.url()))
        .header("authorization", format!("token {token}"))
        .body(body.to_owned());
    let answer = request.send().await.unwrap();
    (answer.status().as_u16(), answer.text().await.unwrap())
}
