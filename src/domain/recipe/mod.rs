//! A recipe read as data: its files, its variables, its compose files, its versions. Nothing of a recipe is executed.

pub mod abra_sh;
pub mod compose;
pub mod env;
pub mod files;
#[cfg(test)]
pub(crate) mod fixtures;
pub mod interpolate;
pub mod merge;
pub mod router;
pub mod selected;
pub mod version;
pub mod yaml;

pub use files::RecipeFiles;
pub use version::RecipeVersion;

/// The variables of an app.
pub const ENV_SAMPLE: &str = ".env.sample";
/// The recipe's shell file, of which only `export NAME=value` lines are read.
pub const ABRA_SH: &str = "abra.sh";
/// The compose file of an app that sets no `COMPOSE_FILE`.
pub const COMPOSE_YML: &str = "compose.yml";

/// So many compose files are read, and one less may be deployed.
pub const MAX_COMPOSE_FILES: usize = 40;

/// The compose files that a value of `COMPOSE_FILE` names, in order; `compose.yml` when it names none. At most [`MAX_COMPOSE_FILES`].
#[must_use]
pub fn compose_files(value: Option<&str>) -> Vec<String> {
    let named: Vec<String> = (value.unwrap_or_default().split(':').map(str::trim))
        .filter(|path| !path.is_empty())
        .map(|path| files::inside(path).unwrap_or(path).to_owned())
        .take(MAX_COMPOSE_FILES)
        .collect();
    if named.is_empty() { vec![COMPOSE_YML.to_owned()] } else { named }
}
