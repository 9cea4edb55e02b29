//! `kill -9` in each stage, then `--resume`: one verdict, the same runner container, no log line lost or doubled.

use std::collections::{BTreeMap, BTreeSet};

use cc_ci::domain::log::{Record, Source};

use crate::support::{Finished, Lab, lab};

/// Log lines after which the process is killed, each in the process that took up the run from the one before: between them, the two
/// runs are killed in prepare, lint, each part of the install, keep and teardown. (`ladder.rs` kills in the later stages.)
const MOMENTS: [&[&str]; 2] = [
    &["answers on", "runner container", "made secret", "Creating service", "converged:", "its time is over"],
    &["before this run", "lint:", "docker stack deploy", "web 1.0.0 starting", "stays up until", "removed stack"],
];
/// Here the app is up, and what Docker has of it is kept.
const UP: &str = "stays up until";

#[test]
fn killed_in_each_stage_a_run_goes_on_to_its_one_verdict() {
    let lab = lab();
    for moments in MOMENTS {
        let killed = (0..5).find_map(|_| killed_at(&lab, moments));
        let Killed { id, truth, runners: there, runner_had_gone, finished } =
            killed.expect("five runs ended before they could be killed");
        finished.assert(0, "green");
        assert_eq!(there.len(), 1, "one runner container: {there:?}");
        // One that was killed behind the end of its runner makes another, to see that nothing is left.
        if !runner_had_gone {
            assert_eq!(runners(&finished), there.iter().map(|id| id[..12].to_owned()).collect());
        }
        assert_no_line_doubled(&finished.log);
        assert!(!truth.is_empty());
        truth.iter().for_each(|(container, lines)| assert_no_line_lost(&finished.log, container, lines));
        let of_gate = |record: &&Record| record.source == Source::Gate;
        let said =
            |text: &str| finished.log.iter().filter(of_gate).filter(|record| record.text.starts_with(text)).count();
        assert_eq!(said("green:"), 1, "one verdict");
        assert_eq!(said(&format!("run {id} goes on in a new process")), moments.len());
        assert!(lab.resume(&id).finish().stderr.contains("has its verdict already"));
        lab.assert_untouched();
    }
}

/// A run that was killed again and again.
struct Killed {
    id: String,
    /// What Docker itself had of the app's containers while it was kept up.
    truth: BTreeMap<String, Vec<String>>,
    /// The runner containers that were there.
    runners: BTreeSet<String>,
    /// Whether there was none any more when it was killed for the last time.
    runner_had_gone: bool,
    finished: Finished,
}

/// Kills a run right after it logged each of these. Near its end a run may be faster than the test: nothing then.
fn killed_at(lab: &Lab, moments: &[&str]) -> Option<Killed> {
    let mut run = lab.run("notes", &["--keep", "8s", "--only", "install"]);
    let (id, mut truth, mut runners) = (run.id(), BTreeMap::new(), BTreeSet::new());
    let mut runner_had_gone = false;
    for moment in moments {
        if *moment == "its time is over" {
            truth = containers(lab, &id, &mut run);
        }
        run.wait_for(moment);
        if *moment == UP {
            truth = containers(lab, &id, &mut run);
        }
        if !run.kill() {
            lab.resume(&id).finish();
            return None;
        }
        let found = lab.docker(&["ps", "-aq", "--no-trunc", "--filter", &format!("label=cc-ci.run={id}")]);
        runner_had_gone = found.is_empty();
        runners.extend(found.lines().map(str::to_owned));
        run = lab.resume(&id);
    }
    Some(Killed { id, truth, runners, runner_had_gone, finished: run.finish() })
}

/// What Docker itself holds of the app's containers while it is kept up.
fn containers(lab: &Lab, run: &str, resumed: &mut crate::support::Running) -> BTreeMap<String, Vec<String>> {
    resumed.wait_for(UP);
    let stack = format!("label=com.docker.stack.namespace=cc{}_ci_lab_test", &run[..4]);
    let ids = lab.docker(&["ps", "-aq", "--filter", &stack]);
    ids.lines().map(|id| (id.to_owned(), lab.logs(id))).collect()
}

/// The runner containers that the log names.
fn runners(finished: &Finished) -> BTreeSet<String> {
    let named = finished.log.iter().filter_map(|record| record.text.strip_prefix("runner container "));
    named.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
}

fn assert_no_line_doubled(log: &[Record]) {
    let mut seen = BTreeSet::new();
    for record in log.iter().filter(|record| record.position.is_some()) {
        assert!(seen.insert((record.source.to_string(), record.position)), "doubled {record:?}");
    }
}

fn assert_no_line_lost(log: &[Record], container: &str, lines: &[String]) {
    let mine = |record: &&Record| matches!(&record.source, Source::Service { container: id, .. } if id == container);
    let mut logged: Vec<(u64, &str)> =
        log.iter().filter(mine).map(|record| (record.position.unwrap_or(0), record.text.as_str())).collect();
    logged.sort_by_key(|(position, _)| *position);
    let logged: Vec<&str> = logged.into_iter().map(|(_, text)| text).collect();
    let told: Vec<&str> = lines.iter().map(|line| line.split_once(' ').map_or("", |(_, text)| text)).collect();
    assert_eq!(logged.get(..told.len()), Some(told.as_slice()), "container {container}");
}

#[test]
fn a_run_that_is_alive_is_not_resumed() {
    let lab = lab();
    let mut run = lab.run("good", &["--keep", "10m"]);
    run.wait_for("stays up until");
    let refused = lab.resume(&run.id()).finish();
    assert_eq!(refused.code, Some(2), "{}", refused.stderr);
    assert!(refused.stderr.contains("is going on in another process"), "{}", refused.stderr);
    run.interrupt();
    run.finish().assert(0, "green");
    lab.assert_untouched();
}
