//! The list: `xtask/sabotage/*.toml`, a table `[[fault]]` each.

use std::collections::BTreeSet;
use std::fmt;
use std::fs;
use std::path::Path;

use anyhow::{Context, Result, anyhow, bail};
use clap::ValueEnum;
use serde::Deserialize;

/// A small fault in cc-ci itself, and the test that must notice it.
#[derive(Clone, Debug, PartialEq, Eq, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Fault {
    /// Its name, unique in the list.
    pub(super) name: String,
    /// The file it is put into, from the checkout's root.
    pub(super) file: String,
    /// A text within one line, which occurs exactly once in the file.
    from: String,
    /// What stands there instead.
    to: String,
    /// What it would do to somebody.
    pub(super) why: String,
    /// Who must notice.
    pub(super) test: Test,
    /// What that needs.
    #[serde(default)]
    pub(super) tier: Tier,
}

/// What a fault's test needs.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, Deserialize, ValueEnum)]
#[serde(rename_all = "snake_case")]
pub(super) enum Tier {
    /// Nothing.
    #[default]
    Quick,
    /// The lab.
    Lab,
}

/// A test by the program it is in, `lib` or a file of `tests`, and its name there: `lib domain::verdict::tests::x`.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Deserialize)]
#[serde(try_from = "String")]
pub(super) struct Test {
    pub(super) program: String,
    pub(super) name: String,
}

impl TryFrom<String> for Test {
    type Error = String;

    fn try_from(text: String) -> Result<Self, String> {
        match text.split_once(' ') {
            Some((program, name)) if !name.contains(' ') => Ok(Self { program: program.into(), name: name.into() }),
            Some(_) | None => Err(format!("`{text}` is not `PROGRAM NAME`, as in `lib domain::verdict::tests::x`")),
        }
    }
}

impl fmt::Display for Test {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}", self.program, self.name)
    }
}

/// Where a fault replaces what.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Edit<'f> {
    at: usize,
    from: &'f str,
    to: &'f str,
}

impl Edit<'_> {
    /// Whether both cannot be made at once.
    pub(super) const fn overlaps(&self, other: &Self) -> bool {
        self.at < other.at + other.from.len() && other.at < self.at + self.from.len()
    }
}

impl Fault {
    /// Where it goes in the text of its file.
    pub(super) fn edit(&self, text: &str) -> Result<Edit<'_>> {
        let mut places = text.match_indices(&self.from);
        match (places.next(), places.next()) {
            (Some((at, from)), None) if !from.contains('\n') => Ok(Edit { at, from: &self.from, to: &self.to }),
            (Some(_), None) => bail!("its `from` is more than one line"),
            (Some(_), Some(_)) => bail!("its `from` occurs more than once in {}", self.file),
            (None, _) => {
                bail!("its `from` does not occur in {}; hint: the code has changed, so change it too", self.file)
            }
        }
    }
}

/// The text with these edits, which do not overlap.
pub(super) fn edited(text: &str, edits: &[Edit<'_>]) -> String {
    let mut edits = edits.to_vec();
    edits.sort_by_key(|edit| std::cmp::Reverse(edit.at));
    let mut text = text.to_owned();
    for edit in edits {
        text.replace_range(edit.at..edit.at + edit.from.len(), edit.to);
    }
    text
}

/// Reads the whole list, file by file.
pub(super) fn read(checkout: &Path) -> Result<Vec<Fault>> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct List {
        fault: Vec<Fault>,
    }
    let folder = checkout.join("xtask/sabotage");
    let entries = fs::read_dir(&folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files = entries.map(|entry| Ok(entry?.path())).collect::<Result<Vec<_>>>()?;
    files.sort();
    let (mut faults, mut names) = (Vec::new(), BTreeSet::new());
    for file in files {
        let list: List =
            toml::from_str(&fs::read_to_string(&file)?).map_err(|error| anyhow!("{}: {error}", file.display()))?;
        faults.extend(list.fault);
    }
    if let Some(twice) = faults.iter().find(|fault| !names.insert(fault.name.as_str())) {
        bail!("there are two faults {}", twice.name);
    }
    Ok(faults)
}

#[cfg(test)]
mod tests {
    use std::path::PathBuf;

    use super::*;
    use crate::process::{output, program};

    fn checkout() -> PathBuf {
        Path::new(env!("CARGO_MANIFEST_DIR")).parent().unwrap().to_owned()
    }

    /// All Rust text that may hold the tests of a program.
    fn texts(program_name: &str) -> String {
        let places = if program_name == "lib" {
            vec!["src".to_owned()]
        } else {
            vec![format!("tests/{program_name}"), format!("tests/{program_name}.rs")]
        };
        let names = output(
            program("git").arg("-C").arg(checkout()).args(["ls-files", "-co", "--exclude-standard"]).args(places),
        );
        names.unwrap().lines().filter_map(|name| fs::read_to_string(checkout().join(name)).ok()).collect()
    }

    #[test]
    fn every_fault_can_be_made_and_its_test_exists() {
        let faults = read(&checkout()).unwrap();
        let of = |tier| faults.iter().filter(|fault| fault.tier == tier).count();
        assert!(of(Tier::Quick) >= 25 && of(Tier::Lab) >= 3, "{} quick, {} lab", of(Tier::Quick), of(Tier::Lab));
        let mut wrong = Vec::new();
        for fault in &faults {
            let text = fs::read_to_string(checkout().join(&fault.file)).unwrap();
            match fault.edit(&text) {
                Err(error) => wrong.push(format!("{}: {error:#}", fault.name)),
                Ok(edit) if edited(&text, &[edit]) == text => wrong.push(format!("{}: it changes nothing", fault.name)),
                Ok(_) => {}
            }
            let name = fault.test.name.rsplit("::").next().unwrap();
            if !texts(&fault.test.program).contains(&format!("fn {name}(")) {
                wrong.push(format!("{}: there is no test {}", fault.name, fault.test));
            }
            if !fault.why.ends_with('.') || (fault.tier == Tier::Lab) != (fault.test.program == "lab") {
                wrong.push(format!("{}: its `why` is no sentence, or its `tier` is not that of its test", fault.name));
            }
        }
        assert!(wrong.is_empty(), "{}", wrong.join("\n"));
    }

    fn fault(from: &str, to: &str) -> Fault {
        let test = Test::try_from("lib a::b".to_owned()).unwrap();
        let (from, to) = (from.to_owned(), to.to_owned());
        Fault { name: "x".into(), file: "src/a.rs".into(), from, to, why: "It breaks.".into(), test, tier: Tier::Quick }
    }

    #[test]
    fn edits_are_made_side_by_side() {
        let text = "if a { b } else { a }";
        let (first, second, third) = (fault("if a", "if !a"), fault("else { a }", ""), fault("a {", "{"));
        let [first, second, third] = [&first, &second, &third].map(|fault| fault.edit(text).unwrap());
        assert_eq!(edited(text, &[first, second]), "if !a { b } ");
        assert!(first.overlaps(&third) && third.overlaps(&first) && !first.overlaps(&second));
    }

    #[test]
    fn a_fault_that_does_not_fit_any_more_is_told() {
        let error = |from: &str, text: &str| fault(from, "").edit(text).unwrap_err().to_string();
        assert!(error("c", "a b").contains("does not occur in src/a.rs"));
        assert!(error("a", "a a").contains("more than once"));
        assert!(error("a\nb", "a\nb").contains("more than one line"));
        assert!(Test::try_from("lib".to_owned()).is_err());
    }
}
