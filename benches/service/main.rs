//! P6, P7 and P9: pages, logs and the start of a gate that has judged 100,000 runs. `cargo bench --bench service` compiles it and the
//! program as they are deployed. `cc-ci serve` is a process of its own; its forge is one on the wire, and it has no target.
//!
//! `-- --json FILE` writes the figures, `--only P6,P9` leaves the others out, `--runs N` and `--seconds N` make it smaller.

#![expect(clippy::unwrap_used, reason = "a benchmark that cannot go on ends")]

#[path = "../../tests/fakes/forge/mod.rs"]
#[expect(dead_code, reason = "what only tests need")]
mod fake;
#[path = "../../tests/web/seed/mod.rs"]
#[expect(dead_code, reason = "what only tests need")]
mod seed;

mod gate;
mod history;
mod logs;
mod pages;

use std::path::PathBuf;
use std::time::Duration;

use anyhow::{Context as _, Result, bail};
use serde_json::{Map, Value, json};

use self::gate::Gate;
use self::history::Runs;

/// A run's pages, and the gate's start, must not need longer than this where there are so many runs.
const MANY: u32 = 100_000;
/// The baseline of the same run.
const FEW: u32 = 1_000;
const STARTS: usize = 7;

struct Options {
    json: Option<PathBuf>,
    only: Option<Vec<String>>,
    runs: u32,
    seconds: u64,
}

impl Options {
    fn read() -> Result<Self> {
        let mut options = Self { json: None, only: None, runs: MANY, seconds: 30 };
        // Cargo adds `--bench` of its own.
        let mut arguments = std::env::args().skip(1).filter(|argument| argument != "--bench");
        while let Some(name) = arguments.next() {
            let value = arguments.next().with_context(|| format!("{name} needs a value"))?;
            match name.as_str() {
                "--json" => options.json = Some(value.into()),
                "--only" => options.only = Some(value.split(',').map(str::to_owned).collect()),
                "--runs" => options.runs = value.parse()?,
                "--seconds" => options.seconds = value.parse()?,
                _ => bail!("unknown argument {name}"),
            }
        }
        Ok(options)
    }

    fn wants(&self, figure: &str) -> bool {
        self.only.as_ref().is_none_or(|only| only.iter().any(|wanted| wanted == figure))
    }
}

#[tokio::main]
async fn main() -> Result<()> {
    let options = Options::read()?;
    let _installed = rustls::crypto::ring::default_provider().install_default();
    let mut told = Map::new();
    if options.wants("P6") || options.wants("P9") {
        let few = Runs::make(FEW).await?;
        let many = Runs::make(options.runs).await?;
        println!("{} runs: made in {:.1} s, {:.0} MB", many.count, many.took.as_secs_f64(), many.megabytes());
        if options.wants("P9") {
            told.insert("P9".to_owned(), starts(&few, &many).await?);
        }
        if options.wants("P6") {
            let time = Duration::from_secs(options.seconds);
            let baseline = pages::read(&few, time / 2).await?;
            let read = pages::read(&many, time).await?;
            told.insert("P6".to_owned(), pages::told(&baseline, &read, &few, &many));
        }
    }
    if options.wants("P7") {
        told.insert("P7".to_owned(), logs::measure().await?);
    }
    if let Some(file) = options.json {
        let text = Value::Object(told).to_string() + "\n";
        std::fs::write(&file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    Ok(())
}

/// P9: from the start of the process until `/readyz` is fine.
async fn starts(few: &Runs, many: &Runs) -> Result<Value> {
    let (baseline, time) = (start(few).await?, start(many).await?);
    let (value, ratio) = (time.as_secs_f64(), time.as_secs_f64() / baseline.as_secs_f64());
    println!(
        "\nP9: start to ready with {} runs {value:.3} s, with {} {:.3} s; ratio {ratio:.2} (median of {STARTS})",
        many.count,
        few.count,
        baseline.as_secs_f64()
    );
    Ok(json!({ "value": value, "unit": "s", "runs": many.count, "baseline": baseline.as_secs_f64(), "ratio": ratio }))
}

async fn start(runs: &Runs) -> Result<Duration> {
    let mut times = Vec::new();
    for _ in 0..STARTS {
        times.push(Gate::start(runs.folder()).await?.ready);
    }
    Ok(percentile(&mut times, 50))
}

/// The time that so many of 100 did not exceed.
fn percentile(times: &mut [Duration], percent: usize) -> Duration {
    times.sort_unstable();
    times.get((times.len() * percent).div_ceil(100).saturating_sub(1)).copied().unwrap_or_default()
}

fn ms(time: Duration) -> f64 {
    time.as_secs_f64() * 1_000.0
}
