//! The HTTP part of the zero-config floor: which answer of an app counts, and what its page refers to.

use html5gum::{Token, Tokenizer};
use url::Url;

/// Statuses that an app may show while the proxy has not heard of it yet (Traefik rereads Swarm every 15 s by default).
const NOT_YET: [u16; 4] = [404, 502, 503, 504];

/// An answer, as far as it decides.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Seen {
    /// Its status.
    pub status: u16,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
}

/// What an answer means.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Meaning {
    /// It is the app's own, and below 500.
    Answers,
    /// It may become one; the text says what it is until then.
    NotYet(String),
    /// It is the app's own, and 500 or above: asking again does not help.
    Broken(String),
}

/// Whether this is the proxy's answer to a host that nobody has.
#[must_use]
pub fn is_proxys_own(seen: &Seen, random: &Seen) -> bool {
    seen == random
}

/// What an answer means, given what the proxy answers to a random host.
#[must_use]
pub fn meaning(host: &str, seen: &Seen, random: Option<&Seen>) -> Meaning {
    let status = seen.status;
    if random.is_some_and(|random| is_proxys_own(seen, random)) {
        return Meaning::NotYet(format!(
            "the proxy answers https://{host}/ with {status}, as it does for a host that nobody has: no router rule matches, or the service is not on the network `proxy`"
        ));
    }
    match status {
        502..=504 => Meaning::NotYet(format!(
            "the proxy answers https://{host}/ with {status}: it has a router, but reaches no server at its port"
        )),
        500.. => Meaning::Broken(format!("https://{host}/ answers {status}")),
        _ if NOT_YET.contains(&status) => Meaning::NotYet(format!("https://{host}/ answers {status}")),
        _ => Meaning::Answers,
    }
}

/// What a page says of itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Page {
    /// Its title, spaces folded.
    pub title: Option<String>,
    /// The first stylesheet on the same host.
    pub stylesheet: Option<Url>,
    /// The first script on the same host.
    pub script: Option<Url>,
}

/// Reads a page; `url` is where it was found.
#[must_use]
pub fn page(html: &str, url: &Url) -> Page {
    let mut page = Page::default();
    let mut title: Option<String> = None;
    for Ok(token) in Tokenizer::new(html) {
        match token {
            Token::StartTag(tag) => {
                let attribute = |name: &str| {
                    let value = tag.attributes.iter().find(|(key, _)| key.as_slice() == name.as_bytes());
                    value.map(|(_, value)| String::from_utf8_lossy(value).into_owned())
                };
                match tag.name.as_slice() {
                    b"title" if page.title.is_none() => title = Some(String::new()),
                    b"link"
                        if page.stylesheet.is_none()
                            && attribute("rel").is_some_and(|rel| rel.eq_ignore_ascii_case("stylesheet")) =>
                    {
                        page.stylesheet = attribute("href").and_then(|href| same_host(url, &href));
                    }
                    b"script" if page.script.is_none() => {
                        page.script = attribute("src").and_then(|src| same_host(url, &src));
                    }
                    _ => {}
                }
            }
            Token::String(text) => {
                if let Some(title) = &mut title {
                    title.push_str(&String::from_utf8_lossy(&text));
                }
            }
            Token::EndTag(tag) if tag.name.as_slice() == b"title" => {
                let words = title.take().map(|title| title.split_whitespace().collect::<Vec<_>>().join(" "));
                page.title = page.title.or(words.filter(|words| !words.is_empty()));
            }
            Token::EndTag(_) | Token::Comment(_) | Token::Doctype(_) | Token::Error(_) => {}
        }
    }
    page
}

fn same_host(page: &Url, reference: &str) -> Option<Url> {
    let url = page.join(reference).ok()?;
    (url.host_str() == page.host_str() && url.scheme() == page.scheme()).then_some(url)
}

/// Where a redirect leads, if it stays within the stack's hosts; one that leads elsewhere is an answer by itself.
#[must_use]
pub fn redirect_within(from: &Url, location: &str, hosts: &[String]) -> Option<Url> {
    let url = from.join(location).ok()?;
    let within = url.scheme() == "https" && url.host_str().is_some_and(|host| hosts.iter().any(|known| known == host));
    within.then_some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn seen(status: u16, body: &str) -> Seen {
        Seen { status, body: body.as_bytes().to_vec() }
    }

    #[test]
    fn only_an_answer_of_the_apps_own_counts() {
        let random = seen(404, "404 page not found\n");
        assert_eq!(meaning("a", &seen(200, "hi"), Some(&random)), Meaning::Answers);
        assert_eq!(meaning("a", &seen(401, "login"), Some(&random)), Meaning::Answers);
        assert!(matches!(meaning("a", &random, Some(&random)), Meaning::NotYet(why) if why.contains("router rule")));
        assert!(
            matches!(meaning("a", &seen(502, "Bad Gateway"), Some(&random)), Meaning::NotYet(why) if why.contains("port"))
        );
        assert!(matches!(meaning("a", &seen(404, "app's own"), Some(&random)), Meaning::NotYet(_)));
        assert!(matches!(meaning("a", &seen(500, "oops"), Some(&random)), Meaning::Broken(_)));
    }

    #[test]
    fn a_page_names_its_title_and_its_own_assets() {
        let url = Url::parse("https://a.test/login").unwrap();
        let html = r#"<!doctype html><title> Sign
            in </title><link rel=icon href=/i.png><link rel="stylesheet" href="https://cdn.test/x.css">
            <link rel="stylesheet" href="style.css"><script>1 < 2</script><script src="/app.js" defer></script><svg><title>no</title></svg>"#;
        let page = page(html, &url);
        assert_eq!(page.title.as_deref(), Some("Sign in"));
        assert_eq!(page.stylesheet.unwrap().as_str(), "https://a.test/style.css");
        assert_eq!(page.script.unwrap().as_str(), "https://a.test/app.js");
    }

    #[test]
    fn redirects_are_followed_within_the_stack() {
        let from = Url::parse("https://a.test/").unwrap();
        let hosts = ["a.test".to_owned()];
        assert_eq!(redirect_within(&from, "/login", &hosts).unwrap().path(), "/login");
        assert!(redirect_within(&from, "https://b.test/", &hosts).is_none());
        assert!(redirect_within(&from, "http://a.test/", &hosts).is_none());
    }
}
