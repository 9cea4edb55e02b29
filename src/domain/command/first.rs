//! The first line that somebody wrote themselves, found on the Markdown tree.

use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::WORD;

/// No more bytes than this of a comment are looked at; forges take a megabyte.
const LONGEST: usize = 64 << 10;

/// The first line of the first paragraph, as it was typed. Quotes, code blocks and hidden HTML comments before it are passed
/// over; anything else before it (a list, a heading with `#`, HTML that shows) means that the comment does not begin with a
/// paragraph. What is typed is returned, so a `\!`, an entity or emphasis stays what it is and matches no command.
pub(super) fn line(comment: &str) -> Option<&str> {
    let comment = &comment[..comment.floor_char_boundary(LONGEST)];
    if !comment.contains(WORD) {
        return None;
    }
    let mut events = Parser::new(comment).into_offset_iter();
    loop {
        let (event, range) = events.next()?;
        // `!testme` above a line of dashes (the signature of an e-mail) makes a heading of it.
        if matches!(event, Event::Start(Tag::Paragraph | Tag::Heading { .. })) {
            return comment[range].split(['\r', '\n']).next();
        }
        let mut events = events.by_ref().map(|(event, _)| event);
        let Event::Start(tag) = event else { return None };
        if matches!(tag, Tag::BlockQuote(_) | Tag::CodeBlock(_)) {
            skip(&mut events, tag.to_end());
        } else if !(tag == Tag::HtmlBlock && is_hidden(&mut events)) {
            return None;
        }
    }
}

/// Goes on behind the end of the block that has just begun.
fn skip<'a>(events: &mut impl Iterator<Item = Event<'a>>, end: TagEnd) {
    let mut depth = 1_usize;
    while depth > 0 {
        match events.next() {
            Some(Event::Start(tag)) if tag.to_end() == end => depth += 1,
            Some(Event::End(tag)) if tag == end => depth -= 1,
            Some(_) => {}
            None => return,
        }
    }
}

/// Whether the HTML block that has just begun is one comment and nothing else. Goes on behind its end.
fn is_hidden<'a>(events: &mut impl Iterator<Item = Event<'a>>) -> bool {
    let mut html = String::new();
    for event in events {
        if let Event::Html(text) = event {
            html.push_str(&text);
        } else if event == Event::End(TagEnd::HtmlBlock) {
            break;
        }
    }
    let inner = html.trim().strip_prefix("<!--").and_then(|rest| rest.strip_suffix("-->"));
    inner.is_some_and(|inner| !inner.contains("-->") && !inner.starts_with('>') && !inner.starts_with("->"))
}
