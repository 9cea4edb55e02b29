//! Numbers for Prometheus, in its text format.

use std::fmt::Write as _;

use axum::extract::State;
use axum::http::header;
use axum::response::{IntoResponse, Response};
use jiff::Timestamp;

use super::Here;
use super::error::Failed;
use crate::adapters::store::{KnownTarget, Numbers, Switches};
use crate::domain::queue::TargetState;
use crate::domain::results::ms_between;

pub(super) async fn metrics(State(site): Here) -> Result<Response, Failed> {
    let store = site.service.store();
    let now = Timestamp::now();
    let mut text = numbers(&store.numbers().await?);
    text.push_str(&targets(&store.targets().await?, now));
    text.push_str(&switches(&store.switches().await?));
    if let Some(at) = site.service.heard().polled_at {
        gauge(&mut text, "cc_ci_poll_age_seconds", "Since the forge last answered a poll.", "", &seconds(at, now));
    }
    Ok(([(header::CONTENT_TYPE, "text/plain; version=0.0.4; charset=utf-8")], text).into_response())
}

fn numbers(numbers: &Numbers) -> String {
    let mut text = String::new();
    head(&mut text, "cc_ci_runs_total", "Ended runs.", "counter");
    for ended in &numbers.ended {
        line(&mut text, "cc_ci_runs_total", &format!("verdict=\"{}\"", ended.verdict), &ended.runs.to_string());
    }
    head(&mut text, "cc_ci_run_seconds", "How long ended runs took.", "summary");
    for ended in &numbers.ended {
        let label = format!("verdict=\"{}\"", ended.verdict);
        line(&mut text, "cc_ci_run_seconds_sum", &label, &thousandths(ended.took_ms.unsigned_abs()));
        line(&mut text, "cc_ci_run_seconds_count", &label, &ended.runs.to_string());
    }
    let gauges = [
        ("cc_ci_runs_running", "Runs that run.", numbers.running),
        ("cc_ci_queue_length", "Runs that wait.", numbers.waiting),
        ("cc_ci_outbox_due", "Answers that the forge does not show yet.", numbers.outbox_due),
        ("cc_ci_outbox_given_up", "Answers that were given up.", numbers.outbox_given_up),
    ];
    for (name, about, value) in gauges {
        gauge(&mut text, name, about, "", &value.to_string());
    }
    text
}

fn targets(rows: &[KnownTarget], now: Timestamp) -> String {
    let mut text = String::new();
    head(&mut text, "cc_ci_target_state", "1 for the state that a target is in.", "gauge");
    for row in rows {
        // Each state is a series of its own, so that a query can count them.
        for state in TargetState::ALL {
            let label = format!("target=\"{}\",state=\"{}\"", row.name, state.name());
            line(&mut text, "cc_ci_target_state", &label, if row.state == state { "1" } else { "0" });
        }
    }
    head(&mut text, "cc_ci_target_heard_age_seconds", "Since a target's engine last answered.", "gauge");
    for (row, at) in rows.iter().filter_map(|row| Some((row, row.heard_at?))) {
        line(&mut text, "cc_ci_target_heard_age_seconds", &format!("target=\"{}\"", row.name), &seconds(at, now));
    }
    text
}

fn switches(switches: &Switches) -> String {
    let mut text = String::new();
    let held = u8::from(switches.held().is_some());
    gauge(&mut text, "cc_ci_paused", "1 while nothing is started.", "", &held.to_string());
    text
}

fn gauge(text: &mut String, name: &str, about: &str, labels: &str, value: &str) {
    head(text, name, about, "gauge");
    line(text, name, labels, value);
}

fn head(text: &mut String, name: &str, about: &str, kind: &str) {
    let _infallible = write!(text, "# HELP {name} {about}\n# TYPE {name} {kind}\n");
}

fn line(text: &mut String, name: &str, labels: &str, value: &str) {
    let labels = if labels.is_empty() { String::new() } else { format!("{{{labels}}}") };
    let _infallible = writeln!(text, "{name}{labels} {value}");
}

fn seconds(at: Timestamp, now: Timestamp) -> String {
    thousandths(ms_between(at, now))
}

fn thousandths(ms: u64) -> String {
    format!("{}.{:03}", ms / 1000, ms % 1000)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::adapters::store::Ended;

    #[test]
    fn numbers_are_what_prometheus_reads() {
        let now = Timestamp::UNIX_EPOCH + std::time::Duration::from_secs(100);
        let mut text = numbers(&Numbers {
            ended: vec![Ended { verdict: "green".into(), runs: 12, took_ms: 345_678 }],
            running: 1,
            waiting: 3,
            outbox_due: 2,
            outbox_given_up: 0,
        });
        let row = KnownTarget {
            name: crate::domain::ids::TargetName::parse("swarm-a").unwrap(),
            state: TargetState::Clean,
            reason: String::new(),
            heard_at: Some(Timestamp::UNIX_EPOCH),
            changed_at: Timestamp::UNIX_EPOCH,
        };
        text.push_str(&targets(&[row], now));
        text.push_str(&switches(&Switches::default()));
        insta::assert_snapshot!(text);
    }
}
