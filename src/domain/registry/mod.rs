//! Images and the registries they come from: names, what a registry's refusal means, and how far a pull is.
//!
//! Head's images are resolved and pulled before anything is deployed (design §4), so that a missing one is red at once and a pull
//! is never mistaken for a start that takes long.

mod judge;
mod name;
mod pulling;
mod refusal;

pub use self::judge::{judge, unknown_name};
pub use self::name::{ImageName, InvalidImageName};
pub use self::pulling::{Message, Pulling, Quiet, quiet};
pub use self::refusal::{Refusal, Trouble};

use std::collections::BTreeMap;

use super::deployment::ServicePlan;

/// The images that a deploy needs, each once, with the services that use it. A service scaled to 0 starts nothing and needs none.
#[must_use]
pub fn needed(services: &[ServicePlan]) -> BTreeMap<String, Vec<String>> {
    let mut images: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for service in services.iter().filter(|service| !service.scaled_to_zero && !service.image.is_empty()) {
        images.entry(service.image.clone()).or_default().push(service.name.clone());
    }
    images
}

#[cfg(test)]
mod tests;
