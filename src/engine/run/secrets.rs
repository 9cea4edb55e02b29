//! The app's secrets: made once, kept by the runner, hidden in the log.

use std::collections::BTreeMap;

use secrecy::SecretString;

use super::deploy::Deploy;
use super::prepare::Live;
use super::step::own_step;
use super::{Run, Stop};
use crate::adapters::docker::runner;
use crate::domain::deployment::{Deployment, SecretPlan};
use crate::domain::protocol::SECRETS;

const SECRETS_LIMIT_SECONDS: u64 = 120;

impl Run {
    /// Makes each secret once: a value that the runner holds already is kept.
    pub(super) async fn secrets(&self, live: &Live, deploy: Deploy, deployment: &Deployment) -> Result<(), Stop> {
        let Some(id) = &live.runner else { return Ok(()) };
        let known = self.recall_secrets(live).await?;
        let mut made = runner::Files::new();
        for secret in deployment.secrets.iter().filter(|secret| !known.contains_key(&secret.full_name)) {
            let value = self.dummy(secret).unwrap_or_else(|| generate(secret));
            self.log.hide(&SecretString::from(value.clone()));
            let content = runner::Content { bytes: value.into_bytes(), mode: 0o600 };
            made.insert(format!("{}/{}", SECRETS.trim_start_matches('/'), secret.full_name), content);
        }
        if !made.is_empty() {
            runner::upload(&live.docker, id, &made).await?;
        }
        if deployment.secrets.is_empty() {
            return Ok(());
        }
        let step = own_step(&deploy.named("secrets"), &["secrets"], SECRETS_LIMIT_SECONDS)?;
        self.must(live, deploy.stage(), &step, "the secrets could not be made").await
    }

    /// The values that the runner holds, hidden in the log from now on.
    pub(super) async fn recall_secrets(&self, live: &Live) -> Result<BTreeMap<String, Vec<u8>>, Stop> {
        let Some(id) = &live.runner else { return Ok(BTreeMap::new()) };
        let known = runner::download(&live.docker, id, SECRETS).await?.unwrap_or_default();
        for value in known.values() {
            self.log.hide(&SecretString::from(String::from_utf8_lossy(value).into_owned()));
        }
        Ok(known)
    }
}

fn generate(secret: &SecretPlan) -> String {
    let mut random = vec![0_u8; secret.random_len()];
    rand::fill(random.as_mut_slice());
    secret.generate(&random).unwrap_or_default()
}
