//! What a probe container tells of the machine that it runs on: the one thing that neither the engine's API nor the proxy can tell.

use serde::{Deserialize, Serialize};

/// The line that `cc-ci runner probe` prints, as JSON.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Probed {
    /// Bytes that are free where the engine keeps images and volumes.
    pub disk_free: u64,
    /// Bytes there are.
    pub disk_total: u64,
    /// Which of the addresses answered, as they were given.
    pub reached: Vec<String>,
}
