//! What becomes of requests.

use super::*;

fn asked(queue: &[Waiting], request: &Waiting) -> Admission {
    admit(queue, &[], request)
}

#[test]
fn the_same_request_is_merged_whether_the_run_waits_or_runs() {
    let first = waiting(1, "notes", 0);
    let again = Waiting { run: run_id(2), queued_at: at(60), ..first.clone() };
    assert_eq!(asked(std::slice::from_ref(&first), &again), Admission::MergedInto(run_id(1)));
    assert_eq!(admit(&[], &[running(&first, "swarm-a", 1)], &again), Admission::MergedInto(run_id(1)));
    let with_options = Waiting { subject: Subject { options: "extra".to_owned(), ..again.subject.clone() }, ..again };
    assert_eq!(admit(&[], &[running(&first, "swarm-a", 1)], &with_options), Admission::New);
}

#[test]
fn a_newer_request_supersedes_what_waits_of_its_pull_request_and_nothing_else() {
    let queue = [waiting(1, "notes", 0), waiting(2, "immich", 0)];
    let newer = waiting(3, "notes", 60);
    assert_eq!(asked(&queue, &newer), Admission::Supersedes(vec![run_id(1)]));
    assert_eq!(admit(&[], &[running(&queue[0], "swarm-a", 1)], &newer), Admission::New);
    let other = Waiting { subject: subject("notes", Some(2), 3), ..newer };
    assert_eq!(asked(&queue, &other), Admission::New);
}

#[test]
fn the_repetition_of_an_old_head_does_not_drive_out_what_was_asked_since() {
    let queue = [waiting(1, "notes", 60)];
    let old = Waiting { cause: Cause::Retry, ..waiting(2, "notes", 0) };
    assert_eq!(asked(&queue, &old), Admission::SupersededBy(run_id(1)));
}

#[test]
fn going_back_to_the_head_that_runs_supersedes_the_one_that_waits() {
    let (runs, waits) = (waiting(1, "notes", 0), waiting(2, "notes", 60));
    let back = Waiting { run: run_id(3), queued_at: at(120), ..runs.clone() };
    let admission = admit(&[waits], &[running(&runs, "swarm-a", 1)], &back);
    assert_eq!(admission, Admission::Supersedes(vec![run_id(2)]));
}

#[test]
fn without_a_pull_request_only_the_same_commit_meets() {
    let sweep = swept(waiting(1, "notes", 0));
    let queue = [sweep.clone()];
    let other = swept(waiting(2, "notes", 60));
    assert_eq!(asked(&queue, &other), Admission::New);
    let again = Waiting { run: run_id(3), queued_at: at(60), ..sweep.clone() };
    assert_eq!(asked(&queue, &again), Admission::MergedInto(run_id(1)));
    // Merged into the sweep, it would wait like one.
    let merged = Waiting { cause: Cause::PostMerge, ..again };
    assert_eq!(asked(&queue, &merged), Admission::Supersedes(vec![run_id(1)]));
    assert_eq!(asked(&[merged], &sweep), Admission::MergedInto(run_id(3)));
}
