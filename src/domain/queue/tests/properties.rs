//! Properties over random queues.

use std::collections::BTreeMap;

use proptest::prelude::*;
use proptest::sample::Index;

use super::super::simulation::{Day, Planned, Scheduler, simulate};
use super::*;

fn runs(most: usize) -> impl Strategy<Value = Vec<Waiting>> {
    let cause = prop::sample::select(Cause::ALL.to_vec());
    let port = prop::option::weighted(0.3, 20_u16..24);
    // Instants in whole minutes, so that ties are common.
    let run = (0..8_u8, cause, 1..7_u32, port, 0..600_i64, 1..90_u64, prop::option::of(1..3_u64));
    prop::collection::vec(run, 0..most).prop_map(|runs| {
        let numbered = (0..=255).zip(runs);
        let made = numbered.map(|(number, (recipe, cause, weight, port, minute, limit, pr))| Waiting {
            subject: subject(&format!("recipe-{recipe}"), pr, number % 3),
            cause,
            ports: port.into_iter().map(HostPort::tcp).collect(),
            limit: Duration::from_secs(limit * 60),
            ..heavy(weight, waiting(number, "any", minute * MINUTE))
        });
        made.collect()
    })
}

fn targets(healthy: bool) -> impl Strategy<Value = Vec<TargetFacts>> {
    let states = if healthy {
        vec![TargetState::Clean]
    } else {
        vec![
            TargetState::Clean,
            TargetState::Leased,
            TargetState::Dirty,
            TargetState::Quarantined,
            TargetState::Unknown,
        ]
    };
    let smallest = u32::from(healthy);
    prop::collection::vec((smallest..6, prop::sample::select(states), prop::bool::weighted(0.1)), 1..5).prop_map(
        move |all| {
            let named = all.into_iter().enumerate();
            let made = named.map(|(number, (capacity, state, draining))| TargetFacts {
                draining: draining && !healthy,
                ..target(&format!("swarm-{number}"), capacity, state)
            });
            made.collect()
        },
    )
}

/// What runs, from runs and the numbers of targets; the last target is one that is not configured any more.
fn on_targets(runs: &[Waiting], places: &[Index], targets: &[TargetFacts]) -> Vec<Running> {
    let placed = runs.iter().zip(places).map(|(run, place)| {
        let index = place.index(targets.len() + 1);
        running(run, targets.get(index).map_or("gone", |target| target.name.as_str()), 0)
    });
    placed.collect()
}

prop_compose! {
    /// Any situation: whatever runs, even what should never run together, and whatever the targets' states.
    fn any_situation()(
        all in runs(40),
        targets in targets(false),
        places in prop::collection::vec(any::<Index>(), 6),
        minute in 0..1200_i64,
    ) -> (Vec<Waiting>, Vec<Running>, Vec<TargetFacts>, i64) {
        let busy = all.len().min(places.len()) / 2;
        let running = on_targets(&all[..busy], &places, &targets);
        (all[busy..].to_vec(), running, targets, minute * MINUTE)
    }
}

/// The load of a target as the starts leave it; a run heavier than the target counts as all of it.
fn load<'a>(target: &TargetFacts, runs: impl Iterator<Item = &'a Running>) -> u32 {
    runs.filter(|run| run.target == target.name).map(|run| run.weight.get().min(target.capacity)).sum()
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(256))]

    #[test]
    fn a_start_overloads_nothing_and_conflicts_with_nothing((queue, mut running_now, targets, second) in any_situation()) {
        let before = running_now.clone();
        for start in decide(&situation(&queue, &before, &targets, second)) {
            let run = queue.iter().find(|run| run.run == start.run).unwrap();
            let target = targets.iter().find(|target| target.name == start.target).unwrap();
            let ours = before.iter().any(|other| other.target == target.name);
            prop_assert!(target.state == TargetState::Clean || (target.state == TargetState::Leased && ours));
            prop_assert!(!target.draining);
            for other in &running_now {
                prop_assert_ne!(&other.subject.recipe, &run.subject.recipe);
                prop_assert!(other.target != target.name || !ports::conflict(&other.ports, &run.ports));
            }
            running_now.push(running(run, target.name.as_str(), second));
            prop_assert!(load(target, running_now.iter()) <= target.capacity);
        }
    }

    #[test]
    fn the_order_of_the_rows_means_nothing((queue, busy, targets, second) in any_situation(), turn in any::<Index>()) {
        let now = situation(&queue, &busy, &targets, second);
        let (mut queue, mut busy, mut targets) = (queue.clone(), busy.clone(), targets.clone());
        let by = turn.index(queue.len() + 1);
        queue.rotate_left(by);
        busy.reverse();
        targets.reverse();
        let other = situation(&queue, &busy, &targets, second);
        prop_assert_eq!(decide(&now), decide(&other));
        prop_assert_eq!(explain_all(&now, &History::default()), explain_all(&other, &History::default()));
    }

    #[test]
    fn one_more_changes_nothing_for_those_that_rank_ahead((queue, busy, targets, second) in any_situation(), which in any::<Index>()) {
        prop_assume!(!queue.is_empty());
        let extra = &queue[which.index(queue.len())];
        let without: Vec<Waiting> = queue.iter().filter(|run| run.run != extra.run).cloned().collect();
        let rank = |run: &Waiting| (rank::counts_from_ms(run), run.run.clone());
        let ahead = |queue: &[Waiting]| -> Vec<Start> {
            let mut starts = decide(&situation(queue, &busy, &targets, second));
            starts.retain(|start| queue.iter().any(|run| run.run == start.run && rank(run) < rank(extra)));
            starts
        };
        prop_assert_eq!(ahead(&queue), ahead(&without));
    }

    #[test]
    fn everyone_starts_within_the_bound_where_targets_are_healthy(
        all in runs(40),
        targets in targets(true),
        shares in prop::collection::vec(1..=100_u32, 40),
    ) {
        let planned = all.into_iter().zip(shares).map(|(request, share)| {
            let takes = request.limit * share / 100;
            Planned { request, takes }
        });
        let day = Day::new(targets, planned.collect());
        let figures = simulate(&day, Scheduler::Ours, &mut || Duration::ZERO);
        let bad = (figures.overruns, figures.conflicts, figures.wrong, figures.never_started, figures.beyond_bound);
        prop_assert_eq!(bad, (0, 0, 0, 0, 0));
        prop_assert_eq!(figures.waits.values().map(Vec::len).sum::<usize>(), day.runs.len());
    }

    #[test]
    fn everyone_who_waits_is_told_and_the_same_as_is_decided((queue, busy, targets, second) in any_situation()) {
        let now = situation(&queue, &busy, &targets, second);
        let whys = explain_all(&now, &History::default());
        let mut places: Vec<usize> = whys.values().map(|why| why.place).collect();
        places.sort_unstable();
        prop_assert_eq!(places, (1..=queue.len()).collect::<Vec<_>>());
        let mut starting: Vec<RunId> = decide(&now).into_iter().map(|start| start.run).collect();
        starting.sort_unstable();
        let told: Vec<RunId> = whys.iter().filter(|(_, why)| why.reason == Reason::Starts).map(|(run, _)| run.clone()).collect();
        prop_assert_eq!(starting, told);
        for (run, why) in &whys {
            // Told when exactly if there is a target for it: everything that runs ends by its limit.
            prop_assert_eq!(why.starts_in.is_some(), why.reason != Reason::NoTarget, "{}: {:?}", run, why);
            prop_assert!(why.behind.is_none() || busy.iter().any(|other| Some(&other.run) == why.behind.as_ref().map(|it| &it.run)));
            prop_assert_eq!(Some(why.clone()), explain(run, &now, &History::default()));
        }
    }

    #[test]
    fn a_request_that_is_read_twice_does_nothing_the_second_time(requests in runs(30)) {
        let mut queue: Vec<Waiting> = Vec::new();
        for request in requests {
            match admit(&queue, &[], &request) {
                Admission::New => queue.push(request.clone()),
                Admission::MergedInto(run) => prop_assert!(queue.iter().any(|other| other.run == run)),
                Admission::Supersedes(runs) => {
                    queue.retain(|other| !runs.contains(&other.run));
                    queue.push(request.clone());
                }
                Admission::SupersededBy(run) => {
                    prop_assert!(queue.iter().any(|other| other.run == run && other.queued_at > request.queued_at));
                }
            }
            let again = admit(&queue, &[], &request);
            prop_assert!(matches!(again, Admission::MergedInto(_) | Admission::SupersededBy(_)), "{:?}", again);
            let mut of_pr: BTreeMap<&PullRequest, usize> = BTreeMap::new();
            for pr in queue.iter().filter_map(|run| run.subject.pr.as_ref()) {
                *of_pr.entry(pr).or_default() += 1;
            }
            prop_assert!(of_pr.values().all(|count| *count == 1), "one run of a pull request waits at most: {:?}", of_pr);
        }
    }
}
