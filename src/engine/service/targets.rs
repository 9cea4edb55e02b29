//! Keeps an eye on the test targets: which answer, which are clean, which must be swept, quarantined or recycled.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use bollard::Docker;
use bollard::query_parameters::ListImagesOptions;
use jiff::Timestamp;
use secrecy::ExposeSecret as _;

use super::{Recycle, Service, held};
use crate::adapters::docker::undeploy::undeploy;
use crate::adapters::docker::{Tried as _, connect, engine, inventory};
use crate::adapters::session::Session;
use crate::adapters::store::{RunState, Store, StoreError};
use crate::domain::finding::FindingKind;
use crate::domain::ids::{RunId, TargetName};
use crate::domain::inventory::Inventory;
use crate::domain::queue::TargetState;
use crate::domain::results::{HostPower, Results};
use crate::domain::target::Target;
use crate::engine::run::{BEFORE, HOST_POWER, Run};
use crate::engine::sweep::Sweep;
use crate::engine::{EngineError, claim, fitness};

/// The fact that the target was set up anew after this run.
const TRUSTED_AGAIN: &str = "trusted_again";
/// Between two looks.
pub(super) const PAUSE: Duration = Duration::from_secs(20);
/// A target that takes longer for an answer is not in order now.
const PATIENCE: Duration = Duration::from_secs(15);
/// The beginning of a reason: it was tried, and is not tried again and again.
const NOT_RECYCLED: &str = "it could not be recycled";
/// The hypervisor takes its time.
const RECYCLE_PATIENCE: Duration = Duration::from_secs(300);

/// One way to each target that stays open, beside those of the runs; and what is known of its images.
#[derive(Debug, Default)]
pub(super) struct Sessions {
    open: Mutex<BTreeMap<TargetName, Arc<Reached>>>,
    images: Mutex<BTreeMap<TargetName, BTreeSet<String>>>,
    /// Targets that are being brought back to their snapshot: nobody looks at them meanwhile.
    recycled: Mutex<BTreeSet<TargetName>>,
}

#[derive(Debug)]
struct Reached {
    docker: Docker,
    _session: Session,
}

impl Sessions {
    async fn reach(&self, target: &Target) -> Result<Arc<Reached>, EngineError> {
        if let Some(reached) = held(&self.open).get(&target.name) {
            return Ok(reached.clone());
        }
        let session = Session::open(target).await?;
        let docker = match connect(session.docker_socket()).await {
            Ok(docker) => docker,
            // The session knows better why.
            Err(error) => return Err(session.last_error().await.map_or_else(|| error.into(), EngineError::from)),
        };
        let reached = Arc::new(Reached { docker, _session: session });
        held(&self.open).insert(target.name.clone(), reached.clone());
        Ok(reached)
    }

    /// The engine of a target.
    pub(super) async fn docker(&self, target: &Target) -> Result<Docker, EngineError> {
        Ok(self.reach(target).await?.docker.clone())
    }

    fn forget(&self, target: &TargetName) {
        held(&self.open).remove(target);
    }

    fn is_recycled(&self, target: &TargetName) -> bool {
        held(&self.recycled).contains(target)
    }

    pub(super) fn images(&self, target: &TargetName) -> BTreeSet<String> {
        held(&self.images).get(target).cloned().unwrap_or_default()
    }
}

impl Service {
    /// What an earlier process knew of the targets may not hold any more.
    pub(super) async fn forget_targets(&self) -> Result<(), EngineError> {
        let known = self.shared.gate.store.targets().await?;
        for target in &self.shared.targets {
            let quarantined = known.iter().any(|it| it.name == target.name && it.state == TargetState::Quarantined);
            if !quarantined {
                self.set(&target.name, TargetState::Unknown, "not looked at yet").await?;
            }
        }
        Ok(())
    }

    /// A look at each target.
    pub(super) async fn look_at_targets(&self) -> Result<(), EngineError> {
        let looks = self.shared.targets.iter().map(async |target| {
            if self.shared.sessions.is_recycled(&target.name) {
                return Ok(());
            }
            match self.look(target).await {
                Ok(()) => Ok(()),
                Err(error @ EngineError::Store(_)) => Err(error),
                Err(error) => self.unreachable(target, &error).await,
            }
        });
        futures_util::future::try_join_all(looks).await.map(drop)
    }

    async fn look(&self, target: &Target) -> Result<(), EngineError> {
        let (store, name) = (&self.shared.gate.store, &target.name);
        let reached = tokio::time::timeout(PATIENCE, async {
            let reached = self.shared.sessions.reach(target).await?;
            let about = engine(&reached.docker, Timestamp::now).await?;
            fitness::fit(&reached.docker, &about).await?;
            Ok::<_, EngineError>(reached)
        });
        let reached = reached.await.unwrap_or_else(|_| {
            Err(EngineError::Target(format!("it gives no answer within {} s", PATIENCE.as_secs())))
        })?;
        store.hear_target(name, self.now()).await?;
        let known = store.target(name).await?;
        let (state, reason) = known.map_or((None, String::new()), |it| (Some(it.state), it.reason));
        if self.runs_on(name).await? {
            return Ok(());
        }
        if let Some(Some(claim)) = claim::current(&reached.docker).await?
            && claim.gate != self.shared.gate.id
            && claim.until() > self.now()
        {
            let why = format!("gate {} has claimed it until {}", claim.gate, claim.until());
            return self.set(name, TargetState::Leased, &why).await;
        }
        let state = state.unwrap_or(TargetState::Unknown);
        if state == TargetState::Quarantined
            && self.shared.watched.recycle.is_some()
            && !reason.starts_with(NOT_RECYCLED)
        {
            return self.recycle_unless_used(name).await;
        }
        if state != TargetState::Clean
            && let Some(why) = self.may_be_faked(name).await?
        {
            // Also after a gate that was killed before it could note that.
            return if state == TargetState::Quarantined { Ok(()) } else { self.distrust(name, &why).await };
        }
        match state {
            TargetState::Clean => {}
            TargetState::Unknown | TargetState::Dirty | TargetState::Leased => {
                self.sweep(target, &reached.docker).await?;
            }
            TargetState::Quarantined => self.look_again(target, &reached.docker).await?,
        }
        let images = images(&reached.docker).await?;
        held(&self.shared.sessions.images).insert(name.clone(), images);
        Ok(())
    }

    async fn runs_on(&self, target: &TargetName) -> Result<bool, EngineError> {
        let open = self.shared.gate.store.open_runs().await?;
        Ok(open.iter().any(|run| run.state == RunState::Running && run.target.as_ref() == Some(target)))
    }

    /// Removes what dead runs of this gate left, and then trusts the target.
    async fn sweep(&self, target: &Target, docker: &Docker) -> Result<(), EngineError> {
        let gate = &self.shared.gate;
        let sweep = Sweep {
            docker,
            target: target.name.as_str(),
            state: &gate.state,
            store: &gate.store,
            gate: &gate.id,
            but: None,
        };
        let swept = sweep.sweep(|line| tracing::info!(target = %target.name, line, "sweep")).await?;
        let reason = if swept.is_empty() { "nothing of this gate was there".to_owned() } else { swept.join("; ") };
        self.set(&target.name, TargetState::Clean, &reason).await?;
        self.shared.wake.work.notify_one();
        Ok(())
    }

    /// Why nothing that a target says of itself counts: its last run had host power, and it was not set up anew since.
    async fn may_be_faked(&self, target: &TargetName) -> Result<Option<String>, EngineError> {
        let store = &self.shared.gate.store;
        for run in store.last_runs_on(target).await? {
            let power: Option<HostPower> = store.fact(&run, HOST_POWER).await?;
            let trusted = store.fact::<bool>(&run, TRUSTED_AGAIN).await?.unwrap_or(false);
            if let Some(power) = power.filter(|_| !trusted) {
                return Ok(Some(had_host_power(&run, &power.reason)));
            }
        }
        Ok(None)
    }

    /// Quarantines a target, and recycles it where that is possible.
    async fn distrust(&self, target: &TargetName, reason: &str) -> Result<(), EngineError> {
        tracing::error!(%target, reason, "a target is quarantined: no run starts there before it is clean");
        self.set(target, TargetState::Quarantined, reason).await?;
        self.recycle_unless_used(target).await
    }

    /// Another run that is still there would be lost with the target: it is recycled at the first look after that has ended.
    async fn recycle_unless_used(&self, target: &TargetName) -> Result<(), EngineError> {
        match &self.shared.watched.recycle {
            Some(recycle) if !self.runs_on(target).await? => self.begin_recycling(target, recycle).await,
            Some(_) | None => Ok(()),
        }
    }

    async fn begin_recycling(&self, target: &TargetName, recycle: &Recycle) -> Result<(), EngineError> {
        let (service, recycle, target) = (self.clone(), recycle.clone(), target.clone());
        self.set(&target, TargetState::Dirty, "it is being recycled").await?;
        held(&self.shared.sessions.recycled).insert(target.clone());
        self.shared.tasks.spawn(async move { service.recycle(&target, &recycle).await });
        Ok(())
    }

    /// A quarantined target is trusted again when what the last run left is gone.
    async fn look_again(&self, target: &Target, docker: &Docker) -> Result<(), EngineError> {
        let store = &self.shared.gate.store;
        // Of runs that met here each left out what the others had: what was there before any of them is nobody's leftover.
        let (mut before, mut stacks) = (Inventory::default(), Vec::new());
        for run in store.last_runs_on(&target.name).await? {
            if let Some(there) = store.fact::<Inventory>(&run, BEFORE).await? {
                before.0.extend(there.0);
                stacks.push(Run::stored_plan(store, &run).await?.stack);
            }
        }
        if stacks.is_empty() {
            return self.sweep(target, docker).await;
        }
        let mut left = inventory::inventory(docker).await?.since(&before);
        for stack in &stacks {
            if left.iter().any(|object| object.name.starts_with(&format!("{stack}_"))) {
                // Whoever held it may have let it go.
                let removed =
                    undeploy(docker, stack, |line| tracing::info!(target = %target.name, line, "sweep")).await;
                tracing::debug!(?removed, target = %target.name, "what a run left was removed again");
                left = inventory::inventory(docker).await?.since(&before);
            }
        }
        if left.is_empty() {
            return self.sweep(target, docker).await;
        }
        Ok(())
    }

    async fn unreachable(&self, target: &Target, error: &EngineError) -> Result<(), EngineError> {
        self.shared.sessions.forget(&target.name);
        let known = self.shared.gate.store.target(&target.name).await?;
        let (state, before) = known.map_or((TargetState::Unknown, String::new()), |it| (it.state, it.reason));
        let why = error.to_string();
        if state == TargetState::Quarantined || before == why || self.runs_on(&target.name).await? {
            return Ok(());
        }
        tracing::warn!(target = %target.name, why, "a target is not in order");
        self.set(&target.name, TargetState::Unknown, &why).await
    }

    /// What a run's end says about its target.
    pub(super) async fn judge_target(&self, target: &TargetName, results: &Results) -> Result<(), EngineError> {
        let has = |kind| results.findings.iter().find(|finding| finding.kind == kind);
        let leftovers = has(FindingKind::Leftovers);
        let (state, reason) = match (leftovers, &results.host_power, has(FindingKind::TargetUnreachable)) {
            (Some(left), _, _) => (TargetState::Quarantined, format!("run {}: {}", results.run, left.sentence)),
            (None, Some(power), _) => (TargetState::Quarantined, had_host_power(&results.run, &power.reason)),
            (None, None, Some(lost)) => (TargetState::Unknown, lost.sentence.clone()),
            (None, None, None) => (TargetState::Clean, "the last run left nothing behind".to_owned()),
        };
        let known = self.shared.gate.store.target(target).await?.map(|known| known.state);
        // Another run may have said so, beside this one; what this one found does not change that.
        let worse = known == Some(TargetState::Quarantined)
            || (known == Some(TargetState::Unknown) && self.runs_on(target).await?);
        if state == TargetState::Quarantined {
            self.distrust(target, &reason).await?;
        } else if !worse {
            self.set(target, state, &reason).await?;
            if self.shared.watched.recycle.as_ref().is_some_and(|recycle| recycle.always) {
                self.recycle_unless_used(target).await?;
            }
        }
        self.shared.wake.targets.notify_one();
        Ok(())
    }

    /// Brings a target back to its snapshot; it is trusted after the next look.
    async fn recycle(&self, target: &TargetName, recycle: &Recycle) {
        let url = recycle.url.expose_secret().replace("{target}", target.as_str());
        let client = reqwest::Client::builder().no_proxy().timeout(RECYCLE_PATIENCE).build();
        let asked = match client {
            Ok(client) => client.post(url).send().await.and_then(reqwest::Response::error_for_status).map(drop),
            Err(error) => Err(error),
        };
        let anew = async {
            asked.map_err(|error| error.without_url().to_string())?;
            set_up_anew(&self.shared.gate.store, target).await.map_err(|error| error.to_string())
        };
        let (state, reason) = match anew.await {
            Ok(()) => (TargetState::Unknown, "it was recycled".to_owned()),
            // The address may hold a secret: it is not repeated.
            Err(why) => (TargetState::Quarantined, format!("{NOT_RECYCLED}: {why}")),
        };
        self.shared.sessions.forget(target);
        held(&self.shared.sessions.recycled).remove(target);
        if let Err(error) = self.set(target, state, &reason).await {
            tracing::error!(%error, %target, "what became of a recycled target could not be stored");
        }
        self.shared.wake.targets.notify_one();
    }

    async fn set(&self, target: &TargetName, state: TargetState, reason: &str) -> Result<(), EngineError> {
        Ok(self.shared.gate.store.set_target(target, state, reason, self.now()).await?)
    }
}

/// From now on it does not count what the last run on this target could do there.
pub(super) async fn set_up_anew(store: &Store, target: &TargetName) -> Result<(), StoreError> {
    for run in store.last_runs_on(target).await? {
        store.put_fact(&run, TRUSTED_AGAIN, &true).await?;
    }
    Ok(())
}

fn had_host_power(run: &RunId, reason: &str) -> String {
    format!("run {run} had host power ({reason}): set it up anew, then `cc-ci target trust`")
}

async fn images(docker: &Docker) -> Result<BTreeSet<String>, EngineError> {
    let found = docker.list_images(None::<ListImagesOptions>).await.tried("list its images")?;
    Ok(found.into_iter().flat_map(|image| image.repo_tags).collect())
}
