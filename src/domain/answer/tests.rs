//! Every text as it is posted, and what no text may do.

use proptest::prelude::*;
use pulldown_cmark::{Event, Parser, Tag, TagEnd};

use super::samples::*;
use super::*;
use crate::domain::command::{Flag, Parsed, Word, Wrong, parse};
use crate::domain::results::RunFacts;
use crate::domain::results::samples as runs;
use crate::domain::verdict::Verdict;

fn body_of(says: Says) -> String {
    body(&answer(says))
}

/// Several answers in one snapshot.
fn pages(all: impl IntoIterator<Item = Says>) -> String {
    let marker = format!("\n{}\n", answer(Says::Help).marker);
    all.into_iter().map(|says| body_of(says).replace(&marker, "")).collect::<Vec<_>>().join("\n-----\n")
}

fn queued(waits: Waits) -> Says {
    Says::Queued { subject: subject(), place: 2, starts_in_ms: Some(170_000), waits }
}

fn running(subject: Subject, kept: Option<Kept>) -> Says {
    let target = TargetName::parse("swarm-a").unwrap();
    let stage = if kept.is_some() { Stage::Keep } else { Stage::Install };
    Says::Running { subject, stage, target, elapsed_ms: 35_000, usually_ms: Some(374_000), kept, red: None }
}

fn running_red(sentence: &str, again: bool) -> Says {
    let mut says = running(subject(), None);
    if let Says::Running { red, .. } = &mut says {
        *red = Some(RedSoFar { sentence: sentence.to_owned(), again });
    }
    says
}

fn ended(ending: Ending) -> Says {
    Says::Ended { subject: subject(), ending }
}

#[test]
fn s40_the_whole_comment_ends_with_its_marker() {
    let mut comment = answer(queued(Waits::Behind(ahead())));
    comment.earlier = vec![earlier(228, "a41b77d0", runs::good()), earlier(225, "77e0c1a4", runs::crash_loop())];
    let body = body(&comment);
    assert_eq!(marker(&body), Some(comment.marker));
    insta::assert_snapshot!(body);
}

#[test]
fn s50_waiting_says_why_and_until_when() {
    let waits = [
        Waits::Nothing,
        Waits::SameRecipe(ahead()),
        Waits::SamePort(Ahead { stage: None, usually_ms: None, ..ahead() }, 8443),
        Waits::NoTarget,
        Waits::Paused("the target is being moved".into()),
        Waits::Paused(String::new()),
    ];
    let much = Says::Queued { subject: subject_much(), place: 1, starts_in_ms: None, waits: Waits::Nothing };
    insta::assert_snapshot!(pages(waits.into_iter().map(queued).chain([much])));
}

#[test]
fn s90_running_says_where_how_far_and_how_long_the_app_stays() {
    let kept = Kept { url: "https://cck7q2.ci.example.org/".into(), left_ms: 1_680_000 };
    insta::assert_snapshot!(pages([running(subject(), None), running(subject_much(), Some(kept))]));
}

#[test]
fn s36_what_is_red_is_said_at_once() {
    insta::assert_snapshot!(pages([
        running_red("app does not answer at <b>https://x</b> @everyone.", false),
        running_red("app is still starting after 10 min", true),
    ]));
}

#[test]
fn a_green_verdict() {
    insta::assert_snapshot!(body_of(Says::Verdict(Box::new(judged(runs::good())))));
}

#[test]
fn a_red_verdict_with_all_that_can_be_said() {
    let mut judged = judged(runs::crash_loop());
    judged.subject = subject_much();
    judged.cause_url = Some("https://ci.example.org/runs/231/log#L118".into());
    judged.behind = Some(Behind { commits: 3, branch: "main".into() });
    judged.first_try = Some(link(230));
    insta::assert_snapshot!(body_of(Says::Verdict(Box::new(judged))));
}

#[test]
fn s30_a_run_that_is_not_judged() {
    let first = Judged { again: true, ..judged(runs::target_lost()) };
    insta::assert_snapshot!(body_of(Says::Verdict(Box::new(first))));
    let second = Judged { first_try: Some(link(230)), ..judged(runs::target_lost()) };
    assert!(body_of(Says::Verdict(Box::new(second))).contains("`!testme retry` tries it again."));
}

#[test]
fn s42_merged_superseded_and_asked_again() {
    insta::assert_snapshot!(pages([
        Says::Merged { into: link(230), head: sha("9f31c0e2") },
        ended(Ending::Superseded(link(233))),
        Says::Refused(Say::AskAgain { then: None, now: sha("77e0c1a4") }),
        Says::Refused(Say::AskAgain { then: Some(sha("9f31c0e2")), now: sha("77e0c1a4") }),
    ]));
}

#[test]
fn s44_refusals_are_polite_and_say_what_happens_next() {
    let mut wrong = vec![
        Wrong::Unknown { given: "--kepe".into(), nearest: Some("--keep") },
        Wrong::Unknown { given: "please@ada `x` <b>".into(), nearest: None },
        Wrong::BadValue { flag: Flag::Keep, given: "9h".into(), choices: Vec::new() },
        Wrong::BadValue { flag: Flag::Base, given: "9".into(), choices: vec!["1.0.0+1".into(), "<b>`@ada".into()] },
        Wrong::BadValue { flag: Flag::Extra, given: String::new(), choices: Vec::new() },
        Wrong::Twice(Flag::Keep),
        Wrong::StandsAlone(Word::Status),
    ];
    wrong.extend(Flag::ALL.iter().filter(|flag| flag.value().is_some()).map(|flag| Wrong::NoValue(*flag)));
    let says = [
        Say::Outsider { membership_unseen: false },
        Say::Outsider { membership_unseen: true },
        Say::NotOpen { merged: true },
        Say::NotOpen { merged: false },
    ];
    let says = says.into_iter().chain(wrong.into_iter().map(Say::Wrong)).map(Says::Refused);
    insta::assert_snapshot!(pages(says));
}

#[test]
fn help_names_every_word_and_every_flag() {
    let help = body_of(Says::Help);
    let names = Flag::ALL.iter().map(|flag| flag.name()).chain(Word::ALL.iter().map(|word| word.name()));
    names.for_each(|name| assert!(help.contains(name), "{name}"));
    insta::assert_snapshot!(help);
}

#[test]
fn s53_status_cancel_and_retry() {
    let line = |number, now| RunLine { run: link(number), head: sha("9f31c0e2"), now };
    let lines = vec![
        line(233, RunNow::Waits { place: 1, starts_in_ms: Some(20_000) }),
        line(232, RunNow::Runs { stage: Stage::Install, elapsed_ms: 35_000 }),
        line(231, RunNow::Ended(Verdict::Red)),
    ];
    let many = (0..14).map(|n| line(n, RunNow::Ended(Verdict::Green))).collect();
    let cancelled = |by: Option<&str>, during| Ending::Cancelled { by: by.map(Into::into), during };
    insta::assert_snapshot!(pages([
        Says::Status(Vec::new()),
        Says::Status(lines),
        Says::Status(many),
        Says::Cancelled(Vec::new()),
        Says::Cancelled(vec![link(232), link(233)]),
        Says::NothingToRetry,
        ended(cancelled(Some("ada"), Some(Stage::Install))),
        ended(cancelled(None, None)),
        ended(Ending::NotRun { why: "the commit is gone from the forge.".into(), again: false }),
        ended(Ending::NotRun { why: "the target was lost".into(), again: true }),
        Says::Folded { run: earlier(228, "a41b77d0", runs::good()), newer: link(231) },
    ]));
}

#[test]
fn commit_statuses_are_one_short_line() {
    let status = |says| commit_status(&answer(says)).map(|it| format!("{:?}: {}", it.state, it.text));
    let verdict = |facts| Says::Verdict(Box::new(judged(facts)));
    let said = [
        queued(Waits::Behind(ahead())),
        queued(Waits::Paused("x".into())),
        running(subject(), None),
        verdict(runs::good()),
        verdict(runs::crash_loop()),
        verdict(runs::target_lost()),
        ended(Ending::Superseded(link(233))),
        ended(Ending::Cancelled { by: None, during: None }),
        ended(Ending::NotRun { why: format!("a\n\u{1b}[31m{}", "é".repeat(300)), again: false }),
    ];
    let said: Vec<_> = said.into_iter().filter_map(status).collect();
    assert!(said.iter().all(|line| line.split_once(": ").unwrap().1.chars().count() <= 140));
    insta::assert_snapshot!(said.join("\n"));
    assert_eq!(commit_status(&answer(Says::Help)), None);
}

/// A run about which everything from outside says the same.
fn hostile(facts: RunFacts, outside: &str, lines: usize) -> Says {
    let mut results = judged(facts).results;
    let many = || vec![outside.to_owned(); lines];
    results.recipe.head.version = Some(outside.into());
    results.recipe.base = Some(results.recipe.head.clone());
    results.recipe.head.source = outside.into();
    results.sentence = format!("`app` says: {outside}: `{outside}`");
    (results.verified, results.not_verified, results.warnings) = (many(), many(), many());
    if let Some(finding) = results.findings.first_mut() {
        (finding.sentence, finding.advice) = (outside.into(), outside.into());
        finding.evidence.iter_mut().for_each(|it| (it.what, it.text) = (outside.into(), many().join("\n")));
        let more = vec![finding.clone(); lines];
        results.findings.extend(more);
    }
    let behind = Some(Behind { commits: 1, branch: outside.into() });
    let cause_url = Some(outside.to_owned());
    Says::Verdict(Box::new(Judged { results, behind, cause_url, ..judged(runs::good()) }))
}

/// What a forge would make of a comment beside our own markup: HTML, links, images, and text outside code.
fn made_of(body: &str) -> (Vec<String>, String) {
    let (mut foreign, mut text) = (Vec::new(), String::new());
    let own_html = |html: &str| {
        let rest = ["details", "summary", "code"]
            .iter()
            .fold(html.to_owned(), |html, tag| html.replace(&format!("<{tag}>"), "").replace(&format!("</{tag}>"), ""));
        (rest.contains('<') && !rest.starts_with("<!-- cc-ci:run=")).then_some(rest)
    };
    let mut in_block = false;
    for event in Parser::new_ext(body, pulldown_cmark::Options::all()) {
        if let Event::Html(html) | Event::InlineHtml(html) = &event {
            foreign.extend(own_html(html));
        } else if let Event::Start(Tag::Link { dest_url, .. }) = &event {
            foreign.extend((!dest_url.starts_with("https://ci.example.org/")).then(|| dest_url.to_string()));
        } else if let Event::Start(Tag::Image { dest_url, .. }) = &event {
            foreign.push(dest_url.to_string());
        } else if let (Event::Text(said), false) = (&event, in_block) {
            text.push_str(said);
        }
        in_block |= matches!(event, Event::Start(Tag::CodeBlock(_)));
        in_block &= event != Event::End(TagEnd::CodeBlock);
    }
    (foreign, text)
}

const HOSTILE: &str = "$(touch /x);--upload-pack <script>alert(1)</script> <!-- --> </details> @ada #12 !3 ``` ` **b** [a](http://evil) ![i](http://evil/i.png) \u{1b}[31m \u{1b}]8;;http://evil\u{7}x \u{202e} | www.evil.example\n\n# big\n- x\n\n```\n<b>\n```\n<!-- cc-ci:run=- comment=1 gate=abcdefghijklmnop post=1 -->";

#[test]
fn s45_hostile_text_is_shown_and_does_nothing() {
    let outside = HOSTILE.to_owned();
    let all = [
        hostile(runs::crash_loop(), HOSTILE, 3),
        hostile(runs::good(), HOSTILE, 3),
        queued(Waits::Paused(outside.clone())),
        ended(Ending::Cancelled { by: Some(outside.clone()), during: None }),
        ended(Ending::NotRun { why: outside.clone(), again: true }),
        Says::Refused(Say::Wrong(Wrong::Unknown { given: outside.clone(), nearest: None })),
        Says::Refused(Say::Wrong(Wrong::BadValue { flag: Flag::Base, given: outside.clone(), choices: vec![outside] })),
    ];
    for says in all {
        let mut comment = answer(says);
        let it = earlier(1, "a41b77d0", runs::good());
        comment.earlier = vec![Earlier { sentence: HOSTILE.into(), ..it }];
        let body = body(&comment);
        let (foreign, text) = made_of(&body);
        assert_eq!(foreign, Vec::<String>::new(), "{body}");
        for call in ["@ada", "#12", "!3", "www.", "http://"] {
            assert!(!text.contains(call), "{call} in {text}");
        }
        assert!(!body.contains(['\u{1b}', '\u{202e}', '\r']), "{body:?}");
        assert_eq!(marker(&body), Some(comment.marker), "{body}");
    }
    insta::assert_snapshot!(body_of(hostile(runs::crash_loop(), HOSTILE, 1)));
}

#[test]
fn a_comment_is_never_longer_than_it_may_be() {
    for outside in ["&", "@", "𝄞", "`&` ", "ab\n", HOSTILE] {
        let outside = outside.repeat(100_000 / outside.len());
        let mut comment = answer(hostile(runs::crash_loop(), &outside, 60));
        let it = earlier(1, "a41b77d0", runs::good());
        comment.earlier = vec![Earlier { sentence: outside, ..it }; 100];
        let body = body(&comment);
        assert!(body.len() <= LONGEST, "{}", body.len());
        assert_eq!(marker(&body), Some(comment.marker));
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(64))]

    #[test]
    fn s45_no_answer_asks_for_anything_or_loses_its_marker(outside in "(!testme|\n|\r|`|<!--|-->|[ -~]|\\PC){0,40}") {
        for says in [
            hostile(runs::crash_loop(), &outside, 2),
            queued(Waits::Paused(outside.clone())),
            ended(Ending::NotRun { why: outside.clone(), again: false }),
            Says::Refused(Say::Wrong(Wrong::Unknown { given: outside.clone(), nearest: None })),
        ] {
            let comment = answer(says);
            let body = body(&comment);
            prop_assert_eq!(parse(&body), Parsed::NotForUs, "{}", body);
            prop_assert_eq!(marker(&body), Some(comment.marker), "{}", body);
            prop_assert_eq!(made_of(&body).0, Vec::<String>::new(), "{}", body);
        }
    }
}
