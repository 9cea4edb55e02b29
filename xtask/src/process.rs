//! Running other programs, always by argv, and waiting for what they bring about.

use std::fs::{self, File};
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, Result, bail};

/// A program found in `PATH` or in the folders of system programs, which a user's `PATH` may lack.
pub(crate) fn program(name: &str) -> Command {
    let mut command = Command::new(name);
    let path = std::env::var("PATH").unwrap_or_default();
    command.env("PATH", format!("{path}:/usr/local/sbin:/usr/sbin:/sbin"));
    command
}

/// The docker client. The classic builder is present in every engine; buildx is a plugin that may be missing.
pub(crate) fn docker<I, S>(arguments: I) -> Command
where
    I: IntoIterator<Item = S>,
    S: AsRef<std::ffi::OsStr>,
{
    let mut command = program("docker");
    command.env("DOCKER_BUILDKIT", "0").args(arguments);
    command
}

/// Cargo, as if started from a shell.
pub(crate) fn cargo() -> Command {
    as_from_a_shell(program(&cargo_name()))
}

/// The same; it and all that it starts stay on that core.
pub(crate) fn cargo_on(core: usize) -> Command {
    let mut command = as_from_a_shell(program("taskset"));
    command.args(["--cpu-list", &core.to_string()]).arg(cargo_name());
    command
}

fn cargo_name() -> String {
    std::env::var("CARGO").unwrap_or_else(|_| "cargo".to_owned())
}

/// What `cargo run` tells a program about its own package would make build scripts that watch these variables (ring's is one) run
/// again, and everything after them.
fn as_from_a_shell(mut command: Command) -> Command {
    let of_package = |name: &str| name.starts_with("CARGO_PKG_") || name.starts_with("CARGO_MANIFEST_");
    for (name, _) in std::env::vars_os().filter(|(name, _)| name.to_str().is_some_and(of_package)) {
        command.env_remove(name);
    }
    command
}

/// Whether a program can be started at all.
pub(crate) fn exists(name: &str) -> bool {
    let path = std::env::var("PATH").unwrap_or_default();
    path.split(':')
        .chain(["/usr/local/sbin", "/usr/sbin", "/sbin"])
        .any(|folder| Path::new(folder).join(name).is_file())
}

/// Runs to the end; the error carries the last lines of what it wrote.
pub(crate) fn run(command: &mut Command) -> Result<()> {
    output(command).map(drop)
}

/// Standard output, trimmed.
pub(crate) fn output(command: &mut Command) -> Result<String> {
    let output = command.stdin(Stdio::null()).output().with_context(|| cannot_start(command))?;
    checked(command, &output)
}

/// Standard output, trimmed, of a program that reads `input`.
pub(crate) fn feed(command: &mut Command, input: &[u8]) -> Result<String> {
    let mut child = command
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .with_context(|| cannot_start(command))?;
    if let Some(mut stdin) = child.stdin.take() {
        // A program that ends early closes the pipe; its exit code says more than our write error.
        stdin.write_all(input).ok();
    }
    let output = child.wait_with_output()?;
    checked(command, &output)
}

/// Whether it ends with exit code 0. Its output is of no interest.
pub(crate) fn succeeds(command: &mut Command) -> bool {
    command
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .status()
        .is_ok_and(|status| status.success())
}

/// Runs with all output in a file, whose last lines are shown only on failure.
pub(crate) fn logged(command: &mut Command, log: &Path) -> Result<()> {
    let file = File::create(log).with_context(|| format!("cannot write {}", log.display()))?;
    let status = command
        .stdin(Stdio::null())
        .stdout(file.try_clone()?)
        .stderr(file)
        .status()
        .with_context(|| cannot_start(command))?;
    if !status.success() {
        bail!("{} failed ({status}); log {}:\n{}", shown(command), log.display(), tail(log, 20));
    }
    Ok(())
}

/// The last lines of a file; empty when it cannot be read.
pub(crate) fn tail(file: &Path, lines: usize) -> String {
    last_lines(&fs::read_to_string(file).unwrap_or_default(), lines)
}

/// Repeats the question every 100 ms until the answer is yes or the time is over; says whether it was yes.
pub(crate) fn until(limit: Duration, mut question: impl FnMut() -> bool) -> bool {
    let deadline = Instant::now() + limit;
    while !question() {
        if Instant::now() >= deadline {
            return false;
        }
        thread::sleep(Duration::from_millis(100));
    }
    true
}

fn checked(command: &Command, output: &Output) -> Result<String> {
    if !output.status.success() {
        let said = last_lines(&String::from_utf8_lossy(&output.stderr), 10);
        bail!("{} failed ({}): {said}", shown(command), output.status);
    }
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

fn last_lines(text: &str, count: usize) -> String {
    let lines: Vec<&str> = text.trim_end().lines().collect();
    lines[lines.len().saturating_sub(count)..].join("\n")
}

fn cannot_start(command: &Command) -> String {
    format!("cannot start {}; hint: is it installed?", command.get_program().to_string_lossy())
}

/// The program and its first arguments: enough to know which step it was.
fn shown(command: &Command) -> String {
    let mut words = vec![command.get_program().to_string_lossy()];
    words.extend(command.get_args().take(4).map(std::ffi::OsStr::to_string_lossy));
    format!("`{}`", words.join(" "))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn output_is_trimmed_and_input_is_passed_on() {
        assert_eq!(output(program("echo").arg("hello")).unwrap(), "hello");
        assert_eq!(feed(&mut program("cat"), b"fed\n").unwrap(), "fed");
    }

    #[test]
    fn a_failure_names_the_command_and_what_it_said() {
        let error = run(program("ls").arg("/no/such/folder")).unwrap_err().to_string();
        assert!(error.starts_with("`ls /no/such/folder` failed"), "{error}");
        assert!(error.contains("No such file"), "{error}");
    }

    #[test]
    fn a_missing_program_is_said_to_be_missing() {
        let error = run(&mut program("no-such-program-here")).unwrap_err();
        assert!(format!("{error:#}").contains("hint: is it installed?"));
        assert!(!exists("no-such-program-here"));
    }

    #[test]
    fn waiting_ends_with_the_answer() {
        let mut asked = 0;
        assert!(until(Duration::from_secs(5), || {
            asked += 1;
            asked == 2
        }));
        assert!(!until(Duration::ZERO, || false));
    }
}
