//! What the gate executes in the runner container: hand in a step, or find it there, and follow it to its end.

use std::fs::{self, File};
use std::io::{self, Read as _, Seek as _, SeekFrom, Write as _};
use std::path::Path;
use std::thread::sleep;
use std::time::Duration;

use anyhow::Context as _;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use super::{folder, write_whole};
use crate::domain::protocol::{LARGEST_REQUEST, Step};

const GLANCE: Duration = Duration::from_millis(20);

/// Reads a step from standard input, hands it to PID 1 unless it is there already, and copies its output from byte
/// `offset` on to standard output. Its end goes as one line of JSON to standard error.
///
/// # Errors
/// When the request is not a step, or the folder cannot be used.
pub fn step(offset: u64) -> anyhow::Result<()> {
    let mut text = String::new();
    io::stdin().lock().take(LARGEST_REQUEST).read_line_into(&mut text)?;
    let step: Step = serde_json::from_str(&text).context("the request is not a step")?;
    let place = folder(&step.name);
    let request = place.join("request.json");
    if !request.exists() {
        fs::create_dir_all(&place)?;
        write_whole(&request, &step)?;
        kill(Pid::from_raw(1), Signal::SIGUSR1).context("cannot wake the runner")?;
    }
    follow(&place, offset)
}

/// One line is one request: standard input may stay open behind it.
trait ReadLine {
    fn read_line_into(self, text: &mut String) -> io::Result<usize>;
}

impl<R: io::Read> ReadLine for io::Take<R> {
    fn read_line_into(self, text: &mut String) -> io::Result<usize> {
        io::BufRead::read_line(&mut io::BufReader::new(self), text)
    }
}

fn follow(place: &Path, offset: u64) -> anyhow::Result<()> {
    let (mut output, end) = (None, place.join("exit.json"));
    loop {
        let ended = end.exists();
        if output.is_none() {
            output = open(&place.join("output"), offset)?;
        }
        if let Some(file) = &mut output {
            io::copy(file, &mut io::stdout().lock())?;
            io::stdout().flush()?;
        }
        if ended {
            io::stderr().write_all(&fs::read(&end)?)?;
            return Ok(());
        }
        sleep(GLANCE);
    }
}

fn open(output: &Path, offset: u64) -> io::Result<Option<File>> {
    match File::open(output) {
        Ok(mut file) => {
            file.seek(SeekFrom::Start(offset))?;
            Ok(Some(file))
        }
        Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
        Err(error) => Err(error),
    }
}
