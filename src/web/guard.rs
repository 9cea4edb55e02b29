//! What holds for every answer: its security headers, who is asking, and whether pages are closed to them.

use axum::extract::{Request, State};
use axum::http::{HeaderMap, HeaderName, HeaderValue, Method, header};
use axum::middleware::Next;
use axum::response::{IntoResponse, Response};

use super::Site;
use super::error::Failed;
use super::files::SIGNERS;
use super::visitor::{self, Visitor};
use crate::adapters::store::May;

/// Nothing inline, nothing from elsewhere.
pub(super) const POLICY: &str = "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; \
     form-action 'self'; base-uri 'none'; frame-ancestors 'none'";
/// A report that was made for a disk carries its style in itself, and may do nothing at all.
pub(super) const REPORT_POLICY: &str = "default-src 'none'; style-src 'unsafe-inline'; img-src data:; base-uri 'none'; form-action 'none'; frame-ancestors 'none'; sandbox";

/// Deliveries of the forge come from no page; each is signed.
const HOOKS: &str = "/hooks/";

/// Wraps every request.
pub(super) async fn guard(State(site): State<Site>, mut request: Request, next: Next) -> Response {
    let visitor = match visitor::of(&site, request.headers(), request.uri()).await {
        Ok(visitor) => visitor,
        Err(error) => return secured(Failed::from(error).into_response()),
    };
    let path = request.uri().path();
    let refusal = if site.options.closed && !is_open(path) && !visitor.may(May::Member) {
        Some(Failed::Closed)
    } else if is_write(request.method())
        && !path.starts_with(HOOKS)
        && !is_same_origin(request.headers(), &site.options.public_url)
    {
        Some(Failed::OtherOrigin)
    } else {
        None
    };
    request.extensions_mut().insert(visitor.clone());
    let response = match refusal {
        Some(failed) => failed.into_response(),
        None => next.run(request).await,
    };
    secured(super::error::dressed(response, &site, visitor).await)
}

/// What closed pages leave open: for probes, for badges in other pages, for the forge's hooks, for who checks a signature, and for the
/// way in.
fn is_open(path: &str) -> bool {
    matches!(path, "/healthz" | "/readyz" | "/style.css" | "/live.js" | "/login" | "/login/callback" | "/logout")
        || path == SIGNERS
        || path.starts_with(HOOKS)
        || (path.starts_with("/recipes/") && path.ends_with("/badge.svg"))
}

fn is_write(method: &Method) -> bool {
    ![Method::GET, Method::HEAD, Method::OPTIONS].contains(method)
}

/// Whether a page of this gate made the request. Browsers say so in `Sec-Fetch-Site` (where the connection is trusted) and in
/// `Origin`; what says neither is no browser's form and has no cookie of ours to abuse, and is refused all the same.
fn is_same_origin(headers: &HeaderMap, public_url: &str) -> bool {
    let header = |name: HeaderName| headers.get(name).and_then(|value| value.to_str().ok());
    if let Some(site) = header(HeaderName::from_static("sec-fetch-site")) {
        return site == "same-origin";
    }
    let own = url::Url::parse(public_url).map(|url| url.origin().ascii_serialization());
    header(header::ORIGIN).is_some_and(|origin| own.is_ok_and(|own| own == origin))
}

fn secured(mut response: Response) -> Response {
    let headers = response.headers_mut();
    let defaults = [
        (header::CONTENT_SECURITY_POLICY, POLICY),
        (header::X_CONTENT_TYPE_OPTIONS, "nosniff"),
        // Not `no-referrer`: with that, a form's `Origin` would be `null`.
        (header::REFERRER_POLICY, "same-origin"),
        (header::CACHE_CONTROL, "no-cache"),
        (HeaderName::from_static("cross-origin-opener-policy"), "same-origin"),
    ];
    for (name, value) in defaults {
        headers.entry(name).or_insert(HeaderValue::from_static(value));
    }
    // What one person sees is not another's, also not from a cache in between.
    headers.append(header::VARY, HeaderValue::from_static("cookie"));
    response
}

impl Visitor {
    pub(super) fn may(&self, may: May) -> bool {
        self.person.as_ref().is_some_and(|person| person.may >= may)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_policy_allows_nothing_inline_and_nothing_from_elsewhere() {
        assert_eq!(
            POLICY,
            "default-src 'none'; style-src 'self'; script-src 'self'; img-src 'self' data:; connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
        );
        assert!(!POLICY.contains("unsafe") && !POLICY.contains("http"));
        assert!(!REPORT_POLICY.contains("script-src") && REPORT_POLICY.ends_with("sandbox"));
    }

    #[test]
    fn only_pages_of_this_gate_may_act() {
        let asks = |pairs: &[(&'static str, &'static str)]| {
            let mut headers = HeaderMap::new();
            for (name, value) in pairs {
                headers.insert(*name, HeaderValue::from_static(value));
            }
            is_same_origin(&headers, "https://ci.example.org/")
        };
        assert!(asks(&[("sec-fetch-site", "same-origin")]));
        assert!(asks(&[("origin", "https://ci.example.org")]));
        for wrong in [
            &[][..],
            &[("origin", "null")],
            &[("origin", "http://ci.example.org")],
            &[("origin", "https://ci.example.org.evil.example")],
            &[("sec-fetch-site", "same-site")],
            &[("sec-fetch-site", "none")],
            &[("sec-fetch-site", "cross-site"), ("origin", "https://ci.example.org")],
        ] {
            assert!(!asks(wrong), "{wrong:?}");
        }
    }

    #[test]
    fn closed_pages_leave_open_what_programs_need() {
        for open in [
            "/healthz",
            "/readyz",
            "/recipes/notes/badge.svg",
            "/hooks/forge",
            "/login",
            "/.well-known/cc-ci/allowed_signers",
        ] {
            assert!(is_open(open), "{open}");
        }
        for closed in [
            "/",
            "/runs/1",
            "/metrics",
            "/recipes/notes",
            "/status.json",
            "/runs/1/log.jsonl",
            "/healthz/x",
            "/runs/badge.svg",
        ] {
            assert!(!is_open(closed), "{closed}");
        }
    }
}
