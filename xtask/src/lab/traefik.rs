//! The real Traefik as an image of the lab.

use std::fs;

use anyhow::{Result, bail};

use super::base;
use super::compile::GoProgram;
use super::content::ContentHash;
use super::images::{build, is_current};
use super::places::Places;
use crate::steps::timed;

/// The newest version whose go.mod is content with Debian's Go 1.24.
pub(crate) const VERSION: &str = "3.6.7";
/// The image's name; the recipe of the proxy names it too.
pub(crate) const IMAGE: &str = "lab/traefik:3.6.7";

const PROGRAM: GoProgram = GoProgram { name: "traefik", version: VERSION, toolchain: "local", oldest_go: (1, 24) };

/// Compiles and builds what is missing.
pub(crate) fn ensure(places: &Places) -> Result<()> {
    let binary = PROGRAM.ensure(places)?;
    let dockerfile = places.image_context("traefik").join("Dockerfile");
    let hash = ContentHash::default().part(base::hash()).part(VERSION).part(fs::read(&dockerfile)?).hex();
    if is_current(IMAGE, &hash) {
        return Ok(());
    }
    timed(&format!("build {IMAGE}"), || {
        // The context holds the binary alone. A hard link, since the file has 170 MB.
        let context = tempfile::tempdir_in(&places.lab)?;
        fs::copy(&dockerfile, context.path().join("Dockerfile"))?;
        fs::hard_link(&binary, context.path().join("traefik"))?;
        build(places, IMAGE, &hash, context.path(), &[])
    })
}

/// Checks that the proxy's recipe and this module speak of the same version.
pub(crate) fn check_recipe(compose: &str) -> Result<()> {
    if !compose.contains(&format!("image: {IMAGE}\n")) {
        bail!("the proxy's compose.yml does not name {IMAGE}; hint: raise both versions together");
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recipe_image_and_binary_are_of_one_version() {
        assert!(IMAGE.ends_with(VERSION));
        check_recipe(include_str!("../../../tests/lab/recipes/traefik/compose.yml")).unwrap();
    }
}
