//! The deploys of a run: base, upgrade in place, fresh. What is known of one is kept apart from what is known of the others.

use crate::domain::stage::Stage;

/// One of a run's deploys.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Deploy {
    /// The base, onto nothing.
    Base,
    /// The next candidate, onto nothing: the base does not deploy.
    NextBase,
    /// Head, over the base.
    Upgrade,
    /// Head, onto nothing.
    Fresh,
    /// The same once more: nobody's fault is known, and it may come up now.
    Repeat,
    /// The same once more: the backup was taken of the first fresh deploy, since there was no base.
    Again,
}

/// What is kept of a deploy.
#[derive(Debug, Clone, Copy)]
pub(super) enum Fact {
    /// That the deploy call was about to be made.
    Called,
    /// The specs as Swarm had them right after the call.
    Wanted,
    /// What the fold remembers.
    Memory,
    /// That everything ran once, and after how long.
    Converged,
    /// The answers that the tests file waits for.
    Ready,
    /// What the zero-config floor saw.
    Floor,
}

impl Deploy {
    /// All of them, in order.
    pub(super) const ALL: [Self; 6] =
        [Self::Base, Self::NextBase, Self::Upgrade, Self::Fresh, Self::Repeat, Self::Again];

    /// The stage that it belongs to.
    pub(super) const fn stage(self) -> Stage {
        match self {
            Self::Base | Self::NextBase => Stage::Base,
            Self::Upgrade => Stage::Upgrade,
            Self::Fresh | Self::Repeat => Stage::Install,
            Self::Again => Stage::Restore,
        }
    }

    /// The name of a step or a phase of it. Those of the fresh deploy have the plain one.
    pub(super) fn named(self, what: &str) -> String {
        match self {
            Self::Base => format!("base {what}"),
            Self::NextBase => format!("next base {what}"),
            Self::Upgrade => format!("upgrade {what}"),
            Self::Fresh => what.to_owned(),
            Self::Repeat => format!("second {what}"),
            Self::Again => format!("restore {what}"),
        }
    }

    /// The folder with its files in the runner.
    pub(super) const fn folder(self) -> &'static str {
        match self {
            Self::Base => "/cc-ci/base",
            Self::NextBase => "/cc-ci/next-base",
            Self::Upgrade => "/cc-ci/upgrade",
            Self::Fresh | Self::Repeat | Self::Again => crate::domain::protocol::RECIPE,
        }
    }

    /// Under which key something is kept.
    pub(super) const fn key(self, fact: Fact) -> &'static str {
        match (self, fact) {
            (Self::Base, Fact::Called) => "base_deploys",
            (Self::Base, Fact::Wanted) => "base_wanted",
            (Self::Base, Fact::Memory) => "base_memory",
            (Self::Base, Fact::Converged) => "base_converged",
            (Self::Base, Fact::Ready) => "base_ready",
            (Self::Base, Fact::Floor) => "base_floor",
            (Self::NextBase, Fact::Called) => "next_base_deploys",
            (Self::NextBase, Fact::Wanted) => "next_base_wanted",
            (Self::NextBase, Fact::Memory) => "next_base_memory",
            (Self::NextBase, Fact::Converged) => "next_base_converged",
            (Self::NextBase, Fact::Ready) => "next_base_ready",
            (Self::NextBase, Fact::Floor) => "next_base_floor",
            (Self::Upgrade, Fact::Called) => "upgrade_deploys",
            (Self::Upgrade, Fact::Wanted) => "upgrade_wanted",
            (Self::Upgrade, Fact::Memory) => "upgrade_memory",
            (Self::Upgrade, Fact::Converged) => "upgrade_converged",
            (Self::Upgrade, Fact::Ready) => "upgrade_ready",
            (Self::Upgrade, Fact::Floor) => "upgrade_floor",
            (Self::Fresh, Fact::Called) => "fresh_deploys",
            (Self::Fresh, Fact::Wanted) => "wanted",
            (Self::Fresh, Fact::Memory) => "memory",
            (Self::Fresh, Fact::Converged) => "converged",
            (Self::Fresh, Fact::Ready) => "ready",
            (Self::Fresh, Fact::Floor) => "floor",
            (Self::Repeat, Fact::Called) => "repeat_deploys",
            (Self::Repeat, Fact::Wanted) => "repeat_wanted",
            (Self::Repeat, Fact::Memory) => "repeat_memory",
            (Self::Repeat, Fact::Converged) => "repeat_converged",
            (Self::Repeat, Fact::Ready) => "repeat_ready",
            (Self::Repeat, Fact::Floor) => "repeat_floor",
            (Self::Again, Fact::Called) => "again_deploys",
            (Self::Again, Fact::Wanted) => "again_wanted",
            (Self::Again, Fact::Memory) => "again_memory",
            (Self::Again, Fact::Converged) => "again_converged",
            (Self::Again, Fact::Ready) => "again_ready",
            (Self::Again, Fact::Floor) => "again_floor",
        }
    }
}
