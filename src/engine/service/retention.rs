//! Disk does not fill with old runs: the newest so many keep their log, report and recipe. Rows and results stay for good.

use std::num::NonZeroU32;
use std::time::Duration;

use jiff::Timestamp;

use super::Service;
use crate::adapters::store::Store;
use crate::engine::EngineError;
use crate::engine::state::StateFolder;

/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_secs(3600);
/// So many are asked for at once.
const AT_ONCE: u32 = 200;

impl Service {
    /// Removes the files of the oldest runs beyond those that are kept.
    pub(super) async fn thin_out(&self) -> Result<(), EngineError> {
        let Some(keep) = self.shared.watched.keep_runs else { return Ok(()) };
        let gate = &self.shared.gate;
        let removed = thin_out(&gate.store, &gate.state, keep, self.now()).await?;
        if removed > 0 {
            tracing::info!(runs = removed, "logs and reports of old runs were removed");
        }
        Ok(())
    }
}

/// Returns of how many runs.
async fn thin_out(store: &Store, state: &StateFolder, keep: NonZeroU32, now: Timestamp) -> Result<usize, EngineError> {
    let mut all = 0;
    loop {
        let mut removed = 0;
        for run in store.runs_beyond(keep.get(), AT_ONCE).await? {
            // Its process still writes: next time.
            if !state.is_alive(&run) {
                // The files before the row: a gate that is killed in between does it again.
                state.run(&run).thin_out()?;
                store.files_removed(&run, now).await?;
                removed += 1;
            }
        }
        all += removed;
        if removed == 0 {
            return Ok(all);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;

    use super::*;
    use crate::adapters::store::{End, NewRun};
    use crate::domain::ids::RunId;
    use crate::domain::verdict::Verdict;

    struct Scene {
        store: Store,
        state: StateFolder,
        _folder: tempfile::TempDir,
    }

    impl Scene {
        async fn new() -> Self {
            let folder = tempfile::tempdir().unwrap();
            let state = StateFolder::at(folder.path()).unwrap();
            Self { store: Store::open(folder.path()).await.unwrap(), state, _folder: folder }
        }

        async fn run(&self, number: u8, ended: bool) -> RunId {
            let id = RunId::from_random([number; 12]);
            let (recipe, target, stack, plan) = ("good", "lab", "stack", "{}");
            let new = NewRun { id: &id, recipe, target, stack, plan, protocol: 1, at: Timestamp::UNIX_EPOCH };
            self.store.add_run(new).await.unwrap();
            drop(self.state.run(&id).hold(&id).unwrap());
            for file in self.files(&id) {
                fs::write(file, "content").unwrap();
            }
            if ended {
                let end = End { verdict: Verdict::Green, sentence: "green", level: 2, report: None };
                assert!(self.store.finish(&id, &end, Timestamp::UNIX_EPOCH).await.unwrap());
            }
            id
        }

        fn files(&self, id: &RunId) -> [std::path::PathBuf; 4] {
            let folder = self.state.run(id);
            [folder.results(), folder.log(), folder.report(), folder.recipe()]
        }

        /// Which of results, log, report and recipe are there.
        fn has(&self, id: &RunId) -> [bool; 4] {
            self.files(id).map(|file| file.exists())
        }

        async fn thin_out(&self, keep: u32) -> usize {
            let keep = NonZeroU32::new(keep).unwrap();
            thin_out(&self.store, &self.state, keep, Timestamp::UNIX_EPOCH).await.unwrap()
        }
    }

    const WHOLE: [bool; 4] = [true; 4];
    const THIN: [bool; 4] = [true, false, false, false];

    #[tokio::test]
    async fn the_newest_runs_keep_their_files_and_all_keep_their_results() {
        let scene = Scene::new().await;
        let old = [scene.run(1, true).await, scene.run(2, true).await];
        let running = scene.run(3, false).await;
        let new = [scene.run(4, true).await, scene.run(5, true).await];
        assert_eq!(scene.thin_out(2).await, 2);
        assert_eq!(old.map(|id| scene.has(&id)), [THIN; 2]);
        assert_eq!(new.map(|id| scene.has(&id)), [WHOLE; 2]);
        assert_eq!(scene.has(&running), WHOLE, "one that goes on is none of them");
        assert_eq!(scene.thin_out(2).await, 0, "what is done is not done again");
        let shown = scene.store.show_ended(None, 10).await.unwrap();
        assert_eq!(
            shown.iter().map(|run| (run.number, run.has_files)).collect::<Vec<_>>(),
            [(5, true), (4, true), (2, false), (1, false)]
        );
    }

    #[tokio::test]
    async fn a_run_whose_process_still_writes_is_left_for_the_next_time() {
        let scene = Scene::new().await;
        let (old, _new) = (scene.run(1, true).await, scene.run(2, true).await);
        let held = scene.state.run(&old).hold(&old).unwrap();
        assert_eq!((scene.thin_out(1).await, scene.has(&old)), (0, WHOLE));
        drop(held);
        assert_eq!((scene.thin_out(1).await, scene.has(&old)), (1, THIN));
    }

    #[tokio::test]
    async fn a_folder_that_somebody_removed_is_no_trouble() {
        let scene = Scene::new().await;
        let (old, _new) = (scene.run(1, true).await, scene.run(2, true).await);
        fs::remove_dir_all(scene.state.run(&old).log().parent().unwrap()).unwrap();
        assert_eq!(scene.thin_out(1).await, 1);
    }
}
