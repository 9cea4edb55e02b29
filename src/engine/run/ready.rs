//! Ready: the answers that the tests file waits for, asked tightly and all at once, each within its own time.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use url::Url;

use super::deploy::{Deploy, Fact};
use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::deployment::Deployment;
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::floor::{Seen, page};
use crate::domain::ids::DomainName;
use crate::domain::ready::{self, Reached};
use crate::domain::results::{HttpFact, duration, ms_between};
use crate::domain::stage::Stage;
use crate::domain::tests_file::Ready;

const BETWEEN: Duration = Duration::from_millis(100);

impl Run {
    /// Waits for every `[[ready]]` of the tests file.
    pub(super) async fn ready(&self, live: &Live, deploy: Deploy, deployment: &Deployment) -> Result<(), Stop> {
        let probes = &self.tests().ready;
        if probes.is_empty() || self.stored::<Vec<HttpFact>>(deploy.key(Fact::Ready)).await?.is_some() {
            return Ok(());
        }
        let routed: Vec<DomainName> = deployment.routes.iter().map(|route| route.host.clone()).collect();
        let host = |probe: &Ready| ready::host(probe, &self.plan.domain, &routed);
        let known: Result<Vec<String>, String> = probes.iter().map(host).collect();
        let hosts = known.map_err(|what| {
            let finding = Finding::new(FindingKind::TestsInvalid, deploy.stage(), live.now(), what);
            let advice = "Mend the `[[ready]]`: it can only ask hosts of the recipe's own router rules.".to_owned();
            Stop::Failed(vec![Finding { advice, ..finding }])
        })?;
        let asked = probes.iter().zip(&hosts).map(|(probe, host)| self.wait_for(live, deploy.stage(), probe, host));
        let (mut facts, mut findings) = (Vec::new(), Vec::new());
        for answered in join_all(asked).await {
            match answered {
                Ok(fact) => facts.push(fact),
                Err(finding) => findings.push(*finding),
            }
        }
        if !findings.is_empty() {
            return Err(Stop::Failed(findings));
        }
        self.store_shown(deploy.key(Fact::Ready), &facts).await
    }

    async fn wait_for(&self, live: &Live, stage: Stage, probe: &Ready, host: &str) -> Result<HttpFact, Box<Finding>> {
        let (begun, from) = (Instant::now(), live.now());
        let url = format!("https://{host}{}", probe.path);
        loop {
            let why = match self.ask_once(live, probe, host, &url).await {
                Ok(fact) => {
                    let took = duration(ms_between(from, live.now()));
                    self.log.say(format!("ready: {url} answers {} after {took}", fact.status));
                    return Ok(fact);
                }
                Err(why) => why,
            };
            if begun.elapsed() > probe.timeout {
                let waited = duration(u64::try_from(probe.timeout.as_millis()).unwrap_or(u64::MAX));
                let sentence = format!("is not ready after {waited}: {url} {why}");
                let mut finding = Finding::new(FindingKind::Unreachable, stage, live.now(), sentence);
                finding.advice =
                    "The tests file waits for this answer (`[[ready]]`); see what the services logged last.".to_owned();
                return Err(Box::new(finding));
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    async fn ask_once(&self, live: &Live, probe: &Ready, host: &str, url: &str) -> Result<HttpFact, String> {
        let answer = live.web.get(url).await.map_err(|why| format!("gives no answer: {why}"))?;
        let is_page = answer.content_type.as_ref().is_none_or(|kind| kind.starts_with("text/html"));
        let seen = Seen { status: answer.status, body: answer.body };
        let title = match Url::parse(url) {
            Ok(url) if is_page => page(&String::from_utf8_lossy(&seen.body), &url).title,
            Ok(_) | Err(_) => None,
        };
        match ready::reached(probe, &seen, title.as_deref()) {
            Reached::Yes => {}
            Reached::NotYet(why) => return Err(why),
        }
        // A status such as 404 may be the proxy's own.
        self.is_the_apps(live, &probe.path, &seen).await?;
        Ok(HttpFact {
            host: host.to_owned(),
            status: seen.status,
            differs_from_random: true,
            title,
            assets: Vec::new(),
        })
    }
}
