//! Passwords, tokens and keys that are written out. The value itself is never repeated.

use super::seen::{Place, Seen};
use crate::domain::recipe::ENV_SAMPLE;
use crate::domain::recipe::interpolate::{Fallback, Piece, pieces};

/// Last words of a variable's name that stand for something secret.
const SECRET: [&str; 8] = ["PASSWORD", "PASSWD", "PASS", "PASSPHRASE", "PWD", "SECRET", "TOKEN", "CREDENTIALS"];
/// Words before `KEY` that make it secret; a public key is none.
const KEY: [&str; 9] = ["API", "SECRET", "PRIVATE", "ACCESS", "ENCRYPTION", "SIGNING", "MASTER", "JWT", "AUTH"];
/// Values that only switch something.
const SWITCHES: [&str; 10] = ["true", "false", "yes", "no", "on", "off", "0", "1", "none", "null"];

pub(super) fn none_written_out(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, name, service) in seen.services() {
        for (variable, value) in &service.environment {
            let written = value.as_deref().and_then(written_out);
            if let Some(kind) = written.and_then(|written| credential(variable, written)) {
                let text = format!("service `{name}` has {kind} written out in `{variable}`");
                let place = source.with(&[variable], text);
                places.push(Place { about: format!("services.{name}.environment.{variable}"), ..place });
            }
        }
    }
    for assignment in &seen.sample.assignments {
        let (variable, value) = (&assignment.name, assignment.value.text());
        if let Some(kind) =
            Some(value).filter(|value| !value.contains('$')).and_then(|value| credential(variable, value))
        {
            let text = format!("{kind} is written out in `{variable}`");
            places.push(Place::of(ENV_SAMPLE, variable, text).on(Some(assignment.line)));
        }
    }
}

/// The part of a value that everybody has: the text, or the default of the one variable that it is.
fn written_out(value: &str) -> Option<&str> {
    match pieces(value).as_slice() {
        [Piece::Text(_)] => Some(value),
        [Piece::Variable(used)] => match used.fallback {
            Fallback::Default(text) => Some(text),
            Fallback::Empty | Fallback::Required(_) => None,
        },
        _ => None,
    }
}

/// What a value is, if it is a credential.
fn credential(name: &str, value: &str) -> Option<&'static str> {
    let value = value.trim();
    let is_value = !value.is_empty()
        && !SWITCHES.iter().any(|switch| value.eq_ignore_ascii_case(switch))
        && !value.starts_with('/')
        && !value.contains(['$', '{', '<']);
    if !is_value {
        return None;
    }
    if has_password_in_url(value) {
        return Some("a password");
    }
    let name = name.to_ascii_uppercase();
    let words: Vec<&str> = name.split('_').collect();
    match words.as_slice() {
        [.., before, "KEY"] if KEY.contains(before) => Some("a key"),
        ["SECRET", "KEY", "BASE"] => Some("a key"),
        [.., last] if *last == "TOKEN" => Some("a token"),
        [.., last] if SECRET.contains(last) => Some("a password"),
        _ => None,
    }
}

/// `scheme://user:password@host`
fn has_password_in_url(value: &str) -> bool {
    let authority = value.split_once("://").and_then(|(_, rest)| rest.split('/').next());
    let user = authority.and_then(|authority| authority.rsplit_once('@')).map(|(user, _)| user);
    user.and_then(|user| user.split_once(':')).is_some_and(|(_, password)| !password.is_empty())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn credentials_are_told_by_their_names_and_values() {
        for (name, value) in [
            ("DB_PASSWORD", "gaseous"),
            ("MYSQL_ROOT_PASSWORD", "12345"),
            ("DATABASE_URL", "postgres://app:app@db/app"),
            ("S3_SECRET_KEY", "abc"),
            ("SECRET_KEY_BASE", "abc"),
            ("api_token", "abc"),
        ] {
            assert!(credential(name, value).is_some(), "{name}={value}");
        }
        for (name, value) in [
            ("DB_PASSWORD", ""),
            ("DB_PASSWORD_FILE", "/run/secrets/db_password"),
            ("DB_PASSWORD", "/run/secrets/db_password"),
            ("SECRET_DB_PASSWORD_VERSION", "v1"),
            ("MYSQL_RANDOM_ROOT_PASSWORD", "yes"),
            ("ALLOW_EMPTY_PASSWORD", "TRUE"),
            ("DATABASE_URL", "postgres://app@db/app"),
            ("DATABASE_URL", "postgres://app:${PASSWORD}@db/app"),
            ("HOMEPAGE", "https://example.org/a:b@c"),
            ("VAPID_PUBLIC_KEY", "abc"),
            ("PASSWORD_RESET_URL", "https://example.org"),
            ("TOKEN_LIFETIME", "3600"),
            ("SMTP_PASSWORD", "<your password>"),
        ] {
            assert_eq!(credential(name, value), None, "{name}={value}");
        }
        assert_eq!(written_out("${A:-word}"), Some("word"));
        assert_eq!(written_out("${A}"), None);
        assert_eq!(written_out("a${B}c"), None);
    }
}
