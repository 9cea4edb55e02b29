//! Where the forge sends its deliveries.

use axum::Router;
use axum::body::Bytes;
use axum::extract::{DefaultBodyLimit, State};
use axum::http::{HeaderMap, StatusCode};
use axum::routing::post;

use crate::adapters::forge::webhook::{DeliveryError, LARGEST_DELIVERY};
use crate::engine::service::{Delivered, Service};

/// `/hooks/forge`.
pub(super) fn router() -> Router<Service> {
    let limit = DefaultBodyLimit::max(LARGEST_DELIVERY);
    Router::new().route("/hooks/forge", post(deliver)).layer(limit)
}

async fn deliver(State(service): State<Service>, headers: HeaderMap, body: Bytes) -> (StatusCode, String) {
    match service.deliver(&headers, &body).await {
        Delivered::Taken => (StatusCode::ACCEPTED, "taken\n".to_owned()),
        Delivered::NotSetUp => (StatusCode::NOT_FOUND, "no webhooks are set up here\n".to_owned()),
        Delivered::NotAuthentic => {
            (StatusCode::UNAUTHORIZED, "the signature is not that of a valid secret\n".to_owned())
        }
        Delivered::Wrong(error) => {
            let status = match error {
                DeliveryError::NotJson(_) => StatusCode::UNSUPPORTED_MEDIA_TYPE,
                DeliveryError::TooLarge => StatusCode::PAYLOAD_TOO_LARGE,
                DeliveryError::Unreadable(_) => StatusCode::BAD_REQUEST,
            };
            (status, format!("{error}\n"))
        }
        Delivered::Failed(error) => {
            tracing::error!(%error, "a delivery could not be stored");
            (StatusCode::INTERNAL_SERVER_ERROR, "it could not be stored; polling finds it\n".to_owned())
        }
    }
}
