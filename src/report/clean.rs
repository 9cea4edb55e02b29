//! Outside text made harmless: no escape sequences, no control characters, no turned directions, bounded.

use crate::domain::results::turns_text;

/// A line longer than this many characters is shortened, and says so.
pub(super) const LINE: usize = 1_000;
/// No more bytes than this of one line are looked at.
const LOOKED_AT: usize = 16 * 1024;

/// One line as a person may read it. Of text that overwrites itself by carriage returns, the last state is kept;
/// characters that turn the direction of text are shown by their number.
#[must_use]
pub fn line(text: &str) -> String {
    let looked_at = &text[..text.floor_char_boundary(LOOKED_AT)];
    let spaced = looked_at.replace('\t', "    ");
    let last = spaced.trim_end_matches(['\r', '\n']).rsplit('\r').next().unwrap_or_default();
    let stripped = strip_ansi_escapes::strip_str(last);
    let mut clean = String::with_capacity(stripped.len().min(LINE));
    for c in stripped.chars().take(LINE) {
        match c {
            c if turns_text(c) => clean.push_str(&format!("‹U+{:04X}›", u32::from(c))),
            '\n' => clean.push(' '),
            c if c.is_control() => {}
            c => clean.push(c),
        }
    }
    let left_out = stripped.chars().count().saturating_sub(LINE) + (text.len() - looked_at.len());
    if left_out > 0 {
        clean.push_str(&format!(" … (about {left_out} more characters)"));
    }
    clean
}

/// At most `most` lines of a longer text, the last ones; the second value is how many were left out before them.
pub(super) fn lines(text: &str, most: usize) -> (Vec<String>, usize) {
    let left_out = text.lines().count().saturating_sub(most);
    (text.lines().skip(left_out).map(line).collect(), left_out)
}

/// A whole page without any control character or turned direction that slipped in by a name or number.
#[must_use]
pub fn page(mut page: String) -> String {
    page.retain(|c| c == '\n' || !(c.is_control() || turns_text(c)));
    page
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escape_sequences_and_control_characters_go() {
        assert_eq!(line("\u{1b}[31mred\u{1b}[0m\u{7}\u{8} \u{1b}]0;title\u{7}end"), "red end");
        assert_eq!(line("a\tb"), "a    b");
        assert_eq!(line("10 %\r50 %\r100 %\r"), "100 %");
    }

    #[test]
    fn turned_text_is_shown_as_what_it_is() {
        assert_eq!(line("safe\u{202e}gpj.exe"), "safe‹U+202E›gpj.exe");
        assert_eq!(line("שלום"), "שלום");
    }

    #[test]
    fn a_long_line_is_shortened_and_says_so() {
        let long = line(&"é".repeat(500_000));
        assert!(long.chars().count() < LINE + 50);
        assert!(long.ends_with(" more characters)"));
    }

    #[test]
    fn of_a_long_text_the_end_is_kept() {
        assert_eq!(lines("a\nb\nc", 2), (vec!["b".to_owned(), "c".to_owned()], 1));
    }
}
