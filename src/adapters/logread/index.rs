//! How many lines stand before some places of a log: with that a page reads about a megabyte of it, however long it is.

use std::collections::BTreeMap;
use std::fs::File;
use std::io::{self, Read as _, Seek as _, SeekFrom};
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use memchr::memchr_iter;

/// Bytes from one mark to the next.
#[cfg(not(test))]
const STEP: u64 = 1 << 20;
#[cfg(test)]
const STEP: u64 = 256;
/// Logs of which marks are kept. Those of a log of 100 MB take a kilobyte.
const KEPT: usize = 256;

/// The marks of the logs that were read last.
#[derive(Debug, Default)]
pub struct Indices(Mutex<BTreeMap<PathBuf, Arc<Mutex<Index>>>>);

impl Indices {
    /// The marks of this log, made as far as it is read.
    #[must_use]
    pub fn of(&self, path: &Path) -> Arc<Mutex<Index>> {
        let mut all = locked(&self.0);
        if let Some(index) = all.get(path) {
            return Arc::clone(index);
        }
        while all.len() >= KEPT {
            // One that is needed again is made again.
            all.pop_first();
        }
        Arc::clone(all.entry(path.to_owned()).or_default())
    }
}

/// The marks of one log: it only grows.
#[derive(Debug, Default)]
pub struct Index {
    /// Lines that end before byte `STEP`, 2 × `STEP`, …
    marks: Vec<usize>,
}

impl Index {
    /// How many lines the log has. New marks are set on the way.
    pub(super) fn count(&mut self, file: &mut File) -> io::Result<usize> {
        let size = file.metadata()?.len();
        if size < self.last().0 {
            // Another one has taken its place.
            self.marks.clear();
        }
        loop {
            let (offset, lines) = self.last();
            let step = step(file, offset)?;
            let counted = lines + memchr_iter(b'\n', &step).count();
            if (step.len() as u64) < STEP {
                return Ok(counted);
            }
            self.marks.push(counted);
        }
    }

    /// The byte with which the line of this number, from 1, begins; the last has the number `count` + 1 and is not whole yet.
    pub(super) fn begin(&self, file: &mut File, line: usize) -> io::Result<u64> {
        let Some(before) = line.checked_sub(1).filter(|before| *before > 0) else { return Ok(0) };
        // The place that is looked for is behind the line end with this number.
        let mark = self.marks.partition_point(|lines| *lines < before);
        let (offset, lines) = self.mark(mark);
        let step = step(file, offset)?;
        let at = memchr_iter(b'\n', &step).nth(before - lines - 1).map_or(step.len(), |at| at + 1);
        Ok(offset + at as u64)
    }

    fn last(&self) -> (u64, usize) {
        self.mark(self.marks.len())
    }

    /// Byte and lines of the mark with this number; the first is the log's beginning.
    fn mark(&self, number: usize) -> (u64, usize) {
        let lines = number.checked_sub(1).and_then(|before| self.marks.get(before)).copied().unwrap_or_default();
        (STEP * number as u64, lines)
    }
}

/// The bytes from one mark to the next; fewer at the log's end.
fn step(file: &mut File, offset: u64) -> io::Result<Vec<u8>> {
    file.seek(SeekFrom::Start(offset))?;
    let mut content = Vec::new();
    file.take(STEP).read_to_end(&mut content)?;
    Ok(content)
}

/// What it holds is right after a panic, too.
pub(super) fn locked<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests {
    use std::io::Write as _;

    use proptest::prelude::*;

    use super::*;

    fn file(content: &[u8]) -> File {
        let mut file = tempfile::tempfile().unwrap();
        file.write_all(content).unwrap();
        file
    }

    /// Where lines begin, the plain way.
    fn begins(content: &[u8]) -> Vec<u64> {
        let ends = content.iter().enumerate().filter(|(_, byte)| **byte == b'\n').map(|(at, _)| at as u64 + 1);
        [0].into_iter().chain(ends).collect()
    }

    proptest! {
        #[test]
        fn lines_are_where_a_plain_count_finds_them(
            pieces in prop::collection::vec(prop::collection::vec(prop_oneof![Just(b'\n'), Just(b'a'), Just(b'b')], 0..700), 1..5)
        ) {
            let mut log = file(b"");
            let (mut index, mut content) = (Index::default(), Vec::new());
            for piece in pieces {
                log.seek(SeekFrom::End(0)).unwrap();
                log.write_all(&piece).unwrap();
                content.extend(piece);
                let begins = begins(&content);
                let all = index.count(&mut log).unwrap();
                prop_assert_eq!(all, begins.len() - 1);
                for line in 1..=all + 1 {
                    let wanted = begins[line - 1];
                    prop_assert_eq!(index.begin(&mut log, line).unwrap(), wanted, "line {} of {}", line, all);
                }
            }
        }
    }

    #[test]
    fn a_log_that_was_replaced_is_counted_anew() {
        let mut index = Index::default();
        assert_eq!(index.count(&mut file(&b"a\n".repeat(1_000))).unwrap(), 1_000);
        assert_eq!(index.count(&mut file(b"a\nb\n")).unwrap(), 2);
    }

    #[test]
    fn no_more_than_some_are_kept() {
        let all = Indices::default();
        for number in 0..2 * KEPT {
            let _index = all.of(Path::new(&format!("{number}")));
        }
        assert_eq!(locked(&all.0).len(), KEPT);
    }
}
