//! The images of the lab. Each carries the hash of its build context and of the images it is made from as a label; one whose
//! label fits is not built again, whatever the builder's cache holds.

use std::path::Path;

use anyhow::{Result, anyhow};

use super::base;
use super::content::ContentHash;
use super::places::Places;
use crate::process::{docker, logged, output, run};
use crate::steps::timed;

/// The label that holds an image's content hash.
pub(crate) const HASH_LABEL: &str = "cc-ci.lab.hash";

/// The compiler and the lab's own programs.
pub(crate) const GO: Image = Image::new("lab/go:latest", "go");
/// A test Swarm host.
pub(crate) const TARGET: Image = Image::new("lab/target:latest", "target").with_go();
/// What stands before the registry and plays its failures.
pub(crate) const FRONT: Image = Image::new("lab/front:latest", "front");
/// The registry.
pub(crate) const REGISTRY: Image = Image::new("lab/registry:latest", "registry").with_go();
/// The lab's application.
pub(crate) const WEB: [Image; 3] = [
    Image::new("lab/web:1.0.0", "web").with_go().version("1.0.0"),
    Image::new("lab/web:1.1.0", "web").with_go().version("1.1.0"),
    Image::new("lab/web:2.0.0", "web").with_go().version("2.0.0"),
];
/// Services from Debian packages.
pub(crate) const SERVICES: [Image; 2] = [Image::new("lab/postgres:17", "postgres"), Image::new("lab/redis:8", "redis")];

/// How an image is made. Every image is made from the base.
pub(crate) struct Image {
    /// Name and tag.
    pub(crate) tag: &'static str,
    context: &'static str,
    from_go: bool,
    web_version: Option<&'static str>,
}

impl Image {
    const fn new(tag: &'static str, context: &'static str) -> Self {
        Self { tag, context, from_go: false, web_version: None }
    }

    /// It copies a program out of `lab/go`.
    const fn with_go(mut self) -> Self {
        self.from_go = true;
        self
    }

    const fn version(mut self, version: &'static str) -> Self {
        self.web_version = Some(version);
        self
    }

    /// Builds the image unless it is there.
    pub(crate) fn ensure(&self, places: &Places) -> Result<()> {
        let hash = self.hash(places)?;
        if is_current(self.tag, &hash) {
            return Ok(());
        }
        let mut arguments = Vec::new();
        if let Some(version) = self.web_version {
            arguments.push(("WEB_VERSION", version.to_owned()));
        }
        timed(&format!("build {}", self.tag), || {
            build(places, self.tag, &hash, &places.image_context(self.context), &arguments)
        })
    }

    fn hash(&self, places: &Places) -> Result<String> {
        let mut hash = ContentHash::default()
            .part(base::hash())
            .part(self.web_version.unwrap_or_default())
            .folder(&places.image_context(self.context))?;
        if self.from_go {
            hash = hash.part(GO.hash(places)?);
        }
        Ok(hash.hex())
    }
}

/// Whether the image is there and was made from this content.
pub(crate) fn is_current(tag: &str, hash: &str) -> bool {
    let label = format!("{{{{index .Config.Labels {HASH_LABEL:?}}}}}");
    output(&mut docker(["image", "inspect", "--format", &label, tag])).is_ok_and(|found| found == hash)
}

/// The engine's id of an image; `None` when it is not there.
pub(crate) fn id(tag: &str) -> Option<String> {
    output(&mut docker(["image", "inspect", "--format", "{{.Id}}", tag])).ok()
}

/// Builds a context, labelled with its hash. The builder's output is kept as a log, shown only on failure.
pub(crate) fn build(
    places: &Places,
    tag: &str,
    hash: &str,
    context: &Path,
    arguments: &[(&str, String)],
) -> Result<()> {
    let name = tag.rsplit('/').next().ok_or_else(|| anyhow!("no name in {tag}"))?.replace(':', "-");
    let log = places.lab_folder("logs")?.join(format!("build-{name}.log"));
    let mut command = docker(["build", "--tag", tag, "--label", &format!("{HASH_LABEL}={hash}")]);
    for (argument, value) in arguments {
        command.arg("--build-arg").arg(format!("{argument}={value}"));
    }
    logged(command.arg(context), &log)
}

/// Removes the images that lost their names to newer ones.
pub(crate) fn prune() -> Result<()> {
    run(&mut docker(["image", "prune", "--force", "--filter", &format!("label={HASH_LABEL}")]))
}

/// Removes every image of the lab.
pub(crate) fn remove_all() -> Result<()> {
    let tags =
        output(&mut docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", "--filter", "reference=lab/*"]))?;
    if !tags.is_empty() {
        run(docker(["image", "rm", "--force"]).args(tags.lines()))?;
    }
    prune()
}
