//! Images of a target: what a registry says of them, what the store holds, and pulls. The target's engine asks the registry, with the
//! target's own logins, mirrors and network.

use bollard::Docker;
use bollard::errors::Error;
use bollard::query_parameters::CreateImageOptions;
use futures_util::StreamExt as _;

use super::{DockerError, Tried as _};
use crate::domain::registry::{ImageName, Message, Refusal};

/// Why an image could not be asked for.
#[derive(Debug)]
pub enum ImageError {
    /// The engine answered that it cannot have the image.
    Refused(Refused),
    /// The engine itself did not answer.
    Lost(DockerError),
}

/// A refusal in the engine's own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Refused {
    /// The status of its answer; nothing for an error in the middle of a pull.
    pub status: Option<u16>,
    /// What it said.
    pub message: String,
}

impl Refused {
    /// What it means for this image.
    #[must_use]
    pub fn means(&self, image: &ImageName) -> Refusal {
        Refusal::read(self.status, &self.message, image)
    }
}

impl ImageError {
    fn of(what: &str, error: Error) -> Self {
        let refused = |status, message: &str| Self::Refused(Refused { status, message: message.to_owned() });
        if let Error::DockerResponseServerError { status_code, message } = &error {
            refused(Some(*status_code), message)
        } else if let Error::DockerStreamError { error: message } = &error {
            refused(None, message)
        } else if matches!(error, Error::RequestTimeoutError) {
            // The engine waits for the registry: one that is lost itself ends the connection sooner.
            refused(None, "the registry gave no answer: timeout")
        } else {
            Self::Lost(DockerError { what: what.to_owned(), source: error })
        }
    }
}

/// The digest that the registry has for the image now.
///
/// # Errors
/// What the engine says when it gets none.
pub async fn resolve(docker: &Docker, image: &ImageName) -> Result<String, ImageError> {
    let answer = docker.inspect_registry_image(image.as_str(), None).await;
    let answer = answer.map_err(|error| ImageError::of("ask a registry for an image", error))?;
    let digest = answer.descriptor.digest.or_else(|| image.digest().map(str::to_owned));
    digest.ok_or_else(|| {
        ImageError::Refused(Refused { status: None, message: "the registry named no digest".to_owned() })
    })
}

/// The digest under which the store holds the image of this name (with a tag or a digest); `Some(None)` when it holds one that no
/// registry has given it.
///
/// # Errors
/// When the engine does not answer.
pub async fn stored(docker: &Docker, name: &str) -> Result<Option<Option<String>>, DockerError> {
    let found = match docker.inspect_image(name).await.tried("look for an image") {
        Ok(found) => found,
        Err(error) if error.status() == Some(404) => return Ok(None),
        Err(error) => return Err(error),
    };
    let wanted = ImageName::parse(name).ok().map(|name| name.repository());
    let digests = found.repo_digests.unwrap_or_default();
    let of_this = |known: &String| {
        let known = ImageName::parse(known).ok().filter(|known| Some(known.repository()) == wanted)?;
        known.digest().map(str::to_owned)
    };
    Ok(Some(digests.iter().find_map(of_this)))
}

/// Pulls the image to the end; `hear` gets each message. Dropping the future ends the pull on the target, too.
///
/// # Errors
/// What the engine says when it cannot have the image.
pub async fn pull(
    docker: &Docker,
    image: &ImageName,
    mut hear: impl FnMut(Message<'_>) + Send,
) -> Result<(), ImageError> {
    let options = CreateImageOptions {
        from_image: Some(image.name().to_owned()),
        tag: Some(image.version().to_owned()),
        ..CreateImageOptions::default()
    };
    let mut messages = docker.create_image(Some(options), None, None);
    while let Some(message) = messages.next().await {
        let message = message.map_err(|error| ImageError::of("pull an image", error))?;
        let detail = message.progress_detail.unwrap_or_default();
        hear(Message {
            layer: message.id.as_deref(),
            status: message.status.as_deref().unwrap_or_default(),
            current: detail.current,
            total: detail.total,
        });
    }
    Ok(())
}
