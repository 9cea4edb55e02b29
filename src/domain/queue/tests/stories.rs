//! What starts: s50, s52, s53 and the rules one by one.

use super::*;

const CLEAN: TargetState = TargetState::Clean;
const LEASED: TargetState = TargetState::Leased;

#[test]
fn s50_a_wedged_run_does_not_hold_up_other_recipes_where_capacity_allows() {
    let a = running(&waiting(1, "plausible", 0), "swarm-a", 0);
    let queue = [waiting(2, "immich", MINUTE), waiting(3, "notes", 2 * MINUTE), waiting(4, "plausible", 0)];
    let late = 30 * MINUTE;
    let two = [target("swarm-a", 1, LEASED), target("swarm-b", 2, CLEAN)];
    assert_eq!(starts(&situation(&queue, std::slice::from_ref(&a), &two, late)), ["2@swarm-b", "3@swarm-b"]);
    let one = [target("swarm-a", 3, LEASED)];
    assert_eq!(starts(&situation(&queue, std::slice::from_ref(&a), &one, late)), ["2@swarm-a", "3@swarm-a"]);
    let full = [target("swarm-a", 1, LEASED)];
    assert_eq!(starts(&situation(&queue, &[a], &full, late)), [""; 0]);
}

#[test]
fn s52_the_same_host_port_is_serialised_on_one_target_and_others_overtake() {
    let queue = [
        publishing(25, waiting(1, "mail", 0)),
        publishing(25, waiting(2, "postfix", 1)),
        publishing(80, waiting(3, "notes", 2)),
    ];
    let one = [target("swarm-a", 4, CLEAN)];
    assert_eq!(starts(&situation(&queue, &[], &one, 3)), ["1@swarm-a", "3@swarm-a"]);
    let two = [target("swarm-a", 4, CLEAN), target("swarm-b", 4, CLEAN)];
    assert_eq!(starts(&situation(&queue, &[], &two, 3)), ["1@swarm-a", "2@swarm-b", "3@swarm-a"]);
}

#[test]
fn s52_two_runs_of_one_recipe_are_serialised_wherever_they_would_run() {
    let queue = [waiting(1, "notes", 0), waiting(2, "notes", 1), waiting(3, "immich", 2)];
    let two = [target("swarm-a", 4, CLEAN), target("swarm-b", 4, CLEAN)];
    assert_eq!(starts(&situation(&queue, &[], &two, 3)), ["1@swarm-a", "3@swarm-b"]);
}

#[test]
fn s53_paused_or_draining_nothing_starts() {
    let queue = [waiting(1, "notes", 0)];
    let targets = [target("swarm-a", 4, CLEAN)];
    let open = situation(&queue, &[], &targets, 3);
    for switches in [Switches { paused: true, draining: false }, Switches { paused: false, draining: true }] {
        assert_eq!(decide(&Situation { switches, ..open }), []);
    }
    assert_eq!(starts(&open), ["1@swarm-a"]);
}

#[test]
fn nothing_starts_on_a_target_that_is_not_clean_or_ours() {
    let queue = [waiting(1, "notes", 0)];
    for state in [TargetState::Dirty, TargetState::Quarantined, TargetState::Unknown, LEASED] {
        assert_eq!(starts(&situation(&queue, &[], &[target("swarm-a", 4, state)], 3)), [""; 0], "{state:?}");
    }
    let draining = TargetFacts { draining: true, ..target("swarm-a", 4, CLEAN) };
    assert_eq!(starts(&situation(&queue, &[], &[draining], 3)), [""; 0]);
    assert_eq!(starts(&situation(&queue, &[], &[target("swarm-a", 0, CLEAN)], 3)), [""; 0]);
    assert_eq!(starts(&situation(&queue, &[], &[], 3)), [""; 0]);
}

#[test]
fn a_pull_request_goes_before_what_was_merged_and_before_the_sweep_until_they_have_aged() {
    let merged = Waiting { cause: Cause::PostMerge, ..waiting(2, "b", 60) };
    let queue = [swept(waiting(1, "a", 0)), merged, waiting(3, "c", 29 * MINUTE)];
    let one_at_a_time = [target("swarm-a", 1, CLEAN)];
    let first = |queue: &[Waiting]| starts(&situation(queue, &[], &one_at_a_time, 10 * 3600));
    assert_eq!(first(&queue), ["3@swarm-a"]);
    assert_eq!(first(&queue[..2]), ["2@swarm-a"]);
    let late = [queue[0].clone(), queue[1].clone(), waiting(3, "c", 31 * MINUTE + 1)];
    assert_eq!(first(&late), ["2@swarm-a"]);
    let hours_later = [queue[0].clone(), waiting(3, "c", 6 * 3600 + 1)];
    assert_eq!(first(&hours_later), ["1@swarm-a"]);
}

#[test]
fn a_repeated_run_keeps_its_place() {
    let again = Waiting { cause: Cause::Retry, ..waiting(9, "b", 0) };
    let queue = [waiting(1, "a", 60), again];
    assert_eq!(starts(&situation(&queue, &[], &[target("swarm-a", 1, CLEAN)], 3600)), ["9@swarm-a"]);
}

#[test]
fn light_runs_pass_a_heavy_one_at_first_but_not_for_ever() {
    let old = running(&waiting(1, "a", 0), "swarm-a", 0);
    let young = running(&waiting(2, "b", 0), "swarm-b", MINUTE);
    let busy = [old, young];
    let targets = [target("swarm-a", 2, LEASED), target("swarm-b", 2, LEASED)];
    let queue = [heavy(2, waiting(3, "big", 0)), waiting(4, "c", MINUTE), waiting(5, "d", MINUTE)];
    let at_first = situation(&queue, &busy, &targets, 9 * MINUTE);
    assert_eq!(starts(&at_first), ["4@swarm-a", "5@swarm-b"]);
    // The target whose run began first is free first, by the run's limit: there, room is kept.
    let then = situation(&queue, &busy, &targets, 10 * MINUTE);
    assert_eq!(starts(&then), ["4@swarm-b"]);
    let targets = [target("swarm-a", 2, CLEAN), target("swarm-b", 2, LEASED)];
    let freed = situation(&queue, &busy[1..], &targets, 11 * MINUTE);
    assert_eq!(starts(&freed), ["3@swarm-a", "4@swarm-b"]);
}

#[test]
fn room_that_the_heavy_run_does_not_need_is_used() {
    let busy = [running(&heavy(3, waiting(1, "a", 0)), "swarm-a", 0)];
    let targets = [target("swarm-a", 4, LEASED)];
    let queue = [heavy(3, waiting(2, "big", 0)), waiting(3, "c", 60), waiting(4, "d", 60)];
    assert_eq!(starts(&situation(&queue, &busy, &targets, 20 * MINUTE)), ["3@swarm-a"]);
    let short = Waiting { limit: Duration::from_secs(600), ..waiting(5, "short", 60) };
    let wide = [heavy(4, waiting(2, "big", 0)), waiting(3, "c", 60), short];
    assert_eq!(starts(&situation(&wide, &busy, &targets, 20 * MINUTE)), ["5@swarm-a"]);
}

#[test]
fn a_port_is_kept_like_room() {
    let busy = [running(&publishing(25, waiting(1, "a", 0)), "swarm-a", 0)];
    let targets = [target("swarm-a", 4, LEASED)];
    let range = HostPort { first: 20, last: 30, protocol: Protocol::Tcp };
    let queue = [
        Waiting { ports: vec![range], ..waiting(2, "b", 0) },
        publishing(30, waiting(3, "c", 60)),
        publishing(31, waiting(4, "d", 60)),
    ];
    assert_eq!(starts(&situation(&queue, &busy, &targets, 9 * MINUTE)), ["3@swarm-a", "4@swarm-a"]);
    assert_eq!(starts(&situation(&queue, &busy, &targets, 10 * MINUTE)), ["4@swarm-a"]);
}

#[test]
fn a_run_that_is_too_heavy_for_every_target_runs_alone_on_one_of_the_largest() {
    let queue = [heavy(9, waiting(1, "a", 0)), waiting(2, "b", 1)];
    let targets = [target("swarm-a", 2, CLEAN), target("swarm-b", 4, CLEAN)];
    assert_eq!(starts(&situation(&queue, &[], &targets, 3)), ["1@swarm-b", "2@swarm-a"]);
    // Not on a smaller one, while the largest is out of order.
    let targets = [target("swarm-a", 2, CLEAN), target("swarm-b", 4, TargetState::Quarantined)];
    assert_eq!(starts(&situation(&queue, &[], &targets, 3)), ["2@swarm-a"]);
}

#[test]
fn the_least_loaded_target_is_taken_and_then_the_one_that_has_the_images() {
    let images = |names: &[&str]| names.iter().map(|name| (*name).to_owned()).collect::<BTreeSet<_>>();
    let warm = TargetFacts { images: images(&["db:1", "app:2", "x"]), ..target("swarm-b", 2, CLEAN) };
    let targets = [target("swarm-a", 2, CLEAN), warm.clone()];
    let run = Waiting { images: images(&["db:1", "app:2"]), ..waiting(1, "a", 0) };
    let queue = [run];
    assert_eq!(starts(&situation(&queue, &[], &targets, 3)), ["1@swarm-b"]);
    let busy = [running(&waiting(2, "b", 0), "swarm-b", 0)];
    let targets = [target("swarm-a", 2, CLEAN), TargetFacts { state: LEASED, ..warm }];
    assert_eq!(starts(&situation(&queue, &busy, &targets, 3)), ["1@swarm-a"]);
}

#[test]
fn facts_survive_their_way_through_the_store() {
    let run = publishing(25, waiting(1, "a", 0));
    let json = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Waiting>(&json).unwrap(), run);
    let run = running(&run, "swarm-a", 5);
    let json = serde_json::to_string(&run).unwrap();
    assert_eq!(serde_json::from_str::<Running>(&json).unwrap(), run);
}
