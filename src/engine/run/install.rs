//! Install: a fresh deploy of head, its convergence, and the zero-config floor.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::memory::MemoryWatch;
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::images::{self, ImageError};
use crate::adapters::docker::observe::Observer;
use crate::adapters::docker::runner;
use crate::domain::convergence::{Memory, Wanted, image_question};
use crate::domain::deploy_call;
use crate::domain::deployment::{Deployment, SecretPlan};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::protocol::{RECIPE, SECRETS, Step, StepName};
use crate::domain::registry::{ImageName, judge};
use crate::domain::results::{By, Converged, Image, count, duration};
use crate::domain::stage::Stage;
use crate::engine::EngineError;
use crate::engine::watch::{CONVERGED, MEMORY, WANTED, Watch, Watcher};

/// The fact with the images as they were resolved.
pub(super) const IMAGES: &str = "images";
/// The fact with the number of fresh deploys.
pub(super) const FRESH_DEPLOYS: &str = "fresh_deploys";
/// The fact with notes of the deployment.
pub(super) const NOTES: &str = "notes";
/// The deploy call itself is short; what takes long is convergence.
const DEPLOY_LIMIT_SECONDS: u64 = 300;
const SECRETS_LIMIT_SECONDS: u64 = 120;
/// The whole environment of a step, before the recipe's own variables.
const STEP_ENV: [(&str, &str); 3] =
    [("PATH", "/usr/local/bin:/usr/bin:/bin"), ("HOME", "/nonexistent"), ("LC_ALL", "C.UTF-8")];

impl Run {
    /// Deploys head onto nothing and waits until it runs and answers.
    pub(super) async fn install(&self, live: &mut Live) -> Result<(), Stop> {
        self.usable_tests(live)?;
        let deployment = self.deployment(live)?;
        self.store(NOTES, &self.notes(&deployment)).await?;
        self.allowed(live, &deployment).await?;
        let wanted = match self.stored::<Wanted>(WANTED).await? {
            Some(wanted) => wanted,
            None => {
                self.pulled(live, &deployment).await?;
                self.deploy(live, &deployment).await?
            }
        };
        self.look_again(live, &wanted).await?;
        live.memory = Some(MemoryWatch::begin(live.docker.clone(), self.plan.stack.clone()));
        live.watch = Some(self.watch(live, &deployment, wanted).await?);
        let Some(watch) = &live.watch else { return Ok(()) };
        let converged = self.phase("converge", By::App, self.converge(live, watch));
        converged.await?;
        let asked = async {
            self.phase("ready", By::App, self.ready(live, &deployment)).await?;
            self.phase("floor", By::App, self.floor(live, &deployment)).await
        };
        tokio::select! {
            biased;
            findings = watch.failed() => Err(Stop::Failed(findings)),
            asked = asked => asked,
        }
    }

    /// What the deploy is; worked out again when lint was done by an earlier process.
    pub(super) fn deployment(&self, live: &Live) -> Result<Deployment, Stop> {
        match &live.deployment {
            Some(deployment) => Ok(deployment.clone()),
            None => self
                .plan
                .deployment(&self.files, &self.target, self.tests())
                .map_err(|error| Stop::Failed(vec![self.refused(live, Stage::Install, &error)])),
        }
    }

    pub(super) async fn stored<T: serde::de::DeserializeOwned>(&self, key: &'static str) -> Result<Option<T>, Stop> {
        Ok(self.gate.store.fact(&self.plan.run, key).await.map_err(EngineError::from)?)
    }

    pub(super) async fn store(&self, key: &'static str, value: &impl serde::Serialize) -> Result<(), Stop> {
        Ok(self.gate.store.put_fact(&self.plan.run, key, value).await.map_err(EngineError::from)?)
    }

    /// The same for what an app has shown: its secrets are no secret to it.
    pub(super) async fn store_shown<T: serde::Serialize + serde::de::DeserializeOwned>(
        &self,
        key: &'static str,
        value: &T,
    ) -> Result<(), Stop> {
        let masked = self.log.masked_value(value).map_err(|error| EngineError::Unreadable(error.to_string()))?;
        self.store(key, &masked).await
    }

    async fn deploy(&self, live: &Live, deployment: &Deployment) -> Result<Wanted, Stop> {
        self.phase("secrets", By::CcCi, self.secrets(live, deployment)).await?;
        if let Some(id) = &live.runner {
            let (name, text) = &deployment.own_file;
            let content = runner::Content { bytes: text.clone().into_bytes(), mode: 0o644 };
            let path = format!("{}/{name}", RECIPE.trim_start_matches('/'));
            runner::upload(&live.docker, id, &runner::Files::from([(path, content)])).await?;
        }
        let step = deploy_step(deployment, self.plan.stack.as_str())?;
        self.store(FRESH_DEPLOYS, &1_u32).await?;
        self.log.say(format!("docker stack deploy {} ({})", self.plan.stack, self.plan.domain));
        if let Some(seconds) = self.plan.only_deadline_seconds {
            self.log.say(format!("a drill: no cause ends this deploy early, only {seconds} s do"));
        }
        let ended = self.phase("deploy call", By::Docker, self.step(live, Stage::Install, &step)).await?;
        if !ended.end.succeeded() {
            let call = deploy_call::Call {
                output: &ended.output,
                how: &ended.end.how.to_string(),
                stack: self.plan.stack.as_str(),
                services: &deployment.services,
            };
            return Err(Stop::Failed(vec![deploy_call::refused(call, Stage::Install, live.now())]));
        }
        let snapshot = self.observer(live, deployment).look().await?;
        let ours = |name: &str| deployment.services.iter().any(|service| service.name == name);
        let wanted = Wanted {
            services: snapshot.services.iter().filter(|service| ours(&service.name)).map(Into::into).collect(),
            timeout: deployment.timeout,
            deployed_at: snapshot.at,
        };
        self.store(IMAGES, &images_of(&wanted)).await?;
        self.store(WANTED, &wanted).await?;
        Ok(wanted)
    }

    fn observer(&self, live: &Live, deployment: &Deployment) -> Observer {
        Observer::new(live.docker.clone(), self.plan.stack.clone(), live.engine.clock_offset, depends_on(deployment))
    }

    /// Makes each secret once: a value that the runner holds already is kept.
    async fn secrets(&self, live: &Live, deployment: &Deployment) -> Result<(), Stop> {
        let Some(id) = &live.runner else { return Ok(()) };
        let known = self.recall_secrets(live).await?;
        let mut made = runner::Files::new();
        for secret in deployment.secrets.iter().filter(|secret| !known.contains_key(&secret.full_name)) {
            let value = self.dummy(secret).unwrap_or_else(|| generate(secret));
            self.log.hide(&SecretString::from(value.clone()));
            let content = runner::Content { bytes: value.into_bytes(), mode: 0o600 };
            made.insert(format!("{}/{}", SECRETS.trim_start_matches('/'), secret.full_name), content);
        }
        if !made.is_empty() {
            runner::upload(&live.docker, id, &made).await?;
        }
        if deployment.secrets.is_empty() {
            return Ok(());
        }
        let step = Step {
            name: step_name("secrets")?,
            argv: ["/usr/local/bin/cc-ci", "runner", "secrets"].map(str::to_owned).to_vec(),
            env: step_env(),
            folder: "/".to_owned(),
            limit_seconds: SECRETS_LIMIT_SECONDS,
            stops_others: false,
        };
        let ended = self.step(live, Stage::Install, &step).await?;
        if ended.end.succeeded() {
            return Ok(());
        }
        let told = format!("the secrets could not be made: {}: {}", ended.end.how, ended.output.trim());
        Err(EngineError::Target(told).into())
    }

    /// The values that the runner holds, hidden in the log from now on.
    pub(super) async fn recall_secrets(&self, live: &Live) -> Result<BTreeMap<String, Vec<u8>>, Stop> {
        let Some(id) = &live.runner else { return Ok(BTreeMap::new()) };
        let known = runner::download(&live.docker, id, SECRETS).await?.unwrap_or_default();
        for value in known.values() {
            self.log.hide(&SecretString::from(String::from_utf8_lossy(value).into_owned()));
        }
        Ok(known)
    }

    async fn watch(&self, live: &Live, deployment: &Deployment, wanted: Wanted) -> Result<Watch, Stop> {
        self.recall_secrets(live).await?;
        let watcher = Watcher {
            docker: live.docker.clone(),
            stack: self.plan.stack.clone(),
            run: self.plan.run.clone(),
            store: self.gate.store.clone(),
            log: std::sync::Arc::clone(&self.log),
            clock_offset: live.engine.clock_offset,
            depends_on: depends_on(deployment),
            memory: self.stored::<Memory>(MEMORY).await?.unwrap_or_default(),
            converged: self.stored::<Converged>(CONVERGED).await?.is_some(),
            rules: self.plan.rules(self.tests()),
            silence: std::time::Duration::from_secs(self.plan.silence_seconds),
            waits: String::new(),
            kept: None,
            unkept: false,
            wanted,
        };
        Ok(Watch::begin(watcher, Stage::Install))
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

    /// The watcher for a stage after install, in a process that did not do the install itself.
    pub(super) async fn watch_again(&self, live: &Live) -> Result<Option<Watch>, Stop> {
        match self.stored::<Wanted>(WANTED).await? {
            Some(wanted) => Ok(Some(self.watch(live, &self.deployment(live)?, wanted).await?)),
            None => Ok(None),
        }
    }

    async fn converge(&self, live: &Live, watch: &Watch) -> Result<(), Stop> {
        if let Err(mut findings) = watch.converged().await {
            if let Some(first) = findings.first_mut() {
                self.ask_registry(live, first).await;
            }
            return Err(Stop::Failed(findings));
        }
        if self.stored::<Converged>(CONVERGED).await?.is_none() {
            let wanted = self.stored::<Wanted>(WANTED).await?;
            let ms = wanted.as_ref().map_or(0, |wanted| live.now().duration_since(wanted.deployed_at).as_millis());
            let services = wanted.map_or(0, |wanted| wanted.services.len());
            let converged =
                Converged { services: u32::try_from(services).unwrap_or(u32::MAX), ms: u64::try_from(ms).unwrap_or(0) };
            self.store(CONVERGED, &converged).await?;
            self.log.say(format!(
                "converged: {} after {}",
                count(services, "service", "services"),
                duration(converged.ms)
            ));
        }
        Ok(())
    }
}

fn generate(secret: &SecretPlan) -> String {
    let mut random = vec![0_u8; secret.random_len()];
    rand::fill(random.as_mut_slice());
    secret.generate(&random).unwrap_or_default()
}

fn deploy_step(deployment: &Deployment, stack: &str) -> Result<Step, Stop> {
    let mut argv: Vec<String> =
        ["docker", "stack", "deploy", "--detach=true", "--resolve-image=always"].map(str::to_owned).to_vec();
    for file in &deployment.compose_files {
        argv.extend(["--compose-file".to_owned(), file.clone()]);
    }
    argv.push(stack.to_owned());
    let mut env = deployment.env.clone();
    env.extend(step_env());
    Ok(Step {
        name: step_name("deploy")?,
        argv,
        env,
        folder: RECIPE.to_owned(),
        limit_seconds: DEPLOY_LIMIT_SECONDS,
        stops_others: false,
    })
}

pub(super) fn step_env() -> BTreeMap<String, String> {
    STEP_ENV.into_iter().map(|(name, value)| (name.to_owned(), value.to_owned())).collect()
}

pub(super) fn step_name(name: &str) -> Result<StepName, Stop> {
    Ok(StepName::parse(name).map_err(EngineError::Unreadable)?)
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
