//! The periodic sweep over all recipes, spread over its period so that it never makes a queue of its own.

use std::time::Duration;

use jiff::Timestamp;
use sha2::{Digest as _, Sha256};

use super::ids::RecipeName;
use super::verdict::Verdict;

/// When a recipe's turn is within a sweep: always the same place, evenly spread over all recipes.
#[must_use]
pub fn turn(recipe: &RecipeName, begun_at: Timestamp, period: Duration) -> Timestamp {
    let hash = Sha256::digest(recipe.as_str());
    let place = u64::from(u16::from_be_bytes([hash[0], hash[1]]));
    let after = period.as_millis().saturating_mul(u128::from(place)) / (u128::from(u16::MAX) + 1);
    begun_at + Duration::from_millis(u64::try_from(after).unwrap_or(u64::MAX))
}

/// How a sweep ended, in one sentence, and whether that is an error: one that tested nothing is (s94).
#[must_use]
pub fn outcome(verdicts: &[Verdict]) -> (bool, String) {
    let count = |of| verdicts.iter().filter(|verdict| **verdict == of).count();
    let (green, red, not_judged) = (count(Verdict::Green), count(Verdict::Red), count(Verdict::NotJudged));
    match (green + red, not_judged) {
        (0, 0) => (true, "the sweep tested nothing: no recipe is enrolled".to_owned()),
        (0, _) => (true, format!("the sweep tested nothing: none of {not_judged} recipes could be judged")),
        (tested, 0) => (false, format!("{tested} recipes tested: {green} green, {red} red")),
        (tested, _) => {
            (false, format!("{tested} recipes tested: {green} green, {red} red; {not_judged} could not be judged"))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn s94_a_sweep_that_tested_nothing_is_an_error() {
        assert_eq!(outcome(&[]), (true, "the sweep tested nothing: no recipe is enrolled".to_owned()));
        let (error, said) = outcome(&[Verdict::NotJudged; 3]);
        assert!(error && said.ends_with("none of 3 recipes could be judged"), "{said}");
        assert_eq!(
            outcome(&[Verdict::Red, Verdict::NotJudged, Verdict::Green]),
            (false, "2 recipes tested: 1 green, 1 red; 1 could not be judged".to_owned())
        );
    }

    #[test]
    fn turns_are_spread_over_the_period() {
        let (begun, period) = (Timestamp::from_second(1_000_000).unwrap(), Duration::from_secs(7 * 86_400));
        let mut days = [0; 7];
        for number in 0..700 {
            let at = turn(&RecipeName::parse(&format!("recipe-{number}")).unwrap(), begun, period);
            let day = at.duration_since(begun).as_secs() / 86_400;
            days[usize::try_from(day).unwrap()] += 1;
        }
        assert!(days.iter().all(|count| (60..140).contains(count)), "{days:?}");
    }
}
