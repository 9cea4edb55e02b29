//! How much a target's host was used while a stage ran, and what that says about a clock that ended the stage.
//!
//! The runner takes readings; the kernel's counters of pressure only ever grow, so that two readings say what was in between,
//! whoever missed those that lie between them. A timeout on a host that had no time for the app judges the host.

use jiff::Timestamp;
use serde::{Deserialize, Serialize};

use super::finding::{Class, Finding, FindingKind};
use super::stage::Stage;

/// A stage that was seen for less is not called starved.
const SEEN_FOR_SECONDS: f64 = 30.0;
/// Percent of the time in which at least one process waited for a processor, with [`LOAD`].
const CPU: u8 = 90;
/// Processes that wanted to run, per processor; without pressure counters it decides alone, at twice this.
const LOAD: f64 = 5.0;
/// Percent of the time in which everything waited for memory.
const MEMORY: u8 = 10;
/// Percent of the time in which everything waited for the disk.
const DISK: u8 = 40;

/// One reading. A counter is `None` where the kernel has no pressure counters.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Reading {
    /// The target's time.
    pub at: Timestamp,
    /// Processors.
    pub cpus: u32,
    /// Processes that want to run, by the mean of the last minute.
    pub load: f64,
    /// Microseconds in which at least one process waited for a processor.
    pub cpu: Option<u64>,
    /// Microseconds in which all processes waited for memory.
    pub memory: Option<u64>,
    /// Microseconds in which all processes waited for the disk.
    pub disk: Option<u64>,
}

impl Reading {
    /// Reads `/proc/loadavg` and the three files of `/proc/pressure`; a file that is not there is empty.
    #[must_use]
    pub fn of(at: Timestamp, cpus: u32, loadavg: &str, cpu: &str, memory: &str, disk: &str) -> Self {
        let load = loadavg.split(' ').next().and_then(|load| load.parse().ok()).unwrap_or(0.0);
        Self { at, cpus, load, cpu: total(cpu, "some"), memory: total(memory, "full"), disk: total(disk, "full") }
    }
}

/// `some avg10=0.00 avg60=0.00 avg300=0.00 total=1234`
fn total(pressure: &str, line: &str) -> Option<u64> {
    let line = pressure.lines().find(|found| found.split(' ').next() == Some(line))?;
    line.rsplit_once("total=")?.1.trim().parse().ok()
}

/// What the readings of one stage say.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
#[cfg_attr(test, derive(schemars::JsonSchema))]
pub struct HostLoad {
    /// The stage.
    pub stage: Stage,
    /// From the first reading to the last.
    pub seconds: f64,
    /// Processors.
    pub cpus: u32,
    /// The highest load.
    pub load: f64,
    /// Percent of the time in which at least one process waited for a processor; `null` where the kernel does not count it.
    pub cpu_waited: Option<u8>,
    /// Percent of the time in which all processes waited for memory.
    pub memory_waited: Option<u8>,
    /// Percent of the time in which all processes waited for the disk.
    pub disk_waited: Option<u8>,
    /// What was short, if something was.
    pub starved: Option<String>,
}

impl HostLoad {
    /// The load from one instant to another; nothing without two readings in between.
    #[must_use]
    pub fn during(stage: Stage, readings: &[Reading], from: Timestamp, to: Timestamp) -> Option<Self> {
        let within: Vec<&Reading> = readings.iter().filter(|reading| (from..=to).contains(&reading.at)).collect();
        let (first, last) = (within.first()?, within.last()?);
        let seen = last.at.duration_since(first.at);
        let whole = u64::try_from(seen.as_micros()).ok().filter(|whole| *whole > 0)?;
        let percent = |counter: fn(&Reading) -> Option<u64>| {
            let waited = counter(last)?.checked_sub(counter(first)?)?;
            u8::try_from((waited.saturating_mul(100) / whole).min(100)).ok()
        };
        let mut load = Self {
            stage,
            seconds: (seen.as_secs_f64() * 10.0).round() / 10.0,
            cpus: last.cpus,
            load: within.iter().map(|reading| reading.load).fold(0.0, f64::max),
            cpu_waited: percent(|reading| reading.cpu),
            memory_waited: percent(|reading| reading.memory),
            disk_waited: percent(|reading| reading.disk),
            starved: None,
        };
        load.starved = load.short_of();
        Some(load)
    }

    fn short_of(&self) -> Option<String> {
        if self.seconds < SEEN_FOR_SECONDS {
            return None;
        }
        let per_cpu = self.load / f64::from(self.cpus.max(1));
        let at_least = |waited: Option<u8>, limit| waited.filter(|waited| *waited >= limit);
        let load = format!("load {:.0} on {} processors", self.load, self.cpus);
        let mut short = Vec::new();
        match self.cpu_waited {
            Some(waited) if waited >= CPU && per_cpu >= LOAD => {
                short.push(format!("processors (waited for in {waited} % of the time, {load})"));
            }
            None if per_cpu >= 2.0 * LOAD => short.push(format!("processors ({load})")),
            Some(_) | None => {}
        }
        if let Some(waited) = at_least(self.memory_waited, MEMORY) {
            short.push(format!("memory (waited for in {waited} % of the time)"));
        }
        if let Some(waited) = at_least(self.disk_waited, DISK) {
            short.push(format!("its disk (waited for in {waited} % of the time)"));
        }
        (!short.is_empty()).then(|| short.join(" and "))
    }
}

/// What to say of a stage on a starved host, also when it went well.
#[must_use]
pub fn warning(load: &HostLoad) -> Option<String> {
    let short = load.starved.as_ref()?;
    Some(format!("the target was short of {short} during {}", load.stage.name()))
}

/// The findings of a stage as this load leaves them: where a clock decided on a starved host, the host is the cause, and
/// nothing is judged. A cause that no clock found is one on any host.
#[must_use]
pub fn excuse(findings: Vec<Finding>, load: &HostLoad) -> Vec<Finding> {
    let by_a_clock = |finding: &Finding| matches!(finding.kind, FindingKind::Stalled | FindingKind::Deadline);
    let (Some(short), Some(clock)) = (&load.starved, findings.iter().find(|finding| by_a_clock(finding))) else {
        return findings;
    };
    let sentence = format!("the target was short of {short}; {}", clock.sentence);
    let host = Finding::new(FindingKind::HostStarved, clock.stage, clock.at, sentence);
    let excused = findings.into_iter().map(|finding| Finding { class: Class::Infra, ..finding });
    std::iter::once(host).chain(excused).collect()
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use proptest::prelude::*;

    use super::*;

    const SECOND: u64 = 1_000_000;

    fn reading(seconds: i64, load: f64, cpu: u64, memory: u64, disk: u64) -> Reading {
        let at = Timestamp::UNIX_EPOCH + SignedDuration::from_secs(seconds);
        Reading { at, cpus: 2, load, cpu: Some(cpu), memory: Some(memory), disk: Some(disk) }
    }

    fn during(readings: &[Reading]) -> Option<HostLoad> {
        HostLoad::during(Stage::Install, readings, Timestamp::UNIX_EPOCH, Timestamp::MAX)
    }

    fn deadline() -> Finding {
        let at = Timestamp::UNIX_EPOCH;
        Finding::new(FindingKind::Deadline, Stage::Install, at, "not everything runs after 15 min; app: it waits")
    }

    #[test]
    fn the_kernels_files_are_read() {
        let cpu = "some avg10=1.00 avg60=0.50 avg300=0.10 total=900\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=0\n";
        let memory =
            "some avg10=1.00 avg60=0.50 avg300=0.10 total=900\nfull avg10=0.00 avg60=0.00 avg300=0.00 total=77\n";
        let reading = Reading::of(Timestamp::UNIX_EPOCH, 4, "12.31 8.02 5.11 3/812 19171\n", cpu, memory, "");
        assert_eq!((reading.load, reading.cpu, reading.memory, reading.disk), (12.31, Some(900), Some(77), None));
    }

    #[test]
    fn a_clock_on_a_starved_host_is_not_judged() {
        let load = during(&[reading(0, 10.0, 0, 0, 0), reading(100, 9.0, 91 * SECOND, 0, SECOND)]).unwrap();
        assert_eq!((load.cpu_waited, load.memory_waited, load.disk_waited), (Some(91), Some(0), Some(1)));
        let findings = excuse(vec![deadline()], &load);
        let kinds: Vec<_> = findings.iter().map(|finding| (finding.kind, finding.class)).collect();
        assert_eq!(kinds, [(FindingKind::HostStarved, Class::Infra), (FindingKind::Deadline, Class::Infra)]);
        assert!(findings.iter().all(|finding| !finding.turns_red()));
        let expected = "the target was short of processors (waited for in 91 % of the time, load 10 on 2 processors); not everything runs after 15 min; app: it waits";
        assert_eq!(findings[0].sentence, expected);
        assert_eq!(
            warning(&load).unwrap(),
            "the target was short of processors (waited for in 91 % of the time, load 10 on 2 processors) during install"
        );
    }

    #[test]
    fn a_cause_is_one_on_any_host() {
        let load = during(&[reading(0, 10.0, 0, 0, 0), reading(100, 9.0, 91 * SECOND, 0, 0)]).unwrap();
        let exits = Finding::new(FindingKind::CrashLoop, Stage::Install, Timestamp::UNIX_EPOCH, "app exits");
        assert_eq!(excuse(vec![exits.clone()], &load), [exits]);
    }

    #[test]
    fn a_busy_host_is_not_a_starved_one() {
        for (load, cpu, memory, disk) in [(9.9, 100, 0, 0), (12.0, 89, 0, 0), (1.0, 10, 9, 0), (1.0, 10, 0, 39)] {
            let at = |seconds, part: u64| {
                reading(seconds, load, cpu * part * SECOND, memory * part * SECOND, disk * part * SECOND)
            };
            assert_eq!(during(&[at(0, 0), at(100, 1)]).unwrap().starved, None);
            assert_eq!(excuse(vec![deadline()], &during(&[at(0, 0), at(100, 1)]).unwrap()), [deadline()]);
        }
        let memory = during(&[reading(0, 1.0, 0, 0, 0), reading(100, 1.0, 0, 10 * SECOND, 0)]).unwrap();
        assert_eq!(memory.starved.as_deref(), Some("memory (waited for in 10 % of the time)"));
        let disk = during(&[reading(0, 1.0, 0, 0, 0), reading(100, 1.0, 0, 0, 40 * SECOND)]).unwrap();
        assert_eq!(disk.starved.as_deref(), Some("its disk (waited for in 40 % of the time)"));
    }

    #[test]
    fn too_little_says_nothing() {
        assert_eq!(during(&[]), None);
        assert_eq!(during(&[reading(0, 9.0, 0, 0, 0)]), None);
        let short = during(&[reading(0, 9.0, 0, 0, 0), reading(29, 9.0, 29 * SECOND, 0, 0)]).unwrap();
        assert_eq!((short.cpu_waited, short.starved), (Some(100), None));
    }

    #[test]
    fn without_counters_only_a_high_load_counts() {
        let blind = |load| {
            let at = |seconds| Reading { cpu: None, memory: None, disk: None, ..reading(seconds, load, 0, 0, 0) };
            during(&[at(0), at(100)]).unwrap().starved
        };
        assert_eq!(blind(19.9), None);
        assert_eq!(blind(20.0).as_deref(), Some("processors (load 20 on 2 processors)"));
    }

    proptest! {
        #[test]
        fn any_file_is_read(text in ".{0,80}|(some|full|total=|\n| |9){0,30}") {
            let _ = Reading::of(Timestamp::UNIX_EPOCH, 1, &text, &text, &text, &text);
        }
    }
}
