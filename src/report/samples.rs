//! Logs of the sample runs, for tests.

use crate::domain::log::{Record, Source};
use crate::domain::results::samples::{at, crash_loop};

fn record(ms: i64, source: &str, text: &str) -> Record {
    Record { at: at(ms), source: Source::try_from(source.to_owned()).unwrap(), position: None, text: text.to_owned() }
}

/// What cc-ci says and what the step that deploys prints.
pub(super) fn good_log() -> Vec<Record> {
    vec![
        record(0, "cc-ci", "run k7q2mzr4aabc: good 1.0.0+1.0.0 at 9f31c0e2 on lab"),
        record(480, "cc-ci", "prepare: target is clean, 9 services before the run"),
        record(1_890, "cc-ci", "lint: 12 rules, 1 hint"),
        record(1_940, "step/deploy", "Creating service cck7q2_ci_lab_test_app"),
        record(3_800, "cc-ci", "install: deploy call done, waiting for 1 service"),
        record(4_300, "app.1@4f0c2d11a9b3", "\u{1b}[32mINFO\u{1b}[0m  notes 1.0.0 listens on :8080"),
        record(15_120, "cc-ci", "install: converged"),
        record(15_800, "app.1@4f0c2d11a9b3", "GET / 200 2 ms"),
        record(16_170, "cc-ci", "verdict: green"),
        record(19_350, "cc-ci", "teardown: the target is as it was before"),
    ]
}

/// A log with three lives of `app`.
pub(super) fn crash_loop_log() -> Vec<Record> {
    let mut log = vec![
        record(0, "cc-ci", "run k7q2mzr4aabc: crash-loop 1.0.0+1.0.0 +U on lab"),
        record(480, "cc-ci", "prepare: target is clean, 9 services before the run"),
        record(1_340, "step/deploy", "Creating secret cck7q2_ci_lab_test_db_password_v1"),
        record(1_900, "step/deploy", "Creating service cck7q2_ci_lab_test_app"),
        record(2_100, "step/deploy", "Creating service cck7q2_ci_lab_test_db"),
    ];
    log.extend((0..40).map(|n| record(3_100 + n, "db.1@77aa01c3d0e1", &format!("LOG:  starting worker {n}"))));
    for (life, container) in ["4f0c2d11a9b3", "90b1c2d3e4f5", "a1b2c3d4e5f6"].iter().enumerate() {
        let begin = 3_200 + 6_100 * i64::try_from(life).unwrap();
        let app = format!("app.1@{container}");
        let said = |ms: i64, text: &str| record(begin + ms, &app, text);
        log.push(said(0, "PostgreSQL Database directory appears to contain a database; Skipping initialization"));
        log.push(said(40, &format!("\u{1b}[33mLOG\u{1b}[0m:  starting, process {}", 17 + life)));
        (0..3).for_each(|n| log.push(said(100 + n, "waiting for the data directory")));
        log.push(said(5_800, "\u{1b}[31mFATAL:  database files are incompatible with server\u{1b}[0m"));
        log.push(said(5_801, "DETAIL:  The data directory was initialized by version 15"));
        log.push(record(begin + 5_900, "cc-ci", &format!("app: exit {} with code 1", life + 1)));
    }
    log.push(record(21_310, "cc-ci", &format!("crash_loop: {}", crash_loop().findings[0].sentence)));
    log.push(record(23_750, "cc-ci", "teardown: the target is as it was before"));
    log
}
