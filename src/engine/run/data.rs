//! Whether data survived: the seeds are asked for their proof, and the planted files are looked for.

use super::inside::Place;
use super::prepare::Live;
use super::seed::SEEDED;
use super::{Run, Stop};
use crate::adapters::docker::inside;
use crate::domain::backup::BackupPlan;
use crate::domain::data::{self, Look, Planted, Seeded, Survived, after_restore, after_upgrade, seed_gone, sentinel};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::stage::Stage;

/// The fact with what was there after the upgrade.
pub(super) const AFTER_UPGRADE: &str = "after_upgrade";
/// The fact with what was there after the restore.
pub(super) const AFTER_RESTORE: &str = "after_restore";

impl Run {
    /// Looks for all that was made. `backup`: it came out of that, and only what is in it can be there.
    pub(super) async fn look_for_data(
        &self,
        live: &Live,
        place: Place<'_>,
        backup: Option<&BackupPlan>,
    ) -> Result<(), Stop> {
        let Some(seeded) = self.stored::<Seeded>(SEEDED).await? else { return Ok(()) };
        let (when, key) = match backup {
            None => ("after the upgrade", AFTER_UPGRADE),
            Some(_) => ("after the restore", AFTER_RESTORE),
        };
        let mut survived = Survived { not_looked_for: seeded.not_planted.clone(), ..Survived::default() };
        let mut lost = Vec::new();
        for seed in &self.tests().seeds {
            let checked = self.look(live, place, &seed.name, &seed.verify, seed.timeout).await?;
            if checked.holds {
                survived.seeds.push(seed.name.clone());
            } else {
                lost.push((seed.act.service.clone(), seed_gone(&seed.name, when, &checked.seen)));
            }
        }
        for planted in &seeded.planted {
            let seen = self.look_at(live, place, planted).await?;
            let look = match backup {
                None => after_upgrade(planted, &seen),
                Some(backup) => after_restore(planted, &seen, backup),
            };
            match look {
                Look::There => survived.planted += 1,
                Look::NotLooked(why) => survived.not_looked_for.push(why),
                Look::Lost(sentence) => lost.push((planted.service.clone(), sentence)),
            }
        }
        if lost.is_empty() {
            let said = survived.said().unwrap_or_else(|| "nothing that could be looked for".to_owned());
            self.log.say(format!("{when} there is: {said}"));
            return self.store(key, &survived).await;
        }
        let findings = lost.into_iter().map(|(service, sentence)| {
            let finding = Finding::new(FindingKind::DataLost, place.stage, live.now(), sentence).about(service);
            if backup.is_none() { finding } else { of_the_backup(finding) }
        });
        Err(Stop::Failed(findings.collect()))
    }

    async fn look_at(&self, live: &Live, place: Place<'_>, planted: &Planted) -> Result<data::Place, Stop> {
        if place.deployment.services.iter().all(|service| service.name != planted.service) {
            return Ok(data::Place::NoService);
        }
        let Some(container) = self.container(live, place.stage, &planted.service).await? else {
            return Ok(data::Place::NoContainer);
        };
        let Some(mounted) = container.volumes.iter().find(|mounted| mounted.path == planted.path) else {
            return Ok(data::Place::NotMounted);
        };
        let path = format!("{}/{}", planted.path.trim_end_matches('/'), sentinel(&self.plan.run));
        let there = self.patiently(place.stage, || inside::is_there(&live.docker, &container.id, &path)).await?;
        let volume = self.own_volume(mounted).unwrap_or(&mounted.volume).to_owned();
        Ok(data::Place::Mounted { volume, there })
    }
}

fn of_the_backup(finding: Finding) -> Finding {
    debug_assert_eq!(finding.stage, Stage::Restore);
    let advice = "It was there before the backup: see what the hooks said and which paths the backup labels name.";
    Finding { advice: advice.to_owned(), ..finding }
}
