//! Numbers as people say them, and outside text made fit for a sentence.

use jiff::Timestamp;

/// A length of time as people say it: `35 ms`, `0.4 s`, `52 s`, `3 min 5 s`, `1 h 2 min`.
#[must_use]
pub fn duration(ms: u64) -> String {
    let tenths = ms.saturating_add(50) / 100;
    let seconds = ms.saturating_add(500) / 1000;
    match seconds {
        _ if ms < 100 => format!("{ms} ms"),
        _ if tenths < 100 => format!("{}.{} s", tenths / 10, tenths % 10),
        0..60 => format!("{seconds} s"),
        60..3600 if seconds.is_multiple_of(60) => format!("{} min", seconds / 60),
        60..3600 => format!("{} min {} s", seconds / 60, seconds % 60),
        _ => format!("{} h {} min", seconds / 3600, seconds % 3600 / 60),
    }
}

/// A number of bytes as people say it: `512 B`, `38 MB`, `1.2 GB`; powers of ten.
#[must_use]
pub fn size(bytes: u64) -> String {
    let in_tenths = |unit: u64| bytes.saturating_add(unit / 20) / (unit / 10);
    for (unit, name) in [(1_000, "kB"), (1_000_000, "MB"), (1_000_000_000, "GB"), (1_000_000_000_000, "TB")] {
        match in_tenths(unit) {
            0..10 if unit == 1_000 => return format!("{bytes} B"),
            tenths @ 0..100 => return format!("{}.{} {name}", tenths / 10, tenths % 10),
            tenths if tenths < 9_995 => return format!("{} {name}", (tenths + 5) / 10),
            _ => {}
        }
    }
    format!("{} TB", bytes / 1_000_000_000_000)
}

/// Milliseconds from one instant to another; 0 when the other is earlier.
#[must_use]
pub fn ms_between(from: Timestamp, to: Timestamp) -> u64 {
    u64::try_from(to.duration_since(from).as_millis()).unwrap_or(0)
}

/// `1 service`, `2 services`.
#[must_use]
pub fn count(n: usize, one: &str, many: &str) -> String {
    if n == 1 { format!("1 {one}") } else { format!("{n} {many}") }
}

/// Outside text made fit for a sentence: one line, no control or direction-changing characters, at most `most` characters.
#[must_use]
pub fn one_line(text: &str, most: usize) -> String {
    let plain: String =
        text.chars().take(most.saturating_mul(8)).map(|c| if c.is_control() { ' ' } else { c }).collect();
    let words = plain.split_whitespace().collect::<Vec<_>>().join(" ");
    let mut visible = words.chars().filter(|c| !turns_text(*c));
    let mut line: String = visible.by_ref().take(most).collect();
    if visible.next().is_some() {
        line.pop();
        line.push('…');
    }
    line
}

/// The last line that is not empty, made fit for a sentence like [`one_line`].
#[must_use]
pub fn last_line(text: &str, most: usize) -> Option<String> {
    text.lines().rev().map(|line| one_line(line, most)).find(|line| !line.is_empty())
}

/// Whether a character changes the direction of the text around it, which can make a line read as something else.
#[must_use]
pub const fn turns_text(c: char) -> bool {
    matches!(c, '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn durations_read_as_people_say_them() {
        let said = [35, 449, 9_940, 9_990, 59_400, 60_000, 185_000, 3_725_000].map(duration);
        assert_eq!(said, ["35 ms", "0.4 s", "9.9 s", "10 s", "59 s", "1 min", "3 min 5 s", "1 h 2 min"]);
    }

    #[test]
    fn sizes_read_as_people_say_them() {
        let said = [0, 949, 999, 1_040, 38_400_000, 999_600_000, 1_250_000_000, 12_000_000_000_000_000].map(size);
        assert_eq!(said, ["0 B", "949 B", "1.0 kB", "1.0 kB", "38 MB", "1.0 GB", "1.3 GB", "12000 TB"]);
    }

    #[test]
    fn outside_text_cannot_break_a_sentence() {
        assert_eq!(one_line("a\r\n\tb\u{202e}c \u{1b}[31m", 40), "a bc [31m");
        assert_eq!(one_line("Grüße", 4), "Grü…");
    }
}
