//! Tasks that cannot start: their image, mount, node or port is not to be had.

use std::time::Duration;

use super::memory::{How, Life, Place};
use super::{View, WantedService, between, sentences};
use crate::domain::finding::{Class, Finding, FindingKind};
use crate::domain::swarm::{Mode, TaskState};

/// A pending task is told only after this: a node or port may just be coming free.
const PENDING_FOR: Duration = Duration::from_secs(2);

/// A port that an older task of the same service holds, or held until a moment ago, is coming free.
const COMING_FREE: Duration = Duration::from_secs(15);

/// A global service whose constraints leave no node has no task at all, so only its absence tells.
const NO_TASK_FOR: Duration = Duration::from_secs(8);

/// How Swarm says that a node's port is taken.
const PORT_TAKEN: &str = "port already in use";

/// The evidence that names the image of an [`FindingKind::ImageMissing`].
const IMAGE: &str = "image";

/// The image about which a registry should be asked before this finding is told: Swarm says "No such image" for 404, 401,
/// 429 and DNS alike.
#[must_use]
pub fn image_question(finding: &Finding) -> Option<&str> {
    if finding.kind != FindingKind::ImageMissing {
        return None;
    }
    finding.evidence.iter().find(|evidence| evidence.what == IMAGE).map(|evidence| evidence.text.as_str())
}

impl View<'_> {
    /// One finding for each service with a task that cannot start.
    pub(super) fn blocked_tasks(&self) -> Vec<Finding> {
        let of = |service: &WantedService| {
            let mut places = self.memory.places(&service.name);
            places.find_map(|place| self.blocked(service, place)).or_else(|| self.has_no_node(service))
        };
        self.wanted.services.iter().filter_map(|service| Some(of(service)?.about(&service.name))).collect()
    }

    fn blocked(&self, service: &WantedService, place: &Place) -> Option<Finding> {
        let newest = place.newest()?;
        let waits_for_its_own = newest.error.contains(PORT_TAKEN) && self.gives_up_its_port(service);
        if newest.blocked_since.is_some_and(|since| between(since, self.snapshot.at) >= PENDING_FOR)
            && !waits_for_its_own
        {
            return Some(self.pending(service, newest));
        }
        // Swarm tries again and again: what became of the last try counts until the next one has got further.
        let tried = place.lives.iter().rev().find(|life| life.end.is_some() || life.started.is_some())?;
        let end = tried.end.as_ref()?;
        let finding = match end.how {
            How::Rejected => self.rejected(service, &tried.error)?,
            How::Exit if is_port_conflict(&tried.error) => {
                self.finding(FindingKind::PortInUse, sentences::port_in_use(service, &tried.error))
            }
            How::Exit | How::Healthcheck | How::Stopped => return None,
        };
        Some(finding.with("what Swarm says", tried.error.clone()).with("deciding exit", end.at.to_string()))
    }

    /// Whether an older task of the service is ending, or has just ended: what it held is about to be free.
    fn gives_up_its_port(&self, service: &WantedService) -> bool {
        self.snapshot.tasks.iter().any(|task| {
            task.service_id == service.id
                && task.desired > TaskState::Running
                && (task.state <= TaskState::Running || between(task.state_at, self.snapshot.at) < COMING_FREE)
        })
    }

    fn pending(&self, service: &WantedService, life: &Life) -> Finding {
        let error = &life.error;
        let finding = if error.contains(PORT_TAKEN) {
            self.finding(FindingKind::PortInUse, sentences::port_in_use(service, error))
        } else {
            let mut finding = self.finding(FindingKind::NoNode, sentences::no_node(service, error));
            if error.contains("not available for new tasks") && self.snapshot.eligible_nodes == 0 {
                finding.class = Class::Infra;
            }
            finding
        };
        finding.with("what Swarm says", error.clone())
    }

    fn rejected(&self, service: &WantedService, error: &str) -> Option<Finding> {
        if is_port_conflict(error) {
            return Some(self.finding(FindingKind::PortInUse, sentences::port_in_use(service, error)));
        }
        if is_image_error(error) {
            let finding = self.finding(FindingKind::ImageMissing, sentences::image_missing(service));
            return Some(finding.with(IMAGE, service.image()));
        }
        let mount = error.contains("bind source path does not exist") || error.contains("invalid mount config");
        mount.then(|| self.finding(FindingKind::BadMount, sentences::bad_mount(service, error)))
    }

    fn has_no_node(&self, service: &WantedService) -> Option<Finding> {
        let global = match service.mode {
            Mode::Global => true,
            Mode::Replicated(_) | Mode::Job(_) => false,
        };
        let no_task = !self.snapshot.tasks.iter().any(|task| task.service_id == service.id);
        let waited = between(self.wanted.deployed_at, self.snapshot.at) >= NO_TASK_FOR;
        (global && service.has_constraints() && no_task && waited && self.seen(service).is_some())
            .then(|| self.finding(FindingKind::NoNode, sentences::no_node(service, "")))
    }
}

fn is_image_error(error: &str) -> bool {
    let error = error.to_lowercase();
    let texts = [
        "no such image",
        "pull access denied",
        "manifest unknown",
        "manifest for ",
        "toomanyrequests",
        "repository does not exist",
        "error pulling image",
        "invalid reference format",
    ];
    texts.iter().any(|text| error.contains(text))
}

fn is_port_conflict(error: &str) -> bool {
    error.contains("port is already allocated")
        || (error.contains("failed programming external connectivity") && error.contains("address already in use"))
}
