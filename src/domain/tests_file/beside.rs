//! A tests file with the files that lie beside it, as they were when a run was asked for.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::{Check, CheckKind, FILE, OWN_FILE, Origin, TestsError, TestsFile};
use crate::domain::recipe::RecipeFiles;
use crate::domain::recipe::files::FileError;
use crate::domain::results::size;

/// So many files may lie beside it.
const MOST_FILES: usize = 64;
/// No file beside it is larger, in bytes: each becomes a config of the Swarm, and those end at 500 kB.
const LARGEST_FILE: usize = 256 << 10;
/// All of them together, in bytes.
const LARGEST_ALL: usize = 1 << 20;

/// Where a tests file comes from, and what it says: frozen when a run is asked for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Frozen {
    /// Where.
    pub origin: Origin,
    /// The whole file.
    pub text: String,
    /// What lies beside it, where a check needs that.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub files: Vec<SuiteFile>,
}

/// A file beside the tests file.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct SuiteFile {
    /// Its path in the folder of the tests file.
    pub path: String,
    /// Whether it may be executed.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub executable: bool,
    /// Its content, in base64.
    content: String,
}

impl SuiteFile {
    /// Its bytes.
    #[must_use]
    pub fn bytes(&self) -> Vec<u8> {
        STANDARD.decode(&self.content).unwrap_or_default()
    }

    /// Its content as Swarm takes it: in base64. Swarm keeps nothing that is empty: an empty file has a line end there.
    #[must_use]
    pub fn base64(&self) -> &str {
        /// `\n`
        const LINE_END: &str = "Cg==";
        if self.content.is_empty() { LINE_END } else { &self.content }
    }
}

impl Frozen {
    /// A tests file, for now without what lies beside it.
    #[must_use]
    pub const fn new(origin: Origin, text: String) -> Self {
        Self { origin, text, files: Vec::new() }
    }

    /// The recipe's own tests file among its files.
    ///
    /// # Errors
    /// When it has none, or one that is no text.
    pub fn own(origin: Origin, files: &RecipeFiles) -> Result<Self, FileError> {
        /// The folder of [`OWN_FILE`].
        const FOLDER: &str = "tests/";
        Ok(Self::new(origin, files.text(OWN_FILE)?.to_owned()).with_files_of(files, FOLDER))
    }

    /// Whether a check needs the files beside it. One that cannot be read needs none.
    #[must_use]
    pub fn needs_files(&self) -> bool {
        let in_a_container = |check: &Check| matches!(check.kind, CheckKind::Container(_));
        TestsFile::read(&self.text).is_ok_and(|tests| tests.checks.iter().chain(&tests.extras).any(in_a_container))
    }

    /// With those of the files that lie in a folder, `""` or `tests/`, where a check needs them. One more than may be there is taken,
    /// so that [`Frozen::read`] can tell.
    #[must_use]
    pub fn with_files_of(mut self, files: &RecipeFiles, folder: &str) -> Self {
        if self.needs_files() {
            let inside = files.iter().filter_map(|(path, file)| Some((path.strip_prefix(folder)?, file)));
            let beside = inside.filter(|(path, _)| *path != FILE).map(|(path, file)| SuiteFile {
                path: path.to_owned(),
                executable: file.executable,
                content: STANDARD.encode(&file.bytes[..file.bytes.len().min(LARGEST_FILE + 1)]),
            });
            self.files = beside.take(MOST_FILES + 1).collect();
        }
        self
    }

    /// What the file says.
    ///
    /// # Errors
    /// The first thing that is wrong with it, or with what lies beside it.
    pub fn read(&self) -> Result<TestsFile, TestsError> {
        let tests = TestsFile::read(&self.text)?;
        let sizes: Vec<usize> = self.files.iter().map(|file| file.bytes().len()).collect();
        let too_large = self.files.iter().zip(&sizes).find(|(_, bytes)| **bytes > LARGEST_FILE);
        let what = if self.files.len() > MOST_FILES {
            format!("more than {MOST_FILES} files lie beside it")
        } else if let Some((file, _)) = too_large {
            format!("`{}` beside it is larger than {}", file.path, size(LARGEST_FILE as u64))
        } else if sizes.iter().sum::<usize>() > LARGEST_ALL {
            format!("the files beside it are larger than {} together", size(LARGEST_ALL as u64))
        } else {
            return Ok(tests);
        };
        let advice = "Build what a suite needs into its image; these files are for the tests themselves.".to_owned();
        Err(TestsError { line: None, what, advice })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SUITE: &str = "[[check]]\nname = 'x'\ncontainer = { image = 'suite:3' }";

    fn frozen(text: &str, files: &[(&str, usize)]) -> Frozen {
        let mut found = RecipeFiles::new();
        for (path, bytes) in files {
            found.add(path, vec![b'x'; *bytes], path.ends_with(".sh")).unwrap();
        }
        let origin = Origin { source: "tests".into(), commit: None };
        Frozen::new(origin, text.to_owned()).with_files_of(&found, "tests/")
    }

    #[test]
    fn files_are_taken_where_a_check_needs_them() {
        let files = [("compose.yml", 1), ("tests/cc-ci.toml", 2), ("tests/a/run.sh", 3), ("tests/b.py", 4)];
        assert_eq!(frozen("", &files).files, []);
        assert_eq!(frozen("[[check]]", &files).files, []);
        let taken = frozen(SUITE, &files);
        let taken: Vec<_> = taken.files.iter().map(|it| (it.path.as_str(), it.executable, it.bytes().len())).collect();
        assert_eq!(taken, [("a/run.sh", true, 3), ("b.py", false, 4)]);
        let empty = frozen(SUITE, &[("tests/__init__.py", 0)]);
        assert_eq!((empty.files[0].bytes(), empty.files[0].base64()), (Vec::new(), "Cg=="));
        let stored = serde_json::to_string(&frozen(SUITE, &files)).unwrap();
        assert_eq!(serde_json::from_str::<Frozen>(&stored).unwrap(), frozen(SUITE, &files));
    }

    #[test]
    fn too_much_beside_it_is_an_error() {
        let said = |files: &[(&str, usize)]| frozen(SUITE, files).read().map(drop).map_err(|error| error.what);
        assert_eq!(said(&[("tests/a", 256 << 10)]), Ok(()));
        assert_eq!(said(&[("tests/a", (256 << 10) + 1)]).unwrap_err(), "`a` beside it is larger than 262 kB");
        let names: Vec<String> = (0..65).map(|n| format!("tests/{n}")).collect();
        let many: Vec<(&str, usize)> = names.iter().map(|name| (name.as_str(), 1)).collect();
        assert_eq!(said(&many[..64]), Ok(()));
        assert_eq!(said(&many).unwrap_err(), "more than 64 files lie beside it");
        let large: Vec<(&str, usize)> = names.iter().take(5).map(|name| (name.as_str(), 250_000)).collect();
        assert_eq!(said(&large).unwrap_err(), "the files beside it are larger than 1.0 MB together");
    }
}
