//! A database with many runs, made up from a seed: what a gate has that has judged so many. Some thousands are one transaction.

use std::path::Path;
use std::time::{Duration, Instant};

use anyhow::{Context as _, Result};
use cc_ci::adapters::store::Store;
use cc_ci::domain::ids::RunId;
use jiff::Timestamp;
use rand::rngs::StdRng;
use rand::{Rng as _, SeedableRng as _};
use sqlx::sqlite::{SqliteConnectOptions, SqliteConnection, SqliteSynchronous};
use sqlx::{Connection as _, Row as _};

use crate::seed;

const SEED: u64 = 6;
const RECIPES: u32 = 200;
/// One transaction.
const BATCH: u32 = 5_000;
/// So many runs wait.
pub(crate) const WAITING: u32 = 20;
/// So many keep their logs, as with `KEEP_RUNS`.
pub(crate) const WITH_FILES: u32 = 200;
/// From one run to the next.
const MINUTE_MS: i64 = 60_000;

/// A state folder with runs.
pub(crate) struct Runs {
    folder: tempfile::TempDir,
    pub(crate) count: u32,
    pub(crate) took: Duration,
}

impl Runs {
    /// Makes so many runs that have ended, and some that wait.
    pub(crate) async fn make(count: u32) -> Result<Self> {
        let templates = Templates::take().await?;
        let folder = tempfile::tempdir()?;
        let begun = Instant::now();
        Store::open(folder.path()).await?.close().await;
        let mut database = open(folder.path()).await?;
        let mut random = StdRng::seed_from_u64(SEED);
        let now = Timestamp::now().as_millisecond();
        for first in (1..=count + WAITING).step_by(BATCH as usize) {
            let mut all = database.begin().await?;
            for number in first..(first + BATCH).min(count + WAITING + 1) {
                let at = now - i64::from(count + WAITING - number) * MINUTE_MS;
                let run = MadeUp::draw(number, at, number > count, &mut random);
                run.insert(&mut all, &templates).await?;
                if run.has_files(count) {
                    run.write_log(folder.path(), &templates.log)?;
                }
            }
            all.commit().await?;
        }
        for statement in DERIVED {
            sqlx::query(statement).bind(i64::from(count - WITH_FILES.min(count))).execute(&mut database).await?;
        }
        sqlx::query("PRAGMA wal_checkpoint(TRUNCATE)").execute(&mut database).await?;
        database.close().await?;
        Ok(Self { folder, count, took: begun.elapsed() })
    }

    /// The state folder.
    pub(crate) fn folder(&self) -> &Path {
        self.folder.path()
    }

    /// The size of the database.
    pub(crate) fn megabytes(&self) -> f64 {
        let bytes = std::fs::metadata(self.folder.path().join("cc-ci.db")).map_or(0, |file| file.len());
        u32::try_from(bytes / 1_000).map_or(f64::NAN, |kilobytes| f64::from(kilobytes) / 1_000.0)
    }
}

/// What follows from the runs: what each says of its stages, phases and answers. `?1`: up to that number they have no files.
const DERIVED: [&str; 7] = [
    "INSERT INTO stage (run, name, state, started_at, ended_at)
     SELECT id, name, 'done', started_at + at, started_at + at + 900 FROM run, (
       SELECT 'prepare' AS name, 0 AS at UNION ALL SELECT 'lint', 1000 UNION ALL SELECT 'install', 2000 UNION ALL SELECT 'teardown', 30000)
     WHERE state = 'done' AND ?1 IS NOT NULL ORDER BY number",
    "INSERT INTO phase (run, name, took_by, started_at, ended_at)
     SELECT id, name, 'docker', started_at + at, started_at + at + 900 FROM run, (
       SELECT 'connect' AS name, 0 AS at UNION ALL SELECT 'runner', 500 UNION ALL SELECT 'lint', 1000 UNION ALL SELECT 'secrets', 1500
       UNION ALL SELECT 'deploy call', 2000 UNION ALL SELECT 'converge', 3000 UNION ALL SELECT 'floor', 20000 UNION ALL SELECT 'undeploy', 30000)
     WHERE state = 'done' AND ?1 IS NOT NULL ORDER BY number",
    "INSERT INTO inbox (comment, repository, pull, author, body, written_at, updated_at, brought_by, seen_at, state, outcome, run)
     SELECT comment, repository, pull, 'ada', '!testme', queued_at, queued_at, 'webhook', queued_at, 'settled', 'accepted', id
     FROM run WHERE comment IS NOT NULL AND ?1 IS NOT NULL",
    "INSERT INTO outbox (key, kind, repository, pull, content, wanted, flushed, remote, state)
     SELECT 'answer/' || comment || '/1', 'comment', repository, pull, hex(zeroblob(400)), 3, 3, number, 'open'
     FROM run WHERE comment IS NOT NULL AND state = 'done' AND ?1 IS NOT NULL",
    "INSERT INTO outbox (key, kind, repository, pull, content, wanted, flushed, remote, state)
     SELECT 'status/' || id, 'status', repository, pull, hex(zeroblob(80)), 3, 3, number, 'open'
     FROM run WHERE comment IS NOT NULL AND state = 'done' AND ?1 IS NOT NULL",
    "INSERT INTO fact (run, key, value) SELECT id, 'before', '\"' || hex(zeroblob(400)) || '\"' FROM run WHERE state = 'done' AND ?1 IS NOT NULL",
    "UPDATE run SET files_removed_at = finished_at WHERE state = 'done' AND number <= ?1",
];

async fn open(folder: &Path) -> Result<SqliteConnection> {
    let options = SqliteConnectOptions::new().filename(folder.join("cc-ci.db")).synchronous(SqliteSynchronous::Off);
    Ok(SqliteConnection::connect_with(&options).await?)
}

/// What a run leaves that went well, and one that did not.
struct Templates {
    green: String,
    red: String,
    log: Vec<u8>,
}

impl Templates {
    /// From the runs that tests of the pages look at.
    async fn take() -> Result<Self> {
        let folder = tempfile::tempdir()?;
        let service = seed::service(folder.path(), "http://127.0.0.1:9").await;
        let seed::Numbers { green, red, .. } = seed::seed(&service).await;
        let run = service.store().show_run(red).await?.context("the red run is there")?;
        let log = std::fs::read(service.state().run(&run.id).log())?;
        let results = async |number| service.store().results_of(number).await?.context("it has results");
        Ok(Self { green: results(green).await?, red: results(red).await?, log })
    }
}

/// A run, made up.
struct MadeUp {
    id: RunId,
    number: u32,
    waits: bool,
    recipe: String,
    pull: Option<i64>,
    cause: &'static str,
    verdict: &'static str,
    queued_at: i64,
    took: i64,
}

impl MadeUp {
    fn draw(number: u32, queued_at: i64, waits: bool, random: &mut StdRng) -> Self {
        let pull = random.random_bool(0.7).then(|| random.random_range(1..300));
        let verdict = match random.random_range(0..10) {
            0..=6 => "green",
            7..=8 => "red",
            _ => "not_judged",
        };
        Self {
            id: RunId::from_random(random.random()),
            number,
            waits,
            // Each recipe has a run, however few there are.
            recipe: format!(
                "recipe-{:03}",
                if number <= RECIPES { number - 1 } else { random.random_range(0..RECIPES) }
            ),
            cause: match (pull, random.random_bool(0.5)) {
                (Some(_), _) => "pull_request",
                (None, true) => "sweep",
                (None, false) => "post_merge",
            },
            pull,
            verdict,
            queued_at,
            took: random.random_range(40..900) * 1_000,
        }
    }

    async fn insert(&self, database: &mut SqliteConnection, templates: &Templates) -> Result<()> {
        let done = !self.waits;
        let results = if self.verdict == "green" { &templates.green } else { &templates.red };
        let added = sqlx::query(
            "INSERT INTO run (id, number, state, cause, recipe, repository, pull, head, asked_by, options, queued_at, comment, answered,
                target, stack, plan, protocol, started_at)
             VALUES (?1, ?2, 'queued', ?3, ?4, 'recipes/' || ?4, ?5, ?6, 'ada', '{}', ?7, ?8, ?9,
                iif(?9, 'swarm-a', NULL), iif(?9, 'cck7q2_ci_example_org', NULL), iif(?9, '{}', NULL), iif(?9, 1, NULL), iif(?9, ?7 + 5000, NULL))",
        );
        let head = format!("{:040x}", self.number);
        let added = added.bind(self.id.as_str()).bind(self.number).bind(self.cause).bind(&self.recipe).bind(self.pull);
        let comment = self.pull.map(|_| i64::from(self.number));
        added.bind(head).bind(self.queued_at).bind(comment).bind(done).execute(&mut *database).await?;
        if done {
            let sentence = "install: 2 services run and answer, nothing was left behind; not verified: upgrade, backup";
            sqlx::query("UPDATE run SET state = 'done', verdict = ?, sentence = ?, level = 2, version = ?, finished_at = ? WHERE id = ?")
                .bind(self.verdict)
                .bind(sentence)
                .bind("1.0.0+2.1.0")
                .bind(self.queued_at + 5_000 + self.took)
                .bind(self.id.as_str())
                .execute(&mut *database)
                .await?;
            let report = sqlx::query("INSERT INTO report (run, results) VALUES (?, ?)");
            report.bind(self.id.as_str()).bind(results).execute(&mut *database).await?;
        }
        Ok(())
    }

    const fn has_files(&self, count: u32) -> bool {
        !self.waits && self.number + WITH_FILES > count
    }

    fn write_log(&self, state: &Path, log: &[u8]) -> Result<()> {
        let folder = state.join("runs").join(self.id.as_str());
        std::fs::create_dir_all(&folder)?;
        Ok(std::fs::write(folder.join("log.jsonl"), log)?)
    }
}

/// How many runs have ended, by the database's own word.
pub(crate) async fn ended(folder: &Path) -> Result<i64> {
    let mut database = open(folder).await?;
    Ok(sqlx::query("SELECT count(*) FROM run WHERE state = 'done'").fetch_one(&mut database).await?.get(0))
}
