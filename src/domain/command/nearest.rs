//! Did you mean …: the flag or word that a wrong one probably stands for.

use super::words::{Flag, Word};

/// A longer word stands for none of ours.
const LONGEST: usize = 24;

/// The nearest flag or word, when it is near: at most two letters wrong, missing, too many or swapped (a long dash, as
/// phones write it, counts two).
pub(super) fn nearest(given: &str) -> Option<&'static str> {
    let given: Vec<char> = given.to_lowercase().chars().take(LONGEST + 1).collect();
    let names = Flag::ALL.iter().map(|flag| flag.name()).chain(Word::ALL.iter().map(|word| word.name()));
    let far = |name: &'static str| (distance(&given, &name.chars().collect::<Vec<_>>()), name);
    let (far, name) = names.map(far).min_by_key(|(far, _)| *far)?;
    (far <= 2 && far < name.len() / 2 + 1 && given.len() <= LONGEST).then_some(name)
}

/// Optimal string alignment: Levenshtein's distance in which two swapped neighbours count once.
fn distance(a: &[char], b: &[char]) -> usize {
    let mut rows = vec![(0..=b.len()).collect::<Vec<_>>()];
    for i in 1..=a.len() {
        let mut row = vec![i; b.len() + 1];
        for j in 1..=b.len() {
            let replaced = rows[i - 1][j - 1] + usize::from(a[i - 1] != b[j - 1]);
            row[j] = replaced.min(rows[i - 1][j] + 1).min(row[j - 1] + 1);
            if i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1] {
                row[j] = row[j].min(rows[i - 2][j - 2] + 1);
            }
        }
        rows.push(row);
    }
    rows[a.len()][b.len()]
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn typing_errors_are_understood_and_other_words_are_not() {
        let near = [
            ("--kep", "--keep"),
            ("—keep", "--keep"),
            ("-keep", "--keep"),
            ("keep", "--keep"),
            ("--exrta", "--extra"),
            ("--with-test", "--with-tests"),
            ("--With-Tests", "--with-tests"),
            ("HELP", "help"),
            ("stauts", "status"),
            ("cancle", "cancel"),
        ];
        for (given, name) in near {
            assert_eq!(nearest(given), Some(name), "{given}");
        }
        let far = ["please", "ok", "", "--", "a", "🙂", "thanks!", &"x".repeat(100_000), &"--keep".repeat(9)];
        for given in far {
            assert_eq!(nearest(given), None, "{given}");
        }
    }
}
