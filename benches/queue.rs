//! P8: what a decision costs when 10,000 runs wait. `cargo bench --bench queue [-- --json FILE]` compiles it as the program that is
//! deployed.
//!
//! The queue is a made-up day of the simulation: 200 recipes with their weights, times, images and ports, runs of each cause, up to a day old, five
//! targets. Each of the three functions is asked again and again, at 10,000 and at 1,000 runs, in situations that differ in how early it may stop.

use std::hint::black_box;
use std::path::PathBuf;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};
use cc_ci::domain::queue::simulation::{Day, Shape};
use cc_ci::domain::queue::{
    History, HostPort, Running, Situation, Switches, TargetFacts, TargetState, Waiting, admit, decide, explain_all,
};
use cc_ci::domain::stage::Stage;
use cc_ci::domain::verdict::Verdict;
use jiff::Timestamp;
use serde_json::json;

const MANY: usize = 10_000;
const FEW: usize = 1_000;
/// Each function is measured so often in each situation.
const TIMES: usize = 200;
const WARM_UP: usize = 5;
/// A decision takes no longer, in milliseconds.
const GOAL: f64 = 10.0;
/// Everybody has been asked for by then, in hours of the made-up day.
const NOW_HOURS: i64 = 24;

fn main() -> Result<()> {
    let json = json_file()?;
    println!("{TIMES} times each; milliseconds\n");
    println!("| decision | situation | {MANY} wait: median | worst | {FEW} wait: median | ratio |");
    println!("|---|---|---|---|---|---|");
    let (many, few) = (Queue::of(MANY)?, Queue::of(FEW)?);
    let mut figures = Vec::new();
    for situation in [Filled::Full, Filled::OneFree, Filled::Blocked] {
        let (many, few) = (many.filled(situation), few.filled(situation));
        for decision in [Decision::Decide, Decision::Explain, Decision::Admit] {
            let (at_many, at_few) = (decision.measure(&many), decision.measure(&few));
            let ratio = at_many.median / at_few.median;
            println!(
                "| `{}` | {} | {:.3} | {:.3} | {:.3} | {ratio:.1} |",
                decision.name(),
                situation.name(),
                at_many.median,
                at_many.worst,
                at_few.median
            );
            figures.push(json!({
                "decision": decision.name(), "situation": situation.name(), "median": at_many.median,
                "worst": at_many.worst, "median_of_1000": at_few.median, "ratio": ratio,
            }));
        }
    }
    let slowest = figures.iter().filter_map(|figure| figure["median"].as_f64()).fold(0.0, f64::max);
    let worst = figures.iter().filter_map(|figure| figure["worst"].as_f64()).fold(0.0, f64::max);
    let met = if slowest <= GOAL { "met" } else { "missed" };
    println!(
        "\nP8: {slowest:.2} ms, the median of the slowest; goal ≤ {GOAL} ms: {met}; the worst of all {worst:.2} ms"
    );
    if let Some(file) = json {
        let told = json!({ "P8": { "value": slowest, "unit": "ms", "worst": worst, "figures": figures } });
        std::fs::write(&file, told.to_string() + "\n").with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// Cargo adds `--bench` of its own.
fn json_file() -> Result<Option<PathBuf>> {
    let mut arguments = std::env::args_os().skip(1).filter(|argument| argument != "--bench");
    match arguments.next() {
        None => Ok(None),
        Some(name) if name == "--json" => Ok(Some(arguments.next().context("--json needs a file")?.into())),
        Some(other) => bail!("unknown argument {}", other.display()),
    }
}

/// How the targets are filled.
#[derive(Clone, Copy)]
enum Filled {
    /// Nothing can start.
    Full,
    /// One unit of one target is free.
    OneFree,
    /// All have room, but on each the port that everybody wants is taken: all must be looked at, and none starts.
    Blocked,
}

impl Filled {
    const fn name(self) -> &'static str {
        match self {
            Self::Full => "targets full",
            Self::OneFree => "one slot free",
            Self::Blocked => "all blocked by a port",
        }
    }
}

#[derive(Clone, Copy)]
enum Decision {
    Decide,
    Explain,
    Admit,
}

struct Measured {
    median: f64,
    worst: f64,
}

impl Decision {
    const fn name(self) -> &'static str {
        match self {
            Self::Decide => "decide",
            Self::Explain => "explain_all",
            Self::Admit => "admit",
        }
    }

    fn measure(self, queue: &Queue) -> Measured {
        let situation = queue.situation();
        let mut times: Vec<Duration> = (0..WARM_UP + TIMES).map(|time| self.once(time, queue, &situation)).collect();
        times.drain(..WARM_UP);
        times.sort_unstable();
        let ms = |index: usize| times.get(index).map_or(f64::NAN, |time| time.as_secs_f64() * 1_000.0);
        Measured { median: ms(TIMES / 2), worst: ms(TIMES - 1) }
    }

    fn once(self, time: usize, queue: &Queue, situation: &Situation<'_>) -> Duration {
        let begun = Instant::now();
        match self {
            Self::Decide => drop(black_box(decide(black_box(situation)))),
            Self::Explain => drop(black_box(explain_all(black_box(situation), &queue.history))),
            Self::Admit => {
                let request = &queue.requests[time % queue.requests.len()];
                drop(black_box(admit(situation.waiting, situation.running, black_box(request))));
            }
        }
        begun.elapsed()
    }
}

/// A queue with all that a decision depends on.
#[derive(Clone)]
struct Queue {
    waiting: Vec<Waiting>,
    running: Vec<Running>,
    targets: Vec<TargetFacts>,
    history: History,
    /// Asked for on pull requests of which nothing waits: the whole queue is searched.
    requests: Vec<Waiting>,
    now: Timestamp,
}

impl Queue {
    /// So many runs of a day, half of them for pull requests.
    fn of(runs: usize) -> Result<Self> {
        let all = u64::try_from(runs)?;
        let requests = 100;
        let shape = Shape {
            seed: 8,
            pull_requests: all * 4 / 10,
            burst: all / 10 + requests,
            post_merges: all / 5,
            sweeps: all / 5,
            overdue_sweeps: all / 10,
            ..Shape::default()
        };
        let day = Day::of(&shape);
        let mut history = History::default();
        for planned in &day.runs {
            history.record(&planned.request.subject.recipe, Verdict::Green, planned.takes);
        }
        let (mut waiting, mut asked) = (Vec::new(), Vec::new());
        for planned in day.runs {
            let is_asked = planned.request.subject.pr.is_some() && asked.len() < usize::try_from(requests)?;
            (if is_asked { &mut asked } else { &mut waiting }).push(planned.request);
        }
        if waiting.len() != runs {
            bail!("{} runs wait instead of {runs}", waiting.len());
        }
        let now = Timestamp::from_second(NOW_HOURS * 3600)?;
        Ok(Self { waiting, running: Vec::new(), targets: day.targets, history, requests: asked, now })
    }

    /// With runs on its targets; what runs had been asked for beside those that wait.
    fn filled(&self, filled: Filled) -> Self {
        let mut queue = self.clone();
        let port = HostPort::tcp(25);
        let per_target = match filled {
            Filled::Full | Filled::OneFree => 4,
            Filled::Blocked => 1,
        };
        if matches!(filled, Filled::Blocked) {
            queue.waiting.iter_mut().for_each(|run| run.ports = vec![port]);
        }
        let mut light = self.requests.iter().cycle();
        for target in &mut queue.targets {
            target.state = TargetState::Leased;
            for _ in 0..per_target {
                let Some(run) = light.next() else { return queue };
                queue.running.push(self.running_on(target, run, port));
            }
        }
        if matches!(filled, Filled::OneFree) {
            queue.running.pop();
        }
        queue
    }

    fn running_on(&self, target: &TargetFacts, run: &Waiting, port: HostPort) -> Running {
        Running {
            run: run.run.clone(),
            subject: run.subject.clone(),
            target: target.name.clone(),
            weight: std::num::NonZeroU32::MIN,
            ports: vec![port],
            stage: Stage::Install,
            started_at: self.now - Duration::from_secs(120),
            usual: self.history.usual(&run.subject.recipe),
            limit: run.limit,
        }
    }

    fn situation(&self) -> Situation<'_> {
        Situation {
            waiting: &self.waiting,
            running: &self.running,
            targets: &self.targets,
            switches: Switches::default(),
            now: self.now,
        }
    }
}
