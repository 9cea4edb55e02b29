//! `cc-ci doctor`: looks at the gate and at each target, tries what must work and what must be refused, and changes nothing.

mod gate;
mod host;
mod infra;
mod refusals;

pub use gate::{database, forge};

use bollard::Docker;
use jiff::Timestamp;

use crate::adapters::docker::runner::ImageSource;
use crate::adapters::docker::{connect, engine};
use crate::adapters::session::Session;
use crate::domain::doctor::{Check, Matter};
use crate::domain::target::{Endpoint, Role, Target};
use crate::engine::fitness;

/// What is needed to examine a target.
#[derive(Debug)]
pub struct Examination<'a> {
    /// The target.
    pub target: &'a Target,
    /// Where the runner image would come from.
    pub image: &'a ImageSource,
    /// SHA-256 of this program.
    pub hash: &'a str,
    /// Whether the runner image may be sent there, so that the probe container can be started.
    pub send_runner: bool,
    /// What nothing on a target may reach, `host:port` each.
    pub must_not_reach: &'a [String],
    /// Names what must not be there yet.
    pub random: u64,
}

impl Examination<'_> {
    /// Everything about the target, in order. What cannot be looked at because something before it fails is left out: that one is to be
    /// mended first.
    pub async fn examine(&self) -> Vec<Check> {
        let mut checks = Vec::new();
        self.look(&mut checks).await;
        for check in &mut checks {
            check.target = Some(self.target.name.to_string());
        }
        checks
    }

    async fn look(&self, checks: &mut Vec<Check>) {
        checks.extend(self.role());
        let session = match Session::open(self.target).await {
            Ok(session) => session,
            Err(error) => return checks.push(Check::failed(Matter::Session, &error)),
        };
        checks.push(Check::good(Matter::Session, self.way()));
        let docker = match connect(session.docker_socket()).await {
            Ok(docker) => docker,
            Err(error) => {
                let why = session.last_error().await.map_or_else(|| error.to_string(), |error| error.to_string());
                let mend = "docker info   (on the target: does its engine run?)";
                return checks.push(Check::bad(Matter::Engine, why.replace('\n', " "), mend));
            }
        };
        self.look_at_engine(&docker, &session, checks).await;
        checks.extend(refusals::refusals(self.target, self.random).await);
    }

    async fn look_at_engine(&self, docker: &Docker, session: &Session, checks: &mut Vec<Check>) {
        let about = match engine(docker, Timestamp::now).await {
            Ok(about) => about,
            Err(error) => return checks.push(Check::failed(Matter::Engine, &error)),
        };
        checks.push(match fitness::new_enough(&about) {
            Ok(()) => Check::good(Matter::Engine, format!("version {} answers", about.version)),
            Err(unfit) => Check::failed(Matter::Engine, &unfit),
        });
        let network = fitness::proxy_network(docker).await;
        match fitness::manages(&about) {
            Ok(()) => checks.push(Check::good(Matter::Swarm, "the engine is a manager of a swarm")),
            Err(unfit) => checks.push(Check::failed(Matter::Swarm, &unfit)),
        }
        checks.push(host::network(&network));
        checks.push(host::proxy(self.target, session).await);
        checks.push(host::clock(about.clock_offset));
        checks.push(host::mirror(docker).await);
        let runner = host::runner(docker, self).await;
        let joined = network.ok().flatten().unwrap_or(false);
        checks.extend(host::probed(docker, self, runner.id.as_deref(), joined).await);
        checks.push(runner.check);
        if about.manager {
            checks.extend(infra::apps(docker).await);
        }
        checks.sort_by_key(|check| check.matter);
    }

    fn role(&self) -> Option<Check> {
        match self.target.role {
            Role::Gate => None,
            Role::Dev => {
                let said = "its role is `dev`: it is leased, and `run` and `serve` refuse it";
                Some(Check::open(
                    Matter::Role,
                    said,
                    Some("role = \"gate\" in targets.toml, if it is for runs".to_owned()),
                ))
            }
        }
    }

    fn way(&self) -> String {
        match &self.target.endpoint {
            Endpoint::Ssh { address, user, .. } => {
                format!(
                    "{address} shows the pinned host key, takes the gate's key for {user}, and forwards the engine's socket"
                )
            }
            Endpoint::Unix(path) => format!("an engine on this machine, {}: not isolated from it", path.display()),
        }
    }
}
