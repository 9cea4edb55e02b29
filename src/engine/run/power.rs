//! What the tests file says before anything is deployed: whether it can be used, whether the recipe may rule its target, and
//! which values its secrets have.

use bollard::query_parameters::InspectNetworkOptions;
use secrecy::ExposeSecret as _;

use super::prepare::Live;
use super::{Run, Stop};
use crate::adapters::docker::Tried as _;
use crate::domain::convergence::{Wanted, WantedService};
use crate::domain::deployment::{Deployment, SecretPlan};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::host_power::{Power, in_template};
use crate::domain::results::HostPower;
use crate::domain::stage::Stage;
use crate::domain::tests_file::{OWN_FILE, TestsFile};
use crate::engine::EngineError;

/// The fact with the host power that was allowed and is in force.
pub(in crate::engine) const HOST_POWER: &str = "host_power";
/// So many findings of one kind are enough.
const MOST: usize = 8;

impl Run {
    /// What the tests file says; nothing where it cannot be used, which [`usable_tests`](Self::usable_tests) tells.
    pub(super) fn tests(&self) -> &TestsFile {
        static NONE: std::sync::LazyLock<TestsFile> = std::sync::LazyLock::new(TestsFile::default);
        self.tests.as_ref().unwrap_or(&NONE)
    }

    /// A tests file that cannot be used judges nobody.
    pub(super) fn usable_tests(&self, live: &Live) -> Result<(), Stop> {
        let Err(error) = &self.tests else { return Ok(()) };
        let finding = Finding::new(FindingKind::TestsInvalid, Stage::Install, live.now(), error.to_string());
        Err(Stop::Failed(vec![Finding { advice: error.advice.clone(), ..finding }]))
    }

    /// Host power is refused before anything is deployed, unless the tests file allows it; then it is noted for the headline and
    /// for what is done with the target afterwards.
    pub(super) async fn allowed(&self, live: &Live, stage: Stage, deployment: &Deployment) -> Result<(), Stop> {
        if deployment.host_power.is_empty() {
            return Ok(());
        }
        let Some(reason) = &self.tests().host_power else {
            let refused = deployment.host_power.iter().take(MOST).map(|power| {
                let sentence = format!("{power}: with that it rules the target, and was not started");
                Finding::new(FindingKind::HostPower, stage, live.now(), sentence).about(&power.service)
            });
            return Err(Stop::Failed(refused.collect()));
        };
        let found: Vec<String> = deployment.host_power.iter().map(ToString::to_string).collect();
        self.log.say(format!("host power, allowed by the tests file ({reason}): {}", found.join("; ")));
        self.store(HOST_POWER, &HostPower { reason: reason.clone(), found }).await
    }

    /// Looks once more, at what Swarm has made of the compose files: docker may read them otherwise than we did.
    pub(super) async fn look_again(&self, live: &Live, stage: Stage, wanted: &Wanted) -> Result<(), Stop> {
        let host =
            live.docker.inspect_network("host", None::<InspectNetworkOptions>).await.tried("look at its network");
        let host = host.map_err(EngineError::from)?.id;
        let of = |service: &WantedService| in_template(&service.name, &service.template, host.as_deref());
        let seen: Vec<Power> = wanted.services.iter().flat_map(of).collect();
        if seen.is_empty() || self.tests().host_power.is_some() {
            return Ok(());
        }
        // It ran, and may have used it.
        let reason = "nobody allowed it, it was seen after the start".to_owned();
        let found: Vec<String> = seen.iter().map(ToString::to_string).collect();
        self.store(HOST_POWER, &HostPower { reason, found }).await?;
        let findings = seen.iter().take(MOST).map(|power| {
            let sentence = format!("{power}: with that it rules the target, and was stopped");
            Finding::new(FindingKind::HostPower, stage, live.now(), sentence).about(&power.service)
        });
        Err(Stop::Failed(findings.collect()))
    }

    /// The value that the tests file gives a secret which nobody generates.
    pub(super) fn dummy(&self, secret: &SecretPlan) -> Option<String> {
        let value = self.tests().secrets.get(&secret.name).filter(|_| !secret.generate)?;
        Some(value.expose_secret().to_owned())
    }

    /// What a person should know of this deploy.
    pub(super) fn notes(&self, deployment: &Deployment) -> Vec<String> {
        let tests = self.tests();
        let origin = self.plan.tests.as_ref().map(|origin| match &origin.commit {
            Some(commit) => format!("the tests file is {} at {}", origin.source, commit.short()),
            None => format!("the tests file is {}", origin.source),
        });
        let power = deployment.host_power.iter().filter(|_| tests.host_power.is_some());
        let mut notes: Vec<String> =
            origin.into_iter().chain(power.map(|power| format!("host power: {power}"))).collect();
        notes.extend(deployment.notes.iter().cloned());
        for secret in deployment.secrets.iter().filter(|secret| !secret.generate) {
            let value = if tests.secrets.contains_key(&secret.name) { "the tests file's" } else { "a random" };
            notes.push(format!("secret {}: operators insert it by hand; here it has {value} value", secret.name));
        }
        for name in tests.secrets.keys() {
            match deployment.secrets.iter().find(|secret| secret.name == *name) {
                Some(secret) if secret.generate => notes.push(format!(
                    "the tests file's value of the secret {name} was left out: it is generated (no `generate=false`)"
                )),
                Some(_) => {}
                None => notes.push(format!("the tests file's secret {name} is not used by the recipe")),
            }
        }
        notes.extend(self.own_tests_left_out());
        notes
    }

    /// Who is under test does not say how it is tested.
    fn own_tests_left_out(&self) -> Option<String> {
        let own = self.files.text(OWN_FILE).ok()?;
        let used = crate::engine::plan::load_tests(&self.folder.tests()).ok().flatten();
        let same = used.as_ref().is_some_and(|used| used.text == own);
        let instead =
            used.map_or_else(|| "none was used".to_owned(), |used| format!("{} was used", used.origin.source));
        (!same).then(|| format!("the `{OWN_FILE}` under test says nothing about this run: {instead}"))
    }
}
