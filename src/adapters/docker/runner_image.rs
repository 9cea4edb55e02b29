//! The runner image on a target: found by the hash of the program in it, else sent there.

use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use bollard::Docker;
use bollard::query_parameters::{CreateImageOptions, ImportImageOptions, ListImagesOptions, RemoveImageOptions};
use futures_util::{StreamExt as _, TryStreamExt as _};
use tokio_util::io::ReaderStream;

use super::own_root::OwnRoot;
use super::runner::RunnerError;
use super::{DockerError, Tried as _, gone_is_fine, labelled};

/// The image label with the SHA-256 of the program in it: exactly the gate's own build.
const BINARY_LABEL: &str = "cc-ci.binary";

/// The label of an image that a gate made from its own file system.
const IMPORTED_LABEL: &str = "cc-ci.imported";

/// Where the runner image comes from.
#[derive(Debug, Clone)]
pub enum ImageSource {
    /// A name that the target's engine knows or can pull.
    Reference(String),
    /// A `docker save` archive on this machine.
    File(PathBuf),
    /// This gate's own file system, where the gate is a container made from the image.
    OwnRoot(OwnRoot),
}

/// The id of an image on the target that holds exactly this build; streamed there when it is not.
///
/// # Errors
/// When neither the target nor the source has one.
pub async fn image(
    docker: &Docker,
    hash: &str,
    source: &ImageSource,
    say: impl Fn(String),
) -> Result<String, RunnerError> {
    if let Some(id) = find_image(docker, hash).await? {
        return Ok(id);
    }
    match source {
        ImageSource::Reference(reference) => {
            pull(docker, reference).await?;
            let why = format!("{reference} holds another build");
            find_image(docker, hash).await?.ok_or(RunnerError::NoImage { hash: hash.into(), why })
        }
        ImageSource::File(path) => {
            let size = send_image(docker, path).await?;
            say(format!("sent the runner image to the target, {} MB", size / 1_000_000));
            let why = format!("{} was sent, but it holds another build", path.display());
            find_image(docker, hash).await?.ok_or(RunnerError::NoImage { hash: hash.into(), why })
        }
        ImageSource::OwnRoot(own) => {
            let size = import_own_root(docker, hash, own.clone()).await?;
            remove_older_imports(docker, hash).await?;
            say(format!("sent this gate's own file system to the target as runner image, {} MB", size / 1_000_000));
            let why = "it was sent, but the target does not have it".to_owned();
            find_image(docker, hash).await?.ok_or(RunnerError::NoImage { hash: hash.into(), why })
        }
    }
}

/// Has the target's engine make an image from this gate's own file system, named and labelled by the hash of the program.
async fn import_own_root(docker: &Docker, hash: &str, own: OwnRoot) -> Result<u64, DockerError> {
    let options = CreateImageOptions {
        from_src: Some("-".to_owned()),
        repo: Some("cc-ci/runner".to_owned()),
        tag: Some(hash.chars().take(12).collect()),
        changes: vec![
            format!("LABEL {BINARY_LABEL}={hash} {IMPORTED_LABEL}=1"),
            "ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin".to_owned(),
            "ENTRYPOINT [\"/usr/local/bin/cc-ci\"]".to_owned(),
        ],
        ..Default::default()
    };
    let size = Arc::new(AtomicU64::new(0));
    let counted = Arc::clone(&size);
    let pieces = own.pieces().inspect_ok(move |piece| {
        counted.fetch_add(piece.len() as u64, Ordering::Relaxed);
    });
    let mut answers = docker.create_image(Some(options), Some(bollard::body_try_stream(pieces)), None);
    while let Some(answer) = answers.next().await {
        answer.tried("import this gate's own file system as runner image")?;
    }
    Ok(size.load(Ordering::Relaxed))
}

/// Has the target's engine pull an image, unless it has it.
async fn pull(docker: &Docker, reference: &str) -> Result<(), DockerError> {
    if docker.inspect_image(reference).await.is_ok() {
        return Ok(());
    }
    let options = CreateImageOptions { from_image: Some(reference.to_owned()), ..Default::default() };
    let mut progress = docker.create_image(Some(options), None, None);
    while let Some(step) = progress.next().await {
        step.tried(format!("pull the runner image {reference}"))?;
    }
    Ok(())
}

/// The id of an image on the target that holds exactly this build.
///
/// # Errors
/// When the engine does not answer.
pub async fn find_image(docker: &Docker, hash: &str) -> Result<Option<String>, DockerError> {
    let options = ListImagesOptions { filters: Some(labelled(format!("{BINARY_LABEL}={hash}"))), ..Default::default() };
    let images = docker.list_images(Some(options)).await.tried("look for the runner image")?;
    Ok(images.into_iter().next().map(|image| image.id))
}

async fn send_image(docker: &Docker, path: &Path) -> Result<u64, RunnerError> {
    let file = |source| RunnerError::File { path: path.into(), source };
    let archive = tokio::fs::File::open(path).await.map_err(file)?;
    let size = archive.metadata().await.map_err(file)?.len();
    let stream = ReaderStream::with_capacity(archive, 256 << 10);
    let options = ImportImageOptions { quiet: true, ..Default::default() };
    let body = bollard::body_try_stream(stream);
    let mut answers = docker.import_image(options, body, None);
    while let Some(answer) = answers.next().await {
        answer.tried("load the runner image")?;
    }
    Ok(size)
}

/// Each version of the gate leaves one behind; those that no container is made from go.
async fn remove_older_imports(docker: &Docker, hash: &str) -> Result<(), DockerError> {
    let options = ListImagesOptions { filters: Some(labelled(IMPORTED_LABEL)), ..Default::default() };
    let images = docker.list_images(Some(options)).await.tried("list the runner images")?;
    for image in images.iter().filter(|image| image.labels.get(BINARY_LABEL).is_none_or(|binary| binary != hash)) {
        let removed = docker.remove_image(&image.id, None::<RemoveImageOptions>, None).await;
        match gone_is_fine(removed.tried(format!("remove the runner image {}", image.id))) {
            // A run of another gate uses it.
            Err(error) if error.status() == Some(409) => {}
            other => other?,
        }
    }
    Ok(())
}
