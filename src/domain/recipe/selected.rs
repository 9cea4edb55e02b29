//! What a recipe selects as `.env.sample` stands: its compose files as one, filled in as far as they can be read. Tolerant,
//! unlike a deployment: also of a recipe that docker would refuse, version and images are worth knowing.

use std::collections::{BTreeMap, BTreeSet};

use super::abra_sh::AbraSh;
use super::compose::Compose;
use super::env::EnvFile;
use super::interpolate::interpolate;
use super::{ABRA_SH, ENV_SAMPLE, RecipeFiles, RecipeVersion, compose_files, yaml};

/// The stack's name where there is no stack.
const STACK: &str = "stack";

/// The selected compose files.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Selected {
    /// The files in order, also those that are missing.
    pub paths: Vec<String>,
    /// Those that can be read, as one, with variables filled in.
    pub compose: Compose,
}

impl Selected {
    /// Reads them. Variables in `forced` have that value, whatever the recipe says; the stack is called `stack`.
    #[must_use]
    pub fn read(files: &RecipeFiles, forced: &BTreeMap<String, String>) -> Self {
        let sample = EnvFile::parse(files.text_or_empty(ENV_SAMPLE).unwrap_or_default());
        let mut ours = forced.clone();
        ours.insert("STACK_NAME".to_owned(), STACK.to_owned());
        let mut variables = sample.expand(&ours);
        variables.extend(AbraSh::parse(files.text_or_empty(ABRA_SH).unwrap_or_default()).values());
        variables.extend(ours);
        let paths = compose_files(variables.get("COMPOSE_FILE").map(String::as_str));
        let mut compose = Compose::default();
        for read in paths.iter().filter_map(|path| file(files, path, &variables)) {
            compose.merge(read);
        }
        Self { paths, compose }
    }

    /// The version label of service `app`, if it is a version.
    #[must_use]
    pub fn version(&self) -> Option<RecipeVersion> {
        let labels = &self.compose.services.get("app")?.deploy.labels;
        // Docker fills in values, and the keys of a map are none.
        let text = labels
            .get(&format!("coop-cloud.{STACK}.version"))
            .or_else(|| labels.get("coop-cloud.${STACK_NAME}.version"));
        RecipeVersion::parse(text?).ok()
    }

    /// The images of all services.
    #[must_use]
    pub fn images(&self) -> BTreeSet<String> {
        let images = self.compose.services.values().filter_map(|service| service.image.clone());
        images.filter(|image| !image.trim().is_empty()).collect()
    }
}

fn file(files: &RecipeFiles, path: &str, variables: &BTreeMap<String, String>) -> Option<Compose> {
    let mut tree = yaml::parse(files.text(path).ok()?).ok()?;
    let mut fill_in = |_: &[String], text: &str| -> Result<String, std::convert::Infallible> {
        let filled = interpolate(text, &|name| variables.get(name).map(String::as_str));
        Ok(filled.unwrap_or_else(|_| text.to_owned()))
    };
    let Ok(()) = yaml::try_map_texts(&mut tree, &mut Vec::new(), &mut fill_in);
    Compose::read(&tree).ok()
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::super::fixtures::{files, notes};
    use super::*;

    fn read(files: &RecipeFiles) -> Selected {
        Selected::read(files, &BTreeMap::new())
    }

    #[test]
    fn version_and_images_are_those_of_the_selected_files() {
        let selected = read(&notes());
        assert_eq!(selected.paths, ["compose.yml", "compose.postgres.yml"]);
        assert_eq!(selected.version().map(|version| version.to_string()).as_deref(), Some("1.0.0+1.0.0"));
        assert_eq!(selected.images().len(), 2, "{:?}", selected.images());
    }

    #[test]
    fn what_docker_would_refuse_still_tells_its_version() {
        let compose = "services:\n  app:\n    image: web:${TAG}\n    environment: [\"A=${B:+no}\"]\n    deploy:\n      labels:\n        - coop-cloud.${STACK_NAME}.version=${V:-1.0.0+1}\n";
        let recipe = files(&[
            ("compose.yml", compose),
            (".env.sample", "TAG=2\nCOMPOSE_FILE=compose.yml:compose.gone.yml:compose.bad.yml\n"),
            ("compose.bad.yml", "- a list\n"),
        ]);
        let selected = read(&recipe);
        assert_eq!(selected.version(), RecipeVersion::parse("1.0.0+1").ok());
        assert_eq!(selected.images(), BTreeSet::from(["web:2".to_owned()]));
        let forced = BTreeMap::from([("TAG".to_owned(), "3".to_owned())]);
        assert_eq!(Selected::read(&recipe, &forced).images(), BTreeSet::from(["web:3".to_owned()]));
        assert_eq!(read(&RecipeFiles::new()).version(), None);
        let map = "services:\n  app:\n    deploy:\n      labels:\n        coop-cloud.${STACK_NAME}.version: 2.0.1+1.0.6-social\n";
        assert_eq!(read(&files(&[("compose.yml", map)])).version(), RecipeVersion::parse("2.0.1+1.0.6-social").ok());
    }

    proptest! {
        #[test]
        fn any_recipe_is_read(sample in "(?s).{0,60}", compose in "(?s).{0,60}|services: \\{app: \\{[a-z]{1,8}: .{0,20}\\}\\}") {
            let selected = read(&files(&[(".env.sample", &sample), ("compose.yml", &compose)]));
            let _ = (selected.version(), selected.images());
        }
    }
}
