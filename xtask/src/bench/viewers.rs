//! Many people who watch one log as it grows.

use std::io::{ErrorKind, Read as _};
use std::net::TcpStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use crate::serving::Serving;

/// Between two rounds over all connections.
const PAUSE: Duration = Duration::from_millis(20);

/// Viewers that are connected and read what comes.
pub(super) struct Viewers {
    end: Arc<AtomicBool>,
    reader: JoinHandle<Result<Vec<Viewer>>>,
}

struct Viewer {
    stream: TcpStream,
    /// How often lines came.
    times: usize,
}

impl Viewers {
    /// Connects so many.
    pub(super) fn connect(gate: &Serving, run: u64, count: usize) -> Result<Self> {
        let path = format!("/runs/{run}/live");
        let connect = |number| {
            let stream = gate.ask(&path).with_context(|| format!("viewer {number} cannot connect"))?;
            stream.set_nonblocking(true)?;
            Ok(Viewer { stream, times: 0 })
        };
        let mut viewers = (1..=count).map(connect).collect::<Result<Vec<_>>>()?;
        let end = Arc::new(AtomicBool::new(false));
        let ends = Arc::clone(&end);
        let reader = thread::spawn(move || {
            let mut buffer = vec![0; 64 << 10];
            while !ends.load(Ordering::Relaxed) {
                viewers.iter_mut().try_for_each(|viewer| viewer.read(&mut buffer))?;
                thread::sleep(PAUSE);
            }
            Ok(viewers)
        });
        Ok(Self { end, reader })
    }

    /// Disconnects them. Returns how often lines came to the one to whom they came least.
    pub(super) fn disconnect(self) -> Result<usize> {
        self.end.store(true, Ordering::Relaxed);
        let viewers = self.reader.join().map_err(|_| anyhow!("the viewers' thread panicked"))??;
        Ok(viewers.iter().map(|viewer| viewer.times).min().unwrap_or(0))
    }
}

impl Viewer {
    fn read(&mut self, buffer: &mut [u8]) -> Result<()> {
        loop {
            match self.stream.read(buffer) {
                Ok(0) => bail!("the gate ended a viewer's connection"),
                Ok(length) => self.times += lines_in(&buffer[..length]),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) => return Err(error).context("a viewer lost its connection"),
            }
        }
    }
}

fn lines_in(bytes: &[u8]) -> usize {
    const EVENT: &[u8] = b"event: lines\n";
    bytes.windows(EVENT.len()).filter(|window| *window == EVENT).count()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn events_with_lines_are_counted() {
        let bytes = b"event: stage\ndata: {}\n\nevent: lines\nid: 7\ndata: []\n\nevent: lines\nid: 9\ndata: []\n\n";
        assert_eq!(lines_in(bytes), 2);
    }
}
