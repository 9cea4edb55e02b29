//! What a run was judged by, held against what the target's engine says.

use std::time::Duration;

use cc_ci::domain::finding::{Finding, FindingKind};
use cc_ci::domain::stage::{Rung, Stage};
use jiff::Timestamp;

use super::{Ending, Finished, figure};

/// The finding that decided the install, of this kind and about this service.
pub(crate) fn headline<'a>(run: &'a Finished, kind: FindingKind, service: &str) -> &'a Finding {
    let results = run.results();
    let found = results.findings.first().unwrap_or_else(|| panic!("no finding: {}", run.told()));
    assert_eq!((found.kind, found.service.as_deref()), (kind, Some(service)), "{}", run.told());
    assert_eq!((found.stage, found.rung), (Stage::Install, Some(Rung::Install)));
    assert_eq!(results.sentence, found.sentence);
    found
}

/// A piece of evidence by its name.
pub(crate) fn evidence<'a>(finding: &'a Finding, what: &str) -> &'a str {
    let found = finding.evidence.iter().find(|evidence| evidence.what == what);
    &found.unwrap_or_else(|| panic!("no evidence `{what}` in {finding:#?}")).text
}

/// The endings of a service up to the verdict: what comes later is the teardown's doing.
pub(crate) fn of<'a>(endings: &'a [Ending], service: &str, until: Timestamp) -> Vec<&'a Ending> {
    endings.iter().filter(|ending| ending.service == service && ending.at <= until).collect()
}

/// Shows how long after the state that proves it a finding was there, and asserts that it was soon enough.
pub(crate) fn assert_soon(case: &str, finding: &Finding, proof: &str, at: Timestamp, at_most: Duration) {
    let delay = finding.at.duration_since(at);
    figure(case, &format!("{}: finding.at minus {proof}", finding.kind.name()), delay.as_secs_f64(), "s");
    // The target's clock is known to a few milliseconds.
    let clocks = 0.1;
    let soon = -clocks..=at_most.as_secs_f64();
    assert!(soon.contains(&delay.as_secs_f64()), "{case}: {delay:#} after {proof} at {at}");
}
