//! Recipes that one test needs and nobody else: written where they are used.

use std::fs;
use std::path::{Path, PathBuf};
use std::process::Command;

use super::said;

/// A tests file, and what lies beside it, in a folder that goes with it.
pub(crate) struct Tests(tempfile::TempDir);

impl Tests {
    /// Only the file.
    pub(crate) fn of(text: &str) -> Self {
        Self::with(text, &[])
    }

    /// The file, and others by their paths.
    pub(crate) fn with(text: &str, files: &[(&str, &str)]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        for (path, text) in files.iter().chain([&("cc-ci.toml", text)]) {
            let path = folder.path().join(path);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(path, text).unwrap();
        }
        Self(folder)
    }

    /// The folder, for `--tests`.
    pub(crate) fn path(&self) -> &str {
        self.0.path().to_str().unwrap()
    }
}

/// A recipe in a folder that goes with it.
pub(crate) struct Recipe {
    folder: tempfile::TempDir,
    name: String,
}

impl Recipe {
    /// A recipe of one compose file; `compose` is all that follows its first line.
    pub(crate) fn of(name: &str, compose: &str) -> Self {
        let recipe = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned() };
        fs::create_dir(recipe.path()).unwrap();
        recipe.write("compose.yml", &format!("version: \"3.8\"\n{compose}"));
        recipe.write(".env.sample", &format!("TYPE={name}\nDOMAIN={name}.example.com\n"));
        recipe
    }

    /// Adds to its `.env.sample`.
    pub(crate) fn with_env(self, lines: &str) -> Self {
        let sample = self.path().join(".env.sample");
        let before = fs::read_to_string(&sample).unwrap();
        fs::write(sample, before + lines).unwrap();
        self
    }

    /// A copy of a recipe of `tests/recipes`.
    pub(crate) fn copy_of(name: &str) -> Self {
        let recipe = Self { folder: tempfile::tempdir().unwrap(), name: name.to_owned() };
        fs::create_dir(recipe.path()).unwrap();
        let original = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes").join(name);
        for file in fs::read_dir(original).unwrap().flatten() {
            fs::copy(file.path(), recipe.path().join(file.file_name())).unwrap();
        }
        recipe
    }

    /// The recipe as it is becomes this version, with a tag.
    pub(crate) fn publish(&self, version: &str) {
        self.git(&["init", "--quiet"]);
        self.git(&["add", "."]);
        self.git(&["commit", "--quiet", "--message", version]);
        self.git(&["tag", "--annotate", "--message", version, version]);
    }

    fn git(&self, arguments: &[&str]) {
        let me = ["-c", "user.name=ada", "-c", "user.email=ada@example.org"];
        said(Command::new("git").args(me).args(arguments).current_dir(self.path()));
    }

    /// Its folder.
    pub(crate) fn path(&self) -> PathBuf {
        self.folder.path().join(&self.name)
    }

    /// The text of one of its files.
    pub(crate) fn read(&self, file: &str) -> String {
        fs::read_to_string(self.path().join(file)).unwrap()
    }

    /// Writes one of its files.
    pub(crate) fn write(&self, file: &str, text: &str) {
        fs::write(self.path().join(file), text).unwrap();
    }
}

/// The text with each first part replaced by the second; each must be there.
pub(crate) fn edited(text: &str, edits: &[(&str, &str)]) -> String {
    edits.iter().fold(text.to_owned(), |text, (from, to)| {
        assert!(text.contains(from), "`{from}` is not in\n{text}");
        text.replace(from, to)
    })
}
