//! One `cc-ci run` under test: watched by its log, signalled, killed, or left to end.

use std::collections::{BTreeMap, BTreeSet};
use std::os::unix::process::ExitStatusExt as _;
use std::path::{Path, PathBuf};
use std::process::{Child, Command};
use std::time::{Duration, Instant};

use cc_ci::domain::log::{Record, read};
use cc_ci::domain::results::Results;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// No run of a test takes longer.
const PATIENCE: Duration = Duration::from_secs(300);
/// A run that is left in the middle may clean up for so long.
const CLEAN_UP: Duration = Duration::from_secs(30);

/// A run that is going on.
pub(crate) struct Running {
    child: Child,
    output: tempfile::TempDir,
    state: PathBuf,
    before: BTreeSet<String>,
    resumed: Option<String>,
}

fn runs(state: &Path) -> BTreeSet<String> {
    let entries = std::fs::read_dir(state.join("runs")).into_iter().flatten().flatten();
    entries.map(|entry| entry.file_name().to_string_lossy().into_owned()).collect()
}

/// A run that has ended.
pub(crate) struct Finished {
    pub(crate) code: Option<i32>,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
    pub(crate) results: Option<Results>,
    pub(crate) log: Vec<Record>,
    /// The files that `--out` left, by name.
    pub(crate) files: BTreeMap<String, Vec<u8>>,
}

impl Running {
    /// Starts the command. `resumed` is the run that it goes on with; without it, it makes a new one.
    pub(crate) fn start(mut command: Command, state: &Path, resumed: Option<&str>) -> Self {
        let output = tempfile::tempdir().unwrap();
        let file = |name: &str| std::fs::File::create(output.path().join(name)).unwrap();
        command.arg("--out").arg(output.path().join("out")).stdout(file("stdout")).stderr(file("stderr"));
        let before = runs(state);
        Self {
            child: command.spawn().unwrap(),
            output,
            state: state.to_owned(),
            before,
            resumed: resumed.map(str::to_owned),
        }
    }

    /// The run's id, once it has one.
    pub(crate) fn id(&self) -> String {
        let new = || runs(&self.state).into_iter().find(|run| !self.before.contains(run));
        self.resumed.clone().unwrap_or_else(|| until("a run folder", new))
    }

    fn log_file(&self) -> PathBuf {
        self.state.join("runs").join(self.id()).join("log.jsonl")
    }

    /// The log as it is now.
    pub(crate) fn log(&self) -> Vec<Record> {
        read(&std::fs::read(self.log_file()).unwrap_or_default()).0
    }

    /// Waits until a line of the log holds this text.
    pub(crate) fn wait_for(&mut self, text: &str) {
        self.wait_for_times(text, 1);
    }

    /// Waits until so many lines of the log hold this text.
    pub(crate) fn wait_for_times(&mut self, text: &str, times: usize) {
        until(&format!("`{text}` in the log"), || {
            let told = self.log().iter().filter(|record| record.text.contains(text)).count();
            if told < times && self.child.try_wait().unwrap().is_some() {
                panic!("the run ended before it said `{text}`:\n{}", self.file("stderr"));
            }
            (told >= times).then_some(())
        });
    }

    fn file(&self, name: &str) -> String {
        std::fs::read_to_string(self.output.path().join(name)).unwrap_or_default()
    }

    /// Ctrl-C.
    pub(crate) fn interrupt(&self) {
        kill(Pid::from_raw(i32::try_from(self.child.id()).unwrap()), Signal::SIGINT).unwrap();
    }

    /// `kill -9`. Returns whether it was still running.
    pub(crate) fn kill(mut self) -> bool {
        self.child.kill().unwrap();
        self.child.wait().unwrap().signal() == Some(9)
    }

    /// Waits for its end.
    pub(crate) fn finish(mut self) -> Finished {
        let status = until("the end of the run", || self.child.try_wait().unwrap());
        let out = std::fs::read_dir(self.output.path().join("out")).into_iter().flatten().flatten();
        let files: BTreeMap<String, Vec<u8>> = out
            .map(|entry| (entry.file_name().to_string_lossy().into_owned(), std::fs::read(entry.path()).unwrap()))
            .collect();
        let results = files.get("results.json").map(|json| {
            assert_valid(json);
            serde_json::from_slice(json).unwrap()
        });
        Finished {
            code: status.code(),
            stdout: self.file("stdout"),
            stderr: self.file("stderr"),
            results,
            log: read(files.get("log.jsonl").map_or(&[], Vec::as_slice)).0,
            files,
        }
    }
}

/// Whatever a run writes holds to the schema that is committed.
fn assert_valid(results: &[u8]) {
    let schema: serde_json::Value = serde_json::from_str(include_str!("../../../docs/results.schema.json")).unwrap();
    let validator = jsonschema::options().should_validate_formats(true).build(&schema).unwrap();
    let results: serde_json::Value = serde_json::from_slice(results).unwrap();
    let wrong = validator.validate(&results).err();
    let wrong: Vec<String> = wrong.into_iter().flatten().map(|error| error.to_string()).collect();
    assert!(wrong.is_empty(), "not valid: {wrong:#?}\n{results:#}");
}

impl Drop for Running {
    fn drop(&mut self) {
        // A test that failed leaves no program behind; what that leaves on the target, the next sweep would find.
        if self.child.try_wait().is_ok_and(|ended| ended.is_none()) {
            self.interrupt();
            let begun = Instant::now();
            while self.child.try_wait().is_ok_and(|ended| ended.is_none()) && begun.elapsed() < CLEAN_UP {
                std::thread::sleep(Duration::from_millis(50));
            }
            // Where the target has gone, its clean-up would wait for it far longer.
            let _ended = self.child.kill().and_then(|()| self.child.wait());
        }
    }
}

impl Finished {
    /// Its results; a run without any fails the test with what it said.
    pub(crate) fn results(&self) -> &Results {
        self.results
            .as_ref()
            .unwrap_or_else(|| panic!("no results; exit {:?}\n{}\n{}", self.code, self.stdout, self.stderr))
    }

    /// Asserts exit code and verdict.
    pub(crate) fn assert(&self, code: i32, verdict: &str) -> &Self {
        let told = self.results();
        assert_eq!((self.code, told.verdict.name()), (Some(code), verdict), "{}", self.told());
        self
    }

    /// All that it said, for a test that fails.
    pub(crate) fn told(&self) -> String {
        let log: Vec<String> =
            self.log.iter().map(|record| format!("{:.3} {}: {}", record.at, record.source, record.text)).collect();
        format!("{:#?}\n{}\n{}", self.results().findings, log.join("\n"), self.stderr)
    }
}

/// Looks again and again until something is there.
pub(crate) fn until<T>(what: &str, mut look: impl FnMut() -> Option<T>) -> T {
    let begun = Instant::now();
    loop {
        if let Some(found) = look() {
            return found;
        }
        assert!(begun.elapsed() < PATIENCE, "{what} did not come within {} s", PATIENCE.as_secs());
        std::thread::sleep(Duration::from_millis(2));
    }
}
