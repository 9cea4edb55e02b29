//! Whether what a check saw is what it wants (design §4, *Tests for a recipe*).

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use sha2::{Digest as _, Sha256};

use super::results::{Asset, last_line, one_line};
use super::stage::Stage;
use super::suite::Suite;
use super::tests_file::{Check, HttpCheck};

/// Characters of a value in a sentence.
const SHOWN: usize = 80;

/// What became of a check.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Checked {
    /// Its name.
    pub name: String,
    /// Where in the run: `upgrade`, `checks`, `extra`, or where a seed was asked for its proof.
    pub stage: Stage,
    /// What was seen, e.g. `https://… answers 200`; untrusted.
    pub seen: String,
    /// Whether that is what it wants.
    pub holds: bool,
    /// Whether it held on the second look only.
    #[serde(default, skip_serializing_if = "std::ops::Not::not")]
    pub second_look: bool,
    /// How long it took, in milliseconds.
    pub ms: u64,
    /// The beginning of what it said (of a suite, the end), where it does not hold; untrusted.
    #[serde(default, skip_serializing_if = "String::is_empty")]
    pub output: String,
    /// What a suite in a container of its own reported.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub suite: Option<Suite>,
}

/// Checks in an order that depends on this seed: those that rely on each other's order show.
#[must_use]
pub fn order<'a>(checks: &'a [Check], seed: &str) -> Vec<&'a Check> {
    let place = |check: &&Check| {
        let mut hash = Sha256::new();
        hash.update(seed);
        hash.update([0]);
        hash.update(&check.name);
        hash.finalize()
    };
    let mut checks: Vec<&Check> = checks.iter().collect();
    checks.sort_by_cached_key(place);
    checks
}

/// An answer to a check.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Answer {
    /// Its status.
    pub status: u16,
    /// Its headers, names in lower case.
    pub headers: Vec<(String, String)>,
    /// Its title.
    pub title: Option<String>,
    /// Its body, or the beginning of it.
    pub body: Vec<u8>,
    /// The page's first stylesheet and script, where the check wants them.
    pub assets: Vec<Asset>,
}

/// Whether a page is what a check wants.
///
/// # Errors
/// What came instead, as the end of a sentence that begins with its address.
pub fn page(check: &HttpCheck, answer: &Answer) -> Result<(), String> {
    let status = answer.status;
    if status != check.status {
        return Err(format!("answers {status} instead of {}", check.status));
    }
    if let Some(wanted) = check.title.as_deref().filter(|wanted| answer.title.as_deref() != Some(wanted)) {
        let shown = match &answer.title {
            None => "no title".to_owned(),
            Some(title) => format!("the title “{}”", one_line(title, SHOWN)),
        };
        return Err(format!("answers {status} with {shown} instead of “{}”", one_line(wanted, SHOWN)));
    }
    let body = String::from_utf8_lossy(&answer.body);
    if let Some(wanted) = check.body_contains.as_deref().filter(|wanted| !body.contains(wanted)) {
        return Err(format!("answers {status} without “{}” in it", one_line(wanted, SHOWN)));
    }
    for (name, wanted) in &check.headers {
        let found = answer.headers.iter().filter(|(header, _)| header == name).map(|(_, value)| value.as_str());
        let found: Vec<&str> = found.collect();
        if !found.contains(&wanted.as_str()) {
            let shown = found
                .first()
                .map_or_else(|| "is missing".to_owned(), |value| format!("is “{}”", one_line(value, SHOWN)));
            return Err(format!(
                "answers {status}, and the header `{name}` {shown} instead of “{}”",
                one_line(wanted, SHOWN)
            ));
        }
    }
    json(&check.json, &body).map_err(|why| format!("answers {status}, and {why}"))?;
    match answer.assets.iter().find(|asset| !asset.holds()) {
        None => Ok(()),
        Some(Asset { url, status: 0 }) => Err(format!("refers to {}, which gives no answer", one_line(url, SHOWN * 2))),
        Some(Asset { url, status }) => Err(format!("refers to {}, which answers {status}", one_line(url, SHOWN * 2))),
    }
}

fn json(wanted: &BTreeMap<String, serde_json::Value>, body: &str) -> Result<(), String> {
    if wanted.is_empty() {
        return Ok(());
    }
    let found: serde_json::Value = serde_json::from_str(body).map_err(|_| "its body is no JSON".to_owned())?;
    for (pointer, wanted) in wanted {
        let value = found.pointer(pointer);
        if value != Some(wanted) {
            let shown = value
                .map_or_else(|| "is missing".to_owned(), |value| format!("is {}", one_line(&value.to_string(), SHOWN)));
            return Err(format!("`{pointer}` in its JSON {shown} instead of {}", one_line(&wanted.to_string(), SHOWN)));
        }
    }
    Ok(())
}

/// Whether what a command said in a container is what is wanted; `code`: its exit code, nothing where its time was over.
///
/// # Errors
/// What came instead, as the end of a sentence that begins with the command.
pub fn command(code: Option<i64>, stdout: &[u8], stderr: &[u8], stdout_contains: Option<&str>) -> Result<(), String> {
    let last = |text: &[u8]| {
        let line = last_line(&String::from_utf8_lossy(text), SHOWN * 2);
        line.map(|line| format!(": “{line}”")).unwrap_or_default()
    };
    match code {
        None => return Err("took too long".to_owned()),
        Some(0) => {}
        Some(126 | 127) => {
            return Err(format!("cannot be run there{}", last(if stderr.is_empty() { stdout } else { stderr })));
        }
        Some(code) => {
            return Err(format!("ends with {code}{}", last(if stderr.is_empty() { stdout } else { stderr })));
        }
    }
    match stdout_contains {
        Some(wanted) if !String::from_utf8_lossy(stdout).contains(wanted) => {
            let said = last(stdout);
            let said = if said.is_empty() { " nothing".to_owned() } else { said };
            Err(format!("says{said} and not “{}”", one_line(wanted, SHOWN)))
        }
        Some(_) | None => Ok(()),
    }
}

/// The headline of a check that held on the second look.
#[must_use]
pub fn flaked(name: &str, first: &str) -> String {
    format!("the check “{}” held on the second look only; first {}", one_line(name, SHOWN), one_line(first, SHOWN * 4))
}

/// The headline of checks that do not hold.
#[must_use]
pub fn failed(name: &str, seen: &str) -> String {
    format!("the check “{}” does not hold: {}", one_line(name, SHOWN), one_line(seen, SHOWN * 4))
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn check() -> HttpCheck {
        HttpCheck {
            subdomain: None,
            path: "/".into(),
            status: 200,
            title: Some("Sign in".into()),
            body_contains: Some("ok".into()),
            headers: [("x-frame-options".to_owned(), "DENY".to_owned())].into(),
            json: BTreeMap::new(),
            assets: true,
        }
    }

    #[test]
    fn a_page_must_be_right_in_all_that_is_named() {
        let answer = |change: fn(&mut Answer)| {
            let mut answer = Answer {
                status: 200,
                headers: vec![("x-frame-options".into(), "DENY".into())],
                title: Some("Sign in".into()),
                body: b"ok".to_vec(),
                assets: vec![Asset { url: "https://a.test/a.css".into(), status: 200 }],
            };
            change(&mut answer);
            page(&check(), &answer).err().unwrap_or_else(|| "holds".to_owned())
        };
        let said = [
            answer(|_| {}),
            answer(|answer| answer.status = 404),
            answer(|answer| answer.title = None),
            answer(|answer| answer.title = Some("Error".into())),
            answer(|answer| answer.body = b"no".to_vec()),
            answer(|answer| answer.headers.clear()),
            answer(|answer| answer.headers[0].1 = "SAMEORIGIN".into()),
            answer(|answer| answer.assets[0].status = 404),
            answer(|answer| answer.assets[0].status = 0),
        ];
        insta::assert_snapshot!(said.join("\n"));
    }

    #[test]
    fn json_is_compared_by_pointer() {
        let check = HttpCheck {
            title: None,
            body_contains: None,
            headers: BTreeMap::new(),
            json: [("/status/ok".to_owned(), json!(true)), ("/n".to_owned(), json!(3))].into(),
            assets: false,
            ..check()
        };
        let of = |body: &str| page(&check, &Answer { status: 200, body: body.into(), ..Answer::default() });
        assert_eq!(of(r#"{"status":{"ok":true},"n":3}"#), Ok(()));
        assert_eq!(
            of(r#"{"status":{"ok":false},"n":3}"#).unwrap_err(),
            "answers 200, and `/status/ok` in its JSON is false instead of true"
        );
        assert_eq!(
            of(r#"{"n":3}"#).unwrap_err(),
            "answers 200, and `/status/ok` in its JSON is missing instead of true"
        );
        assert_eq!(of("<html>").unwrap_err(), "answers 200, and its body is no JSON");
    }

    #[test]
    fn a_command_must_end_with_0_and_say_what_is_wanted() {
        assert_eq!(command(Some(0), b"ada\n", b"", Some("ada")), Ok(()));
        assert_eq!(command(Some(0), b"", b"", None), Ok(()));
        let said = [
            command(None, b"", b"", None),
            command(Some(2), b"", b"first\nno such table\n\n", None),
            command(Some(127), b"OCI runtime exec failed: \"psql\": executable file not found", b"", None),
            command(Some(0), b"bob\n", b"", Some("ada")),
            command(Some(0), b"\n", b"a warning", Some("ada")),
        ];
        insta::assert_snapshot!(said.map(Result::unwrap_err).join("\n"));
    }
}
