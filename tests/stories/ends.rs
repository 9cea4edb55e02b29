//! How runs end in these stories: what a real one would have left behind.

use std::collections::{BTreeMap, BTreeSet};

use cc_ci::adapters::store::{Asked, End, Report};
use cc_ci::domain::finding::{Finding, FindingKind};
use cc_ci::domain::ids::{DomainName, TargetName};
use cc_ci::domain::registry::{ImageName, Refusal, judge};
use cc_ci::domain::results::{
    Converged, DataFacts, Deploys, Driver, FloorFacts, HttpFact, Resources, Revision, RunFacts, StageOutcome, Target,
    conclude,
};
use cc_ci::domain::stage::Stage;

use crate::scene::Scene;

/// How a run ends.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Ends {
    Green,
    /// Green, with this version label.
    Version(&'static str),
    Red,
    /// The target was lost.
    Infra,
    /// Its image was not to be had; the base used it too.
    NoImage(Refusal),
}

impl Scene {
    /// A run ends now, wherever it was.
    pub(crate) async fn end(&self, run: &Asked, ends: Ends) {
        let results = conclude(self.facts(run, ends));
        let json = serde_json::to_string(&results).unwrap();
        let report = Some(Report { results: &json, signature: None });
        let end = End { verdict: results.verdict, sentence: &results.sentence, level: results.level, report };
        self.store().finish(&run.id, &end, self.clock.now()).await.unwrap();
    }

    fn facts(&self, run: &Asked, ends: Ends) -> RunFacts {
        let now = self.clock.now();
        let found = |kind, said| Some(Finding::new(kind, Stage::Install, now, said));
        let finding = match ends {
            Ends::Green | Ends::Version(_) => None,
            Ends::Red => found(FindingKind::CrashLoop, "app exits with 1, again and again"),
            Ends::Infra => found(FindingKind::TargetUnreachable, "the target was silent for 5 min"),
            Ends::NoImage(refusal) => {
                let image = "registry.example.org/notes:2".to_owned();
                let base = BTreeSet::from([image.clone()]);
                let image = ImageName::parse(&image).unwrap();
                Some(judge(refusal, &image, "as the engine says it", &base, Stage::Install, now))
            }
        };
        let http = HttpFact {
            host: "notes.ci.example.org".to_owned(),
            status: 200,
            differs_from_random: true,
            title: None,
            assets: Vec::new(),
        };
        RunFacts {
            data: DataFacts::default(),
            checks_declared: 0,
            checks: Vec::new(),
            extras_left: Vec::new(),
            not_applicable: BTreeMap::new(),
            only: BTreeSet::new(),
            with_tests: false,
            host_power: None,
            tests: None,
            run: run.id.clone(),
            recipe: run.recipe.clone(),
            head: Revision {
                commit: run.head.clone(),
                version: match ends {
                    Ends::Version(version) => Some(version.to_owned()),
                    Ends::Green | Ends::Red | Ends::Infra | Ends::NoImage(_) => None,
                },
                dirty: false,
                source: "https://forge.example.org/recipes/notes.git".to_owned(),
            },
            base: None,
            stages: [Stage::Prepare, Stage::Lint, Stage::Install, Stage::Teardown]
                .map(|stage| (stage, StageOutcome::Done))
                .into(),
            findings: finding.into_iter().collect(),
            upgrade: FloorFacts::default(),
            floor: FloorFacts {
                converged: Some(Converged { services: 1, ms: 9_000 }),
                http: vec![http],
                nothing_left: Some(true),
                neighbour_untouched: Some(true),
                ..FloorFacts::default()
            },
            lint_rules: 12,
            lint: Vec::new(),
            cancelled: false,
            kept: false,
            timings: Vec::new(),
            marks: Vec::new(),
            host: Vec::new(),
            deploys: Deploys { fresh: 1, upgrade: 0 },
            images: Vec::new(),
            pulls: Vec::new(),
            driver: Driver { name: "stack".to_owned(), version: "0.1.0".to_owned() },
            target: Target {
                name: TargetName::parse("swarm-a").unwrap(),
                engine: Some("29.1.3".to_owned()),
                domain: Some(DomainName::parse("notes.ci.example.org").unwrap()),
            },
            started: now,
            finished: now,
            warnings: Vec::new(),
            resources: Resources::default(),
            artefacts: Vec::new(),
        }
    }
}
