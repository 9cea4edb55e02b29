//! Login through the forge: OAuth2 code flow with PKCE. The forge says who it is and which groups that person is in; its token is
//! used for that one question and forgotten.

use axum::Extension;
use axum::extract::{RawQuery, State};
use axum::http::{HeaderMap, HeaderValue, header};
use axum::response::{IntoResponse, Redirect, Response};
use base64::Engine as _;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use jiff::{SignedDuration, Timestamp};
use sha2::{Digest as _, Sha256};

use super::error::Failed;
use super::view::query_value;
use super::visitor::{Visitor, cookie, hashed, login_cookie, session_cookie, set_cookie};
use super::{Here, OAuth, Options, Site};
use crate::adapters::oauth::{self, Userinfo};
use crate::adapters::store::{May, Person};

/// A login takes no longer than this.
const LOGIN_SECONDS: u64 = 600;
/// A session ends after so many hours: rights are those of the login.
const SESSION_HOURS: i64 = 12;

fn oauth(site: &Site) -> Result<&OAuth, Failed> {
    site.options.oauth.as_ref().ok_or(Failed::NoSuch("login on this gate: its operators have not set it up"))
}

fn callback_url(options: &Options) -> String {
    format!("{}/login/callback", options.public_url)
}

/// Sends the browser to the forge. What must be remembered until it comes back goes into a cookie that only it can send.
pub(super) async fn begin(State(site): Here, RawQuery(query): RawQuery) -> Result<Response, Failed> {
    let oauth = oauth(&site)?;
    let (state, verifier) = (random(), random());
    let back = own_path(query_value(query.as_deref(), "back"));
    let challenge = URL_SAFE_NO_PAD.encode(Sha256::digest(verifier.as_bytes()));
    let parameters = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("client_id", &oauth.client_id)
        .append_pair("redirect_uri", &callback_url(&site.options))
        .append_pair("response_type", "code")
        .append_pair("scope", "openid read:user")
        .append_pair("state", &state)
        .append_pair("code_challenge", &challenge)
        .append_pair("code_challenge_method", "S256")
        .finish();
    let forge = format!("{}/login/oauth/authorize?{parameters}", oauth.forge_url.trim_end_matches('/'));
    let kept = format!("{state}.{verifier}.{}", URL_SAFE_NO_PAD.encode(back));
    Ok(with_cookies(&forge, &[(&login_cookie(&site.options.public_url), &kept, LOGIN_SECONDS)], &site.options))
}

/// The browser comes back from the forge.
pub(super) async fn callback(
    State(site): Here,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let oauth = oauth(&site)?;
    let name = login_cookie(&site.options.public_url);
    let begun = || Failed::Bad("This login was not begun in this browser, or too long ago".to_owned());
    let kept = cookie(&headers, &name).ok_or_else(begun)?;
    let mut parts = kept.splitn(3, '.');
    let (Some(state), Some(verifier), Some(back)) = (parts.next(), parts.next(), parts.next()) else {
        return Err(begun());
    };
    let value = |name| query_value(query.as_deref(), name);
    if state.is_empty() || value("state").as_deref() != Some(state) {
        return Err(begun());
    }
    let Some(code) = value("code") else {
        return Err(Failed::Bad("The forge did not let you in".to_owned()));
    };
    let client = oauth::Client {
        forge_url: &oauth.forge_url,
        client_id: &oauth.client_id,
        client_secret: &oauth.client_secret,
        ca_path: oauth.ca_path.as_deref(),
        redirect_uri: &callback_url(&site.options),
    };
    let info = client.userinfo(&code, verifier).await.map_err(|error| Failed::Forge(error.to_string()))?;
    let person = Person { may: rights(&info, &site.options), login: info.login };
    let (session, now) = (random(), Timestamp::now());
    let end = now + SignedDuration::from_hours(SESSION_HOURS);
    site.service.store().begin_session(&hashed(&session), &person, now, end).await?;
    let back = own_path(URL_SAFE_NO_PAD.decode(back).ok().and_then(|path| String::from_utf8(path).ok()));
    let seconds = SESSION_HOURS.unsigned_abs() * 3600;
    let cookies = [(&*session_cookie(&site.options.public_url), &*session, seconds), (&*name, "", 0)];
    Ok(with_cookies(&back, &cookies, &site.options))
}

pub(super) async fn logout(
    State(site): Here,
    Extension(_visitor): Extension<Visitor>,
    headers: HeaderMap,
) -> Result<Response, Failed> {
    let name = session_cookie(&site.options.public_url);
    if let Some(session) = cookie(&headers, &name) {
        site.service.store().end_session(&hashed(session)).await?;
    }
    Ok(with_cookies("/", &[(&name, "", 0)], &site.options))
}

/// What somebody may do, by the groups that the forge lists. The forge writes team names in lower case there.
fn rights(info: &Userinfo, options: &Options) -> May {
    let is_in = |group: &str| info.groups.iter().any(|found| found.eq_ignore_ascii_case(group));
    let team = |team: &String| {
        if team.contains(':') { is_in(team) } else { is_in(&format!("{}:{team}", options.organisation)) }
    };
    if options.operators.iter().any(team) {
        May::Operator
    } else if is_in(&options.organisation) {
        May::Member
    } else {
        May::Read
    }
}

/// 32 random bytes as text.
fn random() -> String {
    URL_SAFE_NO_PAD.encode(rand::random::<[u8; 32]>())
}

/// A path of this gate; anything that a browser could take for another host leads to the first page.
fn own_path(path: Option<String>) -> String {
    let own = |path: &String| {
        path.starts_with('/')
            && !path[1..].starts_with(['/', '\\'])
            && !path.starts_with("/login")
            && path.len() <= 500
            && path.bytes().all(|byte| byte.is_ascii_graphic())
    };
    path.filter(own).unwrap_or_else(|| "/".to_owned())
}

fn with_cookies(to: &str, cookies: &[(&str, &str, u64)], options: &Options) -> Response {
    let mut response = Redirect::to(to).into_response();
    for (name, value, seconds) in cookies {
        if let Some(cookie) = set_cookie(&options.public_url, name, value, *seconds) {
            response.headers_mut().append(header::SET_COOKIE, cookie);
        }
    }
    response.headers_mut().insert(header::CACHE_CONTROL, HeaderValue::from_static("no-store"));
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn options() -> Options {
        Options {
            public_url: "https://ci.example.org".into(),
            oauth: None,
            organisation: "recipes".into(),
            operators: vec!["Owners".into(), "infra:gatekeepers".into()],
            closed: false,
        }
    }

    #[test]
    fn rights_follow_from_groups() {
        let may = |groups: &[&str]| {
            let groups = groups.iter().map(|group| (*group).to_owned()).collect();
            rights(&Userinfo { login: "ada".into(), groups }, &options())
        };
        assert_eq!(may(&[]), May::Read);
        assert_eq!(may(&["other", "other:owners", "recipes-too"]), May::Read);
        assert_eq!(may(&["recipes", "recipes:maintainers"]), May::Member);
        assert_eq!(may(&["recipes", "recipes:owners"]), May::Operator);
        assert_eq!(may(&["infra:gatekeepers"]), May::Operator);
    }

    #[test]
    fn a_login_never_leads_to_another_host() {
        let path = |path: &str| own_path(Some(path.to_owned()));
        assert_eq!(path("/runs/231?x=1"), "/runs/231?x=1");
        for evil in [
            "https://evil.example",
            "//evil.example",
            "/\\evil.example",
            "/\n//evil",
            "",
            "runs",
            "/é",
            "/login/callback?code=used",
        ] {
            assert_eq!(path(evil), "/", "{evil:?}");
        }
    }
}
