//! From facts to what the report claims: total, pure, and never more than was shown.

mod rungs;

use self::rungs::{all, base_name, holding};
use super::facts::{FloorFacts, HttpFact, RunFacts, StageOutcome};
use super::{HostPower, Recipe, Results, SCHEMA, Severity, duration, one_line};
use crate::domain::data::Survived;
use crate::domain::finding::{Class, Finding, FindingKind};
use crate::domain::guilt::{Guilt, guilt};
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
        lint: rungs::lint(&facts),
        install: rungs::install(&facts),
        upgrade: rungs::upgrade(&facts),
        backup: rungs::backup(&facts),
        checks: rungs::checks(&facts),
    };
    let verdict = match verdict(&facts.findings, facts.cancelled) {
        Verdict::Green if !shown(&facts, &rungs) => Verdict::NotJudged,
        said @ (Verdict::Green | Verdict::Red | Verdict::NotJudged) => said,
    };
    let sentence = match verdict {
        Verdict::Green => green(&facts, &rungs),
        Verdict::Red => red(&facts),
        Verdict::NotJudged => not_judged(&facts, &rungs),
    };
    let guilt = guilt(&facts).filter(|_| verdict == Verdict::Red);
    let sentence = with_own_tests(with_host_power(sentence, facts.host_power.as_ref()), facts.with_tests);
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
        guilt,
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
        data: facts.data.told(),
        checks: facts.checks,
        resources: facts.resources,
        artefacts: facts.artefacts,
    }
}

/// Whether what was asked for was shown: the install, or each rung that somebody asked for alone.
fn shown(facts: &RunFacts, rungs: &Rungs) -> bool {
    if facts.only.is_empty() {
        return rungs.install.state == RungState::Pass;
    }
    let mut states = facts.only.iter().filter_map(|stage| stage.rung()).map(|rung| rungs.of(rung).state).peekable();
    states.peek().is_some() && states.all(|state| matches!(state, RungState::Pass | RungState::NotApplicable))
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

/// Who is under test said how it was tested, because a maintainer asked for it.
fn with_own_tests(sentence: String, with_tests: bool) -> String {
    if with_tests {
        format!("{sentence}; judged by the tests file of the change itself (`--with-tests`)")
    } else {
        sentence
    }
}

fn cause(finding: &Finding) -> String {
    let sentence = one_line(&finding.sentence, SENTENCE);
    if sentence.is_empty() { finding.kind.name().to_owned() } else { sentence }
}

/// The cause; where the base fails alike, that is not this change's.
fn red(facts: &RunFacts) -> String {
    let sentence = deciding(&facts.findings).map_or_else(String::new, cause);
    match (guilt(facts), base_name(facts)) {
        (Some(Guilt::NotThisChange), Some(base)) => {
            format!("{sentence}; not this change: {base} fails the same way")
        }
        (Some(Guilt::NotThisChange | Guilt::ThisChange) | None, _) => sentence,
    }
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
    let mut sentence = format!("{} {} {}: ", facts.recipe, facts.head.label(), does(facts, rungs));
    sentence.push_str(&what_runs(if facts.floor.converged.is_some() { &facts.floor } else { &facts.upgrade }));
    let open = Rung::ALL.into_iter().filter(|rung| rungs.of(*rung).state == RungState::NotVerified);
    let open: Vec<_> = open.map(Rung::name).collect();
    if !open.is_empty() {
        sentence.push_str(&format!("; not verified: {}", open.join(", ")));
    }
    if let Some(finding) = facts.findings.first() {
        let what = if finding.kind == FindingKind::Flake { "green on the second try" } else { "also found" };
        sentence.push_str(&format!("; {what}: {}", cause(finding)));
    }
    sentence
}

/// `2 services run, https://… answers 200 “Sign in”`.
fn what_runs(floor: &FloorFacts) -> String {
    let Some(converged) = floor.converged else { return "nothing was deployed".to_owned() };
    let mut said = services_run(converged.services);
    if let Some(first) = floor.http.first() {
        said.push_str(&format!(", {} answers {}", host(first), first.status));
        if let Some(title) = title(first) {
            said.push_str(&format!(" “{title}”"));
        }
    }
    match floor.http.len() {
        0 => said.push_str(", no page to ask"),
        1 => {}
        2 => said.push_str(", 1 more host answers"),
        more => said.push_str(&format!(", {} more hosts answer", more - 1)),
    }
    said
}

/// What a green recipe was seen to do: `upgrades from 1.0.0, installs and restores its backup`.
fn does(facts: &RunFacts, rungs: &Rungs) -> String {
    let passed = |rung| rungs.of(rung).state == RungState::Pass;
    let upgrades = base_name(facts).filter(|_| passed(Rung::Upgrade)).map(|base| format!("upgrades from {base}"));
    let restores = passed(Rung::Backup).then(|| "comes back from its backup".to_owned());
    let checks = facts.checks.iter().filter(|check| check.stage == Stage::Checks && check.holds).count();
    let checks = passed(Rung::Checks)
        .then(|| if checks == 1 { "passes its check".to_owned() } else { format!("passes its {checks} checks") });
    let installs = passed(Rung::Install).then(|| "installs".to_owned());
    let lints = facts.only.len() == 1 && facts.only.contains(&Stage::Lint);
    let lints = lints.then(|| "has no new lint error".to_owned());
    let mut does: Vec<String> =
        lints.into_iter().chain(upgrades).chain(installs).chain(restores).chain(checks).collect();
    match does.pop() {
        Some(last) if does.is_empty() => last,
        Some(last) => format!("{} and {last}", does.join(", ")),
        None => String::new(),
    }
}

fn not_judged(facts: &RunFacts, rungs: &Rungs) -> String {
    let interrupted = facts.stages.iter().find(|(_, outcome)| **outcome == StageOutcome::Interrupted);
    let why = match (deciding(&facts.findings), interrupted) {
        (Some(finding), _) => cause(finding),
        (None, Some((stage, _))) if facts.cancelled => format!("cancelled during {}", stage.name()),
        (None, _) if facts.cancelled => "cancelled".to_owned(),
        (None, _) if !facts.only.is_empty() => {
            let asked = |rung: &Rung| facts.only.iter().any(|stage| stage.rung() == Some(*rung));
            let open = Rung::ALL.into_iter().filter(asked).map(|rung| (rung, rungs.of(rung)));
            let open = open.filter(|(_, result)| result.state == RungState::NotVerified);
            let open: Vec<String> = open.map(|(rung, result)| format!("{}: {}", rung.name(), result.reason)).collect();
            format!("what was asked for was not shown: {}", open.join("; "))
        }
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
    claims.extend(of_the_data(facts, rungs));
    let upgraded = facts.checks.iter().filter(|check| check.stage == Stage::Upgrade && check.holds).count();
    if upgraded > 0 && rungs.upgrade.state == RungState::Pass {
        claims.push(format!("after the upgrade {}", holding(upgraded)));
    }
    let fresh = facts.checks.iter().filter(|check| check.stage != Stage::Upgrade && check.holds);
    claims
        .extend(fresh.map(|check| format!("“{}”: {}", one_line(&check.name, TITLE), one_line(&check.seen, SENTENCE))));
    if *nothing_left == Some(true) {
        let when = if facts.kept { ", after the app had been kept up" } else { "" };
        claims.push(format!("nothing left behind: the target's inventory is as before the run{when}"));
    }
    if *neighbour_untouched == Some(true) {
        claims.push("the neighbour beside the app is untouched".to_owned());
    }
    claims
}

/// What was made, and was there after the upgrade and after the restore.
fn of_the_data(facts: &RunFacts, rungs: &Rungs) -> Vec<String> {
    let data = &facts.data;
    let mut claims = Vec::new();
    let survived =
        data.after_upgrade.as_ref().and_then(Survived::said).filter(|_| rungs.upgrade.state == RungState::Pass);
    claims.extend(survived.map(|said| format!("the upgrade keeps data: {said}")));
    if rungs.backup.state == RungState::Pass {
        let said = data.after_restore.as_ref().and_then(Survived::said).unwrap_or_default();
        let archived = data.archived.as_deref().map(all).unwrap_or_default();
        claims.push(format!("backup and restore: {archived} came back into a fresh deploy, with {said}"));
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
    let looks = [("upgrade", &facts.data.after_upgrade), ("backup", &facts.data.after_restore)];
    for (name, survived) in looks {
        let left = survived.iter().flat_map(|survived| &survived.not_looked_for);
        open.extend(left.map(|why| format!("{name}: {}", one_line(why, SENTENCE))));
    }
    let failed = facts.checks.iter().filter(|check| !check.holds);
    open.extend(failed.map(|check| format!("“{}”: {}", one_line(&check.name, TITLE), one_line(&check.seen, SENTENCE))));
    if !facts.extras_left.is_empty() {
        let names: Vec<String> = facts.extras_left.iter().map(|name| format!("“{}”", one_line(name, TITLE))).collect();
        open.push(format!("extra checks, not asked for (`--extra`): {}", names.join(", ")));
    }
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
