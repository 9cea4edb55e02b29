//! Headers, closed pages, and who may act.

use cc_ci::adapters::store::{May, Person};
use jiff::{SignedDuration, Timestamp};
use reqwest::{Response, StatusCode};
use sha2::{Digest as _, Sha256};

use super::{Site, seed};

const COOKIE: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";

impl Site {
    /// Logs somebody in; the cookie is the same for all tests.
    pub(super) async fn logged_in(&self, login: &str, may: May) {
        let hash = hex::encode(Sha256::digest(COOKIE));
        let person = Person { login: login.to_owned(), may };
        let now = Timestamp::now();
        self.service.store().end_session(&hash).await.unwrap();
        self.service.store().begin_session(&hash, &person, now, now + SignedDuration::from_hours(1)).await.unwrap();
    }

    pub(super) async fn read(&self, path: &str) -> Response {
        let request =
            self.client.get(format!("{}{path}", self.url)).header("cookie", format!("cc-ci-session={COOKIE}"));
        request.send().await.unwrap()
    }

    /// Presses a button.
    pub(super) async fn press(&self, path: &str, form: &str) -> Response {
        let request =
            self.client.post(format!("{}{path}", self.url)).header("cookie", format!("cc-ci-session={COOKIE}"));
        request.header("origin", &self.url).body(form.to_owned()).send().await.unwrap()
    }
}

#[tokio::test]
async fn every_answer_forbids_what_no_page_needs() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    for path in [
        "/",
        "/nothing",
        "/style.css",
        "/metrics",
        "/recipes/notes/badge.svg",
        &format!("/runs/{}/results.json", numbers.red),
    ] {
        let response = site.get(path).await;
        let header = |name: &str| response.headers()[name].to_str().unwrap().to_owned();
        assert!(
            header("content-security-policy").starts_with("default-src 'none'; style-src 'self'; script-src 'self';"),
            "{path}"
        );
        assert_eq!(
            (header("x-content-type-options"), header("referrer-policy")),
            ("nosniff".into(), "same-origin".into())
        );
        assert!(!header("content-security-policy").contains("unsafe"), "{path}");
    }
    let report = site.get(&format!("/runs/{}/report.html", numbers.red)).await;
    let policy = report.headers()["content-security-policy"].to_str().unwrap();
    assert!(policy.contains("sandbox") && !policy.contains("script-src"), "{policy}");
}

#[tokio::test]
async fn buttons_are_shown_only_to_whom_they_work_for() {
    let site = Site::with(|url| cc_ci::web::Options {
        oauth: Some(super::login::application("http://127.0.0.1:9")),
        ..seed::options(url)
    })
    .await;
    let numbers = seed::seed(&site.service).await;
    let (run, red) = (format!("/runs/{}", numbers.running), format!("/runs/{}", numbers.red));
    for may in [None, Some(May::Read), Some(May::Member), Some(May::Operator)] {
        if let Some(may) = may {
            site.logged_in("ada", may).await;
        }
        let text = async |path: &str| site.read(path).await.text().await.unwrap();
        let member = may >= Some(May::Member);
        assert_eq!(text(&run).await.contains("/cancel\""), member, "{may:?}");
        assert_eq!(text(&red).await.contains("/retry\""), member, "{may:?}");
        assert_eq!(text("/targets").await.contains("/gate/pause\""), may >= Some(May::Operator), "{may:?}");
        assert_eq!(
            text(&red).await.contains(&format!("href=\"/login?back=%2Fruns%2F{}\"", numbers.red)),
            may.is_none()
        );
    }
}

#[tokio::test]
async fn nobody_acts_without_right_origin_and_login() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let cancel = format!("/runs/{}/cancel", numbers.running);
    let refused = |response: Response| assert_eq!(response.status(), StatusCode::FORBIDDEN);
    refused(site.press(&cancel, "").await);
    site.logged_in("eve", May::Read).await;
    refused(site.press(&cancel, "").await);
    site.logged_in("ada", May::Member).await;
    refused(site.press("/gate/pause", "why=x").await);
    let ask = || site.client.post(format!("{}{cancel}", site.url)).header("cookie", format!("cc-ci-session={COOKIE}"));
    refused(ask().send().await.unwrap());
    refused(ask().header("origin", "https://evil.example").send().await.unwrap());
    refused(ask().header("origin", &site.url).header("sec-fetch-site", "cross-site").send().await.unwrap());
    assert_eq!(site.read(&cancel).await.status(), StatusCode::METHOD_NOT_ALLOWED);
    assert!(site.service.store().show_run(numbers.running).await.unwrap().unwrap().cancelled.is_none());
    assert!(site.service.store().actions(5).await.unwrap().is_empty());
    assert_eq!(site.press(&cancel, "").await.status(), StatusCode::SEE_OTHER);
    assert_eq!(site.service.store().actions(5).await.unwrap()[0].who, "ada");
}

#[tokio::test]
async fn a_session_ends() {
    let site = Site::new().await;
    let hash = hex::encode(Sha256::digest(COOKIE));
    let (person, now) = (Person { login: "ada".into(), may: May::Operator }, Timestamp::now());
    let past = now - SignedDuration::from_secs(1);
    site.service.store().begin_session(&hash, &person, past - SignedDuration::from_hours(1), past).await.unwrap();
    assert!(!site.read("/").await.text().await.unwrap().contains("Log out"));
    site.logged_in("ada", May::Member).await;
    assert!(site.read("/").await.text().await.unwrap().contains("Log out"));
    let out = site.press("/logout", "").await;
    assert!(out.headers()["set-cookie"].to_str().unwrap().starts_with("cc-ci-session=; Path=/; Max-Age=0"));
    assert!(!site.read("/").await.text().await.unwrap().contains("Log out"));
}

#[tokio::test]
async fn closed_pages_show_nothing_to_strangers() {
    let site = Site::with(|url| cc_ci::web::Options { closed: true, ..seed::options(url) }).await;
    let numbers = seed::seed(&site.service).await;
    let mut closed = super::pages::all(&numbers);
    closed.extend(["/metrics", "/status.json", "/nothing"].map(str::to_owned));
    closed.extend(
        ["results.json", "log.jsonl", "report.html", "live"].map(|file| format!("/runs/{}/{file}", numbers.red)),
    );
    for may in [None, Some(May::Read)] {
        if let Some(may) = may {
            site.logged_in("eve", may).await;
        }
        for path in &closed {
            let response = site.read(path).await;
            assert_eq!(response.status(), StatusCode::UNAUTHORIZED, "{path}");
            let text = response.text().await.unwrap();
            assert!(!text.contains("notes") && !text.contains("swarm-a"), "{path}: {text}");
        }
    }
    for open in ["/healthz", "/style.css", "/recipes/notes/badge.svg"] {
        assert_eq!(site.get(open).await.status(), StatusCode::OK, "{open}");
    }
    site.logged_in("ada", May::Member).await;
    for path in &closed {
        assert_ne!(site.read(path).await.status(), StatusCode::UNAUTHORIZED, "{path}");
    }
}

#[tokio::test]
async fn s90_secrets_of_an_app_that_stays_up_are_for_members_alone() {
    let site = Site::new().await;
    let numbers = seed::seed(&site.service).await;
    let path = format!("/runs/{}/secrets", numbers.red);
    assert_eq!(site.get(&path).await.status(), StatusCode::FORBIDDEN);
    site.logged_in("passer-by", May::Read).await;
    assert_eq!(site.read(&path).await.status(), StatusCode::FORBIDDEN);
    site.logged_in("ada", May::Member).await;
    assert_eq!(site.read(&path).await.status(), StatusCode::NOT_FOUND, "nothing of this run is up");
    assert_eq!(site.read("/runs/99999/secrets").await.status(), StatusCode::NOT_FOUND);
}
