//! The run's log on disk: appended, masked, capped; whoever follows it live gets the same records.

use std::fs::{File, OpenOptions};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::sync::{Mutex, MutexGuard, PoisonError};

use jiff::Timestamp;
use secrecy::SecretString;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::sync::mpsc::UnboundedSender;

use crate::domain::log::{Cursors, Record, Source, read};
use crate::domain::mask::Masker;

/// Beyond this many bytes only the gate's own lines are written.
const CAP: u64 = 64 << 20;
/// A longer line is cut.
const LONGEST_LINE: usize = 16 << 10;

/// An open log. Writes are short and go straight to the file, so that a killed process loses nothing that was said.
#[derive(Debug)]
pub struct LogFile {
    inner: Mutex<Inner>,
}

#[derive(Debug)]
struct Inner {
    file: File,
    size: u64,
    capped: bool,
    cursors: Cursors,
    masker: Masker,
    listener: Option<UnboundedSender<Record>>,
    broken: Option<String>,
}

impl LogFile {
    /// Opens the log, makes it where there is none, and cuts off a line that was not finished.
    ///
    /// # Errors
    /// What the file system says.
    pub fn open(path: &Path, listener: Option<UnboundedSender<Record>>) -> io::Result<Self> {
        let mut file = OpenOptions::new().create(true).truncate(false).read(true).write(true).open(path)?;
        let mut content = Vec::new();
        file.read_to_end(&mut content)?;
        let (records, whole) = read(&content);
        file.set_len(whole as u64)?;
        file.seek(SeekFrom::End(0))?;
        let mut cursors = Cursors::default();
        records.iter().for_each(|record| cursors.note(record));
        let inner = Inner {
            file,
            size: whole as u64,
            capped: false,
            cursors,
            masker: Masker::default(),
            listener,
            broken: None,
        };
        Ok(Self { inner: Mutex::new(inner) })
    }

    fn lock(&self) -> MutexGuard<'_, Inner> {
        self.inner.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Hides this value from now on.
    pub fn hide(&self, secret: &SecretString) {
        self.lock().masker.learn(secret);
    }

    /// The text as the log would show it.
    #[must_use]
    pub fn masked(&self, text: &str) -> String {
        self.lock().masker.mask(text)
    }

    /// The value with each of its texts as the log would show it.
    ///
    /// # Errors
    /// When it cannot be written as JSON and read again.
    pub fn masked_value<T: Serialize + DeserializeOwned>(&self, value: &T) -> Result<T, serde_json::Error> {
        let mut json = serde_json::to_value(value)?;
        self.lock().masker.mask_texts(&mut json);
        serde_json::from_value(json)
    }

    /// How far this source has been written.
    #[must_use]
    pub fn position(&self, source: &Source) -> u64 {
        self.lock().cursors.of(source)
    }

    /// A line of the gate itself.
    pub fn say(&self, text: impl AsRef<str>) {
        for line in text.as_ref().lines() {
            self.write(Record { at: Timestamp::now(), source: Source::Gate, position: None, text: line.to_owned() });
        }
    }

    /// A line of any source; one that is there already (by its position) is not written again.
    pub fn write(&self, record: Record) {
        self.lock().write(record);
    }

    /// Why the log could not be written, if it could not.
    #[must_use]
    pub fn broken(&self) -> Option<String> {
        self.lock().broken.clone()
    }
}

impl Inner {
    fn write(&mut self, mut record: Record) {
        if record.position.is_some_and(|position| position <= self.cursors.of(&record.source)) {
            return;
        }
        self.cursors.note(&record);
        if self.size > CAP && record.source != Source::Gate {
            if !std::mem::replace(&mut self.capped, true) {
                let text = format!(
                    "the log has reached {} MB; lines of services and steps are left out from here on",
                    CAP >> 20
                );
                self.append(&Record { at: record.at, source: Source::Gate, position: None, text });
            }
            return;
        }
        // Before it is cut: the first half of a secret would not be known any more.
        record.text = self.masker.mask(&record.text);
        if record.text.len() > LONGEST_LINE {
            let whole = record.text.len();
            let cut = record.text.floor_char_boundary(LONGEST_LINE);
            record.text.truncate(cut);
            record.text.push_str(&format!("… ({whole} bytes)"));
        }
        self.append(&record);
    }

    fn append(&mut self, record: &Record) {
        let mut line = serde_json::to_vec(record).unwrap_or_default();
        line.push(b'\n');
        if let Err(error) = self.file.write_all(&line) {
            self.broken.get_or_insert_with(|| error.to_string());
        }
        self.size += line.len() as u64;
        if let Some(listener) = &self.listener {
            // Nobody listens any more: the file is what counts.
            let _gone = listener.send(record.clone());
        }
    }
}

/// Cuts a step's output into lines with the offset of each line's end.
#[derive(Debug)]
pub struct StepLines<'a> {
    log: &'a LogFile,
    source: Source,
    offset: u64,
    unfinished: Vec<u8>,
}

impl<'a> StepLines<'a> {
    /// Goes on where the log stopped; [`Self::offset`] says where that is.
    #[must_use]
    pub fn resume(log: &'a LogFile, step: &str) -> Self {
        let source = Source::Step(step.to_owned());
        Self { offset: log.position(&source), log, source, unfinished: Vec::new() }
    }

    /// The byte of the step's output from which it wants more.
    #[must_use]
    pub const fn offset(&self) -> u64 {
        self.offset + self.unfinished.len() as u64
    }

    /// Takes the next piece of output.
    pub fn take(&mut self, piece: &[u8]) {
        for part in piece.split_inclusive(|byte| *byte == b'\n') {
            self.unfinished.extend_from_slice(part);
            if part.ends_with(b"\n") || self.unfinished.len() > LONGEST_LINE {
                self.line();
            }
        }
    }

    /// The step has ended: an unfinished last line is a line too.
    pub fn end(&mut self) {
        if !self.unfinished.is_empty() {
            self.line();
        }
    }

    fn line(&mut self) {
        self.offset += self.unfinished.len() as u64;
        let text = String::from_utf8_lossy(&self.unfinished).trim_end_matches(['\n', '\r']).to_owned();
        self.unfinished.clear();
        self.log.write(Record { at: Timestamp::now(), source: self.source.clone(), position: Some(self.offset), text });
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn texts(path: &Path) -> Vec<String> {
        read(&std::fs::read(path).unwrap()).0.into_iter().map(|record| record.text).collect()
    }

    #[test]
    fn a_killed_writer_loses_and_doubles_nothing() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let output = b"one\ntwo\nthree\nfour";
        let log = LogFile::open(&path, None).unwrap();
        let mut lines = StepLines::resume(&log, "deploy");
        lines.take(&output[..6]); // killed in the middle of `two`
        drop(log);
        OpenOptions::new().append(true).open(&path).unwrap().write_all(b"{\"t\":").unwrap();

        let log = LogFile::open(&path, None).unwrap();
        let mut lines = StepLines::resume(&log, "deploy");
        let from = usize::try_from(lines.offset()).unwrap();
        lines.take(&output[from..]);
        lines.end();
        assert_eq!(texts(&path), ["one", "two", "three", "four"]);
    }

    #[test]
    fn secrets_are_hidden_and_long_lines_cut() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("log.jsonl");
        let log = LogFile::open(&path, None).unwrap();
        log.hide(&SecretString::from("correct-horse".to_owned()));
        log.say("password is correct-horse");
        log.say("é".repeat(LONGEST_LINE));
        let texts = texts(&path);
        assert_eq!(texts[0], "password is •••");
        assert!(texts[1].ends_with("bytes)") && texts[1].len() < LONGEST_LINE + 40);
    }
}
