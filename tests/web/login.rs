//! Login through a forge. The answers are those that a real Gitea gives; the fake knows the protocol and nothing else.

use std::sync::{Arc, Mutex};

use axum::Router;
use axum::extract::State;
use axum::http::{HeaderMap, StatusCode};
use axum::routing::{get, post};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use cc_ci::web::{OAuth, Options};
use reqwest::Response;
use secrecy::SecretString;
use sha2::{Digest as _, Sha256};

use super::{Site, seed};

pub(super) fn application(forge_url: &str) -> OAuth {
    OAuth {
        client_id: "gate".into(),
        client_secret: SecretString::from("s3cret".to_owned()),
        forge_url: forge_url.into(),
        ca_path: None,
    }
}

/// What the forge holds about the login that goes on.
#[derive(Default)]
struct Forge {
    challenge: String,
    redirect: String,
    groups: Vec<&'static str>,
    asked: u32,
}

type Shared = Arc<Mutex<Forge>>;

async fn token(State(forge): State<Shared>, body: String) -> (StatusCode, String) {
    let mut forge = forge.lock().unwrap();
    forge.asked += 1;
    let value =
        |name: &str| url::form_urlencoded::parse(body.as_bytes()).find(|(key, _)| key == name).unwrap().1.into_owned();
    let right = value("code") == "c0de"
        && value("client_secret") == "s3cret"
        && value("redirect_uri") == forge.redirect
        && URL_SAFE_NO_PAD.encode(Sha256::digest(value("code_verifier"))) == forge.challenge;
    if right {
        (StatusCode::OK, r#"{"access_token":"t0ken","token_type":"bearer","expires_in":3600}"#.into())
    } else {
        (StatusCode::BAD_REQUEST, r#"{"error":"unauthorized_client"}"#.into())
    }
}

async fn userinfo(State(forge): State<Shared>, headers: HeaderMap) -> (StatusCode, String) {
    if headers["authorization"] != "Bearer t0ken" {
        return (StatusCode::UNAUTHORIZED, String::new());
    }
    let groups = forge.lock().unwrap().groups.clone();
    // A real one writes `null` for none.
    let groups = if groups.is_empty() { "null".to_owned() } else { serde_json::to_string(&groups).unwrap() };
    (StatusCode::OK, format!(r#"{{"sub":"4","name":"Ada","preferred_username":"ada","groups":{groups}}}"#))
}

async fn forge() -> (String, Shared) {
    let shared = Shared::default();
    let router = Router::new()
        .route("/login/oauth/access_token", post(token))
        .route("/login/oauth/userinfo", get(userinfo))
        .with_state(Arc::clone(&shared));
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    tokio::spawn(async move { axum::serve(listener, router).await.unwrap() });
    (url, shared)
}

fn header(response: &Response, name: &str) -> String {
    response.headers()[name].to_str().unwrap().to_owned()
}

/// The cookie that an answer sets, as a browser sends it back.
fn cookie(response: &Response) -> String {
    header(response, "set-cookie").split(';').next().unwrap().to_owned()
}

/// Goes to the login. Returns the state that was sent along, and the cookie.
async fn begun(site: &Site, forge: &Shared, back: &str) -> (String, String) {
    let response = site.get(&format!("/login?back={back}")).await;
    assert_eq!(response.status(), 303);
    let to = url::Url::parse(&header(&response, "location")).unwrap();
    assert_eq!(to.path(), "/login/oauth/authorize");
    let value = |name: &str| to.query_pairs().find(|(key, _)| key == name).unwrap().1.into_owned();
    assert_eq!(
        (value("scope"), value("code_challenge_method"), value("response_type")),
        ("openid read:user".into(), "S256".into(), "code".into())
    );
    let mut forge = forge.lock().unwrap();
    forge.challenge = value("code_challenge");
    forge.redirect = value("redirect_uri");
    assert_eq!(forge.redirect, format!("{}/login/callback", site.url));
    (value("state"), cookie(&response))
}

async fn back(site: &Site, query: &str, cookie: &str) -> Response {
    site.client.get(format!("{}/login/callback?{query}", site.url)).header("cookie", cookie).send().await.unwrap()
}

#[tokio::test]
async fn a_member_logs_in_through_the_forge() {
    let (url, forge) = forge().await;
    let site = Site::with(|own| Options { oauth: Some(application(&url)), ..seed::options(own) }).await;
    forge.lock().unwrap().groups = vec!["recipes", "recipes:maintainers"];
    let (state, kept) = begun(&site, &forge, "%2Fruns%3Fbefore%3D3").await;
    let response = back(&site, &format!("code=c0de&state={state}"), &kept).await;
    assert_eq!((response.status().as_u16(), header(&response, "location").as_str()), (303, "/runs?before=3"));
    let session = cookie(&response);
    assert!(
        session.starts_with("cc-ci-session=") && header(&response, "set-cookie").contains("HttpOnly; SameSite=Lax")
    );
    let page = site.client.get(&site.url).header("cookie", &session).send().await.unwrap().text().await.unwrap();
    assert!(page.contains("<span>ada</span>") && page.contains("Log out"));
    let pause =
        site.client.post(format!("{}/gate/pause", site.url)).header("cookie", &session).header("origin", &site.url);
    assert_eq!(pause.send().await.unwrap().status(), 403, "a member is no operator");
}

#[tokio::test]
async fn an_operator_is_who_is_in_the_team() {
    let (url, forge) = forge().await;
    let site = Site::with(|own| Options { oauth: Some(application(&url)), ..seed::options(own) }).await;
    forge.lock().unwrap().groups = vec!["recipes", "recipes:owners"];
    let (state, kept) = begun(&site, &forge, "%2F").await;
    let session = cookie(&back(&site, &format!("code=c0de&state={state}"), &kept).await);
    let pause =
        site.client.post(format!("{}/gate/pause", site.url)).header("cookie", &session).header("origin", &site.url);
    assert_eq!(pause.body("why=new+disks").send().await.unwrap().status(), 303);
    let switches = site.service.store().switches().await.unwrap();
    assert_eq!(switches.pause.map(|on| (on.by, on.value)), Some(("ada".into(), "new disks".into())));
}

#[tokio::test]
async fn somebody_who_is_in_no_organisation_may_read() {
    let (url, forge) = forge().await;
    let site = Site::with(|own| Options { oauth: Some(application(&url)), ..seed::options(own) }).await;
    let (state, kept) = begun(&site, &forge, "%2Flogin%2Fcallback%3Fcode%3Dold").await;
    let response = back(&site, &format!("code=c0de&state={state}"), &kept).await;
    assert_eq!(
        (response.status().as_u16(), header(&response, "location").as_str()),
        (303, "/"),
        "not to the login again"
    );
    let retry = site.client.post(format!("{}/runs/1/retry", site.url)).header("cookie", cookie(&response));
    assert_eq!(retry.header("origin", &site.url).send().await.unwrap().status(), 403);
}

#[tokio::test]
async fn a_login_that_was_not_begun_here_is_none() {
    let (url, forge) = forge().await;
    let site = Site::with(|own| Options { oauth: Some(application(&url)), ..seed::options(own) }).await;
    let (state, kept) = begun(&site, &forge, "%2F").await;
    let good = format!("code=c0de&state={state}");
    for (query, cookie) in [
        (good.as_str(), ""),
        ("code=c0de&state=other", &kept),
        ("code=c0de", &kept),
        (&good, "cc-ci-login=.."),
        (&good, "cc-ci-login=x"),
        (&format!("error=access_denied&state={state}"), &kept),
    ] {
        assert_eq!(back(&site, query, cookie).await.status(), 400, "{query} {cookie}");
    }
    assert_eq!(forge.lock().unwrap().asked, 0, "the forge is not asked about them");
    assert_eq!(back(&site, &format!("code=wrong&state={state}"), &kept).await.status(), 502);
    let other = kept.replacen(&kept.split('.').nth(1).unwrap()[..4], "AAAA", 1);
    assert_eq!(back(&site, &good, &other).await.status(), 502, "the verifier is checked by the forge");
}

#[tokio::test]
async fn without_an_application_nobody_logs_in() {
    let site = Site::new().await;
    assert_eq!(site.get("/login").await.status(), 404);
    assert!(!site.page("/").await.contains("/login"));
}
