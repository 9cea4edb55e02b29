//! Many faults with few compilations, each still told from the others.
//!
//! Each fault is put into some of a few rounds: into as many as any other, and never into just the same. A fault whose test fails in
//! exactly the rounds that hold it is killed by that test: no other fault is in just these, and several others together are in more.
//! Whatever does not come out as clearly as that is tried again with those that did not either, and in the end alone.

use super::faults::{Edit, Fault, Test};

/// Which fault is in which rounds.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Rounds {
    /// So many there are.
    pub(super) count: usize,
    /// Of each fault: one bit for each round.
    words: Vec<u32>,
}

impl Rounds {
    /// The fewest rounds for that many faults.
    pub(super) fn of(faults: usize) -> Self {
        // The fewer faults are in one round, the fewer are in each other's way.
        for (count, ones) in (2..u32::BITS).flat_map(|count| (1..=count / 2).map(move |ones| (count, ones))) {
            let words = (0..1_u32 << count).filter(|word| word.count_ones() == ones);
            let words: Vec<u32> = words.take(faults).collect();
            if words.len() == faults {
                return Self { count: count as usize, words };
            }
        }
        Self { count: 0, words: Vec::new() }
    }

    /// Whether it takes fewer compilations than one for each.
    pub(super) const fn saves(&self) -> bool {
        self.count < self.words.len()
    }

    /// Whether a fault is in a round; both are counted from 0.
    pub(super) fn holds(&self, fault: usize, round: usize) -> bool {
        self.words[fault] & (1 << round) != 0
    }

    /// Whether a test that failed in these rounds, and in no other, was failed by this fault.
    pub(super) fn tells(&self, fault: usize, failed: &[bool]) -> bool {
        failed.len() == self.count && (0..self.count).all(|round| self.holds(fault, round) == failed[round])
    }
}

/// Those that can be tried together, and the rest: a test can tell only one, and an edit must not be in the way of another.
pub(super) fn compatible<'f>(faults: &[(&'f Fault, Edit<'f>)]) -> (Vec<&'f Fault>, Vec<&'f Fault>) {
    let mut taken: Vec<&(&Fault, Edit<'_>)> = Vec::new();
    let mut rest = Vec::new();
    for fault in faults {
        let test = |taken: &&(&Fault, Edit<'_>)| -> bool {
            let in_the_way = taken.0.file == fault.0.file && taken.1.overlaps(&fault.1);
            let same: (&Test, &Test) = (&taken.0.test, &fault.0.test);
            in_the_way || same.0 == same.1
        };
        if taken.iter().any(test) { rest.push(fault.0) } else { taken.push(fault) }
    }
    (taken.into_iter().map(|taken| taken.0).collect(), rest)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn rounds_are_few_and_each_fault_has_its_own() {
        assert_eq!([1, 2, 3, 20, 50, 70, 71].map(|faults| Rounds::of(faults).count), [2, 2, 3, 6, 8, 8, 9]);
        assert_eq!([3, 4, 7].map(|faults| Rounds::of(faults).saves()), [false, false, true]);
        let rounds = Rounds::of(50);
        let failed = |faults: &[usize]| -> Vec<bool> {
            (0..rounds.count).map(|round| faults.iter().any(|fault| rounds.holds(*fault, round))).collect()
        };
        for fault in 0..50 {
            assert!(rounds.tells(fault, &failed(&[fault])));
            for other in (0..50).filter(|other| *other != fault) {
                assert!(!rounds.tells(fault, &failed(&[other])));
                assert!(!rounds.tells(fault, &failed(&[fault, other])));
                assert!((0..50).all(|third| third == fault || !rounds.tells(fault, &failed(&[other, third]))));
            }
        }
        assert!(!rounds.tells(0, &[]), "rounds are missing");
        assert!(!rounds.tells(0, &failed(&[])), "nobody noticed");
    }
}
