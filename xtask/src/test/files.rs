//! Checks of the committed files.

use std::fs;
use std::path::Path;

use anyhow::{Result, bail};

use crate::process::{output, program};

/// What no Rust file may hold: a test that is never run, code that is not written. In halves, so that this file passes.
const FORBIDDEN: [(&str, &str); 4] = [("#[ign", "ore"), ("todo", "!("), ("unimplement", "ed!("), ("dbg", "!(")];

/// Marks of an unfinished merge, in any file.
const CONFLICT: [&str; 2] = ["<<<<<<< ", ">>>>>>> "];

/// Fails with one line per place.
pub(crate) fn check(checkout: &Path) -> Result<()> {
    let mut found = Vec::new();
    for name in output(program("git").arg("-C").arg(checkout).args(["ls-files"]))?.lines() {
        // Not text, or deleted but not committed yet.
        if let Ok(text) = fs::read_to_string(checkout.join(name)) {
            found.extend(faults(name, &text));
        }
    }
    if !found.is_empty() {
        bail!("{}", found.join("\n"));
    }
    Ok(())
}

fn faults(name: &str, text: &str) -> Vec<String> {
    let mut words: Vec<String> = CONFLICT.iter().map(|&mark| mark.to_owned()).collect();
    if Path::new(name).extension().is_some_and(|it| it == "rs") {
        words.extend(FORBIDDEN.iter().map(|(first, second)| format!("{first}{second}")));
    }
    let mut faults = Vec::new();
    for (number, line) in (1..).zip(text.lines()) {
        for word in &words {
            let hit = if word.ends_with(' ') { line.starts_with(word.as_str()) } else { line.contains(word.as_str()) };
            if hit {
                faults.push(format!("{name}:{number}: `{}` must not be committed", word.trim()));
            }
        }
    }
    faults
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_place_is_named_by_file_and_line() {
        let text = format!("fn a() {{\n    {}{})\n}}\n", "todo", "!(");
        assert_eq!(faults("src/a.rs", &text), [format!("src/a.rs:2: `{}{}` must not be committed", "todo", "!(")]);
        assert!(faults("notes.md", &text).is_empty());
    }

    #[test]
    fn an_unfinished_merge_is_found_in_any_file() {
        assert_eq!(faults("notes.md", "a\n<<<<<<< HEAD\n").len(), 1);
        assert!(faults("notes.md", "a <<<<<<< b\n").is_empty());
    }
}
