//! Keep: the app stays up for a person, for as long as was asked, or until that person ends it.

use std::time::Duration;

use jiff::Timestamp;

use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::results::By;
use crate::domain::stage::Stage;

/// The fact with the instant at which keeping ends.
pub(in crate::engine) const KEEP_UNTIL: &str = "keep_until";

impl Run {
    /// Waits until the time is over or the run is told to end. What happens to the app meanwhile is logged; it decides
    /// nothing, since a person may be the cause.
    pub(super) async fn keep(&self, live: &mut Live, seconds: u64) -> Result<(), Stop> {
        let until = match self.stored::<Timestamp>(KEEP_UNTIL).await? {
            Some(until) => until,
            None => {
                let until = Timestamp::now() + Duration::from_secs(seconds);
                self.store(KEEP_UNTIL, &until).await?;
                until
            }
        };
        if live.watch.is_none() {
            live.watch = self.watch_again(live).await?;
        }
        if let Some(watch) = &live.watch {
            watch.enter(Stage::Keep);
        }
        self.log.say(format!("https://{} stays up until {until:.0}; Ctrl-C ends it now", self.plan.domain));
        self.phase::<(), Stop>("keep", By::App, async {
            let left = Duration::try_from(until.duration_since(Timestamp::now())).unwrap_or_default();
            tokio::select! {
                () = tokio::time::sleep(left) => self.log.say("its time is over"),
                () = self.cancel.cancelled() => self.log.say("ended by the person who asked for it"),
            }
            Ok(())
        })
        .await
    }
}
