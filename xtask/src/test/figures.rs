//! The figures that tests on the lab leave in a file, as a table.

use std::fs;
use std::path::{Path, PathBuf};

use anyhow::Result;

/// Where tests append them: `case`, what it is, value and unit, one figure a line.
pub(super) fn file(checkout: &Path) -> PathBuf {
    checkout.join("target/lab-figures.tsv")
}

/// Forgets those of an earlier run.
pub(super) fn forget(checkout: &Path) -> Result<()> {
    let file = file(checkout);
    if file.exists() {
        fs::remove_file(file)?;
    }
    Ok(())
}

/// The table, empty when no test left a figure.
pub(super) fn table(checkout: &Path) -> String {
    aligned(&fs::read_to_string(file(checkout)).unwrap_or_default())
}

fn aligned(text: &str) -> String {
    let mut rows: Vec<Vec<&str>> = text.lines().map(|line| line.split('\t').collect()).collect();
    rows.retain(|row| row.len() == 4);
    rows.sort_unstable();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max().unwrap_or(0);
    let (cases, whats, values) = (width(0), width(1), width(2));
    let row = |row: &Vec<&str>| format!("{:cases$}  {:whats$}  {:>values$} {}\n", row[0], row[1], row[2], row[3]);
    rows.iter().map(row).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn figures_are_sorted_and_aligned() {
        let told = aligned("s25 no node\tlate\t2.251\ts\nhalf a line\ns20 x\tfinding.at minus exit 3\t10.050\ts\n");
        let expected =
            "s20 x        finding.at minus exit 3  10.050 s\ns25 no node  late                      2.251 s\n";
        assert_eq!(told, expected);
    }

    #[test]
    fn no_file_is_no_table() {
        let folder = tempfile::tempdir().unwrap();
        forget(folder.path()).unwrap();
        assert_eq!(table(folder.path()), "");
    }
}
