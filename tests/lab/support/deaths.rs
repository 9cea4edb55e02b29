//! Docker's own word for when containers ended, independent of the program under test.

use std::io::Read as _;
use std::process::{Child, Stdio};

use jiff::Timestamp;

use super::Lab;

/// `docker events` on the target, from its start to its end.
pub(crate) struct Deaths {
    child: Child,
}

impl Deaths {
    pub(crate) fn watch(lab: &Lab) -> Self {
        let format =
            ["docker", "events", "--filter", "type=container", "--filter", "event=die", "--format", "{{.TimeNano}}"];
        Self { child: lab.back_door(&[], &format).stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap() }
    }

    /// Every end that was seen.
    pub(crate) fn end(mut self) -> Vec<Timestamp> {
        self.child.kill().unwrap();
        let mut text = String::new();
        self.child.stdout.take().unwrap().read_to_string(&mut text).unwrap();
        self.child.wait().unwrap();
        text.lines().filter_map(|line| Timestamp::from_nanosecond(line.parse().ok()?).ok()).collect()
    }
}
