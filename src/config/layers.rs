//! Where a setting may come from: a file, over it the environment, over that the command line. An empty value is none: a compose
//! file hands on variables that nobody set.

use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};

use figment::providers::{Env, Serialized};
use figment::value::{Dict, Map};
use figment::{Figment, Metadata, Profile, Provider};

use super::ConfigError;
use super::keys::{KEYS, key};
use crate::domain::recipe::env::EnvFile;

/// All places together; the later one counts.
#[derive(Debug, Clone, Default)]
pub struct Layers {
    figment: Figment,
    /// Names in the file that are no settings.
    strangers: Vec<String>,
}

/// One place. Values stay text: a token of digits is no number.
struct Layer {
    name: String,
    values: BTreeMap<String, String>,
}

impl Provider for Layer {
    fn metadata(&self) -> Metadata {
        Metadata::named(self.name.clone())
    }

    fn data(&self) -> Result<Map<Profile, Dict>, figment::Error> {
        Serialized::defaults(&self.values).data()
    }
}

/// The value of a variable.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Given {
    pub(super) value: String,
    pub(super) from: String,
}

impl Layers {
    /// Values from somewhere, over those that are there already.
    #[must_use]
    pub fn with(mut self, from: &str, values: impl IntoIterator<Item = (String, String)>) -> Self {
        let values = values.into_iter().filter(|(_, value)| !value.trim().is_empty()).collect();
        self.figment = self.figment.merge(Layer { name: from.to_owned(), values });
        self
    }

    /// A file in the style of `.env`, which may hold more than settings.
    ///
    /// # Errors
    /// When it cannot be read, or a line is no assignment.
    pub fn with_file(mut self, path: &Path) -> Result<Self, ConfigError> {
        let text =
            fs::read_to_string(path).map_err(|source| ConfigError::Unreadable { path: path.to_owned(), source })?;
        let file = EnvFile::parse(&text);
        if let Some(line) = file.unreadable.first() {
            let message = format!("line {line} is neither `NAME=value` nor a comment");
            return Err(ConfigError::Invalid { path: PathBuf::from(path), message });
        }
        let (ours, others): (BTreeMap<_, _>, BTreeMap<_, _>) =
            file.expand(&BTreeMap::new()).into_iter().partition(|(name, _)| key(name).is_some());
        self.strangers.extend(others.into_keys());
        Ok(self.with(&path.display().to_string(), ours))
    }

    /// This process's environment.
    #[must_use]
    pub fn with_environment(self) -> Self {
        let names: Vec<String> =
            KEYS.iter().flat_map(|key| [Some(key.name.to_owned()), key.file_name()]).flatten().collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        let found: Vec<_> =
            Env::raw().only(&names).lowercase(false).iter().map(|(name, value)| (name.to_string(), value)).collect();
        self.with("the environment", found)
    }

    /// Names in the file that are no settings of cc-ci: of the recipe, or misspelt.
    #[must_use]
    pub fn strangers(&self) -> &[String] {
        &self.strangers
    }

    pub(super) fn get(&self, name: &str) -> Option<Given> {
        let value = self.figment.find_value(name).ok()?.into_string()?;
        let from = self.figment.find_metadata(name).map(|metadata| metadata.name.to_string()).unwrap_or_default();
        Some(Given { value, from })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn pair(name: &str, value: &str) -> [(String, String); 1] {
        [(name.to_owned(), value.to_owned())]
    }

    #[test]
    fn the_later_place_counts_and_an_empty_value_is_none() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.env");
        fs::write(&file, "TYPE=cc-ci\nFORGE_ACCOUNT=\"bot\" # ours\nFORGE_TOKEN=00012e5\nLOG=debug\n").unwrap();
        let layers = Layers::default().with_file(&file).unwrap();
        let layers = layers.with("the environment", pair("LOG", "warn")).with("the command line", pair("LOG", " "));
        let given = |name: &str| layers.get(name).map(|given| (given.value, given.from)).unwrap();
        assert_eq!(given("LOG"), ("warn".to_owned(), "the environment".to_owned()));
        assert_eq!(given("FORGE_TOKEN").0, "00012e5");
        assert_eq!(given("FORGE_ACCOUNT"), ("bot".to_owned(), file.display().to_string()));
        assert_eq!(layers.get("FORGE_URL"), None);
        assert_eq!(layers.strangers(), ["TYPE"]);
    }

    #[test]
    fn a_file_that_is_none_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("x.env");
        fs::write(&file, "LOG=info\nthis is no line\n").unwrap();
        let error = Layers::default().with_file(&file).unwrap_err().to_string();
        assert!(error.contains("line 2"), "{error}");
    }
}
