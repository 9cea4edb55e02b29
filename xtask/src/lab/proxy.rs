//! Traefik as an app of the target, deployed from its recipe by plain `docker stack deploy`, with the wildcard certificate as
//! secrets. It is made anew when recipe, image or certificate changed: configs and secrets cannot change in place.

use std::fs;
use std::path::Path;
use std::process::Command;
use std::time::Duration;

use anyhow::{Result, anyhow, bail};

use super::content::ContentHash;
use super::images::HASH_LABEL;
use super::places::Places;
use super::target::Target;
use super::{DOMAIN, images, traefik};
use crate::process::{docker, feed, output, run, succeeds, until};

/// The stack.
pub(super) const STACK: &str = "traefik_ci_lab_test";
const SERVICE: &str = "traefik_ci_lab_test_app";
const FOLDER: &str = "/opt/lab";
const LIMIT: Duration = Duration::from_secs(120);

/// Deploys the proxy unless this very one is there, and waits until it answers.
pub(crate) fn ensure(places: &Places, target: &Target) -> Result<()> {
    let recipe = places.checkout.join("tests/lab/recipes/traefik");
    traefik::check_recipe(&fs::read_to_string(recipe.join("compose.yml"))?)?;
    let hash = hash(places, &recipe)?;
    if deployed_hash(target).as_ref() != Some(&hash) {
        remove(target)?;
        deploy(places, target, &recipe, &hash)?;
    }
    if !until(LIMIT, || converged(target)) {
        let tasks = output(&mut target.exec(["docker", "stack", "ps", "--no-trunc", STACK])).unwrap_or_default();
        bail!("the proxy does not converge; its tasks:\n{tasks}");
    }
    // The proxy asks Swarm once a second, so the first answer may come a little after the start.
    if !until(Duration::from_secs(30), || answers(target)) {
        bail!("the proxy does not answer 404 for an unknown host; hint: docker service logs {SERVICE} on the target");
    }
    Ok(())
}

/// Whether the proxy answers 404 for an unknown host, with a certificate of the lab's authority.
pub(crate) fn answers(target: &Target) -> bool {
    let host = format!("unknown.{DOMAIN}");
    let (resolve, url) = (format!("{host}:443:127.0.0.1"), format!("https://{host}/"));
    let ca = format!("{FOLDER}/ca.pem");
    let status = output(&mut target.exec([
        "curl",
        "--silent",
        "--max-time",
        "5",
        "--cacert",
        &ca,
        "--resolve",
        &resolve,
        "--output",
        "/dev/null",
        "--write-out",
        "%{http_code}",
        &url,
    ]));
    status.is_ok_and(|status| status == "404")
}

fn hash(places: &Places, recipe: &Path) -> Result<String> {
    let image = images::id(traefik::IMAGE).ok_or_else(|| anyhow!("no image {}", traefik::IMAGE))?;
    let certificate = fs::read(places.lab.join("ca/wildcard.pem"))?;
    let hash = ContentHash::default().folder(recipe)?.part(image).part(certificate).part(fs::read(places.ca())?);
    Ok(hash.hex())
}

fn deployed_hash(target: &Target) -> Option<String> {
    let label = format!("{{{{index .Spec.Labels {HASH_LABEL:?}}}}}");
    output(&mut target.exec(["docker", "service", "inspect", "--format", &label, SERVICE])).ok()
}

fn deploy(places: &Places, target: &Target, recipe: &Path, hash: &str) -> Result<()> {
    let mut variables = variables(&fs::read_to_string(recipe.join(".env.sample"))?);
    variables.extend(self::variables(&fs::read_to_string(recipe.join("abra.sh"))?));
    variables.push(("LAB_HASH".to_owned(), hash.to_owned()));
    // `docker cp FOLDER/.` copies what is inside.
    run(&mut target.exec(["mkdir", "-p", FOLDER]))?;
    copy(target, &recipe.join("."))?;
    copy(target, &places.ca())?;
    for (name, file) in [("ssl_cert", "wildcard.pem"), ("ssl_key", "wildcard.key")] {
        let content = fs::read(places.lab.join("ca").join(file))?;
        let version = value(&variables, &format!("SECRET_{}_VERSION", name.to_uppercase()))?;
        let secret = format!("{STACK}_{name}_{version}");
        feed(&mut target.exec(["docker", "secret", "create", &secret, "-"]), &content)?;
    }
    run(&mut stack_deploy(target, &variables))
}

fn stack_deploy(target: &Target, variables: &[(String, String)]) -> Command {
    let mut command = docker(["exec", "--workdir", FOLDER]);
    for (name, value) in variables {
        command.arg("--env").arg(format!("{name}={value}"));
    }
    command.arg(target.container());
    command.args(["docker", "stack", "deploy", "--detach=true", "--compose-file", "compose.yml", STACK]);
    command
}

fn copy(target: &Target, from: &Path) -> Result<()> {
    run(docker(["cp"]).arg(from).arg(format!("{}:{FOLDER}/", target.container())))
}

fn remove(target: &Target) -> Result<()> {
    succeeds(&mut target.exec(["docker", "stack", "rm", STACK]));
    let filter = format!("label=com.docker.stack.namespace={STACK}");
    let gone = || {
        output(&mut target.exec(["docker", "ps", "--all", "--quiet", "--filter", &filter]))
            .is_ok_and(|it| it.is_empty())
    };
    if !until(Duration::from_secs(60), gone) {
        bail!("the old proxy does not go; hint: cargo xtask lab reset");
    }
    let names = output(&mut target.exec(["docker", "secret", "ls", "--format", "{{.Name}}"]))?;
    for secret in names.lines().filter(|name| name.starts_with(STACK)) {
        run(&mut target.exec(["docker", "secret", "rm", secret]))?;
    }
    Ok(())
}

fn converged(target: &Target) -> bool {
    let filter = format!("name={SERVICE}");
    output(&mut target.exec(["docker", "service", "ls", "--filter", &filter, "--format", "{{.Replicas}}"]))
        .is_ok_and(|replicas| replicas == "1/1")
}

/// The `NAME=value` and `export NAME=value` lines of a file that is data, never a script.
fn variables(text: &str) -> Vec<(String, String)> {
    text.lines()
        .map(|line| line.trim().strip_prefix("export ").unwrap_or(line.trim()))
        .filter(|line| !line.starts_with('#'))
        .filter_map(|line| line.split_once('='))
        .map(|(name, value)| (name.trim().to_owned(), value.trim().trim_matches('"').to_owned()))
        .collect()
}

fn value<'a>(variables: &'a [(String, String)], name: &str) -> Result<&'a str> {
    let found = variables.iter().rev().find(|(found, _)| found == name);
    found.map(|(_, value)| value.as_str()).ok_or_else(|| anyhow!("the proxy's .env.sample does not set {name}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn variables_of_both_files_are_read_as_data() {
        let found = variables("# A=1\nDOMAIN=x.test\n\nexport CONF_VERSION=\"v1\"\n");
        assert_eq!(value(&found, "DOMAIN").unwrap(), "x.test");
        assert_eq!(value(&found, "CONF_VERSION").unwrap(), "v1");
        assert!(value(&found, "A").is_err());
    }
}
