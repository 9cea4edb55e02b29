//! The runner image of exactly this build, as `runner.tar` in cc-ci's state folder.

use std::fs;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::process::Stdio;

use anyhow::{Context, Result, anyhow, bail};

use super::base;
use super::content::{ContentHash, file_sha256};
use super::images::build;
use super::places::Places;
use crate::process::{cargo, docker, exists, output, program, run, succeeds};
use crate::steps::timed;

/// What its images are called, here and on targets.
pub(super) const REPOSITORY: &str = "cc-ci/runner";

/// The files that a run needs.
pub(crate) fn tar_file(places: &Places) -> PathBuf {
    places.cc_ci.join("runner.tar")
}

/// The hash of the binary inside `runner.tar`, when there is one.
pub(crate) fn saved_hash(places: &Places) -> Option<String> {
    let hash = fs::read_to_string(hash_file(places)).ok()?.trim().to_owned();
    tar_file(places).exists().then_some(hash)
}

/// Builds the binary with cargo, in the profile that tests use. Cargo's progress goes to standard error.
pub(crate) fn build_binary(places: &Places) -> Result<PathBuf> {
    build_with(places, &[])
}

/// The same with more arguments for cargo.
pub(crate) fn build_with(places: &Places, more: &[&str]) -> Result<PathBuf> {
    let mut command = cargo();
    command
        .current_dir(&places.checkout)
        .args(["build", "--quiet", "--package", "cc-ci", "--bin", "cc-ci", "--message-format=json-render-diagnostics"])
        .args(more)
        .stdin(Stdio::null())
        .stderr(Stdio::inherit());
    let output = command.output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("cargo cannot build cc-ci; hint: cargo build --bin cc-ci");
    }
    executable(&String::from_utf8_lossy(&output.stdout)).ok_or_else(|| anyhow!("cargo named no binary cc-ci"))
}

/// Builds and saves the image unless the saved one is of this binary.
pub(crate) fn ensure(places: &Places, binary: &Path) -> Result<()> {
    let binary_hash = cached_sha256(places, binary)?;
    let content = ContentHash::default()
        .part(base::hash())
        .part(fs::read(places.checkout.join("Dockerfile"))?)
        .part(&binary_hash)
        .hex();
    let made_from = places.lab_folder("runner")?.join("made-from");
    let current = fs::read_to_string(&made_from).is_ok_and(|hash| hash == content);
    if current && saved_hash(places).as_ref() == Some(&binary_hash) {
        return Ok(());
    }
    let tag = format!("{REPOSITORY}:{}", &content[..12]);
    timed("build the runner image", || build_image(places, &tag, &content, binary, &binary_hash))?;
    timed("save runner.tar", || save(places, &tag, &binary_hash))?;
    remove_images_but(Some(&tag))?;
    fs::write(made_from, content)?;
    Ok(())
}

/// Removes runner images from this machine's engine, so that its disk does not fill; one of them may be kept.
pub(crate) fn remove_images_but(kept: Option<&str>) -> Result<()> {
    let tags = output(&mut docker(["image", "ls", "--format", "{{.Repository}}:{{.Tag}}", REPOSITORY]))?;
    for tag in tags.lines().filter(|tag| Some(*tag) != kept) {
        run(&mut docker(["image", "rm", "--force", tag]))?;
    }
    Ok(())
}

fn hash_file(places: &Places) -> PathBuf {
    places.cc_ci.join("runner.sha256")
}

fn build_image(places: &Places, tag: &str, content: &str, binary: &Path, binary_hash: &str) -> Result<()> {
    let context = tempfile::tempdir_in(&places.lab)?;
    fs::copy(places.checkout.join("Dockerfile"), context.path().join("Dockerfile"))?;
    copy_stripped(binary, &context.path().join("cc-ci"))?;
    let arguments = [("BASE", base::IMAGE.to_owned()), ("BINARY_SHA256", binary_hash.to_owned())];
    build(places, tag, content, context.path(), &arguments)
}

/// Debug information is of no use in the image and several times the size of the program.
pub(super) fn copy_stripped(from: &Path, to: &Path) -> Result<()> {
    let stripped = exists("objcopy") && succeeds(program("objcopy").arg("--strip-debug").arg(from).arg(to));
    if !stripped {
        fs::copy(from, to)?;
    }
    Ok(())
}

fn save(places: &Places, tag: &str, binary_hash: &str) -> Result<()> {
    let (tar, hash) = (tar_file(places), hash_file(places));
    let unfinished = tar.with_extension("new");
    run(docker(["save", "--output"]).arg(&unfinished).arg(tag))?;
    // Without its hash the file is not used, so no moment shows a hash beside the wrong image.
    fs::remove_file(&hash).ok();
    fs::rename(unfinished, &tar).with_context(|| format!("cannot write {}", tar.display()))?;
    fs::write(&hash, format!("{binary_hash}\n"))?;
    Ok(())
}

/// The binary's hash; computed again only when size, time or inode changed, since an unoptimised build takes its time.
fn cached_sha256(places: &Places, binary: &Path) -> Result<String> {
    let about = fs::metadata(binary)?;
    let stamp =
        format!("{} {} {} {}.{}", binary.display(), about.ino(), about.size(), about.mtime(), about.mtime_nsec());
    let cache = places.lab_folder("runner")?.join("binary-hash");
    let known = fs::read_to_string(&cache).ok();
    if let Some((hash, _)) = known.as_deref().and_then(|text| text.split_once('\n')).filter(|(_, of)| *of == stamp) {
        return Ok(hash.to_owned());
    }
    let hash = file_sha256(binary)?;
    fs::write(cache, format!("{hash}\n{stamp}"))?;
    Ok(hash)
}

/// The path of the program among cargo's messages, one JSON object per line.
fn executable(messages: &str) -> Option<PathBuf> {
    let is_ours = |message: &serde_json::Value| {
        message["reason"] == "compiler-artifact"
            && message["target"]["name"] == "cc-ci"
            && message["executable"].is_string()
    };
    messages
        .lines()
        .filter_map(|line| serde_json::from_str::<serde_json::Value>(line).ok())
        .filter(is_ours)
        .find_map(|message| message["executable"].as_str().map(PathBuf::from))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_binary_is_found_among_cargos_messages() {
        let messages = concat!(
            r#"{"reason":"compiler-artifact","target":{"name":"cc_ci"},"executable":null}"#,
            "\n",
            r#"{"reason":"compiler-artifact","target":{"name":"cc-ci"},"executable":"/t/debug/cc-ci"}"#,
            "\n",
            r#"{"reason":"build-finished","success":true}"#,
        );
        assert_eq!(executable(messages), Some(PathBuf::from("/t/debug/cc-ci")));
        assert_eq!(executable("{}\nnot json"), None);
    }
}
