//! Webhooks: a delivery only makes the gate look sooner; what it says is checked against its secret and stored like what a
//! poll finds. And, where operators want that, the gate keeps its own hook on the forge.

use std::sync::atomic::Ordering;
use std::time::Duration;

use reqwest::header::HeaderMap;

use super::Service;
use crate::adapters::forge::webhook::{self, CommentAction, Delivery, DeliveryError};
use crate::adapters::forge::{
    ForgeError, Hook, HookAction, HookScope, Outcome, Reason, Refusal, WantedHook, reconcile,
};
use crate::adapters::store::BroughtBy;
use crate::engine::EngineError;

/// Between two looks at the gate's own hook.
pub(super) const PAUSE: Duration = Duration::from_secs(600);

/// What became of a delivery.
#[derive(Debug)]
pub enum Delivered {
    /// It was taken.
    Taken,
    /// No webhooks are set up.
    NotSetUp,
    /// It is not signed with a valid secret.
    NotAuthentic,
    /// It cannot be read.
    Wrong(DeliveryError),
    /// The database did not take it: the forge's log should show that.
    Failed(EngineError),
}

impl Service {
    /// Takes a delivery.
    pub async fn deliver(&self, headers: &HeaderMap, body: &[u8]) -> Delivered {
        let secrets = &self.shared.watched.webhook_secrets;
        if secrets.is_empty() {
            return Delivered::NotSetUp;
        }
        if !webhook::is_authentic(secrets, headers, body) {
            return Delivered::NotAuthentic;
        }
        match webhook::read(headers, body) {
            Ok(delivery) => match self.take_delivery(delivery).await {
                Ok(()) => Delivered::Taken,
                Err(error) => Delivered::Failed(error),
            },
            Err(error) => Delivered::Wrong(error),
        }
    }

    async fn take_delivery(&self, delivery: Delivery) -> Result<(), EngineError> {
        let wake = &self.shared.wake;
        match delivery {
            // An edit may be somebody else's than the author's, and never asks for anything.
            Delivery::Comment(it) if it.action == CommentAction::Created && self.is_enrolled(&it.repo) => {
                let by = if self.was_there_before(&it.comment).await? { BroughtBy::Before } else { BroughtBy::Webhook };
                self.take_in(&it.repo, it.pull, it.comment, it.head, by).await?;
            }
            Delivery::Pull { repo, number, head, .. } if self.is_enrolled(&repo) => {
                self.see_head(&repo, number, &head).await?;
            }
            Delivery::Push { repo, is_default: true, .. } | Delivery::Tag { repo, .. } if self.is_enrolled(&repo) => {
                wake.references.notify_one();
            }
            // The list of watched recipes may have changed.
            Delivery::Push { repo, .. } if Some(&repo) == self.shared.watched.tests_repository.as_ref() => {
                wake.references.notify_one();
            }
            Delivery::Comment(_) | Delivery::Pull { .. } | Delivery::Push { .. } | Delivery::Tag { .. } => {}
            Delivery::Other(what) => tracing::debug!(what, "a delivery that the gate does not need"),
        }
        Ok(())
    }

    /// Sees to it that exactly one hook on the forge is the gate's, and as it should be.
    pub(super) async fn keep_hook(&self) -> Result<(), EngineError> {
        let Some(wanted) = &self.shared.watched.hook else { return Ok(()) };
        let organisation = HookScope::Organisation(self.shared.watched.organisation.clone());
        match self.reconciled(&organisation, wanted).await {
            Err(EngineError::Forge(ForgeError::Refused(refusal))) if is_no_right(&refusal) => {}
            other => return other,
        }
        let mut kept = 0;
        for repository in self.enrolled_repositories().await?.into_iter().filter(|it| it.is_admin) {
            match self.reconciled(&HookScope::Repository(repository.name), wanted).await {
                Ok(()) => kept += 1,
                Err(EngineError::Forge(ForgeError::Refused(refusal))) if is_no_right(&refusal) => {}
                Err(error) => return Err(error),
            }
        }
        if kept == 0 && !self.shared.hooks_refused.swap(true, Ordering::Relaxed) {
            tracing::warn!(
                "the hook cannot be set up: the account must own the organisation or be admin of its repositories, and the token needs write:repository and write:organization; polling goes on"
            );
        }
        Ok(())
    }

    async fn reconciled(&self, scope: &HookScope, wanted: &WantedHook) -> Result<(), EngineError> {
        let (store, forge) = (&self.shared.gate.store, &self.shared.forge);
        let name = match scope {
            HookScope::Organisation(login) => login.to_string(),
            HookScope::Repository(repo) => repo.to_string(),
        };
        let existing = forge.hooks(scope).await?;
        if !existing.complete {
            return Err(EngineError::Target("the forge's list of hooks was cut short".to_owned()));
        }
        let remembered = store.hooks(&name).await?;
        for action in reconcile(&existing.items, wanted, &remembered) {
            let fingerprint = wanted.fingerprint();
            match action {
                HookAction::Create => {
                    let made: Hook = done(forge.create_hook(scope, wanted).await)?;
                    store.keep_hook(&name, made.id, Some(&fingerprint)).await?;
                    tracing::info!(scope = name, "the hook was made");
                }
                HookAction::Update(id) => {
                    done(forge.update_hook(scope, id, wanted).await)?;
                    store.keep_hook(&name, id, Some(&fingerprint)).await?;
                    tracing::info!(scope = name, "the hook was set right");
                }
                HookAction::Remove(id) => {
                    done(forge.delete_hook(scope, id).await)?;
                    store.keep_hook(&name, id, None).await?;
                    tracing::info!(scope = name, "a hook too many was removed");
                }
            }
        }
        Ok(())
    }
}

/// What was not done now is looked at again at the next round: the list says what became of it.
fn done<T>(outcome: Outcome<T>) -> Result<T, EngineError> {
    match outcome {
        Outcome::Done(it) => Ok(it),
        Outcome::Refused(refusal) => Err(ForgeError::Refused(refusal).into()),
        Outcome::Later(why) | Outcome::Unknown(why) => Err(EngineError::Target(why)),
    }
}

const fn is_no_right(refusal: &Refusal) -> bool {
    matches!(refusal.reason, Reason::MissingScope { .. } | Reason::Forbidden | Reason::NotFound)
}
