//! Instants that are worth a mark on a report's time axis.

use jiff::Timestamp;

use super::Wanted;
use super::memory::{End, How, Memory};

impl Memory {
    /// Every end that counts, and when each service was first seen healthy, in the order of time.
    #[must_use]
    pub fn marks(&self, wanted: &Wanted) -> Vec<(Timestamp, String)> {
        let mut marks = Vec::new();
        for service in &wanted.services {
            for life in self.places(&service.name).flat_map(|place| &place.lives) {
                marks.extend(life.healthy_since.map(|at| (at, format!("{} is healthy", service.name))));
                marks.extend(life.end.as_ref().and_then(|end| said(&service.name, end)));
            }
        }
        marks.sort();
        marks
    }
}

fn said(service: &str, end: &End) -> Option<(Timestamp, String)> {
    let what = match end.how {
        How::Exit => match end.code {
            Some(code) => format!("{service} exits with {code}"),
            None => format!("{service} exits"),
        },
        How::Healthcheck => format!("{service} is killed by its healthcheck"),
        How::Rejected => format!("Swarm refuses to start {service}"),
        How::Stopped => return None,
    };
    Some((end.at, what))
}
