//! Images of a target: what a registry says of them, what the store holds, and pulls. The target's engine asks the registry, with the
//! target's own mirrors and network, and without any login: an engine has none, and cc-ci sends none.

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

#[cfg(test)]
mod tests {
    use axum::Router;
    use axum::http::{StatusCode, Uri};
    use axum::routing::get;
    use tokio::net::UnixListener;

    use super::*;
    use crate::adapters::docker::connect;
    use crate::domain::registry::{Pulling, Trouble};

    /// A pull as the engine 26 streams it.
    const PULL: &str = concat!(
        r#"{"status":"Pulling from lab/web","id":"1.1.0"}"#,
        "\r\n",
        r#"{"status":"Already exists","progressDetail":{},"id":"30c63d710770"}"#,
        "\r\n",
        r#"{"status":"Pulling fs layer","progressDetail":{},"id":"352676c73eec"}"#,
        "\r\n",
        r#"{"status":"Downloading","progressDetail":{"current":2048,"total":4096},"progress":"[=>  ]","id":"352676c73eec"}"#,
        "\r\n",
        r#"{"status":"Download complete","progressDetail":{},"id":"352676c73eec"}"#,
        "\r\n",
        r#"{"status":"Digest: sha256:6a2df696268a3d3e5d9fc5b62543c961765bcd008eb8c81413858117d4129e84"}"#,
        "\r\n",
        r#"{"status":"Status: Downloaded newer image for registry.lab:5000/lab/web:1.1.0"}"#,
        "\r\n",
    );
    const BROKEN_OFF: &str = concat!(
        r#"{"status":"Pulling from lab/web","id":"1"}"#,
        "\r\n",
        r#"{"errorDetail":{"message":"toomanyrequests: too many"},"error":"toomanyrequests: too many"}"#,
        "\r\n",
    );

    /// An engine that answers by the image's name.
    async fn engine() -> (tempfile::TempDir, Docker) {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("docker.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let answer = async |uri: Uri| match uri.to_string() {
            path if path.ends_with("/version") => (StatusCode::OK, r#"{"ApiVersion":"1.45","MinAPIVersion":"1.24"}"#),
            path if path.contains("absent") => {
                (StatusCode::NOT_FOUND, r#"{"message":"manifest unknown: manifest unknown"}"#)
            }
            path if path.contains("private") => (StatusCode::UNAUTHORIZED, r#"{"message":"unauthorized"}"#),
            path if path.contains("broken") => (StatusCode::OK, BROKEN_OFF),
            path if path.contains("/distribution/") => {
                (StatusCode::OK, r#"{"Descriptor":{"digest":"sha256:ab","size":1},"Platforms":[]}"#)
            }
            path if path.contains("fromImage=lab%2Fweb&tag=1.1.0") => (StatusCode::OK, PULL),
            path if path.contains("/images/lab/web:local/json") => (StatusCode::OK, r#"{"RepoDigests":[]}"#),
            path if path.contains("/images/lab/web") && path.ends_with("/json") => {
                (StatusCode::OK, r#"{"RepoDigests":["other/web@sha256:00","lab/web@sha256:ab"]}"#)
            }
            _ => (StatusCode::INTERNAL_SERVER_ERROR, r#"{"message":"not asked for"}"#),
        };
        tokio::spawn(axum::serve(listener, Router::new().fallback(get(answer).post(answer))).into_future());
        (folder, connect(&socket).await.unwrap())
    }

    fn name(text: &str) -> ImageName {
        ImageName::parse(text).unwrap()
    }

    fn means<T: std::fmt::Debug>(result: Result<T, ImageError>, image: &ImageName) -> Refusal {
        match result {
            Err(ImageError::Refused(refused)) => refused.means(image),
            other => panic!("{other:?}"),
        }
    }

    #[tokio::test]
    async fn s23_what_a_registry_says_comes_through_the_engine() {
        let (_folder, docker) = engine().await;
        assert_eq!(resolve(&docker, &name("lab/web:1")).await.unwrap(), "sha256:ab");
        for (image, wanted) in [("absent:1", Refusal::Missing), ("private/x", Refusal::Denied)] {
            let image = name(image);
            assert_eq!(means(resolve(&docker, &image).await, &image), wanted);
            assert_eq!(means(pull(&docker, &image, |_| {}).await, &image), wanted);
        }
        // A pull that fails half-way has told its status long before.
        let broken = name("lab/broken:1");
        assert_eq!(means(pull(&docker, &broken, |_| {}).await, &broken), Refusal::Limit);
        let other = name("lab/other");
        assert_eq!(means(pull(&docker, &other, |_| {}).await, &other), Refusal::Trouble(Trouble::Other));
    }

    #[tokio::test]
    async fn a_pull_is_heard_message_by_message() {
        let (_folder, docker) = engine().await;
        let (mut pulling, mut heard) = (Pulling::default(), 0);
        let hear = |message: Message<'_>| {
            heard += 1;
            pulling.take(message);
        };
        pull(&docker, &name("lab/web:1.1.0"), hear).await.unwrap();
        assert_eq!((heard, pulling.downloaded(), pulling.size()), (7, 4096, 4096));
        assert!(pulling.digest().unwrap().starts_with("sha256:6a2df696"));
    }

    #[tokio::test]
    async fn the_store_knows_an_image_with_or_without_a_registrys_digest() {
        let (_folder, docker) = engine().await;
        assert_eq!(stored(&docker, "lab/web:1").await.unwrap(), Some(Some("sha256:ab".to_owned())));
        assert_eq!(stored(&docker, "lab/web:local").await.unwrap(), Some(None));
        assert_eq!(stored(&docker, "absent").await.unwrap(), None);
    }

    #[tokio::test]
    async fn an_engine_that_is_gone_is_not_a_refusal() {
        let (folder, docker) = engine().await;
        std::fs::remove_file(folder.path().join("docker.sock")).unwrap();
        let image = name("lab/web:1");
        assert!(matches!(resolve(&docker, &image).await, Err(ImageError::Lost(error)) if error.is_silence()));
        assert!(matches!(pull(&docker, &image, |_| {}).await, Err(ImageError::Lost(_))));
    }
}
