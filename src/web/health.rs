//! Whether this gate can do its work, for probes.

use axum::extract::State;
use axum::http::StatusCode;
use axum::response::{IntoResponse, Response};
use jiff::{SignedDuration, Timestamp};

use super::Here;
use super::view::rough;
use crate::domain::results::ms_between;

/// A forge that was not heard for longer makes the gate useless.
const PATIENCE: SignedDuration = SignedDuration::from_mins(10);

/// 200 when all is well, else 503; each line says one thing.
pub(super) async fn ready(State(site): Here) -> Response {
    let (service, now) = (&site.service, Timestamp::now());
    let database = match service.store().try_to_write(now).await {
        Ok(()) => Ok("database: writable".to_owned()),
        Err(error) => Err(format!("database: {error}")),
    };
    let runs = if service.took_up() {
        Ok("runs: taken up".to_owned())
    } else {
        Err("runs: those of the process before are not taken up yet".to_owned())
    };
    let heard = service.heard();
    let patience = PATIENCE.max(SignedDuration::try_from(service.watched().poll * 3).unwrap_or(PATIENCE));
    let forge = match heard.polled_at {
        Some(at) if now.duration_since(at) <= patience => {
            Ok(format!("forge: heard {} ago", rough(ms_between(at, now))))
        }
        Some(at) => Err(format!("forge: not heard for {}", rough(ms_between(at, now)))),
        None => {
            Err(format!("forge: not heard yet{}", heard.trouble.map_or_else(String::new, |why| format!(": {why}"))))
        }
    };
    let lines = [database, runs, forge];
    let status = if lines.iter().all(Result::is_ok) { StatusCode::OK } else { StatusCode::SERVICE_UNAVAILABLE };
    let text: String = lines
        .into_iter()
        .map(|line| match line {
            Ok(line) => format!("ok   {line}\n"),
            Err(line) => format!("FAIL {line}\n"),
        })
        .collect();
    (status, text).into_response()
}
