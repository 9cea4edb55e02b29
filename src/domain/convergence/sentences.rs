//! All texts of convergence, and how untrusted text gets into them: short, without escape sequences or control characters.

use std::time::Duration;

use super::WantedService;
use super::memory::{How, Life};
use crate::domain::finding::FindingKind;
use crate::domain::stage::Stage;
use crate::domain::swarm::TaskState;

pub(super) const WAITS_NOT_THERE: &str = "Swarm does not have it";
pub(super) const WAITS_NO_TASK: &str = "Swarm has made no task for it yet";
pub(super) const WAITS_UPDATE: &str = "its update is not completed yet";
pub(super) const WAITS_JOB: &str = "it has not ended yet";

/// Characters of untrusted text within a sentence.
const IN_SENTENCE: usize = 160;
/// Characters of one line, and lines, that are remembered as evidence.
const LINE: usize = 400;
const LINES: usize = 20;
/// Lines of a table of exits.
const ROWS: usize = 12;

/// The text on one line, harmless and at most this long.
fn clean(text: &str, limit: usize) -> String {
    // Longer lines are cut before they are looked at: a log line may be megabytes.
    let head: String = text.chars().take(limit.saturating_mul(8)).collect();
    let plain = strip_ansi_escapes::strip_str(head.replace(['\t', '\n'], " "));
    let is_hidden = |c: char| {
        c.is_control()
            || matches!(c, '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2060}'..='\u{2069}' | '\u{feff}')
    };
    let plain: String = plain.chars().filter(|c| !is_hidden(*c)).collect();
    let plain = plain.trim();
    if plain.chars().count() <= limit {
        return plain.to_owned();
    }
    let kept: String = plain.chars().take(limit.saturating_sub(1)).collect();
    format!("{}…", kept.trim_end())
}

/// Untrusted text for a sentence.
pub(super) fn cut(text: &str) -> String {
    clean(text, IN_SENTENCE * 2)
}

/// The last lines, for evidence.
pub(super) fn bounded(lines: &[String]) -> Vec<String> {
    let lines = &lines[lines.len().saturating_sub(LINES)..];
    lines.iter().map(|line| clean(line, LINE)).collect()
}

/// Whether the line names the service: as a word, as `tasks.NAME`, or with the stack's prefix.
pub(super) fn names(line: &str, service: &str) -> bool {
    let prefixed = format!("_{service}");
    let mut words = line.split(|c: char| !(c.is_alphanumeric() || c == '_' || c == '-'));
    words.any(|word| word == service || word.ends_with(&prefixed))
}

/// A duration as a person says it, e.g. `6 s`, `0.4 s`, `4 min`, `2 min 5 s`.
fn human(duration: Duration) -> String {
    let seconds = duration.as_secs_f64();
    if seconds < 0.95 {
        return format!("{seconds:.1} s");
    }
    let whole = duration.saturating_add(Duration::from_millis(500)).as_secs();
    match (whole / 60, whole % 60) {
        (minutes, 0) if minutes > 0 => format!("{minutes} min"),
        (minutes, rest) if minutes > 1 => format!("{minutes} min {rest} s"),
        _ => format!("{whole} s"),
    }
}

fn quote(lines: &[String]) -> String {
    let last = lines.iter().rev().map(|line| clean(line, IN_SENTENCE)).find(|line| !line.is_empty());
    last.map(|line| format!(": “{line}”")).unwrap_or_default()
}

/// The last line it logged; what Swarm says, when it never got to log.
fn quote_end(life: Option<&Life>, lines: &[String]) -> String {
    let never_ran = life.filter(|life| life.started.is_none() && !life.error.is_empty());
    match never_ran {
        Some(life) => quote(std::slice::from_ref(&life.error)),
        None => quote(lines),
    }
}

fn code(life: Option<&Life>) -> Option<i64> {
    life.and_then(|life| life.end.as_ref()).and_then(|end| end.code)
}

fn with_code(code: Option<i64>) -> String {
    code.map(|code| format!(" with code {code}")).unwrap_or_default()
}

/// From end to end, on average.
fn period(exits: &[&Life]) -> Option<Duration> {
    let first = exits.first()?.end.as_ref()?.at;
    let last = exits.last()?.end.as_ref()?.at;
    let periods = u32::try_from(exits.len() - 1).ok()?;
    super::between(first, last).checked_div(periods)
}

pub(super) fn last_lines_of(service: &str) -> String {
    format!("last log lines of {service}")
}

pub(super) fn exits(service: &WantedService, exits: &[&Life], given_up: bool, lines: &[String]) -> String {
    let last = exits.last().copied();
    let name = &service.name;
    let rejected = last.and_then(|life| life.end.as_ref()).is_some_and(|end| end.how == How::Rejected);
    // The exit code of a mixture is that of the newest failure.
    let failed = exits.iter().rev().find(|life| code(Some(life)) != Some(0)).copied().or(last);
    let code = with_code(code(failed));
    let quote = quote_end(last, lines);
    let times = exits.len();
    match (period(exits), rejected) {
        (_, false) if given_up && times == 1 => format!("{name} exited{code} and is not started again{quote}"),
        (_, false) if given_up => format!("{name} exited{code} {times} times and is not started again{quote}"),
        (_, true) if given_up => format!("Swarm refuses to start {name} and does not try again{quote}"),
        (Some(period), true) => format!("Swarm refuses to start {name} every {}{quote}", human(period)),
        (None, true) => format!("Swarm refuses to start {name}{quote}"),
        (Some(period), false) => format!("{name} exits{code} every {}{quote}", human(period)),
        (None, false) => format!("{name} exits{code}{quote}"),
    }
}

pub(super) fn also_exits(service: &str, exits: usize) -> String {
    format!("{service}: {exits} exits")
}

/// Whether it had been healthy before its healthcheck killed it.
fn when_killed(kills: &[&Life]) -> &'static str {
    if kills.iter().any(|life| life.was_healthy) { "after it had been healthy" } else { "while starting" }
}

pub(super) fn observed_start(kills: &[&Life]) -> String {
    let longest = kills.iter().map(|life| life.length()).max().unwrap_or_default();
    format!("not healthy {} after its start, when it was killed", human(longest))
}

pub(super) fn start_period(service: &WantedService) -> String {
    match service.healthcheck.map(|check| check.start_period_ms) {
        None | Some(0) => "none".to_owned(),
        Some(period) => human(Duration::from_millis(period)),
    }
}

fn start_times(service: &WantedService, kills: &[&Life]) -> String {
    let longest = kills.iter().map(|life| life.length()).max().unwrap_or_default();
    let declared = start_period(service);
    format!("not healthy after {}, with a start_period of {declared}", human(longest))
        .replace("a start_period of none", "no start_period")
}

pub(super) fn killed_by_healthcheck(service: &WantedService, kills: &[&Life]) -> String {
    let times = match kills.len() {
        1 => String::new(),
        2 => " twice".to_owned(),
        many => format!(" {many} times"),
    };
    let when = when_killed(kills);
    format!("{} was killed{times} by its own healthcheck {when}: {}", service.name, start_times(service, kills))
}

pub(super) fn killed_and_broken(service: &WantedService, killed: &Life, exits: &[&Life], lines: &[String]) -> String {
    let code = with_code(code(exits.last().copied()));
    let times = start_times(service, &[killed]);
    let name = &service.name;
    format!(
        "{name} was killed by its own healthcheck while starting ({times}) and exits{code} ever since{}",
        quote(lines)
    )
}

pub(super) fn killed_and_needed(peer: &WantedService, killed: &Life, service: &str) -> String {
    let (name, times) = (&peer.name, start_times(peer, &[killed]));
    format!(
        "{name} was killed by its own healthcheck in its first start ({times}), and {service}, which needs it, does not come up"
    )
}

pub(super) fn killed_once(service: &WantedService, killed: &Life) -> String {
    let kills = [killed];
    let when = when_killed(&kills);
    format!("{} was killed once by its own healthcheck {when} ({})", service.name, start_times(service, &kills))
}

fn limit(service: &WantedService) -> String {
    let mib = |bytes: u64| format!(" of {} MiB", bytes / (1024 * 1024));
    service.memory_limit.filter(|bytes| *bytes > 0).map(mib).unwrap_or_default()
}

pub(super) fn out_of_memory(service: &WantedService, times: usize) -> String {
    let times = if times > 1 { format!(", {times} times") } else { String::new() };
    format!("{} was killed because it went over its memory limit{}{times}", service.name, limit(service))
}

pub(super) fn out_of_memory_once(service: &WantedService) -> String {
    format!("a process of {} was killed because it went over its memory limit{}", service.name, limit(service))
}

/// How a failed update's new task ended, to be put after "because".
pub(super) fn end_of_new_task(service: &WantedService, life: &Life, lines: &[String]) -> String {
    let how = life.end.as_ref().map(|end| end.how);
    match how {
        _ if life.out_of_memory => format!("its new task went over its memory limit{}", limit(service)),
        Some(How::Healthcheck) => {
            format!("its new task was killed by its own healthcheck: {}", start_times(service, &[life]))
        }
        Some(How::Rejected) => format!("Swarm refuses to start its new task{}", quote_end(Some(life), lines)),
        Some(How::Exit | How::Stopped) | None => {
            format!("its new task exited{}{}", with_code(code(Some(life))), quote_end(Some(life), lines))
        }
    }
}

pub(super) fn update_failed(service: &WantedService, kind: FindingKind, cause: Option<&str>, message: &str) -> String {
    let rolled_back = kind == FindingKind::RolledBack;
    let what = if rolled_back { "was rolled back to the old version" } else { "stopped updating half-way" };
    let name = &service.name;
    match cause {
        Some(cause) => format!("{name} {what}, because {cause}"),
        None if message.is_empty() => format!("{name} {what}"),
        None => format!("{name} {what}: “{}”", clean(message, IN_SENTENCE)),
    }
}

pub(super) fn old_version(service: &str) -> String {
    format!("the old version of {service} is still running")
}

pub(super) fn image_missing(service: &WantedService) -> String {
    let image = service.image();
    let short = image.split('@').next().unwrap_or(image);
    format!("{} cannot start: the image {} could not be pulled", service.name, clean(short, IN_SENTENCE))
}

pub(super) fn bad_mount(service: &WantedService, error: &str) -> String {
    let path = error.split("does not exist:").nth(1).map(|path| clean(path, IN_SENTENCE)).unwrap_or_default();
    match path.trim_end_matches('"') {
        "" => format!("{} cannot start: a mount is not valid: “{}”", service.name, clean(error, IN_SENTENCE)),
        path => format!("{} cannot start: the path {path} that it mounts does not exist on the target", service.name),
    }
}

/// What Swarm puts in brackets behind "no suitable node"; the engine's whole word, where it is another one.
fn scheduler_says(error: &str) -> String {
    let bracketed = error.strip_prefix("no suitable node").and_then(|rest| rest.split_once('('));
    let inner = bracketed.map_or(error, |(_, inner)| inner.trim_end_matches(')'));
    let inner = clean(inner, IN_SENTENCE);
    if inner.is_empty() { String::new() } else { format!(": {inner}") }
}

pub(super) fn no_node(service: &WantedService, error: &str) -> String {
    format!("no node can run {}{}", service.name, scheduler_says(error))
}

pub(super) fn port_in_use(service: &WantedService, error: &str) -> String {
    format!("{} publishes a port that is taken on the target{}", service.name, scheduler_says(error))
}

pub(super) fn stalled(quiet: Duration, waiting_for: &[String]) -> String {
    format!("nothing has changed for {}; {}", human(quiet), first(waiting_for))
}

pub(super) fn deadline(limit: Duration, waiting_for: &[String]) -> String {
    format!("not everything runs after {}; {}", human(limit), first(waiting_for))
}

pub(super) fn quiet(quiet: Duration, waiting_for: &[String]) -> String {
    format!("nothing has changed for {} min; {}", quiet.as_secs() / 60, first(waiting_for))
}

fn first(waiting_for: &[String]) -> String {
    match waiting_for {
        [] => String::new(),
        [one] => one.clone(),
        [one, rest @ ..] => format!("{one}, and {} more", rest.len()),
    }
}

pub(super) fn during(
    service: &WantedService,
    life: &Life,
    kind: FindingKind,
    stage: Stage,
    lines: &[String],
) -> String {
    let name = &service.name;
    let when = when(stage);
    if kind == FindingKind::OutOfMemory {
        return format!("{} {when}", out_of_memory_once(service));
    }
    if kind == FindingKind::KilledByHealthcheck {
        return format!("{name} was killed by its own healthcheck {when}{}", quote(lines));
    }
    format!("{name} exited{} {when}{}", with_code(code(Some(life))), quote_end(Some(life), lines))
}

/// In a stage after convergence; of install, only what follows convergence is left then.
fn when(stage: Stage) -> String {
    match stage {
        Stage::Prepare | Stage::Lint | Stage::Install => "after everything had come up".to_owned(),
        Stage::Base => "after the base had come up".to_owned(),
        Stage::Upgrade => "after the upgrade had come up".to_owned(),
        Stage::Seed => "while data was put into it".to_owned(),
        Stage::Backup => "during the backup".to_owned(),
        Stage::Checks => "during the checks".to_owned(),
        Stage::Restore => "during the restore".to_owned(),
        Stage::Extra => "during the extra checks".to_owned(),
        Stage::Destroy | Stage::Keep | Stage::Teardown => format!("during {}", stage.name()),
    }
}

pub(super) fn restarted(service: &WantedService, stage: Stage) -> String {
    format!("{} was restarted {}", service.name, when(stage))
}

pub(super) fn waits_for_tasks(good: u64, wants: u64, reason: &str) -> String {
    format!("{good} of {wants} tasks run; {reason}")
}

pub(super) fn waits_after_exits(exits: usize, code: Option<i64>) -> String {
    let times = if exits == 1 { "once".to_owned() } else { format!("{exits} times") };
    format!("it exited {times}, last{}, and is started again", with_code(code))
}

pub(super) fn waits_in_state(state: TaskState, error: &str) -> String {
    let state = match state {
        TaskState::New | TaskState::Allocated | TaskState::Pending => "it waits for a node",
        TaskState::Assigned | TaskState::Accepted | TaskState::Preparing => "its image and mounts are prepared",
        TaskState::Ready | TaskState::Starting => "it is about to start",
        TaskState::Running => "its container is not seen yet",
        TaskState::Complete
        | TaskState::Shutdown
        | TaskState::Failed
        | TaskState::Rejected
        | TaskState::Remove
        | TaskState::Orphaned => "it waits for its next task",
    };
    if error.is_empty() { state.to_owned() } else { format!("{state}: {}", clean(error, IN_SENTENCE)) }
}

pub(super) fn waits_for_health(runs: Duration, start_period_ms: Option<u64>) -> String {
    let period = start_period_ms.filter(|period| *period > 0).map(|period| human(Duration::from_millis(period)));
    let period = period.map(|period| format!(" of a start period of {period}")).unwrap_or_default();
    format!("its healthcheck has not passed yet, {}{period}", human(runs))
}

pub(super) fn waits_to_be_good(runs: Duration, must_run: Duration) -> String {
    format!("it has run for {}, {} are asked of it", human(runs), human(must_run))
}

/// The newest lives, one a line.
pub(super) fn lives_table(lives: &[Life]) -> String {
    let ended: Vec<(usize, &Life)> = lives.iter().filter(|life| life.end.is_some()).enumerate().collect();
    let rows = ended[ended.len().saturating_sub(ROWS)..].iter().filter_map(|(index, life)| {
        let end = life.end.as_ref()?;
        let how = match end.how {
            How::Exit if life.out_of_memory => "out of memory",
            How::Exit => "exit",
            How::Healthcheck => "killed by its healthcheck",
            How::Rejected => "refused by Swarm",
            How::Stopped => "stopped by Swarm",
        };
        let code = end.code.map(|code| format!(", code {code}")).unwrap_or_default();
        let lived = life.started.map(|_| format!(", lived {}", human(life.length()))).unwrap_or_default();
        let error =
            if life.error.is_empty() { String::new() } else { format!(", {}", clean(&life.error, IN_SENTENCE)) };
        Some(format!("{} {} {how}{code}{lived}{error}", index + 1, end.at))
    });
    rows.collect::<Vec<_>>().join("\n")
}
