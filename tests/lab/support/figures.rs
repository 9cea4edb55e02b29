//! Figures that a test shows, beside what it asserts.

use std::fs::OpenOptions;
use std::io::Write as _;
use std::path::Path;

/// How long after an exit the verdict was there.
pub(crate) struct Delay<'a> {
    pub(crate) case: &'a str,
    pub(crate) service: &'a str,
    /// Exits by then.
    pub(crate) exits: usize,
    /// `finding.at` minus Docker's own time of the deciding exit.
    pub(crate) seconds: f64,
}

impl Delay<'_> {
    /// Prints it although the test passes, and keeps it in `lab-figures.tsv` in the target folder.
    pub(crate) fn show(&self) {
        let Self { case, service, exits, seconds } = self;
        // Not by a macro: libtest keeps what those print to itself.
        let _shown = writeln!(
            std::io::stderr().lock(),
            "{case}: verdict {seconds:.3} s after the deciding exit (exit {exits} of {service})"
        );
        let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).parent().unwrap_or(Path::new("."));
        let file = OpenOptions::new().create(true).append(true).open(folder.join("lab-figures.tsv"));
        let line = format!("{}\t{case}\t{service}\t{exits}\t{seconds:.3}\n", jiff::Timestamp::now());
        file.and_then(|mut file| file.write_all(line.as_bytes()))
            .unwrap_or_else(|error| panic!("lab-figures.tsv in {}: {error}", folder.display()));
    }
}
