//! The words by which people name a repository.

/// Splits `URL@REF`. The `@` of a login (`git@host:…`, `ssh://git@host/…`) is not one.
pub(super) fn split_reference(source: &str) -> (&str, Option<&str>) {
    let Some((url, reference)) = source.rsplit_once('@') else { return (source, None) };
    let after_scheme = url.split_once("://").map_or(url, |(_, rest)| rest);
    let has_path = after_scheme.contains('/') || (after_scheme.contains(':') && !url.contains("://"));
    if has_path && !reference.is_empty() && !reference.contains(':') { (url, Some(reference)) } else { (source, None) }
}

pub(super) fn looks_like_url(url: &str) -> bool {
    ["https://", "http://", "ssh://", "file://", "git://"].iter().any(|scheme| url.starts_with(scheme))
        || (url.contains('@') && url.contains(':') && !url.starts_with('-'))
}

/// `https://user:password@host/…` → `https://host/…`
pub(super) fn without_credentials(text: &str) -> String {
    let Some((before, after)) = text.split_once("://") else { return text.to_owned() };
    let (authority, rest) = after.split_at(after.find(['/', ' ', '\n']).unwrap_or(after.len()));
    let host = authority.rsplit('@').next().unwrap_or(authority);
    format!("{before}://{host}{}", if rest.contains("://") { without_credentials(rest) } else { rest.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_reference_is_told_from_a_login() {
        for (source, url, reference) in [
            ("https://forge.example/org/notes@main", "https://forge.example/org/notes", Some("main")),
            ("https://forge.example/org/notes@feature/x", "https://forge.example/org/notes", Some("feature/x")),
            ("https://ada@forge.example/org/notes", "https://ada@forge.example/org/notes", None),
            ("git@forge.example:org/notes", "git@forge.example:org/notes", None),
            ("git@forge.example:org/notes@v1", "git@forge.example:org/notes", Some("v1")),
            ("ssh://git@forge.example/notes", "ssh://git@forge.example/notes", None),
        ] {
            assert_eq!(split_reference(source), (url, reference), "{source}");
        }
    }

    #[test]
    fn passwords_do_not_leave() {
        assert_eq!(
            without_credentials("fatal: 'https://u:p@h/x' and https://u:p@h"),
            "fatal: 'https://h/x' and https://h"
        );
    }
}
