//! A run's log as records: one JSON line each, appended to one file per run.
//!
//! The log is its own cursor. A record carries the position of its line in its source, so that a gate that was killed
//! finds in the file how far it had come and goes on there: no line lost, none doubled.

use std::collections::BTreeMap;
use std::fmt;

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

/// One line of the log.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Record {
    /// When it was written; for services, when the app wrote it.
    #[serde(rename = "t")]
    pub at: Timestamp,
    /// Where it comes from.
    #[serde(rename = "s")]
    pub source: Source,
    /// For a step: bytes of its output up to and with this line. For a service: nanoseconds since 1970 by the engine.
    #[serde(rename = "p", default, skip_serializing_if = "Option::is_none")]
    pub position: Option<u64>,
    /// The text without its line end: untrusted, masked, escape sequences still in it.
    #[serde(rename = "l")]
    pub text: String,
}

/// Where a log line comes from. Written as `cc-ci`, `step/deploy` or `app.1@4f0c2d11a9b3`.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(try_from = "String", into = "String")]
pub enum Source {
    /// The gate itself: every decision it takes.
    Gate,
    /// A step that the runner runs, by its name.
    Step(String),
    /// A container of the app.
    Service {
        /// Service name in the compose file and slot, e.g. `app.1`.
        task: String,
        /// The first 12 characters of the container's id.
        container: String,
    },
}

impl fmt::Display for Source {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Gate => f.write_str("cc-ci"),
            Self::Step(name) => write!(f, "step/{name}"),
            Self::Service { task, container } => write!(f, "{task}@{container}"),
        }
    }
}

impl From<Source> for String {
    fn from(source: Source) -> Self {
        source.to_string()
    }
}

impl TryFrom<String> for Source {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        if text == "cc-ci" {
            Ok(Self::Gate)
        } else if let Some(name) = text.strip_prefix("step/") {
            Ok(Self::Step(name.to_owned()))
        } else if let Some((task, container)) = text.rsplit_once('@') {
            Ok(Self::Service { task: task.to_owned(), container: container.to_owned() })
        } else {
            Err(format!("`{text}` is not a log source"))
        }
    }
}

/// How far each source has been written, read from the log itself.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Cursors(BTreeMap<Source, u64>);

impl Cursors {
    /// Takes note of a record.
    pub fn note(&mut self, record: &Record) {
        if let Some(position) = record.position {
            let known = self.0.entry(record.source.clone()).or_default();
            *known = position.max(*known);
        }
    }

    /// The position of the last line of this source; 0 when there is none.
    #[must_use]
    pub fn of(&self, source: &Source) -> u64 {
        self.0.get(source).copied().unwrap_or(0)
    }
}

/// Reads the records of a log file's content. An unfinished last line (the gate was killed in the middle of a write) is
/// left out; the second value is the length in bytes of what is whole.
#[must_use]
pub fn read(content: &[u8]) -> (Vec<Record>, usize) {
    let whole = content.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
    let lines = content[..whole].split(|byte| *byte == b'\n').filter(|line| !line.is_empty());
    (lines.filter_map(|line| serde_json::from_slice(line).ok()).collect(), whole)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn record(source: Source, position: Option<u64>, text: &str) -> Record {
        Record { at: Timestamp::from_millisecond(1_000).unwrap(), source, position, text: text.to_owned() }
    }

    #[test]
    fn a_log_cut_in_the_middle_of_a_line_is_read_up_to_it() {
        let step = record(Source::Step("deploy".into()), Some(12), "Creating…");
        let service = record(Source::Service { task: "app.1".into(), container: "4f0c2d11a9b3".into() }, Some(5), "up");
        let mut file = Vec::new();
        for record in [&step, &service] {
            serde_json::to_writer(&mut file, record).unwrap();
            file.push(b'\n');
        }
        let whole = file.len();
        file.extend_from_slice(b"{\"t\":\"2026-");
        let (records, length) = read(&file);
        assert_eq!((records.as_slice(), length), ([step.clone(), service.clone()].as_slice(), whole));

        let mut cursors = Cursors::default();
        records.iter().for_each(|record| cursors.note(record));
        assert_eq!(cursors.of(&step.source), 12);
        assert_eq!(cursors.of(&Source::Step("undeploy".into())), 0);
    }

    #[test]
    fn sources_are_written_as_people_read_them() {
        for text in ["cc-ci", "step/deploy", "app.1@4f0c2d11a9b3"] {
            assert_eq!(Source::try_from(text.to_owned()).unwrap().to_string(), text);
        }
        assert!(Source::try_from("nonsense".to_owned()).is_err());
    }
}
