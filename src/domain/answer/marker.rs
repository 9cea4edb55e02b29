//! The hidden line by which the gate finds a comment of its own again.
//!
//! Posting cannot be repeated safely: when nothing says whether a post arrived, the gate looks for its marker before it posts
//! again. A marker counts only in a comment whose author is the gate's own account, since anybody can write one.

use std::fmt;

use crate::domain::ids::{GateId, RunId};

/// What a comment of the gate answers.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Marker {
    /// The run, when there is one.
    pub run: Option<RunId>,
    /// The comment that subject.
    pub comment: i64,
    /// The gate that answers: there may be several on one forge.
    pub gate: GateId,
    /// Which posting it is, from 1: a verdict that is posted anew after a long run is another comment than the one that waited.
    pub post: u32,
}

const BEGIN: &str = "<!-- cc-ci:";
const END: &str = " -->";

impl fmt::Display for Marker {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let run = self.run.as_ref().map_or("-", RunId::as_str);
        write!(f, "{BEGIN}run={run} comment={} gate={} post={}{END}", self.comment, self.gate, self.post)
    }
}

/// The marker of a comment: its last line, and nowhere else, so that a quoted one does not count.
#[must_use]
pub fn marker(body: &str) -> Option<Marker> {
    let line = body.trim_end().lines().next_back()?;
    let mut words = line.strip_prefix(BEGIN)?.strip_suffix(END)?.split(' ');
    let mut value = |key: &str| words.next()?.strip_prefix(key)?.strip_prefix('=');
    let run = match value("run")? {
        "-" => None,
        run => Some(RunId::parse(run).ok()?),
    };
    let comment = value("comment")?.parse().ok()?;
    let gate = GateId::parse(value("gate")?).ok()?;
    let post = value("post")?.parse().ok()?;
    words.next().is_none().then_some(Marker { run, comment, gate, post })
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    #[test]
    fn only_a_whole_last_line_counts() {
        let line = "<!-- cc-ci:run=k7q2mzr4aabc comment=812 gate=abcdefghijklmnop post=2 -->";
        assert_eq!(marker(&format!("### text\r\n\r\n{line}\r\n")).unwrap().to_string(), line);
        let reply = "<!-- cc-ci:run=- comment=812 gate=abcdefghijklmnop post=1 -->";
        assert_eq!(marker(reply).unwrap().run, None);
        let quoted =
            [format!("> {line}"), format!("{line}\n\nthanks"), format!("`{line}`"), line.replace("post=2", "")];
        for body in quoted.iter().map(String::as_str).chain(["", "<!-- cc-ci: -->", "<!-- cc-ci:run=x -->"]) {
            assert_eq!(marker(body), None, "{body:?}");
        }
    }

    proptest! {
        #[test]
        fn a_marker_is_found_again(run in prop::option::of(any::<[u8; 12]>()), gate in any::<[u8; 16]>(), comment in any::<i64>(), post in any::<u32>(), text in any::<String>()) {
            let marker_of = Marker { run: run.map(RunId::from_random), comment, gate: GateId::from_random(gate), post };
            prop_assert_eq!(marker(&format!("{text}\n{marker_of}\n")), Some(marker_of));
        }

        #[test]
        fn nothing_panics(text in any::<String>()) {
            let _any = marker(&text);
            let _any = marker(&format!("{BEGIN}{text}{END}"));
        }
    }
}
