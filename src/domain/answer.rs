//! Everything that the gate says on a pull request, in one place. What comes from outside is escaped here.

use super::command::Command;
use super::finding::Class;
use super::ids::{CommitSha, GateId, RunId};
use super::intake::Reply;
use super::results::{Results, duration, ms_between, one_line};
use super::stage::{Rung, RungState};
use super::verdict::{Verdict, deciding};

/// The longest quoted piece of outside text.
const LONGEST: usize = 400;

/// The hidden line by which a comment of a run is found again.
#[must_use]
pub fn marker(gate: &GateId, run: &RunId) -> String {
    format!("<!-- cc-ci gate={gate} run={run} -->")
}

/// The hidden line of an answer to one comment that made no run.
#[must_use]
pub fn reply_marker(gate: &GateId, comment: u64) -> String {
    format!("<!-- cc-ci gate={gate} comment={comment} -->")
}

/// Outside text inside Markdown: no markup, no mention, no reference, one line.
#[must_use]
pub fn plain(text: &str) -> String {
    let mut safe = String::new();
    for character in one_line(text, LONGEST).chars() {
        match character {
            '<' => safe.push_str("&lt;"),
            '>' => safe.push_str("&gt;"),
            '&' => safe.push_str("&amp;"),
            // A zero-width space keeps `@ada` and `#12` from calling anybody.
            '@' | '#' => safe.extend([character, '\u{200b}']),
            '\\' | '`' | '*' | '_' | '[' | ']' | '(' | ')' | '|' | '!' | '~' | '$' => safe.extend(['\\', character]),
            other => safe.push(other),
        }
    }
    // An address would become a link.
    safe.replace("://", "&#58;//")
}

/// A run that waits.
#[must_use]
pub fn waiting(recipe: &str, head: &CommitSha, place: usize, behind: Option<&str>) -> String {
    let why = behind.map_or_else(
        || "It starts as soon as a target is free.".to_owned(),
        |behind| format!("Behind {}.", plain(behind)),
    );
    format!(
        "### ○ {}: waiting, number {place}\n{why} Head `{}`; a new push will not change what is tested.\n",
        plain(recipe),
        head.short()
    )
}

/// A run that runs.
#[must_use]
pub fn running(recipe: &str, head: &CommitSha, target: &str, url: &str) -> String {
    format!("### ▸ {}: running\nHead `{}` on `{}`. [Follow it]({url}).\n", plain(recipe), head.short(), target)
}

/// A run that ended before it had a verdict of its own.
#[must_use]
pub fn ended(recipe: &str, head: &CommitSha, why: &str) -> String {
    format!("### ! {}: not judged\n{}. Head `{}`.\n", plain(recipe), plain(why), head.short())
}

/// The verdict.
#[must_use]
pub fn verdict(results: &Results, number: i64, url: &str) -> String {
    let glyph = match results.verdict {
        Verdict::Green => "✓",
        Verdict::Red => "✕",
        Verdict::NotJudged => "!",
    };
    let subject = format!("{} {}", results.recipe.name, results.recipe.head.label());
    // A green sentence names its subject itself.
    let named = results.sentence.starts_with(&subject);
    let headline = if named { results.sentence.clone() } else { format!("{subject}: {}", results.sentence) };
    let mut text = format!(
        "### {glyph} {}
",
        plain(&headline)
    );
    if let Some(finding) = deciding(&results.findings) {
        let fault = match finding.class {
            Class::Recipe => "The recipe's fault.",
            Class::Infra => "The test infrastructure's fault; the recipe was not judged.",
            Class::Tests => "The tests file's fault; the recipe was not judged.",
            Class::Unknown => "Whose fault is not known from one run.",
        };
        text.push_str(&format!("\n{fault} *{}*\n", plain(&finding.advice)));
    }
    text.push_str("\n| lint | install | upgrade | backup | checks |\n|:-:|:-:|:-:|:-:|:-:|\n|");
    for rung in Rung::ALL {
        text.push_str(match results.rungs.of(rung).state {
            RungState::Pass => " ✓ |",
            RungState::Fail => " **✕** |",
            RungState::NotApplicable => " – |",
            RungState::NotVerified => " ○ |",
        });
    }
    let list = |lines: &[String]| lines.iter().map(|line| format!("- {}\n", plain(line))).collect::<String>();
    text.push_str(&format!(
        "\n\n<details><summary>Verified and not verified</summary>\n\nVerified:\n{}\nNot verified:\n{}</details>\n",
        list(&results.verified),
        list(&results.not_verified)
    ));
    let took = ms_between(results.started, results.finished);
    text.push_str(&format!("\n[Run {number}]({url}) · {} on `{}`\n", duration(took), results.target.name));
    text
}

/// An answer where nothing is done.
#[must_use]
pub fn reply(reply: &Reply) -> String {
    match reply {
        Reply::Outsider => "Thank you! A run deploys this code, so a maintainer has to ask for it: a member who writes `!testme` here vouches for \
             the head as it is then. Nothing else is needed from you.\n"
            .to_owned(),
        Reply::AskAgain => "The head changed after that comment, so it may not be what you looked at. If it is, ask again.\n".to_owned(),
        Reply::Wrong(why) => format!("{}.\n\n{}", plain_command(why), help()),
    }
}

/// Our own words, which hold commands in backticks.
fn plain_command(text: &str) -> String {
    text.chars().filter(|c| !matches!(c, '<' | '>' | '@' | '#')).collect()
}

/// Everything that can be written.
#[must_use]
pub fn help() -> String {
    let lines: String = Command::all()
        .iter()
        .map(|command| {
            let (written, does) = command.help();
            format!("- `{written}`: {does}\n")
        })
        .collect();
    format!(
        "What can be written as the first words of a comment:\n{lines}\nMembers and people with write access may; an edited comment is not read again.\n"
    )
}

/// Merged into a run that is there already.
#[must_use]
pub fn merged(number: i64, url: &str) -> String {
    format!("The same commit is tested already: [run {number}]({url}).\n")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{conclude, samples};

    #[test]
    fn s45_outside_text_cannot_render_or_call_anybody() {
        let hostile = "<script>alert(1)</script> @ada #12 `x` [a](http://b) \u{1b}[31m\n\n# big | ![i](x) \u{202e}";
        let safe = plain(hostile);
        assert!(
            !safe.contains('<')
                && !safe.contains("](")
                && !safe.contains("@ada")
                && !safe.contains("#12")
                && !safe.contains('\n'),
            "{safe}"
        );
        assert!(!safe.contains('\u{202e}') && !safe.contains("http:"), "{safe}");
    }

    #[test]
    fn help_names_every_command() {
        insta::assert_snapshot!(help());
    }

    #[test]
    fn a_verdict_reads_well() {
        for facts in [samples::good(), samples::crash_loop()] {
            insta::assert_snapshot!(verdict(&conclude(facts), 231, "https://ci.example.org/runs/231"));
        }
    }
}
