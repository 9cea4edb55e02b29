//! A Docker engine on a unix socket that only says what it is: its version, its swarm, its networks. Everything else is 404.

#![expect(clippy::unwrap_used, reason = "a fake that cannot start fails its test")]

use std::path::{Path, PathBuf};

use axum::Router;
use axum::http::{StatusCode, Uri, header};
use axum::response::IntoResponse;
use serde_json::json;
use tokio::net::UnixListener;

/// What the engine says of itself.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Says {
    pub(crate) version: &'static str,
    pub(crate) manager: bool,
    pub(crate) networks: &'static [&'static str],
}

impl Says {
    /// An engine that will do.
    pub(crate) const FIT: Self = Self { version: "26.1.5", manager: true, networks: &["bridge", "proxy"] };

    /// Engines that will not, each with what a refusal must name.
    pub(crate) const UNFIT: [(Self, &'static str); 3] = [
        (Self { version: "19.03.15", ..Self::FIT }, "too old: it says version `19.03.15`, 20.10 is needed"),
        (Self { manager: false, ..Self::FIT }, "docker swarm init"),
        (Self { networks: &["bridge", "proxy-2"], ..Self::FIT }, "docker network create -d overlay --attachable proxy"),
    ];

    /// Listens in this folder; returns the socket.
    pub(crate) async fn listen(self, folder: &Path) -> PathBuf {
        let socket = folder.join("engine.sock");
        let listener = UnixListener::bind(&socket).unwrap();
        let app = Router::new().fallback(move |uri: Uri| async move { self.answer(&uri) });
        tokio::spawn(async move { axum::serve(listener, app).await });
        socket
    }

    fn answer(self, uri: &Uri) -> impl IntoResponse + use<> {
        let networks: Vec<_> =
            self.networks.iter().map(|name| json!({ "Name": name, "Driver": "overlay", "Attachable": true })).collect();
        let body = match uri.path().rsplit('/').next().unwrap_or_default() {
            "_ping" => json!("OK"),
            "version" => json!({ "Version": self.version, "ApiVersion": "1.40", "MinAPIVersion": "1.12" }),
            "info" => json!({
                "ServerVersion": self.version,
                "SystemTime": jiff::Timestamp::now().to_string(),
                "Swarm": { "ControlAvailable": self.manager },
            }),
            "networks" => json!(networks),
            _ => return (StatusCode::NOT_FOUND, [(header::CONTENT_TYPE, "application/json")], "{}".to_owned()),
        };
        (StatusCode::OK, [(header::CONTENT_TYPE, "application/json")], body.to_string())
    }
}
