//! Figures that tests print, kept in one file for the reader of a whole run.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// Prints a figure although the test passes, and appends it to `lab-figures.tsv` in the target folder.
pub(crate) fn figure(case: &str, what: &str, value: f64, unit: &str) {
    // Not by a macro: libtest keeps what those print to itself.
    writeln!(std::io::stderr().lock(), "{case}: {what}: {value:.3} {unit}").unwrap();
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("lab-figures.tsv");
    let mut file = OpenOptions::new().create(true).append(true).open(path).unwrap();
    writeln!(file, "{case}\t{what}\t{value:.3}\t{unit}").unwrap();
}
