//! A recipe's files as data: nothing here is executed, and what is too large or points outside is refused.

use std::collections::BTreeMap;

/// How many files a recipe may have.
pub const MAX_FILES: usize = 2_000;
/// How many bytes all files of a recipe may have together.
pub const MAX_BYTES: usize = 8 << 20;
/// How many bytes a file that is read as text (YAML, env, shell) may have.
pub const MAX_TEXT: usize = 1 << 20;

/// One file.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RecipeFile {
    /// What is in it.
    pub bytes: Vec<u8>,
    /// Whether its owner may execute it.
    pub executable: bool,
}

/// Why a file cannot be taken or read. Says what and where; the path is untrusted text.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum FileError {
    /// The path is absolute, empty, or leads outside.
    #[error("`{0}` is not a path inside the recipe")]
    UnsafePath(String),
    /// More files than [`MAX_FILES`].
    #[error("the recipe has more than {MAX_FILES} files")]
    TooMany,
    /// More bytes than [`MAX_BYTES`].
    #[error("the recipe's files are larger than {} MiB together", MAX_BYTES >> 20)]
    TooLarge,
    /// There is no such file.
    #[error("the recipe has no file `{0}`")]
    Missing(String),
    /// Larger than [`MAX_TEXT`].
    #[error("`{0}` is larger than 1 MiB")]
    TextTooLarge(String),
    /// Not UTF-8, or with a NUL byte.
    #[error("`{0}` is not a text file (UTF-8 without NUL bytes)")]
    NotText(String),
}

/// All files of a recipe by their path relative to its folder. Symbolic links are left out by whoever fills it.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct RecipeFiles {
    files: BTreeMap<String, RecipeFile>,
    bytes: usize,
}

/// The path without `./`, if it is relative, stays inside, and has no empty part.
#[must_use]
pub fn inside(path: &str) -> Option<&str> {
    let mut rest = path;
    while let Some(shorter) = rest.strip_prefix("./") {
        rest = shorter;
    }
    let fits = !rest.is_empty() && rest.len() <= 1024 && !rest.contains(['\0', '\\', '\n']);
    (fits && rest.split('/').all(|part| !matches!(part, "" | "." | ".."))).then_some(rest)
}

impl RecipeFiles {
    /// No files yet.
    #[must_use]
    pub fn new() -> Self {
        Self::default()
    }

    /// Adds a file; one of the same path is replaced.
    ///
    /// # Errors
    /// When the path is not inside the recipe or a budget is exceeded.
    pub fn add(&mut self, path: &str, bytes: Vec<u8>, executable: bool) -> Result<(), FileError> {
        let path = inside(path).ok_or_else(|| FileError::UnsafePath(path.chars().take(120).collect()))?;
        let replaced = self.files.get(path).map_or(0, |file| file.bytes.len());
        let total = self.bytes - replaced + bytes.len();
        if total > MAX_BYTES {
            return Err(FileError::TooLarge);
        }
        if self.files.len() >= MAX_FILES && !self.files.contains_key(path) {
            return Err(FileError::TooMany);
        }
        self.bytes = total;
        self.files.insert(path.to_owned(), RecipeFile { bytes, executable });
        Ok(())
    }

    /// The file at that path, `./` in front allowed.
    #[must_use]
    pub fn get(&self, path: &str) -> Option<&RecipeFile> {
        self.files.get(inside(path)?)
    }

    /// Whether there is such a file.
    #[must_use]
    pub fn contains(&self, path: &str) -> bool {
        self.get(path).is_some()
    }

    /// All files by path, sorted.
    pub fn iter(&self) -> impl Iterator<Item = (&str, &RecipeFile)> {
        self.files.iter().map(|(path, file)| (path.as_str(), file))
    }

    /// How many files there are.
    #[must_use]
    pub fn len(&self) -> usize {
        self.files.len()
    }

    /// Whether there is none.
    #[must_use]
    pub fn is_empty(&self) -> bool {
        self.files.is_empty()
    }

    /// The text of a file.
    ///
    /// # Errors
    /// When it is missing, too large for text, or not text.
    pub fn text(&self, path: &str) -> Result<&str, FileError> {
        let file = self.get(path).ok_or_else(|| FileError::Missing(path.chars().take(120).collect()))?;
        if file.bytes.len() > MAX_TEXT {
            return Err(FileError::TextTooLarge(path.to_owned()));
        }
        match std::str::from_utf8(&file.bytes) {
            Ok(text) if !text.contains('\0') => Ok(text.strip_prefix('\u{feff}').unwrap_or(text)),
            _ => Err(FileError::NotText(path.to_owned())),
        }
    }

    /// The text of a file that need not be there: empty when it is missing.
    ///
    /// # Errors
    /// When it is there and no text.
    pub fn text_or_empty(&self, path: &str) -> Result<&str, FileError> {
        if self.contains(path) { self.text(path) } else { Ok("") }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_stay_inside_the_recipe() {
        let mut files = RecipeFiles::new();
        for bad in ["", "/etc/passwd", "../x", "a/../../x", "a//b", ".", "a\\b", "a/.", "x\0"] {
            assert!(files.add(bad, vec![], false).is_err(), "{bad:?}");
        }
        files.add("./release/1.0.0+1", b"notes".to_vec(), false).unwrap();
        assert_eq!(files.text("release/1.0.0+1").unwrap(), "notes");
        assert_eq!(files.text("compose.yml").unwrap_err().to_string(), "the recipe has no file `compose.yml`");
    }

    #[test]
    fn budgets_hold() {
        let mut files = RecipeFiles::new();
        files.add("big", vec![b'x'; MAX_BYTES], false).unwrap();
        assert_eq!(files.add("more", vec![b'x'], false), Err(FileError::TooLarge));
        assert_eq!(files.text("big"), Err(FileError::TextTooLarge("big".into())));
        files.add("big", vec![0], false).unwrap();
        assert_eq!(files.text("big"), Err(FileError::NotText("big".into())));
        for n in 1..MAX_FILES {
            files.add(&n.to_string(), vec![], false).unwrap();
        }
        assert_eq!(files.add("one too many", vec![], false), Err(FileError::TooMany));
    }
}
