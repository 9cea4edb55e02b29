//! Reads a run's log in pieces: by byte, by line, or what lies at its two ends. A log may have many megabytes; no more of it is
//! held than what is asked for.

mod index;

use std::fs::File;
use std::io::{self, BufRead as _, BufReader, Read as _, Seek as _, SeekFrom};
use std::path::Path;
use std::sync::Mutex;

use self::index::locked;
pub use self::index::{Index, Indices};
use crate::domain::log::{Record, read};

/// No line of a log is longer: 16 KiB of text, each byte of which JSON may write as six.
const LONGEST_LINE: u64 = 256 << 10;

/// Records from some place on.
#[derive(Debug, Clone, Default)]
pub struct Piece {
    /// The records.
    pub records: Vec<Record>,
    /// The byte behind the last of them: where to go on.
    pub next: u64,
}

/// Whole lines from this byte on, about `most` bytes of them, at least one if there is one. An offset within a line counts as the
/// end of that line; one behind the end gives nothing.
///
/// # Errors
/// What the file system says; a log that is not there yet is empty.
pub fn piece(path: &Path, offset: u64, most: u64) -> io::Result<Piece> {
    let Some(mut file) = opened(path)? else { return Ok(Piece { next: offset, ..Piece::default() }) };
    let offset = aligned(&mut file, offset)?;
    let mut most = most;
    loop {
        file.seek(SeekFrom::Start(offset))?;
        let mut content = Vec::new();
        let read_bytes = file.by_ref().take(most).read_to_end(&mut content)? as u64;
        let (records, whole) = read(&content);
        if whole > 0 || read_bytes < most || most >= LONGEST_LINE {
            return Ok(Piece { records, next: offset + whole as u64 });
        }
        most = LONGEST_LINE;
    }
}

/// Where the first line at or behind this byte begins.
fn aligned(file: &mut File, offset: u64) -> io::Result<u64> {
    let size = file.metadata()?.len();
    if offset == 0 || offset >= size {
        return Ok(offset.min(size));
    }
    file.seek(SeekFrom::Start(offset - 1))?;
    let mut rest = Vec::new();
    let skipped = BufReader::new(file.by_ref().take(LONGEST_LINE)).read_until(b'\n', &mut rest)?;
    Ok(offset - 1 + skipped as u64)
}

/// Lines by number.
#[derive(Debug, Clone, Default)]
pub struct Lines {
    /// The number of the first line, from 1.
    pub first: usize,
    /// The records.
    pub records: Vec<Record>,
    /// Lines in the whole log.
    pub all: usize,
    /// The byte behind the last of these lines.
    pub next: u64,
}

/// Where a page of the log begins.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum From {
    /// With this line, from 1.
    Line(usize),
    /// So that its last line is the log's.
    End,
}

/// Up to `most` lines and about `bytes` bytes.
///
/// # Errors
/// What the file system says; a log that is not there yet is empty.
pub fn lines(path: &Path, index: &Mutex<Index>, from: From, most: usize, bytes: u64) -> io::Result<Lines> {
    let Some(mut file) = opened(path)? else { return Ok(Lines { first: 1, ..Lines::default() }) };
    let mut index = locked(index);
    let all = index.count(&mut file)?;
    let first = match from {
        From::Line(line) => line.clamp(1, all.max(1)),
        From::End => all.saturating_sub(most) + 1,
    };
    let mut piece = piece(path, index.begin(&mut file, first)?, bytes)?;
    if piece.records.len() > most {
        piece.records.truncate(most);
        piece.next = index.begin(&mut file, first + most)?;
    }
    // It may have grown since it was counted.
    let all = all.max(first + piece.records.len() - 1);
    Ok(Lines { first, records: piece.records, all, next: piece.next })
}

/// A log's beginning and its end, each line with its number, and how many lines there are. A small log is whole.
///
/// # Errors
/// What the file system says; a log that is not there is empty.
pub fn ends(path: &Path, index: &Mutex<Index>, most: u64) -> io::Result<(Vec<(usize, Record)>, usize)> {
    let Some(mut file) = opened(path)? else { return Ok((Vec::new(), 0)) };
    let size = file.metadata()?.len();
    let all = locked(index).count(&mut file)?;
    let numbered = |records: Vec<Record>, first: usize| {
        records.into_iter().enumerate().map(move |(at, record)| (first + at, record)).collect::<Vec<_>>()
    };
    if size <= most {
        return Ok((numbered(piece(path, 0, most + 1)?.records, 1), all));
    }
    let mut shown = numbered(piece(path, 0, most / 4)?.records, 1);
    let tail = piece(path, size - most / 4 * 3, most)?.records;
    let first = all - tail.len().min(all) + 1;
    shown.extend(numbered(tail, first));
    Ok((shown, all))
}

fn opened(path: &Path) -> io::Result<Option<File>> {
    match File::open(path) {
        Ok(file) => Ok(Some(file)),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}

#[cfg(test)]
mod tests {
    use jiff::Timestamp;

    use super::*;
    use crate::domain::log::Source;

    fn log(lines: usize) -> tempfile::NamedTempFile {
        let file = tempfile::NamedTempFile::new().unwrap();
        let mut content = Vec::new();
        for line in 1..=lines {
            let text = format!("line {line}");
            let record = Record { at: Timestamp::UNIX_EPOCH, source: Source::Gate, position: None, text };
            serde_json::to_writer(&mut content, &record).unwrap();
            content.push(b'\n');
        }
        std::fs::write(file.path(), content).unwrap();
        file
    }

    fn texts(records: &[Record]) -> Vec<&str> {
        records.iter().map(|record| record.text.as_str()).collect()
    }

    #[test]
    fn pieces_follow_each_other_without_gap_or_double() {
        let file = log(100);
        let (mut offset, mut seen) = (0, Vec::new());
        loop {
            let piece = piece(file.path(), offset, 150).unwrap();
            if piece.records.is_empty() {
                break;
            }
            seen.extend(piece.records.iter().map(|record| record.text.clone()));
            offset = piece.next;
        }
        assert_eq!(seen, (1..=100).map(|line| format!("line {line}")).collect::<Vec<_>>());
        assert_eq!(piece(file.path(), 1 << 40, 100).unwrap().next, offset);
        assert_eq!(texts(&piece(file.path(), 3, 60).unwrap().records)[0], "line 2");
        assert!(piece(Path::new("/nonexistent/log"), 7, 60).unwrap().records.is_empty());
    }

    #[test]
    fn a_line_longer_than_the_piece_is_read_whole() {
        let file = log(1);
        assert_eq!(texts(&piece(file.path(), 0, 5).unwrap().records), ["line 1"]);
    }

    #[test]
    fn a_line_that_is_being_written_is_left_for_later() {
        let file = log(2);
        let whole = std::fs::read(file.path()).unwrap();
        std::fs::write(file.path(), &whole[..whole.len() - 4]).unwrap();
        let first = piece(file.path(), 0, 1_000).unwrap();
        assert_eq!(texts(&first.records), ["line 1"]);
        assert!(piece(file.path(), first.next, 1_000).unwrap().records.is_empty());
        std::fs::write(file.path(), &whole).unwrap();
        assert_eq!(texts(&piece(file.path(), first.next, 1_000).unwrap().records), ["line 2"]);
    }

    #[test]
    fn lines_are_found_by_number_and_from_the_end() {
        let file = log(100);
        let page = lines(file.path(), &Mutex::default(), From::Line(41), 3, 10_000).unwrap();
        assert_eq!((page.first, page.all, texts(&page.records)), (41, 100, vec!["line 41", "line 42", "line 43"]));
        assert_eq!(texts(&piece(file.path(), page.next, 60).unwrap().records)[0], "line 44");
        let last = lines(file.path(), &Mutex::default(), From::End, 2, 10_000).unwrap();
        assert_eq!((last.first, texts(&last.records)), (99, vec!["line 99", "line 100"]));
        assert_eq!(lines(file.path(), &Mutex::default(), From::Line(1), 500, 10_000).unwrap().records.len(), 100);
        assert_eq!(lines(file.path(), &Mutex::default(), From::End, 500, 10_000).unwrap().first, 1);
    }

    #[test]
    fn of_a_large_log_both_ends_are_read_with_their_numbers() {
        let file = log(1_000);
        let (shown, all) = ends(file.path(), &Mutex::default(), 4_000).unwrap();
        assert_eq!(all, 1_000);
        assert!(shown.iter().all(|(number, record)| record.text == format!("line {number}")), "{shown:?}");
        assert_eq!((shown.first().unwrap().0, shown.last().unwrap().0), (1, 1_000));
        assert!(shown.len() < 100);
        assert_eq!(ends(file.path(), &Mutex::default(), 1 << 20).unwrap().0.len(), 1_000);
    }
}
