//! Published host ports: two stacks that publish the same one cannot be on one target at once (s52).

use serde::{Deserialize, Serialize};

use crate::domain::recipe::compose::Port;

/// A host port that a stack publishes, or a range of them. A range stays one value, so that a recipe that publishes all ports costs
/// no more than another.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
pub struct HostPort {
    /// The first port.
    pub first: u16,
    /// The last one, the same for a single port.
    pub last: u16,
    /// Its protocol.
    pub protocol: Protocol,
}

/// What is spoken at a port.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
#[expect(missing_docs, reason = "the names are Docker's own")]
pub enum Protocol {
    Tcp,
    Udp,
    Sctp,
}

impl HostPort {
    /// A single TCP port.
    #[must_use]
    pub const fn tcp(number: u16) -> Self {
        Self { first: number, last: number, protocol: Protocol::Tcp }
    }

    /// Whether both claim a port.
    #[must_use]
    pub const fn overlaps(self, other: Self) -> bool {
        self.protocol as u8 == other.protocol as u8 && self.first <= other.last && other.first <= self.last
    }

    fn of(port: &Port) -> Option<Self> {
        let protocol = match port.protocol.as_str() {
            "tcp" => Protocol::Tcp,
            "udp" => Protocol::Udp,
            "sctp" => Protocol::Sctp,
            _ => return None,
        };
        // `127.0.0.1:8080`: the address is ignored by Swarm, the port is not.
        let published = port.published.as_deref()?.rsplit(':').next()?;
        let (first, last) = published.split_once('-').unwrap_or((published, published));
        let (first, last) = (first.trim().parse().ok()?, last.trim().parse().ok()?);
        (first > 0 && first <= last).then_some(Self { first, last, protocol })
    }
}

/// The host ports that a compose file publishes. Left out: ports for which Swarm picks a free one, and what is no port at all, which
/// the deploy itself will say.
#[must_use]
pub fn published<'a>(ports: impl IntoIterator<Item = &'a Port>) -> Vec<HostPort> {
    let mut found: Vec<HostPort> = ports.into_iter().filter_map(HostPort::of).collect();
    found.sort_unstable();
    found.dedup();
    found
}

/// Whether the two cannot be on one target at once.
pub(super) fn conflict(one: &[HostPort], other: &[HostPort]) -> bool {
    one.iter().any(|port| other.iter().any(|taken| port.overlaps(*taken)))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn port(published: Option<&str>, protocol: &str) -> Port {
        Port {
            target: "80".to_owned(),
            published: published.map(str::to_owned),
            protocol: protocol.to_owned(),
            mode: "host".to_owned(),
        }
    }

    #[test]
    fn published_ports_are_read_and_the_rest_is_left_out() {
        let ports = [
            port(Some("25"), "tcp"),
            port(Some("25"), "tcp"),
            port(Some("3478-3480"), "udp"),
            port(Some("127.0.0.1:8080"), "tcp"),
            port(None, "tcp"),
            port(Some("0"), "tcp"),
            port(Some("9-8"), "tcp"),
            port(Some("70000"), "tcp"),
            port(Some("smtp"), "tcp"),
            port(Some("1"), "carrier pigeon"),
        ];
        let range = HostPort { first: 3478, last: 3480, protocol: Protocol::Udp };
        assert_eq!(published(&ports), [HostPort::tcp(25), range, HostPort::tcp(8080)]);
    }

    #[test]
    fn ports_conflict_by_range_and_protocol() {
        let range = HostPort { first: 10, last: 20, protocol: Protocol::Tcp };
        assert!(conflict(&[HostPort::tcp(1), HostPort::tcp(20)], &[range]));
        assert!(conflict(&[range], &[HostPort::tcp(10)]));
        assert!(!conflict(&[range], &[HostPort::tcp(21), HostPort { protocol: Protocol::Udp, ..range }]));
        assert!(!conflict(&[], &[range]));
    }
}
