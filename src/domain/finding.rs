//! Findings: one diagnosed cause each, with evidence and somebody whose fault it is.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::stage::{Rung, Stage};

pub mod sentences;

/// Declares the kinds once: what it means, identifier, name in results, default class, advice.
macro_rules! kinds {
    ($(#[doc = $meaning:literal] $kind:ident $name:literal $class:ident $advice:literal;)*) => {
        /// What went wrong. The names are stable: tests, pages and other programs rely on them.
        #[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
        #[cfg_attr(test, derive(schemars::JsonSchema))]
        pub enum FindingKind { $(#[doc = $meaning] #[serde(rename = $name)] $kind),* }

        impl FindingKind {
            /// All kinds.
            pub const ALL: &'static [Self] = &[$(Self::$kind),*];

            /// The stable identifier.
            #[must_use]
            pub const fn name(self) -> &'static str {
                match self { $(Self::$kind => $name),* }
            }

            /// One sentence that says what has happened.
            #[must_use]
            pub const fn meaning(self) -> &'static str {
                match self { $(Self::$kind => $meaning.trim_ascii()),* }
            }

            /// Whose fault it usually is; a finding may know better.
            #[must_use]
            pub const fn class(self) -> Class {
                match self { $(Self::$kind => Class::$class),* }
            }

            /// One sentence that says what to do.
            #[must_use]
            pub const fn advice(self) -> &'static str {
                match self { $(Self::$kind => $advice),* }
            }
        }
    };
}

kinds! {
    /// A service exits again and again while everything it could wait for has settled.
    CrashLoop "crash_loop" Recipe "Read its last log lines below; the service does not get past them by being restarted.";
    /// A service exits with 0 for ever although its restart condition says that it should run.
    ExitsAtOnce "exits_at_once" Recipe "If it is meant to end, set `deploy.restart_policy.condition: on-failure` or `none`; if not, its command returns too early.";
    /// The healthcheck killed a service before it had started.
    KilledByHealthcheck "killed_by_healthcheck" Recipe "Raise the healthcheck's `start_period` above the observed start time.";
    /// The kernel killed a process that went over its memory limit.
    OutOfMemory "out_of_memory" Recipe "Raise `deploy.resources.limits.memory`, or make the app use less.";
    /// A registry does not have the image.
    ImageMissing "image_missing" Recipe "Check the image's name and tag; it must exist in the registry for everybody.";
    /// A registry refuses an image that only this change uses.
    ImageDenied "image_denied" Recipe "The image is unknown or private; use one that everybody may pull.";
    /// A registry's pull limit is used up.
    RegistryLimit "registry_limit" Infra "Try again later; a registry cache as the mirror of the target's engine asks less often, and may be logged in.";
    /// A registry refuses an image that the base uses too, or does not work.
    RegistryDenied "registry_denied" Infra "The registry refuses what it gave before; see what it says, and try again when it is well.";
    /// No node satisfies a service's constraints or reservations.
    NoNode "no_node" Recipe "Check `deploy.placement` and `deploy.resources.reservations` against a one-node Swarm.";
    /// A published port is taken.
    PortInUse "port_in_use" Recipe "Publish another port, or put the service behind the proxy.";
    /// The compose file names a secret that nobody made.
    MissingSecret "missing_secret" Recipe "Give the secret a `SECRET_…_VERSION` in `.env.sample`, so that it is generated.";
    /// The compose file names an external config that nobody made.
    MissingConfig "missing_config" Recipe "Ship the config as a file of the recipe instead of `external: true`.";
    /// The compose file names an external network that is not there.
    MissingNetwork "missing_network" Recipe "Use the network `proxy`, or let the recipe make its own.";
    /// A bind mount's source does not exist.
    BadMount "bad_mount" Recipe "Use a volume or a config instead of a path of the host.";
    /// An update stopped half-way.
    UpdatePaused "update_paused" Recipe "The new task failed and the update was paused; see its last log lines.";
    /// Swarm went back to the old version.
    RolledBack "rolled_back" Recipe "The new task failed and Swarm went back to the old one; see its last log lines.";
    /// After the upgrade the old version still runs.
    OldVersionRunning "old_version_running" Recipe "The new task never became healthy; see its last log lines.";
    /// Everything runs, but the proxy does not get an answer.
    Unreachable "unreachable" Recipe "Check the router rule and `loadbalancer.server.port` in the labels, and that the service is on the network `proxy`.";
    /// Nothing changed for a long time.
    Stalled "stalled" Unknown "Nothing changed for ten minutes; see what the service logged last.";
    /// A stage or the run reached its time limit.
    Deadline "deadline" Unknown "If the recipe needs longer, raise its `timeout` label.";
    /// The compose file can rule its host.
    HostPower "host_power" Recipe "Remove the mount or privilege, or ask the maintainers of the tests file to allow it: `host_power = \"the reason\"`.";
    /// The target's CPU, memory or disk was used up by something else.
    HostStarved "host_starved" Infra "Give the target more of what was short, or run fewer things on it.";
    /// Something was left behind on the target.
    Leftovers "leftovers" Infra "Run `cc-ci sweep` on the target, then look at what is left there.";
    /// The target could not be reached.
    TargetUnreachable "target_unreachable" Infra "Check the target's network and SSH server, then try again.";
    /// Operators would have to set a variable.
    VariableMissing "variable_missing" Recipe "Give the variable a default in `.env.sample` or in the compose file.";
    /// Data did not survive.
    DataLost "data_lost" Recipe "The data was there before; see which path or volume the new version uses.";
    /// The backup holds nothing.
    BackupEmpty "backup_empty" Recipe "Check the backup labels and what the hook wrote.";
    /// A hook or command of the recipe failed.
    HookFailed "hook_failed" Recipe "See the command's output below.";
    /// Restoring failed.
    RestoreFailed "restore_failed" Recipe "See the command's output below.";
    /// A declared check failed.
    CheckFailed "check_failed" Recipe "See what was expected and what came back.";
    /// The tests file cannot be used.
    TestsInvalid "tests_invalid" Tests "Mend the tests file; the recipe was not judged.";
    /// A rule is broken that provably stops a deploy or an upgrade.
    LintError "lint_error" Recipe "Mend the line that the finding names.";
    /// Red once, green on repeat.
    Flake "flake" Unknown "It passed on the second try; the flake ledger counts it.";
}

/// Whose fault a finding is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Class {
    /// The recipe's.
    Recipe,
    /// The test infrastructure's: never turns a run red.
    Infra,
    /// The tests file's.
    Tests,
    /// Not known from this run alone.
    Unknown,
}

/// One diagnosed cause.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Finding {
    /// What went wrong.
    pub kind: FindingKind,
    /// Whose fault it is.
    pub class: Class,
    /// The rung it fails, if any.
    pub rung: Option<Rung>,
    /// The stage in which it was found.
    pub stage: Stage,
    /// The service it is about, by its name in the compose file.
    pub service: Option<String>,
    /// The cause in one sentence, without a full stop at the end when used as a headline.
    pub sentence: String,
    /// What to do, in one sentence.
    pub advice: String,
    /// When it was decided: the gate's clock corrected to the target's.
    #[cfg_attr(test, schemars(with = "crate::domain::results::schema::Instant"))]
    pub at: Timestamp,
    /// What it rests on, in the order in which it should be read.
    pub evidence: Vec<Evidence>,
}

/// One thing that a finding rests on.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Evidence {
    /// What it is, e.g. `last log lines of app` or `exits of app`.
    pub what: String,
    /// The text, untrusted: escape it where it leaves.
    pub text: String,
}

impl Evidence {
    /// Evidence of that name.
    pub fn new(what: impl Into<String>, text: impl Into<String>) -> Self {
        Self { what: what.into(), text: text.into() }
    }
}

impl Finding {
    /// A finding of that kind with the kind's own class and advice, and the stage's rung. A base fails none, but with the target
    /// the install is lost, too: a run that loses it is tried once more, whatever the stage.
    #[must_use]
    pub fn new(kind: FindingKind, stage: Stage, at: Timestamp, sentence: impl Into<String>) -> Self {
        Self {
            kind,
            class: kind.class(),
            rung: if kind == FindingKind::TargetUnreachable && matches!(stage, Stage::Base | Stage::Seed) {
                Some(Rung::Install)
            } else {
                stage.rung()
            },
            stage,
            service: None,
            sentence: sentence.into(),
            advice: kind.advice().to_owned(),
            at,
            evidence: Vec::new(),
        }
    }

    /// Whether it is another one found again, as by a run that was resumed; times and log lines in its sentence may differ by then.
    /// Of checks, seeds, pages, powers and lint lines several stand side by side, and their sentences name them.
    #[must_use]
    pub fn is_again(&self, other: &Self) -> bool {
        use FindingKind::{CheckFailed, DataLost, HostPower, LintError, Unreachable};
        let side_by_side = matches!(self.kind, CheckFailed | DataLost | HostPower | LintError | Unreachable);
        (self.kind, &self.service, self.stage) == (other.kind, &other.service, other.stage)
            && (!side_by_side || self.sentence == other.sentence)
    }

    /// The same finding about this service.
    #[must_use]
    pub fn about(mut self, service: impl Into<String>) -> Self {
        self.service = Some(service.into());
        self
    }

    /// The same finding with one more piece of evidence.
    #[must_use]
    pub fn with(mut self, what: impl Into<String>, text: impl Into<String>) -> Self {
        self.evidence.push(Evidence::new(what, text));
        self
    }

    /// Whether it turns a run red: somebody's fault who changed the recipe, or nobody's that is known.
    #[must_use]
    pub fn turns_red(&self) -> bool {
        self.rung.is_some() && matches!(self.class, Class::Recipe | Class::Unknown)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_those_that_serde_writes() {
        for kind in FindingKind::ALL {
            assert_eq!(serde_json::to_value(kind).unwrap(), kind.name());
            assert!(kind.advice().ends_with('.'), "{}", kind.name());
        }
    }

    #[test]
    fn infra_never_turns_a_run_red() {
        let at = Timestamp::UNIX_EPOCH;
        assert!(Finding::new(FindingKind::CrashLoop, Stage::Install, at, "x").turns_red());
        assert!(!Finding::new(FindingKind::RegistryLimit, Stage::Install, at, "x").turns_red());
        let rung_in_base = |kind| Finding::new(kind, Stage::Base, at, "x").rung;
        assert_eq!(rung_in_base(FindingKind::CrashLoop), None);
        assert_eq!(rung_in_base(FindingKind::TargetUnreachable), Some(Rung::Install));
        assert!(!Finding::new(FindingKind::CrashLoop, Stage::Teardown, at, "x").turns_red());
    }
}
