//! Clears a target of what killed runs left on it. Every test has a gate of its own, and no gate touches what another one made,
//! so that the leftovers of a suite that was killed would disturb all later ones.

use std::time::Duration;

use anyhow::{Result, bail};

use super::target::Target;
use super::{hold, proxy, runner};
use crate::process::{output, run, until};
use crate::steps::say;

/// A living run renews its claim every 20 s.
const RENEWED_WITHIN: Duration = Duration::from_secs(25);
const CLAIM: &str = "cc-ci-claim";
const STACK: &str = "com.docker.stack.namespace";

/// Removes everything beside the proxy, the claim and old runner images too, unless somebody uses the target.
pub(super) fn ensure_clean(target: &Target) -> Result<()> {
    let Some(_held) = hold(target)? else { return Ok(()) };
    let claimed = claim(target);
    if claimed.is_some() && until(RENEWED_WITHIN, || claim(target) != claimed) {
        return Ok(());
    }
    let stacks = others(lines(target, &["stack", "ls", "--format", "{{.Name}}"])?);
    remove(target, &["stack", "rm"], &stacks)?;
    wait_gone(target, &stacks)?;
    let containers = others(lines(target, &["ps", "--all", "--format", "{{.Names}}"])?);
    remove(target, &["rm", "--force", "--volumes"], &containers)?;
    if !stacks.is_empty() || !containers.is_empty() {
        let removed = [stacks, containers].concat().join(", ");
        say(format!("target {}: removed what a killed run had left: {removed}", target.section()));
    }
    // A stack that was removed before its volumes and secrets is none any more, and the claim is one of the configs.
    let of_stack = format!("label={STACK}");
    for (kind, filter) in [("network", of_stack.as_str()), ("config", "name="), ("secret", "name=")] {
        let names = others(lines(target, &[kind, "ls", "--filter", filter, "--format", "{{.Name}}"])?);
        remove(target, &[kind, "rm"], &names)?;
    }
    run(&mut target.exec(["docker", "volume", "prune", "--all", "--force"]))?;
    // The newest stands first: the next run will probably use it.
    let images = lines(target, &["image", "ls", "--quiet", "--no-trunc", runner::REPOSITORY])?;
    remove(target, &["image", "rm", "--force"], images.get(1..).unwrap_or_default())
}

/// What does not belong to the proxy.
fn others(mut names: Vec<String>) -> Vec<String> {
    names.retain(|name| !name.starts_with(proxy::STACK));
    names
}

/// A network can go only when the last container of a task has gone.
fn wait_gone(target: &Target, stacks: &[String]) -> Result<()> {
    let has_gone = |stack: &String| {
        let filter = format!("label={STACK}={stack}");
        lines(target, &["ps", "--all", "--quiet", "--filter", &filter]).is_ok_and(|left| left.is_empty())
    };
    if until(Duration::from_secs(60), || stacks.iter().all(has_gone)) {
        return Ok(());
    }
    bail!("what killed runs left stays on target {0}; hint: cargo xtask lab reset {0}", target.section());
}

/// When the claim that is there was last changed.
fn claim(target: &Target) -> Option<String> {
    output(&mut target.exec(["docker", "config", "inspect", "--format", "{{.UpdatedAt}} {{.Version.Index}}", CLAIM]))
        .ok()
}

fn lines(target: &Target, arguments: &[&str]) -> Result<Vec<String>> {
    let all = output(&mut target.exec(["docker"].into_iter().chain(arguments.iter().copied())))?;
    Ok(all.lines().map(str::to_owned).collect())
}

fn remove(target: &Target, command: &[&str], names: &[String]) -> Result<()> {
    if names.is_empty() {
        return Ok(());
    }
    let names = names.iter().map(String::as_str);
    run(&mut target.exec(["docker"].into_iter().chain(command.iter().copied()).chain(names)))
}
