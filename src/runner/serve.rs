//! PID 1 of the runner container.

use std::fs;
use std::future::pending;
use std::path::Path;
use std::time::Duration;

use anyhow::{Context as _, ensure};
use jiff::Timestamp;
use tokio::process::Child;
use tokio::signal::unix::{Signal, SignalKind, signal};

use super::{folder, host, process, undeploy_stack, write_whole};
use crate::domain::protocol::{HowEnded, LIMIT, ORDERS, Orders, PROTOCOL, STEPS, Step, StepEnd, StepName};

/// Looks at the folder at least this often; a signal makes it look at once.
const TICK: Duration = Duration::from_millis(500);
/// Whatever is wrong, removing the stack is tried again after this pause.
const UNDEPLOY_AGAIN: Duration = Duration::from_secs(10);

/// A step whose process runs.
struct Running {
    step: Step,
    child: Child,
    started: Timestamp,
}

/// Why the loop woke.
enum Woken {
    Look,
    Exited(std::io::Result<std::process::ExitStatus>),
    TimedOut,
    LimitPassed,
    Told,
}

/// Starts steps as they come, until it is told to end or the total limit has passed.
///
/// # Errors
/// When its orders cannot be read, or its folder cannot be written.
pub async fn serve() -> anyhow::Result<()> {
    let orders: Orders = serde_json::from_slice(&fs::read(ORDERS).context("cannot read the runner's orders")?)?;
    ensure!(orders.protocol == PROTOCOL, "the gate speaks protocol {}, this runner {PROTOCOL}", orders.protocol);
    fs::create_dir_all(STEPS)?;
    let mut wake = signal(SignalKind::user_defined1())?;
    let mut told = signal(SignalKind::terminate())?;
    let mut running: Option<Running> = None;
    tokio::spawn(async {
        if let Err(error) = host::watch().await {
            tracing::warn!(%error, "the host's load is not read any more");
        }
    });
    loop {
        match woken(&mut running, &orders, &mut wake, &mut told).await {
            Woken::Look => {}
            Woken::Exited(status) => end(
                running.take(),
                status.map_or_else(|error| HowEnded::NotStarted { error: error.to_string() }, process::how_ended),
            )?,
            Woken::TimedOut => stop(running.take(), HowEnded::TimedOut).await?,
            Woken::Told => return stop(running.take(), HowEnded::Stopped).await,
            Woken::LimitPassed => {
                stop(running.take(), HowEnded::Stopped).await?;
                return limit_passed(&orders).await;
            }
        }
        let mut waiting = waiting_steps()?;
        if waiting.iter().any(|step| step.stops_others) {
            stop(running.take(), HowEnded::Stopped).await?;
            let (urgent, others): (Vec<Step>, Vec<Step>) = waiting.into_iter().partition(|step| step.stops_others);
            others.iter().try_for_each(drop_step)?;
            waiting = urgent;
        }
        if running.is_none() {
            running = waiting.into_iter().next().map(begin).transpose()?.flatten();
        }
    }
}

async fn woken(running: &mut Option<Running>, orders: &Orders, wake: &mut Signal, told: &mut Signal) -> Woken {
    let until_limit = until(orders.stop_at);
    let until_step_limit =
        running.as_ref().map(|running| until(running.started + Duration::from_secs(running.step.limit_seconds)));
    let exit = async {
        match running {
            Some(running) => running.child.wait().await,
            None => pending().await,
        }
    };
    let step_limit = async {
        match until_step_limit {
            Some(time) => tokio::time::sleep(time).await,
            None => pending().await,
        }
    };
    tokio::select! {
        status = exit => Woken::Exited(status),
        () = step_limit => Woken::TimedOut,
        () = tokio::time::sleep(until_limit) => Woken::LimitPassed,
        _ = told.recv() => Woken::Told,
        _ = wake.recv() => Woken::Look,
        () = tokio::time::sleep(TICK) => Woken::Look,
    }
}

fn until(instant: Timestamp) -> Duration {
    Duration::try_from(instant.duration_since(Timestamp::now())).unwrap_or_default()
}

/// Steps that were asked for and have not ended, in the order of their request; the running one is not among them.
fn waiting_steps() -> anyhow::Result<Vec<Step>> {
    let mut found = Vec::new();
    for entry in fs::read_dir(STEPS)? {
        let entry = entry?;
        let (request, begun) = (entry.path().join("request.json"), entry.path().join("begun"));
        if let (Ok(text), false) = (fs::read(&request), begun.exists()) {
            found.push((fs::metadata(&request)?.modified()?, serde_json::from_slice::<Step>(&text)?));
        }
    }
    found.sort_by_key(|(asked, step)| (*asked, step.name.clone()));
    Ok(found.into_iter().map(|(_, step)| step).collect())
}

/// Starts a step. One that cannot be started ends at once.
fn begin(step: Step) -> anyhow::Result<Option<Running>> {
    let place = folder(&step.name);
    fs::write(place.join("begun"), b"")?;
    let started = Timestamp::now();
    match process::start(&step, &place.join("output")) {
        Ok(child) => Ok(Some(Running { step, child, started })),
        Err(error) => {
            let program = step.argv.first().map_or("", String::as_str);
            leave_end(&step.name, HowEnded::NotStarted { error: format!("{program}: {error}") }, started)?;
            Ok(None)
        }
    }
}

/// A step that a more urgent one overtook never starts.
fn drop_step(step: &Step) -> anyhow::Result<()> {
    fs::write(folder(&step.name).join("begun"), b"")?;
    leave_end(&step.name, HowEnded::Stopped, Timestamp::now())
}

async fn stop(running: Option<Running>, how: HowEnded) -> anyhow::Result<()> {
    let Some(mut running) = running else { return Ok(()) };
    process::stop(&mut running.child).await;
    end(Some(running), how)
}

fn end(running: Option<Running>, how: HowEnded) -> anyhow::Result<()> {
    running.map_or(Ok(()), |running| leave_end(&running.step.name, how, running.started))
}

fn leave_end(name: &StepName, how: HowEnded, started: Timestamp) -> anyhow::Result<()> {
    write_whole(&folder(name).join("exit.json"), &StepEnd { how, started, ended: Timestamp::now() })
}

/// The gate may be gone: remove the app, and leave word of it.
async fn limit_passed(orders: &Orders) -> anyhow::Result<()> {
    while let Err(error) = undeploy_stack(&orders.stack).await {
        tracing::warn!(%error, stack = %orders.stack, "cannot remove the stack yet");
        tokio::time::sleep(UNDEPLOY_AGAIN).await;
    }
    write_whole(Path::new(LIMIT), &Timestamp::now())
}
