//! Reads a `canary.toml`, strictly: what is misspelt, or edits nothing, would be a canary that shows nothing.

use std::collections::BTreeMap;

use serde::Deserialize;

use super::{Canary, IMAGES, Told};
use crate::domain::ids::RecipeName;
use crate::domain::recipe::files::{FileError, RecipeFiles};

/// The version of head where older ones are published and it does not say its own.
const NEXT: &str = "2.0.0+2.0.0";

/// A recipe that canaries are made from: its texts by file.
pub type Parent = BTreeMap<String, String>;

/// What is wrong with a canary.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum CanaryError {
    /// The file cannot be read as one.
    #[error("canary {name}: {why}")]
    File {
        /// The canary.
        name: String,
        /// What is wrong, with its line.
        why: String,
    },
    /// There is no such canary.
    #[error("there is no canary `{0}`\nhint: `cc-ci canary --list` names all")]
    Unknown(String),
    /// There is no such parent.
    #[error("canary {name}: there is no parent `{parent}`\nhint: there are {known}")]
    Parent {
        /// The canary.
        name: String,
        /// The parent.
        parent: String,
        /// Those that there are.
        known: String,
    },
    /// An edit does not fit.
    #[error("canary {name}: `{from}` is {times} times in {file}, and an edit needs it once")]
    Edit {
        /// The canary.
        name: String,
        /// The file.
        file: String,
        /// What was looked for.
        from: String,
        /// How often it is there.
        times: usize,
    },
    /// A version cannot be written.
    #[error(
        "canary {name}: compose.yml has no label `….version=` for the version {version}\nhint: `\"coop-cloud.${{STACK_NAME}}.version=1.0.0+1.0.0\"`"
    )]
    NoVersion {
        /// The canary.
        name: String,
        /// The version.
        version: String,
    },
}

/// The file as it is written.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Written {
    parent: String,
    why: String,
    incident: Option<String>,
    #[serde(default)]
    smoke: bool,
    version: Option<String>,
    #[serde(default)]
    edit: Vec<Edit>,
    #[serde(default)]
    published: Vec<Published>,
    tests: Option<String>,
    expected: Told,
}

/// One text for another; without `from`, a whole file.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Edit {
    #[serde(default = "compose")]
    file: String,
    from: Option<String>,
    to: String,
}

fn compose() -> String {
    "compose.yml".to_owned()
}

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Published {
    version: String,
    #[serde(default)]
    edit: Vec<Edit>,
}

/// The parent with these files.
#[must_use]
pub fn parent(files: &[(&str, &str)]) -> Parent {
    files.iter().map(|(path, text)| ((*path).to_owned(), (*text).to_owned())).collect()
}

impl Canary {
    /// Reads a canary. `images` is what its images begin with instead of `lab/`.
    ///
    /// # Errors
    /// [`CanaryError`], which names the canary.
    pub fn read(name: &str, text: &str, parents: &BTreeMap<String, Parent>, images: &str) -> Result<Self, CanaryError> {
        let wrong = |why: String| CanaryError::File { name: name.to_owned(), why };
        RecipeName::parse(name).map_err(|error| wrong(error.to_string()))?;
        let written: Written = toml::from_str(text).map_err(|error| wrong(error.to_string().trim_end().to_owned()))?;
        if !written.expected.is_consistent() {
            return Err(wrong(
                "[expected]: green has no kind, service and rung; anything else has a kind and a rung".to_owned(),
            ));
        }
        let parent = parents.get(&written.parent).ok_or_else(|| CanaryError::Parent {
            name: name.to_owned(),
            parent: written.parent.clone(),
            known: parents.keys().cloned().collect::<Vec<_>>().join(", "),
        })?;
        let made = Making { name, parent, images };
        let published = written.published.iter().map(|older| {
            let files = made.files(&older.edit, Some(&older.version))?;
            Ok((older.version.clone(), files))
        });
        let published = published.collect::<Result<Vec<_>, CanaryError>>()?;
        let version = written.version.as_deref().or((!published.is_empty()).then_some(NEXT));
        Ok(Self {
            name: name.to_owned(),
            why: written.why,
            incident: written.incident,
            smoke: written.smoke,
            head: made.files(&written.edit, version)?,
            published,
            tests: written.tests,
            expected: written.expected,
        })
    }
}

struct Making<'a> {
    name: &'a str,
    parent: &'a Parent,
    images: &'a str,
}

impl Making<'_> {
    fn files(&self, edits: &[Edit], version: Option<&str>) -> Result<RecipeFiles, CanaryError> {
        let mut texts = self.parent.clone();
        for edit in edits {
            self.edit(&mut texts, edit)?;
        }
        if let Some(version) = version {
            let compose = texts.get(&compose()).and_then(|text| with_version(text, version));
            let compose = compose
                .ok_or_else(|| CanaryError::NoVersion { name: self.name.to_owned(), version: version.to_owned() })?;
            texts.insert(self::compose(), compose);
        }
        let mut files = RecipeFiles::new();
        for (path, text) in texts {
            let text = if path.ends_with(".yml") { self.with_images(&text) } else { text };
            files
                .add(&path, text.into_bytes(), false)
                .map_err(|error: FileError| CanaryError::File { name: self.name.to_owned(), why: error.to_string() })?;
        }
        Ok(files)
    }

    fn edit(&self, texts: &mut Parent, edit: &Edit) -> Result<(), CanaryError> {
        let Some(from) = &edit.from else {
            texts.insert(edit.file.clone(), edit.to.clone());
            return Ok(());
        };
        let before = texts.get(&edit.file).map(String::as_str).unwrap_or_default();
        let times = if from.is_empty() { 0 } else { before.matches(from.as_str()).count() };
        if times != 1 {
            return Err(CanaryError::Edit {
                name: self.name.to_owned(),
                file: edit.file.clone(),
                from: from.clone(),
                times,
            });
        }
        let after = before.replacen(from.as_str(), &edit.to, 1);
        texts.insert(edit.file.clone(), after);
        Ok(())
    }

    fn with_images(&self, text: &str) -> String {
        text.replace(&format!("image: {IMAGES}"), &format!("image: {}", self.images))
    }
}

/// The text with another value of the version label.
fn with_version(text: &str, version: &str) -> Option<String> {
    let (before, rest) = text.split_once("}.version=")?;
    let end = rest.find(['"', '\'', '\n'])?;
    Some(format!("{before}}}.version={version}{}", &rest[end..]))
}

#[cfg(test)]
mod tests {
    use super::super::{CORPUS, PARENTS, Sort};
    use super::*;

    fn parents() -> BTreeMap<String, Parent> {
        PARENTS.iter().map(|(name, files)| ((*name).to_owned(), parent(files))).collect()
    }

    fn read(text: &str) -> Result<Canary, String> {
        Canary::read("a-canary", text, &parents(), IMAGES).map_err(|error| error.to_string())
    }

    const GREEN: &str = "parent = \"good\"\nwhy = \"it is good\"\n";

    #[test]
    fn a_canary_is_its_parent_with_edits_and_versions() {
        let text = format!(
            "{GREEN}[[published]]\nversion = \"1.0.0+1.0.0\"\n[[edit]]\nfrom = \"lab/web:1.0.0\"\nto = \"lab/web:2.0.0\"\n[[edit]]\nfile = \"notes.txt\"\nto = \"new\"\n[expected]\nverdict = \"green\"\n"
        );
        let canary = Canary::read("a-canary", &text, &parents(), "registry.example.org/x/").unwrap();
        let compose = canary.head.text("compose.yml").unwrap();
        assert!(compose.contains("image: registry.example.org/x/web:2.0.0"), "{compose}");
        assert!(compose.contains("coop-cloud.${STACK_NAME}.version=2.0.0+2.0.0\""), "{compose}");
        assert_eq!(canary.head.text("notes.txt").unwrap(), "new");
        let (version, files) = &canary.published[0];
        assert_eq!(version, "1.0.0+1.0.0");
        let compose = files.text("compose.yml").unwrap();
        assert!(compose.contains("/x/web:1.0.0") && compose.contains(".version=1.0.0+1.0.0\""), "{compose}");
        assert!(!files.contains("notes.txt"));
    }

    #[test]
    fn what_would_show_nothing_is_refused() {
        let green = "[expected]\nverdict = \"green\"\n";
        let said = [
            read(&format!("{GREEN}edits = 1\n{green}")),
            read(&format!("{GREEN}[[edit]]\nfrom = \"nowhere\"\nto = \"x\"\n{green}")),
            read(&format!("{GREEN}[[edit]]\nfrom = \"proxy\"\nto = \"x\"\n{green}")),
            read(&format!("{GREEN}[expected]\nverdict = \"red\"\nkind = \"crash_loop\"\n")),
            read(&format!("{GREEN}[expected]\nverdict = \"red\"\nkind = \"crashes\"\nrung = \"install\"\n")),
            read(&format!("{GREEN}{green}kind = \"crash_loop\"\n")),
            read(&format!("parent = \"bad\"\nwhy = \"\"\n{green}")),
            read(&format!("{GREEN}version = \"2.0.0+1\"\n[[edit]]\nto = \"services: {{}}\"\n{green}")),
            Canary::read("No Name", GREEN, &parents(), IMAGES).map_err(|error| error.to_string()),
        ];
        insta::assert_snapshot!(said.map(Result::unwrap_err).join("\n---\n"));
    }

    fn corpus() -> Vec<Canary> {
        let parents = parents();
        CORPUS.iter().map(|(name, text)| Canary::read(name, text, &parents, IMAGES).unwrap()).collect()
    }

    #[test]
    fn the_whole_corpus_can_be_read_and_each_says_why() {
        for canary in corpus() {
            assert!(canary.why.len() > 20 && canary.why.ends_with('.'), "{}: {}", canary.name, canary.why);
        }
    }

    #[test]
    fn a_replay_names_its_incident() {
        for canary in corpus().iter().filter(|canary| canary.sort() == Sort::Replay) {
            assert!(canary.incident.as_ref().is_some_and(|name| name.len() > 4), "{}", canary.name);
        }
    }

    #[test]
    fn the_binary_has_every_canary_of_the_folder() {
        let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/canaries");
        let mut there: Vec<String> = std::path::Path::read_dir(&folder)
            .unwrap()
            .map(|entry| entry.unwrap().file_name().to_string_lossy().into_owned())
            .filter(|name| name != super::super::PARENTS_FOLDER)
            .collect();
        there.sort();
        let mut known: Vec<&str> = CORPUS.iter().map(|(name, _)| *name).collect();
        known.sort_unstable();
        assert_eq!(known, there, "src/domain/canary/corpus.rs names each");
    }

    proptest::proptest! {
        #[test]
        fn nothing_makes_the_reader_panic(text in "(?s).{0,200}", at in 0_usize..400) {
            let _read = read(&text);
            let (whole, at) = (CORPUS[0].1, at.min(CORPUS[0].1.len()));
            if whole.is_char_boundary(at) {
                let _read = read(&format!("{}{text}{}", &whole[..at], &whole[at..]));
            }
        }
    }
}
