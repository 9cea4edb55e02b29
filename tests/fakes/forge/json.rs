//! How the forge writes things: the fields that matter, and some that do not.

use serde_json::{Value, json};

use super::world::{FakeComment, FakeHook, FakePull, Repo, Right, World};

/// As in the recordings; a test that follows a link of the fake is wrong.
const HOME: &str = "http://forge.test";

impl World {
    pub(super) fn user_json(&self, login: &str) -> Value {
        let id = self.users.get(login).copied().unwrap_or_default();
        json!({ "id": id, "login": login, "username": login, "full_name": "", "email": "" })
    }

    pub(super) fn repo_json(&self, repo: &Repo, right: Option<Right>) -> Value {
        let full = format!("{}/{}", repo.owner, repo.name);
        json!({
            "id": repo.id, "owner": self.user_json(&repo.owner), "name": repo.name, "full_name": full,
            "private": repo.private, "archived": repo.archived, "default_branch": "main",
            "html_url": format!("{HOME}/{full}"),
            "permissions": {
                "admin": right >= Some(Right::Admin), "push": right >= Some(Right::Write), "pull": right.is_some(),
            },
        })
    }

    pub(super) fn pull_json(&self, repo: &Repo, pull: &FakePull) -> Value {
        let head_repo = pull.head_repo.as_ref().map(|full| {
            let (owner, name) = full.split_once('/').unwrap();
            json!({ "name": name, "full_name": full, "owner": self.user_json(owner) })
        });
        let main = repo.branches.get("main");
        json!({
            "id": pull.number, "number": pull.number, "title": pull.title, "user": self.user_json(&pull.author),
            "state": if pull.open { "open" } else { "closed" }, "draft": false, "is_locked": pull.locked,
            "merged": false, "merge_base": main, "body": "",
            "html_url": format!("{HOME}/{}/{}/pulls/{}", repo.owner, repo.name, pull.number),
            "base": { "label": "main", "ref": "main", "sha": main, "repo": self.repo_json(repo, Some(Right::Read)) },
            "head": { "label": pull.branch, "ref": pull.branch, "sha": pull.sha, "repo": head_repo },
            "created_at": pull.created.to_string(), "updated_at": pull.updated.to_string(), "closed_at": null,
        })
    }

    pub(super) fn found_json(&self, repo: &Repo, pull: &FakePull) -> Value {
        let full = format!("{}/{}", repo.owner, repo.name);
        json!({
            "id": pull.number, "number": pull.number, "title": pull.title, "user": self.user_json(&pull.author),
            "state": if pull.open { "open" } else { "closed" }, "is_locked": pull.locked,
            "updated_at": pull.updated.to_string(), "created_at": pull.created.to_string(),
            "pull_request": { "merged": false, "draft": false },
            "repository": { "id": repo.id, "name": repo.name, "owner": repo.owner, "full_name": full },
        })
    }

    pub(super) fn comment_json(&self, comment: &FakeComment) -> Value {
        let repo = self.repos.values().find(|repo| repo.id == comment.repo).unwrap();
        let is_pull = repo.pulls.contains_key(&comment.number);
        let kind = if is_pull { "pulls" } else { "issues" };
        let page = format!("{HOME}/{}/{}/{kind}/{}", repo.owner, repo.name, comment.number);
        json!({
            "id": comment.id, "html_url": format!("{page}#issuecomment-{}", comment.id),
            "pull_request_url": if is_pull { &page } else { "" }, "issue_url": if is_pull { "" } else { &page },
            "user": self.user_json(&comment.author), "original_author": "", "original_author_id": 0,
            "body": comment.body, "assets": [],
            "created_at": comment.created.to_string(), "updated_at": comment.updated.to_string(),
        })
    }
}

/// The secret is never returned.
pub(super) fn hook_json(hook: &FakeHook) -> Value {
    json!({
        "id": hook.id, "name": "", "type": "gitea", "branch_filter": "*", "active": hook.active, "events": hook.events,
        "config": { "url": hook.url, "content_type": hook.content_type }, "authorization_header": "",
    })
}
