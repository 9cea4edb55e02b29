//! Properties over random services and arbitrary snapshots.

use proptest::prelude::*;

use super::script::{Act, Script, service};
use super::swarm::{Ended, Lab, lab};
use crate::domain::convergence::{Memory, Progress, Rules, fold};
use crate::domain::finding::FindingKind;
use crate::domain::stage::Stage;
use crate::domain::swarm::{Health, Mode, Slot, Snapshot, TaskState};

/// All on a grid of 500 ms, so that no state is shorter than the usual time between two looks.
fn act() -> impl Strategy<Value = Act> {
    prop_oneof![
        3 => Just(Act::Lives),
        3 => (1_u64..60, 0_i64..3).prop_map(|(after, code)| Act::Exits { after: after * 500, code }),
        1 => (1_u64..120).prop_map(|after| Act::Unhealthy { after: after * 500 }),
        1 => (1_u64..60).prop_map(|after| Act::OutOfMemory { after: after * 500 }),
    ]
}

fn script(name: &'static str) -> impl Strategy<Value = Script> {
    (prop::collection::vec(act(), 1..5), 0_u64..3, prop::option::of(0_u64..80), 0_u64..60).prop_map(
        move |(acts, replicas, check, up)| {
            let script = service(name).acts(acts).mode(Mode::Replicated(replicas)).up_after(up * 500);
            if let Some(period) = check { script.healthcheck(period * 500) } else { script }
        },
    )
}

/// Tasks that run, are healthy where that shows, and started ten seconds ago: counted without the fold.
fn good_enough(snapshot: &Snapshot) -> bool {
    snapshot.services.iter().all(|service| {
        let Mode::Replicated(wants) = service.mode else { return false };
        let good = snapshot.tasks.iter().filter(|task| {
            let container = task.container.as_ref().and_then(|id| snapshot.containers.get(id));
            task.service_id == service.id
                && task.state == TaskState::Running
                && container.is_some_and(|container| {
                    let age = container.started_at.map_or(0, |started| snapshot.at.duration_since(started).as_secs());
                    age >= 10 && container.health.is_none_or(|health| health == Health::Healthy)
                })
        });
        good.count() as u64 >= wants
    })
}

fn verdict(ended: &Ended) -> Option<(FindingKind, Option<String>)> {
    match &ended.progress {
        Progress::Converged => None,
        Progress::Failed(findings) => Some((findings[0].kind, findings[0].service.clone())),
        Progress::Starting { .. } => panic!("undecided after {} ms", ended.after),
    }
}

/// The same as [`Lab::ends`], with the memory written and read back after every look.
fn ends_with_restarts(lab: &mut Lab) -> Ended {
    let mut memory = Memory::default();
    loop {
        let ended = lab.play_on(memory, 500, 0, &Rules::default());
        if !matches!(ended.progress, Progress::Starting { .. }) {
            return ended;
        }
        memory = serde_json::from_str(&serde_json::to_string(&ended.memory).unwrap()).unwrap();
        assert_eq!(memory, ended.memory);
        (0..5).for_each(|_| lab.step());
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 64, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn s34_never_converged_with_fewer_good_tasks_than_wanted(a in script("a"), b in script("b")) {
        let mut lab = lab([a, b]);
        let ended = lab.ends();
        if ended.progress == Progress::Converged {
            prop_assert!(good_enough(&lab.snapshot()));
        }
    }

    #[test]
    fn s20_what_exits_for_ever_before_it_is_good_is_red(life in 1_u64..99, code in 1_i64..256, peer in 0_u64..40) {
        let db = service("db").up_after(peer * 1_000).healthcheck(60_000);
        let ended = lab([db, service("app").exits(life * 100, code)]).ends();
        ended.is_red(FindingKind::CrashLoop, "app");
        prop_assert!(ended.after <= peer * 1_000 + 4 * (life * 100 + 5_500) + 500, "{}", ended.after);
    }

    #[test]
    fn s20_what_exits_for_ever_is_red_within_the_window(lives in prop::collection::vec(1_u64..600, 1..12)) {
        let acts: Vec<Act> = lives.iter().map(|life| Act::Exits { after: life * 100, code: 1 }).collect();
        let slow = service("slow").up_after(10_000_000).healthcheck(900_000);
        let ended = lab([slow, service("app").acts(acts)]).ends();
        ended.is_red(FindingKind::CrashLoop, "app");
        let first = 500 + lives[0] * 100;
        prop_assert!(ended.after <= first + 180_000 + 60_000 + 5_500 + 500, "{}", ended.after);
        prop_assert!(ended.after - ended.decided_by() <= 500);
    }

    #[test]
    fn s21_what_exits_until_its_database_is_healthy_is_green(up in 0_u64..600, fails in 1_u64..80, chain in 1_u64..60, third in any::<bool>()) {
        let db = service("db").up_after(up * 100).healthcheck(60_000);
        let app = service("app").needs("db", fails * 100).up_after(chain * 100);
        let web = if third { service("web").needs("app", fails * 100) } else { service("web") };
        lab([db, app, web]).ends().is_green();
    }

    #[test]
    fn polling_more_often_or_starting_anew_changes_no_verdict(a in script("a"), b in script("b")) {
        let fresh = || lab([a.clone(), b.clone()]);
        let usual = fresh().ends();
        let often = fresh().play(100, 1200, &Rules::default());
        let restarted = ends_with_restarts(&mut fresh());
        prop_assert_eq!(verdict(&usual), verdict(&restarted));
        prop_assert_eq!(usual.after, restarted.after);
        prop_assert_eq!(verdict(&usual), verdict(&often));
    }

    #[test]
    fn any_snapshot_is_judged_without_panic(seed in prop::collection::vec(any::<(u8, u8, u8, bool, i64)>(), 1..40), a in script("a")) {
        let mut lab = lab([a]);
        let wanted = lab.wanted();
        let mut memory = Memory::default();
        for (what, state, slot, flag, number) in seed {
            (0..20).for_each(|_| lab.step());
            let mut snapshot = lab.snapshot();
            disturb(&mut snapshot, (what, state, slot, flag, number));
            let (next, progress) = fold(memory, &wanted, &snapshot, &Rules::default(), Stage::Install);
            memory = next;
            if let Progress::Failed(findings) = progress {
                prop_assert!(!findings.is_empty());
                prop_assert!(findings.iter().all(|finding| finding.at == snapshot.at && finding.sentence.chars().count() < 400));
            }
        }
    }
}

const STATES: [TaskState; 9] = [
    TaskState::New,
    TaskState::Pending,
    TaskState::Running,
    TaskState::Complete,
    TaskState::Shutdown,
    TaskState::Failed,
    TaskState::Rejected,
    TaskState::Remove,
    TaskState::Orphaned,
];

/// Makes nonsense of a snapshot.
fn disturb(snapshot: &mut Snapshot, (what, state, slot, flag, number): (u8, u8, u8, bool, i64)) {
    let instant = jiff::Timestamp::from_second(number % 4_000_000_000).unwrap_or_default();
    if what & 1 == 0 {
        snapshot.containers.clear();
    }
    if what & 2 == 0 {
        snapshot.at = instant;
    }
    for task in &mut snapshot.tasks {
        task.state = STATES[usize::from(state) % STATES.len()];
        task.desired = STATES[usize::from(slot) % STATES.len()];
        task.slot = if flag { Slot::Number(u64::from(slot)) } else { Slot::Node("x".into()) };
        task.state_at = instant;
        task.exit_code = (what & 4 == 0).then_some(number);
        task.error = "\u{1b}[".repeat(usize::from(what) * 10);
    }
    if what & 8 == 0 {
        snapshot.services.clear();
    }
    for container in snapshot.containers.values_mut() {
        container.started_at = Some(instant);
        container.finished_at = flag.then_some(snapshot.at);
        container.failing_streak = u64::from(state);
        container.last_lines = vec!["x".repeat(5_000), String::new()];
    }
}
