//! Whose fault it is that an image is not to be had, and how that is said (design §4, *Denied*).

use std::collections::BTreeSet;

use jiff::Timestamp;

use super::{ImageName, InvalidImageName, Refusal, Trouble};
use crate::domain::finding::{Class, Finding, FindingKind};
use crate::domain::results::one_line;
use crate::domain::stage::Stage;

/// A message in a sentence is not longer.
const IN_SENTENCE: usize = 160;
/// A message as evidence is not longer.
const IN_EVIDENCE: usize = 4_000;

/// The finding about an image that is not to be had. `told` are the engine's own words; `base` the images of the base, as its compose
/// files write them; none without a base.
///
/// Denied for a repository that the base uses too: the registry has changed its mind, which is nobody's fault who changed the recipe.
/// Denied for a new one: unknown or private, which registries do not tell apart.
#[must_use]
pub fn judge(
    refusal: Refusal,
    image: &ImageName,
    told: &str,
    base: &BTreeSet<String>,
    stage: Stage,
    at: Timestamp,
) -> Finding {
    let known = base.iter().any(|other| is_same_repository(image, other));
    let finding = match refusal {
        Refusal::Missing => {
            let sentence = format!("the image {image} does not exist: the registry does not know it");
            Finding::new(FindingKind::ImageMissing, stage, at, sentence)
        }
        Refusal::Unusable => {
            let sentence = format!("the image {image} has nothing that the target can run: {}", quoted(told));
            let advice = "Use an image for the target's platform, in a format of today.";
            advised(Finding::new(FindingKind::ImageMissing, stage, at, sentence), advice)
        }
        Refusal::BadName => {
            let sentence = format!("`{image}` is not a valid image name");
            Finding::new(FindingKind::ImageMissing, stage, at, sentence)
        }
        Refusal::Denied if known => {
            let sentence = format!("the registry refuses {image} to the target, although the base uses it too");
            Finding::new(FindingKind::RegistryDenied, stage, at, sentence)
        }
        Refusal::Denied => {
            let sentence = format!("{image} is an unknown or private image: the registry refuses it to the target");
            Finding::new(FindingKind::ImageDenied, stage, at, sentence)
        }
        Refusal::Limit => {
            let sentence = format!("the registry's pull limit is reached for {image}");
            Finding::new(FindingKind::RegistryLimit, stage, at, sentence)
        }
        Refusal::Trouble(trouble) => troubled(trouble, image, told, stage, at),
    };
    let finding = finding.with("image", image.as_str());
    if told.is_empty() { finding } else { finding.with("what the target's engine says", bounded(told)) }
}

/// The finding about a text that is no image's name, which no engine is asked about.
#[must_use]
pub fn unknown_name(error: &InvalidImageName, stage: Stage, at: Timestamp) -> Finding {
    Finding::new(FindingKind::ImageMissing, stage, at, error.to_string())
}

fn troubled(trouble: Trouble, image: &ImageName, told: &str, stage: Stage, at: Timestamp) -> Finding {
    let host = image.host();
    let (sentence, advice) = match trouble {
        Trouble::UnknownHost => (
            format!("the target does not find the registry {host} by its name, so that {image} is not to be had"),
            "Check the registry's name in the recipe, and the target's name server; then try again.",
        ),
        Trouble::Unreachable => (
            format!("the registry {host} does not answer the target, so that {image} is not to be had"),
            "Check that the registry is up and that the target may reach it; then try again.",
        ),
        Trouble::Timeout => (
            format!("the registry {host} took too long to answer about {image}"),
            "Check the registry and the target's network; then try again.",
        ),
        Trouble::Certificate => (
            format!(
                "the target does not accept the certificate of the registry {host}, so that {image} is not to be had"
            ),
            "Renew the registry's certificate, or make its authority known to the target's engine.",
        ),
        Trouble::NoTls => (
            format!("the registry {host} does not speak HTTPS, so that {image} is not to be had"),
            "Give the registry a certificate, or list it under `insecure-registries` of the target's engine.",
        ),
        Trouble::ServerError => (
            format!("the registry {host} is out of order for {image}"),
            "Wait until the registry is well again; then try again.",
        ),
        Trouble::Disk => {
            let sentence = format!("the target's disk is full: {image} cannot be stored");
            return Finding::new(FindingKind::HostStarved, stage, at, sentence);
        }
        Trouble::Other => (
            format!("{image} could not be pulled: {}", quoted(told)),
            "See what the target's engine says; then try again.",
        ),
    };
    let mut finding = advised(Finding::new(FindingKind::RegistryDenied, stage, at, sentence), advice);
    finding.class = Class::Infra;
    finding
}

fn advised(mut finding: Finding, advice: &str) -> Finding {
    advice.clone_into(&mut finding.advice);
    finding
}

fn is_same_repository(image: &ImageName, other: &str) -> bool {
    ImageName::parse(other).is_ok_and(|other| other.repository() == image.repository())
}

fn quoted(told: &str) -> String {
    format!("“{}”", one_line(told, IN_SENTENCE))
}

fn bounded(told: &str) -> String {
    told.chars().take(IN_EVIDENCE).collect()
}
