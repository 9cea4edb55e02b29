//! The words for states and guilt, the same on every medium. A state always has glyph and word; colour only helps.

use crate::domain::finding::Class;
use crate::domain::results::{By, Pull, Recipe, Results, Store, duration, size};
use crate::domain::stage::{Rung, RungState};
use crate::domain::verdict::Verdict;

/// How a state is shown.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Shown {
    /// One character that is read without colour.
    pub glyph: &'static str,
    /// The word.
    pub word: &'static str,
    /// Class in the style sheet: `pass`, `fail`, `infra` or `none`.
    pub class: &'static str,
}

/// How a verdict is shown.
#[must_use]
pub const fn verdict(verdict: Verdict) -> Shown {
    match verdict {
        Verdict::Green => Shown { glyph: "✓", word: "green", class: "pass" },
        Verdict::Red => Shown { glyph: "✕", word: "red", class: "fail" },
        Verdict::NotJudged => Shown { glyph: "!", word: "not judged", class: "infra" },
    }
}

/// How a rung's state is shown.
#[must_use]
pub const fn rung(state: RungState) -> Shown {
    match state {
        RungState::Pass => Shown { glyph: "✓", word: "pass", class: "pass" },
        RungState::Fail => Shown { glyph: "✕", word: "fail", class: "fail" },
        RungState::NotApplicable => Shown { glyph: "–", word: "not applicable", class: "none" },
        RungState::NotVerified => Shown { glyph: "○", word: "not verified", class: "open" },
    }
}

/// Whose fault a finding is. Without a base in the run nothing says whether this very change did it.
#[must_use]
pub const fn fault(class: Class) -> &'static str {
    match class {
        Class::Recipe => "The recipe's fault.",
        Class::Infra => "Not the recipe's fault: the test infrastructure's. The recipe was not judged by it.",
        Class::Tests => "Not the recipe's fault: the tests file's. The recipe was not judged by it.",
        Class::Unknown => "Whose fault it is cannot be told from this run alone.",
    }
}

/// What stands where a cause would stand, when there is none.
#[must_use]
pub const fn no_cause(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Green => "Nothing failed. This run claims what is listed under Verified, and no more.",
        Verdict::Red => "A rung failed; no finding says why.",
        Verdict::NotJudged => {
            "Nobody's fault is claimed: the run did not come far enough to judge the recipe. Run it again."
        }
    }
}

/// Whose time a phase was.
#[must_use]
pub const fn whose(by: By) -> &'static str {
    match by {
        By::CcCi => "cc-ci itself",
        By::Docker => "Docker",
        By::App => "the app",
    }
}

/// How the target came to have an image.
#[must_use]
pub fn pulled(pull: &Pull) -> String {
    match pull.store {
        Store::Warm => "was there".to_owned(),
        Store::Cold => format!("{} in {}", size(pull.bytes), duration(pull.ms)),
    }
}

/// How the target came to have its images, in one phrase; nothing where none was asked for.
#[must_use]
pub fn images(results: &Results) -> Option<String> {
    let (cold, warm): (Vec<&Pull>, Vec<&Pull>) = results.pulls.iter().partition(|pull| pull.store == Store::Cold);
    let there = format!("{} in the target's store", warm.len());
    let longest = cold.iter().map(|pull| pull.ms).max().unwrap_or(0);
    let came =
        format!("{} pulled, {} in {}", cold.len(), size(cold.iter().map(|pull| pull.bytes).sum()), duration(longest));
    match (warm.len(), cold.len()) {
        (0, 0) => None,
        (_, 0) => Some(there),
        (0, _) => Some(came),
        (_, _) => Some(format!("{there}, {came}")),
    }
}

/// What head was compared with or upgraded from, and why: a phrase without a full stop.
#[must_use]
pub fn base(results: &Results) -> String {
    base_of(&results.recipe, if results.deploys.upgrade > 0 { "upgraded from" } else { "compared with, not deployed" })
}

/// The base of a recipe, and why; `how` it was used, where that is to be said.
#[must_use]
pub fn base_of(recipe: &Recipe, how: &str) -> String {
    let why = if recipe.base_why.is_empty() { "none was looked for" } else { &recipe.base_why };
    let Some(base) = &recipe.base else { return format!("none: {why}") };
    let commit = base.commit.as_ref().map_or("", |commit| commit.short());
    let label = base.label();
    let commit = if label == commit { String::new() } else { format!(" ({commit})") };
    let how = if how.is_empty() { String::new() } else { format!(", {how}") };
    format!("{label}{commit}{how}: {why}")
}

/// A rung's name as a heading.
#[must_use]
pub const fn heading(rung: Rung) -> &'static str {
    match rung {
        Rung::Lint => "Lint",
        Rung::Install => "Install",
        Rung::Upgrade => "Upgrade",
        Rung::Backup => "Backup",
        Rung::Checks => "Checks",
    }
}

/// The sentence without the verdict's own word in front, where glyph and word stand before it anyway.
#[must_use]
pub fn bare_sentence(results: &Results) -> &str {
    results.sentence.strip_prefix("not judged: ").unwrap_or(&results.sentence)
}

/// The command that runs the same on one's own machine.
#[must_use]
pub fn command(results: &Results) -> String {
    let head = &results.recipe.head;
    let remote = head.source.contains("://") || head.source.starts_with("git@");
    let what = match &head.commit {
        Some(commit) if remote => format!("{}@{commit}", head.source),
        Some(_) | None => head.source.clone(),
    };
    format!("cc-ci run {} --target {}", quoted(&what), results.target.name)
}

/// Quoted for a POSIX shell where it needs it.
fn quoted(word: &str) -> String {
    let plain = |c: char| c.is_ascii_alphanumeric() || "@%+=:,./_-".contains(c);
    if !word.is_empty() && word.chars().all(plain) {
        word.to_owned()
    } else {
        format!("'{}'", word.replace('\'', r"'\''"))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::results::{conclude, samples};

    #[test]
    fn the_command_names_the_commit_or_the_quoted_directory() {
        let commit = "9f31c0e2".repeat(5);
        let remote = command(&conclude(samples::good()));
        assert_eq!(remote, format!("cc-ci run https://git.example.org/recipes/good.git@{commit} --target lab"));
        assert_eq!(command(&conclude(samples::crash_loop())), "cc-ci run 'recipes/crash loop' --target lab");
        assert_eq!(quoted("a'b;$(c)"), r"'a'\''b;$(c)'");
    }
}
