//! The lab's registry: images that one test needs and nobody else, and the failures that what stands before it plays.

use std::fs;
use std::process::{Command, Stdio};

use super::{Lab, said};

/// A repository that one test has to itself.
pub(crate) struct Repository {
    name: String,
}

/// A failure that is switched on for a repository until this is dropped.
pub(crate) struct Fault {
    file: String,
}

impl Repository {
    /// Pushes an image with a layer of so many bytes that no other image has. The part of `name` before its slash may be the name of a
    /// fault: `slow/…` sends a megabyte in a second.
    pub(crate) fn push(name: &str, size: usize) -> Self {
        let context = tempfile::tempdir().unwrap();
        fs::write(context.path().join("Dockerfile"), "FROM lab/web:1.0.0\nCOPY layer /layer\n").unwrap();
        fs::write(context.path().join("layer"), noise(name, size)).unwrap();
        let (local, port) = (format!("cc-ci-test/{name}:1"), std::env::var("CC_CI_LAB_REGISTRY_PORT"));
        let there = format!("127.0.0.1:{}/{name}:1", port.as_deref().unwrap_or("5000"));
        said(Command::new("docker").args(["build", "--quiet", "--tag", &local]).arg(context.path()));
        said(Command::new("docker").args(["tag", &local, &there]));
        said(Command::new("docker").args(["push", "--quiet", &there]));
        said(Command::new("docker").args(["image", "rm", &local, &there]));
        Self { name: name.to_owned() }
    }

    /// Its image, as a recipe names it.
    pub(crate) fn image(&self) -> String {
        format!("registry.lab:5000/{}:1", self.name)
    }

    /// Removes the image from the target's store.
    pub(crate) fn forget(&self, lab: &Lab) {
        let mut command = lab.back_door(&[], &["docker", "image", "rm", "--force", &self.image()]);
        command.stdout(Stdio::null()).stderr(Stdio::null()).status().unwrap();
    }

    /// From now on the registry fails for this repository: `limited`, `private`, `denied`, `broken` or `slow`.
    pub(crate) fn fails(&self, fault: &str) -> Fault {
        let file = format!("/faults/{fault}/{}", self.name);
        in_front(&format!("mkdir -p \"$(dirname {file})\" && touch {file}"));
        Fault { file }
    }
}

impl Drop for Fault {
    fn drop(&mut self) {
        in_front(&format!("rm -f {}", self.file));
    }
}

fn in_front(script: &str) {
    said(Command::new("docker").args(["exec", "cc-ci-lab-front", "sh", "-c", script]));
}

/// Bytes that do not compress, the same each time, so that they are pushed once.
fn noise(seed: &str, size: usize) -> Vec<u8> {
    let mut state = seed.bytes().fold(0x9e37_79b9_7f4a_7c15_u64, |state, byte| state.rotate_left(9) ^ u64::from(byte));
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state.to_le_bytes()
    };
    std::iter::repeat_with(&mut next).flatten().take(size).collect()
}
