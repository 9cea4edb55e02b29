//! Three runs as facts, for tests here and in the report: green, a crash loop, not judged.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use super::*;
use crate::domain::base::{Tag, resolve};
use crate::domain::checks::Checked;
use crate::domain::data::{Planted, Seeded, Survived};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::recipe::RecipeVersion;
use crate::domain::stage::Stage;

/// The sample runs' first instant, and so many milliseconds after it.
pub(crate) fn at(ms: i64) -> Timestamp {
    Timestamp::from_millisecond(1_785_765_755_120).unwrap() + SignedDuration::from_millis(ms)
}

fn timings(phases: &[(&str, i64, u64, By)]) -> Vec<Timing> {
    let timing = |(phase, start, ms, by): &(&str, i64, u64, By)| Timing {
        phase: (*phase).to_owned(),
        start: at(*start),
        ms: *ms,
        by: *by,
    };
    phases.iter().map(timing).collect()
}

/// One seed and one volume, which survive.
fn data() -> DataFacts {
    let survived = Survived { seeds: vec!["a note".into()], planted: 1, not_looked_for: Vec::new() };
    DataFacts {
        seeded: Some(Seeded {
            seeds: survived.seeds.clone(),
            planted: vec![Planted { service: "app".into(), path: "/data".into(), volume: "data".into() }],
            not_planted: Vec::new(),
        }),
        after_upgrade: Some(survived.clone()),
        no_backup: None,
        archived: Some(vec![Archived { what: "the volume data".into(), files: 1, bytes: 1_204 }]),
        after_restore: Some(survived),
    }
}

fn check(stage: Stage) -> Checked {
    Checked {
        name: "the notes page".into(),
        stage,
        seen: "https://cck7q2.ci.lab.test/ answers 200".into(),
        holds: true,
        second_look: false,
        ms: 12,
        output: String::new(),
        suite: None,
    }
}

/// A good recipe: green.
pub(crate) fn good() -> RunFacts {
    RunFacts {
        run: RunId::parse("k7q2mzr4aabc").unwrap(),
        recipe: RecipeName::parse("good").unwrap(),
        head: Revision {
            commit: Some(CommitSha::parse(&"9f31c0e2".repeat(5)).unwrap()),
            version: Some("1.0.0+1.0.0".into()),
            dirty: false,
            source: "https://git.example.org/recipes/good.git".into(),
        },
        base: Some(resolve(
            RecipeVersion::parse("1.0.0+1.0.0").ok().as_ref(),
            &[],
            &[Tag {
                name: "0.9.0+1.0.0".into(),
                commit: CommitSha::parse(&"61be90ab".repeat(5)).unwrap(),
                annotated: true,
            }],
        )),
        stages: Stage::ALL
            .into_iter()
            .filter(|stage| *stage != Stage::Keep)
            .map(|stage| (stage, StageOutcome::Done))
            .collect(),
        findings: Vec::new(),
        upgrade: FloorFacts {
            converged: Some(Converged { services: 1, ms: 12_040 }),
            http: vec![HttpFact {
                host: "cck7q2.ci.lab.test".into(),
                status: 200,
                differs_from_random: true,
                title: Some("Notes".into()),
                assets: Vec::new(),
            }],
            ..FloorFacts::default()
        },
        data: data(),
        checks_declared: 1,
        checks: [Stage::Upgrade, Stage::Checks].map(check).to_vec(),
        extras_left: vec!["compress state".into()],
        not_applicable: BTreeMap::new(),
        only: std::collections::BTreeSet::new(),
        with_tests: false,
        floor: FloorFacts {
            converged: Some(Converged { services: 1, ms: 11_320 }),
            http: vec![HttpFact {
                host: "cck7q2.ci.lab.test".into(),
                status: 200,
                differs_from_random: true,
                title: Some("Notes".into()),
                assets: vec![Asset { url: "https://cck7q2.ci.lab.test/style.css".into(), status: 200 }],
            }],
            nothing_left: Some(true),
            neighbour_untouched: Some(true),
            ..FloorFacts::default()
        },
        host_power: None,
        tests: None,
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
        timings: timings(&[
            ("connect", 0, 480, By::CcCi),
            ("inventory", 480, 390, By::CcCi),
            ("runner", 870, 1_020, By::Docker),
            ("lint", 1_890, 35, By::CcCi),
            ("deploy call", 1_930, 1_870, By::Docker),
            ("converge", 3_800, 11_320, By::App),
            ("ready", 15_120, 640, By::App),
            ("floor", 15_760, 410, By::CcCi),
            ("teardown", 16_170, 2_830, By::Docker),
            ("compare", 19_000, 350, By::CcCi),
        ]),
        marks: Vec::new(),
        host: Vec::new(),
        deploys: Deploys { fresh: 2, upgrade: 1 },
        images: vec![Image {
            service: "app".into(),
            image: "registry.lab.test/notes:1.0.0".into(),
            digest: Some(format!("sha256:{}", "61be90ab".repeat(8))),
        }],
        pulls: vec![Pull {
            image: "registry.lab.test/notes:1.0.0".into(),
            services: vec!["app".into()],
            digest: Some(format!("sha256:{}", "61be90ab".repeat(8))),
            store: Store::Cold,
            bytes: 45_300_000,
            ms: 3_240,
        }],
        driver: Driver { name: "stack".into(), version: "0.1.0".into() },
        target: Target {
            name: TargetName::parse("lab").unwrap(),
            engine: Some("29.1.3".into()),
            domain: Some(DomainName::parse("cck7q2.ci.lab.test").unwrap()),
        },
        started: at(0),
        finished: at(19_350),
        warnings: Vec::new(),
        resources: Resources {
            memory: vec![ServiceMemory {
                service: "app".into(),
                peak_bytes: 38_400_000,
                limit_bytes: Some(268_435_456),
            }],
            image_bytes: Some(74_000_000),
        },
        artefacts: vec![Artefact { name: "log.jsonl".into(), bytes: 2_345, sha256: "0c77a1e5".repeat(8) }],
    }
}

/// A service that exits every six seconds: red.
pub(crate) fn crash_loop() -> RunFacts {
    let mut finding = Finding::new(
        FindingKind::CrashLoop,
        Stage::Install,
        at(21_310),
        "`app` exits with code 1 again and again, 3 times, every 6.0 s: `FATAL: database files are incompatible with server`",
    )
    .about("app")
    .with("exits of app", "6.1 s: exit 1\n12.2 s: exit 1\n18.3 s: exit 1")
    .with("last log lines of app", "FATAL:  database files are incompatible with server\nDETAIL:  The data directory was initialized by version 15");
    finding.advice.push_str(" A major upgrade of a database needs a dump and a restore.");
    let good = good();
    RunFacts {
        recipe: RecipeName::parse("crash-loop").unwrap(),
        head: Revision { dirty: true, source: "recipes/crash loop".into(), ..good.head },
        stages: BTreeMap::from([
            (Stage::Prepare, StageOutcome::Done),
            (Stage::Lint, StageOutcome::Done),
            (Stage::Install, StageOutcome::Failed),
            (Stage::Teardown, StageOutcome::Done),
        ]),
        findings: vec![finding],
        data: DataFacts::default(),
        checks: Vec::new(),
        extras_left: Vec::new(),
        floor: FloorFacts { nothing_left: Some(true), ..FloorFacts::default() },
        timings: timings(&[
            ("connect", 0, 480, By::CcCi),
            ("inventory", 480, 390, By::CcCi),
            ("runner", 870, 420, By::Docker),
            ("lint", 1_290, 35, By::CcCi),
            ("deploy call", 1_330, 1_670, By::Docker),
            ("converge", 3_000, 18_310, By::App),
            ("teardown", 21_310, 2_110, By::Docker),
            ("compare", 23_420, 330, By::CcCi),
        ]),
        marks: [9_100, 15_200, 21_300].map(|ms| Mark { at: at(ms), what: "app exits with 1".into() }).into(),
        finished: at(23_750),
        warnings: vec!["the directory has uncommitted changes: it was tested as it is".into()],
        ..good
    }
}

/// A target that went away: not judged.
pub(crate) fn target_lost() -> RunFacts {
    let good = good();
    let finding = Finding::new(
        FindingKind::TargetUnreachable,
        Stage::Install,
        at(304_000),
        "target `lab` could not be reached for 5 minutes while `app` was starting",
    )
    .with("last error", "ssh lab:2222: connection timed out (keepalive, 3 × 15 s)");
    let stages = [
        (Stage::Prepare, StageOutcome::Done),
        (Stage::Lint, StageOutcome::Done),
        (Stage::Install, StageOutcome::Failed),
        (Stage::Teardown, StageOutcome::Skipped("the target cannot be reached".into())),
    ];
    RunFacts {
        stages: BTreeMap::from(stages),
        findings: vec![finding],
        data: DataFacts::default(),
        checks: Vec::new(),
        extras_left: Vec::new(),
        floor: FloorFacts::default(),
        timings: timings(&[
            ("connect", 0, 480, By::CcCi),
            ("deploy call", 1_900, 1_900, By::Docker),
            ("converge", 3_800, 300_200, By::App),
        ]),
        images: vec![Image { digest: None, ..good.images[0].clone() }],
        pulls: vec![Pull { store: Store::Warm, bytes: 0, ms: 12, ..good.pulls[0].clone() }],
        resources: Resources::default(),
        finished: at(304_000),
        ..good
    }
}
