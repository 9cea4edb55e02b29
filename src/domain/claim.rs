//! Who may use a target: the claim, a Swarm config with labels, because that is the one thing a target can hold that
//! every gate sees and none can take twice.

use std::collections::HashMap;

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
    /// The run for which it does.
    pub run: RunId,
    /// Until when, in the target's time.
    pub until: Timestamp,
}

impl Claim {
    /// The labels that say so.
    #[must_use]
    pub fn labels(&self) -> HashMap<String, String> {
        HashMap::from([
            ("gate".to_owned(), self.gate.to_string()),
            ("run".to_owned(), self.run.to_string()),
            ("until".to_owned(), self.until.to_string()),
        ])
    }

    /// Reads the labels; `None`: nobody's that can be told.
    #[must_use]
    pub fn read(labels: &HashMap<String, String>) -> Option<Self> {
        Some(Self {
            gate: labels.get("gate")?.parse().ok()?,
            run: labels.get("run")?.parse().ok()?,
            until: labels.get("until")?.parse().ok()?,
        })
    }
}

/// What to do about the claim that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// There is none: make one.
    Take,
    /// It is this run's own: renew it.
    Renew,
    /// Its time is over, or its run is dead: replace it, and say so.
    TakeOver(String),
    /// Somebody holds the target: go away, and say so.
    Refuse(String),
}

/// Decides. `alive` says whether a run of this gate still has a living process.
#[must_use]
pub fn decide(
    found: Option<Option<&Claim>>,
    gate: &GateId,
    run: &RunId,
    now: Timestamp,
    alive: impl Fn(&RunId) -> bool,
) -> Decision {
    match found {
        None => Decision::Take,
        Some(None) => Decision::TakeOver("the claim on the target names nobody".to_owned()),
        Some(Some(claim)) if claim.gate == *gate && claim.run == *run => Decision::Renew,
        Some(Some(claim)) if claim.gate == *gate && alive(&claim.run) => {
            Decision::Refuse(format!("run {} of this gate uses the target", claim.run))
        }
        Some(Some(claim)) if claim.gate == *gate => {
            Decision::TakeOver(format!("run {} of this gate is dead; its claim is taken over", claim.run))
        }
        Some(Some(claim)) if claim.until > now => Decision::Refuse(format!(
            "the target is claimed by another gate ({}, run {}) until {}",
            claim.gate, claim.run, claim.until
        )),
        Some(Some(claim)) => Decision::TakeOver(format!(
            "the claim of another gate ({}, run {}) ended at {}; it is taken over",
            claim.gate, claim.run, claim.until
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn claim(gate: u8, run: u8, until: i64) -> Claim {
        Claim {
            gate: GateId::from_random([gate; 16]),
            run: RunId::from_random([run; 12]),
            until: Timestamp::from_second(until).unwrap(),
        }
    }

    fn asked(found: Option<Option<&Claim>>, alive: bool) -> Decision {
        let me = claim(1, 1, 0);
        decide(found, &me.gate, &me.run, Timestamp::from_second(100).unwrap(), |_| alive)
    }

    #[test]
    fn a_free_target_is_taken_and_an_own_claim_renewed() {
        assert_eq!(asked(None, false), Decision::Take);
        assert_eq!(asked(Some(Some(&claim(1, 1, 50))), false), Decision::Renew);
    }

    #[test]
    fn another_gates_live_claim_refuses_and_its_ended_one_is_taken_over() {
        assert!(
            matches!(asked(Some(Some(&claim(2, 1, 101))), false), Decision::Refuse(why) if why.contains("another gate"))
        );
        assert!(matches!(asked(Some(Some(&claim(2, 1, 99))), false), Decision::TakeOver(_)));
    }

    #[test]
    fn a_run_of_this_gate_holds_the_target_only_while_it_lives() {
        assert!(matches!(asked(Some(Some(&claim(1, 2, 101))), true), Decision::Refuse(_)));
        assert!(matches!(asked(Some(Some(&claim(1, 2, 101))), false), Decision::TakeOver(_)));
    }

    #[test]
    fn labels_say_the_same_when_read_again() {
        let claim = claim(1, 2, 77);
        assert_eq!(Claim::read(&claim.labels()), Some(claim));
        assert_eq!(Claim::read(&HashMap::new()), None);
    }
}
