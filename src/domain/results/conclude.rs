//! From facts to what the report claims: total, pure, and never more than was shown.

use super::facts::{Converged, FloorFacts, HttpFact, RunFacts, StageOutcome};
use super::{HostPower, Recipe, Results, SCHEMA, Severity, count, duration, one_line};
use crate::domain::finding::{Class, Finding};
use crate::domain::host;
use crate::domain::stage::{Rung, RungState, Stage};
use crate::domain::verdict::{RungResult, Rungs, Verdict, deciding, verdict};

/// A sentence longer than this is shortened: it must fit a headline.
const SENTENCE: usize = 400;
/// A page title longer than this is shortened.
const TITLE: usize = 60;

/// Computes verdict, sentence, level, rungs and what is (not) verified.
///
/// Red exactly when a finding turns red. Green needs a passed install: a run that showed nothing is not judged. A
/// cancelled run keeps what its findings and its finished lint say, and claims nothing about the install.
#[must_use]
pub fn conclude(facts: RunFacts) -> Results {
    let rungs = Rungs {
        lint: lint(&facts),
        install: install(&facts),
        upgrade: upgrade(&facts),
        backup: later(&facts, Rung::Backup),
        checks: later(&facts, Rung::Checks),
    };
    let verdict = match verdict(&facts.findings, facts.cancelled) {
        Verdict::Green if rungs.install.state != RungState::Pass => Verdict::NotJudged,
        said @ (Verdict::Green | Verdict::Red | Verdict::NotJudged) => said,
    };
    let sentence = match verdict {
        Verdict::Green => green(&facts, &rungs),
        Verdict::Red => deciding(&facts.findings).map_or_else(String::new, cause),
        Verdict::NotJudged => not_judged(&facts, &rungs),
    };
    let sentence = with_host_power(sentence, facts.host_power.as_ref());
    Results {
        schema: SCHEMA,
        verdict,
        sentence,
        level: rungs.level(),
        verified: verified(&facts, &rungs),
        not_verified: not_verified(&facts, &rungs),
        rungs,
        run: facts.run,
        recipe: Recipe::new(facts.recipe, facts.head, facts.base.as_ref()),
        findings: facts.findings,
        host_power: facts.host_power,
        tests: facts.tests,
        timings: facts.timings,
        marks: facts.marks,
        warnings: facts.warnings.into_iter().chain(facts.host.iter().filter_map(host::warning)).collect(),
        host: facts.host,
        deploys: facts.deploys,
        images: facts.images,
        pulls: facts.pulls,
        driver: facts.driver,
        target: facts.target,
        started: facts.started,
        finished: facts.finished,
        lint: facts.lint,
        resources: facts.resources,
        artefacts: facts.artefacts,
    }
}

/// Whoever reads the verdict must know that the recipe could have faked it.
fn with_host_power(sentence: String, power: Option<&HostPower>) -> String {
    match power {
        Some(power) => {
            format!(
                "{sentence}; it had host power and could fake what was seen: {}",
                one_line(&power.reason, TITLE * 2)
            )
        }
        None => sentence,
    }
}

fn cause(finding: &Finding) -> String {
    let sentence = one_line(&finding.sentence, SENTENCE);
    if sentence.is_empty() { finding.kind.name().to_owned() } else { sentence }
}

fn not_shown(reason: impl Into<String>) -> RungResult {
    RungResult { state: RungState::NotVerified, reason: reason.into() }
}

fn passed(reason: String) -> RungResult {
    RungResult { state: RungState::Pass, reason }
}

/// What the findings say of a rung, before anything that was shown: failed, or kept from being judged.
fn by_findings(facts: &RunFacts, rung: Rung) -> Option<RungResult> {
    let mut of_rung = facts.findings.iter().filter(|finding| finding.rung == Some(rung));
    let failed = of_rung.clone().find(|finding| finding.turns_red());
    let failed = failed.map(|finding| RungResult { state: RungState::Fail, reason: cause(finding) });
    let blocks = |finding: &&Finding| matches!(finding.class, Class::Infra | Class::Tests);
    failed.or_else(|| of_rung.find(blocks).map(|finding| not_shown(cause(finding))))
}

/// Why a stage shows nothing, unless it is done.
fn unfinished(facts: &RunFacts, stage: Stage) -> Option<String> {
    match facts.stages.get(&stage) {
        Some(StageOutcome::Done) => None,
        Some(StageOutcome::Skipped(reason)) => Some(one_line(reason, SENTENCE)),
        Some(StageOutcome::Failed) => Some("the stage failed and no finding says why".to_owned()),
        Some(StageOutcome::Interrupted) | None if facts.cancelled => Some("cancelled".to_owned()),
        Some(StageOutcome::Interrupted) => Some("interrupted".to_owned()),
        None => Some("did not run".to_owned()),
    }
}

fn lint(facts: &RunFacts) -> RungResult {
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

fn install(facts: &RunFacts) -> RungResult {
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

fn upgrade(facts: &RunFacts) -> RungResult {
    if let Some(result) = by_findings(facts, Rung::Upgrade) {
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
            passed(format!("from {base} in place: converged in {ms}; {pages}; data was not looked at"))
        }
    }
}

fn base_name(facts: &RunFacts) -> Option<String> {
    Some(one_line(&facts.base.as_ref()?.base.as_ref()?.name, TITLE))
}

fn later(facts: &RunFacts, rung: Rung) -> RungResult {
    by_findings(facts, rung).unwrap_or_else(|| not_shown("not in this version"))
}

fn host(fact: &HttpFact) -> String {
    format!("https://{}", one_line(&fact.host, 253))
}

fn title(fact: &HttpFact) -> Option<String> {
    fact.title.as_deref().map(|title| one_line(title, TITLE)).filter(|title| !title.is_empty())
}

fn bad_answer(fact: &HttpFact) -> String {
    if fact.differs_from_random {
        format!("{} answers {}", host(fact), fact.status)
    } else {
        format!("{} answers {} like any unknown host: the proxy, not the app", host(fact), fact.status)
    }
}

fn services_run(services: u32) -> String {
    if services == 1 { "1 service runs".to_owned() } else { format!("{services} services run") }
}

fn green(facts: &RunFacts, rungs: &Rungs) -> String {
    let upgrades = base_name(facts).filter(|_| rungs.upgrade.state == RungState::Pass);
    let upgrades = upgrades.map(|base| format!(" upgrades from {base} and")).unwrap_or_default();
    let mut sentence = format!("{} {}{upgrades} installs: ", facts.recipe, facts.head.label());
    sentence.push_str(&services_run(facts.floor.converged.map_or(0, |converged| converged.services)));
    if let Some(first) = facts.floor.http.first() {
        sentence.push_str(&format!(", {} answers {}", host(first), first.status));
        if let Some(title) = title(first) {
            sentence.push_str(&format!(" “{title}”"));
        }
    }
    match facts.floor.http.len() {
        0 => sentence.push_str(", no page to ask"),
        1 => {}
        2 => sentence.push_str(", 1 more host answers"),
        more => sentence.push_str(&format!(", {} more hosts answer", more - 1)),
    }
    let open = Rung::ALL.into_iter().filter(|rung| rungs.of(*rung).state == RungState::NotVerified);
    let open: Vec<_> = open.map(Rung::name).collect();
    if !open.is_empty() {
        sentence.push_str(&format!("; not verified: {}", open.join(", ")));
    }
    if let Some(finding) = facts.findings.first() {
        sentence.push_str(&format!("; also found: {}", cause(finding)));
    }
    sentence
}

fn not_judged(facts: &RunFacts, rungs: &Rungs) -> String {
    let interrupted = facts.stages.iter().find(|(_, outcome)| **outcome == StageOutcome::Interrupted);
    let why = match (deciding(&facts.findings), interrupted) {
        (Some(finding), _) => cause(finding),
        (None, Some((stage, _))) if facts.cancelled => format!("cancelled during {}", stage.name()),
        (None, _) if facts.cancelled => "cancelled".to_owned(),
        (None, _) => format!("the install was not shown: {}", rungs.install.reason),
    };
    format!("not judged: {why}")
}

fn verified(facts: &RunFacts, rungs: &Rungs) -> Vec<String> {
    let mut claims = Vec::new();
    if rungs.lint.state == RungState::Pass {
        let old = facts.lint.iter().any(|line| line.severity == Severity::Error);
        claims.push(format!("no {}lint error: {}", if old { "new " } else { "" }, rungs.lint.reason));
    }
    let FloorFacts { converged, http, http_not_applicable: _, nothing_left, neighbour_untouched } = &facts.floor;
    if let Some(converged) = converged.filter(|converged| converged.services > 0) {
        let after = duration(converged.ms);
        claims.push(match rungs.install.state {
            RungState::Pass => format!("{}, converged {after} after the deploy", services_run(converged.services)),
            RungState::Fail | RungState::NotApplicable | RungState::NotVerified => {
                format!("the fresh deploy had converged once, after {after}")
            }
        });
    }
    claims.extend(http.iter().filter(|fact| fact.holds()).map(good_answer));
    if let (RungState::Pass, Some(converged)) = (rungs.upgrade.state, facts.upgrade.converged) {
        let base = base_name(facts).unwrap_or_default();
        let (services, after) = (services_run(converged.services), duration(converged.ms));
        claims.push(format!(
            "upgrade in place from {base}: {services} with head's images and labels, converged {after} after the deploy"
        ));
    }
    if *nothing_left == Some(true) {
        let when = if facts.kept { ", after the app had been kept up" } else { "" };
        claims.push(format!("nothing left behind: the target's inventory is as before the run{when}"));
    }
    if *neighbour_untouched == Some(true) {
        claims.push("the neighbour beside the app is untouched".to_owned());
    }
    claims
}

fn good_answer(fact: &HttpFact) -> String {
    let mut claim = format!("{} answers {}", host(fact), fact.status);
    if let Some(title) = title(fact) {
        claim.push_str(&format!(", title “{title}”"));
    }
    claim.push_str(", unlike an unknown host");
    match fact.assets.iter().filter(|asset| asset.holds()).count() {
        0 => {}
        1 => claim.push_str("; 1 stylesheet or script of it loads"),
        loaded => claim.push_str(&format!("; {loaded} stylesheets and scripts of it load")),
    }
    claim
}

fn not_verified(facts: &RunFacts, rungs: &Rungs) -> Vec<String> {
    let open = Rung::ALL.into_iter().map(|rung| (rung, rungs.of(rung)));
    let open = open.filter(|(_, result)| result.state == RungState::NotVerified);
    let mut open: Vec<_> = open.map(|(rung, result)| format!("{}: {}", rung.name(), result.reason)).collect();
    let none = Rung::ALL.into_iter().filter(|rung| rungs.of(*rung).state == RungState::NotApplicable);
    open.extend(none.map(|rung| format!("{}: not applicable, {}", rung.name(), rungs.of(rung).reason)));
    let floor = &facts.floor;
    if let (true, Some(reason)) = (floor.http.is_empty(), &floor.http_not_applicable) {
        open.push(format!("pages over HTTPS: not applicable, {}", one_line(reason, SENTENCE)));
    }
    open.extend(floor.http.iter().filter(|fact| !fact.holds()).map(bad_answer));
    let assets = floor.http.iter().flat_map(|fact| &fact.assets).filter(|asset| !asset.holds());
    open.extend(assets.map(|asset| format!("a page's {} answers {}", one_line(&asset.url, 200), asset.status)));
    match floor.nothing_left {
        None => open.push("nothing left behind: the target was not compared with what it was before".to_owned()),
        Some(false) => open.push("nothing left behind: the target is not what it was before".to_owned()),
        Some(true) => {}
    }
    if floor.neighbour_untouched == Some(false) {
        open.push("the neighbour beside the app: it is not what it was before".to_owned());
    }
    open
}

#[cfg(test)]
mod tests;
