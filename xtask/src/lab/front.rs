//! What stands before the lab's registry, as `registry.lab:5000`, and plays the failures of public registries: see `nginx.conf`.

use std::time::Duration;

use anyhow::{Result, bail};

use super::images::{self, FRONT};
use super::{NETWORK, container_image};
use crate::process::{docker, output, run, succeeds, until};

/// Its container.
pub(crate) const CONTAINER: &str = "cc-ci-lab-front";

/// Starts it unless it runs; one made from an older image is made anew.
pub(crate) fn ensure() -> Result<()> {
    match container_image(CONTAINER) {
        Some(image) if images::id(FRONT.tag).as_ref() == Some(&image) => run(&mut docker(["start", CONTAINER]))?,
        Some(_) => {
            remove();
            create()?;
        }
        None => create()?,
    }
    if !until(Duration::from_secs(20), answers) {
        bail!("nothing answers before the registry; hint: docker logs {CONTAINER}");
    }
    Ok(())
}

/// Whether it leads to the registry.
pub(crate) fn answers() -> bool {
    let request = "exec 3<>/dev/tcp/127.0.0.1/5000 && printf 'GET /v2/ HTTP/1.0\\r\\nHost: registry.lab\\r\\n\\r\\n' >&3 && grep -q ' 200 ' <&3";
    succeeds(&mut docker(["exec", CONTAINER, "timeout", "5", "bash", "-c", request]))
}

/// Removes it, and with it the faults that tests have left switched on.
pub(crate) fn remove() {
    succeeds(&mut docker(["rm", "--force", CONTAINER]));
}

fn create() -> Result<()> {
    let mut command = docker(["run", "--detach", "--name", CONTAINER, "--network", NETWORK]);
    output(command.args(["--network-alias", "registry.lab", FRONT.tag])).map(drop)
}
