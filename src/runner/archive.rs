//! Backups: what is at a path of a container is kept as an archive, and put back from it. The app wrote what is in it: it is listed
//! entry by entry, and nothing of it is unpacked here.

use std::fs::{self, File};
use std::io::BufReader;
use std::path::{Path, PathBuf};

use anyhow::{Context as _, bail};
use bollard::query_parameters::{DownloadFromContainerOptions, UploadToContainerOptions};
use futures_util::StreamExt as _;
use tokio::io::AsyncWriteExt as _;
use tokio_util::io::ReaderStream;

use super::{ENGINE, say, write_whole};
use crate::adapters::docker::{Tried as _, connect};
use crate::domain::protocol::{ARCHIVES, LISTED, Listed, StepName};
use crate::domain::results::{count, size};

/// A larger one would fill the target's disk.
const LARGEST: u64 = 20 << 30;

fn place(name: &StepName) -> PathBuf {
    Path::new(ARCHIVES).join(format!("{name}.tar"))
}

/// Keeps what is at `path` of a container; `planted` is the name of files that do not count.
///
/// # Errors
/// When there is nothing, it is too large, or the engine does not answer.
pub async fn archive(container: &str, path: &str, name: &StepName, planted: &str) -> anyhow::Result<()> {
    let docker = connect(Path::new(ENGINE)).await?;
    fs::create_dir_all(ARCHIVES)?;
    fs::create_dir_all(LISTED)?;
    let options = DownloadFromContainerOptions { path: path.to_owned() };
    let mut pieces = docker.download_from_container(container, Some(options));
    let mut file = tokio::fs::File::create(place(name)).await.context("cannot write the archive")?;
    let mut bytes = 0;
    while let Some(piece) = pieces.next().await {
        let piece = match piece.tried(format!("read {path}")) {
            Ok(piece) => piece,
            Err(error) if error.status() == Some(404) => bail!("there is no {path}"),
            Err(error) => return Err(error.into()),
        };
        bytes += piece.len() as u64;
        if bytes > LARGEST {
            bail!("{path} is larger than {}", size(LARGEST));
        }
        file.write_all(&piece).await.context("cannot write the archive")?;
    }
    file.flush().await?;
    let listed = list(&place(name), planted).context("the archive cannot be read")?;
    write_whole(&Path::new(LISTED).join(format!("{name}.json")), &listed)?;
    let files = usize::try_from(listed.files).unwrap_or(usize::MAX);
    say(&format!("archived {path}: {}, {}", count(files, "file", "files"), size(listed.bytes)));
    Ok(())
}

fn list(archive: &Path, planted: &str) -> std::io::Result<Listed> {
    let mut listed = Listed::default();
    for entry in tar::Archive::new(BufReader::new(File::open(archive)?)).entries()? {
        let entry = entry?;
        if entry.header().entry_type().is_dir() {
            continue;
        }
        if entry.path()?.file_name().is_some_and(|name| name == planted) {
            listed.planted += 1;
        } else {
            listed.files += 1;
            listed.bytes += entry.size();
        }
    }
    Ok(listed)
}

/// Puts an archive back into a folder of a container.
///
/// # Errors
/// When it was never made, the engine refuses, or it does not answer.
pub async fn unarchive(container: &str, folder: &str, name: &StepName) -> anyhow::Result<()> {
    let docker = connect(Path::new(ENGINE)).await?;
    let file = tokio::fs::File::open(place(name)).await.context("there is no such archive")?;
    let options = UploadToContainerOptions { path: folder.to_owned(), ..Default::default() };
    let body = bollard::body_try_stream(ReaderStream::new(file));
    docker.upload_to_container(container, Some(options), body).await.tried(format!("put files into {folder}"))?;
    say(&format!("restored into {folder}"));
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_cc_ci_planted_is_not_what_the_backup_holds() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("a.tar");
        let mut archive = tar::Builder::new(File::create(&path).unwrap());
        for (name, text) in [("./dump.sql", "create"), ("./.cc-ci-r1", "r1"), ("./sub/empty", "")] {
            let mut header = tar::Header::new_gnu();
            header.set_size(text.len() as u64);
            archive.append_data(&mut header, name, text.as_bytes()).unwrap();
        }
        archive.append_dir("./sub2", folder.path()).unwrap();
        archive.into_inner().unwrap();
        assert_eq!(list(&path, ".cc-ci-r1").unwrap(), Listed { files: 2, bytes: 6, planted: 1 });
    }
}
