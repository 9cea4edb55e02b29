//! What a test suite in a container of its own came to (design §4, `container`): how it ended, and the JUnit report that it may write.

use roxmltree::{Document, Node, ParsingOptions};
use serde::{Deserialize, Serialize};

use super::results::{count, last_line, one_line};

/// Where a suite may write a JUnit report; the path is in its `CC_CI_JUNIT`. Every image has `/tmp`, and any user may write there.
pub const REPORT: &str = "/tmp/cc-ci-junit.xml";
/// The folder with the files that lie beside the tests file.
pub const FILES: &str = "/cc-ci/tests";
/// No larger report is read, in bytes.
pub const LARGEST_REPORT: usize = 4 << 20;
/// So many failures are kept with their names.
const NAMED: usize = 20;
/// Characters of a name or message.
const SHOWN: usize = 200;
/// The reader compares each attribute of an element with all before it.
const MOST_ATTRIBUTES: usize = 200;
/// A report has an element for each test, with a few inside.
const MOST_NODES: u32 = 200_000;

/// What a JUnit report says.
#[derive(Debug, Clone, Default, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Suite {
    /// The tests that passed.
    pub passed: u64,
    /// Those that failed, errors among them.
    pub failed: u64,
    /// Those that were left out.
    pub skipped: u64,
    /// The first failures; untrusted.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub failures: Vec<Failure>,
}

/// A test that failed.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct Failure {
    /// Its class and name.
    pub name: String,
    /// What it says, in one line.
    pub message: String,
}

impl Suite {
    /// Reads a JUnit report: `<testcase>` elements wherever they are, failed with a `<failure>` or an `<error>` inside, left out with
    /// `<skipped>`. What the numbers of `<testsuite>` say is not asked: they need not agree.
    ///
    /// # Errors
    /// Why it cannot be read, in plain words. A document type is refused.
    pub fn read(report: &[u8]) -> Result<Self, String> {
        let text = std::str::from_utf8(report).map_err(|_| "it is no UTF-8".to_owned())?;
        if has_endless_tag(text) {
            return Err(format!("an element has more than {MOST_ATTRIBUTES} attributes"));
        }
        let options = ParsingOptions { nodes_limit: MOST_NODES, ..ParsingOptions::default() };
        let document = Document::parse_with_options(text, options).map_err(|error| error.to_string())?;
        let mut suite = Self::default();
        for case in document.descendants().filter(|node| node.has_tag_name("testcase")) {
            let child = |names: &[&str]| case.children().find(|node| names.contains(&node.tag_name().name()));
            if let Some(failure) = child(&["failure", "error"]) {
                suite.failed += 1;
                if suite.failures.len() < NAMED {
                    suite.failures.push(Failure { name: name(case), message: message(failure) });
                }
            } else if child(&["skipped"]).is_some() {
                suite.skipped += 1;
            } else {
                suite.passed += 1;
            }
        }
        Ok(suite)
    }

    fn said(&self) -> String {
        let skipped = if self.skipped == 0 { String::new() } else { format!(", {} left out", self.skipped) };
        let passed = if self.passed == 1 { "1 test passes".to_owned() } else { format!("{} tests pass", self.passed) };
        format!("{passed}{skipped}")
    }
}

/// Whether some tag has far more attributes than a report has any use for.
fn has_endless_tag(text: &str) -> bool {
    let mut rest = text;
    while let Some((_, behind)) = rest.split_once('<') {
        // What these hold are no tags, whatever it looks like.
        let skipped = [("!--", "-->"), ("![CDATA[", "]]>"), ("?", "?>")];
        if let Some((_, end)) = skipped.iter().find(|(begin, _)| behind.starts_with(begin)) {
            let Some((_, after)) = behind.split_once(end) else { return false };
            rest = after;
            continue;
        }
        let (mut quote, mut attributes, mut end) = (None, 0, behind.len());
        for (at, byte) in behind.bytes().enumerate() {
            match (quote, byte) {
                (Some(open), _) => quote = Some(open).filter(|open| *open != byte),
                (None, b'"' | b'\'') => quote = Some(byte),
                (None, b'=') => attributes += 1,
                (None, b'>') => {
                    end = at;
                    break;
                }
                (None, _) => {}
            }
        }
        if attributes > MOST_ATTRIBUTES {
            return true;
        }
        rest = &behind[end..];
    }
    false
}

fn name(case: Node<'_, '_>) -> String {
    let (class, name) = (case.attribute("classname"), case.attribute("name").unwrap_or("without a name"));
    let whole =
        class.filter(|class| !class.is_empty()).map_or_else(|| name.to_owned(), |class| format!("{class}.{name}"));
    one_line(&whole, SHOWN)
}

fn message(failure: Node<'_, '_>) -> String {
    let text = failure.attribute("message").filter(|text| !text.trim().is_empty());
    one_line(text.or_else(|| failure.text()).unwrap_or_default(), SHOWN)
}

/// Whether a suite that ended so holds, as the end of a sentence that begins with its image. `code`: its exit code, nothing where its
/// time was over; `report`: where it wrote one; `output`: the last of what it said.
///
/// # Errors
/// What is wrong.
pub fn judge(code: Option<i64>, report: Option<&Result<Suite, String>>, output: &str) -> Result<String, String> {
    let Some(code) = code else { return Err("took too long".to_owned()) };
    let said = last_line(output, SHOWN).map(|line| format!(": “{line}”")).unwrap_or_default();
    match report {
        Some(Err(why)) => Err(format!("writes a report that cannot be read: {}", one_line(why, SHOWN))),
        Some(Ok(suite)) if suite.failed > 0 => {
            let all = count(usize::try_from(suite.failed + suite.passed).unwrap_or(usize::MAX), "test", "tests");
            let verb = if suite.failed == 1 { "fails" } else { "fail" };
            let first = suite.failures.first();
            let first = first.map(|failure| match failure.message.as_str() {
                "" => format!(": “{}”", failure.name),
                message => format!(": “{}”: {message}", failure.name),
            });
            Err(format!("{} of {all} {verb}{}", suite.failed, first.unwrap_or_default()))
        }
        // Tests that pass are no excuse for a program that fails.
        _ if code != 0 => Err(format!("ends with {code}{said}")),
        // Nothing that was looked at is nothing that holds.
        Some(Ok(suite)) if suite.passed == 0 => Err("ran no test".to_owned()),
        Some(Ok(suite)) => Ok(suite.said()),
        None => Ok("ends with 0".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const REPORT: &str = r#"<?xml version="1.0" encoding="utf-8"?>
<testsuites><testsuite name="pytest" errors="0" failures="0" skipped="1" tests="4" time="0.04">
<testcase classname="test_app" name="test_login" time="0.001" />
<testcase classname="test_app" name="test_title"><failure message="assert 'Error' == 'Notes'">a trace
of many lines</failure></testcase>
<testcase name="test_api"><error>
  ConnectionRefusedError
</error></testcase>
<testcase classname="" name="test_old"><skipped type="pytest.skip" message="later" /></testcase>
</testsuite></testsuites>"#;

    #[test]
    fn a_report_is_counted_by_its_tests() {
        let suite = Suite::read(REPORT.as_bytes()).unwrap();
        assert_eq!((suite.passed, suite.failed, suite.skipped), (1, 2, 1));
        let failures: Vec<String> = suite.failures.iter().map(|it| format!("{}: {}", it.name, it.message)).collect();
        assert_eq!(failures, ["test_app.test_title: assert 'Error' == 'Notes'", "test_api: ConnectionRefusedError"]);
    }

    #[test]
    fn what_is_no_report_is_refused() {
        for text in
            ["", "<testsuite>", "<!DOCTYPE x [<!ENTITY a 'aaaa'>]><testsuite><testcase name='&a;'/></testsuite>"]
        {
            assert!(Suite::read(text.as_bytes()).is_err(), "{text}");
        }
        assert_eq!(Suite::read(&[0xff]).unwrap_err(), "it is no UTF-8");
        let many = format!("<t>{}</t>", "<testcase/>".repeat(200_001));
        assert!(Suite::read(many.as_bytes()).is_err(), "a report with too many elements");
        assert_eq!(Suite::read(b"<testsuite/>").unwrap(), Suite::default());
        let attributes: String = (0..201).map(|n| format!(" a{n}='>'")).collect();
        assert!(Suite::read(format!("<t{attributes}/>").as_bytes()).unwrap_err().contains("200 attributes"));
        let log = "<a = b = 'c".repeat(300);
        let quoted =
            format!("<?xml version='1.0'?><!--{log}--><t a='{}'><![CDATA[{log}]]><testcase/></t>", "=".repeat(300));
        assert_eq!(Suite::read(quoted.as_bytes()).unwrap().passed, 1);
    }

    #[test]
    fn a_suite_must_end_well_and_have_run_something() {
        let of = |passed, failed, skipped| {
            let failure = Failure { name: "a".into(), message: "b".into() };
            Some(Ok(Suite { passed, failed, skipped, failures: vec![failure; usize::try_from(failed).unwrap()] }))
        };
        let cases = [
            (Some(0), None, "all well"),
            (Some(0), of(14, 0, 0), ""),
            (Some(0), of(1, 0, 2), ""),
            (Some(0), of(13, 1, 0), "many words"),
            (Some(1), of(12, 2, 1), ""),
            (Some(0), of(0, 0, 0), ""),
            (Some(0), of(0, 0, 3), ""),
            (Some(1), of(3, 0, 0), "first\nTraceback: no\n"),
            (Some(137), None, ""),
            (Some(0), Some(Err("unexpected end".to_owned())), ""),
            (None, of(3, 0, 0), ""),
        ];
        let said = cases.map(|(code, report, output)| match judge(code, report.as_ref(), output) {
            Ok(said) => format!("holds: {said}"),
            Err(why) => why,
        });
        insta::assert_snapshot!(said.join("\n"));
    }

    proptest::proptest! {
        #[test]
        fn any_text_is_a_report_or_is_refused(text in "(?s)[<>/a-z='\" ]{0,80}|.{0,80}") {
            let _ = Suite::read(text.as_bytes());
        }
    }
}
