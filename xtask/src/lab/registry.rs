//! The lab's registry: a port of the loopback for pushes, `store.lab` for what stands before it and plays its failures.

use std::io::{Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::images::{self, REGISTRY};
use super::{NETWORK, container_image, ensure_network};
use crate::process::{docker, output, run, succeeds, until};

/// Its container and its volume.
pub(crate) const CONTAINER: &str = "cc-ci-lab-registry";

/// Its name in the lab's network.
const ALIAS: &str = "store.lab";

const MANIFEST: &str = "application/vnd.docker.distribution.manifest.v2+json";
const TIMEOUT: Duration = Duration::from_secs(5);

/// Starts the registry unless it runs; one made from an older image, or that test hosts reach directly, is made anew.
pub(crate) fn ensure() -> Result<()> {
    ensure_network()?;
    match container_image(CONTAINER) {
        Some(image) if images::id(REGISTRY.tag).as_ref() == Some(&image) && is_behind_the_front() => {
            run(&mut docker(["start", CONTAINER]))?;
        }
        Some(_) => {
            run(&mut docker(["rm", "--force", CONTAINER]))?;
            create()?;
        }
        None => create()?,
    }
    if !until(Duration::from_secs(20), answers) {
        bail!("the registry does not answer on {}; hint: docker logs {CONTAINER}", address());
    }
    Ok(())
}

/// Whether the registry answers on the loopback.
pub(crate) fn answers() -> bool {
    get("/v2/", "*/*").is_ok_and(|(status, _)| status == 200)
}

/// Removes the registry with what was pushed to it.
pub(crate) fn remove() -> Result<()> {
    succeeds(&mut docker(["rm", "--force", "--volumes", CONTAINER]));
    run(&mut docker(["volume", "rm", "--force", CONTAINER]))
}

/// Pushes an image unless the registry has exactly this one under its name.
pub(crate) fn push(image: &str) -> Result<()> {
    let id = images::id(image).ok_or_else(|| anyhow!("no image {image} to push"))?;
    if pushed_id(image).as_ref() == Some(&id) {
        return Ok(());
    }
    let there = format!("{}/{image}", address());
    run(&mut docker(["tag", image, &there]))?;
    run(&mut docker(["push", "--quiet", &there]))?;
    run(&mut docker(["image", "rm", &there]))
}

fn create() -> Result<()> {
    let volume = format!("{CONTAINER}:/var/lib/registry");
    let port = format!("{}:5000", address());
    let mut command = docker(["run", "--detach", "--name", CONTAINER, "--network", NETWORK]);
    command.args(["--network-alias", ALIAS, "--volume", &volume, "--publish", &port, REGISTRY.tag]);
    output(&mut command).map(drop)
}

fn is_behind_the_front() -> bool {
    let format = format!("{{{{(index .NetworkSettings.Networks {NETWORK:?}).Aliases}}}}");
    output(&mut docker(["container", "inspect", "--format", &format, CONTAINER]))
        .is_ok_and(|found| found.contains(ALIAS))
}

/// Where pushes go. `CC_CI_LAB_REGISTRY_PORT` is for a machine whose port 5000 is taken.
fn address() -> SocketAddr {
    let port = std::env::var("CC_CI_LAB_REGISTRY_PORT").ok().and_then(|port| port.parse().ok());
    SocketAddr::from(([127, 0, 0, 1], port.unwrap_or(5000)))
}

/// The id of the image that the registry has: an image's id is the digest of its configuration, which the manifest names.
fn pushed_id(image: &str) -> Option<String> {
    let (name, tag) = image.rsplit_once(':')?;
    let (status, body) = get(&format!("/v2/{name}/manifests/{tag}"), MANIFEST).ok()?;
    if status != 200 {
        return None;
    }
    let manifest: serde_json::Value = serde_json::from_slice(&body).ok()?;
    manifest["config"]["digest"].as_str().map(str::to_owned)
}

/// One request over HTTP/1.0, whose answer ends with the connection and is never chunked.
fn get(path: &str, accept: &str) -> Result<(u16, Vec<u8>)> {
    let mut stream = TcpStream::connect_timeout(&address(), TIMEOUT)?;
    stream.set_read_timeout(Some(TIMEOUT))?;
    write!(stream, "GET {path} HTTP/1.0\r\nHost: registry.lab\r\nAccept: {accept}\r\n\r\n")?;
    let mut answer = Vec::new();
    stream.take(1 << 20).read_to_end(&mut answer)?;
    parse_answer(&answer).ok_or_else(|| anyhow!("the registry's answer is not HTTP"))
}

fn parse_answer(answer: &[u8]) -> Option<(u16, Vec<u8>)> {
    let end = answer.windows(4).position(|window| window == b"\r\n\r\n")?;
    let head = std::str::from_utf8(&answer[..end]).ok()?;
    let status = head.split(' ').nth(1)?.parse().ok()?;
    Some((status, answer[end + 4..].to_vec()))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_answer_is_status_and_body() {
        let answer = b"HTTP/1.0 404 Not Found\r\nServer: x\r\n\r\n{}";
        assert_eq!(parse_answer(answer), Some((404, b"{}".to_vec())));
        assert_eq!(parse_answer(b"SSH-2.0"), None);
    }
}
