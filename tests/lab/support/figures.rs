//! Figures that tests print, kept in one file for the reader of a whole run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Prints a figure and appends it to `target/lab-figures.tsv`.
pub(crate) fn figure(case: &str, what: &str, value: f64, unit: &str) {
    let line = format!("{case}\t{what}\t{value:.2}\t{unit}");
    println!("{line}");
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("lab-figures.tsv");
    writeln!(OpenOptions::new().create(true).append(true).open(path).unwrap(), "{line}").unwrap();
}
