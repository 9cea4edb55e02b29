//! An engine that stands still: its connections are open, requests are taken, and no answer comes.

use std::time::Duration;

use bollard::Docker;
use tokio::time::{Instant, sleep, timeout};

use super::DockerError;
use crate::domain::silence::Silence;

/// Ends when the engine has not answered for so long, with what came instead.
pub async fn falls_silent(docker: &Docker, patience: Duration) -> DockerError {
    let begun = Instant::now();
    let mut silence = Silence::begin(patience);
    loop {
        sleep(silence.pause(begun.elapsed())).await;
        let answer = timeout(silence.may_take(begun.elapsed()), docker.ping()).await;
        let answered = matches!(answer, Ok(Ok(_)));
        if silence.is_over(begun.elapsed(), answered) {
            return match answer {
                Ok(Err(source)) => DockerError { what: "reach the engine".to_owned(), source },
                Ok(Ok(_)) | Err(_) => DockerError::no_answer("reach the engine"),
            };
        }
    }
}
