//! The HTTP part of the zero-config floor: which answer of an app counts, and what its page refers to.

use html5gum::{Token, Tokenizer};
use url::Url;

use super::deployment::Route;
use super::results::one_line;

/// Statuses that an app may show while the proxy has not heard of it yet (Traefik rereads Swarm every 15 s by default).
const NOT_YET: [u16; 4] = [404, 502, 503, 504];
/// Characters of a rule or an address in a sentence.
const RULE: usize = 160;

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
pub fn meaning(route: &Route, seen: &Seen, random: Option<&Seen>) -> Meaning {
    let (status, host) = (seen.status, &route.host);
    if random.is_some_and(|random| is_proxys_own(seen, random)) {
        return Meaning::NotYet(format!(
            "the proxy answers https://{host}/ with {status}, as it does for a host that nobody has: the router rule {} does not match, or {} is not on the network `proxy`",
            one_line(&route.rule, RULE),
            route.service,
        ));
    }
    match status {
        502..=504 => Meaning::NotYet(format!(
            "the proxy answers https://{host}/ with {status}: it has a router, but nothing of {} answers it at {}",
            route.service,
            port(route),
        )),
        500.. => Meaning::Broken(format!("https://{host}/ answers {status}")),
        _ if NOT_YET.contains(&status) => Meaning::NotYet(format!("https://{host}/ answers {status}")),
        _ => Meaning::Answers,
    }
}

fn port(route: &Route) -> String {
    match route.port {
        Some(port) => format!("port {port}"),
        None => "the port that the proxy guessed, since no label names `loadbalancer.server.port`".to_owned(),
    }
}

/// The headline of a host that gave no usable answer, for this reason.
#[must_use]
pub fn unreachable(route: &Route, why: &str) -> String {
    format!("{} runs, but is not reachable: {why}", route.service)
}

/// The headline of a page whose stylesheet or script does not load; status 0: no answer.
#[must_use]
pub fn broken_asset(host: &str, url: &str, status: u16) -> String {
    let answers = if status == 0 { "gives no answer".to_owned() } else { format!("answers {status}") };
    format!("the page of {host} refers to {}, which {answers}", one_line(url, RULE))
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
    use crate::domain::ids::DomainName;

    fn seen(status: u16, body: &str) -> Seen {
        Seen { status, body: body.as_bytes().to_vec() }
    }

    fn route(port: Option<u16>) -> Route {
        let host = DomainName::parse("a.test").unwrap();
        Route { host, service: "app".into(), rule: "Host(`a.test`) && PathPrefix(`/x`)".into(), port }
    }

    #[test]
    fn s26_the_rule_or_the_port_is_named() {
        let random = seen(404, "404 page not found\n");
        let why = |meaning| match meaning {
            Meaning::NotYet(why) => unreachable(&route(None), &why),
            Meaning::Answers | Meaning::Broken(_) => panic!("{meaning:?}"),
        };
        assert_eq!(
            why(meaning(&route(None), &random, Some(&random))),
            "app runs, but is not reachable: the proxy answers https://a.test/ with 404, as it does for a host that nobody has: the router rule Host(`a.test`) && PathPrefix(`/x`) does not match, or app is not on the network `proxy`"
        );
        let bad = seen(502, "Bad Gateway");
        assert_eq!(
            why(meaning(&route(Some(8081)), &bad, Some(&random))),
            "app runs, but is not reachable: the proxy answers https://a.test/ with 502: it has a router, but nothing of app answers it at port 8081"
        );
        assert!(why(meaning(&route(None), &bad, Some(&random))).ends_with("names `loadbalancer.server.port`"));
    }

    #[test]
    fn only_an_answer_of_the_apps_own_counts() {
        let random = seen(404, "404 page not found\n");
        let meaning = |_: &str, seen: &Seen, random| meaning(&route(Some(8080)), seen, random);
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
    fn a_page_that_the_proxy_has_for_every_host_is_no_apps() {
        let page = seen(200, "welcome");
        assert!(matches!(meaning(&route(None), &page, Some(&page)), Meaning::NotYet(_)));
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
