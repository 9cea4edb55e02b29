//! Which stage comes next in a run: a pure function of what the run is and of what its stages came to, the same for a run that begins
//! and for one that is taken up after its process was killed.
//!
//! With a base, two deploys prove everything: base, data, upgrade in place, backup, destroy, fresh deploy, checks, restore. Without one
//! (or with one that does not deploy any more) head is installed first, and the data comes afterwards. An upgrade that fails still gets
//! its fresh deploy: "installs, but does not upgrade".

use std::collections::{BTreeMap, BTreeSet};

use super::stage::Stage;

/// What a run is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Shape {
    /// The base's name; else why there is none.
    pub base: Result<String, String>,
    /// Whether there is data to look for: a volume, or a seed; else why not.
    pub data: Result<(), String>,
    /// Whether there can be a backup; else why not.
    pub backup: Result<(), String>,
    /// Whether checks are declared.
    pub checks: bool,
    /// Whether extra checks are declared and asked for; else why not.
    pub extra: Result<(), String>,
    /// Whether the app is to stay up for a person.
    pub keep: bool,
    /// Only these are asked for, of [`askable_stages`](super::command::askable_stages), with what they need; empty: everything.
    pub only: BTreeSet<Stage>,
}

/// What a stage came to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Came {
    /// It did all it should.
    Done,
    /// It ended with a finding, was left out, or was interrupted.
    Not,
}

/// What a run came to so far.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct SoFar {
    /// The stages that are over.
    pub stages: BTreeMap<Stage, Came>,
    /// Why nothing more can be deployed, when that is so: the target was lost, the time is over, it was cancelled.
    pub over: Option<String>,
    /// The first cause of each stage that failed.
    pub causes: BTreeMap<Stage, String>,
    /// Whether an app is up that a person could look at.
    pub up: bool,
    /// The stages in which the app itself failed: nothing can be shown with that deploy any more.
    pub app_failed_in: BTreeSet<Stage>,
}

/// What to do now.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Next {
    /// This stage.
    Do(Stage),
    /// Not this stage, and why.
    Skip(Stage, String),
    /// Teardown.
    End,
}

impl Shape {
    /// Whether one of these is asked for.
    fn asks(&self, stages: &[Stage]) -> bool {
        self.only.is_empty() || stages.iter().any(|stage| self.only.contains(stage))
    }

    /// Why a stage is left out that none of these needs.
    fn needed_by(&self, stages: &[Stage]) -> Result<(), String> {
        if self.asks(stages) { Ok(()) } else { Err("not asked for (`--only`)".to_owned()) }
    }
}

impl SoFar {
    fn done(&self, stage: Stage) -> bool {
        self.stages.get(&stage) == Some(&Came::Done)
    }

    fn open(&self, stage: Stage) -> bool {
        !self.stages.contains_key(&stage)
    }

    fn cause(&self, stage: Stage) -> &str {
        self.causes.get(&stage).map_or("it was interrupted", String::as_str)
    }
}

/// What comes next.
#[must_use]
pub fn next(shape: &Shape, so_far: &SoFar) -> Next {
    if so_far.open(Stage::Lint) && so_far.over.is_none() {
        return Next::Do(Stage::Lint);
    }
    if !so_far.done(Stage::Lint) {
        return if so_far.open(Stage::Install) {
            let why = so_far.over.clone().unwrap_or_else(|| "a lint error provably stops the deploy".to_owned());
            Next::Skip(Stage::Install, why)
        } else {
            Next::End
        };
    }
    let order = if shape.asks(&[Stage::Upgrade])
        && shape.base.is_ok()
        && (so_far.open(Stage::Base) || so_far.done(Stage::Base))
    {
        ONTO_THE_BASE
    } else {
        ONTO_NOTHING
    };
    let asked = |stage: &Stage| *stage != Stage::Keep || shape.keep;
    let Some(stage) = order.into_iter().filter(asked).find(|stage| so_far.open(*stage)) else { return Next::End };
    match so_far.over.clone().map_or_else(|| wanted(shape, so_far, stage), Err) {
        Ok(()) => Next::Do(stage),
        Err(why) => Next::Skip(stage, why),
    }
}

/// The order with a base that deploys.
const ONTO_THE_BASE: [Stage; 10] = [
    Stage::Base,
    Stage::Seed,
    Stage::Upgrade,
    Stage::Backup,
    Stage::Destroy,
    Stage::Install,
    Stage::Checks,
    Stage::Restore,
    Stage::Extra,
    Stage::Keep,
];

/// The order without one.
const ONTO_NOTHING: [Stage; 10] = [
    Stage::Base,
    Stage::Upgrade,
    Stage::Install,
    Stage::Checks,
    Stage::Seed,
    Stage::Backup,
    Stage::Destroy,
    Stage::Restore,
    Stage::Extra,
    Stage::Keep,
];

/// What comes after the install without a base.
const ON_WHAT_WAS_INSTALLED: [Stage; 4] = [Stage::Checks, Stage::Seed, Stage::Backup, Stage::Restore];

/// Whether a stage that is its turn is worth doing; else why not.
fn wanted(shape: &Shape, so_far: &SoFar, stage: Stage) -> Result<(), String> {
    let with_base = so_far.done(Stage::Base);
    let after = |stage: Stage, why: &str| if so_far.done(stage) { Ok(()) } else { Err(why.to_owned()) };
    let runs = || {
        // Of the stages that come on the fresh deploy.
        let on_it: &[Stage] = if with_base { &[Stage::Checks, Stage::Restore] } else { &ON_WHAT_WAS_INSTALLED };
        let failed = on_it.iter().any(|stage| so_far.app_failed_in.contains(stage));
        if failed { Err("the app had failed by then".to_owned()) } else { Ok(()) }
    };
    shape.needed_by(match stage {
        Stage::Base | Stage::Upgrade => &[Stage::Upgrade],
        Stage::Seed if with_base => &[Stage::Upgrade, Stage::Backup],
        Stage::Seed | Stage::Backup | Stage::Restore => &[Stage::Backup],
        Stage::Destroy | Stage::Install => &[Stage::Install, Stage::Checks, Stage::Backup],
        Stage::Checks => &[Stage::Checks],
        // Asked for by words of their own.
        Stage::Extra | Stage::Keep | Stage::Prepare | Stage::Lint | Stage::Teardown => &Stage::ALL,
    })?;
    match stage {
        Stage::Base => shape.base.clone().map(|_| ()),
        Stage::Seed if with_base => shape.data.clone(),
        // Without an upgrade, data is only there for the backup.
        Stage::Seed => {
            after(Stage::Install, "the install failed")?;
            shape.backup.clone().and_then(|()| shape.data.clone())?;
            runs()
        }
        Stage::Upgrade if !with_base => Err(match &shape.base {
            Err(why) => why.clone(),
            Ok(base) => format!("base {base} does not deploy: {}", so_far.cause(Stage::Base)),
        }),
        Stage::Upgrade if shape.data.is_ok() && !so_far.done(Stage::Seed) => {
            Err(format!("there is no data to look for afterwards: {}", so_far.cause(Stage::Seed)))
        }
        Stage::Install if with_base => after(Stage::Destroy, "what was there before could not be destroyed"),
        Stage::Upgrade | Stage::Install | Stage::Lint | Stage::Prepare | Stage::Teardown => Ok(()),
        Stage::Backup => {
            shape.backup.clone()?;
            if with_base {
                after(Stage::Upgrade, "the upgrade was not shown, and the backup would be of its data")?;
            } else {
                after(Stage::Install, "the install failed")?;
            }
            if shape.data.is_ok() {
                after(Stage::Seed, "there is no data to look for afterwards")?;
            }
            runs()
        }
        Stage::Destroy if with_base => Ok(()),
        // What was installed stays, unless the backup is to come back into a fresh deploy.
        Stage::Destroy => after(Stage::Backup, "there is no backup to restore"),
        Stage::Checks if !shape.checks => Err("none declared".to_owned()),
        Stage::Checks => after(Stage::Install, "the install failed"),
        Stage::Restore => {
            after(Stage::Backup, "there is no backup to restore")?;
            after(Stage::Destroy, "what was there before could not be destroyed")?;
            after(Stage::Install, "the install failed")?;
            if with_base { runs() } else { Ok(()) }
        }
        Stage::Extra => {
            shape.extra.clone()?;
            after(Stage::Install, "the install failed")?;
            runs()
        }
        Stage::Keep if so_far.up => Ok(()),
        Stage::Keep => Err("nothing is up to be kept".to_owned()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn only(stages: &[Stage]) -> Shape {
        Shape { only: stages.iter().copied().collect(), extra: Err("not asked for".to_owned()), ..good() }
    }

    fn good() -> Shape {
        Shape {
            base: Ok("1.0.0+1.0.0".to_owned()),
            data: Ok(()),
            backup: Ok(()),
            checks: true,
            extra: Ok(()),
            keep: false,
            only: BTreeSet::new(),
        }
    }

    /// The run as text, when these stages fail.
    fn told(shape: &Shape, fail: &[Stage]) -> String {
        let mut so_far = SoFar { up: true, ..SoFar::default() };
        let mut told = Vec::new();
        for _ in 0..30 {
            let (stage, came, said) = match next(shape, &so_far) {
                Next::Do(stage) if fail.contains(&stage) => {
                    so_far.causes.insert(stage, "a cause".to_owned());
                    (stage, Came::Not, format!("{} fails", stage.name()))
                }
                Next::Do(stage) => (stage, Came::Done, stage.name().to_owned()),
                Next::Skip(stage, why) => (stage, Came::Not, format!("({}: {why})", stage.name())),
                Next::End => return told.join("\n"),
            };
            assert!(so_far.stages.insert(stage, came).is_none(), "{stage:?} comes twice");
            told.push(said);
        }
        panic!("it never ends: {told:?}");
    }

    #[test]
    fn each_variation_of_a_run() {
        fn no<T>(why: &str) -> Result<T, String> {
            Err(why.to_owned())
        }
        let no_base = Shape { base: no("no published version is older than this one"), ..good() };
        let stateless = Shape {
            data: no("no volume, no seed"),
            backup: no("there is no volume, and no backup label"),
            checks: false,
            extra: no("not asked for"),
            ..good()
        };
        let cases = [
            ("everything", good(), vec![]),
            ("no base", no_base.clone(), vec![]),
            ("a base that does not deploy", good(), vec![Stage::Base]),
            ("a red upgrade", good(), vec![Stage::Upgrade]),
            ("no data can be made", good(), vec![Stage::Seed]),
            ("a red backup", good(), vec![Stage::Backup]),
            ("what was there cannot be destroyed", good(), vec![Stage::Destroy]),
            ("a red install", good(), vec![Stage::Install]),
            ("no base, a red install", no_base.clone(), vec![Stage::Install]),
            ("red checks", good(), vec![Stage::Checks]),
            ("nothing to back up", stateless.clone(), vec![]),
            ("no base, nothing to back up", Shape { base: no_base.base.clone(), keep: true, ..stateless }, vec![]),
            ("a lint error", good(), vec![Stage::Lint]),
            ("only lint", only(&[Stage::Lint]), vec![]),
            ("only upgrade", only(&[Stage::Upgrade]), vec![]),
            ("only install and checks", only(&[Stage::Install, Stage::Checks]), vec![]),
            ("only backup", only(&[Stage::Backup]), vec![]),
        ];
        let told = cases.map(|(name, shape, fail)| format!("# {name}\n{}\n", told(&shape, &fail)));
        insta::assert_snapshot!(told.join("\n"));
    }

    #[test]
    fn once_it_is_over_nothing_is_done_any_more() {
        let over = |stages: &[Stage]| SoFar {
            stages: stages.iter().map(|stage| (*stage, Came::Done)).collect(),
            over: Some("the target had been lost".to_owned()),
            ..SoFar::default()
        };
        let mut so_far = over(&[Stage::Lint, Stage::Base, Stage::Seed]);
        let mut left = Vec::new();
        while let Next::Skip(stage, why) = next(&good(), &so_far) {
            assert_eq!(why, "the target had been lost");
            so_far.stages.insert(stage, Came::Not);
            left.push(stage);
        }
        assert_eq!(left, ONTO_THE_BASE[2..9]);
        assert_eq!(next(&good(), &so_far), Next::End);
        assert_eq!(next(&good(), &over(&[])), Next::Skip(Stage::Install, "the target had been lost".to_owned()));
    }

    proptest::proptest! {
        #[test]
        fn every_run_ends_and_no_stage_comes_twice(
            parts in proptest::collection::vec(proptest::bool::ANY, 6),
            failing in proptest::collection::vec(0_usize..Stage::ALL.len(), 0..4),
        ) {
            let part = |at: usize| if parts[at] { Ok(()) } else { Err("not there".to_owned()) };
            let base = part(0).map(|()| "1.0.0".to_owned());
            let shape = Shape { base, data: part(1), backup: part(2), checks: parts[3], extra: part(4), keep: parts[5], only: BTreeSet::new() };
            let fail: Vec<Stage> = failing.into_iter().map(|at| Stage::ALL[at]).collect();
            let told = told(&shape, &fail);
            let done = |name: &str| told.lines().position(|line| line == name);
            // A restore without its backup, or onto what was there before, would show nothing.
            if let Some(restore) = done("restore") {
                proptest::prop_assert!(done("backup").is_some_and(|backup| done("destroy").is_some_and(|destroy| backup < destroy && destroy < restore)));
            }
        }
    }
}
