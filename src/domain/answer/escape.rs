//! Outside text made harmless for a comment: titles, branches, log lines, page titles, tags and names of accounts come
//! through here. It is read as Markdown, turned into HTML, and searched for mentions and references (also where Markdown shows
//! none), so all three are taken from it, and escape sequences, control characters and turned directions as well.

use crate::domain::results::{one_line, turns_text};

/// No more bytes than this of one piece are looked at.
const LOOKED_AT: usize = 16 << 10;
/// Keeps `@ada` and `#12` from calling anybody: no forge takes a name or number to begin with it, and nobody sees it.
const APART: char = '\u{200b}';

/// One line of at most `most` characters, without escape sequences, control characters and turned directions: for media that
/// know no markup.
pub(super) fn plain(text: &str, most: usize) -> String {
    let looked_at = &text[..text.floor_char_boundary(LOOKED_AT)];
    let spaced = looked_at.replace(['\t', '\r', '\n'], " ").replace(turns_text, "");
    one_line(&strip_ansi_escapes::strip_str(spaced), most)
}

/// For the running text of a paragraph, heading or list.
pub(super) fn text(outside: &str, most: usize) -> String {
    escaped(&plain(outside, most))
}

fn escaped(plain: &str) -> String {
    let mut safe = String::with_capacity(plain.len() + 16);
    let mut before = ' ';
    for (at, c) in plain.char_indices() {
        match c {
            '&' => safe.push_str("&amp;"),
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '@' | '#' | '!' => safe.extend([c, APART]),
            '\\' | '`' | '*' | '_' | '[' | ']' | '|' | '~' | '$' | '^' => safe.extend(['\\', c]),
            // At the beginning these would make a list, a rule or a heading.
            '-' | '+' | '=' if at == 0 => safe.extend(['\\', c]),
            '.' | ')' if at > 0 && plain[..at].bytes().all(|byte| byte.is_ascii_digit()) => safe.extend(['\\', c]),
            // Addresses become links by themselves.
            '/' if before == ':' => safe.extend([APART, c]),
            '.' if plain[..at].to_ascii_lowercase().ends_with("www") => safe.extend([APART, c]),
            c => safe.push(c),
        }
        before = c;
    }
    safe
}

/// Within backticks. An empty text gives nothing.
pub(super) fn code(outside: &str, most: usize) -> String {
    let plain = plain(outside, most);
    if plain.is_empty() {
        return plain;
    }
    let longest = plain.split(|c| c != '`').map(str::len).max().unwrap_or(0);
    let ticks = "`".repeat(longest + 1);
    let space = if longest > 0 { " " } else { "" };
    format!("{ticks}{space}{plain}{space}{ticks}")
}

/// A sentence of ours with outside text in it: what stands between backticks is shown as code, all else as text.
pub(super) fn sentence(said: &str, most: usize) -> String {
    let plain = plain(said, most);
    let parts: Vec<_> = plain.split('`').collect();
    let mut safe = String::with_capacity(plain.len() + 16);
    for (n, part) in parts.iter().enumerate() {
        let closed = n % 2 == 1 && n + 1 < parts.len();
        match (closed, part.trim().is_empty()) {
            (true, false) => safe.push_str(&format!("`{}`", part.trim())),
            (false, _) if n % 2 == 1 => safe.push_str(&format!("\\`{}", escaped(part))),
            (false, _) => safe.push_str(&escaped(part)),
            (true, true) => safe.push_str("\\`\\`"),
        }
    }
    safe
}

/// The last `most` lines as a block of code, each at most `width` characters long.
pub(super) fn block(outside: &str, most: usize, width: usize) -> String {
    let end = &outside[outside.ceil_char_boundary(outside.len().saturating_sub(LOOKED_AT))..];
    let lines: Vec<_> = end.lines().map(|line| plain(line, width)).filter(|line| !line.is_empty()).collect();
    let lines = &lines[lines.len().saturating_sub(most)..];
    let longest = lines.iter().flat_map(|line| line.split(|c| c != '`')).map(str::len).max().unwrap_or(0);
    let fence = "`".repeat(longest.max(2) + 1);
    format!("{fence}text\n{}\n{fence}\n", lines.join("\n"))
}

/// A link with a text of ours. An address that is none, or that could end the link, is left out.
pub(super) fn link(text: &str, url: &str) -> String {
    let allowed = |byte: u8| byte.is_ascii_alphanumeric() || b"-._~:/?#@!$*+,;=%".contains(&byte);
    let web = url.starts_with("https://") || url.starts_with("http://");
    if web && url.len() <= 500 && url.bytes().all(allowed) { format!("[{text}]({url})") } else { text.to_owned() }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use pulldown_cmark::{Event, Options, Parser, Tag};

    use super::*;

    /// What a reader sees, and whether anything but words, code and list items came of it.
    fn rendered(markdown: &str) -> (String, bool) {
        let mut seen = String::new();
        let mut other = false;
        // Typographic quotes and dashes are no markup, and would only blur the comparison.
        for event in Parser::new_ext(markdown, Options::all() - Options::ENABLE_SMART_PUNCTUATION) {
            let harmless = matches!(event, Event::Start(Tag::Paragraph) | Event::End(_) | Event::SoftBreak);
            if let Event::Text(text) | Event::Code(text) = event {
                seen.push_str(&text);
            } else {
                other |= !harmless;
            }
        }
        (seen, other)
    }

    #[test]
    fn s45_markup_html_and_mentions_are_words() {
        let hostile = [
            "<script>alert(1)</script>",
            "&lt;b&gt; &copy;",
            "**bold** _it_ ~~no~~ `code` ``",
            "[a](https://evil.example) ![i](x) [b][c] [^1]",
            "# big",
            "- list",
            "1. list",
            "12) list",
            "> quote",
            "--- ",
            "===",
            "| a | b |",
            "$x$ $$y$$",
            "\\<b>",
            "@ada @org/team (@ada) fixes #12, closes !7, org/repo#1 org/repo@9f31c0e2",
            "https://evil.example www.evil.example WWW.evil.example ada@evil.example",
            "$(touch /x);--upload-pack",
        ];
        for outside in hostile {
            let (seen, other) = rendered(&text(outside, 400));
            assert!(!other, "{outside:?} renders as more than text: {:?}", text(outside, 400));
            assert_eq!(seen.replace(APART, ""), outside.trim(), "{outside:?}");
            for call in ["@ada", "@org", "#12", "!7", "#1", "://", "www.", "WWW.", "@evil", "@9f"] {
                assert!(!seen.contains(call), "{outside:?} calls {call}");
            }
        }
    }

    #[test]
    fn s45_escape_sequences_and_turned_text_go() {
        let log = "\u{1b}[31mred\u{1b}[0m\u{1b}]8;;http://x\u{7}y\u{202e}z\u{0} \u{9b}1m a\rb\tc";
        assert_eq!(plain(log, 80), "redyz 1m a b c");
        assert_eq!(code("a\nb", 80), "`a b`");
        assert_eq!(code("", 80), "");
        assert_eq!(code("a``b`", 80), "``` a``b` ```");
    }

    #[test]
    fn a_sentence_keeps_its_code_and_nothing_else() {
        assert_eq!(sentence("`app` exits: `<b> @ada`", 80), "`app` exits: `<b> @ada`");
        assert_eq!(sentence("`app` says `a `b", 80), "`app` says `a`b");
        assert_eq!(sentence("`` *x* ` @ada", 80), format!("\\`\\` \\*x\\* \\` @{APART}ada"));
    }

    #[test]
    fn a_block_shows_the_end_and_cannot_be_left() {
        let said = block("a\n\u{1b}[31mb\u{1b}[0m\n````\n<!-- x -->\n", 3, 20);
        assert_eq!(said, "`````text\nb\n````\n<!-- x -->\n`````\n");
    }

    #[test]
    fn a_link_cannot_be_left() {
        assert_eq!(link("run 1", "https://ci.example.org/runs/1#L8"), "[run 1](https://ci.example.org/runs/1#L8)");
        for bad in ["javascript:alert(1)", "https://x/) <b>", "https://x/`", "/runs/1", "https://x y"] {
            assert_eq!(link("run 1", bad), "run 1");
        }
    }

    proptest! {
        #[test]
        fn s45_whatever_comes_is_words(outside in "[ -~\u{1b}\u{202e}é\n]{0,60}") {
            for (markdown, shown) in [(text(&outside, 400), true), (sentence(&outside, 400), false)] {
                let (seen, other) = rendered(&markdown);
                prop_assert!(!other, "{:?} → {:?}", outside, markdown);
                if shown {
                    prop_assert_eq!(seen.replace(APART, ""), plain(&outside, 400));
                }
            }
            let markdown = code(&outside, 400);
            prop_assert_eq!(rendered(&markdown), (plain(&outside, 400), false));
            prop_assert!(text(&outside, 10).replace(APART, "").len() <= 60);
        }
    }
}
