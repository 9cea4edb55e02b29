//! What became of each rung: from findings first, then from what was shown; never more than that.

use super::{SENTENCE, TITLE, bad_answer, by_findings, not_shown, passed, unfinished};
use crate::domain::data::Survived;
use crate::domain::results::facts::{Converged, FloorFacts, RunFacts};
use crate::domain::results::{Archived, Severity, count, duration, one_line, size};
use crate::domain::stage::{Rung, RungState, Stage};
use crate::domain::verdict::RungResult;

pub(super) fn lint(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Lint) {
        return result;
    }
    if let Some(reason) = unfinished(facts, Stage::Lint) {
        return not_shown(reason);
    }
    let of = |severity| facts.lint.iter().filter(|line| line.severity == severity).count();
    let (red, errors, hints) =
        (facts.lint.iter().filter(|line| line.turns_red()).count(), of(Severity::Error), of(Severity::Hint));
    let hints = count(hints, "hint", "hints");
    match (facts.lint_rules, red, errors) {
        (0, _, _) => not_shown("no rule was evaluated"),
        (rules, 0, 0) => passed(format!("{}, {hints}", rules_said(rules))),
        (rules, 0, old) => {
            passed(format!("{}, {} there already, {hints}", rules_said(rules), count(old, "error was", "errors were")))
        }
        (_, new, _) => not_shown(format!("{} listed, but not judged", count(new, "error", "errors"))),
    }
}

fn rules_said(rules: u32) -> String {
    if rules == 1 { "1 rule".to_owned() } else { format!("{rules} rules") }
}

pub(super) fn install(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Install) {
        return result;
    }
    if facts.cancelled {
        return not_shown("cancelled");
    }
    if let Some(reason) = unfinished(facts, Stage::Install) {
        return not_shown(reason);
    }
    match came_up(&facts.floor) {
        Err(why) => not_shown(why),
        Ok(converged) => {
            let reason = facts.floor.http_not_applicable.as_deref().filter(|_| facts.floor.http.is_empty());
            let reason = reason.map(|reason| format!(": {}", one_line(reason, SENTENCE))).unwrap_or_default();
            let (ms, pages) = (duration(converged.ms), pages(&facts.floor));
            passed(format!("fresh deploy converged in {ms}; {pages}{reason}"))
        }
    }
}

/// That a deploy converged and its pages answered; else why that was not shown, although no finding says so.
fn came_up(floor: &FloorFacts) -> Result<Converged, String> {
    let Some(converged) = floor.converged.filter(|converged| converged.services > 0) else {
        return Err("no service was seen to converge".to_owned());
    };
    if let Some(fact) = floor.http.iter().find(|fact| !fact.holds()) {
        return Err(format!("{}, and no finding says why", bad_answer(fact)));
    }
    if floor.http.is_empty() && floor.http_not_applicable.is_none() {
        return Err("no page was asked, and no reason is known".to_owned());
    }
    Ok(converged)
}

fn pages(floor: &FloorFacts) -> String {
    match floor.http.len() {
        0 => "no page to ask".to_owned(),
        1 => "1 page answers".to_owned(),
        pages => format!("{pages} pages answer"),
    }
}

pub(super) fn upgrade(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Upgrade).or_else(|| not_applicable(facts, Rung::Upgrade)) {
        return result;
    }
    if facts.cancelled {
        return not_shown("cancelled");
    }
    let resolution = facts.base.as_ref();
    if let Some(why) = resolution.filter(|found| found.base.is_none()).map(|found| &found.why) {
        let state = if why.nothing_is_older() { RungState::NotApplicable } else { RungState::NotVerified };
        return RungResult { state, reason: one_line(&why.to_string(), SENTENCE) };
    }
    if let Some(reason) = unfinished(facts, Stage::Upgrade) {
        return not_shown(reason);
    }
    match (base_name(facts), came_up(&facts.upgrade)) {
        (None, _) => not_shown("no service was seen to converge"),
        (_, Err(why)) => not_shown(why),
        (Some(base), Ok(converged)) => {
            let (ms, pages) = (duration(converged.ms), pages(&facts.upgrade));
            let checks = match facts.checks.iter().filter(|check| check.stage == Stage::Upgrade && check.holds).count()
            {
                0 => String::new(),
                checks => format!("; {}", holding(checks)),
            };
            passed(format!("from {base} in place: converged in {ms}; {pages}; {}{checks}", kept(facts)))
        }
    }
}

pub(super) fn base_name(facts: &RunFacts) -> Option<String> {
    Some(one_line(&facts.base.as_ref()?.base.as_ref()?.name, TITLE))
}

/// The tests file says that there is nothing to show.
fn not_applicable(facts: &RunFacts, rung: Rung) -> Option<RungResult> {
    let reason = facts.not_applicable.get(&rung)?;
    Some(RungResult { state: RungState::NotApplicable, reason: one_line(reason, SENTENCE) })
}

pub(super) fn backup(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Backup).or_else(|| not_applicable(facts, Rung::Backup)) {
        return result;
    }
    if facts.cancelled {
        return not_shown("cancelled");
    }
    if let Some(none) = &facts.data.no_backup {
        let state = if none.nothing_to_back_up { RungState::NotApplicable } else { RungState::NotVerified };
        return RungResult { state, reason: one_line(&none.why, SENTENCE) };
    }
    let unfinished =
        [Stage::Backup, Stage::Destroy, Stage::Restore].into_iter().find_map(|stage| unfinished(facts, stage));
    if let Some(reason) = unfinished {
        return not_shown(reason);
    }
    let (Some(archived), Some(survived)) = (&facts.data.archived, &facts.data.after_restore) else {
        return not_shown("nothing was seen of a backup");
    };
    match survived.said() {
        Some(said) => passed(format!("{} destroyed and restored; {said} came back", all(archived))),
        None => not_shown("nothing was there that could come back: declare a `[[seed]]` in the tests file"),
    }
}

/// `12 files, 3.4 MB`.
pub(super) fn all(archived: &[Archived]) -> String {
    let files: u64 = archived.iter().map(|archive| archive.files).sum();
    let files = usize::try_from(files).unwrap_or(usize::MAX);
    format!("{}, {}", count(files, "file", "files"), size(archived.iter().map(|archive| archive.bytes).sum()))
}

pub(super) fn checks(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Checks).or_else(|| not_applicable(facts, Rung::Checks)) {
        return result;
    }
    if facts.cancelled {
        return not_shown("cancelled");
    }
    if facts.checks_declared == 0 {
        let reason = "none declared: a tests file can say what must hold (`cc-ci init` proposes one)".to_owned();
        return RungResult { state: RungState::NotApplicable, reason };
    }
    if let Some(reason) = unfinished(facts, Stage::Checks) {
        return not_shown(reason);
    }
    let of = |stage| facts.checks.iter().filter(|check| check.stage == stage && check.holds).count();
    match (of(Stage::Checks), of(Stage::Extra)) {
        (0, _) => not_shown("no check was carried out"),
        (checks, 0) => passed(format!("{} on the fresh deploy", holding(checks))),
        (checks, extra) => passed(format!(
            "{} on the fresh deploy, and {}",
            holding(checks),
            count(extra, "extra check", "extra checks")
        )),
    }
}

/// `1 check holds`, `3 checks hold`.
pub(super) fn holding(checks: usize) -> String {
    if checks == 1 { "1 check holds".to_owned() } else { format!("{checks} checks hold") }
}

/// What of its data an upgrade was seen to keep.
fn kept(facts: &RunFacts) -> String {
    match facts.data.after_upgrade.as_ref().map(Survived::said) {
        Some(Some(said)) => format!("{said} survived"),
        Some(None) => "no data could be looked for".to_owned(),
        None => "there was no data to look for".to_owned(),
    }
}
