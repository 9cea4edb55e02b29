//! Peak memory: readings now and then while the app is up, the largest kept.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use bollard::Docker;
use tokio_util::task::AbortOnDropHandle;

use crate::adapters::docker::memory::memory;
use crate::domain::ids::StackName;

/// Between two readings, at first: what starts needs most. Later they come less often, up to the second.
const FIRST: Duration = Duration::from_secs(1);
const LAST: Duration = Duration::from_secs(10);

/// Takes readings until it is dropped.
pub(super) struct MemoryWatch {
    peaks: Arc<Mutex<BTreeMap<String, u64>>>,
    _task: AbortOnDropHandle<()>,
}

impl MemoryWatch {
    pub(super) fn begin(docker: Docker, stack: StackName) -> Self {
        let peaks = Arc::default();
        let task = AbortOnDropHandle::new(tokio::spawn(watch(docker, stack, Arc::clone(&peaks))));
        Self { peaks, _task: task }
    }

    /// Bytes by service, the most that was read so far.
    pub(super) fn peaks(&self) -> BTreeMap<String, u64> {
        self.peaks.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

async fn watch(docker: Docker, stack: StackName, peaks: Arc<Mutex<BTreeMap<String, u64>>>) {
    let mut pause = FIRST;
    loop {
        match memory(&docker, &stack).await {
            Ok(read) => keep_larger(&mut peaks.lock().unwrap_or_else(PoisonError::into_inner), read),
            Err(error) => tracing::debug!(%error, "the memory of the app could not be read"),
        }
        tokio::time::sleep(pause).await;
        pause = (pause + pause / 4).min(LAST);
    }
}

/// Of each service the larger of two values.
pub(super) fn keep_larger(peaks: &mut BTreeMap<String, u64>, read: BTreeMap<String, u64>) {
    for (service, bytes) in read {
        let peak = peaks.entry(service).or_insert(0);
        *peak = bytes.max(*peak);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_largest_reading_of_each_service_is_kept() {
        let read =
            |readings: &[(&str, u64)]| readings.iter().map(|(name, bytes)| ((*name).to_owned(), *bytes)).collect();
        let mut peaks = BTreeMap::new();
        keep_larger(&mut peaks, read(&[("app", 5), ("db", 9)]));
        keep_larger(&mut peaks, read(&[("app", 7), ("db", 2), ("job", 1)]));
        assert_eq!(peaks, read(&[("app", 7), ("db", 9), ("job", 1)]));
    }
}
