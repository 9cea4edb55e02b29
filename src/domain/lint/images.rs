//! Rules about images.

use super::{Place, seen::Seen};

/// The tag of an image; nothing without one. A digest counts as a tag, and so does a variable at the end.
fn tag(image: &str) -> Option<&str> {
    let (name, digest) = image.split_once('@').map_or((image, None), |(name, digest)| (name, Some(digest)));
    let last = name.rsplit('/').next().unwrap_or(name);
    let tag = last.split_once(':').map(|(_, tag)| tag).or(digest);
    tag.or_else(|| image.ends_with('}').then_some(image))
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
