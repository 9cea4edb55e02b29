//! The forge as a provider of logins: a code for a token, the token for who that is.

use std::path::Path;
use std::time::Duration;

use reqwest::redirect::Policy;
use reqwest::{Response, header};
use secrecy::{ExposeSecret as _, SecretString};
use serde::Deserialize;
use serde::de::DeserializeOwned;

use super::authority;
use super::probe::root_cause;
use crate::domain::forge::Login;

const PATIENCE: Duration = Duration::from_secs(15);
/// No answer that is read is larger: somebody in many groups has a long list.
const LARGEST_BODY: usize = 256 << 10;

/// Why nobody was logged in.
#[derive(Debug, thiserror::Error)]
pub enum OAuthError {
    /// It answered, and said no.
    #[error("The forge refused the login ({0})")]
    Refused(u16),
    /// No answer came.
    #[error("The forge does not answer: {0}")]
    Silent(String),
    /// It answered something else than it should.
    #[error("The forge's answer cannot be read")]
    Unreadable,
}

/// This gate as an application of the forge.
#[derive(Debug, Clone, Copy)]
pub struct Client<'a> {
    /// The forge's root.
    pub forge_url: &'a str,
    /// The application's id.
    pub client_id: &'a str,
    /// Its secret.
    pub client_secret: &'a SecretString,
    /// The certificate authority of the forge's own, a PEM file.
    pub ca_path: Option<&'a Path>,
    /// Where the forge sends the browser back to; the same as when the login began.
    pub redirect_uri: &'a str,
}

/// Who somebody is, by the forge.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Userinfo {
    /// The login.
    pub login: String,
    /// Organisations, and `organisation:team`, concealed memberships included.
    pub groups: Vec<String>,
}

#[derive(Deserialize)]
struct UserinfoAnswer {
    preferred_username: Login,
    /// `null` for somebody who is in none.
    groups: Option<Vec<String>>,
}

#[derive(Deserialize)]
struct Token {
    access_token: SecretString,
}

impl Client<'_> {
    /// Who logged in with that code. The token is used for this one question.
    ///
    /// # Errors
    /// [`OAuthError`].
    pub async fn userinfo(&self, code: &str, verifier: &str) -> Result<Userinfo, OAuthError> {
        let mut builder =
            reqwest::Client::builder().redirect(Policy::none()).timeout(PATIENCE).user_agent("cc-ci").no_proxy();
        if let Some(path) = self.ca_path {
            let roots = authority::read(path).map_err(|error| OAuthError::Silent(error.to_string()))?;
            builder = builder.tls_certs_only(roots);
        }
        let client = builder.build().map_err(|error| OAuthError::Silent(root_cause(&error)))?;
        let root = self.forge_url.trim_end_matches('/');
        let form = url::form_urlencoded::Serializer::new(String::new())
            .append_pair("grant_type", "authorization_code")
            .append_pair("client_id", self.client_id)
            .append_pair("client_secret", self.client_secret.expose_secret())
            .append_pair("code", code)
            .append_pair("redirect_uri", self.redirect_uri)
            .append_pair("code_verifier", verifier)
            .finish();
        let asked = client
            .post(format!("{root}/login/oauth/access_token"))
            .header(header::CONTENT_TYPE, "application/x-www-form-urlencoded")
            .header(header::ACCEPT, "application/json")
            .body(form);
        let token: Token = read(asked.send().await).await?;
        let asked = client.get(format!("{root}/login/oauth/userinfo")).bearer_auth(token.access_token.expose_secret());
        let info: UserinfoAnswer = read(asked.send().await).await?;
        Ok(Userinfo { login: info.preferred_username.to_string(), groups: info.groups.unwrap_or_default() })
    }
}

async fn read<T: DeserializeOwned>(answer: Result<Response, reqwest::Error>) -> Result<T, OAuthError> {
    let mut answer = answer.map_err(|error| OAuthError::Silent(root_cause(&error)))?;
    if !answer.status().is_success() {
        return Err(OAuthError::Refused(answer.status().as_u16()));
    }
    let mut body = Vec::new();
    while let Some(piece) = answer.chunk().await.map_err(|error| OAuthError::Silent(root_cause(&error)))? {
        if body.len() + piece.len() > LARGEST_BODY {
            return Err(OAuthError::Unreadable);
        }
        body.extend_from_slice(&piece);
    }
    serde_json::from_slice(&body).map_err(|_| OAuthError::Unreadable)
}
