//! What the target's SSH server must refuse, tried.

use crate::adapters::session::try_what_must_be_refused;
use crate::domain::doctor::{Attempt, Check, Matter};
use crate::domain::target::{Endpoint, Target};

/// One line for each thing that must be refused.
pub(super) async fn refusals(target: &Target, random: u64) -> Vec<Check> {
    match &target.endpoint {
        Endpoint::Unix(_) => {
            let said =
                "nothing is refused here: there is no SSH server in between, and whoever opens the socket is root";
            let mend = "a target of its own: cc-ci target setup".to_owned();
            vec![Check::open(Matter::Shell, said, Some(mend))]
        }
        Endpoint::Ssh { .. } => match try_what_must_be_refused(target, random).await {
            Ok(tried) => tried.iter().map(|(attempt, tried)| attempt.check(tried)).collect(),
            Err(error) => Attempt::ALL.iter().map(|attempt| Check::failed(attempt.matter(), &error)).collect(),
        },
    }
}
