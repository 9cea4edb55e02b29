//! The gate's own root file system as a tar stream: what a target's engine imports as the runner image, so that a gate needs no
//! registry and no second image.
//!
//! Left out is everything that is mounted (volumes, secrets, the engine's own files), what is made anew at each start, and what
//! this user may not read: the runner needs none of it. The order is that of the names.

use std::ffi::OsStr;
use std::fs;
use std::io::{self, BufWriter, Write};
use std::os::unix::ffi::OsStrExt as _;
use std::path::{Path, PathBuf};

use futures_util::stream::{self, Stream};
use hyper::body::Bytes;
use tokio::sync::mpsc;

/// Folders whose content exists only while a container runs.
const OF_THE_MOMENT: [&str; 6] = ["dev", "proc", "run", "sys", "tmp", "var/tmp"];
/// So much is read ahead of the connection, and a few of these wait to be sent.
const PIECE: usize = 256 << 10;
const WAITING: usize = 4;

/// What is packed, and what is not.
#[derive(Debug, Clone)]
pub struct OwnRoot {
    root: PathBuf,
    left_out: Vec<PathBuf>,
}

impl OwnRoot {
    /// The file system of this process, without what is mounted into it and without these folders.
    ///
    /// # Errors
    /// When the list of mounts cannot be read: then nothing may be sent, since secrets are mounted, too.
    pub fn of_this_process(secret_folders: &[PathBuf]) -> io::Result<Self> {
        let mounts = fs::read("/proc/self/mountinfo")?;
        Ok(Self::new(Path::new("/"), mount_points(&mounts).into_iter().chain(secret_folders.iter().cloned())))
    }

    fn new(root: &Path, left_out: impl IntoIterator<Item = PathBuf>) -> Self {
        let of_the_moment = OF_THE_MOMENT.map(|folder| root.join(folder));
        let left_out = left_out.into_iter().filter(|path| path != root).chain(of_the_moment).collect();
        Self { root: root.to_owned(), left_out }
    }

    /// The tar archive, piece by piece. It ends with an error where the file system could not be read to its end.
    pub(super) fn pieces(self) -> impl Stream<Item = io::Result<Bytes>> + Send + 'static {
        let (sender, mut receiver) = mpsc::channel(WAITING);
        tokio::task::spawn_blocking(move || {
            let told = sender.clone();
            if let Err(error) = self.pack(BufWriter::with_capacity(PIECE, Pieces(sender))) {
                // Whoever listened is gone: then there is nobody to tell.
                let _told = told.blocking_send(Err(error));
            }
        });
        stream::poll_fn(move |context| receiver.poll_recv(context))
    }

    fn pack(&self, writer: impl Write) -> io::Result<()> {
        let mut archive = tar::Builder::new(writer);
        archive.follow_symlinks(false);
        self.pack_folder(&mut archive, &self.root)?;
        archive.into_inner()?.flush()
    }

    fn pack_folder(&self, archive: &mut tar::Builder<impl Write>, folder: &Path) -> io::Result<()> {
        let Some(entries) = readable(fs::read_dir(folder))? else { return Ok(()) };
        let mut paths = entries.map(|entry| Ok(entry?.path())).collect::<io::Result<Vec<_>>>()?;
        paths.sort();
        for path in paths {
            self.pack_one(archive, &path)?;
        }
        Ok(())
    }

    fn pack_one(&self, archive: &mut tar::Builder<impl Write>, path: &Path) -> io::Result<()> {
        let name = path.strip_prefix(&self.root).map_err(io::Error::other)?;
        let kind = fs::symlink_metadata(path)?.file_type();
        let left_out = self.left_out.iter().any(|it| it == path);
        if kind.is_dir() {
            archive.append_dir(name, path)?;
            return if left_out { Ok(()) } else { self.pack_folder(archive, path) };
        }
        if left_out {
            return Ok(());
        }
        if kind.is_symlink() {
            archive.append_path_with_name(path, name)?;
        } else if kind.is_file()
            && let Some(mut file) = readable(fs::File::open(path))?
        {
            archive.append_file(name, &mut file)?;
        }
        // Sockets, pipes and devices are of the moment.
        Ok(())
    }
}

/// Nothing, where this user may not read.
fn readable<T>(result: io::Result<T>) -> io::Result<Option<T>> {
    match result {
        Ok(value) => Ok(Some(value)),
        Err(error) if error.kind() == io::ErrorKind::PermissionDenied => Ok(None),
        Err(error) => Err(error),
    }
}

/// The fifth field of each line of `mountinfo`, in which white space and backslashes are octal.
fn mount_points(mountinfo: &[u8]) -> Vec<PathBuf> {
    let lines = mountinfo.split(|byte| *byte == b'\n');
    lines
        .filter_map(|line| line.split(|byte| *byte == b' ').nth(4))
        .map(|field| PathBuf::from(OsStr::from_bytes(&unescaped(field))))
        .collect()
}

fn unescaped(field: &[u8]) -> Vec<u8> {
    let mut text = Vec::with_capacity(field.len());
    let mut rest = field;
    while let Some((first, behind)) = rest.split_first() {
        let octal = (*first == b'\\').then(|| behind.get(..3)).flatten();
        let byte = octal.and_then(|digits| u8::from_str_radix(std::str::from_utf8(digits).ok()?, 8).ok());
        text.push(byte.unwrap_or(*first));
        rest = if byte.is_some() { &behind[3..] } else { behind };
    }
    text
}

/// Sends what is written to it, and waits while too much is under way.
struct Pieces(mpsc::Sender<io::Result<Bytes>>);

impl Write for Pieces {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let sent = self.0.blocking_send(Ok(Bytes::copy_from_slice(bytes)));
        sent.map(|()| bytes.len()).map_err(|_| io::ErrorKind::BrokenPipe.into())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{PermissionsExt as _, symlink};

    use futures_util::TryStreamExt as _;

    use super::*;

    fn root() -> tempfile::TempDir {
        let folder = tempfile::tempdir().unwrap();
        let root = folder.path();
        for path in ["usr/local/bin", "run/secrets", "tmp", "var/tmp", "data", "etc"] {
            fs::create_dir_all(root.join(path)).unwrap();
        }
        fs::write(root.join("usr/local/bin/cc-ci"), vec![7; PIECE * 2]).unwrap();
        fs::set_permissions(root.join("usr/local/bin/cc-ci"), fs::Permissions::from_mode(0o755)).unwrap();
        symlink("usr/local/bin", root.join("bin")).unwrap();
        for (path, text) in
            [("run/secrets/token", "s"), ("tmp/x", "x"), ("data/db", "d"), ("etc/hosts", "h"), ("etc/os", "o")]
        {
            fs::write(root.join(path), text).unwrap();
        }
        std::os::unix::net::UnixListener::bind(root.join("etc/socket")).unwrap();
        folder
    }

    async fn packed(root: &Path) -> Vec<u8> {
        let own = OwnRoot::new(root, [root.to_owned(), root.join("data"), root.join("etc/hosts")]);
        own.pieces()
            .try_fold(Vec::new(), async |mut all, piece| {
                all.extend_from_slice(&piece);
                Ok(all)
            })
            .await
            .unwrap()
    }

    #[tokio::test]
    async fn what_is_mounted_or_of_the_moment_is_left_out() {
        let folder = root();
        let bytes = packed(folder.path()).await;
        let mut archive = tar::Archive::new(bytes.as_slice());
        let mut found = Vec::new();
        for entry in archive.entries().unwrap() {
            let entry = entry.unwrap();
            let header = entry.header();
            found.push(format!(
                "{} {:o} {}",
                entry.path().unwrap().display(),
                header.mode().unwrap() & 0o777,
                header.size().unwrap()
            ));
        }
        let names: Vec<&str> = found.iter().map(|line| line.split(' ').next().unwrap()).collect();
        let expected = [
            "bin",
            "data",
            "etc",
            "etc/os",
            "run",
            "tmp",
            "usr",
            "usr/local",
            "usr/local/bin",
            "usr/local/bin/cc-ci",
            "var",
            "var/tmp",
        ];
        assert_eq!(names.iter().map(|name| name.trim_end_matches('/')).collect::<Vec<_>>(), expected);
        assert!(found.contains(&format!("usr/local/bin/cc-ci 755 {}", PIECE * 2)), "{found:?}");
    }

    #[tokio::test]
    async fn the_same_files_are_the_same_archive() {
        let folder = root();
        assert_eq!(packed(folder.path()).await, packed(folder.path()).await);
    }

    #[tokio::test]
    async fn what_cannot_be_read_to_its_end_is_no_archive() {
        let own = OwnRoot::new(Path::new("/nonexistent"), []);
        assert!(own.pieces().try_for_each(async |_| Ok(())).await.is_err());
    }

    #[test]
    fn mount_points_are_read_with_their_white_space() {
        let text = b"22 1 0:21 / / ro - overlay overlay ro\n23 22 0:5 / /run/my\\040secret ro - tmpfs tmpfs ro\n";
        assert_eq!(mount_points(text), [PathBuf::from("/"), PathBuf::from("/run/my secret")]);
    }
}
