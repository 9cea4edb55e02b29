//! A repository for tests.

use std::path::PathBuf;
use std::process::Command;

/// A repository `notes` in a folder of its own.
pub(crate) struct Repository {
    folder: tempfile::TempDir,
}

impl Repository {
    pub(crate) fn new() -> Self {
        let made = Self { folder: tempfile::tempdir().unwrap() };
        std::fs::create_dir(made.place()).unwrap();
        made.git(&["init", "-qb", "main"]);
        made
    }

    pub(crate) fn place(&self) -> PathBuf {
        self.folder.path().join("notes")
    }

    pub(crate) fn git(&self, arguments: &[&str]) {
        let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
        let done = Command::new("git").args(me).args(arguments).current_dir(self.place()).status().unwrap();
        assert!(done.success(), "{arguments:?}");
    }

    pub(crate) fn write(&self, file: &str, text: &str) {
        std::fs::write(self.place().join(file), text).unwrap();
    }

    /// Commits everything, and tags it where `tag` is not empty.
    pub(crate) fn commit(&self, message: &str, tag: &str) {
        self.git(&["add", "."]);
        self.git(&["commit", "-qm", message]);
        if !tag.is_empty() {
            self.git(&["tag", "-am", tag, tag]);
        }
    }
}
