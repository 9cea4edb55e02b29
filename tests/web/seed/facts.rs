//! What the seeded runs came to, and their logs.

use std::collections::BTreeMap;

use cc_ci::domain::finding::{Finding, FindingKind};
use cc_ci::domain::ids::{DomainName, RecipeName, RunId, TargetName};
use cc_ci::domain::log::Record;
use cc_ci::domain::results::{
    Artefact, Asset, By, Converged, DataFacts, Deploys, Driver, FloorFacts, HttpFact, Image, LintLine, Mark, Pull,
    Resources, Revision, RunFacts, ServiceMemory, Severity, StageOutcome, Store, Target as RanOn, Timing,
};
use cc_ci::domain::stage::Stage;
use jiff::{SignedDuration, Timestamp};

use super::{HARM, commit, line};

fn timings(started: Timestamp, phases: &[(&str, i64, u64, By)]) -> Vec<Timing> {
    let timing = |(phase, start, ms, by): &(&str, i64, u64, By)| Timing {
        phase: (*phase).to_owned(),
        start: after(started, *start),
        ms: *ms,
        by: *by,
    };
    phases.iter().map(timing).collect()
}

fn after(started: Timestamp, ms: i64) -> Timestamp {
    started + SignedDuration::from_millis(ms)
}

pub(super) fn good(recipe: &str, started: Timestamp) -> RunFacts {
    RunFacts {
        host_power: None,
        tests: None,
        run: RunId::from_random([1; 12]),
        recipe: RecipeName::parse(recipe).unwrap(),
        head: Revision {
            commit: Some(commit()),
            version: Some("2.1.0+16.2".into()),
            dirty: false,
            source: format!("https://git.example.org/recipes/{recipe}.git"),
        },
        base: None,
        stages: [Stage::Prepare, Stage::Lint, Stage::Install, Stage::Teardown]
            .map(|it| (it, StageOutcome::Done))
            .into(),
        findings: Vec::new(),
        upgrade: FloorFacts::default(),
        data: DataFacts::default(),
        checks_declared: 0,
        checks: Vec::new(),
        extras_left: Vec::new(),
        not_applicable: BTreeMap::new(),
        only: std::collections::BTreeSet::new(),
        with_tests: false,
        floor: FloorFacts {
            converged: Some(Converged { services: 2, ms: 11_320 }),
            http: vec![HttpFact {
                host: "cck7q2.ci.example.org".into(),
                status: 200,
                differs_from_random: true,
                title: Some("Sign in".into()),
                assets: vec![Asset { url: "https://cck7q2.ci.example.org/style.css".into(), status: 200 }],
            }],
            nothing_left: Some(true),
            neighbour_untouched: Some(true),
            ..FloorFacts::default()
        },
        lint_rules: 12,
        lint: vec![LintLine {
            rule: "image_latest".into(),
            severity: Severity::Hint,
            new: true,
            file: "compose.yml".into(),
            line: Some(5),
            text: "`app` uses an image without a fixed tag".into(),
            advice: "Name a version, so that a deploy can be repeated.".into(),
            why: "The tag moves: two deploys of one version differ.".into(),
        }],
        cancelled: false,
        kept: false,
        timings: timings(
            started,
            &[
                ("connect", 0, 480, By::CcCi),
                ("inventory", 480, 390, By::CcCi),
                ("runner", 870, 1_020, By::Docker),
                ("lint", 1_890, 35, By::CcCi),
                ("deploy call", 1_930, 1_870, By::Docker),
                ("converge", 3_800, 31_320, By::App),
                ("floor", 35_760, 410, By::CcCi),
                ("teardown", 36_170, 2_830, By::Docker),
                ("compare", 39_000, 350, By::CcCi),
            ],
        ),
        marks: Vec::new(),
        host: Vec::new(),
        deploys: Deploys { fresh: 1, upgrade: 0 },
        images: vec![Image {
            service: "app".into(),
            image: format!("registry.example.org/{recipe}:2.1.0"),
            digest: Some(format!("sha256:{}", "61be90ab".repeat(8))),
        }],
        pulls: vec![Pull {
            image: format!("registry.example.org/{recipe}:2.1.0"),
            services: vec!["app".into()],
            digest: Some(format!("sha256:{}", "61be90ab".repeat(8))),
            store: Store::Cold,
            bytes: 45_300_000,
            ms: 3_240,
        }],
        driver: Driver { name: "stack".into(), version: "0.1.0".into() },
        target: RanOn {
            name: TargetName::parse("swarm-a").unwrap(),
            engine: Some("29.1.3".into()),
            domain: Some(DomainName::parse("cck7q2.ci.example.org").unwrap()),
        },
        started,
        finished: after(started, 39_350),
        warnings: Vec::new(),
        resources: Resources {
            memory: vec![ServiceMemory { service: "app".into(), peak_bytes: 38_400_000, limit_bytes: Some(256 << 20) }],
            image_bytes: Some(74_000_000),
        },
        artefacts: [("log.jsonl", 23_450), ("evidence.tar.gz", 9_876)]
            .map(|(name, bytes)| Artefact { name: name.into(), bytes, sha256: "0c77a1e5".repeat(8) })
            .into(),
    }
}

fn red(started: Timestamp, recipe: &str, finding: Finding) -> RunFacts {
    let good = good(recipe, started);
    RunFacts {
        stages: BTreeMap::from([
            (Stage::Prepare, StageOutcome::Done),
            (Stage::Lint, StageOutcome::Done),
            (Stage::Install, StageOutcome::Failed),
            (Stage::Teardown, StageOutcome::Done),
        ]),
        findings: vec![finding],
        floor: FloorFacts { nothing_left: Some(true), ..FloorFacts::default() },
        timings: timings(
            started,
            &[
                ("connect", 0, 480, By::CcCi),
                ("runner", 870, 420, By::Docker),
                ("lint", 1_290, 35, By::CcCi),
                ("deploy call", 1_330, 1_670, By::Docker),
                ("converge", 3_000, 18_310, By::App),
                ("teardown", 21_310, 2_110, By::Docker),
                ("compare", 23_420, 330, By::CcCi),
            ],
        ),
        marks: [9_100, 15_200, 21_300].map(|ms| Mark { at: after(started, ms), what: "db exits with 1".into() }).into(),
        finished: after(started, 23_750),
        ..good
    }
}

pub(super) fn crash_loop(started: Timestamp) -> RunFacts {
    let sentence = "`db` exits with code 1 again and again, 3 times, every 6.0 s: `FATAL: database files are incompatible with server`";
    let mut finding = Finding::new(FindingKind::CrashLoop, Stage::Install, after(started, 21_310), sentence)
        .about("db")
        .with("exits of db", "6.1 s: exit 1\n12.2 s: exit 1\n18.3 s: exit 1")
        .with("last log lines of db", "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by PostgreSQL version 15");
    finding.advice.push_str(" A major upgrade of a database needs a dump and a restore.");
    red(started, "notes", finding)
}

pub(super) fn target_lost(started: Timestamp) -> RunFacts {
    let finding = Finding::new(
        FindingKind::TargetUnreachable,
        Stage::Install,
        after(started, 304_000),
        "target `swarm-b` could not be reached for 5 minutes while `app` was starting",
    )
    .with("last error", "ssh swarm-b:22: connection timed out (keepalive, 3 × 15 s)");
    let red = red(started, "mumble", finding);
    RunFacts { marks: Vec::new(), finished: after(started, 304_000), ..red }
}

/// More of everything than a page can hold.
pub(super) fn heavy_facts(started: Timestamp) -> RunFacts {
    let text = (0..60).map(|n| format!("\"{n}\" <&> '{}'", "<".repeat(600))).collect::<Vec<_>>().join("\n");
    let finding = |n: i64| {
        let sentence = format!("`s{n}` exits with code 1: `{}`", "<&\"'>".repeat(80));
        Finding::new(FindingKind::CrashLoop, Stage::Install, after(started, 21_310), sentence)
            .about(format!("s{n}"))
            .with("last log lines", text.as_str())
            .with("more of them", text.as_str())
    };
    let red = red(started, "mumble", finding(0));
    let hint = LintLine { text: "<&>".repeat(300), advice: "\"'".repeat(200), ..red.lint[0].clone() };
    RunFacts {
        findings: (0..20).map(finding).collect(),
        lint: vec![hint; 300],
        warnings: (0..200).map(|n| format!("warning {n}: {}", "<w>".repeat(100))).collect(),
        images: vec![red.images[0].clone(); 60],
        timings: (0..90)
            .map(|n| Timing { phase: format!("phase {n}"), start: after(started, n * 200), ms: 900, by: By::Docker })
            .collect(),
        marks: (0..300).map(|n| Mark { at: after(started, n * 70), what: format!("s{n} exits with 1") }).collect(),
        ..red
    }
}

pub(super) fn harm_facts(started: Timestamp) -> RunFacts {
    let finding = Finding::new(
        FindingKind::CrashLoop,
        Stage::Install,
        after(started, 21_310),
        format!("`app` exits with code 1: `{HARM}`"),
    )
    .about(HARM)
    .with(HARM, format!("\u{1b}[31m{HARM}\u{1b}[0m\n\u{202e}{HARM}\u{7}"));
    let mut facts = red(started, "plausible", finding);
    facts.head.version = Some(HARM.into());
    facts.warnings.push(HARM.into());
    facts.images[0].image = HARM.into();
    facts.lint[0].text = HARM.into();
    facts
}

pub(super) fn good_log(started: Timestamp) -> Vec<Record> {
    let said = |ms: i64, source: &str, text: &str| line(after(started, ms), source, text);
    vec![
        said(0, "cc-ci", "run k7q2mzr4aabc: 2.1.0+16.2 at 9f31c0e2 on swarm-a"),
        said(480, "cc-ci", "prepare: target is clean, 9 services before the run"),
        said(1_890, "cc-ci", "lint: 12 rules, 1 hint"),
        said(1_940, "step/deploy", "Creating service cck7q2_ci_example_org_app"),
        said(3_800, "cc-ci", "install: deploy call done, waiting for 2 services"),
        said(4_300, "app.1@4f0c2d11a9b3", "\u{1b}[32mINFO\u{1b}[0m  listens on :8080"),
        said(35_120, "cc-ci", "install: converged"),
        said(35_800, "app.1@4f0c2d11a9b3", "GET / 200 2 ms"),
        said(39_350, "cc-ci", "teardown: the target is as it was before"),
    ]
}

pub(super) fn crash_log(started: Timestamp) -> Vec<Record> {
    let mut log = good_log(started)[..4].to_vec();
    for (life, container) in ["4f0c2d11a9b3", "90b1c2d3e4f5", "a1b2c3d4e5f6"].iter().enumerate() {
        let begin = 3_200 + 6_100 * i64::try_from(life).unwrap();
        let db = format!("db.1@{container}");
        let mut said = |ms: i64, text: &str| log.push(line(after(started, begin + ms), &db, text));
        said(0, "PostgreSQL Database directory appears to contain a database; Skipping initialization");
        said(40, &format!("\u{1b}[33mLOG\u{1b}[0m:  starting, process {}", 17 + life));
        said(5_800, "\u{1b}[31mFATAL:  database files are incompatible with server\u{1b}[0m");
        said(5_801, "DETAIL:  The data directory was initialized by PostgreSQL version 15");
    }
    let sentence = &crash_loop(started).findings[0].sentence;
    log.push(line(after(started, 21_310), "cc-ci", &format!("crash_loop: {sentence}")));
    log.push(line(after(started, 23_750), "cc-ci", "teardown: the target is as it was before"));
    log
}

pub(super) fn heavy_log(started: Timestamp) -> Vec<Record> {
    (0..3_000)
        .map(|n| {
            line(after(started, n), &format!("s{}.1@4f0c2d11a9b3", n % 70), &format!("{n} {}", "<&\"'>".repeat(60)))
        })
        .collect()
}

pub(super) fn harm_log(started: Timestamp) -> Vec<Record> {
    let mut log = good_log(started);
    log.push(line(
        after(started, 5_000),
        "app.1@4f0c2d11a9b3",
        &format!("\u{1b}[31m{HARM}\u{1b}]0;owned\u{7}\u{202e}"),
    ));
    log
}
