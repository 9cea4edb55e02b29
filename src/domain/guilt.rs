//! Whether a red is this change's, read from what the run has seen anyway (design §4, *Guilt*): the base went through the same first.

use serde::{Deserialize, Serialize};

use super::finding::{Class, Finding, FindingKind};
use super::results::{RunFacts, StageOutcome};
use super::stage::Stage;
use super::verdict::deciding;

/// What the base tells of the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
#[serde(rename_all = "snake_case")]
pub enum Guilt {
    /// The base passed the same: it is this change.
    ThisChange,
    /// The base fails the same way: it is not this change.
    NotThisChange,
}

/// What the base tells of the deciding cause; nothing where it went through nothing comparable.
#[must_use]
pub fn guilt(facts: &RunFacts) -> Option<Guilt> {
    let cause = deciding(&facts.findings).filter(|finding| finding.turns_red())?;
    // What a deploy is judged by is asked of the base in the same way; checks, data and backups are not.
    if !matches!(cause.stage, Stage::Upgrade | Stage::Install) || is_of_the_upgrade_alone(cause.kind) {
        return None;
    }
    match facts.stages.get(&Stage::Base)? {
        StageOutcome::Done => Some(Guilt::ThisChange),
        StageOutcome::Failed if fails_alike(&facts.findings, cause) => Some(Guilt::NotThisChange),
        StageOutcome::Failed | StageOutcome::Skipped(_) | StageOutcome::Interrupted => None,
    }
}

/// A base is not asked for these.
const fn is_of_the_upgrade_alone(kind: FindingKind) -> bool {
    matches!(kind, FindingKind::CheckFailed | FindingKind::TestsInvalid)
}

/// Whether the base failed in the same way.
#[must_use]
pub fn fails_alike(findings: &[Finding], cause: &Finding) -> bool {
    findings
        .iter()
        .any(|found| found.stage == Stage::Base && found.kind == cause.kind && found.service == cause.service)
}

/// Whether head's stage is worth a second try: nobody's fault is known, and the base has not failed alike.
#[must_use]
pub fn worth_a_second_try(now: &[Finding], before: &[Finding]) -> bool {
    !now.is_empty() && now.iter().all(|finding| finding.class == Class::Unknown && !fails_alike(before, finding))
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::results::samples::crash_loop;

    fn at(kind: FindingKind, stage: Stage) -> Finding {
        Finding::new(kind, stage, Timestamp::UNIX_EPOCH, "x").about("app")
    }

    fn of(stages: &[(Stage, StageOutcome)], findings: Vec<Finding>) -> Option<Guilt> {
        guilt(&RunFacts { stages: stages.iter().cloned().collect(), findings, ..crash_loop() })
    }

    #[test]
    fn s38_what_the_base_passed_is_this_change() {
        let base = |outcome| [(Stage::Base, outcome)];
        let red = |stage| vec![at(FindingKind::CrashLoop, stage)];
        assert_eq!(of(&base(StageOutcome::Done), red(Stage::Install)), Some(Guilt::ThisChange));
        assert_eq!(of(&base(StageOutcome::Done), red(Stage::Upgrade)), Some(Guilt::ThisChange));
        assert_eq!(of(&base(StageOutcome::Done), red(Stage::Restore)), None, "no base was restored");
        assert_eq!(of(&base(StageOutcome::Done), vec![at(FindingKind::CheckFailed, Stage::Upgrade)]), None);
        assert_eq!(of(&[], red(Stage::Install)), None);
        assert_eq!(of(&base(StageOutcome::Done), vec![at(FindingKind::RegistryLimit, Stage::Install)]), None);
    }

    #[test]
    fn s37_what_the_base_fails_alike_is_not_this_change() {
        let failed = [(Stage::Base, StageOutcome::Failed)];
        let both = |base, head| vec![at(base, Stage::Base), at(head, Stage::Install)];
        assert_eq!(of(&failed, both(FindingKind::Deadline, FindingKind::Deadline)), Some(Guilt::NotThisChange));
        assert_eq!(of(&failed, both(FindingKind::ImageMissing, FindingKind::Deadline)), None);
    }

    #[test]
    fn s36_only_what_is_nobodys_known_fault_is_tried_again() {
        let stalled = [at(FindingKind::Stalled, Stage::Install)];
        assert!(worth_a_second_try(&stalled, &[]));
        assert!(!worth_a_second_try(&[], &[]));
        assert!(!worth_a_second_try(&[at(FindingKind::CrashLoop, Stage::Install)], &[]));
        assert!(!worth_a_second_try(&stalled, &[at(FindingKind::Stalled, Stage::Base)]), "the base has told");
    }
}
