//! Rules about images.

use super::seen::{Place, Seen};

/// The tag of an image; nothing without one. A digest counts as a tag, and so does a variable at the end.
fn tag(image: &str) -> Option<&str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag).or(digest);
    tag.or_else(|| image.ends_with('}').then_some(image))
}

pub(super) fn present(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let without = |image: &Option<String>| image.as_deref().is_none_or(|image| image.trim().is_empty());
    if !seen.is_whole() {
        return;
    }
    for (name, _) in seen.merged.services.iter().filter(|(_, service)| without(&service.image)) {
        places.push(seen.at_service(name, format!("service `{name}` has no image")));
    }
}

/// A version has a digit; a variable may hold one. `latest` has a rule of its own.
pub(super) fn tag_is_a_version(seen: &Seen<'_>, places: &mut Vec<Place>) {
    let moves =
        |tag: &str| !tag.contains(['$', '@']) && !tag.bytes().any(|byte| byte.is_ascii_digit()) && tag != "latest";
    for (source, name, service) in seen.services() {
        let Some(image) = service.image.as_deref().filter(|image| tag(image).is_some_and(moves)) else { continue };
        let text = format!("the tag of the image `{image}` of service `{name}` is no version");
        places.push(source.at(&["services", name, "image"], text));
    }
}

/// `scratch` stands for no image at all.
fn is_scratch(image: &str) -> bool {
    image == "scratch"
}

pub(super) fn tagged(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, name, service) in seen.services() {
        if let Some(image) = service.image.as_deref().filter(|image| !is_scratch(image) && tag(image).is_none()) {
            places.push(
                source.at(&["services", name, "image"], format!("the image `{image}` of service `{name}` has no tag")),
            );
        }
    }
}

pub(super) fn not_latest(seen: &Seen<'_>, places: &mut Vec<Place>) {
    for (source, name, service) in seen.services() {
        if let Some(image) = service
            .image
            .as_deref()
            .filter(|image| tag(image).is_some_and(|tag| tag == "latest" || tag.ends_with("-latest}")))
        {
            places.push(source.at(
                &["services", name, "image"],
                format!("the image `{image}` of service `{name}` has the tag `latest`"),
            ));
        }
    }
}
