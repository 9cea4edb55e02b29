//! `kill -9` in each stage, then `--resume`: one verdict, the same runner container, no log line lost or doubled.

use std::collections::{BTreeMap, BTreeSet};

use cc_ci::domain::log::{Record, Source};

use crate::support::{Finished, Lab, lab};

/// Log lines after which the process is killed, stage by stage; the bool says whether a runner exists by then.
const MOMENTS: [(&str, bool); 12] = [
    ("answers on", false),         // prepare
    ("before this run", false),    // prepare
    ("runner container", true),    // prepare
    ("lint:", true),               // lint
    ("made secret", true),         // install: secrets
    ("docker stack deploy", true), // install: the deploy call
    ("Creating service", true),    // install: the deploy call
    ("web 1.0.0 starting", true),  // install: converge
    ("converged:", true),          // install: floor
    ("stays up until", true),      // keep
    ("its time is over", true),    // teardown
    ("removed stack", true),       // teardown
];

#[test]
fn killed_in_each_stage_a_run_goes_on_to_its_one_verdict() {
    let lab = lab();
    for (moment, has_runner) in MOMENTS {
        let (id, runner) = killed_at(&lab, moment);
        let mut resumed = lab.resume(&id);
        let truth = if moment == "its time is over" || moment == "removed stack" {
            BTreeMap::new()
        } else {
            containers(&lab, &id, &mut resumed)
        };
        let finished = resumed.finish();
        finished.assert(0, "green");
        if has_runner && !runner.is_empty() {
            assert_eq!(runners(&finished), BTreeSet::from([runner[..12].to_owned()]), "after {moment}");
        }
        assert_no_line_doubled(&finished.log, moment);
        truth.iter().for_each(|(container, lines)| assert_no_line_lost(&finished.log, container, lines, moment));
        let verdicts = finished
            .log
            .iter()
            .filter(|record| record.source == Source::Gate && record.text.starts_with("green:"))
            .count();
        assert_eq!(verdicts, 1, "after {moment}");
        assert!(lab.resume(&id).finish().stderr.contains("has its verdict already"));
        lab.assert_untouched();
    }
}

/// Kills a run right after it logged this; the id of the run and of its runner container, if it had one by then. Near its end
/// a run may be faster than the test: then another one is killed.
fn killed_at(lab: &Lab, moment: &str) -> (String, String) {
    for _ in 0..5 {
        let mut run = lab.run("notes", &["--keep", "2s"]);
        run.wait_for(moment);
        let (id, killed) = (run.id(), run.kill());
        if killed {
            return (
                id.clone(),
                lab.docker(&["ps", "-aq", "--no-trunc", "--filter", &format!("label=cc-ci.run={id}")]),
            );
        }
    }
    panic!("five runs ended before they could be killed at `{moment}`");
}

/// What Docker itself holds of the app's containers while it is kept up.
fn containers(lab: &Lab, run: &str, resumed: &mut crate::support::Running) -> BTreeMap<String, Vec<String>> {
    resumed.wait_for("stays up until");
    let stack = format!("label=com.docker.stack.namespace=cc{}_ci_lab_test", &run[..4]);
    let ids = lab.docker(&["ps", "-aq", "--filter", &stack]);
    ids.lines().map(|id| (id.to_owned(), lab.logs(id))).collect()
}

/// The runner containers that the log names.
fn runners(finished: &Finished) -> BTreeSet<String> {
    let named = finished.log.iter().filter_map(|record| record.text.strip_prefix("runner container "));
    named.filter_map(|rest| rest.split(' ').next()).map(str::to_owned).collect()
}

fn assert_no_line_doubled(log: &[Record], moment: &str) {
    let mut seen = BTreeSet::new();
    for record in log.iter().filter(|record| record.position.is_some()) {
        assert!(seen.insert((record.source.to_string(), record.position)), "after {moment}: doubled {record:?}");
    }
}

fn assert_no_line_lost(log: &[Record], container: &str, lines: &[String], moment: &str) {
    let mine = |record: &&Record| matches!(&record.source, Source::Service { container: id, .. } if id == container);
    let mut logged: Vec<(u64, &str)> =
        log.iter().filter(mine).map(|record| (record.position.unwrap_or(0), record.text.as_str())).collect();
    logged.sort_by_key(|(position, _)| *position);
    let logged: Vec<&str> = logged.into_iter().map(|(_, text)| text).collect();
    let told: Vec<&str> = lines.iter().map(|line| line.split_once(' ').map_or("", |(_, text)| text)).collect();
    assert_eq!(logged.get(..told.len()), Some(told.as_slice()), "after {moment}: container {container}");
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
