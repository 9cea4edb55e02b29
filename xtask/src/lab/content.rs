//! Content hashes: what an image is made from decides whether it must be made again.

use std::fs;
use std::io::Read;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use anyhow::{Context, Result};
use sha2::{Digest, Sha256};

/// A hash over named parts. Lengths go in too, so that no two lists of parts look alike.
#[derive(Default)]
pub(crate) struct ContentHash(Sha256);

impl ContentHash {
    /// Adds one part.
    pub(crate) fn part(mut self, bytes: impl AsRef<[u8]>) -> Self {
        let bytes = bytes.as_ref();
        self.0.update((bytes.len() as u64).to_le_bytes());
        self.0.update(bytes);
        self
    }

    /// Adds a folder: relative path, execute permission and content of every file, in the order of the paths.
    pub(crate) fn folder(mut self, folder: &Path) -> Result<Self> {
        for file in files_below(folder)? {
            let name = file.strip_prefix(folder)?.to_string_lossy().into_owned();
            let executable = fs::metadata(&file)?.permissions().mode() & 0o100 != 0;
            let content = fs::read(&file).with_context(|| format!("cannot read {}", file.display()))?;
            self = self.part(name).part([u8::from(executable)]).part(content);
        }
        Ok(self)
    }

    /// The hash as hexadecimal text.
    pub(crate) fn hex(self) -> String {
        hex::encode(self.0.finalize())
    }
}

/// The plain SHA-256 of a file, as `sha256sum` prints it.
pub(crate) fn file_sha256(path: &Path) -> Result<String> {
    let mut file = fs::File::open(path).with_context(|| format!("cannot read {}", path.display()))?;
    let mut hash = Sha256::new();
    let mut buffer = vec![0; 1 << 20];
    loop {
        let read = file.read(&mut buffer)?;
        if read == 0 {
            return Ok(hex::encode(hash.finalize()));
        }
        hash.update(&buffer[..read]);
    }
}

fn files_below(folder: &Path) -> Result<Vec<PathBuf>> {
    let mut files = Vec::new();
    for entry in fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))? {
        let entry = entry?;
        if entry.file_type()?.is_dir() {
            files.extend(files_below(&entry.path())?);
        } else {
            files.push(entry.path());
        }
    }
    files.sort();
    Ok(files)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn folder(files: &[(&str, &str, u32)]) -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        for (name, content, mode) in files {
            let path = folder.path().join(name);
            fs::create_dir_all(path.parent().unwrap()).unwrap();
            fs::write(&path, content).unwrap();
            fs::set_permissions(&path, fs::Permissions::from_mode(*mode)).unwrap();
        }
        folder
    }

    fn hash(files: &[(&str, &str, u32)]) -> String {
        ContentHash::default().folder(folder(files).path()).unwrap().hex()
    }

    #[test]
    fn the_same_content_has_the_same_hash_wherever_it_lies() {
        let files = [("Dockerfile", "FROM x", 0o644), ("a/main.go", "package main", 0o644)];
        assert_eq!(hash(&files), hash(&files));
        assert_eq!(hash(&files), hash(&[files[1], files[0]]));
    }

    #[test]
    fn content_name_and_execute_permission_all_count() {
        let first = hash(&[("run.sh", "echo", 0o644)]);
        assert_ne!(first, hash(&[("run.sh", "echo 1", 0o644)]));
        assert_ne!(first, hash(&[("run2.sh", "echo", 0o644)]));
        assert_ne!(first, hash(&[("run.sh", "echo", 0o755)]));
        assert_eq!(first, hash(&[("run.sh", "echo", 0o600)]), "other permissions do not");
    }

    #[test]
    fn parts_cannot_run_into_each_other() {
        let joined = ContentHash::default().part("ab").part("c").hex();
        assert_ne!(joined, ContentHash::default().part("a").part("bc").hex());
    }

    #[test]
    fn a_file_hash_is_that_of_sha256sum() {
        let folder = folder(&[("f", "hello\n", 0o644)]);
        let expected = "5891b5b522d5df086d0ff0b110fbd9d21bb4fc7163af34d08286a2e846f6be03";
        assert_eq!(file_sha256(&folder.path().join("f")).unwrap(), expected);
    }
}
