//! A gate that is deployed from cc-ci's own recipe on the lab's host `ops`, and judges a pull request from there: the way an operator
//! has it, but for `abra`, whose documented semantics cc-ci's own driver follows.

mod forge;

use std::fs;
use std::path::PathBuf;
use std::process::Command;
use std::time::Duration;

use anyhow::{Context, Result, anyhow, bail};

use self::forge::Forge;
use crate::forge::is_verdict;
use crate::lab::{self, DOMAIN, Options, Places, Target};
use crate::process::{feed, output, run, until};
use crate::steps::{say, timed};

/// The image is pulled, the container starts.
const STARTS: Duration = Duration::from_secs(180);
/// The gate looks at its targets, sends the runner image once, deploys, judges, removes.
const JUDGED: Duration = Duration::from_secs(420);
/// The options of a key that may do what a gate must, and nothing else; see docs/targets.md.
const OPTIONS: &str =
    r#"restrict,port-forwarding,permitopen="127.0.0.1:443",permitopen="[/var/run/docker.sock]:*",command="/bin/false""#;

/// A verdict by a deployed gate.
pub(crate) struct Judged {
    /// The comment with the verdict.
    pub(crate) comment: String,
    /// A command that shows the dashboard on this machine.
    pub(crate) dashboard: String,
}

/// Deploys the gate anew and has it judge a pull request. The host must be up.
pub(crate) fn judge() -> Result<Judged> {
    let gate = Gate::new()?;
    lab::push_gate_image()?;
    let forge = timed("organisation, people, recipe and pull request on the forge", || gate.furnish())?;
    timed("the gate, deployed and healthy", || gate.deploy(&forge))?;
    timed("its key, let in by the target", || gate.let_in())?;
    gate.check_confinement()?;
    forge.say("!testme")?;
    say(format!("!testme on {}/good, commit {}", forge.organisation, &forge.head[..8]));
    let comment = timed("the verdict, on the pull request", || gate.verdict(&forge))?;
    timed("the dashboard, over TLS through the proxy", || gate.check_pages(&forge))?;
    gate.check_runner_image()?;
    timed("the gate, updated in place with a restored database", || gate.check_update(&forge))?;
    Ok(Judged { comment, dashboard: gate.dashboard()? })
}

/// cc-ci tests its own recipe, as an app under test like any other.
pub(crate) fn test_own_recipe() -> Result<()> {
    let gate = Gate::new()?;
    lab::push_gate_image()?;
    let mut command = Command::new(&gate.binary);
    command.arg("run").arg(&gate.places.checkout).args(["--target", gate.target.section(), "--state"]);
    let tested = run(command.arg(&gate.places.cc_ci));
    // Each build is pulled by the same name, and leaves the one before without it.
    for host in [&gate.ops, &gate.target] {
        run(&mut host.exec(["docker", "image", "prune", "--force"]))?;
    }
    tested
}

/// Removes the gate with everything that is its own, and its key from the target.
pub(crate) fn remove() -> Result<()> {
    let gate = Gate::new()?;
    gate.shut_out()?;
    run(gate.cc_ci("undeploy").args(["--domain", &gate.domain]))
}

/// Brings up the lab with the host for the gate.
pub(crate) fn lab_up(yes: bool) -> Result<()> {
    lab::up(&Options { yes, targets: vec![Target::named(Target::OPS)] }).map(drop)
}

struct Gate {
    places: Places,
    binary: PathBuf,
    domain: String,
    ops: Target,
    /// The test Swarm that it uses.
    target: Target,
}

impl Gate {
    fn new() -> Result<Self> {
        Ok(Self {
            places: Places::find()?,
            binary: lab::build_binary()?,
            domain: format!("gate.{DOMAIN}"),
            ops: Target::named(Target::OPS),
            target: Target::named(Target::STANDARD[1]),
        })
    }

    fn furnish(&self) -> Result<Forge> {
        Forge::furnish(&self.places)
    }

    fn deploy(&self, forge: &Forge) -> Result<()> {
        run(self.cc_ci("undeploy").args(["--domain", &self.domain]))?;
        self.apply(forge, 2)?;
        self.wait_for(|| self.page("/healthz").is_ok())
    }

    /// Deploys the recipe, be it anew or in place.
    fn apply(&self, forge: &Forge, poll_seconds: u64) -> Result<()> {
        let folder = tempfile::tempdir()?;
        let (env, secrets) = (folder.path().join("app.env"), folder.path().join("secrets"));
        fs::create_dir(&secrets)?;
        fs::write(secrets.join("forge_token"), &forge.token)?;
        fs::copy(self.places.ca(), secrets.join("target_ca"))?;
        fs::write(&env, self.variables(forge, poll_seconds)?)?;
        let mut command = self.cc_ci("deploy");
        command.arg(&self.places.checkout).args(["--domain", &self.domain]).arg("--env").arg(&env);
        run(command.arg("--secrets").arg(&secrets))
    }

    fn wait_for(&self, is_there: impl Fn() -> bool) -> Result<()> {
        if !until(STARTS, is_there) {
            let service = format!("{}_app", self.domain.replace('.', "_"));
            let tasks = output(&mut self.ops.exec(["docker", "service", "ps", "--no-trunc", &service]));
            let log = output(&mut self.ops.exec(["docker", "service", "logs", "--tail", "20", &service]));
            bail!("the gate does not answer; {}\n{}", tasks.unwrap_or_default(), log.unwrap_or_default());
        }
        Ok(())
    }

    /// The operator's app env.
    fn variables(&self, forge: &Forge, poll_seconds: u64) -> Result<String> {
        let key = output(&mut self.target.exec(["cat", "/etc/ssh/ssh_host_ed25519_key.pub"]))?;
        let host_key = key.split(' ').take(2).collect::<Vec<_>>().join(" ");
        let lines = [
            ("COMPOSE_FILE", "compose.yml:compose.target-ca.yml".to_owned()),
            ("SECRET_TARGET_CA_VERSION", "v1".to_owned()),
            ("FORGE_URL", forge.url.clone()),
            ("FORGE_ACCOUNT", forge.login("bot")),
            ("ORGANISATION", forge.organisation.clone()),
            ("POLL_SECONDS", poll_seconds.to_string()),
            ("TARGET_NAME", self.target.section().to_owned()),
            ("TARGET_ADDRESS", self.target.host()),
            ("TARGET_HOST_KEY", host_key),
            ("TARGET_DOMAIN", DOMAIN.to_owned()),
            ("LOG_FORMAT", "json".to_owned()),
        ];
        Ok(lines.into_iter().map(|(name, value)| format!("{name}='{value}'\n")).collect())
    }

    /// What an operator does with the key that the gate prints.
    fn let_in(&self) -> Result<()> {
        let public = self.own_key()?;
        self.shut_out()?;
        let mut append = self.target.exec(["tee", "--append", "/home/ccci/.ssh/authorized_keys"]);
        feed(&mut append, format!("{OPTIONS} {public}\n").as_bytes()).map(drop)
    }

    /// The public half of the key that the gate made, as it shows it to its operator.
    fn own_key(&self) -> Result<String> {
        let told = self.inside(&["cc-ci", "check-config"])?;
        let key = told.lines().find(|line| line.starts_with("ssh-ed25519 "));
        key.map(str::to_owned).context("check-config shows no key")
    }

    /// Takes the keys of deployed gates away; the lab's own key has another name.
    fn shut_out(&self) -> Result<()> {
        run(&mut self.target.exec(["sed", "--in-place", "/ cc-ci$/d", "/home/ccci/.ssh/authorized_keys"]))
    }

    /// A program in the gate's container has the rights of the gate: what it cannot do, the gate cannot.
    fn check_confinement(&self) -> Result<()> {
        let status = self.inside(&["cat", "/proc/self/status"])?;
        let field = |name: &str| {
            let line = status.lines().find_map(|line| line.strip_prefix(name));
            line.map(|rest| rest.split_whitespace().collect::<Vec<_>>().join(" ")).unwrap_or_default()
        };
        // Nothing in the bounding set: no program in the container can gain a capability either.
        if !field("Uid:").starts_with("10001 ") || field("CapBnd:") != "0000000000000000" {
            bail!("the gate runs as `{}` with the capabilities {}", field("Uid:"), field("CapBnd:"));
        }
        if self.inside(&["touch", "/usr/local/bin/other"]).is_ok()
            || self.inside(&["ls", "/var/run/docker.sock"]).is_ok()
        {
            bail!("the gate can write its image, or has a Docker socket");
        }
        say("the gate is user 10001 without capabilities or Docker socket, and its image is read-only");
        Ok(())
    }

    fn verdict(&self, forge: &Forge) -> Result<String> {
        let mut found = None;
        until(JUDGED, || {
            let answers = forge.answers().unwrap_or_default();
            found = answers.into_iter().find(|(text, _)| is_verdict(text));
            found.is_some()
        });
        let Some((text, url)) = found else {
            let said: Vec<String> = forge.answers()?.into_iter().map(|(text, _)| text).collect();
            bail!("there is no verdict on the pull request; the gate said: {said:?}");
        };
        if !text.starts_with("### ✓ good") {
            bail!("the verdict should be green: {text}");
        }
        Ok(url)
    }

    fn check_pages(&self, forge: &Forge) -> Result<()> {
        for path in ["/", "/runs/1"] {
            let page = self.page(path)?;
            if !page.contains("good") || !page.contains("green") {
                bail!("https://{}{path} does not show the run", self.domain);
            }
        }
        let results = self.page("/runs/1/results.json")?;
        if !results.contains(&forge.head) {
            bail!("the results are not those of commit {}", forge.head);
        }
        Ok(())
    }

    /// An update replaces the container and keeps what is in the volume; the database is one that was backed up and restored.
    fn check_update(&self, forge: &Forge) -> Result<()> {
        let (container, key) = (self.container()?, self.own_key()?);
        for action in ["backup", "restore"] {
            self.inside(&["cc-ci", "db", action, "/data/backup/cc-ci.db"])?;
        }
        self.apply(forge, 3)?;
        self.wait_for(|| self.container().is_ok_and(|new| new != container) && self.page("/healthz").is_ok())?;
        self.inside(&["ls", "/data/replaced.db"]).context("the database was not restored")?;
        if self.own_key()? != key {
            bail!("the gate has another SSH key after an update");
        }
        self.check_pages(forge)
    }

    /// The target has the gate's own file system as its runner image, and none of an older gate.
    fn check_runner_image(&self) -> Result<()> {
        let filter = ["--filter", "label=cc-ci.imported"];
        let images =
            output(&mut self.target.exec(["docker", "images", "--quiet", "--no-trunc"].into_iter().chain(filter)))?;
        let images: Vec<&str> = images.lines().collect();
        let [image] = images.as_slice() else {
            bail!("the target has {} imported runner images, not one", images.len());
        };
        let find = ["docker", "run", "--rm", "--network", "none", "--entrypoint", "find", image];
        let found = output(&mut self.target.exec(find.into_iter().chain(["/run", "/data", "/tmp", "-type", "f"])))?;
        if !found.is_empty() {
            bail!("what belongs to the gate alone is in the runner image: {found}");
        }
        Ok(())
    }

    /// A page as a browser would get it: by name, over TLS with the lab's authority, through the proxy of the host.
    fn page(&self, path: &str) -> Result<String> {
        let (resolve, url) = (format!("{}:443:127.0.0.1", self.domain), format!("https://{}{path}", self.domain));
        let options = ["--silent", "--show-error", "--fail", "--max-time", "10", "--cacert", "/opt/lab/ca.pem"];
        let arguments = ["curl"].into_iter().chain(options).chain(["--resolve", &resolve, &url]);
        output(&mut self.ops.exec(arguments))
    }

    /// A command that shows the dashboard to somebody on this machine.
    fn dashboard(&self) -> Result<String> {
        let address = output(&mut crate::process::docker(["port", &self.ops.container(), "443/tcp"]))?;
        let (ip, port) = address.lines().next().and_then(|it| it.rsplit_once(':')).ok_or_else(|| anyhow!("no port"))?;
        let (ca, domain) = (self.places.ca(), &self.domain);
        Ok(format!("curl --cacert {} --resolve {domain}:{port}:{ip} https://{domain}:{port}/", ca.display()))
    }

    /// Runs a program in the gate's container.
    fn inside(&self, argv: &[&str]) -> Result<String> {
        let container = self.container()?;
        output(&mut self.ops.exec(["docker", "exec", &container].into_iter().chain(argv.iter().copied())))
    }

    fn container(&self) -> Result<String> {
        let label = format!("label=com.docker.swarm.service.name={}_app", self.domain.replace('.', "_"));
        let containers = output(&mut self.ops.exec(["docker", "ps", "--quiet", "--filter", &label]))?;
        containers.lines().next().map(str::to_owned).context("the gate has no container")
    }

    fn cc_ci(&self, command: &str) -> Command {
        let mut program = Command::new(&self.binary);
        program.arg(command).args(["--target", self.ops.section(), "--state"]).arg(&self.places.cc_ci);
        program
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_key_gets_the_options_that_are_documented() {
        let documented = include_str!("../../../docs/targets.md");
        assert!(documented.contains(&format!("{OPTIONS} ssh-ed25519 AAAA… cc-ci")));
    }
}
