//! P7: a log of 100 MB is written, followed, paged through, and watched by 500 people; beside logs of 10 and 50 MB. What is told is how much
//! longer a byte takes in the largest than in the smallest.

use std::io::Write as _;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result, bail};
use cc_ci::adapters::logfile::{LogFile, StepLines};
use cc_ci::adapters::store::{NewRun, Store};
use cc_ci::domain::ids::RunId;
use cc_ci::domain::log::{Record, Source};
use jiff::Timestamp;
use serde_json::{Value, json};
use tokio::task::JoinSet;

use crate::gate::Gate;
use crate::{ms, percentile};

const SIZES: [u32; 3] = [10, 50, 100];
const VIEWERS: usize = 500;
/// So many pages are asked for, and so many lines are written for the viewers.
const TIMES: usize = 10;
const EVENT: &[u8] = b"event: lines\n";
const PATIENCE: Duration = Duration::from_secs(60);

struct Measured {
    megabytes: f64,
    ingest: Duration,
    follow: Duration,
    page: Duration,
    viewers: Duration,
}

/// Measures, and tells.
pub(crate) async fn measure() -> Result<Value> {
    println!(
        "\n| log | written | s per 10 MB | followed by one | s per 10 MB | a page at its end | a line at all of {VIEWERS} viewers |"
    );
    println!("|---|---|---|---|---|---|---|");
    let mut all = Vec::new();
    for megabytes in SIZES {
        let measured = of_size(megabytes).await?;
        println!(
            "| {megabytes} MB | {:.2} s | {:.2} | {:.2} s | {:.2} | {:.0} ms | {:.0} ms |",
            measured.ingest.as_secs_f64(),
            measured.per_byte(measured.ingest) * 10.0,
            measured.follow.as_secs_f64(),
            measured.per_byte(measured.follow) * 10.0,
            ms(measured.page),
            ms(measured.viewers),
        );
        all.push(measured);
    }
    let (Some(small), Some(large)) = (all.first(), all.last()) else { bail!("nothing was measured") };
    let ratio = |of: fn(&Measured) -> Duration| large.per_byte(of(large)) / small.per_byte(of(small));
    let (ingest, follow) = (ratio(|it| it.ingest), ratio(|it| it.follow));
    let value = ingest.max(follow);
    println!(
        "\nP7: a byte of the largest takes {value:.2} times as long as one of the smallest (written {ingest:.2}, followed {follow:.2})"
    );
    let figures: Vec<Value> = all
        .iter()
        .map(|it| {
            json!({ "megabytes": it.megabytes, "ingest_s": it.ingest.as_secs_f64(), "follow_s": it.follow.as_secs_f64(),
                    "page_ms": ms(it.page), "line_at_all_viewers_ms": ms(it.viewers) })
        })
        .collect();
    Ok(
        json!({ "value": value, "unit": "ratio", "ingest": ingest, "follow": follow, "viewers": VIEWERS, "figures": figures }),
    )
}

impl Measured {
    /// Seconds per megabyte.
    fn per_byte(&self, time: Duration) -> f64 {
        time.as_secs_f64() / self.megabytes
    }
}

async fn of_size(megabytes: u32) -> Result<Measured> {
    let bytes = u64::from(megabytes) * 1_000_000;
    let folder = tempfile::tempdir()?;
    let ingest = ingested(folder.path(), bytes)?;
    let store = Store::open(folder.path()).await?;
    let id = RunId::from_random(rand::random());
    let (stack, at) = ("cclog_ci_example_org", Timestamp::now());
    store.add_run(NewRun { id: &id, recipe: "notes", target: "t", stack, plan: "{}", protocol: 1, at }).await?;
    let log = folder.path().join("runs").join(id.as_str()).join("log.jsonl");
    std::fs::create_dir_all(log.parent().context("it has a folder")?)?;
    let size = written(&log, bytes)?;
    let gate = Arc::new(Gate::start(folder.path()).await?);
    let follow = followed(&gate, size).await?;
    let mut pages = Vec::new();
    for time in 0..TIMES {
        let from = if time % 2 == 0 { "end".to_owned() } else { (time * 10_000).to_string() };
        pages.push(gate.page(&format!("/runs/1/log?from={from}")).await?.0);
    }
    let viewers = watched(&gate, &log, size).await?;
    store.close().await;
    Ok(Measured { megabytes: f64::from(megabytes), ingest, follow, page: percentile(&mut pages, 50), viewers })
}

/// Line `number` of an app that talks, about 100 bytes.
fn line(number: u64) -> String {
    format!(
        "{number:>9} GET /items/{number}/edit 200 1.4 ms agent=\"a browser of nobody's, 1.0\" of an app that talks all day\n"
    )
}

/// The output of a step of so many bytes, taken in pieces as they come from the engine. Beyond its limit a log leaves lines out, as it
/// says itself, but they still come.
fn ingested(folder: &Path, bytes: u64) -> Result<Duration> {
    let mut output = Vec::new();
    let mut number = 0;
    while (output.len() as u64) < bytes {
        output.extend_from_slice(line(number).as_bytes());
        number += 1;
    }
    let log = LogFile::open(&folder.join("ingested.jsonl"), None)?;
    let begun = Instant::now();
    let mut lines = StepLines::resume(&log, "deploy");
    output.chunks(32 << 10).for_each(|piece| lines.take(piece));
    lines.end();
    let took = begun.elapsed();
    match log.broken() {
        None => Ok(took),
        Some(why) => bail!("the log could not be written: {why}"),
    }
}

/// A log file of that size. Returns how many bytes it has.
fn written(path: &Path, bytes: u64) -> Result<u64> {
    let mut file = std::io::BufWriter::new(std::fs::File::create(path)?);
    let (mut size, mut number) = (0, 0);
    while size < bytes {
        let record = record(number)?;
        file.write_all(&record)?;
        size += record.len() as u64;
        number += 1;
    }
    file.flush()?;
    Ok(size)
}

fn record(number: u64) -> Result<Vec<u8>> {
    let source = Source::Service { task: "app.1".to_owned(), container: "4f0c2d11a9b3".to_owned() };
    let text = line(number).trim_end().to_owned();
    let mut record = serde_json::to_vec(&Record { at: Timestamp::now(), source, position: Some(number + 1), text })?;
    record.push(b'\n');
    Ok(record)
}

/// One viewer reads all of it.
async fn followed(gate: &Gate, size: u64) -> Result<Duration> {
    let begun = Instant::now();
    let mut answer = gate.client.get(format!("{}/runs/1/live", gate.url)).send().await?;
    let last = format!("id: {size}\n");
    let mut tail = Vec::new();
    while let Some(piece) = answer.chunk().await? {
        tail.extend_from_slice(&piece);
        if memory_has(&tail, last.as_bytes()) {
            return Ok(begun.elapsed());
        }
        // The wanted words may lie across two pieces.
        tail.drain(..tail.len().saturating_sub(last.len()));
    }
    bail!("the gate ended the connection")
}

fn memory_has(bytes: &[u8], wanted: &[u8]) -> bool {
    bytes.windows(wanted.len()).any(|window| window == wanted)
}

/// Many are at its end; how long it takes until all of them have a line that is written now.
async fn watched(gate: &Arc<Gate>, log: &Path, size: u64) -> Result<Duration> {
    let seen: Arc<Vec<AtomicUsize>> = Arc::new((0..VIEWERS).map(|_| AtomicUsize::new(0)).collect());
    let mut viewers = JoinSet::new();
    let mut connected = Vec::new();
    for _ in 0..VIEWERS {
        let answer = gate.client.get(format!("{}/runs/1/live?from={size}", gate.url)).send().await?;
        connected.push(answer);
    }
    for (number, mut answer) in connected.into_iter().enumerate() {
        let seen = Arc::clone(&seen);
        viewers.spawn(async move {
            while let Ok(Some(piece)) = answer.chunk().await {
                let lines = piece.windows(EVENT.len()).filter(|window| *window == EVENT).count();
                seen[number].fetch_add(lines, Ordering::Relaxed);
            }
        });
    }
    let mut file = std::fs::File::options().append(true).open(log)?;
    let mut times = Vec::new();
    for time in 1..=TIMES {
        let begun = Instant::now();
        file.write_all(&record(1_000_000_000 + time as u64)?)?;
        while seen.iter().any(|seen| seen.load(Ordering::Relaxed) < time) {
            if begun.elapsed() > PATIENCE {
                bail!("a line did not come to all viewers");
            }
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        times.push(begun.elapsed());
    }
    viewers.abort_all();
    Ok(percentile(&mut times, 50))
}
