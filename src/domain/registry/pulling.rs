//! How far a pull is, from the messages that an engine streams while it pulls.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::domain::convergence::Rules;

/// Layers that are followed; Docker itself allows 127 to an image.
const LAYERS: usize = 512;
/// Nothing that an engine says is taken for more than this: 1 TiB.
const MOST: u64 = 1 << 40;
/// A layer's id is not longer.
const LONGEST_ID: usize = 80;

/// One message of a pull.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Message<'a> {
    /// The layer it is about, if it is about one.
    pub layer: Option<&'a str>,
    /// What is done, e.g. `Downloading`.
    pub status: &'a str,
    /// So many bytes of it are done.
    pub current: Option<i64>,
    /// Of so many.
    pub total: Option<i64>,
}

/// A pull so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Pulling {
    layers: BTreeMap<String, Layer>,
    digest: Option<String>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
struct Layer {
    downloaded: u64,
    size: u64,
    extracted: u64,
    /// How far it is: 1 begun, 2 downloaded, 3 unpacked or there before.
    step: u8,
}

impl Pulling {
    /// Takes a message in. Says whether it is progress: bytes came or were unpacked, or a layer got further. Waiting and trying again are
    /// none, however often that is told.
    pub fn take(&mut self, message: Message<'_>) -> bool {
        if let Some(digest) = message.status.strip_prefix("Digest: ") {
            self.digest = is_digest(digest).then(|| digest.to_owned());
            return true;
        }
        let Some(id) = message.layer.filter(|id| id.len() <= LONGEST_ID) else { return false };
        if self.layers.len() >= LAYERS && !self.layers.contains_key(id) {
            return false;
        }
        let layer = self.layers.entry(id.to_owned()).or_default();
        let before = *layer;
        layer.take(message);
        *layer != before
    }

    /// Bytes that came over the network.
    #[must_use]
    pub fn downloaded(&self) -> u64 {
        self.layers.values().map(|layer| layer.downloaded).sum()
    }

    /// The bytes of all layers whose size is known so far.
    #[must_use]
    pub fn size(&self) -> u64 {
        self.layers.values().map(|layer| layer.size).sum()
    }

    /// The digest that was pulled, once the engine has said it.
    #[must_use]
    pub fn digest(&self) -> Option<&str> {
        self.digest.as_deref()
    }
}

impl Layer {
    fn take(&mut self, message: Message<'_>) {
        let bytes = |value: Option<i64>| value.and_then(|value| u64::try_from(value).ok()).unwrap_or(0).min(MOST);
        match message.status {
            "Downloading" => {
                self.downloaded = self.downloaded.max(bytes(message.current));
                self.size = self.size.max(bytes(message.total)).max(self.downloaded);
                self.step = self.step.max(1);
            }
            "Verifying Checksum" | "Download complete" => {
                self.downloaded = self.downloaded.max(self.size);
                self.step = self.step.max(2);
            }
            "Extracting" => {
                self.extracted = self.extracted.max(bytes(message.current));
                self.step = self.step.max(2);
            }
            "Pull complete" | "Already exists" => self.step = 3,
            _ => {}
        }
    }
}

/// What it means that a pull has not moved for a while.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Quiet {
    /// Nothing: it moves.
    Moves,
    /// A person should know.
    Warn,
    /// It will not end.
    Stalled,
}

/// The no-progress clock of a pull, the same that a deploy has. However slow it is: a pull that moves is not quiet.
#[must_use]
pub fn quiet(still: Duration, rules: &Rules) -> Quiet {
    if rules.fail_fast && still >= rules.stalled_after {
        Quiet::Stalled
    } else if still >= rules.warn_after {
        Quiet::Warn
    } else {
        Quiet::Moves
    }
}

/// `sha256:` and 64 hexadecimal digits, or the like of another algorithm.
fn is_digest(text: &str) -> bool {
    let hex = |digits: &str| (32..=128).contains(&digits.len()) && digits.bytes().all(|b| b.is_ascii_hexdigit());
    text.split_once(':').is_some_and(|(algorithm, digits)| algorithm.len() <= 20 && hex(digits))
}
