//! What the forge sends to hooks: signed, once, without waiting for a good answer.

use std::sync::Arc;
use std::sync::atomic::Ordering;

use hmac::{Hmac, KeyInit as _, Mac as _};
use serde_json::{Value, json};
use sha2::Sha256;

use super::world::{FakeHook, Right, World};
use super::{Shared, lock};

/// Something that hooks may want to know.
#[derive(Debug)]
pub(super) struct Parcel {
    /// `owner/name`.
    repo: String,
    event: &'static str,
    kind: &'static str,
    body: Value,
}

/// A delivery as it was sent.
#[derive(Debug, Clone)]
pub(crate) struct Sent {
    pub(crate) url: String,
    pub(crate) headers: Vec<(&'static str, String)>,
    pub(crate) body: String,
    number: usize,
}

impl Sent {
    fn new(hook: &FakeHook, parcel: &Parcel) -> Self {
        let body = parcel.body.to_string();
        let mac = Hmac::<Sha256>::new_from_slice(hook.secret.as_bytes()).unwrap().chain_update(&body);
        let signature = hex::encode(mac.finalize().into_bytes());
        let headers = vec![
            ("content-type", "application/json".to_owned()),
            ("x-gitea-event", parcel.event.to_owned()),
            ("x-gitea-event-type", parcel.kind.to_owned()),
            ("x-hub-signature-256", format!("sha256={signature}")),
            ("x-gitea-signature", signature),
        ];
        Self { url: hook.url.clone(), headers, body, number: 0 }
    }

    pub(super) fn again(&self) -> Self {
        Self { number: 0, ..self.clone() }
    }

    /// The id of this one sending.
    pub(crate) fn delivery(&self) -> String {
        format!("00000000-0000-4000-8000-{:012}", self.number)
    }
}

/// Sends what has come up to the hooks that want it.
pub(super) fn send(world: &mut World, shared: &Arc<Shared>) {
    for parcel in std::mem::take(&mut world.parcels) {
        let Some(repo) = world.repos.get(&parcel.repo) else { continue };
        let of_organisation = world.organisations.get(&repo.owner).map(|it| it.hooks.as_slice()).unwrap_or_default();
        // A hook on `issue_comment` alone is not told of comments on pull requests.
        let wants = |hook: &&FakeHook| hook.active && hook.events.contains(parcel.kind);
        for hook in repo.hooks.iter().chain(of_organisation).filter(wants) {
            post(Sent::new(hook, &parcel), shared);
        }
    }
}

/// Sends once; what comes back is noted, and of no interest.
pub(super) fn post(mut sent: Sent, shared: &Arc<Shared>) {
    {
        let mut all = lock(&shared.sent);
        sent.number = all.len() + 1;
        all.push(sent.clone());
    }
    if shared.held.load(Ordering::Relaxed) {
        return;
    }
    let shared = Arc::clone(shared);
    tokio::spawn(async move {
        let client = reqwest::Client::builder().no_proxy().build().unwrap();
        let mut request = client.post(&sent.url).header("x-gitea-delivery", sent.delivery());
        for (name, value) in sent.headers {
            request = request.header(name, value);
        }
        let answer = request.body(sent.body).send().await;
        lock(&shared.taken).push(answer.ok().map(|answer| answer.status().as_u16()));
    });
}

impl World {
    fn tell(&mut self, repo: &str, event: &'static str, kind: &'static str, by: &str, mut body: Value) {
        body["repository"] = self.repo_json(&self.repos[repo], Some(Right::Admin));
        body["sender"] = self.user_json(by);
        self.parcels.push(Parcel { repo: repo.to_owned(), event, kind, body });
    }

    pub(super) fn tell_of_comment(&mut self, id: i64, action: &str, by: &str) {
        let comment = &self.comments[&id];
        let repo = self.repos.values().find(|repo| repo.id == comment.repo).unwrap();
        let full = format!("{}/{}", repo.owner, repo.name);
        let pull = repo.pulls.get(&comment.number);
        let mut body = json!({
            "action": action, "issue": { "number": comment.number }, "comment": self.comment_json(comment),
            "is_pull": pull.is_some(),
        });
        if let Some(pull) = pull {
            body["pull_request"] = self.pull_json(repo, pull);
        }
        let kind = if pull.is_some() { "pull_request_comment" } else { "issue_comment" };
        self.tell(&full, "issue_comment", kind, by, body);
    }

    pub(super) fn tell_of_pull(&mut self, full: &str, number: i64, action: &str, by: &str) {
        let repo = &self.repos[full];
        let body =
            json!({ "action": action, "number": number, "pull_request": self.pull_json(repo, &repo.pulls[&number]) });
        let kind = if action == "synchronized" { "pull_request_sync" } else { "pull_request" };
        self.tell(full, "pull_request", kind, by, body);
    }

    pub(super) fn tell_of_push(&mut self, full: &str, branch: &str, by: &str) {
        let body = json!({ "ref": format!("refs/heads/{branch}"), "after": self.repos[full].branches.get(branch) });
        self.tell(full, "push", "push", by, body);
    }

    /// A tag comes twice.
    pub(super) fn tell_of_tag(&mut self, full: &str, name: &str, by: &str) {
        let tag = self.repos[full].tags.iter().find(|(tag, ..)| tag == name);
        let id = tag.map(|(_, id, _)| id.clone());
        self.tell(full, "create", "create", by, json!({ "sha": id, "ref": name, "ref_type": "tag" }));
        self.tell(full, "push", "push", by, json!({ "ref": format!("refs/tags/{name}"), "after": id }));
    }
}
