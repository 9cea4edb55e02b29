//! What stands around every page: where one is, whether the gate is alive, what operators say, and who is logged in.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Site;
use super::view::rough;
use super::visitor::Visitor;
use super::why::held;
use crate::adapters::store::{KnownTarget, May};
use crate::domain::results::{count, ms_between};
use crate::engine::EngineError;
use crate::engine::service::Heard;

/// Who was not heard for longer is not taken to be alive.
pub(super) const STALE: SignedDuration = SignedDuration::from_mins(2);

/// The frame of a page.
#[derive(Debug)]
pub(super) struct Frame {
    /// The entry of the navigation that is this page; empty: none.
    pub(super) at: &'static str,
    /// `fresh`, `stale` or `gone`.
    pub(super) dot: &'static str,
    /// What the dot says, in words.
    pub(super) alive: String,
    /// Pause, drain, banner: sentences on every page.
    pub(super) notices: Vec<String>,
    /// The login, when somebody is logged in.
    pub(super) login: Option<String>,
    /// Whether people can log in here at all.
    pub(super) can_login: bool,
    /// Where a login leads back to, as a query value.
    pub(super) back: String,
    /// May cancel and retry.
    pub(super) member: bool,
    /// May pause, drain and resume.
    pub(super) operator: bool,
    pub(super) version: &'static str,
}

impl Frame {
    pub(super) async fn new(site: &Site, visitor: Visitor, at: &'static str) -> Result<Self, EngineError> {
        let store = site.service.store();
        let switches = store.switches().await?;
        let mut notices = Vec::new();
        if let Some(banner) = &switches.banner {
            notices.push(banner.value.clone());
        }
        if let Some(on) = switches.held() {
            let draining = switches.drain.is_some();
            let numbers = store.numbers().await?;
            let rest = match (draining, numbers.running) {
                (true, 0) => "Nothing runs any more: it may be stopped.".to_owned(),
                (true, running) => format!("{} still to end.", many(running)),
                (false, _) => "Requests are taken, nothing is started.".to_owned(),
            };
            notices.push(format!("{}. {rest}", capital(&held(on, draining))));
        }
        let now = Timestamp::now();
        let (dot, alive) = alive(site, &store.targets().await?, now);
        let back = url::form_urlencoded::byte_serialize(visitor.here.as_bytes()).collect();
        Ok(Self {
            at,
            dot,
            alive,
            notices,
            can_login: site.options.oauth.is_some(),
            back,
            member: visitor.may(May::Member),
            operator: visitor.may(May::Operator),
            login: visitor.person.map(|person| person.login),
            version: env!("CARGO_PKG_VERSION"),
        })
    }
}

/// How the gate is, by whom it heard last.
fn alive(site: &Site, targets: &[KnownTarget], now: Timestamp) -> (&'static str, String) {
    let service = &site.service;
    let is_ours = |row: &&KnownTarget| service.targets().iter().any(|target| target.name == row.name);
    let targets: Vec<&KnownTarget> = targets.iter().filter(is_ours).collect();
    state(service.last_beat(), &service.heard(), service.watched().poll, &targets, now)
}

fn state(
    beat: Option<Timestamp>,
    heard: &Heard,
    poll: Duration,
    targets: &[&KnownTarget],
    now: Timestamp,
) -> (&'static str, String) {
    let ago = |at: Timestamp| rough(ms_between(at, now));
    let old = |at: Timestamp, most: SignedDuration| now.duration_since(at) > most;
    match beat {
        None => return ("gone", "the worker does not run".to_owned()),
        Some(at) if old(at, STALE) => return ("gone", format!("the worker hangs: no round for {}", ago(at))),
        Some(_) => {}
    }
    let patience = STALE.max(SignedDuration::try_from(poll * 3).unwrap_or(STALE));
    let silent = targets.iter().filter_map(|row| row.heard_at.map(|at| (row, at))).find(|(_, at)| old(*at, STALE));
    match (heard.polled_at, silent) {
        (None, _) if heard.trouble.is_some() => ("stale", "the forge does not answer".to_owned()),
        (None, _) => ("stale", "not polled yet".to_owned()),
        (Some(at), _) if old(at, patience) => ("stale", format!("nothing heard from the forge for {}", ago(at))),
        (Some(at), _) if heard.trouble.is_some() => {
            ("stale", format!("the forge does not answer; last heard {} ago", ago(at)))
        }
        (Some(_), Some((row, at))) => ("stale", format!("nothing heard from {} for {}", row.name, ago(at))),
        (Some(at), None) => ("fresh", format!("alive · polled {} ago", ago(at))),
    }
}

/// `1 run has`, `3 runs have`.
fn many(runs: i64) -> String {
    count(usize::try_from(runs).unwrap_or(0), "run has", "runs have")
}

pub(super) fn capital(text: &str) -> String {
    let mut letters = text.chars();
    letters.next().map_or_else(String::new, |first| first.to_uppercase().chain(letters).collect())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::domain::ids::TargetName;
    use crate::domain::queue::TargetState;

    #[test]
    fn the_dot_says_who_was_not_heard() {
        let now = Timestamp::UNIX_EPOCH + SignedDuration::from_hours(1);
        let ago = |seconds: i64| now - SignedDuration::from_secs(seconds);
        let heard = |seconds: i64| Heard { polled_at: Some(ago(seconds)), trouble: None };
        let target = |seconds: i64| KnownTarget {
            name: TargetName::parse("swarm-a").unwrap(),
            state: TargetState::Clean,
            reason: String::new(),
            heard_at: Some(ago(seconds)),
            changed_at: ago(900),
        };
        let poll = Duration::from_secs(15);
        let told = |beat: Option<i64>, heard: Heard, targets: &[&KnownTarget]| {
            state(beat.map(ago), &heard, poll, targets, now)
        };
        assert_eq!(told(Some(1), heard(9), &[&target(4)]), ("fresh", "alive · polled 9 s ago".into()));
        assert_eq!(
            told(Some(1), heard(9), &[&target(125)]),
            ("stale", "nothing heard from swarm-a for 2 min 5 s".into())
        );
        assert_eq!(told(Some(1), heard(200), &[]).0, "stale");
        assert_eq!(told(Some(1), Heard { trouble: Some("502".into()), ..heard(9) }, &[]).0, "stale");
        assert_eq!(told(Some(180), heard(9), &[]).0, "gone");
        assert_eq!(told(None, heard(9), &[]).0, "gone");
    }
}
