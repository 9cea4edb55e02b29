//! The lab's targets, one test at a time each, and the program under test.

pub(crate) mod bare;
pub(crate) mod browser;
mod children;
mod endings;
mod figures;
pub(crate) mod forge;
pub(crate) mod judged;
mod neighbour;
mod recipe;
pub(crate) mod registry;
pub(crate) mod relay;
mod run;

use std::collections::BTreeMap;
use std::fs::File;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use cc_ci::adapters::docker::connect;
use cc_ci::adapters::docker::observe::Observer;
use cc_ci::adapters::session::Session;
use cc_ci::domain::ids::StackName;
use cc_ci::domain::swarm::Snapshot;

pub(crate) use endings::{Ending, Endings};
pub(crate) use figures::figure;
pub(crate) use neighbour::Neighbour;
pub(crate) use recipe::{Recipe, Tests, edited};
pub(crate) use run::{Finished, Running, until};

/// The sections of `targets.toml` that tests may use; each is a test Swarm of its own.
const TARGETS: [(&str, &str); 3] =
    [("lab", "cc-ci-lab-target-gate"), ("second", "cc-ci-lab-target-second"), ("third", "cc-ci-lab-target-third")];
/// A test that waits longer than this for a free target has been forgotten.
const PATIENCE: Duration = Duration::from_secs(1200);

/// A target that this test has to itself, with a state folder of its own: a gate that nobody knows yet.
pub(crate) struct Lab {
    pub(crate) name: &'static str,
    container: &'static str,
    targets: PathBuf,
    image: PathBuf,
    state: tempfile::TempDir,
    before: String,
    _held: File,
}

/// Waits for a free target.
pub(crate) fn lab() -> Lab {
    let shared = shared_state();
    let targets = shared.join("targets.toml");
    let listed = std::fs::read_to_string(&targets)
        .unwrap_or_else(|error| panic!("{}: {error}; hint: `cargo xtask lab up` first", targets.display()));
    let allowed = std::env::var("CC_CI_LAB_TARGETS").ok();
    let begun = Instant::now();
    loop {
        for (name, container) in TARGETS {
            let wanted = allowed.as_ref().is_none_or(|allowed| allowed.split(',').any(|one| one == name));
            if wanted
                && listed.contains(&format!("[{name}]"))
                && let Some(held) = hold(name)
            {
                let mut lab = Lab {
                    name,
                    container,
                    image: shared.join("runner.tar"),
                    targets,
                    state: tempfile::tempdir().unwrap(),
                    before: String::new(),
                    _held: held,
                };
                lab.before = lab.inventory();
                return lab;
            }
        }
        assert!(begun.elapsed() < PATIENCE, "no target of the lab became free");
        std::thread::sleep(Duration::from_millis(100));
    }
}

/// Where `lab up` left targets.toml and the runner image.
pub(crate) fn shared_state() -> PathBuf {
    let given = std::env::var_os("CC_CI_STATE").map(PathBuf::from);
    cc_ci::config::state_folder(given, |name| std::env::var(name).ok())
}

fn hold(name: &str) -> Option<File> {
    let file = File::create(std::env::temp_dir().join(format!("cc-ci-lab-{name}.lock"))).unwrap();
    file.try_lock().is_ok().then_some(file)
}

impl Lab {
    /// The same target with room for so many units of weight at once.
    pub(crate) fn with_room(mut self, units: u32) -> Self {
        let section = format!("[{}]\n", self.name);
        let text = std::fs::read_to_string(&self.targets).unwrap();
        assert_eq!(text.matches(&section).count(), 1, "{text}");
        self.targets = self.state.path().join("targets.toml");
        std::fs::write(&self.targets, text.replace(&section, &format!("{section}capacity = {units}\n"))).unwrap();
        self
    }

    /// The program with this gate's folders.
    pub(crate) fn cc_ci(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
        command.args(arguments).arg("--state").arg(self.state.path()).arg("--targets").arg(&self.targets);
        command.stdin(Stdio::null());
        command
    }

    /// The same for another gate: another state folder, the same targets.
    pub(crate) fn cc_ci_of(&self, state: &Path, arguments: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cc-ci"));
        command.args(arguments).arg("--state").arg(state).arg("--targets").arg(&self.targets).stdin(Stdio::null());
        command
    }

    /// Starts `cc-ci run` on a recipe of `tests/recipes`.
    pub(crate) fn run(&self, recipe: &str, more: &[&str]) -> Running {
        let place = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/recipes").join(recipe);
        self.run_in(&place, more)
    }

    /// Starts `cc-ci run` on a recipe anywhere.
    pub(crate) fn run_in(&self, recipe: &Path, more: &[&str]) -> Running {
        let mut command = self.cc_ci(&["run"]);
        command.arg(recipe).args(["--target", self.name]).arg("--runner-image").arg(&self.image).args(more);
        Running::start(command, self.state.path(), None)
    }

    /// Starts `cc-ci run --resume`.
    pub(crate) fn resume(&self, run: &str) -> Running {
        let mut command = self.cc_ci(&["run", "--resume", run]);
        command.arg("--runner-image").arg(&self.image);
        Running::start(command, self.state.path(), Some(run))
    }

    /// This gate's state folder.
    pub(crate) fn state(&self) -> PathBuf {
        self.state.path().to_owned()
    }

    /// The logs of all runs of this gate so far, as they are at the moment.
    pub(crate) fn run_logs(&self) -> Vec<String> {
        let runs = std::fs::read_dir(self.state.path().join("runs")).into_iter().flatten().flatten();
        runs.filter_map(|run| std::fs::read_to_string(run.path().join("log.jsonl")).ok()).collect()
    }

    /// The file that describes the targets.
    pub(crate) fn targets(&self) -> &Path {
        &self.targets
    }

    /// Where the runner image is.
    pub(crate) fn image(&self) -> &Path {
        &self.image
    }

    /// What is on the target, by the program's own word.
    pub(crate) fn inventory(&self) -> String {
        said(&mut self.cc_ci(&["target", "inventory", "--target", self.name]))
    }

    /// Asserts that the target is what it was when this test got it, the claim included.
    pub(crate) fn assert_untouched(&self) {
        pretty_diff(&self.before, &self.inventory());
        assert_eq!(self.docker(&["config", "ls", "-q", "--filter", "name=cc-ci-claim"]), "", "a claim is left");
        assert_eq!(self.docker(&["ps", "-aq", "--filter", "label=cc-ci.run"]), "", "a runner container is left");
    }

    /// The docker CLI on the target, by the back door: independent of the program under test.
    pub(crate) fn docker(&self, arguments: &[&str]) -> String {
        said(Command::new("docker").args(["exec", self.container, "docker"]).args(arguments))
    }

    /// A command on the target, by the back door.
    pub(crate) fn back_door(&self, options: &[&str], arguments: &[&str]) -> Command {
        let mut command = Command::new("docker");
        command.arg("exec").args(options).arg(self.container).args(arguments);
        command
    }

    /// Makes the whole target stand still, or go on.
    pub(crate) fn freeze(&self, frozen: bool) {
        said(Command::new("docker").args([if frozen { "pause" } else { "unpause" }, self.container]));
    }

    /// Copies a folder onto the target, by the back door.
    pub(crate) fn copy_there(&self, from: &Path, to: &str) {
        said(Command::new("docker").arg("cp").arg(from).arg(format!("{}:{to}", self.container)));
    }

    /// A stack as the gate sees it.
    pub(crate) fn snapshot(&self, stack: &str) -> Snapshot {
        let target = cc_ci::config::target(self.name, &self.targets).unwrap();
        let stack = StackName::parse(stack).unwrap();
        tokio::runtime::Runtime::new().unwrap().block_on(async {
            let session = Session::open(&target).await.unwrap();
            let docker = connect(session.docker_socket()).await.unwrap();
            let offset = jiff::SignedDuration::ZERO;
            Observer::new(docker, stack, offset, BTreeMap::new()).look().await.unwrap()
        })
    }

    /// The lines of a container on the target, with their times, in the order of those.
    pub(crate) fn logs(&self, container: &str) -> Vec<String> {
        let output = Command::new("docker")
            .args(["exec", self.container, "docker", "logs", "--timestamps", container])
            .output()
            .unwrap();
        let both = [output.stdout, output.stderr].concat();
        let mut lines: Vec<String> = String::from_utf8_lossy(&both).lines().map(str::to_owned).collect();
        lines.sort();
        lines
    }
}

fn pretty_diff(before: &str, after: &str) {
    let gone: Vec<&str> = before.lines().filter(|line| !after.lines().any(|other| other == *line)).collect();
    let new: Vec<&str> = after.lines().filter(|line| !before.lines().any(|other| other == *line)).collect();
    assert!(gone.is_empty() && new.is_empty(), "the target is not what it was before:\n  gone {gone:?}\n  new {new:?}");
}

/// Runs a command to its end and gives what it printed; it must succeed.
pub(crate) fn said(command: &mut Command) -> String {
    let output = command.output().unwrap();
    let told = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {}\n{told}", output.status);
    String::from_utf8_lossy(&output.stdout).trim_end().to_owned()
}
