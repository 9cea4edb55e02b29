//! The HTTP part of the floor: every host of the stack's router rules answers, and it is the app that answers. A host that a
//! `[[ready]]` of the tests file has asked is not asked again: that answer was better described.

use std::time::Duration;

use futures_util::future::join_all;
use tokio::time::Instant;
use url::Url;

use super::deploy::{Deploy, Fact};
use super::pages::{NoPage, REDIRECTS};
use super::prepare::Live;
use super::{Run, Stop};
use crate::domain::deployment::{Deployment, Route};
use crate::domain::finding::{Finding, FindingKind};
use crate::domain::floor::{self, Meaning, Page, Seen, is_proxys_own, meaning, page};
use crate::domain::results::{Asset, FloorFacts, HttpFact};
use crate::domain::stage::Stage;

/// An app's host may be unknown to the proxy for so long after convergence (design §4).
const NOT_YET: Duration = Duration::from_secs(30);
const BETWEEN: Duration = Duration::from_millis(250);

impl Run {
    /// Asks every host until it answers, or until it should have.
    pub(super) async fn floor(&self, live: &Live, deploy: Deploy, deployment: &Deployment) -> Result<(), Stop> {
        let key = deploy.key(Fact::Floor);
        if self.stored::<FloorFacts>(key).await?.is_some() {
            return Ok(());
        }
        let routes = &deployment.routes;
        let hosts: Vec<String> = routes.iter().map(|route| route.host.to_string()).collect();
        if hosts.is_empty() {
            let none = FloorFacts {
                http_not_applicable: Some("no router rule names a host".to_owned()),
                ..FloorFacts::default()
            };
            self.log.say("no router rule names a host: nothing to ask over HTTPS");
            return self.store(key, &none).await;
        }
        let deadline = Instant::now() + NOT_YET;
        let mut http = self.stored::<Vec<HttpFact>>(deploy.key(Fact::Ready)).await?.unwrap_or_default();
        let rest: Vec<&Route> =
            routes.iter().filter(|route| http.iter().all(|fact| fact.host != route.host.as_str())).collect();
        let asked = join_all(rest.iter().map(|route| self.ask_until(live, route, &hosts, deadline))).await;
        let mut findings = Vec::new();
        for (route, outcome) in rest.into_iter().zip(asked) {
            match outcome {
                Ok(fact) => {
                    findings.extend(broken_assets(live, deploy.stage(), route, &fact));
                    http.push(fact);
                }
                Err(why) => findings.push(unreachable(live, deploy.stage(), route, floor::unreachable(route, &why))),
            }
        }
        self.store_shown(key, &FloorFacts { http, ..FloorFacts::default() }).await?;
        if findings.is_empty() { Ok(()) } else { Err(Stop::Failed(findings)) }
    }

    async fn ask_until(
        &self,
        live: &Live,
        route: &Route,
        hosts: &[String],
        deadline: Instant,
    ) -> Result<HttpFact, String> {
        let host = &route.host;
        loop {
            let why = match self.ask(live, route, hosts).await {
                Asked::Answers(fact) => {
                    let title = fact.title.as_deref().map(|title| format!(" “{title}”")).unwrap_or_default();
                    self.log.say(format!("https://{host}/ answers {}{title}", fact.status));
                    return Ok(fact);
                }
                Asked::Broken(why) => return Err(why),
                Asked::NotYet(why) => why,
            };
            if Instant::now() > deadline {
                return Err(why);
            }
            tokio::time::sleep(BETWEEN).await;
        }
    }

    async fn ask(&self, live: &Live, route: &Route, hosts: &[String]) -> Asked {
        let host = route.host.as_str();
        let random = self.nobodys(live, "/").await.ok();
        let Ok(first) = Url::parse(&format!("https://{host}/")) else {
            return Asked::Broken(format!("`{host}` is no host"));
        };
        let (url, answer) = match self.page_at(live, first, hosts, true).await {
            Ok(found) => found,
            Err(NoPage::Silent(url, why)) => return Asked::NotYet(format!("{url} gives no answer: {why}")),
            Err(NoPage::Redirects) => {
                return Asked::Broken(format!("https://{host}/ redirects more than {REDIRECTS} times"));
            }
        };
        let seen = Seen { status: answer.status, body: answer.body };
        match meaning(route, &seen, random.as_ref()) {
            Meaning::NotYet(why) => Asked::NotYet(why),
            Meaning::Broken(why) => Asked::Broken(why),
            Meaning::Answers => {
                let is_page = answer.content_type.is_none_or(|kind| kind.starts_with("text/html"));
                let page = if is_page { page(&String::from_utf8_lossy(&seen.body), &url) } else { Page::default() };
                Asked::Answers(HttpFact {
                    host: host.to_owned(),
                    status: seen.status,
                    differs_from_random: random.is_some_and(|random| !is_proxys_own(&seen, &random)),
                    assets: self.assets(live, &page).await,
                    title: page.title,
                })
            }
        }
    }
}

enum Asked {
    Answers(HttpFact),
    NotYet(String),
    Broken(String),
}

fn broken_assets(live: &Live, stage: Stage, route: &Route, fact: &HttpFact) -> Vec<Finding> {
    let broken = fact.assets.iter().filter(|asset| !asset.holds());
    let sentence = |asset: &Asset| floor::broken_asset(&fact.host, &asset.url, asset.status);
    broken.map(|asset| unreachable(live, stage, route, sentence(asset))).collect()
}

fn unreachable(live: &Live, stage: Stage, route: &Route, sentence: String) -> Finding {
    Finding::new(FindingKind::Unreachable, stage, live.now(), sentence).about(&route.service)
}
