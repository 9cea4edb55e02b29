//! What those who wait are told.

use super::*;

const LEASED: TargetState = TargetState::Leased;

fn history(of: &[(&str, u64)]) -> History {
    let mut history = History::default();
    for (recipe, seconds) in of {
        let recipe = RecipeName::parse(recipe).unwrap();
        history.record(&recipe, crate::domain::verdict::Verdict::Green, Duration::from_secs(*seconds));
    }
    history
}

fn told(run: u8, situation: &Situation<'_>, history: &History) -> Why {
    explain(&run_id(run), situation, history).unwrap()
}

fn usually(seconds: u64, run: Running) -> Running {
    Running { usual: Some(Duration::from_secs(seconds)), ..run }
}

fn about(seconds: u64) -> Option<Eta> {
    Some(Eta { after: Duration::from_secs(seconds), by_limit: false })
}

#[test]
fn s50_without_capacity_those_behind_are_told_behind_whom_and_until_when() {
    let a = usually(360, running(&waiting(1, "immich", 0), "swarm-a", 0));
    let queue = [waiting(2, "notes", 10), waiting(3, "wiki", 20)];
    let targets = [target("swarm-a", 1, LEASED)];
    let running = [a];
    let now = situation(&queue, &running, &targets, 190);
    let history = history(&[("notes", 120)]);
    let why = told(2, &now, &history);
    let behind = Behind {
        run: run_id(1),
        recipe: RecipeName::parse("immich").unwrap(),
        stage: Stage::Install,
        elapsed: Duration::from_secs(190),
        usual: Some(Duration::from_secs(360)),
    };
    assert_eq!(why, Why { place: 1, behind: Some(behind.clone()), reason: Reason::Full, starts_in: about(170) });
    let second = told(3, &now, &history);
    assert_eq!(second, Why { place: 2, behind: Some(behind), reason: Reason::Full, starts_in: about(290) });
}

#[test]
fn a_run_that_is_late_moves_the_forecast_and_in_the_end_only_its_limit_counts() {
    let a = [usually(400, running(&waiting(1, "immich", 0), "swarm-a", 0))];
    let queue = [waiting(2, "notes", 10)];
    let targets = [target("swarm-a", 1, LEASED)];
    let after = |second| told(2, &situation(&queue, &a, &targets, second), &History::default()).starts_in;
    assert_eq!(after(399), about(1));
    assert_eq!(after(500), about(100));
    assert_eq!(after(799), about(100));
    let by_limit = |seconds| Some(Eta { after: Duration::from_secs(seconds), by_limit: true });
    assert_eq!(after(800), by_limit(2800));
    assert_eq!(after(4000), by_limit(0));
}

#[test]
fn each_reason_is_told() {
    let busy = [usually(60, running(&publishing(25, waiting(1, "mail", 0)), "swarm-a", 0))];
    let targets = [target("swarm-a", 2, LEASED), target("swarm-b", 9, TargetState::Quarantined)];
    let queue = [
        waiting(2, "mail", 0),
        publishing(25, waiting(3, "postfix", 1)),
        waiting(4, "postfix", 2),
        heavy(3, waiting(5, "big", 3)),
        heavy(2, waiting(6, "wide", 4)),
        waiting(7, "notes", 5),
    ];
    let reasons = |second| -> Vec<Reason> {
        let now = situation(&queue, &busy, &targets, second);
        (2..=7).map(|run| told(run, &now, &History::default()).reason).collect()
    };
    let first = [
        Reason::RecipeRuns(run_id(1)),
        Reason::PortTaken(run_id(1)),
        Reason::RecipeWaits(run_id(3)),
        Reason::NoTarget,
        Reason::Full,
        Reason::Starts,
    ];
    assert_eq!(reasons(10), first);
    let only_wide = [queue[4].clone(), queue[5].clone()];
    let aged = situation(&only_wide, &busy, &targets, 20 * MINUTE);
    let why = told(7, &aged, &History::default());
    assert_eq!((why.place, why.reason), (2, Reason::RoomKept(run_id(6))));
    assert_eq!(why.behind.map(|behind| behind.run), Some(run_id(1)));
    assert_eq!(told(5, &situation(&queue, &busy, &targets, 10), &History::default()).starts_in, None);
}

#[test]
fn a_stopped_gate_says_so_and_promises_nothing() {
    let queue = [waiting(1, "notes", 0)];
    let targets = [target("swarm-a", 1, TargetState::Clean)];
    let open = situation(&queue, &[], &targets, 3);
    let paused = Situation { switches: Switches { paused: true, draining: false }, ..open };
    let draining = Situation { switches: Switches { paused: true, draining: true }, ..open };
    let why = |reason| Why { place: 1, behind: None, reason, starts_in: None };
    assert_eq!(told(1, &paused, &History::default()), why(Reason::Paused));
    assert_eq!(told(1, &draining, &History::default()), why(Reason::Draining));
    assert_eq!(told(1, &open, &History::default()), Why { starts_in: about(0), ..why(Reason::Starts) });
    assert_eq!(explain(&run_id(2), &open, &History::default()), None);
}

#[test]
fn behind_is_who_ends_first_not_who_is_wedged() {
    let wedged = usually(60, running(&waiting(1, "plausible", 0), "swarm-a", 0));
    let quick = usually(600, running(&waiting(2, "immich", 0), "swarm-b", 25 * MINUTE));
    let busy = [wedged, quick];
    let targets = [target("swarm-a", 1, LEASED), target("swarm-b", 1, LEASED)];
    let queue = [waiting(3, "notes", 60)];
    let why = told(3, &situation(&queue, &busy, &targets, 30 * MINUTE), &History::default());
    assert_eq!(why.behind.map(|behind| behind.run), Some(run_id(2)));
    assert_eq!(why.starts_in, about(300));
}
