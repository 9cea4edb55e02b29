//! A schedule that went wrong, without all that it does not need for that.

use super::draw::Schedule;
use super::play::{Broken, play};

/// Tries that may be spent.
const MOST: usize = 300;

/// What went wrong, and the shortest story found in which it does.
pub(super) fn told(schedule: Schedule, broken: &Broken) -> String {
    let (seed, first) = (schedule.seed, broken.why.join("\n"));
    let (schedule, broken) = shrink(schedule, broken.clone());
    let steps: Vec<String> = schedule.steps.iter().map(|step| format!("  {step:?}")).collect();
    format!(
        "seed {seed}: {first}\n\nthe shortest story that goes wrong, with faults in {} of 100 requests:\n{}\nthen: {}\n\nhint: CC_CI_SEED={seed} CC_CI_SCHEDULES=1 tells it again",
        schedule.faults,
        steps.join("\n"),
        broken.why.join("\n")
    )
}

fn shrink(mut schedule: Schedule, mut broken: Broken) -> (Schedule, Broken) {
    let mut tried = 0;
    let mut attempt = |candidate: &Schedule| {
        tried += 1;
        if tried > MOST { None } else { play(candidate).err() }
    };
    if let Some(why) = attempt(&Schedule { faults: 0, ..schedule.clone() }) {
        (schedule.faults, broken) = (0, why);
    }
    let mut size = schedule.steps.len() / 2;
    while size > 0 {
        let mut at = 0;
        while at < schedule.steps.len() {
            let mut candidate = schedule.clone();
            candidate.steps.drain(at..(at + size).min(candidate.steps.len()));
            match attempt(&candidate) {
                Some(why) => (schedule, broken) = (candidate, why),
                None => at += size,
            }
        }
        size /= 2;
    }
    (schedule, broken)
}
