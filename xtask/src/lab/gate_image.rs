//! The image of the gate as its recipe names it, from the `Dockerfile` in the root and cargo's own program.

use std::fs;
use std::path::Path;

use anyhow::Result;

use super::content::{ContentHash, file_sha256};
use super::images::{build, is_current};
use super::places::Places;
use super::{base, registry, runner};
use crate::steps::timed;

/// The recipe's default repository, and the version that it deploys.
const IMAGE: &str = concat!("cc-ci/cc-ci:", env!("CARGO_PKG_VERSION"));

/// Builds the image unless it is there, and pushes it unless the registry has it.
pub(super) fn push(places: &Places, binary: &Path) -> Result<()> {
    let image = ensure(places, binary)?;
    timed(&format!("push {image}"), || registry::push(image))
}

/// Builds the image unless it is there. Returns its name.
pub(super) fn ensure(places: &Places, binary: &Path) -> Result<&'static str> {
    let context = tempfile::tempdir_in(&places.lab)?;
    let (dockerfile, program) = (context.path().join("Dockerfile"), context.path().join("cc-ci"));
    fs::copy(places.checkout.join("Dockerfile"), &dockerfile)?;
    runner::copy_stripped(binary, &program)?;
    // That of the program in the image: it is what the gate finds when it looks at itself.
    let program_hash = file_sha256(&program)?;
    let content = ContentHash::default().part(base::hash()).part(fs::read(&dockerfile)?).part(&program_hash).hex();
    if !is_current(IMAGE, &content) {
        let arguments = [("BASE", base::IMAGE.to_owned()), ("BINARY_SHA256", program_hash)];
        timed(&format!("build {IMAGE}"), || build(places, IMAGE, &content, context.path(), &arguments))?;
    }
    Ok(IMAGE)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_recipe_deploys_this_image() {
        let compose = include_str!("../../../compose.yml");
        let (repository, version) = IMAGE.rsplit_once(':').unwrap();
        assert!(compose.contains(&format!("image: ${{IMAGE_REPOSITORY:-{repository}}}:{version}\n")));
    }
}
