//! How much memory a process needed at most, by the kernel's word.

/// Measures from its beginning on.
pub(crate) struct Peak {
    before: u64,
}

impl Peak {
    pub(crate) fn begin() -> Self {
        // Forgets the peak so far; where that is not allowed, the peak is the process's own.
        let _unsupported = std::fs::write("/proc/self/clear_refs", "5");
        Self { before: kilobytes("VmRSS:") }
    }

    /// How much more it was than at the beginning.
    pub(crate) fn megabytes(&self) -> u64 {
        kilobytes("VmHWM:").saturating_sub(self.before) / 1_000
    }
}

fn kilobytes(name: &str) -> u64 {
    let status = std::fs::read_to_string("/proc/self/status").unwrap_or_default();
    let line = status.lines().find_map(|line| line.strip_prefix(name)).unwrap_or_default();
    line.split_whitespace().next().and_then(|number| number.parse().ok()).unwrap_or(0)
}
