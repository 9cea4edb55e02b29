//! Updates, tasks that cannot start, memory, clocks, and what happens after convergence.

use super::script::{Act, Script, service};
use super::swarm::{Lab, lab};
use crate::domain::convergence::{Memory, Progress, Rules, fold, image_question, not_wanted, watch};
use crate::domain::finding::{Finding, FindingKind as Kind};
use crate::domain::stage::Stage;
use crate::domain::swarm::{Health, Mode, RestartCondition, Snapshot, TaskState, Update, UpdateState};

fn kinds(progress: &Progress) -> Vec<Kind> {
    match progress {
        Progress::Failed(findings) => findings.iter().map(|finding| finding.kind).collect(),
        Progress::Starting { .. } | Progress::Converged => Vec::new(),
    }
}

#[test]
fn s06_the_old_task_running_alone_is_never_convergence() {
    let mut lab = lab([service("app").acts([Act::Pending("")])]);
    lab.old.push("app");
    let ended = lab.ends();
    assert_eq!(ended.headline().sentence, "the old version of app is still running");
    assert_eq!(kinds(&ended.progress), [Kind::OldVersionRunning, Kind::Stalled]);
}

#[test]
fn s06_a_finding_that_explains_it_comes_first() {
    let no_node = "no suitable node (scheduling constraints not satisfied on 1 node)";
    let mut lab = lab([service("app").acts([Act::Pending(no_node)])]);
    lab.old.push("app");
    let ended = lab.ends();
    assert_eq!(kinds(&ended.progress), [Kind::NoNode, Kind::OldVersionRunning]);
}

#[test]
fn s07_a_rollback_names_the_new_tasks_failure() {
    let mut lab = lab([service("app").exits(1_000, 1).says("unknown option --foo")]);
    lab.old.push("app");
    lab.updates[0] = Some(Update { state: UpdateState::Updating, message: "update in progress".into() });
    let started = lab.play(500, 3, &Rules::default());
    assert!(matches!(started.progress, Progress::Starting { .. }));
    lab.updates[0] = Some(Update { state: UpdateState::RollbackStarted, message: "update rolled back".into() });
    let ended = lab.play_on(started.memory, 500, 3, &Rules::default());
    assert_eq!(kinds(&ended.progress), [Kind::RolledBack, Kind::OldVersionRunning]);
    let expected =
        "app was rolled back to the old version, because its new task exited with code 1: “unknown option --foo”";
    assert_eq!(ended.headline().sentence, expected);
}

#[test]
fn s07_a_paused_update_is_the_end() {
    let mut lab = lab([service("app")]);
    lab.updates[0] = Some(Update { state: UpdateState::Paused, message: "update paused due to failure".into() });
    let ended = lab.ends();
    let finding = ended.is_red(Kind::UpdatePaused, "app");
    assert_eq!(finding.sentence, "app stopped updating half-way: “update paused due to failure”");
}

#[test]
fn s07_convergence_waits_until_the_update_is_completed() {
    let mut lab = lab([service("app")]);
    lab.updates[0] = Some(Update { state: UpdateState::Updating, message: String::new() });
    let ended = lab.play(500, 60, &Rules::default());
    assert!(
        matches!(&ended.progress, Progress::Starting { waiting_for, .. } if waiting_for == &["app: its update is not completed yet"])
    );
    lab.updates[0] = Some(Update { state: UpdateState::Completed, message: String::new() });
    lab.play_on(ended.memory, 500, 2, &Rules::default()).is_green();
}

#[test]
fn s15_one_of_two_wanted_tasks_is_not_all() {
    let mut lab = lab([service("app").mode(Mode::Replicated(2))]);
    let wanted = lab.wanted();
    (0..300).for_each(|_| lab.step());
    let mut snapshot = lab.snapshot();
    let of = |snapshot: &Snapshot| fold(Memory::default(), &wanted, snapshot, &Rules::default(), Stage::Install).1;
    assert_eq!(of(&snapshot), Progress::Converged);
    snapshot.tasks.truncate(1);
    assert!(matches!(of(&snapshot), Progress::Starting { .. }), "{:?}", of(&snapshot));
}

#[test]
fn s22_a_task_that_runs_and_is_not_healthy_is_not_good() {
    let mut lab = lab([service("app").healthcheck(1_000)]);
    let wanted = lab.wanted();
    (0..300).for_each(|_| lab.step());
    let mut snapshot = lab.snapshot();
    let of = |snapshot: &Snapshot| fold(Memory::default(), &wanted, snapshot, &Rules::default(), Stage::Install).1;
    assert_eq!(of(&snapshot), Progress::Converged);
    snapshot.containers.values_mut().for_each(|container| container.health = Some(Health::Starting));
    assert!(matches!(of(&snapshot), Progress::Starting { .. }), "{:?}", of(&snapshot));
}

#[test]
fn s11_a_removed_service_is_listed_and_not_waited_for() {
    let mut lab = lab([service("app"), service("cache").exits(100, 1)]);
    let mut wanted = lab.wanted();
    wanted.services.retain(|service| service.name == "app");
    let mut memory = Memory::default();
    for _ in 0..120 {
        lab.step();
        memory = fold(memory, &wanted, &lab.snapshot(), &Rules::default(), Stage::Install).0;
    }
    let (_, progress) = fold(memory, &wanted, &lab.snapshot(), &Rules::default(), Stage::Install);
    assert_eq!(progress, Progress::Converged);
    assert_eq!(not_wanted(&wanted, &lab.snapshot()), ["cache"]);
}

#[test]
fn s23_a_refused_image_is_a_question_for_the_registry() {
    let app = service("app").acts([Act::Rejected("No such image: registry.lab/app:2@sha256:0")]);
    let ended = lab([app]).ends();
    let finding = ended.is_red(Kind::ImageMissing, "app");
    assert_eq!(finding.sentence, "app cannot start: the image registry.lab/app:2 could not be pulled");
    assert_eq!(image_question(finding), Some("registry.lab/app:2@sha256:0"));
    assert!(ended.after <= 1_000);
}

#[test]
fn s24_out_of_memory_names_the_limit() {
    let app = service("app").acts([Act::OutOfMemory { after: 3_000 }]).memory_limit(64 << 20);
    let ended = lab([app, service("db")]).ends();
    let finding = ended.is_red(Kind::OutOfMemory, "app");
    assert_eq!(finding.sentence, "app was killed because it went over its memory limit of 64 MiB, 2 times");
    assert!(ended.after < 13_000, "{}", ended.after);
}

#[test]
fn s25_what_keeps_a_task_from_starting_is_told_within_five_seconds() {
    let with = |act: Act| service("app").acts([act]);
    let port = "no suitable node (host-mode port already in use on 1 node)";
    let mount = "invalid mount config for type \"bind\": bind source path does not exist: /srv/nothing";
    let global = service("app").mode(Mode::Global).constrained();
    let cases: [(Script, Kind, &str); 4] = [
        (
            with(Act::Pending("no suitable node (insufficient resources on 1 node)")),
            Kind::NoNode,
            "no node can run app: insufficient resources on 1 node",
        ),
        (
            with(Act::Pending(port)),
            Kind::PortInUse,
            "app publishes a port that is taken on the target: host-mode port already in use on 1 node",
        ),
        (
            with(Act::Rejected(mount)),
            Kind::BadMount,
            "app cannot start: the path /srv/nothing that it mounts does not exist on the target",
        ),
        (global, Kind::NoNode, "no node can run app"),
    ];
    for (script, kind, sentence) in cases {
        let ended = lab([script]).ends();
        assert_eq!(ended.is_red(kind, "app").sentence, sentence);
        assert!(ended.after <= 8_000, "{}", ended.after);
    }
}

#[test]
fn s25_another_refusal_is_counted_like_an_exit() {
    let ended = lab([service("app").acts([Act::Rejected("failed to set up container networking")])]).ends();
    let finding = ended.is_red(Kind::CrashLoop, "app");
    assert_eq!(finding.sentence, "Swarm refuses to start app every 6 s: “failed to set up container networking”");
}

#[test]
fn s27_a_slow_start_with_progress_is_neither_warned_of_nor_killed() {
    let app = service("app").up_after(240_000).healthcheck(300_000);
    let ended = lab([app]).ends();
    ended.is_green();
    assert_eq!(ended.warnings, Vec::<String>::new());
}

#[test]
fn s27_without_any_change_a_warning_comes_at_5_minutes_and_the_end_at_10() {
    let app = service("app").up_after(5_000_000).healthcheck(1_000);
    let ended = lab([app]).ends();
    let finding = ended.headline();
    assert_eq!(finding.kind, Kind::Stalled);
    assert!(
        finding.sentence.starts_with("nothing has changed for 10 min; app: its healthcheck has not passed yet, 10 min")
    );
    assert!((600_000..602_000).contains(&ended.after), "{}", ended.after);
    assert!(ended.warnings[0].starts_with("nothing has changed for 5 min; app: "), "{}", ended.warnings[0]);
    // Never before the start period and a minute.
    let app = service("app").up_after(5_000_000).healthcheck(13 * 60_000);
    assert!((840_000..842_000).contains(&lab([app]).ends().after));
}

#[test]
fn s27_progress_in_the_log_goes_on_until_the_deadline() {
    let mut lab = lab([service("app").up_after(5_000_000).healthcheck(1_000)]);
    let wanted = lab.wanted();
    let mut memory = Memory::default();
    let finding = loop {
        (0..50).for_each(|_| lab.step());
        let mut snapshot = lab.snapshot();
        let line = format!("migrated {} rows", lab.now);
        snapshot.containers.values_mut().for_each(|container| container.last_lines = vec![line.clone()]);
        let (next, progress) = fold(memory, &wanted, &snapshot, &Rules::default(), Stage::Install);
        memory = next;
        match progress {
            Progress::Starting { warning, .. } => assert_eq!(warning, None),
            Progress::Converged => panic!("converged"),
            Progress::Failed(findings) => break findings[0].clone(),
        }
    };
    assert_eq!((finding.kind, lab.now), (Kind::Deadline, 900_000));
    assert!(finding.sentence.starts_with("not everything runs after 15 min; app: "));
}

#[test]
fn s27_a_healthy_peers_log_and_the_same_line_again_are_no_progress() {
    let app = service("app").up_after(5_000_000).healthcheck(1_000);
    let mut lab = lab([app, service("db").up_after(1_000).healthcheck(1_000)]);
    let wanted = lab.wanted();
    let mut memory = Memory::default();
    let finding = loop {
        (0..50).for_each(|_| lab.step());
        let mut snapshot = lab.snapshot();
        for (id, container) in &mut snapshot.containers {
            let line = if id.contains("db") { format!("GET /health {}", lab.now) } else { "waiting for x".to_owned() };
            container.last_lines = vec![line; 20];
        }
        let (next, progress) = fold(memory, &wanted, &snapshot, &Rules::default(), Stage::Install);
        memory = next;
        match progress {
            Progress::Starting { .. } => {}
            Progress::Converged => panic!("converged"),
            Progress::Failed(findings) => break findings[0].clone(),
        }
    };
    assert_eq!(finding.kind, Kind::Stalled);
    assert!((600_000..640_000).contains(&lab.now), "{}", lab.now);
    let lines = finding.evidence.iter().find(|evidence| evidence.what == "last log lines of app").unwrap();
    assert!(lines.text.ends_with("waiting for x"), "{}", lines.text);
}

#[test]
fn s27_an_exit_and_a_new_line_reset_the_clock() {
    let acts = [Act::Exits { after: 400_000, code: 1 }, Act::Lives];
    let app = service("app").acts(acts).up_after(5_000_000).healthcheck(1_000);
    let ended = lab([app]).ends();
    assert_eq!(ended.headline().kind, Kind::Deadline, "{}", ended.headline().sentence);
    assert_eq!(ended.after, 900_000);
}

fn watched(lab: &mut Lab, mut memory: Memory, seconds: u64) -> Vec<Finding> {
    let wanted = lab.wanted();
    let mut findings = Vec::new();
    for _ in 0..seconds * 2 {
        (0..5).for_each(|_| lab.step());
        let (next, more) = watch(memory, &wanted, &lab.snapshot(), &Rules::default(), Stage::Keep);
        memory = next;
        findings.extend(more);
    }
    findings
}

#[test]
fn s35_an_exit_after_convergence_is_a_finding_of_that_stage() {
    let acts = [Act::Exits { after: 20_000, code: 9 }, Act::Lives];
    let mut lab = lab([service("app").acts(acts).says("killed")]);
    let ended = lab.ends();
    ended.is_green();
    let findings = watched(&mut lab, ended.memory, 60);
    assert_eq!(findings.len(), 1);
    assert_eq!(findings[0].sentence, "app exited with code 9 during keep: “killed”");
    assert_eq!((findings[0].stage, findings[0].service.as_deref()), (Stage::Keep, Some("app")));
}

#[test]
fn s35_memory_health_and_forgotten_restarts_are_findings_too() {
    let mut oom = lab([service("app").acts([Act::OutOfMemory { after: 20_000 }, Act::Lives])]);
    let ended = oom.ends();
    assert_eq!(watched(&mut oom, ended.memory, 30)[0].kind, Kind::OutOfMemory);

    let mut gone = lab([service("app").acts([Act::Exits { after: 20_000, code: 1 }, Act::Lives])]);
    let (wanted, ended) = (gone.wanted(), gone.ends());
    (0..300).for_each(|_| gone.step());
    let mut snapshot = gone.snapshot();
    snapshot.tasks.retain(|task| task.state == TaskState::Running);
    let (_, findings) = watch(ended.memory, &wanted, &snapshot, &Rules::default(), Stage::Keep);
    assert_eq!(findings[0].sentence, "app was restarted during keep");
}

#[test]
fn s35_a_one_shot_that_ends_well_later_is_no_finding() {
    let job = service("job").exits(15_000, 0).restart(RestartCondition::OnFailure, None);
    let mut lab = lab([job]);
    let ended = lab.ends();
    ended.is_green();
    assert_eq!(watched(&mut lab, ended.memory, 30), []);
}

#[test]
fn s15_what_swarm_shuts_down_itself_does_not_count() {
    let mut lab = lab([service("app").exits(1_000, 143)]);
    let wanted = lab.wanted();
    let mut memory = Memory::default();
    for _ in 0..1_000 {
        lab.step();
        let mut snapshot = lab.snapshot();
        for task in &mut snapshot.tasks {
            task.desired = TaskState::Shutdown;
        }
        let (next, progress) = fold(memory, &wanted, &snapshot, &Rules::default(), Stage::Install);
        memory = next;
        assert!(matches!(progress, Progress::Starting { .. }), "{progress:?}");
    }
}
