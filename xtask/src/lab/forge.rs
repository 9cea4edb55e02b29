//! The lab's forge: a real Gitea, compiled from its Go module, with its database in one container. Its address is in the file
//! `forge-url` of the lab's state folder; the site administrator is `admin`, password `lab-password`.

use std::fs;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, bail};

use super::base;
use super::compile::GoProgram;
use super::content::ContentHash;
use super::images::{self, build, is_current};
use super::places::Places;
use super::{NETWORK, container_image, ensure_network};
use crate::process::{docker, output, run, succeeds, until};
use crate::steps::timed;

/// Its image.
pub(crate) const IMAGE: &str = "lab/forge:1.26.0";
/// Its container and its volume.
pub(crate) const CONTAINER: &str = "cc-ci-lab-forge";
const PROGRAM: GoProgram = GoProgram { name: "forge", version: "1.26.0", toolchain: "auto", oldest_go: (1, 26) };
/// The first start makes a database.
const PATIENCE: Duration = Duration::from_secs(90);

/// Compiles Gitea unless that was done on this machine.
pub(crate) fn compile(places: &Places) -> Result<()> {
    PROGRAM.ensure(places).map(drop)
}

/// Builds and starts what is missing; leaves the forge's address for the tests.
pub(crate) fn ensure(places: &Places) -> Result<()> {
    ensure_image(places)?;
    ensure_network()?;
    match container_image(CONTAINER) {
        Some(image) if images::id(IMAGE).as_ref() == Some(&image) => run(&mut docker(["start", CONTAINER]))?,
        Some(_) => {
            run(&mut docker(["rm", "--force", CONTAINER]))?;
            create()?;
        }
        None => create()?,
    }
    let url = url();
    if !until(PATIENCE, answers) {
        bail!("the forge does not answer at {url}; hint: docker logs {CONTAINER}");
    }
    fs::write(places.lab.join("forge-url"), &url)?;
    Ok(())
}

/// Removes the forge with everything in it.
pub(crate) fn remove() -> Result<()> {
    succeeds(&mut docker(["rm", "--force", "--volumes", CONTAINER]));
    run(&mut docker(["volume", "rm", "--force", CONTAINER]))
}

fn ensure_image(places: &Places) -> Result<()> {
    let binary = PROGRAM.ensure(places)?;
    let folder = places.image_context("forge");
    let postgres = images::id("lab/postgres:17").unwrap_or_default();
    let mut hash = ContentHash::default().part(base::hash()).part(PROGRAM.version).part(postgres);
    for file in ["Dockerfile", "entrypoint.sh"] {
        hash = hash.part(fs::read(folder.join(file))?);
    }
    let hash = hash.hex();
    if is_current(IMAGE, &hash) {
        return Ok(());
    }
    timed(&format!("build {IMAGE}"), || {
        let context = tempfile::tempdir_in(&places.lab)?;
        for file in ["Dockerfile", "entrypoint.sh"] {
            fs::copy(folder.join(file), context.path().join(file))?;
        }
        fs::hard_link(&binary, context.path().join("gitea"))?;
        let files = binary.with_file_name(format!("{}-{}.files", PROGRAM.name, PROGRAM.version));
        run(Command::new("cp").arg("--recursive").arg(&files).arg(context.path().join("files")))?;
        build(places, IMAGE, &hash, context.path(), &[])
    })
}

/// The port is the same as long as the container is: the forge writes its own address into links.
fn create() -> Result<()> {
    let url = url();
    let port = url.trim_start_matches("http://");
    let volume = format!("{CONTAINER}:/data");
    let mut command =
        docker(["run", "--detach", "--name", CONTAINER, "--network", NETWORK, "--network-alias", "forge.lab"]);
    command.args([
        "--volume",
        &volume,
        "--publish",
        &format!("{port}:3000"),
        "--env",
        &format!("FORGE_URL={url}"),
        IMAGE,
    ]);
    output(&mut command).map(drop)
}

/// `CC_CI_LAB_FORGE_PORT` is for a machine whose port 3300 is taken.
fn url() -> String {
    let port = std::env::var("CC_CI_LAB_FORGE_PORT").ok().and_then(|port| port.parse::<u16>().ok()).unwrap_or(3300);
    format!("http://127.0.0.1:{port}")
}

fn answers() -> bool {
    succeeds(&mut docker([
        "exec",
        CONTAINER,
        "curl",
        "--fail",
        "--silent",
        "--output",
        "/dev/null",
        "http://127.0.0.1:3000/api/v1/version",
    ]))
}
