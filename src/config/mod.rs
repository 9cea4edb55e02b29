//! What cc-ci is told: the targets file, and for the service its settings.
//!
//! [`Settings`] is read from [`Layers`] (a file, the environment, the command line); [`KEYS`] has every setting with its meaning.
//! All that is wrong is told at once, each with the setting's name, what is wrong, and what to write.

pub mod keys;
mod layers;
mod reader;
mod sections;
mod settings;
#[cfg(test)]
mod settings_tests;
mod targets;
mod values;

pub use self::keys::{KEYS, Key, Kind};
pub use self::layers::Layers;
pub use self::reader::{Effective, Problem};
pub use self::settings::{
    Access, ForgeSettings, HookSettings, InvalidSettings, LogFormat, LogSettings, OAuth, PageSettings, RecyclePolicy,
    RecycleSettings, RunSettings, Settings, WatchSettings, own_key,
};
pub use self::targets::{ConfigError, state_folder, target};

/// Whether anybody set up the service here: a forge is given, right or wrong.
#[must_use]
pub fn is_configured(layers: &Layers) -> bool {
    layers.get(keys::FORGE_URL.name).is_some()
}

/// Every setting as it holds, secrets by their length alone.
#[must_use]
pub fn effective(layers: &Layers) -> Vec<Effective> {
    reader::Reader::effective(layers)
}
