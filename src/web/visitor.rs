//! Who is asking, by the session's cookie.

use axum::http::{HeaderMap, HeaderValue, Uri, header};
use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::Site;
use crate::adapters::store::{Person, StoreError};

/// A cookie of a session is that long; anything else is not looked up.
const SESSION_LENGTH: usize = 43;

/// Who is asking, and for what.
#[derive(Debug, Clone, Default)]
pub(super) struct Visitor {
    /// Who is logged in.
    pub(super) person: Option<Person>,
    /// The path that was asked for: where a login leads back to.
    pub(super) here: String,
}

pub(super) async fn of(site: &Site, headers: &HeaderMap, uri: &Uri) -> Result<Visitor, StoreError> {
    let here = uri.path_and_query().map_or("/", |path| path.as_str()).to_owned();
    let person = match cookie(headers, &session_cookie(&site.options.public_url)) {
        Some(value) if value.len() == SESSION_LENGTH => {
            site.service.store().session(&hashed(value), Timestamp::now()).await?
        }
        Some(_) | None => None,
    };
    Ok(Visitor { person, here })
}

/// What is stored of a cookie: who reads the database cannot log in with it.
pub(super) fn hashed(cookie: &str) -> String {
    hex::encode(Sha256::digest(cookie.as_bytes()))
}

/// The value of a cookie.
pub(super) fn cookie<'a>(headers: &'a HeaderMap, name: &str) -> Option<&'a str> {
    let cookies = headers.get_all(header::COOKIE).into_iter().filter_map(|value| value.to_str().ok());
    let mut pairs = cookies.flat_map(|value| value.split(';')).filter_map(|pair| pair.trim().split_once('='));
    pairs.find(|(found, _)| *found == name).map(|(_, value)| value)
}

/// A `Set-Cookie` that no script can read and no other site can make a browser send with a form.
pub(super) fn set_cookie(public_url: &str, name: &str, value: &str, seconds: u64) -> Option<HeaderValue> {
    let secure = if is_https(public_url) { "; Secure" } else { "" };
    HeaderValue::from_str(&format!("{name}={value}; Path=/; Max-Age={seconds}; HttpOnly; SameSite=Lax{secure}")).ok()
}

pub(super) fn session_cookie(public_url: &str) -> String {
    prefixed(public_url, "cc-ci-session")
}

pub(super) fn login_cookie(public_url: &str) -> String {
    prefixed(public_url, "cc-ci-login")
}

/// A cookie with this prefix cannot be set by a neighbour below the same domain.
fn prefixed(public_url: &str, name: &str) -> String {
    if is_https(public_url) { format!("__Host-{name}") } else { name.to_owned() }
}

fn is_https(public_url: &str) -> bool {
    public_url.starts_with("https://")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cookies_are_found_by_their_whole_name() {
        let mut headers = HeaderMap::new();
        headers.append(header::COOKIE, HeaderValue::from_static("xcc-ci-session=no; cc-ci-session=yes"));
        assert_eq!(cookie(&headers, "cc-ci-session"), Some("yes"));
        assert_eq!(cookie(&headers, "session"), None);
    }

    #[test]
    fn cookies_are_as_closed_as_they_can_be() {
        let set = |url: &str| set_cookie(url, &session_cookie(url), "v", 60).unwrap();
        assert_eq!(
            set("https://ci.example.org"),
            "__Host-cc-ci-session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax; Secure"
        );
        assert_eq!(set("http://127.0.0.1:8080"), "cc-ci-session=v; Path=/; Max-Age=60; HttpOnly; SameSite=Lax");
    }
}
