//! Who may use a target: the claim, a Swarm config with labels, because that is the one thing a target can hold that
//! every gate sees and none can take twice.

use std::collections::{BTreeMap, HashMap};

use jiff::{SignedDuration, Timestamp};

use super::ids::{GateId, RunId};

/// The claim's name on the target.
pub const CLAIM: &str = "cc-ci-claim";
/// How long a claim holds after it was last renewed.
pub const HOLDS: SignedDuration = SignedDuration::from_secs(90);
/// How often a running run renews its claim.
pub const RENEW: SignedDuration = SignedDuration::from_secs(20);

/// What the labels of a claim say.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Claim {
    /// The gate that holds the target.
    pub gate: GateId,
    /// The runs for which it does, each with its end in the target's time; none: it is about to go.
    pub runs: BTreeMap<RunId, Timestamp>,
    /// Whether its one run shares the target with nobody, whatever room there is.
    pub alone: bool,
}

/// The label of a claim that is not shared.
const ALONE: &str = "alone";
/// In front of a run's id: the label with the end of a second run, and of each more.
const ALSO: &str = "also.";

impl Claim {
    /// A claim for one run.
    #[must_use]
    pub fn of(gate: GateId, run: RunId, until: Timestamp) -> Self {
        Self { gate, runs: BTreeMap::from([(run, until)]), alone: false }
    }

    /// When it ends, unless it is renewed.
    #[must_use]
    pub fn until(&self) -> Timestamp {
        self.runs.values().copied().max().unwrap_or(Timestamp::MIN)
    }

    /// The labels that say so.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        let mut labels = HashMap::from([("gate".to_owned(), self.gate.to_string())]);
        if self.alone {
            labels.insert(ALONE.to_owned(), "yes".to_owned());
        }
        for (number, (run, until)) in self.runs.iter().enumerate() {
            if number == 0 {
                labels.extend([("run".to_owned(), run.to_string()), ("until".to_owned(), until.to_string())]);
            } else {
                labels.insert(format!("{ALSO}{run}"), until.to_string());
            }
        }
        labels
    }

    /// Reads the labels; `None`: nobody's that can be told.
    #[must_use]
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        let mut claim = Self::of(
            labels.get("gate")?.parse().ok()?,
            labels.get("run")?.parse().ok()?,
            labels.get("until")?.parse().ok()?,
        );
        claim.alone = labels.contains_key(ALONE);
        for (label, until) in labels {
            if let Some(run) = label.strip_prefix(ALSO) {
                claim.runs.insert(run.parse().ok()?, until.parse().ok()?);
            }
        }
        Some(claim)
    }

    /// The same with one more run, or with a later end of one, and without those of its runs that are dead.
    #[must_use]
    pub fn with(&self, run: &RunId, until: Timestamp, alive: impl Fn(&RunId) -> bool) -> Self {
        let mut runs = self.runs.clone();
        runs.retain(|run, _| alive(run));
        runs.insert(run.clone(), until);
        Self { gate: self.gate.clone(), runs, alone: self.alone }
    }

    fn names(&self) -> String {
        let names: Vec<&str> = self.runs.keys().map(RunId::as_str).collect();
        let word = if names.len() == 1 { "run" } else { "runs" };
        format!("{word} {}", names.join(", "))
    }
}

/// What to do about the claim that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// There is none: make one.
    Take,
    /// It is this run's own, or this gate's with room for one more: have it name this run.
    Join,
    /// Its time is over, or its runs are dead: replace it, and say so.
    TakeOver(String),
    /// Somebody holds the target: go away, and say so.
    Refuse(String),
}

/// Decides. `most`: with so many runs of its gate, this one among them, it would share the target; `alive` says whether a run of this gate still has a living process.
#[must_use]
pub fn decide(
    found: Option<Option<&Claim>>,
    gate: &GateId,
    run: &RunId,
    most: u32,
    now: Timestamp,
    alive: impl Fn(&RunId) -> bool,
) -> Decision {
    let claim = match found {
        None => return Decision::Take,
        Some(None) => return Decision::TakeOver("the claim on the target names nobody".to_owned()),
        Some(Some(claim)) => claim,
    };
    if claim.gate != *gate {
        let (whose, until) = (format!("({}, {})", claim.gate, claim.names()), claim.until());
        return if until > now {
            Decision::Refuse(format!("the target is claimed by another gate {whose} until {until}"))
        } else {
            Decision::TakeOver(format!("the claim of another gate {whose} ended at {until}; it is taken over"))
        };
    }
    if claim.runs.contains_key(run) {
        return Decision::Join;
    }
    match claim.runs.keys().filter(|run| alive(run)).count() {
        0 => Decision::TakeOver(format!("{} of this gate is dead; its claim is taken over", claim.names())),
        living if !claim.alone && u32::try_from(living).is_ok_and(|living| living < most) => Decision::Join,
        _ => Decision::Refuse(format!("{} of this gate uses the target", claim.names())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn run(number: u8) -> RunId {
        RunId::from_random([number; 12])
    }

    fn claim(gate: u8, number: u8, until: i64) -> Claim {
        Claim::of(GateId::from_random([gate; 16]), run(number), at(until))
    }

    fn asked_with(most: u32, found: Option<Option<&Claim>>, alive: bool) -> Decision {
        decide(found, &GateId::from_random([1; 16]), &run(1), most, at(100), |_| alive)
    }

    fn asked(found: Option<Option<&Claim>>, alive: bool) -> Decision {
        asked_with(1, found, alive)
    }

    #[test]
    fn a_free_target_is_taken_and_an_own_claim_renewed() {
        assert_eq!(asked(None, false), Decision::Take);
        assert_eq!(asked(Some(Some(&claim(1, 1, 50))), false), Decision::Join);
    }

    #[test]
    fn another_gates_live_claim_refuses_and_its_ended_one_is_taken_over() {
        for most in [1, 4] {
            let asked = |found: &Claim| asked_with(most, Some(Some(found)), false);
            assert!(matches!(asked(&claim(2, 1, 101)), Decision::Refuse(why) if why.contains("another gate")));
            assert!(matches!(asked(&claim(2, 1, 99)), Decision::TakeOver(_)));
            // The one that lasts longest counts.
            let two = claim(2, 1, 99).with(&run(3), at(101), |_| true);
            assert!(matches!(asked(&two), Decision::Refuse(_)));
        }
    }

    #[test]
    fn a_run_of_this_gate_holds_the_target_only_while_it_lives() {
        assert!(matches!(asked(Some(Some(&claim(1, 2, 101))), true), Decision::Refuse(_)));
        assert!(matches!(asked(Some(Some(&claim(1, 2, 101))), false), Decision::TakeOver(_)));
    }

    #[test]
    fn runs_of_one_gate_share_a_target_as_far_as_it_has_room() {
        let one = claim(1, 2, 101);
        assert_eq!(asked_with(2, Some(Some(&one)), true), Decision::Join);
        let alone = Claim { alone: true, ..one.clone() };
        assert!(matches!(asked_with(2, Some(Some(&alone)), true), Decision::Refuse(_)));
        let two = one.with(&run(3), at(102), |_| true);
        assert_eq!((two.runs.len(), two.until()), (2, at(102)));
        assert!(matches!(asked_with(2, Some(Some(&two)), true), Decision::Refuse(_)));
        assert_eq!(asked_with(3, Some(Some(&two)), true), Decision::Join);
        let living = |number: u8| move |other: &RunId| *other == run(number);
        let joined = two.with(&run(1), at(103), living(3));
        assert_eq!(joined.runs.keys().collect::<std::collections::BTreeSet<_>>(), [&run(1), &run(3)].into());
    }

    #[test]
    fn labels_say_the_same_when_read_again() {
        let claim = claim(1, 2, 77);
        assert_eq!(Claim::read(&claim.labels()), Some(claim.clone()));
        let three = claim.with(&run(3), at(78), |_| true).with(&run(4), at(79), |_| true);
        assert_eq!(Claim::read(&three.labels()), Some(three));
        assert_eq!(Claim::read(&HashMap::new()), None);
        let alone = Claim { alone: true, ..claim.clone() };
        assert_eq!(Claim::read(&alone.labels()), Some(alone));
        let none = Claim { runs: BTreeMap::new(), ..claim };
        assert_eq!(Claim::read(&none.labels()), None, "about to go");
    }
}
