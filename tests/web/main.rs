//! The pages and what people may do there, against a gate with a history; no Docker, no forge, no browser.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compare;
mod control;
mod live;
mod login;
mod pages;
mod seed;
mod trust;

use cc_ci::engine::service::Service;
use cc_ci::web::{Options, router};
use reqwest::redirect::Policy;
use reqwest::{Client, Response};

/// A gate whose pages can be asked.
struct Site {
    url: String,
    client: Client,
    service: Service,
    _folder: tempfile::TempDir,
}

impl Site {
    /// An empty gate.
    async fn new() -> Self {
        Self::with(seed::options).await
    }

    /// An empty gate with these options, made from its address.
    async fn with(options: impl FnOnce(&str) -> Options) -> Self {
        let _installed = rustls::crypto::ring::default_provider().install_default();
        let folder = tempfile::tempdir().unwrap();
        let service = seed::service(folder.path(), "http://127.0.0.1:9").await;
        let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let router = router(service.clone(), options(&url));
        tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
        let client = Client::builder().redirect(Policy::none()).build().unwrap();
        Self { url, client, service, _folder: folder }
    }

    async fn get(&self, path: &str) -> Response {
        self.client.get(format!("{}{path}", self.url)).send().await.unwrap()
    }

    /// The text of a page that is there.
    async fn page(&self, path: &str) -> String {
        let response = self.get(path).await;
        assert_eq!(response.status(), 200, "{path}");
        response.text().await.unwrap()
    }
}
