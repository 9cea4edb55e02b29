//! Stages (the steps of a run) and rungs (the claims that a report makes).

use serde::{Deserialize, Serialize};

/// A step of a run, in the order in which a run goes through them.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Stage {
    /// Connect, claim the target, sweep, take the inventory, start the runner.
    Prepare,
    /// Static rules over the recipe's files.
    Lint,
    /// A fresh deploy of the base, which must run and answer before it can be upgraded.
    Base,
    /// Data that must survive: what the tests file says, and a file in every volume.
    Seed,
    /// Head, deployed in place over the base with the base's own app env; the data is still there, and the checks hold.
    Upgrade,
    /// What the recipe's backup labels say is kept, as operators' tools do.
    Backup,
    /// The app goes with its volumes; its secrets stay.
    Destroy,
    /// A fresh deploy of head, convergence, readiness and the zero-config floor.
    Install,
    /// The maintainers' own checks, on the fresh deploy.
    Checks,
    /// The backup comes back into a fresh deploy, and the data with it.
    Restore,
    /// Checks that are run only where they are asked for (`--extra`).
    Extra,
    /// The app stays up for a person to look at (`--keep`).
    Keep,
    /// Everything of this run goes, and the target is compared with what it was before.
    Teardown,
}

impl Stage {
    /// All stages, in order. Without a base the install comes before the data, see [`run_plan`](super::run_plan).
    pub const ALL: [Self; 13] = [
        Self::Prepare,
        Self::Lint,
        Self::Base,
        Self::Seed,
        Self::Upgrade,
        Self::Backup,
        Self::Destroy,
        Self::Install,
        Self::Checks,
        Self::Restore,
        Self::Extra,
        Self::Keep,
        Self::Teardown,
    ];

    /// The stage's name in results, logs and the database.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Prepare => "prepare",
            Self::Lint => "lint",
            Self::Base => "base",
            Self::Seed => "seed",
            Self::Upgrade => "upgrade",
            Self::Backup => "backup",
            Self::Destroy => "destroy",
            Self::Install => "install",
            Self::Checks => "checks",
            Self::Restore => "restore",
            Self::Extra => "extra",
            Self::Keep => "keep",
            Self::Teardown => "teardown",
        }
    }

    /// The stage of that name.
    #[must_use]
    pub fn named(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|stage| stage.name() == name)
    }

    /// The rung that a failure of this stage fails (design §4, *Verdict*). Base, seed, keep and teardown fail none.
    #[must_use]
    pub const fn rung(self) -> Option<Rung> {
        match self {
            Self::Lint => Some(Rung::Lint),
            Self::Prepare | Self::Install => Some(Rung::Install),
            Self::Upgrade => Some(Rung::Upgrade),
            Self::Backup | Self::Destroy | Self::Restore => Some(Rung::Backup),
            Self::Checks | Self::Extra => Some(Rung::Checks),
            Self::Base | Self::Seed | Self::Keep | Self::Teardown => None,
        }
    }
}

/// A claim that the report makes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Rung {
    /// No rule is broken that provably stops a deploy or an upgrade.
    Lint,
    /// A fresh deploy of head runs and answers.
    Install,
    /// The base, upgraded in place, runs head and keeps its data.
    Upgrade,
    /// Data comes back from a backup after everything was destroyed.
    Backup,
    /// The maintainers' own checks hold.
    Checks,
}

impl Rung {
    /// All rungs, from the first.
    pub const ALL: [Self; 5] = [Self::Lint, Self::Install, Self::Upgrade, Self::Backup, Self::Checks];

    /// The rung's name in results and pages.
    #[must_use]
    pub const fn name(self) -> &'static str {
        match self {
            Self::Lint => "lint",
            Self::Install => "install",
            Self::Upgrade => "upgrade",
            Self::Backup => "backup",
            Self::Checks => "checks",
        }
    }
}

/// What became of a rung.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum RungState {
    /// Shown to hold.
    Pass,
    /// Shown not to hold.
    Fail,
    /// There is nothing to show, e.g. no older version to upgrade from.
    NotApplicable,
    /// Nothing was shown either way; the reason says why.
    NotVerified,
}
