//! Seed: data is made that must survive, and its proof is asked for at once: one that does not hold now would show nothing later.

use super::inside::{Place, told};
use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::inside::{self, Mounted};
use crate::domain::data::{Planted, Seeded, sentinel};
use crate::domain::deployment::Deployment;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::results::{By, count, one_line};
use crate::domain::stage::Stage;
use crate::engine::EngineError;

/// The fact with what was made.
pub(super) const SEEDED: &str = "seeded";

impl Run {
    /// Makes the data, in what is deployed now.
    pub(super) async fn seed(&self, live: &mut Live) -> Result<(), Stop> {
        self.enter(live, Stage::Seed).await?;
        let Some((deploy, _)) = self.last_wanted().await? else {
            return Err(EngineError::Unreadable("nothing is deployed".to_owned()).into());
        };
        let deployment = self.deployment_of(live, deploy)?;
        let live = &*live;
        self.watched(live, async {
            self.phase("seed", By::App, self.make_seeds(live, &deployment)).await?;
            let seeded = self.phase("plant", By::CcCi, self.plant(live, &deployment)).await?;
            let volumes = count(seeded.planted.len(), "place", "places");
            self.log.say(format!("{}; a file planted in {volumes}", count(seeded.seeds.len(), "seed", "seeds")));
            self.store(SEEDED, &seeded).await
        })
        .await
    }

    async fn make_seeds(&self, live: &Live, deployment: &Deployment) -> Result<(), Stop> {
        let place = Place { stage: Stage::Seed, deployment };
        for (index, seed) in self.tests().seeds.iter().enumerate() {
            self.log.say(format!("seed “{}” in {}", seed.name, seed.act.service));
            let made = self.act(live, Stage::Seed, &format!("seed-{index}"), &seed.act, seed.timeout).await?;
            let wrong = match made {
                Err(failed) => Some((format!("cannot be made: {}", failed.how), failed.output)),
                Ok(()) => {
                    let checked = self.look(live, place, &seed.name, &seed.verify, seed.timeout).await?;
                    (!checked.holds)
                        .then(|| (format!("does not show although it was made: {}", checked.seen), String::new()))
                }
            };
            if let Some((what, output)) = wrong {
                let sentence = format!("the seed “{}” {what}", one_line(&seed.name, 80));
                let mut finding = Finding::new(FindingKind::TestsInvalid, Stage::Seed, live.now(), sentence);
                finding.advice =
                    "Mend the seed in the tests file, or see what the version it was made in lacks.".to_owned();
                finding = finding.about(&seed.act.service);
                let finding = if output.is_empty() { finding } else { finding.with("its output", output) };
                return Err(Stop::Failed(vec![finding]));
            }
        }
        Ok(())
    }

    /// A file in every volume of the stack, wherever it is mounted and can be written to.
    async fn plant(&self, live: &Live, deployment: &Deployment) -> Result<Seeded, Stop> {
        let mut seeded =
            Seeded { seeds: self.tests().seeds.iter().map(|seed| seed.name.clone()).collect(), ..Seeded::default() };
        let name = sentinel(&self.plan.run);
        for service in deployment.services.iter().filter(|service| !service.scaled_to_zero) {
            if service.mounts.iter().all(|mount| mount.kind != "volume") {
                continue;
            }
            // A one-shot that has ended has no container to plant anything in.
            let found = self.patiently(Stage::Seed, || inside::running(&live.docker, &self.plan.stack, &service.name));
            let Some(container) = found.await? else {
                seeded
                    .not_planted
                    .push(format!("{} has no running container: its volumes were not looked at", service.name));
                continue;
            };
            for (mounted, volume) in
                container.volumes.iter().filter_map(|mounted| Some((mounted, self.own_volume(mounted)?)))
            {
                if !mounted.writable {
                    continue;
                }
                let content = format!("{}\n", self.plan.run);
                let put = self.patiently(Stage::Seed, || {
                    inside::put(&live.docker, &container.id, &mounted.path, &name, content.as_bytes())
                });
                match put.await {
                    Ok(()) => seeded.planted.push(Planted {
                        service: service.name.clone(),
                        path: mounted.path.clone(),
                        volume: volume.to_owned(),
                    }),
                    Err(error) => {
                        let why = told(error)?;
                        seeded.not_planted.push(format!("nothing can be put into the volume {volume}: {why}"));
                    }
                }
            }
        }
        Ok(seeded)
    }

    /// The name of a volume of this stack without the stack's; others may be somebody else's.
    pub(super) fn own_volume<'a>(&self, mounted: &'a Mounted) -> Option<&'a str> {
        mounted.volume.strip_prefix(self.plan.stack.as_str())?.strip_prefix('_')
    }
}
