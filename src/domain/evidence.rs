//! What a run keeps of the app for whoever looks later: plain text files, scrubbed and bounded.
//!
//! The rules here are pure. Values of environment variables are never kept, whatever they are; the values of the run's secrets are
//! masked by the caller, who knows them.

use std::collections::{BTreeMap, VecDeque};
use std::fmt::Write as _;

use jiff::Timestamp;
use serde_json::Value;

use super::log::Record;

/// Bytes of one file.
const LARGEST_FILE: usize = 512 << 10;
/// Bytes of all files together.
const LARGEST: usize = 8 << 20;
/// Lines of one source of the log, the last ones.
const LOG_LINES: usize = 400;
/// Different answers that are kept, the last ones.
const EXCHANGES: usize = 200;
/// Bytes of a body.
const BODY: usize = 2 << 10;
/// What stands where a value stood.
const GONE: &str = "•••";

/// The files, by path.
#[derive(Debug, Default)]
pub struct Bundle {
    files: BTreeMap<String, String>,
    left_out: Vec<String>,
    bytes: usize,
}

impl Bundle {
    /// Adds a file. `parts` are its folders and name: of each only harmless characters are kept. Of a text that is too long the end is
    /// kept for a log (`end`), the beginning otherwise.
    pub fn add(&mut self, parts: &[&str], text: &str, end: bool) {
        let path = parts.iter().map(|part| harmless(part)).collect::<Vec<_>>().join("/");
        let text = bounded(text, end);
        if self.bytes + text.len() > LARGEST {
            self.left_out.push(path);
            return;
        }
        self.bytes += text.len();
        self.files.insert(path, text);
    }

    /// All files, with one that says what they are.
    #[must_use]
    pub fn files(mut self, about: &str) -> BTreeMap<String, String> {
        let mut text = format!("{about}\n\n");
        text.push_str("Values of environment variables are left out, those of the run's secrets are masked.\n\n");
        for path in self.files.keys() {
            let _infallible = writeln!(text, "{path}");
        }
        for path in &self.left_out {
            let _infallible = writeln!(text, "left out, since all together would be too large: {path}");
        }
        self.files.insert("README.txt".to_owned(), text);
        self.files
    }
}

/// A part of a path that came from outside: no separators, no leading dot, not long.
fn harmless(part: &str) -> String {
    let kept = |c: char| if c.is_ascii_alphanumeric() || "-_.@".contains(c) { c } else { '_' };
    let part: String = part.chars().take(100).map(kept).collect();
    let rest = part.trim_start_matches('.');
    if rest.is_empty() { "_".to_owned() } else { rest.to_owned() }
}

fn bounded(text: &str, end: bool) -> String {
    if text.len() <= LARGEST_FILE {
        return text.to_owned();
    }
    let whole = text.len();
    if end {
        format!("({whole} bytes, only the end is here)\n{}", &text[text.ceil_char_boundary(whole - LARGEST_FILE)..])
    } else {
        format!("{}\n({whole} bytes, only the beginning is here)\n", &text[..text.floor_char_boundary(LARGEST_FILE)])
    }
}

/// An object of the Docker API without the values of environment variables: of `NAME=value` the name stays.
#[must_use]
pub fn scrubbed(mut object: Value) -> Value {
    scrub(&mut object);
    object
}

fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                match field {
                    Value::Array(entries) if name == "Env" => entries.iter_mut().for_each(hide_value),
                    Value::Null
                    | Value::Bool(_)
                    | Value::Number(_)
                    | Value::String(_)
                    | Value::Array(_)
                    | Value::Object(_) => scrub(field),
                }
            }
        }
        Value::Array(entries) => entries.iter_mut().for_each(scrub),
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => {}
    }
}

fn hide_value(entry: &mut Value) {
    let name = entry.as_str().map(|text| text.split('=').next().unwrap_or_default().to_owned());
    *entry = Value::String(name.map_or_else(|| GONE.to_owned(), |name| format!("{name}={GONE}")));
}

/// The last lines of each source of a log.
#[must_use]
pub fn last_lines(log: &[Record]) -> BTreeMap<String, String> {
    let mut sources: BTreeMap<String, VecDeque<&Record>> = BTreeMap::new();
    for record in log {
        let lines = sources.entry(record.source.to_string()).or_default();
        if lines.len() == LOG_LINES {
            lines.pop_front();
        }
        lines.push_back(record);
    }
    let text = |lines: VecDeque<&Record>| {
        lines.iter().map(|record| format!("{:.3} {}\n", record.at, record.text)).collect::<String>()
    };
    sources.into_iter().map(|(source, lines)| (source, text(lines))).collect()
}

/// What was asked over HTTPS and what came back.
#[derive(Debug, Default)]
pub struct Transcript {
    exchanges: VecDeque<Exchange>,
    left_out: usize,
}

#[derive(Debug)]
struct Exchange {
    first: Timestamp,
    last: Timestamp,
    times: usize,
    url: String,
    answer: String,
}

/// Headers whose value is for the asker alone.
const PRIVATE: [&str; 4] = ["set-cookie", "authorization", "proxy-authorization", "cookie"];

impl Transcript {
    /// Notes an answer; one that came before, word for word, is only counted.
    pub fn note(&mut self, at: Timestamp, url: &str, answer: &Result<Heard<'_>, &str>) {
        let answer = match answer {
            Ok(heard) => heard.told(),
            Err(why) => format!("no answer: {why}\n"),
        };
        if let Some(known) = self.exchanges.iter_mut().find(|known| known.url == url && known.answer == answer) {
            (known.last, known.times) = (at, known.times + 1);
            return;
        }
        if self.exchanges.len() == EXCHANGES {
            self.exchanges.pop_front();
            self.left_out += 1;
        }
        self.exchanges.push_back(Exchange { first: at, last: at, times: 1, url: url.to_owned(), answer });
    }

    /// As text; empty when nothing was asked.
    #[must_use]
    pub fn told(&self) -> String {
        let mut text = String::new();
        if self.left_out > 0 {
            let _infallible = writeln!(text, "({} earlier ones are left out)\n", self.left_out);
        }
        for it in &self.exchanges {
            let _infallible = write!(text, "{:.3} GET {}", it.first, it.url);
            if it.times > 1 {
                let _infallible = write!(text, " ({} times the same, until {:.3})", it.times, it.last);
            }
            let _infallible = writeln!(text, "\n{}", it.answer);
        }
        text
    }
}

/// An answer as it is noted.
#[derive(Debug)]
pub struct Heard<'a> {
    /// The status.
    pub status: u16,
    /// Names and values, in the order in which they came.
    pub headers: Vec<(&'a str, String)>,
    /// The beginning of the body.
    pub body: &'a [u8],
}

impl Heard<'_> {
    fn told(&self) -> String {
        let mut text = format!("{}\n", self.status);
        for (name, value) in &self.headers {
            // It differs each time and says nothing.
            if *name != "date" {
                let value = if PRIVATE.contains(name) { GONE } else { value };
                let _infallible = writeln!(text, "{name}: {value}");
            }
        }
        if !self.body.is_empty() {
            let first = &self.body[..self.body.len().min(BODY)];
            let _infallible = writeln!(text, "\n{}", String::from_utf8_lossy(first));
            if first.len() < self.body.len() {
                let _infallible = writeln!(text, "({} bytes were read, only the beginning is here)", self.body.len());
            }
        }
        text
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;
    use crate::domain::log::Source;

    #[test]
    fn s67_values_of_variables_go_wherever_they_are() {
        let seen = json!({
            "Config": { "Env": ["PASSWORD=hunter2", "EMPTY=", "BARE"], "Labels": { "Env": "kept" } },
            "PreviousSpec": { "TaskTemplate": { "ContainerSpec": { "Env": ["URL=https://a:b@c/?d=e"] } } },
            "Env": null,
        });
        let text = scrubbed(seen).to_string();
        assert!(!text.contains("hunter2") && !text.contains("a:b@c"), "{text}");
        for kept in ["PASSWORD=•••", "EMPTY=•••", "BARE=•••", "URL=•••", "kept"] {
            assert!(text.contains(kept), "{kept}: {text}");
        }
    }

    #[test]
    fn names_from_outside_lead_nowhere() {
        let mut bundle = Bundle::default();
        bundle.add(&["logs", "../../etc/passwd"], "x", true);
        bundle.add(&["logs", "..", "a\nb\u{202e}c"], "x", true);
        bundle.add(&["", &"n".repeat(500)], "x", true);
        let files = bundle.files("about");
        for path in files.keys() {
            assert!(path.split('/').all(|part| !part.is_empty() && !part.starts_with('.')), "{path:?}");
            assert!(path.is_ascii() && !path.contains('\n'), "{path:?}");
            assert!(path.len() < 210);
        }
        assert_eq!(files.len(), 4);
    }

    #[test]
    fn it_stays_small_and_says_what_is_missing() {
        let mut bundle = Bundle::default();
        for nth in 0..20 {
            bundle.add(&["logs", &format!("{nth:02}")], &"é".repeat(1 << 20), true);
        }
        let files = bundle.files("about");
        assert!(files.values().map(String::len).sum::<usize>() < LARGEST + (64 << 10));
        assert!(files["logs/00"].starts_with("(2097152 bytes, only the end is here)"));
        assert!(files["README.txt"].contains("left out, since all together would be too large: logs/19"));
    }

    #[test]
    fn of_each_source_the_last_lines_are_kept() {
        let line = |nth: usize, source: &str| Record {
            at: Timestamp::UNIX_EPOCH,
            source: Source::try_from(source.to_owned()).unwrap(),
            position: None,
            text: format!("line {nth}"),
        };
        let log: Vec<_> = (0..500).map(|nth| line(nth, "app.1@4f0c2d11a9b3")).chain([line(0, "cc-ci")]).collect();
        let kept = last_lines(&log);
        assert_eq!(kept["app.1@4f0c2d11a9b3"].lines().count(), LOG_LINES);
        assert!(kept["app.1@4f0c2d11a9b3"].ends_with("line 499\n"));
        assert_eq!(kept["cc-ci"], "1970-01-01T00:00:00.000Z line 0\n");
    }

    #[test]
    fn the_same_answer_is_counted_and_cookies_go() {
        let mut transcript = Transcript::default();
        let at = |ms| Timestamp::from_millisecond(ms).unwrap();
        let body = "a".repeat(5_000);
        let good = |date: &str| {
            Ok(Heard {
                status: 200,
                headers: vec![
                    ("date", date.to_owned()),
                    ("set-cookie", "session=secret".into()),
                    ("server", "x".into()),
                ],
                body: body.as_bytes(),
            })
        };
        for ms in 0..40 {
            transcript.note(at(ms * 250), "https://a/", &Err("refused"));
        }
        transcript.note(at(10_000), "https://a/", &good("1"));
        transcript.note(at(10_250), "https://a/", &good("2"));
        let told = transcript.told();
        assert!(told.starts_with(
            "1970-01-01T00:00:00.000Z GET https://a/ (40 times the same, until 1970-01-01T00:00:09.750Z)\nno answer: refused\n"
        ));
        assert!(told.contains("GET https://a/ (2 times the same") && told.contains("set-cookie: •••\nserver: x\n"));
        assert!(told.contains("(5000 bytes were read, only the beginning is here)") && !told.contains("secret"));
    }
}
