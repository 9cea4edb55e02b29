//! Our webhook on the forge: what it should be, and the least that must be done to make it so.
//!
//! The forge never returns a hook's secret, so a fingerprint of the one last set is remembered per hook. It stores more
//! events than were asked for, so that the stored ones must *contain* the wanted ones. It takes the same address twice.

use std::collections::{BTreeMap, BTreeSet};

use hmac::{Hmac, KeyInit as _, Mac as _};
use reqwest::Method;
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde_json::{Value, json};
use sha2::Sha256;

use super::model::cut;
use super::wire::Request;
use crate::domain::forge::{HookId, Login, RepoName};

/// What wakes the gate. A comment on a pull request is `pull_request_comment` to a hook, `issue_comment` to an older forge.
pub const HOOK_EVENTS: [&str; 6] =
    ["create", "issue_comment", "pull_request", "pull_request_comment", "pull_request_sync", "push"];

/// Whose hook.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum HookScope {
    /// One for all repositories of an organisation; its owner may make it.
    Organisation(Login),
    /// One repository's; its admin may make it.
    Repository(RepoName),
}

impl HookScope {
    pub(super) fn request(&self, method: Method, verb: &str, id: Option<HookId>) -> Request {
        let id = id.map(|id| id.to_string()).unwrap_or_default();
        let end = if id.is_empty() { "" } else { "/{}" };
        match self {
            Self::Organisation(login) => {
                Request::new(method, format!("{verb} {login}"), &format!("orgs/{{}}/hooks{end}"), &[login, &id])
            }
            Self::Repository(repo) => {
                let parts: [&dyn std::fmt::Display; 3] = [repo.owner(), &repo.name(), &id];
                Request::new(method, format!("{verb} {repo}"), &format!("repos/{{}}/{{}}/hooks{end}"), &parts)
            }
        }
    }
}

/// A hook as the forge shows it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hook {
    /// Its id.
    pub id: HookId,
    /// Where it sends to.
    pub url: String,
    /// How: `json` or `form`.
    pub content_type: String,
    /// What it sends, as the forge expands it.
    pub events: BTreeSet<String>,
    /// Whether it is switched on.
    pub active: bool,
}

#[derive(Deserialize)]
pub(super) struct WireHook {
    id: HookId,
    #[serde(default)]
    config: BTreeMap<String, String>,
    #[serde(default)]
    events: Option<Vec<String>>,
    #[serde(default)]
    active: bool,
}

impl WireHook {
    pub(super) fn read(mut self) -> Result<Hook, String> {
        let mut setting = |name: &str| cut(self.config.remove(name).unwrap_or_default(), 1 << 10);
        Ok(Hook {
            id: self.id,
            url: setting("url"),
            content_type: setting("content_type"),
            events: self.events.unwrap_or_default().into_iter().take(100).collect(),
            active: self.active,
        })
    }
}

/// The hook we want.
#[derive(Debug, Clone)]
pub struct WantedHook {
    /// Where the gate listens.
    pub url: String,
    /// What it signs with.
    pub secret: SecretString,
}

impl WantedHook {
    /// What is remembered of the secret: tells a rotated one from the same one, and cannot be turned back.
    #[must_use]
    pub fn fingerprint(&self) -> String {
        // HMAC takes a key of any length.
        Hmac::<Sha256>::new_from_slice(self.secret.expose_secret().as_bytes())
            .map(|mac| hex::encode(mac.chain_update(b"cc-ci hook secret").finalize().into_bytes()))
            .unwrap_or_default()
    }

    pub(super) fn body(&self) -> Value {
        json!({
            "type": "gitea",
            "active": true,
            "branch_filter": "*",
            "events": HOOK_EVENTS,
            "config": { "url": self.url, "content_type": "json", "secret": self.secret.expose_secret() },
        })
    }

    fn is_met_by(&self, hook: &Hook, remembered: &BTreeMap<HookId, String>) -> bool {
        hook.url == self.url
            && hook.content_type == "json"
            && hook.active
            && HOOK_EVENTS.iter().all(|event| hook.events.contains(*event))
            && remembered.get(&hook.id).is_some_and(|fingerprint| *fingerprint == self.fingerprint())
    }
}

/// One thing to do. What was made or updated is remembered with [`WantedHook::fingerprint`], what was removed forgotten.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum HookAction {
    /// Make it.
    Create,
    /// Set everything of this one.
    Update(HookId),
    /// Remove this one: it is ours and one too many.
    Remove(HookId),
}

/// What must be done so that exactly one hook is ours and as wanted; nothing when that is so already. Ours is what sends
/// to our address or was made by us (its id is remembered); all others are left alone.
#[must_use]
pub fn reconcile(existing: &[Hook], wanted: &WantedHook, remembered: &BTreeMap<HookId, String>) -> Vec<HookAction> {
    let mut ours: Vec<&Hook> =
        existing.iter().filter(|hook| hook.url == wanted.url || remembered.contains_key(&hook.id)).collect();
    ours.sort_by_key(|hook| (!wanted.is_met_by(hook, remembered), hook.url != wanted.url, hook.id));
    let Some((keep, surplus)) = ours.split_first() else { return vec![HookAction::Create] };
    let update = (!wanted.is_met_by(keep, remembered)).then_some(HookAction::Update(keep.id));
    update.into_iter().chain(surplus.iter().map(|hook| HookAction::Remove(hook.id))).collect()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn wanted(secret: &str) -> WantedHook {
        WantedHook { url: "https://ci.example.org/hooks/forge".to_owned(), secret: SecretString::from(secret) }
    }

    /// As the forge would store it.
    fn stored(id: i64, url: &str, events: &[&str]) -> Hook {
        let mut events: BTreeSet<String> = events.iter().map(|event| (*event).to_owned()).collect();
        if events.contains("pull_request") {
            events.extend(["pull_request_assign", "pull_request_label", "pull_request_review"].map(str::to_owned));
        }
        let id = HookId::new(id).unwrap();
        Hook { id, url: url.to_owned(), content_type: "json".to_owned(), events, active: true }
    }

    #[test]
    fn s47_every_deviation_is_set_right_once() {
        let (wanted, rotated) = (wanted("new"), wanted("old"));
        let known = |id: i64| BTreeMap::from([(HookId::new(id).unwrap(), wanted.fingerprint())]);
        let id = |id| HookId::new(id).unwrap();
        let good = stored(7, &wanted.url, &HOOK_EVENTS);
        let foreign = stored(1, "https://else.example.org/", &["push"]);

        assert_eq!(reconcile(std::slice::from_ref(&foreign), &wanted, &BTreeMap::new()), [HookAction::Create]);
        assert_eq!(reconcile(&[foreign.clone(), good.clone()], &wanted, &known(7)), []);
        let wrong = [
            stored(7, "https://old.example.org/hooks/forge", &HOOK_EVENTS),
            stored(7, &wanted.url, &["push"]),
            Hook { active: false, ..good.clone() },
            Hook { content_type: "form".to_owned(), ..good.clone() },
        ];
        for hook in wrong {
            assert_eq!(reconcile(&[hook], &wanted, &known(7)), [HookAction::Update(id(7))]);
        }
        let old = BTreeMap::from([(id(7), rotated.fingerprint())]);
        assert_eq!(reconcile(std::slice::from_ref(&good), &wanted, &old), [HookAction::Update(id(7))], "rotated");
        assert_eq!(reconcile(std::slice::from_ref(&good), &wanted, &BTreeMap::new()), [HookAction::Update(id(7))]);
        let twice = [stored(3, &wanted.url, &["push"]), foreign, good];
        assert_eq!(reconcile(&twice, &wanted, &known(7)), [HookAction::Remove(id(3))], "the good one stays");
    }

    proptest! {
        #[test]
        fn s47_a_second_pass_changes_nothing(
            hooks in prop::collection::vec((any::<bool>(), prop::sample::subsequence(HOOK_EVENTS.to_vec(), 0..=6), any::<bool>()), 0..6),
            known in prop::collection::btree_map(1_i64..7, any::<bool>(), 0..6),
        ) {
            let (wanted, old) = (wanted("new"), wanted("old"));
            let mut hooks: Vec<Hook> = (1..).zip(hooks).map(|(id, (ours, events, active))| {
                let url = if ours { wanted.url.as_str() } else { "https://else.example.org/" };
                Hook { active, ..stored(id, url, &events) }
            }).collect();
            let print = |new: bool| if new { wanted.fingerprint() } else { old.fingerprint() };
            let mut known: BTreeMap<HookId, String> =
                known.into_iter().map(|(id, new)| (HookId::new(id).unwrap(), print(new))).collect();
            for action in reconcile(&hooks, &wanted, &known) {
                let id = match action {
                    HookAction::Create => HookId::new(99).unwrap(),
                    HookAction::Update(id) | HookAction::Remove(id) => id,
                };
                hooks.retain(|hook| hook.id != id);
                known.remove(&id);
                if !matches!(action, HookAction::Remove(_)) {
                    hooks.push(stored(id.get(), &wanted.url, &HOOK_EVENTS));
                    known.insert(id, wanted.fingerprint());
                }
            }
            prop_assert_eq!(reconcile(&hooks, &wanted, &known), []);
            prop_assert_eq!(hooks.iter().filter(|hook| hook.url == wanted.url).count(), 1);
        }
    }
}
