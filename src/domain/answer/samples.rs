//! Answers for tests.

use super::*;
use crate::domain::command::Keep;
use crate::domain::ids::{GateId, RunId};
use crate::domain::results::{RunFacts, conclude};

pub(super) fn sha(digits: &str) -> CommitSha {
    CommitSha::parse(&digits.repeat(40 / digits.len())).unwrap()
}

pub(super) fn link(number: i64) -> RunLink {
    RunLink { number, url: format!("https://ci.example.org/runs/{number}") }
}

pub(super) fn subject() -> Subject {
    Subject {
        run: link(231),
        recipe: RecipeName::parse("notes").unwrap(),
        head: sha("9f31c0e2"),
        options: Options::default(),
        vouched: false,
        moved_to: None,
    }
}

/// With everything that can be said besides.
pub(super) fn subject_much() -> Subject {
    let options = Options { keep: Keep::parse("30m"), ..Options::default() };
    Subject { options, vouched: true, moved_to: Some(sha("77e0c1a4")), ..subject() }
}

pub(super) fn ahead() -> Ahead {
    let recipe = RecipeName::parse("immich").unwrap();
    Ahead { run: link(230), recipe, stage: Some(Stage::Install), elapsed_ms: 190_000, usually_ms: Some(374_000) }
}

pub(super) fn judged(facts: RunFacts) -> Judged {
    let results = conclude(facts);
    Judged { subject: subject(), results, cause_url: None, behind: None, first_try: None, again: false }
}

pub(super) fn earlier(number: i64, digits: &str, facts: RunFacts) -> Earlier {
    let results = conclude(facts);
    Earlier { run: link(number), head: sha(digits), verdict: results.verdict, sentence: results.sentence }
}

pub(super) fn answer(says: Says) -> Answer {
    let gate = GateId::parse("abcdefghijklmnop").unwrap();
    let marker = Marker { run: Some(RunId::parse("k7q2mzr4aabc").unwrap()), comment: 812, gate, post: 1 };
    Answer { marker, says, earlier: Vec::new() }
}
