//! Counting what passed and failed.

use std::fmt;
use std::ops::AddAssign;

/// How many checks passed and failed.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(crate) struct Tally {
    /// Those that passed.
    pub(crate) passed: u32,
    /// Those that failed.
    pub(crate) failed: u32,
}

impl Tally {
    /// One check.
    pub(crate) const fn one(passed: bool) -> Self {
        Self { passed: passed as u32, failed: !passed as u32 }
    }

    /// The sum over the test programs in cargo's output. A part that failed with no failed test, for example because it does not
    /// compile, counts as one failure, and so does each ignored test: there are none here.
    pub(crate) fn of_tests(output: &str, success: bool) -> Self {
        let mut tally = Self::default();
        for line in output.lines().filter_map(|line| line.strip_prefix("test result: ")) {
            tally.passed += count(line, "passed");
            tally.failed += count(line, "failed") + count(line, "ignored");
        }
        if (!success && tally.failed == 0) || tally == Self::default() {
            tally.failed += 1;
        }
        tally
    }
}

impl AddAssign for Tally {
    fn add_assign(&mut self, other: Self) {
        self.passed += other.passed;
        self.failed += other.failed;
    }
}

impl fmt::Display for Tally {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} passed, {} failed", self.passed, self.failed)
    }
}

/// The number before a word in `ok. 3 passed; 0 failed; 0 ignored; …`.
fn count(line: &str, word: &str) -> u32 {
    let mut words = line.split([' ', ';']).filter(|word| !word.is_empty());
    let mut before = "";
    for found in words.by_ref() {
        if found == word {
            return before.parse().unwrap_or(0);
        }
        before = found;
    }
    0
}

#[cfg(test)]
mod tests {
    use super::*;

    const TWO: &str = "\
running 2 tests
test result: ok. 22 passed; 0 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.11s
  test result: ok. 100 passed; 0 failed
test result: FAILED. 1 passed; 2 failed; 0 ignored; 0 measured; 0 filtered out; finished in 0.11s
";

    #[test]
    fn all_test_programs_are_summed() {
        assert_eq!(Tally::of_tests(TWO, false), Tally { passed: 23, failed: 2 });
    }

    #[test]
    fn what_does_not_compile_is_a_failure() {
        assert_eq!(Tally::of_tests("error: could not compile", false), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn no_tests_at_all_is_a_failure() {
        assert_eq!(Tally::of_tests("", true), Tally { passed: 0, failed: 1 });
    }

    #[test]
    fn an_ignored_test_is_a_failure() {
        let ignored = "test result: ok. 1 passed; 0 failed; 1 ignored; 0 measured";
        assert_eq!(Tally::of_tests(ignored, true), Tally { passed: 1, failed: 1 });
    }

    #[test]
    fn the_last_line_is_two_numbers() {
        assert_eq!(Tally { passed: 3, failed: 0 }.to_string(), "3 passed, 0 failed");
    }
}
