//! Pages of the app, as the floor, `[[ready]]` and the checks ask them: after redirects within the app's own hosts, told from
//! what the proxy answers by itself, with the stylesheet and script that they refer to.

use url::Url;

use super::Run;
use super::prepare::Live;
use crate::adapters::probe::Answer;
use crate::domain::floor::{Page, Seen, is_proxys_own, redirect_within};
use crate::domain::results::Asset;

/// So many redirects are followed.
pub(super) const REDIRECTS: usize = 5;

/// Why there is no page.
pub(super) enum NoPage {
    /// This address, maybe one that a redirect led to, gave no answer.
    Silent(Url, String),
    /// There were more redirects than are followed.
    Redirects,
}

impl Run {
    /// What `url` answers, after redirects within these hosts where `follow` says so, and where it was found.
    pub(super) async fn page_at(
        &self,
        live: &Live,
        mut url: Url,
        hosts: &[String],
        follow: bool,
    ) -> Result<(Url, Answer), NoPage> {
        for _ in 0..=REDIRECTS {
            let answer = match live.web.get(url.as_str()).await {
                Ok(answer) => answer,
                Err(why) => return Err(NoPage::Silent(url, why)),
            };
            let is_redirect = follow && (300..400).contains(&answer.status);
            let location = answer.location.as_deref().filter(|_| is_redirect);
            match location.and_then(|to| redirect_within(&url, to, hosts)) {
                Some(next) => url = next,
                None => return Ok((url, answer)),
            }
        }
        Err(NoPage::Redirects)
    }

    /// What the proxy answers to a host that nobody has.
    pub(super) async fn nobodys(&self, live: &Live, path: &str) -> Result<Seen, String> {
        let url = format!("https://nobody-{:08x}.{}{path}", rand::random::<u32>(), self.target.domain);
        let answer = live.web.get(&url).await?;
        Ok(Seen { status: answer.status, body: answer.body })
    }

    /// Whether it is the app that answered this; if not, the end of a sentence that begins with the address.
    pub(super) async fn is_the_apps(&self, live: &Live, path: &str, seen: &Seen) -> Result<(), String> {
        let random =
            self.nobodys(live, path).await.map_err(|why| format!("cannot be told from an unknown host: {why}"))?;
        if is_proxys_own(seen, &random) {
            return Err(format!("answers {} like a host that nobody has: it is the proxy that answers", seen.status));
        }
        Ok(())
    }

    /// The stylesheet and script of a page.
    pub(super) async fn assets(&self, live: &Live, page: &Page) -> Vec<Asset> {
        let mut assets = Vec::new();
        for url in [&page.stylesheet, &page.script].into_iter().flatten() {
            let status = live.web.get(url.as_str()).await.map_or(0, |answer| answer.status);
            assets.push(Asset { url: url.to_string(), status });
        }
        assets
    }
}
