//! Random inputs: pieces of a grammar, and mutations of real texts.

/// splitmix64: the same on every machine and with every version of every crate.
pub(crate) struct Random(u64);

/// Characters that mean something to one of the readers, and some that nobody expects.
const PIECES: [&str; 52] = [
    "\"",
    "'",
    "`",
    "#",
    "$",
    "${",
    "}",
    "{",
    "[",
    "]",
    ":",
    ": ",
    "- ",
    "=",
    "==",
    "\\",
    "\\\"",
    "\n",
    "\r\n",
    "\n\n",
    "\t",
    " ",
    "  ",
    "\0",
    "\u{feff}",
    "\u{202e}",
    "\u{1b}[31m",
    "é",
    "日本",
    "😀",
    "\u{0301}",
    "&a ",
    "*a",
    "<<: *a\n",
    "!!binary ",
    "!!str ",
    "|\n  ",
    ">-\n  ",
    "---\n",
    "...\n",
    "%YAML 1.2\n",
    "? ",
    "~",
    "null",
    "-1",
    "99999999999999999999",
    "1e999",
    "0x1F",
    "yes",
    "true",
    "../",
    "18446744073709551616",
];

impl Random {
    pub(crate) const fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    pub(crate) fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94d0_49bb_1331_11eb);
        mixed ^ (mixed >> 31)
    }

    /// From 0 to `end`, without it.
    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % (end.max(1) as u64)).unwrap()
    }

    pub(crate) fn one_in(&mut self, many: usize) -> bool {
        self.below(many) == 0
    }

    pub(crate) fn pick<'a, T: ?Sized>(&mut self, all: &[&'a T]) -> &'a T {
        all[self.below(all.len())]
    }

    /// A few characters, mostly letters.
    pub(crate) fn word(&mut self) -> String {
        (0..1 + self.below(8)).map(|_| char::from(b"abcdefghijklmnopqrstuvwxyz0123456789-_."[self.below(39)])).collect()
    }

    /// One of these texts, a little wrong.
    pub(crate) fn mutated(&mut self, texts: &[&str]) -> Vec<u8> {
        let mut text = self.pick(texts).as_bytes().to_vec();
        for _ in 0..self.below(6) {
            self.mutate(&mut text, texts);
        }
        text
    }

    fn mutate(&mut self, text: &mut Vec<u8>, texts: &[&str]) {
        let (from, length) = (self.below(text.len() + 1), self.below(40));
        let to = (from + length).min(text.len());
        match self.below(10) {
            0 => drop(text.drain(from..to)),
            1 => text.truncate(from),
            2 => {
                let piece = text[from..to].to_vec();
                let times = if self.one_in(50) { 500 } else { 1 + self.below(4) };
                text.splice(from..from, piece.repeat(times));
            }
            3 => drop(text.splice(from..to, self.word().into_bytes())),
            4 => {
                let other = self.pick(texts).as_bytes();
                let at = self.below(other.len() + 1);
                text.splice(from.., other[at..].iter().copied());
            }
            5 => {
                // A line of its own, somewhere else: other keys under other parents.
                let lines: Vec<&[u8]> = text.split_inclusive(|byte| *byte == b'\n').collect();
                let line = lines[self.below(lines.len().max(1)).min(lines.len().saturating_sub(1))..].first();
                let line = line.map(|line| line.to_vec()).unwrap_or_default();
                let begin = text[..from].iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
                text.splice(begin..begin, line);
            }
            6 if !text.is_empty() => {
                let at = self.below(text.len());
                text[at] = u8::try_from(self.below(256)).unwrap();
            }
            7 if self.one_in(20) => drop(text.splice(from..from, "long ".repeat(self.below(4_000)).into_bytes())),
            _ => drop(text.splice(from..from, self.pick(&PIECES).bytes())),
        }
    }
}
