//! What the forge answers, request by request; reading here, writing in `writes`.

use axum::http::Uri;
use jiff::Timestamp;
use serde_json::{Value, json};
use url::form_urlencoded;

use super::world::{Repo, Right, Token, World};
use super::{json::hook_json, writes};

/// A request, taken apart.
pub(crate) struct Call<'a> {
    pub(crate) method: &'a str,
    uri: &'a Uri,
    token: Option<&'a str>,
    pub(crate) body: Value,
}

impl<'a> Call<'a> {
    pub(crate) fn new(method: &'a str, uri: &'a Uri, authorization: Option<&'a str>, body: &[u8]) -> Self {
        let token = authorization.and_then(|it| it.strip_prefix("token "));
        Self { method, uri, token, body: serde_json::from_slice(body).unwrap_or_default() }
    }

    /// A `+` that is not escaped is a space here, as it is there.
    fn query(&self, name: &str) -> Option<String> {
        let mut pairs = form_urlencoded::parse(self.uri.query().unwrap_or_default().as_bytes());
        pairs.find(|(key, _)| key == name).map(|(_, value)| value.into_owned())
    }

    fn number(&self, name: &str) -> usize {
        self.query(name).and_then(|value| value.parse().ok()).unwrap_or_default()
    }
}

/// What comes back.
pub(crate) struct Answer {
    pub(crate) status: u16,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
}

impl Answer {
    pub(crate) fn text(status: u16, body: &str) -> Self {
        Self { status, headers: vec![("content-type", "text/html".to_owned())], body: body.to_owned() }
    }

    pub(super) fn json(status: u16, body: &Value) -> Self {
        let kind = ("content-type", "application/json;charset=utf-8".to_owned());
        Self { status, headers: vec![kind], body: body.to_string() }
    }

    pub(super) fn empty(status: u16) -> Self {
        Self { status, headers: Vec::new(), body: String::new() }
    }

    pub(super) fn no(status: u16, message: &str) -> Self {
        Self::json(status, &json!({ "message": message, "url": "http://forge.test/api/swagger" }))
    }

    pub(super) fn not_found() -> Self {
        let body = json!({ "errors": null, "message": "not found", "url": "http://forge.test/api/swagger" });
        Self::json(404, &body)
    }

    fn sent_on(status: u16, location: String) -> Self {
        let mut answer = Self::text(status, "<a>moved</a>");
        answer.headers.push(("location", location));
        answer
    }
}

/// Why not.
pub(super) type Refused = Box<Answer>;

/// Whether the token has the scope; `write` includes `read`.
pub(super) fn need(token: Option<&Token>, scope: &str) -> Result<String, Refused> {
    let Some(token) = token else { return Err(Box::new(Answer::no(401, "token is required"))) };
    let write = scope.replace("read:", "write:");
    if token.scopes.iter().any(|it| it == scope || *it == write) {
        return Ok(token.login.clone());
    }
    Err(Box::new(Answer::no(
        403,
        &format!(
            "token does not have at least one of required scope(s), required=[{scope}], token scope={}",
            token.scopes.join(",")
        ),
    )))
}

pub(crate) fn answer(world: &mut World, call: &Call<'_>) -> Answer {
    // A bad token spoils even what anybody may read.
    if call.token.is_some_and(|token| !world.tokens.contains_key(token)) {
        return Answer::no(401, "invalid username, password or token");
    }
    let path = call.uri.path().to_owned();
    let Some(below) = path.strip_prefix("/api/v1/") else { return Answer::not_found() };
    let parts: Vec<&str> = below.split('/').collect();
    if let ["repos", owner, name, rest @ ..] = &parts[..]
        && let Some(new) = world.moved.get(&format!("{owner}/{name}"))
    {
        let query = call.uri.query().map(|query| format!("?{query}")).unwrap_or_default();
        return Answer::sent_on(301, format!("/api/v1/repos/{new}/{}{query}", rest.join("/")));
    }
    let result = if call.method == "GET" { read(world, call, &parts) } else { writes::write(world, call, &parts) };
    result.unwrap_or_else(|refused| *refused)
}

impl World {
    pub(super) fn token_of(&self, call: &Call<'_>) -> Option<&Token> {
        self.tokens.get(call.token?)
    }

    /// The repository, for whom it is not hidden.
    pub(super) fn visible(&self, login: &str, owner: &str, name: &str) -> Result<(&Repo, Right), Refused> {
        let repo = self.repos.get(&format!("{owner}/{name}"));
        let found = repo.and_then(|repo| Some((repo, self.right(login, repo)?)));
        found.ok_or_else(|| Box::new(Answer::not_found()))
    }
}

fn read(world: &World, call: &Call<'_>, parts: &[&str]) -> Result<Answer, Refused> {
    let token = world.token_of(call);
    let ok = |body: &Value| Ok(Answer::json(200, body));
    let see = |owner: &str, name: &str, scope: &str| {
        let login = need(token, scope)?;
        world.visible(&login, owner, name)
    };
    match parts {
        ["version"] => ok(&json!({ "version": "1.26.0" })),
        ["user"] => ok(&world.user_json(&need(token, "read:user")?)),
        ["repos", "issues", "search"] => search(world, call, &need(token, "read:issue")?),
        ["repos", "search"] => {
            let login = need(token, "read:repository")?;
            let owner = call.query("q").unwrap_or_default();
            let found = repos_json(world, &login, owner.trim_end_matches('/'));
            let mut answer = page(call, found);
            answer.body = format!(r#"{{"ok":true,"data":{}}}"#, answer.body);
            Ok(answer)
        }
        ["repos", owner, name, "raw", file @ ..] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let text = repo.files.get(&file.join("/")).ok_or_else(|| Box::new(Answer::not_found()))?;
            Ok(Answer::text(200, text))
        }
        ["repos", owner, name] => {
            let (repo, right) = see(owner, name, "read:repository")?;
            ok(&world.repo_json(repo, Some(right)))
        }
        ["repos", owner, name, "issues", "comments"] => {
            let (repo, _) = see(owner, name, "read:issue")?;
            Ok(page(call, comments(world, call, repo, None)?))
        }
        ["repos", owner, name, "issues", "comments", id] => {
            let (repo, _) = see(owner, name, "read:issue")?;
            let comment = id.parse().ok().and_then(|id: i64| world.comments.get(&id));
            let comment = comment.filter(|comment| comment.repo == repo.id);
            ok(&world.comment_json(comment.ok_or_else(|| Box::new(Answer::not_found()))?))
        }
        // Not in pages, whatever is asked for.
        ["repos", owner, name, "issues", number, "comments"] => {
            let (repo, _) = see(owner, name, "read:issue")?;
            let number = number.parse().ok().filter(|it| repo.pulls.contains_key(it) || repo.issues.contains(it));
            let number: i64 = number.ok_or_else(|| Box::new(Answer::not_found()))?;
            ok(&comments(world, call, repo, Some(number))?.into())
        }
        ["repos", owner, name, "issues", number, "timeline"] => {
            let (repo, _) = see(owner, name, "read:issue")?;
            let mut answer = page(call, timeline(world, call, repo, number)?);
            if answer.body == "[]" {
                answer.body = "null".to_owned();
            }
            Ok(answer)
        }
        ["repos", owner, name, "pulls"] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let mut pulls: Vec<_> = repo.pulls.values().filter(|pull| pull.open).collect();
            pulls.sort_by_key(|pull| std::cmp::Reverse(pull.updated));
            Ok(page(call, pulls.into_iter().map(|pull| world.pull_json(repo, pull)).collect()))
        }
        ["repos", owner, name, "pulls", number] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let pull = number.parse().ok().and_then(|number: i64| repo.pulls.get(&number));
            ok(&world.pull_json(repo, pull.ok_or_else(|| Box::new(Answer::not_found()))?))
        }
        ["repos", owner, name, "collaborators", who] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            if !world.users.contains_key(*who) {
                return Ok(Answer::no(422, &format!("user does not exist [uid: 0, name: {who}]")));
            }
            Ok(if repo.collaborators.contains_key(*who) { Answer::empty(204) } else { Answer::not_found() })
        }
        ["repos", owner, name, "assignees"] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let writes = |login: &&String| world.right(login, repo) >= Some(Right::Write);
            let users: Vec<Value> = world.users.keys().filter(writes).map(|login| world.user_json(login)).collect();
            ok(&users.into())
        }
        ["repos", owner, name, "git", "commits", sha] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            if !repo.commits.contains(*sha) {
                return Ok(Answer::no(404, &format!("commit doesn't exist: {sha}")));
            }
            ok(&json!({ "sha": sha }))
        }
        ["repos", owner, name, "tags"] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let tag = |(name, id, sha): &(String, String, String)| json!({ "name": name, "id": id, "message": "", "commit": { "sha": sha } });
            Ok(page(call, repo.tags.iter().map(tag).collect()))
        }
        ["repos", owner, name, "branches", branch @ ..] => {
            let (repo, _) = see(owner, name, "read:repository")?;
            let branch = branch.join("/");
            let sha = repo.branches.get(&branch).ok_or_else(|| Box::new(Answer::not_found()))?;
            ok(&json!({ "name": branch, "commit": { "id": sha }, "protected": false }))
        }
        ["repos", owner, name, "hooks"] => {
            // A token that may only read learns here that its account is no admin, and only when it writes of the scope.
            let (repo, right) = see(owner, name, "read:repository")?;
            writes::repo_admin(right)?;
            Ok(page(call, repo.hooks.iter().map(hook_json).collect()))
        }
        ["orgs", organisation, "repos"] => {
            let login = need(token, "read:organization")?;
            world.organisations.get(*organisation).ok_or_else(|| Box::new(Answer::not_found()))?;
            Ok(page(call, repos_json(world, &login, organisation)))
        }
        ["orgs", organisation, "hooks"] => {
            let login = need(token, "read:organization")?;
            Ok(page(call, world.owned(organisation, &login)?.hooks.iter().map(hook_json).collect()))
        }
        ["orgs", organisation, list @ ("members" | "public_members"), who] => {
            let login = need(token, "read:organization")?;
            let members = world.organisations.get(*organisation).map(|it| &it.members);
            let members = members.ok_or_else(|| Box::new(Answer::not_found()))?;
            if *list == "members" && !members.contains_key(&login) {
                return Ok(Answer::sent_on(303, format!("/api/v1/orgs/{organisation}/public_members/{who}")));
            }
            let found = members.get(*who).is_some_and(|member| *list == "members" || member.public);
            Ok(if found { Answer::empty(204) } else { Answer::not_found() })
        }
        _ => Ok(Answer::not_found()),
    }
}

/// The repositories of an owner, for whom they are not hidden.
fn repos_json(world: &World, login: &str, owner: &str) -> Vec<Value> {
    let seen = |repo: &&Repo| repo.owner == owner;
    let repos = world.repos.values().filter(seen).filter_map(|repo| Some((repo, world.right(login, repo)?)));
    repos.map(|(repo, right)| world.repo_json(repo, Some(right))).collect()
}

/// Newest pull request first.
fn search(world: &World, call: &Call<'_>, login: &str) -> Result<Answer, Refused> {
    let since = since(call)?;
    let state = call.query("state").unwrap_or_else(|| "open".to_owned());
    let owner = call.query("owner").unwrap_or_default();
    if !world.organisations.contains_key(&owner) && !world.users.contains_key(&owner) {
        return Ok(Answer::no(400, &format!("user does not exist [uid: 0, name: {owner}]")));
    }
    let repos = world.repos.values().filter(|repo| repo.owner == owner && world.right(login, repo).is_some());
    let mut found: Vec<_> = repos.flat_map(|repo| repo.pulls.values().map(move |pull| (repo, pull))).collect();
    found.retain(|(_, pull)| since.is_none_or(|since| pull.updated >= since));
    found.retain(|(_, pull)| match state.as_str() {
        "all" => true,
        "closed" => !pull.open,
        _ => pull.open,
    });
    found.sort_by_key(|(_, pull)| std::cmp::Reverse(pull.created));
    Ok(page(call, found.into_iter().map(|(repo, pull)| world.found_json(repo, pull)).collect()))
}

/// Oldest first, by creation, also after an edit; `since` is about the update.
fn comments(world: &World, call: &Call<'_>, repo: &Repo, number: Option<i64>) -> Result<Vec<Value>, Refused> {
    let since = since(call)?;
    let here =
        world.comments.values().filter(|it| it.repo == repo.id && number.is_none_or(|number| it.number == number));
    let new = here.filter(|comment| since.is_none_or(|since| comment.updated >= since));
    Ok(new.map(|comment| world.comment_json(comment)).collect())
}

/// Comments and pushes; the opening is a push too.
fn timeline(world: &World, call: &Call<'_>, repo: &Repo, number: &str) -> Result<Vec<Value>, Refused> {
    let pull = number.parse().ok().and_then(|number: i64| repo.pulls.get(&number));
    let pull = pull.ok_or_else(|| Box::new(Answer::not_found()))?;
    let since = since(call)?;
    let mut events: Vec<(i64, Value)> = Vec::new();
    for comment in comments(world, call, repo, Some(pull.number))? {
        let id = comment["id"].as_i64().unwrap_or_default();
        let mut event = comment;
        event["type"] = json!("comment");
        events.push((id, event));
    }
    for (id, at, by, forced, commits) in &pull.pushes {
        if since.is_none_or(|since| *at >= since) {
            let body = json!({ "is_force_push": forced, "commit_ids": commits }).to_string();
            let (user, at) = (world.user_json(by), at.to_string());
            let event = json!({ "id": id, "type": "pull_push", "user": user, "body": body, "created_at": at, "updated_at": at });
            events.push((*id, event));
        }
    }
    events.sort_by_key(|(id, _)| *id);
    Ok(events.into_iter().map(|(_, event)| event).collect())
}

fn since(call: &Call<'_>) -> Result<Option<Timestamp>, Refused> {
    let Some(text) = call.query("since") else { return Ok(None) };
    let said = format!("parsing time {text:?} as \"2006-01-02T15:04:05Z07:00\"");
    text.parse().map(Some).map_err(|_| Box::new(Answer::no(422, &said)))
}

/// At most 50 a page, without a word; 0 and nothing are 30. Past the end: an empty one.
fn page(call: &Call<'_>, all: Vec<Value>) -> Answer {
    let limit = match call.number("limit") {
        0 => 30,
        limit => limit.min(50),
    };
    let total = all.len().to_string();
    let skipped = (call.number("page").max(1) - 1).saturating_mul(limit);
    let items: Vec<Value> = all.into_iter().skip(skipped).take(limit).collect();
    let mut answer = Answer::json(200, &items.into());
    answer.headers.push(("x-total-count", total));
    answer
}
