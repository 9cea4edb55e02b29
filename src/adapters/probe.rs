//! Asks an app's pages over HTTPS, through the session's web socket: no DNS, the right name, the target's own CA.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::Path;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use futures_util::StreamExt as _;
use jiff::Timestamp;
use reqwest::dns::{Addrs, Name, Resolve, Resolving};
use reqwest::redirect::Policy;
use reqwest::{Client, header};

use super::authority::{self, AuthorityError};
use crate::domain::evidence::{Heard, Transcript};
use crate::domain::target::Target;

/// One answer must be there within this time.
const PATIENCE: Duration = Duration::from_secs(10);
/// So much of a body is read.
const LARGEST_BODY: usize = 1 << 20;
/// So many headers are noted, and so many characters of each.
const HEADERS: usize = 40;
const LONGEST_HEADER: usize = 1_000;

/// Why pages cannot be asked for.
#[derive(Debug, thiserror::Error)]
pub enum ProbeError {
    /// The target's certificate authority cannot be used.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// No HTTP client can be made.
    #[error("no HTTPS client: {0}")]
    Client(String),
}

/// A client for the apps of one target.
#[derive(Debug, Clone)]
pub struct Web {
    client: Client,
    transcript: Arc<Mutex<Transcript>>,
}

/// What came back.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The status code.
    pub status: u16,
    /// Where a redirect leads, as sent.
    pub location: Option<String>,
    /// The content type, as sent.
    pub content_type: Option<String>,
    /// The first headers: names in lower case, values as far as they are text.
    pub headers: Vec<(String, String)>,
    /// The beginning of the body.
    pub body: Vec<u8>,
}

impl Web {
    /// A client that asks through `socket`, or at 127.0.0.1:443 where there is none.
    ///
    /// # Errors
    /// When the target's certificate authority cannot be used.
    pub fn new(target: &Target, socket: Option<&Path>) -> Result<Self, ProbeError> {
        let mut builder = Client::builder()
            .redirect(Policy::none())
            .timeout(PATIENCE)
            .no_proxy()
            .https_only(true)
            .user_agent("cc-ci");
        if let Some(path) = &target.ca_path {
            builder = builder.tls_certs_only(authority::read(path)?);
        }
        builder = match socket {
            Some(socket) => builder.unix_socket(socket),
            None => builder.dns_resolver(Arc::new(ThisMachine)),
        };
        let client = builder.build().map_err(|error| ProbeError::Client(error.to_string()))?;
        Ok(Self { client, transcript: Arc::default() })
    }

    /// Asks once. What came is noted in the transcript.
    ///
    /// # Errors
    /// In plain words, why there was no answer.
    pub async fn get(&self, url: &str) -> Result<Answer, String> {
        let response = match self.client.get(url).send().await {
            Ok(response) => response,
            Err(error) => return Err(self.unanswered(url, root_cause(&error))),
        };
        let text = |name| response.headers().get(name).and_then(|value| value.to_str().ok()).map(str::to_owned);
        let (status, location, content_type) =
            (response.status().as_u16(), text(header::LOCATION), text(header::CONTENT_TYPE));
        let headers = response.headers().clone();
        let mut body = Vec::new();
        let mut pieces = response.bytes_stream();
        while let Some(piece) = pieces.next().await {
            let piece = piece.map_err(|error| self.unanswered(url, root_cause(&error)))?;
            let room = LARGEST_BODY.saturating_sub(body.len());
            body.extend_from_slice(&piece[..piece.len().min(room)]);
            if room < piece.len() {
                break;
            }
        }
        let headers = headers.iter().take(HEADERS).map(|(name, value)| {
            let value = String::from_utf8_lossy(value.as_bytes());
            (name.as_str().to_owned(), value.chars().take(LONGEST_HEADER).collect())
        });
        let headers: Vec<(String, String)> = headers.collect();
        let heard = headers.iter().map(|(name, value)| (name.as_str(), value.clone())).collect();
        self.note(url, &Ok(Heard { status, headers: heard, body: &body }));
        Ok(Answer { status, location, content_type, headers, body })
    }

    fn unanswered(&self, url: &str, why: String) -> String {
        self.note(url, &Err(&why));
        why
    }

    fn note(&self, url: &str, answer: &Result<Heard<'_>, &str>) {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).note(Timestamp::now(), url, answer);
    }

    /// All that was asked and what came back; empty when nothing was.
    #[must_use]
    pub fn transcript(&self) -> String {
        self.transcript.lock().unwrap_or_else(PoisonError::into_inner).told()
    }
}

/// The innermost error says what happened; the outer ones repeat the URL.
pub(crate) fn root_cause(error: &reqwest::Error) -> String {
    if error.is_timeout() {
        return "it took too long".to_owned();
    }
    let mut cause: &dyn std::error::Error = error;
    while let Some(inner) = cause.source() {
        cause = inner;
    }
    cause.to_string()
}

/// Every name is this machine: a `unix://` target's proxy listens here.
#[derive(Debug)]
struct ThisMachine;

impl Resolve for ThisMachine {
    fn resolve(&self, _name: Name) -> Resolving {
        let here: Addrs = Box::new(std::iter::once(SocketAddr::new(IpAddr::V4(Ipv4Addr::LOCALHOST), 0)));
        Box::pin(std::future::ready(Ok(here)))
    }
}
