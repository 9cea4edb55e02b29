//! Live progress: the gate's own lines as they are written, and on a terminal one line that moves while nothing is said.

use std::io::IsTerminal as _;
use std::time::{Duration, Instant};

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use tokio::sync::mpsc::UnboundedReceiver;

use crate::domain::log::{Record, Source};
use crate::domain::results::one_line;

/// A log line shown live is cut to this many characters.
const WIDEST: usize = 160;

/// Shows records until the run is over.
pub(super) async fn show(mut records: UnboundedReceiver<Record>, everything: bool) {
    let begun = Instant::now();
    let bar = bar();
    while let Some(record) = records.recv().await {
        match &record.source {
            Source::Gate => line(&bar, begun, "", &record.text),
            Source::Step(_) | Source::Service { .. } if everything => {
                line(&bar, begun, &format!("{} | ", record.source), &record.text);
            }
            Source::Step(_) | Source::Service { .. } => {
                bar.set_message(format!("{} | {}", record.source, one_line(&plain(&record.text), 60)));
            }
        }
    }
    bar.finish_and_clear();
}

fn bar() -> ProgressBar {
    let target =
        if std::io::stderr().is_terminal() { ProgressDrawTarget::stderr() } else { ProgressDrawTarget::hidden() };
    let bar = ProgressBar::with_draw_target(None, target);
    if let Ok(style) = ProgressStyle::with_template("{spinner} {elapsed} {wide_msg}") {
        bar.set_style(style);
    }
    bar.enable_steady_tick(Duration::from_millis(250));
    bar
}

#[expect(clippy::print_stderr, reason = "progress is for the person at the terminal")]
fn line(bar: &ProgressBar, begun: Instant, before: &str, text: &str) {
    let text = format!("{:>6.1} s  {before}{}", begun.elapsed().as_secs_f64(), one_line(&plain(text), WIDEST));
    if bar.is_hidden() { eprintln!("{text}") } else { bar.println(text) }
}

/// Without escape sequences: what an app logs must not move the cursor of whoever looks.
fn plain(text: &str) -> String {
    strip_ansi_escapes::strip_str(text)
}
