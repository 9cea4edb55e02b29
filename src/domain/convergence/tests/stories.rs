//! Services that exit: when it is a crash loop, and when it is not.

use std::time::Duration;

use super::script::{Act, service};
use super::swarm::lab;
use crate::domain::convergence::Rules;
use crate::domain::finding::FindingKind::{CrashLoop, Deadline, ExitsAtOnce, KilledByHealthcheck};
use crate::domain::swarm::{Mode, RestartCondition};

#[test]
fn s20_crash_loop_is_told_within_two_seconds_of_its_third_exit() {
    let app = service("app").exits(500, 1).says("\u{1b}[31mFATAL: no config\u{1b}[0m\u{7}");
    let ended = lab([app]).ends();
    let finding = ended.is_red(CrashLoop, "app");
    assert_eq!(finding.sentence, "app exits with code 1 every 6 s: “FATAL: no config”");
    assert!(ended.after - ended.decided_by() <= 1_000);
    assert!(ended.after < 15_000, "{}", ended.after);
}

#[test]
fn s20_crash_loop_beside_a_healthy_database_needs_no_long_wait() {
    let db = service("db").up_after(2_000).healthcheck(10_000);
    let ended = lab([db, service("app").exits(500, 3)]).ends();
    ended.is_red(CrashLoop, "app");
    assert!(ended.after < 15_000, "{}", ended.after);
}

#[test]
fn s20_crash_loop_beside_a_service_without_healthcheck_waits_until_that_has_settled() {
    let ended = lab([service("db"), service("app").exits(500, 3)]).ends();
    ended.is_red(CrashLoop, "app");
    assert!((90_000..105_000).contains(&ended.after), "{}", ended.after);
    // Where a green run is known to have needed one exit, half of that is enough.
    let rules = Rules { known_exits: [("app".to_owned(), 1)].into(), ..Rules::default() };
    let ended = lab([service("db"), service("app").exits(500, 3)]).play(500, 1200, &rules);
    ended.is_red(CrashLoop, "app");
    assert!((45_000..60_000).contains(&ended.after), "{}", ended.after);
}

#[test]
fn s20_crash_loop_of_two_together_names_the_one_that_the_other_depends_on() {
    let app = || service("app").exits(300, 1).says("waiting");
    let db = || service("db").exits(1_500, 2).says("disk full");
    let ended = lab([app().depends_on("db"), db()]).ends();
    assert_eq!(ended.is_red(CrashLoop, "db").sentence, "db exits with code 2 every 7 s: “disk full”");
    assert!(ended.after < 20_000, "{}", ended.after);
    let others = ended.headline().evidence.iter().find(|evidence| evidence.what == "other services that exit").unwrap();
    assert_eq!(others.text, "app: 3 exits");
    // Without such a word, the one that exited first.
    let ended = lab([app(), db()]).ends();
    ended.is_red(CrashLoop, "app");
    // It is told when the other one has exited three times too, and that exit is the deciding one.
    assert!(ended.after - ended.decided_by() <= 2_000, "{} {}", ended.after, ended.decided_by());
    // Or the one that the other's last lines name.
    lab([app().says("cannot connect to tasks.db:5432"), db()]).ends().is_red(CrashLoop, "db");
}

#[test]
fn s20_crash_loop_is_told_after_the_window_whatever_the_peers_do() {
    let slow = || service("slow").up_after(900_000).healthcheck(900_000);
    let ended = lab([slow(), service("app").exits(700, 1)]).ends();
    ended.is_red(CrashLoop, "app");
    assert!((181_000..189_000).contains(&ended.after), "{}", ended.after);
    // The recipe's timeout label, if longer.
    let mut patient = lab([slow(), service("app").exits(700, 1)]);
    patient.timeout = Some(Duration::from_secs(400));
    let ended = patient.ends();
    ended.is_red(CrashLoop, "app");
    assert!((401_000..409_000).contains(&ended.after), "{}", ended.after);
}

#[test]
fn s20_without_fail_fast_a_crash_loop_lasts_until_the_deadline() {
    let app = || service("app").exits(500, 1).says("FATAL: no config");
    let (patient, asked) =
        (Rules::only_deadline(Duration::from_secs(120)), Rules::only_deadline(Duration::from_mins(20)));
    for (rules, seconds) in [(patient, 120), (asked, 1200)] {
        let ended = lab([app()]).play(500, 1300, &rules);
        assert_eq!(ended.headline().kind, Deadline);
        assert!((seconds * 1_000..seconds * 1_000 + 1_000).contains(&ended.after), "{}", ended.after);
    }
    // What comes up is green as soon as ever.
    let up = || lab([service("db").up_after(20_000).healthcheck(60_000), service("app").needs("db", 800)]);
    let ended = up().play(500, 1200, &Rules::only_deadline(Duration::from_secs(120)));
    ended.is_green();
    assert_eq!(ended.after, up().ends().after);
}

#[test]
fn s20_crash_loop_counts_from_what_a_green_run_needed() {
    let rules = Rules { known_exits: [("app".to_owned(), 4)].into(), ..Rules::default() };
    let ended = lab([service("app").exits(500, 1)]).play(500, 1200, &rules);
    ended.is_red(CrashLoop, "app");
    // Eighth exit: 1 s + 7 × 6 s.
    assert!((43_000..44_500).contains(&ended.after), "{}", ended.after);
}

#[test]
fn s20_crash_loop_with_restart_forbidden_or_used_up_is_told_at_once() {
    let never = service("app").exits(1_000, 1).restart(RestartCondition::None, None);
    let ended = lab([never, service("db")]).ends();
    assert_eq!(ended.is_red(CrashLoop, "app").sentence, "app exited with code 1 and is not started again");
    assert!(ended.after < 2_500, "{}", ended.after);
    let twice = service("app").exits(1_000, 1).restart(RestartCondition::OnFailure, Some(1));
    let ended = lab([twice, service("db")]).ends();
    assert!(ended.is_red(CrashLoop, "app").sentence.contains("2 times and is not started again"));
    assert!(ended.after < 9_000, "{}", ended.after);
}

#[test]
fn s21_exits_until_the_database_is_healthy_after_40_s_is_green() {
    let db = service("db").up_after(40_000).healthcheck(60_000);
    let mut lab = lab([db, service("app").needs("db", 800)]);
    let ended = lab.ends();
    ended.is_green();
    assert!(ended.after < 70_000, "{}", ended.after);
    assert_eq!(ended.memory.exits_needed(&lab.wanted())["app"], 7);
    assert_eq!(ended.memory.warnings(&lab.wanted()), Vec::<String>::new());
}

#[test]
fn s21_exits_until_the_database_without_healthcheck_is_up_after_40_s_is_green() {
    lab([service("db").up_after(40_000), service("app").needs("db", 800)]).ends().is_green();
}

#[test]
fn s21_a_chain_that_comes_up_one_after_the_other_is_green() {
    // web waits for api, api for db; api has exited often when db is up, and must not count as a peer that loops.
    let db = service("db").up_after(40_000).healthcheck(60_000);
    let api = service("api").needs("db", 800).up_after(7_000);
    lab([db, api, service("web").needs("api", 2_500)]).ends().is_green();
}

#[test]
fn s21_an_app_that_fails_although_its_database_is_healthy_is_red() {
    let db = service("db").up_after(20_000).healthcheck(60_000);
    let ended = lab([db, service("app").exits(800, 1)]).ends();
    ended.is_red(CrashLoop, "app");
    assert!((20_000..34_000).contains(&ended.after), "{}", ended.after);
}

#[test]
fn s34_lives_of_three_good_samples_never_pass() {
    for life in [1_000, 2_000, 4_000, 9_900] {
        lab([service("app").exits(life, 1)]).ends().is_red(CrashLoop, "app");
    }
    // Not even when later lives would be long enough for a first one: they do not outlive twice the first.
    let acts = [Act::Exits { after: 9_000, code: 1 }, Act::Exits { after: 17_000, code: 1 }];
    lab([service("app").acts(acts)]).ends().is_red(CrashLoop, "app");
}

#[test]
fn s15_exit_0_for_ever_is_not_a_crash_but_exits_at_once() {
    let ended = lab([service("app").exits(200, 0)]).ends();
    assert_eq!(ended.is_red(ExitsAtOnce, "app").sentence, "app exits with code 0 every 6 s");
}

#[test]
fn s15_one_shots_converge_when_they_have_ended_with_0() {
    let once = || service("migrate").exits(3_000, 0);
    lab([once().restart(RestartCondition::None, None)]).ends().is_green();
    lab([once().restart(RestartCondition::OnFailure, None)]).ends().is_green();
    lab([once().mode(Mode::Job(2)).restart(RestartCondition::None, None)]).ends().is_green();
    let second_try = [Act::Exits { after: 500, code: 1 }, Act::Exits { after: 500, code: 0 }];
    let ended = lab([service("migrate").acts(second_try).restart(RestartCondition::OnFailure, None)]).ends();
    assert!(ended.is_green().after > 5_000);
}

#[test]
fn s15_replicas_global_and_scale_0_converge() {
    let two = service("two").mode(Mode::Replicated(2));
    let none = service("none").mode(Mode::Replicated(0));
    let everywhere = service("agent").mode(Mode::Global);
    let ended = lab([two, none, everywhere]).on_nodes(3).ends();
    assert!((10_000..12_000).contains(&ended.is_green().after));
}

#[test]
fn s22_killed_by_its_healthcheck_twice_is_not_a_crash_loop() {
    let db = service("db").acts([Act::Unhealthy { after: 31_000 }]).healthcheck(10_000).says("InnoDB: initialising");
    let ended = lab([db, service("app").needs("db", 800)]).ends();
    let finding = ended.is_red(KilledByHealthcheck, "db");
    let expected = "db was killed twice by its own healthcheck while starting: not healthy after 31 s, with a start_period of 10 s";
    assert_eq!(finding.sentence, expected);
    let evidence = |what: &str| finding.evidence.iter().find(|evidence| evidence.what == what).unwrap().text.clone();
    assert_eq!(evidence("observed start time"), "not healthy 31 s after its start, when it was killed");
    assert_eq!(evidence("declared start_period"), "10 s");
    assert_eq!(evidence("last log lines of db"), "starting\nInnoDB: initialising");
}

#[test]
fn s22_killed_once_and_then_healthy_is_a_warning() {
    let db = service("db").acts([Act::Unhealthy { after: 20_000 }, Act::Lives]).healthcheck(10_000).up_after(5_000);
    let mut lab = lab([db]);
    let ended = lab.ends();
    ended.is_green();
    let warnings = ended.memory.warnings(&lab.wanted());
    let expected = "db was killed once by its own healthcheck while starting (not healthy after 20 s, with a start_period of 10 s)";
    assert_eq!(warnings, [expected]);
}

/// As PostgreSQL does: what its first start leaves half made, its second takes for whole.
#[test]
fn s22_killed_in_its_first_start_and_useless_ever_since_is_the_cause_of_what_needs_it() {
    let db = || service("db").acts([Act::Unhealthy { after: 17_000 }, Act::Lives]).healthcheck(4_000).up_after(1_000);
    let waits = || service("app").acts([Act::Unhealthy { after: 37_000 }]).healthcheck(30_000).up_after(600_000);
    let ended = lab([db(), waits().depends_on("db")]).ends();
    let expected = "db was killed by its own healthcheck in its first start (not healthy after 17 s, with a start_period of 4 s), and app, which needs it, does not come up";
    assert_eq!(ended.is_red(KilledByHealthcheck, "db").sentence, expected);
    let named = waits().says("database: no database in db");
    assert_eq!(lab([db(), named]).ends().is_red(KilledByHealthcheck, "db").sentence, expected);
    // It has nothing to do with it.
    lab([db(), waits()]).ends().is_red(KilledByHealthcheck, "app");
    let loops = service("app").exits(2_000, 1).depends_on("db");
    lab([db(), loops]).ends().is_red(KilledByHealthcheck, "db");
}

#[test]
fn s22_killed_in_its_first_start_and_broken_ever_since_names_the_kill() {
    let acts = [Act::Unhealthy { after: 60_000 }, Act::Exits { after: 400, code: 2 }];
    let ended =
        lab([service("db").acts(acts).healthcheck(30_000).up_after(90_000).says("tablespace is corrupt")]).ends();
    let finding = ended.is_red(KilledByHealthcheck, "db");
    assert!(
        finding.sentence.ends_with("and exits with code 2 ever since: “tablespace is corrupt”"),
        "{}",
        finding.sentence
    );
}

#[test]
fn s22_a_crash_loop_with_a_healthcheck_is_a_crash_loop() {
    // Docker calls its ended containers unhealthy.
    lab([service("db").exits(2_000, 1).healthcheck(10_000).up_after(5_000)]).ends().is_red(CrashLoop, "db");
}
