//! P6: pages, while 50 people read and runs write.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::{Duration, Instant};

use anyhow::{Result, bail};
use cc_ci::adapters::logfile::LogFile;
use cc_ci::adapters::store::{End, NewRun, Store};
use cc_ci::domain::ids::RunId;
use cc_ci::domain::log::{Record, Source};
use cc_ci::domain::stage::Stage;
use cc_ci::domain::verdict::Verdict;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::seq::IndexedRandom as _;
use rand::{Rng as _, SeedableRng as _};
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio_util::sync::CancellationToken;

use crate::gate::Gate;
use crate::history::{Runs, WAITING, WITH_FILES, ended};
use crate::{ms, percentile};

const READERS: u64 = 50;
/// A reader asks for a page each half second, on average.
const BETWEEN: Duration = Duration::from_millis(500);
/// Runs that run, and how often each says something.
const WRITERS: usize = 4;
const SAYS: Duration = Duration::from_millis(200);
/// It has its verdict after so many words.
const WORDS: u32 = 25;
/// The goals.
const MS: f64 = 10.0;
const BYTES: usize = 60_000;

/// What was read.
pub(crate) struct Read {
    pages: BTreeMap<&'static str, Page>,
    /// Style and script: each page needs both.
    style: usize,
    /// Runs that ended meanwhile.
    ended: i64,
}

#[derive(Default)]
struct Page {
    times: Vec<Duration>,
    largest: usize,
}

/// Reads for so long.
pub(crate) async fn read(runs: &Runs, time: Duration) -> Result<Read> {
    let gate = Arc::new(Gate::start(runs.folder()).await?);
    let before = ended(runs.folder()).await?;
    let end = CancellationToken::new();
    let mut writers = JoinSet::new();
    for number in 0..WRITERS {
        // The first one's first run is the one that readers look at.
        let writer = Writer::begin(runs.folder(), number).await?;
        writers.spawn(writer.write(end.clone()));
    }
    let style = gate.page("/style.css").await?.1 + gate.page("/live.js").await?.1;
    let deadline = Instant::now() + time;
    let mut readers = JoinSet::new();
    for number in 0..READERS {
        readers.spawn(reader(Arc::clone(&gate), runs.count, number, deadline));
    }
    let mut pages: BTreeMap<&'static str, Page> = BTreeMap::new();
    while let Some(read) = readers.join_next().await {
        for (name, took, bytes) in read?? {
            let page = pages.entry(name).or_default();
            page.times.push(took);
            page.largest = page.largest.max(bytes);
        }
    }
    end.cancel();
    while let Some(wrote) = writers.join_next().await {
        wrote??;
    }
    let ended = ended(runs.folder()).await? - before;
    if ended == 0 {
        bail!("no run ended while pages were read");
    }
    Ok(Read { pages, style, ended })
}

/// One of those who read.
async fn reader(
    gate: Arc<Gate>,
    runs: u32,
    number: u64,
    deadline: Instant,
) -> Result<Vec<(&'static str, Duration, usize)>> {
    let mut random = StdRng::seed_from_u64(number);
    let mut read = Vec::new();
    loop {
        tokio::time::sleep(BETWEEN.mul_f64(random.random_range(0.0..2.0))).await;
        if Instant::now() > deadline {
            return Ok(read);
        }
        let (name, path) = draw(runs, &mut random);
        let (took, bytes) = gate.page(&path).await?;
        read.push((name, took, bytes));
    }
}

/// A page that somebody may look at: old ones as often as new ones.
fn draw(runs: u32, random: &mut StdRng) -> (&'static str, String) {
    let any = random.random_range(1..=runs);
    let new = runs - random.random_range(0..WITH_FILES.min(runs));
    let waiting = runs + random.random_range(1..=WAITING);
    let recipe = format!("recipe-{:03}", random.random_range(0..200));
    let pages = [
        ("now", "/".to_owned()),
        ("runs", "/runs".to_owned()),
        ("runs, older", format!("/runs?before={any}")),
        ("run with its log", format!("/runs/{new}")),
        ("run, any", format!("/runs/{any}")),
        ("run that waits", format!("/runs/{waiting}")),
        ("run that runs", format!("/runs/{}", runs + WAITING + 1)),
        ("log", format!("/runs/{new}/log")),
        ("log of one that runs", format!("/runs/{}/log?from=end", runs + WAITING + 1)),
        ("recipes", "/recipes".to_owned()),
        ("recipes, further", format!("/recipes?after={recipe}")),
        ("recipe", format!("/recipes/{recipe}")),
        ("recipe, older", format!("/recipes/{recipe}?before={any}")),
        ("badge", format!("/recipes/{recipe}/badge.svg")),
        ("targets", "/targets".to_owned()),
        ("help", "/help".to_owned()),
        ("status.json", "/status.json".to_owned()),
        ("metrics", "/metrics".to_owned()),
    ];
    pages.choose(random).cloned().unwrap_or_default()
}

/// One run after the other, as the command line has them: they belong to no forge, so that the gate drives none of them.
struct Writer {
    state: PathBuf,
    store: Store,
    number: usize,
    run: RunId,
}

impl Writer {
    async fn begin(state: &Path, number: usize) -> Result<Self> {
        let store = Store::open(state).await?;
        let run = RunId::from_random(rand::random());
        let writer = Self { state: state.to_owned(), store, number, run };
        writer.begin_run().await?;
        Ok(writer)
    }

    async fn begin_run(&self) -> Result<()> {
        let (id, at) = (&self.run, Timestamp::now());
        let stack = format!("ccw{}_ci_example_org", self.number);
        let new = NewRun { id, recipe: "notes", target: "swarm-w", stack: &stack, plan: "{}", protocol: 1, at };
        self.store.add_run(new).await?;
        Ok(self.store.begin_stage(id, Stage::Install, at).await?)
    }

    async fn write(mut self, end: CancellationToken) -> Result<()> {
        loop {
            self.say(&end).await?;
            let told = End { verdict: Verdict::NotJudged, sentence: "not judged: made up", level: 0, report: None };
            self.store.finish(&self.run, &told, Timestamp::now()).await?;
            self.store.answered(&self.run).await?;
            if end.is_cancelled() {
                self.store.close().await;
                return Ok(());
            }
            self.run = RunId::from_random(rand::random());
            self.begin_run().await?;
        }
    }

    /// What a run says until its verdict; that of the first goes on for as long as anybody reads.
    async fn say(&self, end: &CancellationToken) -> Result<()> {
        let folder = self.state.join("runs").join(self.run.as_str());
        std::fs::create_dir_all(&folder)?;
        let log = LogFile::open(&folder.join("log.jsonl"), None)?;
        let words = if self.number == 0 { u32::MAX } else { WORDS };
        for word in 0..words {
            log.say(format!("word {word} of the gate"));
            for line in 0..5_u64 {
                let source = Source::Service { task: "app.1".to_owned(), container: "4f0c2d11a9b3".to_owned() };
                let text = format!("GET /page/{line} 200 1.4 ms agent=\"a browser\" of an app that talks");
                let position = Some(u64::from(word) * 10 + line + 1);
                log.write(Record { at: Timestamp::now(), source, position, text });
            }
            self.store.put_fact(&self.run, "memory", &"m".repeat(4_000)).await?;
            let phase = format!("phase {}", word % 8);
            self.store.begin_phase(&self.run, &phase, "docker", Timestamp::now()).await?;
            tokio::select! {
                () = end.cancelled() => break,
                () = tokio::time::sleep(SAYS) => {}
            }
        }
        Ok(())
    }
}

/// A table, and the figures.
pub(crate) fn told(baseline: &Read, read: &Read, few: &Runs, many: &Runs) -> Value {
    println!("\n| page | read | median, ms | p99, ms | with {} runs, p99 | bytes with style and script |", few.count);
    println!("|---|---|---|---|---|---|");
    let (mut all, mut of_few, mut largest) = (Vec::new(), Vec::new(), 0);
    for (name, page) in &read.pages {
        let mut times = page.times.clone();
        let mut before = baseline.pages.get(name).map(|page| page.times.clone()).unwrap_or_default();
        let whole = page.largest + read.style;
        println!(
            "| {name} | {} | {:.1} | {:.1} | {:.1} | {whole} |",
            times.len(),
            ms(percentile(&mut times, 50)),
            ms(percentile(&mut times, 99)),
            ms(percentile(&mut before, 99)),
        );
        all.append(&mut times);
        of_few.append(&mut before);
        // What programs read has neither style nor script.
        if !["status.json", "metrics", "badge"].contains(name) {
            largest = largest.max(whole);
        }
    }
    let (p99, p99_of_few) = (ms(percentile(&mut all, 99)), ms(percentile(&mut of_few, 99)));
    let met = if p99 <= MS && largest <= BYTES { "met" } else { "missed" };
    println!(
        "\nP6: p99 {p99:.1} ms of {} pages, {READERS} readers, {} runs ended meanwhile; the largest page {largest} bytes; goals ≤ {MS} ms, ≤ {BYTES} bytes: {met}",
        all.len(),
        read.ended,
    );
    println!(
        "    median {:.1} ms; with {} runs p99 {p99_of_few:.1} ms: ratio {:.2}",
        ms(percentile(&mut all, 50)),
        few.count,
        p99 / p99_of_few
    );
    json!({
        "value": p99, "unit": "ms", "median": ms(percentile(&mut all, 50)), "bytes": largest, "pages": all.len(),
        "runs": many.count, "baseline": p99_of_few, "ratio": p99 / p99_of_few,
    })
}
