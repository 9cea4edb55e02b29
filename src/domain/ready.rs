//! What the tests file waits for (`[[ready]]`): which host a probe asks, and whether an answer is the one.

use super::floor::Seen;
use super::ids::DomainName;
use super::results::one_line;
use super::tests_file::Ready;

/// What an answer means to a probe.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reached {
    /// It is the one.
    Yes,
    /// It is another one, as this says: `answers 503 instead of 200`.
    NotYet(String),
}

/// The host that a probe asks.
///
/// # Errors
/// Which hosts there are, when it is none of them.
pub fn host(probe: &Ready, domain: &DomainName, hosts: &[DomainName]) -> Result<String, String> {
    host_of(probe.subdomain.as_deref(), domain, hosts)
}

/// The host with this name in front of the app's domain.
///
/// # Errors
/// As [`host`].
pub fn host_of(subdomain: Option<&str>, domain: &DomainName, hosts: &[DomainName]) -> Result<String, String> {
    let wanted = subdomain.map_or_else(|| domain.to_string(), |name| format!("{name}.{domain}"));
    if hosts.iter().any(|host| host.as_str() == wanted) {
        return Ok(wanted);
    }
    let known: Vec<&str> = hosts.iter().map(DomainName::as_str).collect();
    let known = if known.is_empty() { "it has none".to_owned() } else { format!("it has {}", known.join(", ")) };
    Err(format!("the tests file asks {wanted}, which no router rule of the recipe names ({known})"))
}

/// Whether this is the answer.
#[must_use]
pub fn reached(probe: &Ready, seen: &Seen, title: Option<&str>) -> Reached {
    if seen.status != probe.status {
        return Reached::NotYet(format!("answers {} instead of {}", seen.status, probe.status));
    }
    if let Some(wanted) = &probe.title
        && title != Some(wanted.as_str())
    {
        let shown = title.map_or_else(|| "no title".to_owned(), |title| format!("the title “{}”", one_line(title, 60)));
        return Reached::NotYet(format!("answers {} with {shown} instead of “{}”", seen.status, one_line(wanted, 60)));
    }
    if let Some(wanted) = &probe.body_contains
        && !String::from_utf8_lossy(&seen.body).contains(wanted)
    {
        return Reached::NotYet(format!("answers {} without “{}” in it", seen.status, one_line(wanted, 60)));
    }
    Reached::Yes
}

#[cfg(test)]
mod tests {
    use super::*;

    fn probe() -> Ready {
        Ready {
            subdomain: None,
            path: "/".into(),
            status: 200,
            title: Some("Sign in".into()),
            body_contains: Some("password".into()),
            timeout: std::time::Duration::from_secs(1),
        }
    }

    #[test]
    fn an_answer_must_be_right_in_all_that_is_named() {
        let seen = |status, body: &str| Seen { status, body: body.as_bytes().to_vec() };
        let said = [
            reached(&probe(), &seen(503, ""), None),
            reached(&probe(), &seen(200, "password"), None),
            reached(&probe(), &seen(200, "password"), Some("Error")),
            reached(&probe(), &seen(200, "sign in"), Some("Sign in")),
        ]
        .map(|reached| match reached {
            Reached::NotYet(why) => why,
            Reached::Yes => "yes".to_owned(),
        });
        assert_eq!(
            said,
            [
                "answers 503 instead of 200",
                "answers 200 with no title instead of “Sign in”",
                "answers 200 with the title “Error” instead of “Sign in”",
                "answers 200 without “password” in it",
            ]
        );
        assert_eq!(reached(&probe(), &seen(200, "the password"), Some("Sign in")), Reached::Yes);
    }

    #[test]
    fn only_hosts_of_the_recipe_are_asked() {
        let domain = DomainName::parse("a.ci.test").unwrap();
        let hosts = [domain.clone(), DomainName::parse("admin.a.ci.test").unwrap()];
        assert_eq!(host(&probe(), &domain, &hosts).as_deref(), Ok("a.ci.test"));
        let of = |name: &str| host(&Ready { subdomain: Some(name.into()), ..probe() }, &domain, &hosts);
        assert_eq!(of("admin").as_deref(), Ok("admin.a.ci.test"));
        assert!(of("other").unwrap_err().contains("a.ci.test, admin.a.ci.test"));
        assert!(host(&probe(), &domain, &[]).unwrap_err().contains("it has none"));
    }
}
