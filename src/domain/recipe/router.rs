//! What Traefik's labels of a service say: the hosts of its HTTP routers, and its port.

use std::collections::BTreeMap;

use crate::domain::ids::DomainName;

/// The hosts that HTTP router rules name in these (interpolated) labels, each with the rule, in order of the labels, each once.
///
/// TCP routers (`HostSNI`) and patterns (`HostRegexp`) name no host that could be asked; `!Host(…)` neither.
/// `traefik.enable=false` switches all off.
#[must_use]
pub fn hosts(labels: &BTreeMap<String, String>) -> Vec<(DomainName, String)> {
    let mut found: Vec<(DomainName, String)> = Vec::new();
    if label(labels, "traefik.enable").is_some_and(|value| value.trim().eq_ignore_ascii_case("false")) {
        return found;
    }
    for rule in labels.iter().filter(|(name, _)| is_http(name, "routers", "rule")).map(|(_, rule)| rule) {
        for host in rule_hosts(rule) {
            if found.iter().all(|(known, _)| *known != host) {
                found.push((host, rule.clone()));
            }
        }
    }
    found
}

/// The port that Traefik sends requests to, if a label says so.
#[must_use]
pub fn port(labels: &BTreeMap<String, String>) -> Option<u16> {
    labels
        .iter()
        .find(|(name, _)| is_http(name, "services", "loadbalancer.server.port"))
        .and_then(|(_, port)| port.parse().ok())
}

/// The value of a label; Traefik does not mind case.
fn label<'a>(labels: &'a BTreeMap<String, String>, wanted: &str) -> Option<&'a str> {
    labels.iter().find(|(name, _)| name.eq_ignore_ascii_case(wanted)).map(|(_, value)| value.as_str())
}

/// Whether a label is `traefik.http.<kind>.<any name>.<last>`.
fn is_http(name: &str, kind: &str, last: &str) -> bool {
    let name = name.to_ascii_lowercase();
    let middle = name
        .strip_prefix("traefik.http.")
        .and_then(|rest| rest.strip_prefix(kind))
        .and_then(|rest| rest.strip_prefix('.'))
        .and_then(|rest| rest.strip_suffix(last));
    middle.is_some_and(|router| router.len() > 1 && router.ends_with('.'))
}

/// The arguments of each `Host(…)` of a rule.
fn rule_hosts(rule: &str) -> Vec<DomainName> {
    let mut found = Vec::new();
    let mut rest = rule;
    let mut before = None;
    while let Some(c) = rest.chars().next() {
        let at_word = !before.is_some_and(|c: char| c.is_alphanumeric() || c == '!');
        match rest.strip_prefix("Host(").filter(|_| at_word) {
            Some(arguments) => {
                rest = quoted(arguments, &mut found);
                before = None;
            }
            None if matches!(c, '`' | '"') => {
                rest = rest[1..].split_once(c).map_or("", |(_, behind)| behind);
                before = Some(c);
            }
            None => {
                rest = &rest[c.len_utf8()..];
                before = Some(c).filter(|c| !c.is_whitespace()).or(before.filter(|c| *c == '!'));
            }
        }
    }
    found
}

/// Takes the quoted texts up to the closing parenthesis; gives back what follows.
fn quoted<'a>(arguments: &'a str, found: &mut Vec<DomainName>) -> &'a str {
    let mut rest = arguments;
    while let Some(at) = rest.find(['`', '"', ')']) {
        let (mark, behind) = rest[at..].split_at(1);
        if mark == ")" {
            return behind;
        }
        let Some((host, behind)) = behind.split_once(mark) else {
            return "";
        };
        found.extend(DomainName::parse(&host.trim().to_ascii_lowercase()));
        rest = behind;
    }
    ""
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn asked(pairs: &[(&str, &str)]) -> Vec<String> {
        let labels = pairs.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
        hosts(&labels).iter().map(|(host, _)| host.to_string()).collect()
    }

    fn rule(rule: &str) -> Vec<String> {
        asked(&[("traefik.http.routers.x.rule", rule)])
    }

    #[test]
    fn hosts_of_http_rules() {
        assert_eq!(rule("Host(`a.test`)"), ["a.test"]);
        assert_eq!(rule("Host(`a.test`, `b.test`,\"c.test\")"), ["a.test", "b.test", "c.test"]);
        assert_eq!(rule("Host(`a.test`) || Host(`B.test`)"), ["a.test", "b.test"], "EXTRA_DOMAINS behind the rule");
        assert_eq!(rule("(Host(`a.test`) && PathPrefix(`/Host(`)) || (Host(`a.test`) && Path(`/x`))"), ["a.test"]);
        assert!(rule("HostRegexp(`.+`) || HostSNI(`x.test`) || !Host(`y.test`) || ! Host(`z.test`)").is_empty());
        assert!(rule("Host(``) || Host(`*.test`) || Host(`unclosed").is_empty());
    }

    #[test]
    fn tcp_routers_and_switched_off_services_have_none() {
        assert!(asked(&[("traefik.tcp.routers.x.rule", "HostSNI(`a.test`)")]).is_empty());
        assert!(asked(&[("traefik.enable", "false"), ("traefik.http.routers.x.rule", "Host(`a.test`)")]).is_empty());
        assert!(asked(&[("traefik.http.middlewares.x.rule", "Host(`a.test`)")]).is_empty());
    }

    #[test]
    fn the_port_of_the_service() {
        let labels =
            BTreeMap::from([("traefik.http.services.notes_ci.loadbalancer.server.port".to_owned(), "8080".to_owned())]);
        assert_eq!(port(&labels), Some(8080));
        assert_eq!(port(&BTreeMap::new()), None);
    }

    proptest! {
        #[test]
        fn any_rule_is_read(text in ".{0,60}|(Host\\(|`|a|,|\\)|!| |\"){0,20}") {
            let _ = rule(&text);
        }
    }
}
