//! s46, by the thousand: what people ask for, what breaks, what comes twice or late, when the gate is killed and when clocks jump
//! are drawn from a seed. When all that is over, each command has exactly one answer, and the answer is the last word.
//!
//! `cargo test` tells a few hundred; `cargo xtask soak` ten thousand. `CC_CI_SCHEDULES` says how many, `CC_CI_SEED` which first.

mod draw;
mod play;
mod shrink;

use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::time::Instant;

use draw::Schedule;
use play::Broken;

/// So many in `cargo test`.
const FEW: u64 = 200;

#[test]
fn s46_whatever_breaks_nothing_is_lost_and_nothing_doubled() {
    let number = |name: &str| std::env::var(name).ok().map(|text| text.parse::<u64>().unwrap());
    let (first, times) = (number("CC_CI_SEED").unwrap_or(1), number("CC_CI_SCHEDULES").unwrap_or(FEW));
    let (next, failed, begun) = (AtomicU64::new(first), AtomicBool::new(false), Instant::now());
    let broken: Vec<(Schedule, Broken)> = std::thread::scope(|scope| {
        let worker = || {
            let mut broken = Vec::new();
            loop {
                let seed = next.fetch_add(1, Ordering::Relaxed);
                if seed >= first + times || failed.load(Ordering::Relaxed) {
                    return broken;
                }
                let schedule = Schedule::draw(seed);
                if let Err(why) = play::play(&schedule) {
                    failed.store(true, Ordering::Relaxed);
                    broken.push((schedule, why));
                }
            }
        };
        let workers = std::thread::available_parallelism().map_or(1, usize::from);
        let workers: Vec<_> = (0..workers).map(|_| scope.spawn(worker)).collect();
        workers.into_iter().flat_map(|worker| worker.join().unwrap()).collect()
    });
    let (lost, doubled) = broken.iter().fold((0, 0), |(lost, doubled), (_, it)| (lost + it.lost, doubled + it.doubled));
    let played = (next.into_inner() - first).min(times);
    say(&format!("{played} schedules, lost {lost}, doubled {doubled}, {} s", begun.elapsed().as_secs()));
    if let Some((schedule, broken)) = broken.into_iter().next() {
        panic!("{}", shrink::told(schedule, &broken));
    }
}

#[expect(clippy::print_stdout, reason = "what a soak is run for")]
fn say(line: &str) {
    println!("{line}");
}
