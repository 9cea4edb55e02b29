//! Restore: the backup comes back into a fresh deploy, with the hooks before and after it; then the data must be there again.

use super::backup::LIMIT;
use super::deploy::{Deploy, Fact};
use super::inside::Place;
use super::prepare::Live;
use super::step::own_step;
use super::{Run, Stop};
use crate::domain::backup::BackupPlan;
use crate::domain::convergence::Wanted;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::results::{By, last_line};
use crate::domain::stage::Stage;

impl Run {
    /// Brings the backup back. Without a base, what was installed is what was backed up and destroyed: it is deployed once more.
    pub(super) async fn restore(&self, live: &mut Live) -> Result<(), Stop> {
        let deployment = self.deployment(live)?;
        let plan = self.backup_plan(live)?;
        let upgraded = self.stored::<Wanted>(Deploy::Upgrade.key(Fact::Wanted)).await?.is_some();
        if upgraded {
            self.enter(live, Stage::Restore).await?;
        } else {
            self.bring_up(live, Deploy::Again, &deployment).await?;
        }
        let live = &*live;
        let place = Place { stage: Stage::Restore, deployment: &deployment };
        self.watched(live, async {
            self.phase("restore", By::Docker, self.bring_back(live, &plan)).await?;
            self.phase("restore data", By::CcCi, self.look_for_data(live, place, Some(&plan))).await
        })
        .await
    }

    async fn bring_back(&self, live: &Live, plan: &BackupPlan) -> Result<(), Stop> {
        self.hooks(live, Stage::Restore, "before-restore", &plan.before_restore).await?;
        for (index, part) in plan.parts.iter().enumerate() {
            let failed = |why: String| {
                let sentence = format!("{} cannot be restored: {why}", part.said());
                let finding = Finding::new(FindingKind::RestoreFailed, Stage::Restore, live.now(), sentence);
                Stop::Failed(vec![finding.about(&part.service)])
            };
            let Some(container) = self.container(live, Stage::Restore, &part.service).await? else {
                return Err(failed(format!("{} has no running container", part.service)));
            };
            let (name, archive) = (format!("restore-{index}"), format!("archive-{index}"));
            let words = ["unarchive", &container.id, part.unpacked_in(), &archive];
            let ended = self.step(live, Stage::Restore, &own_step(&name, &words, LIMIT.as_secs())?).await?;
            if !ended.end.succeeded() {
                return Err(failed(last_line(&ended.output, 160).unwrap_or_default()));
            }
        }
        self.hooks(live, Stage::Restore, "after-restore", &plan.after_restore).await
    }
}
