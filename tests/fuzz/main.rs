//! Whatever comes from outside is read or refused: no panic, and time and memory that are bounded. A thousand inputs of each kind here; a
//! million in `cargo xtask soak`. An input follows from its number alone: `CC_CI_SEED=N CC_CI_INPUTS=1` draws the one that failed.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod compose;
mod draw;
mod kinds;
mod memory;
mod texts;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::time::{Duration, Instant};

use nix::time::{ClockId, clock_gettime};

use self::draw::Random;
use self::kinds::Kind;
use self::memory::Peak;

/// So many of each kind in a test.
const FEW: u64 = 1_000;
/// No input takes longer of a processor, in a build that is not optimised.
const LONGEST: Duration = Duration::from_secs(5);
/// Nor more memory, with all that the tests beside it need.
const MOST_MB: u64 = 400;
/// Failures that are told one by one.
const TOLD: usize = 10;

fn number(variable: &str, default: u64) -> u64 {
    std::env::var(variable).map_or(default, |value| value.parse().unwrap())
}

/// What this thread has had of a processor: a machine that has other things to do does not count against an input.
fn processor() -> Duration {
    clock_gettime(ClockId::CLOCK_THREAD_CPUTIME_ID).unwrap().into()
}

/// Draws the inputs of a kind and gives them to their reader.
fn fuzz(kind: Kind) {
    let (inputs, first) = (number("CC_CI_INPUTS", FEW).div_ceil(kind.rarer()), number("CC_CI_SEED", 0));
    let (begun, peak) = (Instant::now(), Peak::begin());
    let (mut slowest, mut failed, mut many) = ((Duration::ZERO, first), Vec::new(), 0_u64);
    let mut reader = kind.reader();
    for seed in first..first + inputs {
        let input = kind.draw(&mut Random::new(seed));
        let asked = processor();
        let ended = catch_unwind(AssertUnwindSafe(|| reader(&input)));
        slowest = slowest.max((processor().saturating_sub(asked), seed));
        if ended.is_err() {
            many += 1;
            failed.push(seed);
            failed.truncate(TOLD);
            // What it holds may be half changed.
            reader = kind.reader();
        }
    }
    let (name, mb) = (kind.name(), peak.megabytes());
    println!(
        "fuzz {name}: {inputs} inputs, {many} panics, {:.1} s, slowest {:.1} ms (seed {}), peak {mb} MB",
        begun.elapsed().as_secs_f64(),
        slowest.0.as_secs_f64() * 1_000.0,
        slowest.1
    );
    assert!(failed.is_empty(), "{name}: inputs with these seeds panic: {failed:?}");
    assert!(slowest.0 < LONGEST, "{name}: input {} takes {:?}", slowest.1, slowest.0);
    assert!(mb < MOST_MB, "{name}: {mb} MB");
}

#[test]
fn comments() {
    fuzz(Kind::Comment);
}

#[test]
fn compose_files() {
    fuzz(Kind::Compose);
}

#[test]
fn compose_bombs() {
    fuzz(Kind::Bomb);
}

#[test]
fn env_samples() {
    fuzz(Kind::Env);
}

#[test]
fn abra_sh_exports() {
    fuzz(Kind::AbraSh);
}

#[test]
fn webhook_bodies() {
    fuzz(Kind::Webhook);
}

#[test]
fn toml_files() {
    fuzz(Kind::Toml);
}

#[test]
fn settings_files() {
    fuzz(Kind::Settings);
}

#[test]
fn logs() {
    fuzz(Kind::Log);
}
