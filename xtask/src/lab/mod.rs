//! The lab: a real Docker Swarm with everything that cc-ci meets in production, on this machine. `up` brings it up step by step,
//! each step idempotent; `xtask demo` and `xtask test` begin with it.
//!
//! ```text
//! engine
//! ├── cc-ci-lab-forge          Gitea, 127.0.0.1:3300
//! ├── cc-ci-lab-registry       127.0.0.1:5000 for pushes
//! ├── cc-ci-lab-front          registry.lab:5000 for targets: the same registry, with failures on demand
//! ├── cc-ci-lab-target-gate    sshd, inner engine, one-node swarm: target `lab`
//! │   └── traefik_ci_lab_test  host ports 80 and 443
//! ├── cc-ci-lab-target-second  the same again: target `second`
//! ├── cc-ci-lab-target-third   and once more: target `third`
//! └── cc-ci-lab-target-ops     the same, where asked for: it carries a deployed gate
//! ```
//!
//! A target belongs to one run at a time, so that three hosts let three tests run at once.

mod base;
mod certificates;
mod compile;
mod content;
mod engine;
mod forge;
mod front;
mod gate_image;
mod images;
mod places;
mod proxy;
mod registry;
mod runner;
mod status;
mod sweep;
mod target;
mod targets_file;
mod traefik;

use std::fmt;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::thread::{self, ScopedJoinHandle};
use std::time::{Duration, Instant};

use anyhow::{Context, Result, anyhow};

pub(crate) use engine::install;
pub(crate) use forge::{CONTAINER as FORGE, IMAGE as FORGE_IMAGE};
pub(crate) use places::Places;
pub(crate) use status::Status;
pub(crate) use target::{Access, Target};

use crate::process::{docker, output, run, succeeds};
use crate::steps::{say, timed};
use images::{FRONT, GO, REGISTRY, SERVICES, TARGET, WEB};

/// The domain of the lab's apps.
pub(crate) const DOMAIN: &str = "ci.lab.test";
const NETWORK: &str = "cc-ci-lab";

/// How `up` may act.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Install missing packages without asking.
    pub(crate) yes: bool,
    /// `up`: targets beside the standard ones and those that are there; `reset`: the ones to make anew, all if none is named.
    pub(crate) targets: Vec<Target>,
}

/// A lab that is up.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    /// Its folders.
    pub(crate) places: Places,
    /// The test Swarm hosts, and how a client reaches them.
    pub(crate) targets: Vec<(Target, Access)>,
    /// The list that names them, a section each.
    pub(crate) targets_file: PathBuf,
}

impl fmt::Display for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (target, access) in &self.targets {
            writeln!(f, "target    {:8} {}, container {}", target.section(), access.address, target.container())?;
        }
        writeln!(f, "listed    in {}", self.targets_file.display())?;
        write!(f, "state     {}", self.places.lab.display())
    }
}

/// Builds the image of this checkout's gate, and has the lab's registry serve it.
pub(crate) fn push_gate_image() -> Result<()> {
    let places = Places::find()?;
    let binary = timed("cargo build cc-ci", || runner::build_binary(&places))?;
    let _lock = lock(&places)?;
    gate_image::push(&places, &binary)
}

/// Makes the images of the gate and of the runner that hold this program. Returns the gate's name.
pub(crate) fn images_of(binary: &Path) -> Result<&'static str> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    runner::ensure(&places, binary)?;
    gate_image::ensure(&places, binary)
}

/// The program of this checkout as it would be deployed.
pub(crate) fn build_release() -> Result<PathBuf> {
    runner::build_with(&Places::find()?, &["--release"])
}

/// The program of this checkout, built when it is not.
pub(crate) fn build_binary() -> Result<PathBuf> {
    runner::build_binary(&Places::find()?)
}

/// Brings up whatever is not up.
pub(crate) fn up(options: &Options) -> Result<Lab> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    let start = Instant::now();
    timed("engine", || engine::ensure(&places, options.yes, base::bootstrap_needed(&places)))?;
    let lab = thread::scope(|scope| {
        let binary = scope.spawn(|| timed("cargo build cc-ci", || runner::build_binary(&places)));
        timed("certificates", || certificates::ensure(&places))?;
        base::ensure(&places)?;
        let runner = scope.spawn(|| runner::ensure(&places, &joined(binary)?));
        let lab = swarm(&places, &options.targets);
        // Both are awaited, so that the lab is complete even where the crate does not compile.
        let runner = joined(runner);
        let lab = lab?;
        runner?;
        Ok::<_, anyhow::Error>(lab)
    })?;
    images::prune()?;
    say(format!("lab up in {:.1} s", start.elapsed().as_secs_f64()));
    Ok(lab)
}

/// Makes targets anew. Images, registry and keys stay.
pub(crate) fn reset(options: &Options) -> Result<Lab> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    timed("engine", || engine::ensure(&places, options.yes, base::bootstrap_needed(&places)))?;
    timed("certificates", || certificates::ensure(&places))?;
    base::ensure(&places)?;
    let targets = if options.targets.is_empty() { Target::wanted(&[])? } else { options.targets.clone() };
    targets.iter().try_for_each(removed)?;
    swarm(&places, &options.targets)
}

/// Removes targets, registry and network; with `images` the images too, and the engine that `up` started. Downloads, compiled
/// programs and keys stay in the lab's state folder: they make the next start quick. Named targets: these alone.
pub(crate) fn down(targets: &[Target], images: bool) -> Result<()> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    if engine::version().is_none() {
        say("no engine answers: nothing to remove");
        return targets_file::remove(&places, &Target::STANDARD.map(Target::named));
    }
    if !targets.is_empty() {
        targets_file::remove(&places, targets)?;
        return targets.iter().try_for_each(removed);
    }
    targets_file::remove(&places, &Target::wanted(&[])?)?;
    Target::all()?.iter().try_for_each(removed)?;
    timed("registry, forge and network removed", || {
        front::remove();
        registry::remove()?;
        forge::remove()?;
        succeeds(&mut docker(["network", "rm", NETWORK]));
        Ok(())
    })?;
    if images {
        timed("images removed", || {
            runner::remove_images_but(None)?;
            images::remove_all()
        })?;
        timed("engine stopped", || engine::stop(&places))?;
    }
    Ok(())
}

/// The standard targets that may be used: all, or those that `CC_CI_LAB_TARGETS` names, as for the tests on the lab.
pub(crate) fn usable() -> Vec<Target> {
    let allowed = std::env::var("CC_CI_LAB_TARGETS").ok();
    let is_allowed = |target: &Target| {
        allowed.as_ref().is_none_or(|allowed| allowed.split(',').any(|section| section == target.section()))
    };
    Target::STANDARD.map(Target::named).into_iter().filter(is_allowed).collect()
}

/// The target for this process alone, if nobody has it; tests take it in the same way.
pub(crate) fn hold(target: &Target) -> Result<Option<File>> {
    let path = std::env::temp_dir().join(format!("cc-ci-lab-{}.lock", target.section()));
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    Ok(file.try_lock().is_ok().then_some(file))
}

/// One of the usable targets, for this process alone, as soon as one is free. Between two looks the question says whether to go on.
pub(crate) fn hold_any(go_on: impl Fn() -> Result<()>) -> Result<(Target, File)> {
    loop {
        for target in usable() {
            if let Some(held) = hold(&target)? {
                return Ok((target, held));
            }
        }
        go_on()?;
        thread::sleep(Duration::from_millis(100));
    }
}

/// What is up.
pub(crate) fn status() -> Result<Status> {
    Status::read()
}

fn removed(target: &Target) -> Result<()> {
    timed(&format!("target {} removed", target.section()), || target.remove())
}

/// Images, registry, targets and proxies. The slow ones do not wait for each other, and `targets.toml` is written as soon as the
/// targets answer: only the proxies need Traefik.
fn swarm(places: &Places, named: &[Target]) -> Result<Lab> {
    let targets = Target::wanted(named)?;
    thread::scope(|scope| {
        let services = scope.spawn(|| SERVICES.iter().try_for_each(|image| image.ensure(places)));
        GO.ensure(places)?;
        let proxy_image = scope.spawn(|| traefik::ensure(places));
        let forge_program = scope.spawn(|| forge::compile(places));
        for image in [&TARGET, &REGISTRY, &FRONT].into_iter().chain(&WEB) {
            image.ensure(places)?;
        }
        timed("registry", || registry::ensure().and_then(|()| front::ensure()))?;
        let accesses = on_each(&targets, |target| {
            timed(&format!("target {}, swarm ready", target.section()), || target.ensure(places))
        })?;
        let targets: Vec<_> = targets.iter().cloned().zip(accesses).collect();
        targets_file::write(places, &targets)?;
        joined(services)?;
        timed("push service images", || WEB.iter().chain(&SERVICES).try_for_each(|image| registry::push(image.tag)))?;
        joined(proxy_image)?;
        timed(&format!("push {}", traefik::IMAGE), || registry::push(traefik::IMAGE))?;
        on_each(&targets, |(target, _)| {
            let label = format!("proxy of {}, converged and answering", target.section());
            timed(&label, || proxy::ensure(places, target))?;
            if target.role() == "gate" { sweep::ensure_clean(target) } else { Ok(()) }
        })?;
        joined(forge_program)?;
        timed("forge, answering", || forge::ensure(places))?;
        Ok(Lab { places: places.clone(), targets, targets_file: places.targets_file() })
    })
}

/// The step for each of them at once; all are awaited, the first error counts.
fn on_each<T: Sync, R: Send>(items: &[T], step: impl Fn(&T) -> Result<R> + Sync) -> Result<Vec<R>> {
    thread::scope(|scope| {
        let step = &step;
        let started: Vec<_> = items.iter().map(|item| scope.spawn(move || step(item))).collect();
        let ended: Vec<_> = started.into_iter().map(joined).collect();
        ended.into_iter().collect()
    })
}

fn joined<T>(handle: ScopedJoinHandle<'_, Result<T>>) -> Result<T> {
    handle.join().map_err(|_| anyhow!("a step panicked"))?
}

/// One lab command at a time; the others wait.
fn lock(places: &Places) -> Result<File> {
    let path = places.lab.join("lock");
    let file = File::create(&path).with_context(|| format!("cannot write {}", path.display()))?;
    if file.try_lock().is_err() {
        say("waiting for another lab command to end");
        file.lock()?;
    }
    Ok(file)
}

fn ensure_network() -> Result<()> {
    if succeeds(&mut docker(["network", "inspect", NETWORK])) {
        return Ok(());
    }
    run(&mut docker(["network", "create", NETWORK]))
}

/// The id of the image that a container was made from; `None` when there is no such container.
fn container_image(container: &str) -> Option<String> {
    output(&mut docker(["container", "inspect", "--format", "{{.Image}}", container])).ok()
}
