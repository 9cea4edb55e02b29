//! The two clocks: nothing changes any more, and the stage takes too long.

use std::time::Duration;

use super::{View, between, sentences};
use crate::domain::finding::{Finding, FindingKind};

impl View<'_> {
    /// `stalled` or `deadline`, when one of them has come.
    pub(super) fn out_of_time(&self, waiting_for: &[String]) -> Option<Finding> {
        let quiet = self.quiet_for();
        let lasted = between(self.wanted.deployed_at, self.snapshot.at);
        let deadline = self.rules.deadline(self.wanted);
        let finding = if self.rules.fail_fast && quiet >= self.never_before(self.rules.stalled_after) {
            self.finding(FindingKind::Stalled, sentences::stalled(quiet, waiting_for))
        } else if lasted >= deadline {
            self.finding(FindingKind::Deadline, sentences::deadline(deadline, waiting_for))
        } else {
            return None;
        };
        let mut finding = finding.with("still waiting for", waiting_for.join("\n"));
        for service in self.wanted.services.iter().filter(|service| !self.is_converged(service)) {
            for place in self.memory.places(&service.name).filter(|place| !place.last_lines.is_empty()) {
                finding = finding.with(sentences::last_lines_of(&service.name), place.last_lines.join("\n"));
            }
        }
        Some(finding)
    }

    /// What to tell a person while nothing changes.
    pub(super) fn quiet_warning(&self, waiting_for: &[String]) -> Option<String> {
        let quiet = self.quiet_for();
        (quiet >= self.never_before(self.rules.warn_after)).then(|| sentences::quiet(quiet, waiting_for))
    }

    fn quiet_for(&self) -> Duration {
        self.memory.unchanged_since.map(|since| between(since, self.snapshot.at)).unwrap_or_default()
    }

    /// The limit, but never before the longest start period and a margin.
    fn never_before(&self, limit: Duration) -> Duration {
        let periods = self.wanted.services.iter().filter_map(|service| service.healthcheck);
        let longest = periods.map(|check| Duration::from_millis(check.start_period_ms)).max();
        longest.map_or(limit, |longest| limit.max(longest.saturating_add(self.rules.start_period_margin)))
    }
}
