//! What the forge says about somebody who asks, and about the pull request: everything a decision rests on.

use futures_util::future::try_join4;

use super::{Service, held};
use crate::adapters::forge::{ForgeError, Membership, Pull, Reason, Refusal};
use crate::adapters::store::Heard;
use crate::domain::forge::{Login, RepoName};
use crate::domain::ids::RecipeName;
use crate::domain::intake::{
    CommentFacts, Context, HeadEvidence, Place, PullFacts, PullState, Push, Pushers, Rights, head_then,
};
use crate::engine::EngineError;

/// What is said to somebody without rights is noted in these words, and looked for before it is said again.
pub(super) const REFUSED_OUTSIDER: &str = "refused: no rights";

impl Service {
    /// What stands around a comment. Independent questions are asked at once.
    pub(super) async fn context(&self, heard: &Heard) -> Result<(CommentFacts, Context), EngineError> {
        let (forge, repo) = (&self.shared.forge, &heard.repository);
        let own = held(&self.shared.capabilities).as_ref().and_then(|it| it.login.clone());
        let (pull, repository, rights, told_before) = try_join4(
            async { forge.pull(repo, heard.pull).await.map_err(EngineError::from) },
            async { forge.repository(repo).await.map_err(EngineError::from) },
            self.rights(repo, &heard.author),
            async {
                let store = &self.shared.gate.store;
                Ok(store.settled_before(repo, heard.pull, &heard.author, REFUSED_OUTSIDER).await?)
            },
        )
        .await?;
        self.see_head(repo, heard.pull, &pull.head.sha).await?;
        let (pushers, pushes) =
            futures_util::future::try_join(self.pushers(repo, &pull), self.pushes(heard, &pull)).await?;
        let last_seen = self.shared.gate.store.head_before(repo, heard.pull, heard.written_at).await?;
        let evidence =
            HeadEvidence { by_hook: heard.head.as_ref(), pushes: pushes.as_deref(), last_seen: last_seen.as_ref() };
        let then = head_then(&pull.head.sha, heard.written_at, evidence);
        let comment = CommentFacts {
            id: heard.comment.get(),
            author: heard.author.to_string(),
            body: heard.body.clone(),
            created_at: heard.written_at,
            updated_at: heard.updated_at,
            edited: false,
            place: Place::Pull,
        };
        let state = match (pull.open, pull.merged) {
            (true, _) => PullState::Open,
            (false, true) => PullState::Merged,
            (false, false) => PullState::Closed,
        };
        let context = Context {
            own_account: own.or_else(|| forge.bot_login().cloned()).map(|login| login.to_string()),
            recipe: self.is_enrolled(repo).then(|| RecipeName::parse(repo.name()).ok()).flatten(),
            rights,
            pull: PullFacts {
                state,
                silenced: pull.locked && !repository.may_push,
                archived: repository.archived,
                head: pull.head.sha.clone(),
                then,
                pushers,
            },
            told_before,
        };
        Ok((comment, context))
    }

    /// Write access to the repository, or membership of its organisation.
    async fn rights(&self, repo: &RepoName, who: &Login) -> Result<Rights, EngineError> {
        let forge = &self.shared.forge;
        let (writers, member) =
            tokio::join!(forge.assignees(repo), forge.member(&self.shared.watched.organisation, who));
        if writers?.items.contains(who) {
            return Ok(Rights::Trusted);
        }
        Ok(match member {
            Ok(Membership::Member) => Rights::Trusted,
            Ok(Membership::NotMember) => Rights::Outsider,
            Ok(Membership::Unseen) => Rights::MembershipUnseen,
            // The token has no `read:organization`: that was said at the start.
            Err(ForgeError::Refused(Refusal { reason: Reason::MissingScope { .. } | Reason::Forbidden, .. })) => {
                Rights::MembershipUnseen
            }
            Err(error) => return Err(error.into()),
        })
    }

    async fn pushers(&self, repo: &RepoName, pull: &Pull) -> Result<Pushers, EngineError> {
        let Some(from) = &pull.head.repo else { return Ok(Pushers::Outsiders) };
        if from == repo {
            return Ok(Pushers::Trusted);
        }
        Ok(match self.rights(repo, from.owner()).await? {
            Rights::Trusted => Pushers::Trusted,
            Rights::Outsider | Rights::MembershipUnseen => Pushers::Outsiders,
        })
    }

    /// The pushes in the timeline; `None`: it cannot be read whole.
    async fn pushes(&self, heard: &Heard, pull: &Pull) -> Result<Option<Vec<Push>>, EngineError> {
        if heard.head.is_some() {
            // The webhook's own body says it better.
            return Ok(None);
        }
        let found = self.shared.forge.pushes(&heard.repository, heard.pull, pull.created_at).await?;
        let push =
            |event: crate::adapters::forge::PushEvent| Push { at: event.at, head: event.commits.last().cloned() };
        Ok(found.complete.then(|| found.items.into_iter().map(push).collect()))
    }
}
