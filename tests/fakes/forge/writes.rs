//! What the forge does when it is told to.

use std::collections::BTreeSet;

use serde_json::{Value, json};

use super::answers::{Answer, Call, Refused, need};
use super::json::hook_json;
use super::world::{FakeHook, FakeStatus, Organisation, Right, World};

const REACTIONS: [&str; 8] = ["+1", "-1", "laugh", "hooray", "confused", "heart", "rocket", "eyes"];

fn no(status: u16, message: &str) -> Refused {
    Box::new(Answer::no(status, message))
}

pub(super) fn repo_admin(right: Right) -> Result<(), Refused> {
    let said = "user should be an owner or a collaborator with admin write of a repository";
    if right == Right::Admin { Ok(()) } else { Err(no(403, said)) }
}

impl World {
    /// The organisation, for its owners.
    pub(super) fn owned(&self, organisation: &str, login: &str) -> Result<&Organisation, Refused> {
        let found = self.organisations.get(organisation).ok_or_else(|| Box::new(Answer::not_found()))?;
        let owner = found.members.get(login).is_some_and(|member| member.right == Right::Admin);
        if owner { Ok(found) } else { Err(no(403, "Must be an organization owner")) }
    }
}

pub(super) fn write(world: &mut World, call: &Call<'_>, parts: &[&str]) -> Result<Answer, Refused> {
    let text = |name: &str| call.body[name].as_str().unwrap_or_default().to_owned();
    let token = world.token_of(call);
    match (call.method, parts) {
        ("POST", ["repos", owner, name, "issues", number, "comments"]) => {
            let login = need(token, "write:issue")?;
            let (repo, right) = world.visible(&login, owner, name)?;
            if repo.archived {
                return Err(no(423, &format!("{owner}/{name} is archived")));
            }
            if text("body").is_empty() {
                return Err(no(422, "[Body]: Required"));
            }
            let number: i64 = number.parse().map_err(|_| Box::new(Answer::not_found()))?;
            let pull = repo.pulls.get(&number);
            if pull.is_none() && !repo.issues.contains(&number) {
                return Err(Box::new(Answer::not_found()));
            }
            if pull.is_some_and(|pull| pull.locked) && right < Right::Write {
                return Err(no(403, "You cannot comment on a locked issue."));
            }
            let id = world.comment(&format!("{owner}/{name}"), number, &login, &text("body"));
            Ok(Answer::json(201, &world.comment_json(&world.comments[&id])))
        }
        (method @ ("PATCH" | "DELETE"), ["repos", owner, name, "issues", "comments", id]) => {
            let login = need(token, "write:issue")?;
            let (repo, right) = world.visible(&login, owner, name)?;
            if repo.archived {
                return Err(no(423, &format!("{owner}/{name} is archived")));
            }
            let comment = id.parse().ok().and_then(|id: i64| world.comments.get(&id)).filter(|it| it.repo == repo.id);
            let comment = comment.ok_or_else(|| Box::new(Answer::not_found()))?;
            if comment.author != login && right < Right::Write {
                return Err(Box::new(Answer::empty(403)));
            }
            let id = comment.id;
            if method == "DELETE" {
                world.delete(id, &login);
                return Ok(Answer::empty(204));
            }
            world.edit(id, &login, &text("body"));
            Ok(Answer::json(200, &world.comment_json(&world.comments[&id])))
        }
        ("POST", ["repos", owner, name, "issues", "comments", id, "reactions"]) => {
            let login = need(token, "write:issue")?;
            let (repo, right) = world.visible(&login, owner, name)?;
            let found = id.parse().ok().and_then(|id: i64| world.comments.get(&id)).filter(|it| it.repo == repo.id);
            let comment = found.ok_or_else(|| Box::new(Answer::not_found()))?;
            if repo.pulls.get(&comment.number).is_some_and(|pull| pull.locked) && right < Right::Write {
                return Err(no(403, "no permission to change reaction"));
            }
            let content = text("content");
            if !REACTIONS.contains(&content.as_str()) {
                return Err(no(403, &format!("'{content}' is not an allowed reaction")));
            }
            let (id, body) = (comment.id, json!({ "user": world.user_json(&login), "content": content }));
            let new = world.comments.get_mut(&id).is_some_and(|it| it.reactions.insert((login, content)));
            Ok(Answer::json(if new { 201 } else { 200 }, &body))
        }
        ("POST", ["repos", owner, name, "statuses", sha]) => {
            let login = need(token, "write:repository")?;
            let (repo, right) = world.visible(&login, owner, name)?;
            if right < Right::Write {
                return Err(no(403, "user should have a permission to write to a repo"));
            }
            if !repo.commits.contains(*sha) {
                return Err(no(500, ""));
            }
            let status = FakeStatus { sha: (*sha).to_owned(), state: text("state"), context: text("context") };
            let body = json!({ "id": 1, "status": status.state, "context": status.context });
            world.of(&format!("{owner}/{name}")).statuses.push(status);
            Ok(Answer::json(201, &body))
        }
        (method, ["repos", owner, name, "hooks", id @ ..]) => {
            let login = need(token, "write:repository")?;
            repo_admin(world.visible(&login, owner, name)?.1)?;
            let fresh = world.id();
            hooks(&mut world.of(&format!("{owner}/{name}")).hooks, method, id, &call.body, fresh)
        }
        (method, ["orgs", organisation, "hooks", id @ ..]) => {
            let login = need(token, "write:organization")?;
            world.owned(organisation, &login)?;
            let fresh = world.id();
            let organisation = world.organisations.get_mut(*organisation);
            let organisation = organisation.ok_or_else(|| Box::new(Answer::not_found()))?;
            hooks(&mut organisation.hooks, method, id, &call.body, fresh)
        }
        _ => Err(Box::new(Answer::not_found())),
    }
}

/// What is stored when these events are asked for; none at all means `push`.
fn expanded(asked: Option<&Vec<Value>>) -> BTreeSet<String> {
    let asked = asked.into_iter().flatten().filter_map(Value::as_str).map(str::to_owned);
    let mut events: BTreeSet<String> = asked.collect();
    if events.is_empty() {
        events.insert("push".to_owned());
    }
    if events.contains("pull_request") {
        let more = ["assign", "comment", "label", "milestone", "review", "review_request", "sync"];
        events.extend(more.map(|kind| format!("pull_request_{kind}")));
    }
    events
}

fn hooks(hooks: &mut Vec<FakeHook>, method: &str, id: &[&str], body: &Value, fresh: i64) -> Result<Answer, Refused> {
    let setting = |name: &str| body["config"][name].as_str().map(str::to_owned);
    let events = expanded(body["events"].as_array());
    if setting("url").is_some_and(|url| !url.starts_with("http")) {
        return Err(no(422, "Invalid url"));
    }
    if let ("POST", []) = (method, id) {
        let hook = FakeHook {
            id: fresh,
            url: setting("url").unwrap_or_default(),
            content_type: setting("content_type").unwrap_or_default(),
            secret: setting("secret").unwrap_or_default(),
            events,
            active: body["active"].as_bool().unwrap_or_default(),
        };
        // The same address twice is taken.
        hooks.push(hook.clone());
        return Ok(Answer::json(201, &hook_json(&hook)));
    }
    let id = id.first().and_then(|id| id.parse().ok());
    let place = hooks.iter().position(|hook| Some(hook.id) == id).ok_or_else(|| Box::new(Answer::not_found()))?;
    if method == "DELETE" {
        hooks.remove(place);
        return Ok(Answer::empty(204));
    }
    let hook = &mut hooks[place];
    hook.url = setting("url").unwrap_or_else(|| hook.url.clone());
    hook.content_type = setting("content_type").unwrap_or_else(|| hook.content_type.clone());
    hook.secret = setting("secret").unwrap_or_else(|| hook.secret.clone());
    hook.active = body["active"].as_bool().unwrap_or(hook.active);
    hook.events = events;
    Ok(Answer::json(200, &hook_json(hook)))
}
