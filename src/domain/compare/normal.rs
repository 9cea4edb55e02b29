//! A log line without what differs from one run to the next whatever is tested: instants, lengths of time, ids, addresses, ports,
//! and the names that this very run gave to its app. Versions and other numbers stay, since they may be the cause.

use crate::domain::results::Results;

/// The names that a run gave to what it made.
#[derive(Debug, Clone)]
pub(super) struct OwnNames(Vec<String>);

impl OwnNames {
    /// Shorter names would be found in words.
    const SHORTEST: usize = 5;

    pub(super) fn of(results: &Results) -> Self {
        let label = results.target.domain.as_ref().and_then(|domain| domain.as_str().split('.').next());
        let names = [Some(results.run.as_str()), label].into_iter().flatten().map(str::to_owned);
        Self(names.filter(|name| name.len() >= Self::SHORTEST).collect())
    }

    /// The line, normalised; it is compared and never shown.
    pub(super) fn normal(&self, line: &str) -> String {
        let line = self.0.iter().fold(line.to_owned(), |line, name| {
            if line.contains(name.as_str()) { line.replace(name.as_str(), "†run") } else { line }
        });
        let mut normal = String::with_capacity(line.len());
        let mut rest = line.trim();
        let mut before = ' ';
        while let Some(c) = rest.chars().next() {
            let begins_word = !is_word(before);
            let found = if begins_word { varying(rest, before) } else { None };
            let whole = if is_word(c) && begins_word { word(&rest[c.len_utf8()..]) } else { 0 };
            let length = found.map_or(c.len_utf8() + whole, |(length, _)| length);
            match found {
                Some((_, name)) => normal.push_str(name),
                None if c.is_whitespace() && before.is_whitespace() => {}
                None if c.is_whitespace() => normal.push(' '),
                None => normal.push_str(&rest[..length]),
            }
            before = rest[..length].chars().last().unwrap_or(' ');
            rest = &rest[length..];
        }
        normal
    }
}

const fn is_word(c: char) -> bool {
    c.is_ascii_alphanumeric() || c == '†'
}

/// The length of the word at the beginning.
fn word(text: &str) -> usize {
    text.find(|c: char| !c.is_ascii_alphanumeric()).unwrap_or(text.len())
}

/// What stands at the beginning of a word and differs between runs, and its length.
fn varying(text: &str, before: char) -> Option<(usize, &'static str)> {
    let found = |length: Option<usize>, name: &'static str| length.map(|length| (length, name));
    found(instant(text), "†time")
        .or_else(|| found(uuid(text), "†id"))
        .or_else(|| found(address(text), "†address"))
        .or_else(|| found(length_of_time(text), "†length"))
        .or_else(|| found(id(text), "†id"))
        .or_else(|| found(number_of_process(text, before), "†process"))
        .or_else(|| found(port(text, before), "†port"))
}

/// Whether text begins with this form: `d` a digit, `a` a letter, else the character itself. The length is the form's.
fn form(text: &str, form: &str) -> Option<usize> {
    let bytes = text.as_bytes();
    let fits = form.bytes().enumerate().all(|(at, wanted)| {
        bytes.get(at).is_some_and(|byte| match wanted {
            b'd' => byte.is_ascii_digit(),
            b'a' => byte.is_ascii_alphabetic(),
            other => *byte == other,
        })
    });
    fits.then_some(form.len())
}

fn digits(text: &str) -> usize {
    text.bytes().take_while(u8::is_ascii_digit).count()
}

/// A date, a time of day, or both, with a fraction and a zone.
fn instant(text: &str) -> Option<usize> {
    let day = ["dddd-dd-dd", "dddd/dd/dd", "dd/aaa/dddd", "dd.dd.dddd", "aaa dd", "aaa  d"];
    let date = day.into_iter().find_map(|day| form(text, day));
    let Some(date) = date else { return clock(text) };
    let behind = &text[date..];
    let time = behind.strip_prefix(['T', 't', ' ', ':']).and_then(clock);
    match time {
        Some(time) => Some(date + 1 + time),
        // `Nov 24` alone may be anything.
        None if text.starts_with(|c: char| c.is_ascii_digit()) => Some(date).filter(|_| !behind.starts_with(is_word)),
        None => None,
    }
}

/// `12:03:27.123+02:00`.
fn clock(text: &str) -> Option<usize> {
    let mut end = form(text, "dd:dd:dd")?;
    if let Some(fraction) = text[end..].strip_prefix(['.', ',']).map(digits).filter(|digits| *digits > 0) {
        end += 1 + fraction;
    }
    let zones = ["Z", " UTC", " GMT", "+dd:dd", "-dd:dd", " +dddd", " -dddd", "+dddd"];
    end += zones.into_iter().find_map(|zone| form(&text[end..], zone)).unwrap_or(0);
    Some(end)
}

fn uuid(text: &str) -> Option<usize> {
    let parts = [8, 4, 4, 4, 12];
    let mut end = 0;
    for (nth, length) in parts.into_iter().enumerate() {
        if nth > 0 {
            text[end..].strip_prefix('-')?;
            end += 1;
        }
        let part = text.get(end..end + length)?;
        end += length;
        part.bytes().all(|byte| byte.is_ascii_hexdigit()).then_some(())?;
    }
    (!text[end..].starts_with(is_word)).then_some(end)
}

/// An IPv4 address of a container, with its port.
fn address(text: &str) -> Option<usize> {
    let mut end = 0;
    for nth in 0..4 {
        if nth > 0 {
            text[end..].strip_prefix('.')?;
            end += 1;
        }
        let length = digits(&text[end..]);
        text[end..end + length].parse::<u8>().ok()?;
        end += length;
    }
    // `1.2.3.4-rc1` and `1.2.3.4.5` are versions.
    let behind = text[end..].trim_start_matches('.');
    if text[end..].starts_with(|c: char| is_word(c) || c == '-') || behind.starts_with(|c: char| c.is_ascii_digit()) {
        return None;
    }
    let port = text[end..].strip_prefix(':').map(digits).filter(|digits| (1..=5).contains(digits));
    Some(end + port.map_or(0, |port| 1 + port))
}

/// `12 ms`, `3.2s`, `1m20s`, `4 min 5 s`, `1 h 2 min`.
fn length_of_time(text: &str) -> Option<usize> {
    const UNITS: [&str; 16] = [
        "ns", "us", "µs", "ms", "seconds", "second", "secs", "sec", "s", "minutes", "minute", "min", "m", "hours",
        "hour", "h",
    ];
    let mut end = 0;
    loop {
        let number = number(&text[end..]);
        if number == 0 {
            break;
        }
        let behind = &text[end + number..];
        let space = usize::from(behind.starts_with(' '));
        let unit = UNITS.into_iter().find(|unit| {
            let after = behind[space..].strip_prefix(unit);
            // `1m20s`: a digit may follow at once.
            after.is_some_and(|after| !after.starts_with(|c: char| is_word(c) && !c.is_ascii_digit()))
        });
        let Some(unit) = unit else { break };
        end += number + space + unit.len();
        if text[end..].starts_with(' ') && number_follows(&text[end + 1..]) {
            end += 1;
        }
    }
    let whole = text[..end].trim_end().len();
    (whole > 0).then_some(whole)
}

fn number_follows(text: &str) -> bool {
    number(text) > 0
}

fn number(text: &str) -> usize {
    let whole = digits(text);
    let fraction = text[whole..].strip_prefix('.').map(digits).filter(|digits| whole > 0 && *digits > 0);
    whole + fraction.map_or(0, |fraction| 1 + fraction)
}

/// A word that no person wrote: a long number, or a long one of hexadecimal digits or of letters with digits.
fn id(text: &str) -> Option<usize> {
    let length = word(text);
    let word = &text.as_bytes()[..length];
    let (number, hexadecimal) = (word.iter().all(u8::is_ascii_digit), word.iter().all(u8::is_ascii_hexdigit));
    let mixed = word.iter().any(u8::is_ascii_digit) && word.iter().any(u8::is_ascii_alphabetic);
    let is = match length {
        0..8 => false,
        8..20 => (number && length >= 10) || (hexadecimal && mixed),
        _ => number || mixed,
    };
    // Seconds since 1970 may have a fraction.
    let fraction = if number { text[length..].strip_prefix('.').map_or(0, digits) } else { 0 };
    is.then_some(if fraction > 0 { length + 1 + fraction } else { length })
}

/// The number in `[17]`.
fn number_of_process(text: &str, before: char) -> Option<usize> {
    let length = digits(text);
    (before == '[' && length > 0 && text[length..].starts_with(']')).then_some(length)
}

/// The number behind a colon, as in `localhost:43210` or `:8080`.
fn port(text: &str, before: char) -> Option<usize> {
    let length = digits(text);
    (before == ':' && (2..=5).contains(&length) && !text[length..].starts_with(|c: char| is_word(c) || c == ':'))
        .then_some(length)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::domain::results::{conclude, samples};

    fn names() -> OwnNames {
        OwnNames::of(&conclude(samples::good()))
    }

    fn normal(line: &str) -> String {
        names().normal(line)
    }

    #[test]
    fn what_differs_from_run_to_run_goes() {
        let pairs = [
            ("2026-11-24T09:18:28.467Z up", "2026-11-25 19:00:01,2 UTC up"),
            ("[24/Nov/2026:09:18:28 +0000] GET /", "[25/Nov/2026:10:00:00 +0000] GET /"),
            ("Nov 24 09:18:28 db[17]: ready", "Dec  1 00:00:00 db[2231]: ready"),
            ("09:18:28 ready in 120 ms", "10:00:01 ready in 1.2 s"),
            ("took 1m20s", "took 59s"),
            ("converged after 3 min 5 s", "converged after 45 s"),
            ("created 4f0c2d11a9b3", "created 90b1c2d3e4f5"),
            ("task 61be90ab-0000-4a4a-8b8b-0c77a1e5ffff", "task 0c77a1e5-1111-4a4a-8b8b-61be90ab0000"),
            ("from 10.0.3.7:43210 to localhost:5432", "from 10.0.4.12:50022 to localhost:5433"),
            ("at 1764409108.123", "at 1764409999.456"),
            ("service v8k2m1q0w9e7r6t5y4u3i2o1p", "service a1b2c3d4e5f6g7h8i9j0k1l2m"),
            ("two   spaces\tor a tab", "two spaces or a tab"),
        ];
        for (one, other) in pairs {
            assert_eq!(normal(one), normal(other));
        }
    }

    #[test]
    fn what_may_be_the_cause_stays() {
        let pairs = [
            ("initialized by PostgreSQL version 15", "initialized by PostgreSQL version 16"),
            ("notes 2.0.3 starting", "notes 2.1.0 starting"),
            ("exits with code 1", "exits with code 137"),
            ("GET / 200", "GET / 502"),
            ("3 services", "2 services"),
            ("version 1.2.3.4-rc1", "version 1.2.3.5-rc1"),
            ("deadbeef", "decade"),
        ];
        for (one, other) in pairs {
            assert_ne!(normal(one), normal(other));
        }
    }

    #[test]
    fn the_names_of_the_run_itself_go() {
        let mut other = conclude(samples::good());
        other.run = "zzzzmzr4aabc".parse().unwrap();
        other.target.domain = Some("cczzzz.ci.lab.test".parse().unwrap());
        let (one, other) = (normal("Creating service cck7q2_ci_lab_test_app"), OwnNames::of(&other));
        assert_eq!(one, other.normal("Creating service cczzzz_ci_lab_test_app"));
        assert_eq!(normal("run k7q2mzr4aabc"), other.normal("run zzzzmzr4aabc"));
    }

    proptest! {
        #[test]
        fn any_line_is_read(line in "(?s)[0-9:./ TZ†a-fsmh-]{0,40}.{0,40}") {
            let _ = normal(&line);
        }
    }
}
