//! Prepare: reach the target, claim it, sweep it, take its inventory, have the runner there.

use bollard::Docker;
use jiff::Timestamp;
use tokio_util::task::AbortOnDropHandle;

use super::images::Images;
use super::memory::MemoryWatch;
use super::teardown::BETWEEN_LOOKS;
use super::{Run, Stop};
use crate::adapters::docker::runner::RunnerError;
use crate::adapters::docker::{Engine, connect, engine, inventory, runner};
use crate::adapters::probe::Web;
use crate::adapters::session::Session;
use crate::domain::deployment::Deployment;
use crate::domain::inventory::{Inventory, Neighbours};
use crate::domain::protocol::{Orders, PROTOCOL};
use crate::domain::results::{By, count};
use crate::domain::stage::Stage;
use crate::domain::target::Role;
use crate::engine::claim::Claimant;
use crate::engine::sweep::Sweep;
use crate::engine::watch::Watch;
use crate::engine::{EngineError, fitness};

/// The fact with the target's inventory before the run.
pub(in crate::engine) const BEFORE: &str = "before";
/// The fact with what the target's engine says of itself.
pub(super) const ENGINE: &str = "engine";

/// What this process has open while the run is going on.
pub(super) struct Live {
    pub docker: Docker,
    pub engine: Engine,
    pub claimant: Claimant,
    pub web: Web,
    /// The runner container's id; `None` when it could not be had.
    pub runner: Option<String>,
    /// Its image; empty until it is known.
    pub runner_image: String,
    pub deployment: Option<Deployment>,
    /// The images on their way, while they are.
    pub images: Option<Images>,
    pub watch: Option<Watch>,
    pub memory: Option<MemoryWatch>,
    _renewing: AbortOnDropHandle<()>,
    _session: Session,
}

impl Live {
    /// The target's time.
    pub(super) fn now(&self) -> Timestamp {
        Timestamp::now() + self.engine.clock_offset
    }
}

impl Run {
    /// Reaches the target and claims it.
    pub(super) async fn reach(&self) -> Result<Live, Stop> {
        if self.target.role != Role::Gate {
            return Err(EngineError::Target(format!(
                "target {} has the role `dev`: it is leased, not judged on\nhint: use a target with `role = \"gate\"`",
                self.target.name
            ))
            .into());
        }
        let session = Session::open(&self.target).await?;
        let docker = match connect(session.docker_socket()).await {
            Ok(docker) => docker,
            Err(error) => return Err(session.last_error().await.map_or_else(|| error.into(), Stop::from)),
        };
        let engine = engine(&docker, Timestamp::now).await?;
        fitness::fit(&docker, &engine).await?;
        self.log.say(format!("engine {} answers on {}", engine.version, self.target.name));
        self.store(ENGINE, &engine.version).await?;
        let claimant = Claimant {
            docker: docker.clone(),
            gate: self.gate.id.clone(),
            run: self.plan.run.clone(),
            most: self.room(),
            clock_offset: engine.clock_offset,
        };
        if let Some(said) = claimant.take(&self.gate.state).await? {
            self.log.say(said);
        }
        let renewing = AbortOnDropHandle::new(tokio::spawn(claimant.clone().keep_renewing()));
        let web = Web::new(&self.target, session.web_socket())?;
        Ok(Live {
            docker,
            engine,
            claimant,
            web,
            runner: None,
            runner_image: String::new(),
            deployment: None,
            images: None,
            watch: None,
            memory: None,
            _renewing: renewing,
            _session: session,
        })
    }

    /// Prepares the target. What is done already is found done. No image is a part of the inventory: the runner's may come meanwhile.
    pub(super) async fn prepare(&self, live: &mut Live) -> Result<(), Stop> {
        let image = async {
            let hash = self.gate.binary.get().await.map_err(EngineError::file("/proc/self/exe"))?;
            Ok::<_, Stop>(runner::image(&live.docker, hash, &self.gate.image, |line| self.log.say(line)).await?)
        };
        let stock = async {
            if self.stored::<Inventory>(BEFORE).await?.is_none() {
                self.phase("sweep and inventory", By::Docker, self.take_stock(live)).await?;
            }
            Ok::<_, Stop>(())
        };
        let ((), image) = tokio::try_join!(stock, self.phase("runner image", By::Docker, image))?;
        live.runner = Some(self.phase("runner start", By::Docker, self.start_runner(live, &image)).await?);
        live.runner_image = image;
        Ok(())
    }

    /// Dead runs of this gate go; what is there then must be there at the end.
    async fn take_stock(&self, live: &Live) -> Result<(), Stop> {
        let sweep = Sweep {
            docker: &live.docker,
            target: self.target.name.as_str(),
            state: &self.gate.state,
            store: &self.gate.store,
            gate: &self.gate.id,
            but: Some(&self.plan.run),
        };
        for line in sweep.sweep(|line| self.log.say(line)).await? {
            self.log.say(line);
        }
        let mut before = inventory::without(&live.docker, self.neighbours()).await?;
        if self.neighbours().is_some() {
            // What one look saw of others' comings and goings would be missed at the end.
            tokio::time::sleep(BETWEEN_LOOKS).await;
            let again = inventory::without(&live.docker, self.neighbours()).await?;
            before.0.retain(|object| again.0.contains(object));
        }
        self.log.say(format!("the target holds {} before this run", count(before.0.len(), "object", "objects")));
        self.store(BEFORE, &before).await
    }

    /// Where a target has room for several runs, what the others have there is none of this run's business.
    pub(super) fn neighbours(&self) -> Option<Neighbours<'_>> {
        (self.room() > 1).then(|| Neighbours::of(&self.plan.stack))
    }

    /// How many runs may be on the target with this one; who may rule the target is there alone.
    fn room(&self) -> u32 {
        let rules = self.tests.as_ref().is_ok_and(|tests| tests.host_power.is_some());
        if self.gate.shares && !rules { self.target.capacity.get() } else { 1 }
    }

    async fn start_runner(&self, live: &Live, image: &str) -> Result<String, Stop> {
        let orders = Orders {
            protocol: PROTOCOL,
            run: self.plan.run.clone(),
            gate: self.gate.id.clone(),
            stack: self.plan.stack.clone(),
            stop_at: live.now() + self.time_left(),
        };
        let files = self.files.iter().map(|(path, file)| (path.to_owned(), file.into())).collect();
        let ensured = runner::ensure(&live.docker, image, &orders, &files).await;
        if matches!(ensured, Err(RunnerError::Ended(_))) {
            self.check_runner(live, Stage::Prepare).await?;
        }
        let (id, new) = ensured?;
        let how = if new { "started" } else { "found again" };
        self.log.say(format!("runner container {} {how}", &id[..12.min(id.len())]));
        Ok(id)
    }
}
