//! One request and its answer: bounded in size and time, never following a redirect. Reads are tried again a few times;
//! writes are sent once.

use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use reqwest::header::{self, HeaderMap, HeaderName, HeaderValue};
use reqwest::redirect::Policy;
use reqwest::{Client, Method};
use secrecy::{ExposeSecret as _, SecretString};
use serde_json::Value;
use url::Url;

use super::error::{ForgeError, Outcome, Refusal};
use super::health::{Failure, Pace, State, http_date, retry_after};
use super::{ForgeConfig, SetupError};
use crate::adapters::authority;
use crate::adapters::clock::Clock;
use crate::adapters::probe::root_cause;

/// So much of an answer is read. A page of 50 comments of the largest size is more; pages are made smaller then.
pub(super) const LARGEST_ANSWER: usize = 8 << 20;
/// So much of the forge's own words is repeated in an error.
const LONGEST_MESSAGE: usize = 300;

/// A question to the forge.
#[derive(Debug, Clone)]
pub(super) struct Request {
    pub(super) method: Method,
    /// What is asked for, for the reader of an error: `list the comments of recipes/notes`.
    pub(super) what: String,
    segments: Vec<String>,
    pub(super) query: Vec<(&'static str, String)>,
    body: Option<Value>,
}

impl Request {
    /// `path` is below `/api/v1`; each `{}` in it is filled with one of `parts`, escaped.
    pub(super) fn new(method: Method, what: impl Into<String>, path: &str, parts: &[&dyn std::fmt::Display]) -> Self {
        let mut parts = parts.iter();
        let fill = |word: &str| match word {
            "{}" => parts.next().map(ToString::to_string).unwrap_or_default(),
            word => word.to_owned(),
        };
        Self { method, what: what.into(), segments: path.split('/').map(fill).collect(), query: Vec::new(), body: None }
    }

    pub(super) fn query(mut self, name: &'static str, value: &dyn std::fmt::Display) -> Self {
        self.query.push((name, value.to_string()));
        self
    }

    pub(super) fn body(mut self, body: Value) -> Self {
        self.body = Some(body);
        self
    }
}

/// An answer that came whole.
#[derive(Debug)]
pub(super) struct Answer {
    pub(super) status: u16,
    pub(super) body: Vec<u8>,
    location: Option<String>,
    retry_after: Option<Duration>,
    /// The forge's own clock.
    date: Option<Timestamp>,
}

impl Answer {
    pub(super) const fn is_success(&self) -> bool {
        matches!(self.status, 200..=299)
    }
}

/// Why there is no answer.
enum Silence {
    /// The request never left.
    NotSent(String),
    /// It left, and no whole answer came.
    Lost(String),
    TooLarge,
}

/// The client below the endpoints.
#[derive(Debug)]
pub(super) struct Wire {
    client: Client,
    base: Url,
    token: SecretString,
    pace: Pace,
    pub(super) clock: Clock,
    state: Mutex<State>,
}

impl Wire {
    pub(super) fn new(config: ForgeConfig, clock: Clock) -> Result<Self, SetupError> {
        // An account in an address may come with a password: what is in front of the `@` is not repeated.
        let shown = config.url.rsplit('@').next().unwrap_or_default();
        let not_an_address = || SetupError::Address(shown.chars().take(200).collect());
        let base = Url::parse(&config.url).map_err(|_| not_an_address())?;
        let plain = base.query().is_none() && base.fragment().is_none() && base.password().is_none();
        if !matches!(base.scheme(), "http" | "https") || !plain || !base.username().is_empty() || !base.has_host() {
            return Err(not_an_address());
        }
        let mut token = HeaderValue::from_str(&format!("token {}", config.token.expose_secret().trim()))
            .map_err(|_| SetupError::Token)?;
        token.set_sensitive(true);
        let mut headers = HeaderMap::new();
        headers.insert(header::AUTHORIZATION, token);
        headers.insert(header::ACCEPT, HeaderValue::from_static("application/json"));
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .timeout(config.pace.timeout)
            .connect_timeout(config.pace.timeout.min(Duration::from_secs(10)))
            .no_proxy()
            .default_headers(headers)
            .user_agent("cc-ci");
        if let Some(path) = &config.ca_path {
            builder = builder.tls_certs_only(authority::read(path)?);
        }
        let client = builder.build().map_err(|error| SetupError::Client(error.to_string()))?;
        Ok(Self { client, base, token: config.token, pace: config.pace, clock, state: Mutex::default() })
    }

    pub(super) fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Why nothing may be sent now, and until when.
    fn blocked(&self) -> Option<(String, Timestamp)> {
        self.state().blocked(self.clock.now(), self.clock.steady())
    }

    /// Reads, trying again a bounded number of times. Any answer below 500 but 429 is one; its meaning is the caller's.
    pub(super) async fn read(&self, request: &Request) -> Result<Answer, ForgeError> {
        let what = || request.what.clone();
        if let Some((why, next_try)) = self.blocked() {
            return Err(ForgeError::Busy { what: what(), why, next_try });
        }
        let mut tried = 0;
        loop {
            tried += 1;
            let (failure, error) = match self.once(request).await {
                Ok(answer) => match trouble(&answer) {
                    None => {
                        self.note(&answer);
                        return Ok(answer);
                    }
                    Some(failure) => {
                        let refusal = self.refusal(&request.what, &answer);
                        (failure, ForgeError::Refused(refusal))
                    }
                },
                Err(Silence::TooLarge) => return Err(ForgeError::TooLarge { what: what(), limit: LARGEST_ANSWER }),
                Err(Silence::NotSent(why) | Silence::Lost(why)) => {
                    let failure = Failure { why: why.clone(), retry_after: None, blocks: true };
                    (failure, ForgeError::Silent { what: what(), why })
                }
            };
            if failure.retry_after.is_none() && tried < self.pace.attempts {
                tokio::time::sleep(self.pace.delay(tried, rand::random())).await;
                continue;
            }
            let asked_to_wait = failure.retry_after.is_some();
            self.ill(failure);
            let blocked = self.blocked();
            return Err(match blocked {
                Some((why, next_try)) if asked_to_wait => ForgeError::Busy { what: what(), why, next_try },
                _ => error,
            });
        }
    }

    /// Sends once.
    pub(super) async fn write(&self, request: &Request) -> Outcome<Answer> {
        let what = &request.what;
        if let Some((why, next_try)) = self.blocked() {
            return Outcome::Later(format!("{what}: the forge is left alone until {next_try}: {why}"));
        }
        let silent = |why: String| Failure { why, retry_after: None, blocks: true };
        match self.once(request).await {
            Ok(answer) if answer.is_success() => {
                self.state().well(self.clock.now(), self.clock.steady());
                Outcome::Done(answer)
            }
            Ok(answer) => match trouble(&answer) {
                None => {
                    self.note(&answer);
                    Outcome::Refused(self.refusal(what, &answer))
                }
                Some(failure) => {
                    // A 500 may be about this one request; what is wrong with the whole forge shows elsewhere.
                    if failure.blocks {
                        self.ill(failure);
                    }
                    let said = self.refusal(what, &answer).to_string();
                    if answer.status == 429 { Outcome::Later(said) } else { Outcome::Unknown(said) }
                }
            },
            Err(Silence::NotSent(why)) => {
                self.ill(silent(why.clone()));
                Outcome::Later(format!("{what}: the forge cannot be reached: {why}"))
            }
            Err(Silence::Lost(why)) => {
                self.ill(silent(why.clone()));
                Outcome::Unknown(format!("{what}: sent, but no answer came: {why}"))
            }
            Err(Silence::TooLarge) => Outcome::Unknown(format!("{what}: sent, but the answer is too large to be read")),
        }
    }

    /// The refusal in this answer, without the token should the forge repeat it.
    pub(super) fn refusal(&self, what: &str, answer: &Answer) -> Refusal {
        let message = serde_json::from_slice::<Value>(&answer.body)
            .ok()
            .and_then(|body| body.get("message").and_then(Value::as_str).map(str::to_owned))
            .unwrap_or_default();
        let message = message.replace(self.token.expose_secret().trim(), "•••");
        let line: String = message.chars().map(|it| if it.is_control() { ' ' } else { it }).collect();
        let line = line.trim().chars().take(LONGEST_MESSAGE).collect();
        Refusal::read(what, answer.status, line, answer.location.as_deref())
    }

    /// A forge that answers is well, unless it does not know the token.
    fn note(&self, answer: &Answer) {
        if let Some(date) = answer.date {
            self.state().set_clock(date, self.clock.steady());
        }
        if answer.status == 401 {
            let why = "the forge does not accept the token (401)".to_owned();
            self.ill(Failure { why, retry_after: None, blocks: false });
        } else {
            self.state().well(self.clock.now(), self.clock.steady());
        }
    }

    fn ill(&self, failure: Failure) {
        self.state().ill(failure, &self.pace, rand::random(), self.clock.now(), self.clock.steady());
    }

    async fn once(&self, request: &Request) -> Result<Answer, Silence> {
        let mut builder = self.client.request(request.method.clone(), self.address(request));
        if let Some(body) = &request.body {
            builder = builder.header(header::CONTENT_TYPE, "application/json").body(body.to_string());
        }
        let response = builder.send().await.map_err(|error| {
            let why = root_cause(&error);
            if error.is_connect() || error.is_builder() { Silence::NotSent(why) } else { Silence::Lost(why) }
        })?;
        let text = |name: HeaderName| response.headers().get(name).and_then(|it| it.to_str().ok()).map(str::to_owned);
        let (status, location) = (response.status().as_u16(), text(header::LOCATION));
        let date = text(header::DATE);
        let retry_after =
            text(header::RETRY_AFTER).and_then(|value| retry_after(&value, date.as_deref(), self.clock.now()));
        let date = date.as_deref().and_then(http_date);
        let (mut body, mut pieces) = (Vec::new(), response.bytes_stream());
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| Silence::Lost(root_cause(&error)))?;
            if body.len() + piece.len() > LARGEST_ANSWER {
                return Err(Silence::TooLarge);
            }
            body.extend_from_slice(&piece);
        }
        Ok(Answer { status, body, location, retry_after, date })
    }

    /// A page below the forge's address.
    pub(super) fn page(&self, segments: &[&str]) -> String {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(segments);
        }
        url.into()
    }

    fn address(&self, request: &Request) -> Url {
        let mut url = self.base.clone();
        if let Ok(mut path) = url.path_segments_mut() {
            path.pop_if_empty().extend(["api", "v1"]).extend(&request.segments);
        }
        if !request.query.is_empty() {
            url.query_pairs_mut().extend_pairs(&request.query);
        }
        url
    }
}

/// What an answer says about the forge's state, if it is not well.
fn trouble(answer: &Answer) -> Option<Failure> {
    let (blocks, why) = match answer.status {
        429 => (true, "the forge asks for fewer requests (429)".to_owned()),
        status @ (502..=504) => (true, format!("the forge is not available ({status})")),
        status @ 500.. => (false, format!("the forge has an error of its own ({status})")),
        _ => return None,
    };
    // A 429 without an instant is waited for like one with: there is no use in asking again at once.
    let default = (answer.status == 429).then_some(Duration::ZERO);
    Some(Failure { why, retry_after: answer.retry_after.or(default), blocks })
}
