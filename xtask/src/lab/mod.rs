//! The lab: a real Docker Swarm with everything that cc-ci meets in production, on this machine. `up` brings it up step by step,
//! each step idempotent; `xtask demo` and `xtask test` begin with it.
//!
//! ```text
//! engine
//! ├── cc-ci-lab-registry       registry.lab:5000 for targets, 127.0.0.1:5000 for pushes
//! └── cc-ci-lab-target-gate    sshd, inner engine, one-node swarm
//!     └── traefik_ci_lab_test  host ports 80 and 443
//! ```

mod base;
mod certificates;
mod content;
mod engine;
mod images;
mod places;
mod proxy;
mod registry;
mod runner;
mod status;
mod target;
mod targets_file;
mod traefik;

use std::fmt;
use std::fs::File;
use std::path::PathBuf;
use std::thread::{self, ScopedJoinHandle};
use std::time::Instant;

use anyhow::{Context, Result, anyhow};

pub(crate) use places::Places;
pub(crate) use status::Status;
pub(crate) use target::{Access, Target};

use crate::process::{docker, output, run, succeeds};
use crate::steps::{say, timed};
use images::{GO, REGISTRY, SERVICES, TARGET, WEB};

/// The domain of the lab's apps.
pub(crate) const DOMAIN: &str = "ci.lab.test";
/// The target's name and role.
pub(crate) const GATE: &str = "gate";

const NETWORK: &str = "cc-ci-lab";

/// How `up` may act.
#[derive(Clone, Debug)]
pub(crate) struct Options {
    /// Install missing packages without asking.
    pub(crate) yes: bool,
}

/// A lab that is up.
#[derive(Clone, Debug)]
pub(crate) struct Lab {
    /// Its folders.
    pub(crate) places: Places,
    /// The test Swarm host.
    pub(crate) target: Target,
    /// How a client reaches it.
    pub(crate) access: Access,
    /// The list of targets that names it in section `lab`.
    pub(crate) targets_file: PathBuf,
}

impl fmt::Display for Lab {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "target    {}, container {}", self.access.address, self.target.container())?;
        writeln!(f, "listed    as {} in {}", targets_file::SECTION, self.targets_file.display())?;
        write!(f, "state     {}", self.places.lab.display())
    }
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
        let lab = swarm(&places);
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

/// Makes the target anew. Images, registry and key stay.
pub(crate) fn reset(options: &Options) -> Result<Lab> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    timed("engine", || engine::ensure(&places, options.yes, base::bootstrap_needed(&places)))?;
    timed("certificates", || certificates::ensure(&places))?;
    base::ensure(&places)?;
    timed("target removed", || Target::named(GATE).remove())?;
    swarm(&places)
}

/// Removes targets, registry and network; with `images` the images too, and the engine that `up` started. Downloads, compiled
/// programs and keys stay in the lab's state folder: they make the next start quick.
pub(crate) fn down(images: bool) -> Result<()> {
    let places = Places::find()?;
    let _lock = lock(&places)?;
    targets_file::remove(&places)?;
    if engine::version().is_none() {
        say("no engine answers: nothing to remove");
        return Ok(());
    }
    for target in Target::all()? {
        timed(&format!("target {} removed", target.name), || target.remove())?;
    }
    timed("registry and network removed", || {
        registry::remove()?;
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

/// What is up.
pub(crate) fn status() -> Result<Status> {
    Status::read()
}

/// Images, registry, target and proxy. The slow ones do not wait for each other, and `targets.toml` is written as soon as the
/// target answers: only the proxy needs Traefik.
fn swarm(places: &Places) -> Result<Lab> {
    let target = Target::named(GATE);
    thread::scope(|scope| {
        let services = scope.spawn(|| SERVICES.iter().try_for_each(|image| image.ensure(places)));
        GO.ensure(places)?;
        let proxy_image = scope.spawn(|| traefik::ensure(places));
        for image in [&TARGET, &REGISTRY].into_iter().chain(&WEB) {
            image.ensure(places)?;
        }
        timed("registry", registry::ensure)?;
        let access = timed("target gate, swarm ready", || target.ensure(places))?;
        targets_file::write(places, &target, &access)?;
        joined(services)?;
        timed("push service images", || WEB.iter().chain(&SERVICES).try_for_each(|image| registry::push(image.tag)))?;
        joined(proxy_image)?;
        timed(&format!("push {}", traefik::IMAGE), || registry::push(traefik::IMAGE))?;
        timed("proxy, converged and answering", || proxy::ensure(places, &target))?;
        Ok(Lab { places: places.clone(), target, access, targets_file: places.targets_file() })
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
