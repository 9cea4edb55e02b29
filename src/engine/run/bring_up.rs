//! A deploy from its secrets to the floor: the same for base, upgrade and fresh.

use std::collections::BTreeMap;

use futures_util::TryFutureExt as _;

use super::deploy::{Deploy, Fact};
use super::install::IMAGES;
use super::memory::MemoryWatch;
use super::prepare::Live;
use super::step::{step_env, step_name};
use super::{Run, Stop};
use crate::adapters::docker::images::{self, ImageError};
use crate::adapters::docker::observe::Observer;
use crate::adapters::docker::runner;
use crate::domain::convergence::{Memory, Wanted, image_question};
use crate::domain::deploy_call;
use crate::domain::deployment::Deployment;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::protocol::Step;
use crate::domain::registry::{ImageName, judge};
use crate::domain::results::{By, Converged, Image, count, duration};
use crate::engine::watch::{Watch, Watcher};

/// The deploy call itself is short; what takes long is convergence.
const DEPLOY_LIMIT_SECONDS: u64 = 300;

impl Run {
    /// Deploys, waits until everything runs, and asks every page. From then on it is watched.
    pub(super) async fn bring_up(&self, live: &mut Live, deploy: Deploy, deployment: &Deployment) -> Result<(), Stop> {
        let wanted = match self.stored::<Wanted>(deploy.key(Fact::Wanted)).await? {
            Some(wanted) => wanted,
            None => self.deploy(live, deploy, deployment).await?,
        };
        self.phase(&deploy.named("second look"), By::CcCi, self.look_again(live, deploy.stage(), &wanted)).await?;
        if live.memory.is_none() {
            live.memory = Some(MemoryWatch::begin(live.docker.clone(), self.plan.stack.clone()));
        }
        live.watch = Some(self.watch(live, deploy, deployment, wanted).await?);
        let Some(watch) = &live.watch else { return Ok(()) };
        self.phase(&deploy.named("converge"), By::App, self.converge(live, deploy, watch)).await?;
        let asked = async {
            self.phase(&deploy.named("ready"), By::App, self.ready(live, deploy, deployment)).await?;
            self.phase(&deploy.named("floor"), By::App, self.floor(live, deploy, deployment)).await
        };
        tokio::select! {
            biased;
            findings = watch.failed() => Err(Stop::Failed(findings)),
            asked = asked => asked,
        }
    }

    async fn deploy(&self, live: &Live, deploy: Deploy, deployment: &Deployment) -> Result<Wanted, Stop> {
        self.phase(&deploy.named("secrets"), By::CcCi, self.secrets(live, deploy, deployment)).await?;
        self.phase(&deploy.named("own file"), By::CcCi, self.put_own_file(live, deploy, deployment)).await?;
        let step = deploy_step(deploy, deployment, self.plan.stack.as_str())?;
        self.store(deploy.key(Fact::Called), &1_u32).await?;
        self.log.say(format!("docker stack deploy {} ({})", self.plan.stack, self.plan.domain));
        if let Some(seconds) = self.plan.only_deadline_seconds {
            self.log.say(format!("a drill: no cause ends this deploy early, only {seconds} s do"));
        }
        let ended =
            self.phase(&deploy.named("deploy call"), By::Docker, self.step(live, deploy.stage(), &step)).await?;
        if !ended.end.succeeded() {
            let call = deploy_call::Call {
                output: &ended.output,
                how: &ended.end.how.to_string(),
                stack: self.plan.stack.as_str(),
                services: &deployment.services,
            };
            return Err(Stop::Failed(vec![deploy_call::refused(call, deploy.stage(), live.now())]));
        }
        let mut observer = self.observer(live, deployment);
        let snapshot = self.phase(&deploy.named("specs"), By::Docker, observer.look().err_into::<Stop>()).await?;
        let ours = |name: &str| deployment.services.iter().any(|service| service.name == name);
        let wanted = Wanted {
            services: snapshot.services.iter().filter(|service| ours(&service.name)).map(Into::into).collect(),
            timeout: deployment.timeout,
            deployed_at: snapshot.at,
        };
        if deploy != Deploy::Base {
            self.store(IMAGES, &images_of(&wanted)).await?;
        }
        self.store(deploy.key(Fact::Wanted), &wanted).await?;
        Ok(wanted)
    }

    /// What cc-ci adds to the recipe's compose files.
    async fn put_own_file(&self, live: &Live, deploy: Deploy, deployment: &Deployment) -> Result<(), Stop> {
        let Some(id) = &live.runner else { return Ok(()) };
        let (name, text) = &deployment.own_file;
        let content = runner::Content { bytes: text.clone().into_bytes(), mode: 0o644 };
        let path = format!("{}/{name}", deploy.folder().trim_start_matches('/'));
        Ok(runner::upload(&live.docker, id, &runner::Files::from([(path, content)])).await?)
    }

    pub(super) fn observer(&self, live: &Live, deployment: &Deployment) -> Observer {
        Observer::new(live.docker.clone(), self.plan.stack.clone(), live.engine.clock_offset, depends_on(deployment))
    }

    async fn watch(&self, live: &Live, deploy: Deploy, deployment: &Deployment, wanted: Wanted) -> Result<Watch, Stop> {
        self.recall_secrets(live).await?;
        let watcher = Watcher {
            docker: live.docker.clone(),
            stack: self.plan.stack.clone(),
            run: self.plan.run.clone(),
            store: self.gate.store.clone(),
            log: std::sync::Arc::clone(&self.log),
            clock_offset: live.engine.clock_offset,
            depends_on: depends_on(deployment),
            memory: self.stored::<Memory>(deploy.key(Fact::Memory)).await?.unwrap_or_default(),
            memory_key: deploy.key(Fact::Memory),
            converged: self.stored::<Converged>(deploy.key(Fact::Converged)).await?.is_some(),
            rules: self.plan.rules(self.tests()),
            silence: std::time::Duration::from_secs(self.plan.silence_seconds),
            waits: String::new(),
            kept: None,
            unkept: false,
            wanted,
        };
        Ok(Watch::begin(watcher, deploy.stage()))
    }

    /// Tasks say "No such image" for everything a registry can answer, so the engine is asked to look itself.
    async fn ask_registry(&self, live: &Live, finding: &mut Finding) {
        let Some(image) = image_question(finding).and_then(|image| ImageName::parse(image).ok()) else { return };
        let Err(ImageError::Refused(refused)) = images::resolve(&live.docker, &image).await else { return };
        let base = self.base_images();
        let told = judge(refused.means(&image), &image, &refused.message, &base, finding.stage, finding.at);
        finding.evidence.extend(told.evidence);
        // Swarm's own sentence names the service, and is right about an image that is not there.
        if told.kind != FindingKind::ImageMissing {
            (finding.kind, finding.class) = (told.kind, told.class);
            (finding.sentence, finding.advice) = (told.sentence, told.advice);
        }
    }

    /// The watcher for a stage after a deploy, in a process that did not make it itself: of the last one that was made.
    pub(super) async fn watch_again(&self, live: &Live) -> Result<Option<Watch>, Stop> {
        let Some((deploy, wanted)) = self.last_wanted().await? else { return Ok(None) };
        Ok(Some(self.watch(live, deploy, &self.deployment_of(live, deploy)?, wanted).await?))
    }

    /// The last deploy whose specs are known.
    pub(super) async fn last_wanted(&self) -> Result<Option<(Deploy, Wanted)>, Stop> {
        for deploy in Deploy::ALL.into_iter().rev() {
            if let Some(wanted) = self.stored(deploy.key(Fact::Wanted)).await? {
                return Ok(Some((deploy, wanted)));
            }
        }
        Ok(None)
    }

    async fn converge(&self, live: &Live, deploy: Deploy, watch: &Watch) -> Result<(), Stop> {
        if let Err(mut findings) = watch.converged().await {
            if let Some(first) = findings.first_mut() {
                self.ask_registry(live, first).await;
            }
            return Err(Stop::Failed(findings));
        }
        if self.stored::<Converged>(deploy.key(Fact::Converged)).await?.is_none() {
            let wanted = self.stored::<Wanted>(deploy.key(Fact::Wanted)).await?;
            let ms = wanted.as_ref().map_or(0, |wanted| live.now().duration_since(wanted.deployed_at).as_millis());
            let services = wanted.map_or(0, |wanted| wanted.services.len());
            let converged =
                Converged { services: u32::try_from(services).unwrap_or(u32::MAX), ms: u64::try_from(ms).unwrap_or(0) };
            self.store(deploy.key(Fact::Converged), &converged).await?;
            self.log.say(format!(
                "converged: {} after {}",
                count(services, "service", "services"),
                duration(converged.ms)
            ));
        }
        Ok(())
    }
}

fn deploy_step(deploy: Deploy, deployment: &Deployment, stack: &str) -> Result<Step, Stop> {
    let mut argv: Vec<String> =
        ["docker", "stack", "deploy", "--detach=true", "--resolve-image=always"].map(str::to_owned).to_vec();
    for file in &deployment.compose_files {
        argv.extend(["--compose-file".to_owned(), file.clone()]);
    }
    argv.push(stack.to_owned());
    let mut env = deployment.env.clone();
    env.extend(step_env());
    Ok(Step {
        name: step_name(&deploy.named("deploy"))?,
        argv,
        env,
        folder: deploy.folder().to_owned(),
        limit_seconds: DEPLOY_LIMIT_SECONDS,
        stops_others: false,
    })
}

fn depends_on(deployment: &Deployment) -> BTreeMap<String, Vec<String>> {
    deployment.services.iter().map(|service| (service.name.clone(), service.depends_on.clone())).collect()
}

fn images_of(wanted: &Wanted) -> Vec<Image> {
    let split = |image: &str| match image.split_once('@') {
        Some((name, digest)) => (name.to_owned(), Some(digest.to_owned())),
        None => (image.to_owned(), None),
    };
    wanted
        .services
        .iter()
        .map(|service| {
            let (image, digest) = split(service.image());
            Image { service: service.name.clone(), image, digest }
        })
        .collect()
}
