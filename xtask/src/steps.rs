//! Steps with their seconds, printed as they end. Standard error, since standard output is data.

use std::time::Instant;

use anyhow::{Context, Result};

/// Runs a step, prints its seconds, and puts its name into its error.
pub(crate) fn timed<T>(label: &str, step: impl FnOnce() -> Result<T>) -> Result<T> {
    let start = Instant::now();
    let outcome = step().with_context(|| label.to_owned())?;
    eprintln!("{:8.1} s  {label}", start.elapsed().as_secs_f64());
    Ok(outcome)
}

/// A sentence for the person who waits.
pub(crate) fn say(sentence: impl AsRef<str>) {
    eprintln!("{:11}{}", "", sentence.as_ref());
}
