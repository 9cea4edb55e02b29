//! s51: a day, ours beside first-in-first-out.

use super::super::simulation::{Day, Figures, Planned, Scheduler, Shape, simulate};
use super::*;

fn lived(day: &Day, scheduler: Scheduler) -> Figures {
    simulate(day, scheduler, &mut || Duration::ZERO)
}

#[test]
fn s51_a_day_with_a_burst_starves_nobody_and_overloads_nothing() {
    let day = Day::of(&Shape::default());
    let (ours, fifo) = (lived(&day, Scheduler::Ours), lived(&day, Scheduler::Fifo));
    println!("ours\n{ours}\n\nfirst in, first out\n{fifo}");

    for figures in [&ours, &fifo] {
        assert_eq!((figures.overruns, figures.conflicts, figures.wrong, figures.never_started), (0, 0, 0, 0));
        assert_eq!(figures.waits.values().map(Vec::len).sum::<usize>(), day.runs.len());
    }
    assert_eq!(ours.beyond_bound, 0);
    // Of this very day: nobody waits longer than the handicap of the cause and three of the longest runs.
    for cause in Cause::ALL {
        assert!(ours.wait(cause, 100) <= handicap(cause) + 3 * LIMIT, "{cause:?}\n{ours}");
    }
    for percent in [50, 95, 100] {
        assert!(ours.wait(Cause::Pr, percent) < fifo.wait(Cause::Pr, percent) / 2);
    }
    for percent in [50, 95] {
        assert!(ours.wait(Cause::Pr, percent) < ours.wait(Cause::Sweep, percent));
    }
}

#[test]
fn the_same_seed_is_the_same_day() {
    let shape = Shape { recipes: 20, pull_requests: 40, sweeps: 20, ..Shape::default() };
    let lived = |seed| lived(&Day::of(&Shape { seed, ..shape }), Scheduler::Ours);
    assert_eq!(lived(1), lived(1));
    assert_ne!(lived(1), lived(2));
}

#[test]
fn a_heavy_run_starts_although_light_ones_never_stop_coming() {
    // A light run a minute, ten minutes each, of ever other recipes: ten want to run where eight can, for four hours.
    let light = (0..=254_u8).map(|number| {
        let request = waiting(number, &format!("light-{number}"), (i64::from(number) - 20) * MINUTE);
        Planned { request, takes: Duration::from_secs(600) }
    });
    let heavy = Waiting { cause: Cause::Retry, ..heavy(4, waiting(255, "heavy", 0)) };
    let all = light.chain([Planned { request: heavy, takes: Duration::from_secs(600) }]);
    let targets = ["swarm-a", "swarm-b"].map(|name| target(name, 4, TargetState::Clean));
    let figures = lived(&Day::new(targets.to_vec(), all.collect()), Scheduler::Ours);
    assert!(figures.wait(Cause::Pr, 50) > Duration::ZERO, "the targets are full");
    let waited = figures.wait(Cause::Retry, 100);
    assert!(waited > KEEP_ROOM_AFTER && waited <= KEEP_ROOM_AFTER + LIMIT, "{waited:?}");
}
