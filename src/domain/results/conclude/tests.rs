use std::collections::BTreeMap;

use proptest::prelude::*;

use super::super::samples::{at, crash_loop, good, target_lost};
use super::super::{Asset, Converged, HttpFact, LintLine};
use super::*;
use crate::domain::finding::FindingKind;

#[test]
fn s61_allowed_host_power_is_said_with_every_verdict() {
    let power = HostPower { reason: "it is a proxy".into(), found: vec!["`app` mounts `/` of the host".into()] };
    for facts in [good(), crash_loop(), RunFacts { cancelled: true, ..good() }] {
        let plain = conclude(facts.clone()).sentence;
        let results = conclude(RunFacts { host_power: Some(power.clone()), ..facts });
        assert_eq!(results.sentence, format!("{plain}; it had host power and could fake what was seen: it is a proxy"));
    }
}

#[test]
fn green_says_what_works_and_what_was_not_shown() {
    let results = conclude(good());
    assert_eq!(results.verdict, Verdict::Green);
    insta::assert_json_snapshot!(results);
}

#[test]
fn red_is_the_deciding_cause() {
    let results = conclude(crash_loop());
    assert_eq!((results.verdict, results.level), (Verdict::Red, 1));
    insta::assert_json_snapshot!(results);
}

#[test]
fn infra_is_not_judged_and_says_why() {
    let results = conclude(target_lost());
    assert_eq!((results.verdict, results.level), (Verdict::NotJudged, 1));
    assert_eq!(
        results.sentence,
        "not judged: target `lab` could not be reached for 5 minutes while `app` was starting"
    );
    assert_eq!(results.rungs.install.state, RungState::NotVerified);
    assert!(results.not_verified[0].starts_with("install: target `lab`"));
}

#[test]
fn results_survive_json() {
    for facts in [good(), crash_loop(), target_lost()] {
        let results = conclude(facts);
        let json = serde_json::to_string(&results).unwrap();
        assert_eq!(serde_json::from_str::<Results>(&json).unwrap(), results);
    }
}

#[test]
fn nothing_executed_is_never_green() {
    let nothing = [
        RunFacts { floor: FloorFacts::default(), ..good() },
        RunFacts { stages: BTreeMap::new(), ..good() },
        RunFacts { floor: FloorFacts { http: Vec::new(), ..good().floor }, ..good() },
        RunFacts { floor: FloorFacts { converged: Some(Converged { services: 0, ms: 1 }), ..good().floor }, ..good() },
    ];
    let sentences: Vec<_> = nothing.into_iter().map(|facts| conclude(facts).sentence).collect();
    insta::assert_snapshot!(sentences.join("\n"), @r"
    not judged: the install was not shown: no service was seen to converge
    not judged: the install was not shown: did not run
    not judged: the install was not shown: no page was asked, and no reason is known
    not judged: the install was not shown: no service was seen to converge
    ");
}

#[test]
fn a_recipe_without_pages_is_green_and_says_so() {
    let floor = FloorFacts {
        http: Vec::new(),
        http_not_applicable: Some("no router rule names a host".into()),
        ..good().floor
    };
    let results = conclude(RunFacts { floor, ..good() });
    insta::assert_snapshot!(
        results.sentence,
        @"good 1.0.0+1.0.0 upgrades from 0.9.0+1.0.0, installs, comes back from its backup and passes its check: 1 service runs, no page to ask"
    );
    assert!(results.not_verified.contains(&"pages over HTTPS: not applicable, no router rule names a host".to_owned()));
}

#[test]
fn an_answer_of_the_proxy_is_no_answer_of_the_app() {
    let mut facts = good();
    facts.floor.http[0].differs_from_random = false;
    let results = conclude(facts);
    assert_eq!(results.verdict, Verdict::NotJudged);
    insta::assert_snapshot!(
        results.sentence,
        @"not judged: the install was not shown: https://cck7q2.ci.lab.test answers 200 like any unknown host: the proxy, not the app, and no finding says why"
    );
}

#[test]
fn a_missing_stylesheet_is_listed() {
    let mut facts = good();
    facts.floor.http[0].assets = vec![Asset { url: "/a.js".into(), status: 404 }];
    let results = conclude(facts);
    assert!(results.not_verified.contains(&"a page's /a.js answers 404".to_owned()));
    assert!(!results.verified.concat().contains("loads"));
}

#[test]
fn cancelled_claims_nothing_about_the_install() {
    let mut facts = RunFacts { cancelled: true, ..good() };
    let results = conclude(facts.clone());
    assert_eq!((results.verdict, results.sentence.as_str()), (Verdict::NotJudged, "not judged: cancelled"));
    assert_eq!(results.rungs.install.reason, "cancelled");

    facts.stages.insert(Stage::Install, StageOutcome::Interrupted);
    assert_eq!(conclude(facts.clone()).sentence, "not judged: cancelled during install");

    facts.findings = crash_loop().findings;
    let red = conclude(facts);
    assert_eq!((red.verdict, red.rungs.install.state), (Verdict::Red, RungState::Fail));
}

#[test]
fn a_red_lint_leaves_the_install_to_be_judged() {
    let finding = Finding::new(FindingKind::LintError, Stage::Lint, at(1_900), "`app` names no image");
    let results = conclude(RunFacts { findings: vec![finding], ..good() });
    assert_eq!((results.verdict, results.level), (Verdict::Red, 0));
    assert_eq!(results.rungs.lint.state, RungState::Fail);
    assert_eq!(results.rungs.install.state, RungState::Pass);
}

#[test]
fn a_finding_fails_its_own_rung_and_no_other() {
    for rung in Rung::ALL {
        let of = |class| {
            let finding = Finding::new(FindingKind::CheckFailed, Stage::Checks, at(1_900), "x");
            let results =
                conclude(RunFacts { findings: vec![Finding { class, rung: Some(rung), ..finding }], ..good() });
            Rung::ALL.map(|other| results.rungs.of(other).state)
        };
        let other_than_pass = |state| Rung::ALL.map(|other| if other == rung { state } else { RungState::Pass });
        assert_eq!(of(Class::Recipe), other_than_pass(RungState::Fail), "{rung:?}");
        assert_eq!(of(Class::Infra), other_than_pass(RungState::NotVerified), "{rung:?}");
    }
}

#[test]
fn no_check_that_was_carried_out_is_not_verified() {
    assert_eq!(conclude(good()).rungs.checks.state, RungState::Pass);
    let results = conclude(RunFacts { checks: Vec::new(), ..good() });
    assert_eq!((results.rungs.checks.state, results.level), (RungState::NotVerified, 4));
}

#[test]
fn a_restore_of_which_nothing_was_looked_for_is_not_verified() {
    let mut facts = good();
    facts.data.after_restore = Some(Survived::default());
    let results = conclude(facts);
    assert_eq!((results.rungs.backup.state, results.level), (RungState::NotVerified, 3));
}

#[test]
fn no_rule_that_was_evaluated_is_not_verified() {
    let results = conclude(RunFacts { lint_rules: 0, lint: Vec::new(), ..good() });
    assert_eq!((results.rungs.lint.state, results.level), (RungState::NotVerified, 0));
}

#[test]
fn what_was_not_compared_is_not_called_clean() {
    for (nothing_left, claimed) in [(Some(true), true), (Some(false), false), (None, false)] {
        let results = conclude(RunFacts { floor: FloorFacts { nothing_left, ..good().floor }, ..good() });
        let claims = |lines: &[String]| lines.iter().any(|line| line.starts_with("nothing left behind: "));
        assert_eq!((claims(&results.verified), claims(&results.not_verified)), (claimed, !claimed), "{nothing_left:?}");
    }
}

#[test]
fn leftovers_do_not_decide_but_are_said() {
    let finding = Finding::new(FindingKind::Leftovers, Stage::Teardown, at(19_000), "1 volume was left behind");
    let mut facts = RunFacts { findings: vec![finding], ..good() };
    facts.floor.nothing_left = Some(false);
    let results = conclude(facts);
    assert_eq!(results.verdict, Verdict::Green);
    assert!(results.sentence.ends_with("; also found: 1 volume was left behind"));
}

fn outcome() -> impl Strategy<Value = StageOutcome> {
    prop_oneof![
        Just(StageOutcome::Done),
        Just(StageOutcome::Failed),
        "\\PC{0,9}".prop_map(StageOutcome::Skipped),
        Just(StageOutcome::Interrupted)
    ]
}

fn finding() -> impl Strategy<Value = Finding> {
    let kind = prop::sample::select(FindingKind::ALL);
    let class = prop::sample::select(&[Class::Recipe, Class::Infra, Class::Tests, Class::Unknown][..]);
    let rung = prop::option::of(prop::sample::select(&Rung::ALL[..]));
    let stage = prop::sample::select(&Stage::ALL[..]);
    (kind, class, rung, stage, ".{0,30}").prop_map(|(kind, class, rung, stage, sentence)| Finding {
        class,
        rung,
        ..Finding::new(kind, stage, at(1), sentence)
    })
}

fn page() -> impl Strategy<Value = HttpFact> {
    (".{0,20}", 100..600_u16, any::<bool>(), prop::option::of(".{0,20}"), prop::collection::vec(200..500_u16, 0..3))
        .prop_map(|(host, status, differs_from_random, title, assets)| HttpFact {
            host,
            status,
            differs_from_random,
            title,
            assets: assets.into_iter().map(|status| Asset { url: "/a".into(), status }).collect(),
        })
}

fn floor() -> impl Strategy<Value = FloorFacts> {
    let converged = prop::option::of((0..3_u32, any::<u64>()));
    let reason = prop::option::of(".{0,9}".prop_map(String::from));
    let flag = prop::option::of(any::<bool>());
    (converged, prop::collection::vec(page(), 0..3), reason, flag.clone(), flag).prop_map(
        |(converged, http, http_not_applicable, nothing_left, neighbour_untouched)| FloorFacts {
            converged: converged.map(|(services, ms)| Converged { services, ms }),
            http,
            http_not_applicable,
            nothing_left,
            neighbour_untouched,
        },
    )
}

fn facts() -> impl Strategy<Value = RunFacts> {
    let stages = prop::collection::btree_map(prop::sample::select(&Stage::ALL[..]), outcome(), 0..=5);
    let findings = prop_oneof![Just(Vec::new()), prop::collection::vec(finding(), 0..4)];
    let severities = prop::collection::vec(prop_oneof![Just(Severity::Error), Just(Severity::Hint)], 0..3);
    (stages, findings, floor(), 0..3_u32, severities, any::<bool>(), any::<bool>()).prop_map(
        |(stages, findings, floor, lint_rules, severities, cancelled, kept)| {
            let lint = severities.into_iter().map(|severity| LintLine { severity, ..good().lint.remove(0) }).collect();
            RunFacts { stages, findings, floor, lint_rules, lint, cancelled, kept, ..good() }
        },
    )
}

proptest! {
    #[test]
    fn conclude_is_total_and_never_overstates(facts in prop_oneof![facts(), facts().prop_map(|f| RunFacts { stages: good().stages, ..f })]) {
        let red = facts.findings.iter().any(Finding::turns_red);
        let shown = facts.floor.converged.is_some_and(|converged| converged.services > 0);
        let answered = facts.floor.http.iter().all(HttpFact::holds);
        let cancelled = facts.cancelled;
        let base = facts.base.as_ref().and_then(|found| found.base.clone());
        let results = conclude(facts);

        prop_assert_eq!(results.verdict == Verdict::Red, red);
        let failed = Rung::ALL.iter().any(|rung| results.rungs.of(*rung).state == RungState::Fail);
        prop_assert_eq!(failed, red);
        let install = results.rungs.install.state;
        if results.verdict == Verdict::Green {
            prop_assert_eq!(install, RungState::Pass);
            prop_assert!(!cancelled);
        }
        if install == RungState::Pass {
            prop_assert!(shown && answered);
        }
        prop_assert_eq!(results.level, results.rungs.level());
        prop_assert!(!results.sentence.is_empty() && !results.sentence.contains('\n'));
        for rung in Rung::ALL {
            let prefix = format!("{}: ", rung.name());
            let listed = results.not_verified.iter().any(|line| line.starts_with(&prefix));
            prop_assert_eq!(listed, results.rungs.of(rung).state == RungState::NotVerified);
        }
        prop_assert_eq!(results.recipe.base.and_then(|base| base.commit), base.map(|base| base.commit));
    }
}
